//! `--lock value`: changes are made on a copy and committed as a whole.

use outlive::{Segment, Shared, Value};

use super::{MAX_WORKERS, Snapshot, Tally};
use crate::Result;

/// One value, so that the total and the counts change in one commit.
#[derive(Clone, Copy, Shared)]
#[repr(C)]
struct Books {
    total: u64,
    counts: [u64; MAX_WORKERS],
}

pub(super) struct Committed(Value<Books>);

impl Committed {
    pub(super) fn open(segment: &Segment) -> Result<Self> {
        Ok(Self(segment.value("books", Books { total: 0, counts: [0; MAX_WORKERS] })?))
    }
}

impl Tally for Committed {
    fn count(&self, slot: usize) -> Result<u64> {
        Ok(self.0.get()?.counts[slot])
    }

    fn increment(&self, slot: usize) -> Result<u64> {
        let mut books = self.0.lock()?;
        books.total += 1;
        books.counts[slot] += 1;
        Ok(books.counts[slot])
    } // the guard goes, and with that the commit is made; killed before it, nothing has changed

    fn snapshot(&self) -> Result<Option<Snapshot>> {
        // Reads the last committed value, whoever holds the lock.
        let Books { total, counts } = self.0.get()?;
        Ok(Some(Snapshot { total, counts, repairs: 0 }))
    }
}
