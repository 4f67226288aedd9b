//! The counter, and how many additions each worker made: once for each way to protect them.

mod atomic;
mod helped;
mod mutex;
mod unlocked;
mod value;

use clap::ValueEnum;
use outlive::{Segment, Shared};

use crate::Result;

/// How many workers can take part, joined ones included.
pub(crate) const MAX_WORKERS: usize = 32;

/// What protects the counter. Shared, so that whoever joins uses the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Shared)]
#[repr(u32)]
pub(crate) enum Lock {
    /// A Value: changed on a private copy, committed as a whole
    Value = 1,
    /// A Mutex: changed in place, mended by the next one if a holder dies
    Mutex = 2,
    /// No lock, but one instruction of the processor that nothing can divide
    Atomic = 3,
    /// The same in a form that withstands kills.
    #[value(skip)]
    AtomicHelped = 4,
    /// Nothing: shows the lost updates that the others prevent
    None = 5,
}

impl Lock {
    /// The variant for a run in which workers are killed.
    pub(crate) fn for_kills(self) -> Self {
        if self == Self::Atomic { Self::AtomicHelped } else { self }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Value => "value",
            Self::Mutex => "mutex",
            Self::Atomic | Self::AtomicHelped => "atomic",
            Self::None => "none",
        }
    }

    /// What a newcomer should know about it.
    pub(crate) fn explanation(self) -> &'static str {
        match self {
            Self::Value => {
                "a Value. A process that wants to add locks it, changes a private copy, and commits\n\
                 the copy as a whole. Others wait their turn. Whoever is killed before the commit\n\
                 has changed nothing."
            }
            Self::Mutex => {
                "a Mutex. A process that wants to add locks it and changes the data in place. Others\n\
                 wait their turn. If the one inside is killed, the next one is told and mends the data."
            }
            Self::Atomic => {
                "none needed: fetch_add is one instruction that reads, adds and writes, and nothing\n\
                 can come in between."
            }
            Self::AtomicHelped => {
                "none needed: the processes swap one 64-bit word by compare-and-exchange. It holds the\n\
                 total and what the last addition belongs to, so that the next process can finish\n\
                 the books of one that was killed."
            }
            Self::None => {
                "NONE. Each process reads the number, adds 1 and writes it back. If two of them read\n\
                 the same number, both write the same result, and one addition is lost."
            }
        }
    }

    /// Whether the number fits, if workers have these targets.
    pub(crate) fn check(self, targets: impl IntoIterator<Item = u64>) -> Result<(), String> {
        match self {
            Self::AtomicHelped => helped::check(targets),
            _ => Ok(()),
        }
    }

    /// The tally of this kind in the segment; made if it is not there.
    pub(crate) fn open(self, segment: &Segment) -> Result<Box<dyn Tally>> {
        Ok(match self {
            Self::Value => Box::new(value::Committed::open(segment)?),
            Self::Mutex => Box::new(mutex::InPlace::open(segment)?),
            Self::Atomic => Box::new(atomic::FetchAdd::open(segment)?),
            Self::AtomicHelped => Box::new(helped::Helped::open(segment)?),
            Self::None => Box::new(unlocked::Unlocked::open(segment)?),
        })
    }
}

/// What stands in the shared memory at a moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Snapshot {
    /// The counter that all share.
    pub(crate) total: u64,
    /// What each worker counted on its own account.
    pub(crate) counts: [u64; MAX_WORKERS],
    /// How often the lock came from a dead holder, and the data were mended.
    pub(crate) repairs: u64,
}

impl Snapshot {
    pub(crate) fn sum(&self) -> u64 {
        self.counts.iter().sum()
    }
}

/// The total, and each worker's own count.
pub(crate) trait Tally {
    /// How far a worker is.
    fn count(&self, slot: usize) -> Result<u64>;

    /// Adds 1 to the total and to the worker's own count, and returns the latter.
    fn increment(&self, slot: usize) -> Result<u64>;

    /// None if the lock was not free for a while.
    fn snapshot(&self) -> Result<Option<Snapshot>>;

    /// Goes on from wherever the worker, or the one that it replaces, was. Asks `go_on` now and
    /// then; false if that said no.
    fn count_up_to(
        &self,
        slot: usize,
        target: u64,
        go_on: &mut dyn FnMut() -> Result<bool>,
    ) -> Result<bool> {
        let mut count = self.count(slot)?;
        while count < target {
            count = self.increment(slot)?;
            if count.is_multiple_of(1024) && !go_on()? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// One word for each worker.
mod counts {
    use outlive::{Array, ArrayError, ObjectError, Segment};

    use super::MAX_WORKERS;

    /// In words: each worker's word has a cache line of its own, or the processors would pass
    /// one line around for counts that nobody shares.
    const SPACING: usize = 8;

    pub(super) fn open(segment: &Segment) -> Result<Array<u64>, ObjectError> {
        segment.array("counts", MAX_WORKERS * SPACING, 0)
    }

    pub(super) fn place(slot: usize) -> usize {
        slot * SPACING
    }

    pub(super) fn all(counts: &Array<u64>) -> Result<[u64; MAX_WORKERS], ArrayError> {
        let mut all = [0; MAX_WORKERS];
        for (slot, count) in all.iter_mut().enumerate() {
            *count = counts.load(place(slot))?;
        }
        Ok(all)
    }
}
