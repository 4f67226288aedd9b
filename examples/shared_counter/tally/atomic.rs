//! `--lock atomic`: one instruction adds.
//!
//! The total and the worker's own count are two words and so two instructions. Nobody is killed in
//! these runs; `helped.rs` is for those with `--kill`.

use outlive::{Array, AtomicCounter, Segment};

use super::{Snapshot, Tally, counts};
use crate::Result;

pub(super) struct FetchAdd {
    total: AtomicCounter,
    counts: Array<u64>,
}

impl FetchAdd {
    pub(super) fn open(segment: &Segment) -> Result<Self> {
        Ok(Self { total: segment.atomic_counter("total")?, counts: counts::open(segment)? })
    }
}

impl Tally for FetchAdd {
    fn count(&self, slot: usize) -> Result<u64> {
        Ok(self.counts.load(counts::place(slot))?)
    }

    fn increment(&self, slot: usize) -> Result<u64> {
        self.total.fetch_add(1)?;
        // Nobody else writes this worker's word.
        let count = self.count(slot)? + 1;
        self.counts.store(counts::place(slot), count)?;
        Ok(count)
    }

    fn snapshot(&self) -> Result<Option<Snapshot>> {
        let counts = counts::all(&self.counts)?;
        Ok(Some(Snapshot { total: self.total.get().cast_unsigned(), counts, repairs: 0 }))
    }
}
