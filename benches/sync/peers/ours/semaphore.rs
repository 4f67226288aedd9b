//! A counter that the only permit of a `Semaphore` is needed for.

// Places an atomic in the arena.
#![allow(unsafe_code)]

use std::sync::atomic::{AtomicU64, Ordering};

use outlive::{Segment, Semaphore};

use crate::peers::LockedCounter;
use crate::support::Result;
use crate::support::memory::Memory;

/// The counter is not part of a semaphore.
#[derive(Debug)]
pub(crate) struct SemaphoreCounter<'a> {
    semaphore: Semaphore,
    counter: &'a AtomicU64,
}

impl<'a> SemaphoreCounter<'a> {
    pub(crate) fn attach(segment: &str, memory: &'a Memory) -> Result<Self> {
        let semaphore = Segment::open(segment)?.semaphore("semaphore", 1)?;
        // SAFETY: an atomic, which is all that this peer has in the arena.
        Ok(Self { semaphore, counter: unsafe { memory.arena_as() } })
    }
}

impl LockedCounter for SemaphoreCounter<'_> {
    #[inline]
    fn increment(&self) -> Result<()> {
        let _permit = self.semaphore.acquire()?;
        // Not as one operation: two that have a permit at a time would lose a count.
        self.counter.store(self.counter.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        Ok(())
    }

    fn value(&self) -> Result<u64> {
        let _permit = self.semaphore.acquire()?;
        Ok(self.counter.load(Ordering::Relaxed))
    }
}
