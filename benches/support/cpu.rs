//! Which cores there are, and staying on one.

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

use super::Result;

/// The cores that this process was allowed when it started.
#[derive(Clone, Debug)]
pub(crate) struct Cores(Vec<usize>);

impl Cores {
    /// Must be called before anything is pinned.
    pub(crate) fn detect() -> Result<Self> {
        let set = sched_getaffinity(Pid::from_raw(0))?;
        Ok(Self((0..CpuSet::count()).filter(|&core| set.is_set(core).unwrap_or(false)).collect()))
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// The core of participant `index`, dealt in turn; `None` (stay unpinned) when there is one
    /// core only, because two parties pinned to it could only take turns by the scheduler's tick.
    pub(crate) fn of(&self, index: usize) -> Option<usize> {
        (self.count() > 1).then(|| self.0[index % self.count()])
    }

    /// How long a spinning party waits before it offers its core to others: practically never if
    /// each of `parties` has a core of its own, soon if not.
    pub(crate) fn patience(&self, parties: usize) -> Patience {
        Patience { spins: if parties <= self.count() { 1 << 14 } else { 64 } }
    }
}

/// Binds the calling thread to `core`.
pub(crate) fn pin(core: Option<usize>) -> Result<()> {
    if let Some(core) = core {
        let mut set = CpuSet::new();
        set.set(core)?;
        sched_setaffinity(Pid::from_raw(0), &set)?;
    }
    Ok(())
}

/// How many spins a party makes before it yields; the same for every peer of a comparison.
#[derive(Clone, Copy, Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct Patience {
    spins: u32,
}

impl Patience {
    /// Repeats `attempt` until it gives something.
    #[inline]
    pub(crate) fn until<T>(self, mut attempt: impl FnMut() -> Option<T>) -> T {
        let mut left = self.spins;
        loop {
            if let Some(value) = attempt() {
                return value;
            }
            if left > 0 {
                left -= 1;
                std::hint::spin_loop();
            } else {
                left = self.spins;
                std::thread::yield_now();
            }
        }
    }
}
