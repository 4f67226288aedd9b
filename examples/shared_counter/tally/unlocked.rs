//! `--lock none`: how not to do it.

use std::thread;

use outlive::{Array, Segment};

use super::{Snapshot, Tally, counts};
use crate::Result;

pub(super) struct Unlocked {
    total: Array<u64>,
    counts: Array<u64>,
}

impl Unlocked {
    pub(super) fn open(segment: &Segment) -> Result<Self> {
        Ok(Self { total: segment.array("total", 1, 0)?, counts: counts::open(segment)? })
    }
}

impl Tally for Unlocked {
    fn count(&self, slot: usize) -> Result<u64> {
        Ok(self.counts.load(counts::place(slot))?)
    }

    fn increment(&self, slot: usize) -> Result<u64> {
        let count = self.count(slot)? + 1;
        let total = self.total.load(0)?;
        // Whatever the others add at this moment is overwritten by the next store. With luck they
        // run one after the other, so now and then the luck is tempted.
        if count.is_multiple_of(128) {
            thread::yield_now();
        }
        self.total.store(0, total + 1)?;
        self.counts.store(counts::place(slot), count)?;
        Ok(count)
    }

    fn snapshot(&self) -> Result<Option<Snapshot>> {
        let counts = counts::all(&self.counts)?;
        Ok(Some(Snapshot { total: self.total.load(0)?, counts, repairs: 0 }))
    }
}
