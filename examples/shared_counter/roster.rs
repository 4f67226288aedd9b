//! Who takes part, and who of them is alive.
//!
//! The workers that the parent started are its children: the kernel tells it when one dies. Of a
//! process that joined from elsewhere it only knows what is in the segment. So each of those holds
//! a mutex for as long as it lives: the kernel releases it when the process dies, however that
//! happens, and then the parent need not wait for it any longer. The parent holds one for the others.

use std::time::Duration;

use outlive::{LockError, Mutex, MutexGuard, Segment, Shared, Value};

use crate::Result;
use crate::tally::{Lock, MAX_WORKERS};

/// One value, so that a joiner is in with its target or not at all.
#[derive(Clone, Copy, Shared)]
#[repr(C)]
pub(crate) struct Members {
    /// 1 when the counting is over and nobody can join any more.
    closed: u32,
    count: u32,
    targets: [u64; MAX_WORKERS],
}

impl Members {
    /// How often each member adds 1.
    pub(crate) fn targets(&self) -> &[u64] {
        &self.targets[..(self.count as usize).min(MAX_WORKERS)]
    }
}

/// A lock that is held for a process's life.
pub(crate) struct Life(Mutex<u32>);

impl Life {
    pub(crate) fn begin(&self) -> Result<MutexGuard<'_, u32>> {
        // Whoever held it before is dead and protected no data with it.
        Ok(self.0.try_lock().or_else(LockError::recover)?)
    }

    pub(crate) fn is_over(&self) -> bool {
        !matches!(self.0.try_lock(), Err(LockError::WouldBlock))
    }
}

pub(crate) struct Roster {
    members: Value<Members>,
    segment: Segment,
}

/// How long the roster's lock, which is held for moments only, can take.
const PATIENCE: Duration = Duration::from_secs(10);

impl Roster {
    pub(crate) fn open(segment: &Segment) -> Result<Self> {
        let nobody = Members { closed: 0, count: 0, targets: [0; MAX_WORKERS] };
        Ok(Self { members: segment.value("members", nobody)?, segment: segment.clone() })
    }

    /// Enters the parent's own workers.
    pub(crate) fn enrol(&self, targets: &[u64]) -> Result<()> {
        self.members.update(|members| {
            members.targets[..targets.len()].copy_from_slice(targets);
            members.count = targets.len() as u32;
        })?;
        Ok(())
    }

    pub(crate) fn members(&self) -> Result<Members> {
        Ok(self.members.get()?)
    }

    /// Held by the parent.
    pub(crate) fn parent(&self) -> Result<Life> {
        Ok(Life(self.segment.mutex("parent", 0)?))
    }

    /// Held by the process that joined with this slot.
    pub(crate) fn joiner(&self, slot: usize) -> Result<Life> {
        Ok(Life(self.segment.mutex(&format!("joiner-{slot}"), 0)?))
    }

    /// Takes the next free slot, and does the work in it.
    pub(crate) fn join<R>(
        &self,
        lock: Lock,
        target: u64,
        work: impl FnOnce(usize) -> Result<R>,
    ) -> Result<R> {
        let mut members = self.members.lock_timeout(PATIENCE)?;
        if members.closed != 0 {
            return Err("too late: this demo has finished counting".into());
        }
        let slot = members.count as usize;
        if slot >= MAX_WORKERS {
            return Err(format!("all {MAX_WORKERS} places of this demo are taken").into());
        }
        let targets = members.targets().iter().copied();
        lock.check(targets.chain([target])).map_err(|limit| format!("cannot join: {limit}"))?;
        // Before the commit: as soon as the parent sees this member, it can ask whether it lives.
        let life = self.joiner(slot)?;
        let _alive = life.begin()?;
        members.targets[slot] = target;
        members.count += 1;
        members.commit();
        work(slot)
    }

    /// Lets nobody join any more; false if somebody has since `seen` was read.
    pub(crate) fn close(&self, seen: &Members) -> Result<bool> {
        let mut members = self.members.lock_timeout(PATIENCE)?;
        if members.count != seen.count {
            return Ok(false);
        }
        members.closed = 1;
        Ok(true)
    }
}
