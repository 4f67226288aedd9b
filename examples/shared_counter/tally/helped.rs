//! `--lock atomic --kill`: without a lock, and whole after any kill.
//!
//! The total and the worker's own count have to change together, but they are two words, and no
//! instruction changes both: a worker killed between the two would leave them apart. So one word
//! carries what is needed to finish the job:
//!
//! ```text
//!   63            32 31       27 26              0
//!  +----------------+-----------+-----------------+
//!  |     total      |  worker   |      count      |   the last addition: by whom, and how many
//!  +----------------+-----------+-----------------+   it had made with that one
//! ```
//!
//! To add 1, a process
//!
//! 1. reads the word;
//! 2. helps: enters that worker's count into the worker's slot of the array. The worker may be dead
//!    or about to do the same: `fetch_max` makes it harmless to do it twice, or late;
//! 3. exchanges the word for (total + 1, itself, its own count + 1), if the word is still the one
//!    that it read; else it starts over.
//!
//! The exchange is one instruction: killed before it, nothing was added; killed after it, the word
//! tells the next process what to enter. As everyone helps before the exchange, a count is in the
//! array before the word that carried it is gone. The total only grows, so a word never comes back.
//!
//! The fields set the limits that [`check`] enforces.

use outlive::{Array, AtomicCounter, Segment};

use super::{Snapshot, Tally, counts};
use crate::Result;

const COUNT_BITS: u32 = 27;
const WORKER_BITS: u32 = 5;
const MAX_COUNT: u64 = (1 << COUNT_BITS) - 1;
const MAX_TOTAL: u64 = u32::MAX as u64;
const _: () = assert!(super::MAX_WORKERS == 1 << WORKER_BITS);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Word {
    total: u64,
    worker: usize,
    count: u64,
}

impl Word {
    fn unpack(word: i64) -> Self {
        let word = word.cast_unsigned();
        Self {
            total: word >> (WORKER_BITS + COUNT_BITS),
            worker: (word >> COUNT_BITS) as usize & ((1 << WORKER_BITS) - 1),
            count: word & MAX_COUNT,
        }
    }

    fn pack(self) -> i64 {
        let worker = (self.worker as u64) << COUNT_BITS;
        (self.total << (WORKER_BITS + COUNT_BITS) | worker | self.count).cast_signed()
    }
}

/// What fits into the word.
pub(super) fn check(targets: impl IntoIterator<Item = u64>) -> Result<(), String> {
    let mut total: u64 = 0;
    let mut fits = true;
    for target in targets {
        total = total.saturating_add(target);
        fits &= target <= MAX_COUNT;
    }
    if fits && total <= MAX_TOTAL {
        return Ok(());
    }
    Err(format!(
        "--lock atomic --kill keeps the total and one worker's count in a single 64-bit word: at \
         most {MAX_COUNT} increments by each process and {MAX_TOTAL} by all together"
    ))
}

pub(super) struct Helped {
    word: AtomicCounter,
    counts: Array<u64>,
}

impl Helped {
    pub(super) fn open(segment: &Segment) -> Result<Self> {
        Ok(Self { word: segment.atomic_counter("word")?, counts: counts::open(segment)? })
    }

    /// Steps 1 and 2. After that, the slots agree with the word.
    fn read_and_help(&self) -> Result<Word> {
        let word = Word::unpack(self.word.get());
        self.counts.fetch_max(counts::place(word.worker), word.count)?;
        Ok(word)
    }
}

impl Tally for Helped {
    fn count(&self, slot: usize) -> Result<u64> {
        self.read_and_help()?;
        Ok(self.counts.load(counts::place(slot))?)
    }

    fn increment(&self, slot: usize) -> Result<u64> {
        loop {
            let word = self.read_and_help()?;
            let count = self.counts.load(counts::place(slot))? + 1;
            let next = Word { total: word.total + 1, worker: slot, count };
            if self.word.compare_exchange(word.pack(), next.pack())?.is_ok() {
                return Ok(count);
            }
        }
    }

    fn snapshot(&self) -> Result<Option<Snapshot>> {
        let total = self.read_and_help()?.total;
        Ok(Some(Snapshot { total, counts: counts::all(&self.counts)?, repairs: 0 }))
    }
}
