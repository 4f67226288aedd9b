//! `--lock mutex`: changes are made in place, and the next one mends what a dead one left.

use std::time::Duration;

use outlive::{LockError, Mutex, MutexGuard, Segment, Shared};

use super::{MAX_WORKERS, Snapshot, Tally};
use crate::Result;

#[derive(Clone, Copy, Shared)]
#[repr(C)]
struct Books {
    total: u64,
    counts: [u64; MAX_WORKERS],
    repairs: u64,
}

pub(super) struct InPlace(Mutex<Books>);

type Locked<'a> = Result<MutexGuard<'a, Books>, LockError<MutexGuard<'a, Books>>>;

impl InPlace {
    pub(super) fn open(segment: &Segment) -> Result<Self> {
        let books = Books { total: 0, counts: [0; MAX_WORKERS], repairs: 0 };
        Ok(Self(segment.mutex("books", books)?))
    }
}

/// A holder may have been killed between its two additions: what counts is the workers' own books.
fn mended(locked: Locked<'_>) -> Locked<'_> {
    match locked {
        Err(LockError::OwnerDied(mut books)) => {
            books.total = books.counts.iter().sum();
            books.repairs += 1;
            books.mark_consistent();
            Ok(books)
        }
        other => other,
    }
}

/// The error in words, without the guard that it could hold.
fn words(error: LockError<MutexGuard<'_, Books>>) -> String {
    error.to_string()
}

impl Tally for InPlace {
    fn count(&self, slot: usize) -> Result<u64> {
        Ok(mended(self.0.lock()).map_err(words)?.counts[slot])
    }

    fn increment(&self, slot: usize) -> Result<u64> {
        let mut books = mended(self.0.lock()).map_err(words)?;
        books.total += 1;
        books.counts[slot] += 1; // whoever is killed before this line leaves the total 1 too high
        Ok(books.counts[slot])
    }

    fn snapshot(&self) -> Result<Option<Snapshot>> {
        match mended(self.0.lock_timeout(Duration::from_millis(100))) {
            Ok(books) => {
                let Books { total, counts, repairs } = *books;
                Ok(Some(Snapshot { total, counts, repairs }))
            }
            Err(LockError::TimedOut { .. }) => Ok(None),
            Err(error) => Err(words(error).into()),
        }
    }
}
