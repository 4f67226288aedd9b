//! Maps over plain data, for which nothing is sent task by task: the items lie in memory that all
//! workers see, and so do the results.
//!
//! The items are cut into parts. Each worker gets one runner (`runner`), which takes parts, one after
//! the other, until none is free; the pool (`map`) waits for the runners. Parts become shorter towards
//! the end, so that nobody is left with a long one.
//!
//! # Words
//!
//! | word | who writes it |
//! |---|---|
//! | `next`: no part before that one is free, a hint | runners |
//! | of each part: where it starts | the pool, before there are runners |
//! | of each part: 0, or the number of the runner that has taken it, plus 1 | the pool, as above; a runner, once, in place of 0 |
//! | of each runner: `at`, twice the item that it is at, plus 1 when that was begun | the runner; the pool while it has no worker |
//! | of each runner: its first panic, the item's number plus 1 and a text | the runner, once |
//! | items | the pool, before there are runners |
//! | results | the runner that has taken their part |
//!
//! # What a death leaves behind
//!
//! A part is taken with the one store that names its runner. A result is written before `at` goes on to
//! the next item, so after a death all items of the part before `at` have their results, the one at
//! `at` was begun if it says so, and those behind it were not. When a worker has died, the pool reads
//! that, lets the item fail or be begun again, and sends the runner on to the next worker, which goes
//! on from there. Other runners have noticed nothing: nobody waits for anybody.
//!
//! # What is believed
//!
//! Nothing but that: all positions are checked, results are checked to be values of their type. A worker
//! that writes wildly can change what others compute in the same map, but nothing else.

mod bits;
mod map;
mod memory;
mod runner;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub(super) use memory::Memory;

use super::Pool;
use crate::error::PoolError;
use crate::shared::Shared;

/// Numbers are worth it from here on; the first runner is on its way for about as long as so many
/// tasks take.
const LEAST: usize = 256;

impl Pool {
    /// Whether such items go the way of plain data. Where workers have a share, tasks are counted one
    /// by one.
    pub(super) fn suits<A: 'static, R: 'static>(&self, items: usize) -> bool {
        let numbers = bits::is_number::<A>() && bits::is_number::<R>();
        numbers && items >= LEAST && self.shared.options.tasks_per_worker == u64::MAX
    }

    /// A map of so many numbers to numbers.
    pub(super) fn map_numbers<F, A, R>(
        &self,
        function: F,
        items: impl Iterator<Item = A>,
        count: usize,
        chunk: Option<usize>,
    ) -> Result<Vec<R>, PoolError>
    where
        F: Fn(A) -> R + Copy + Send + Sync + 'static,
        A: Serialize + DeserializeOwned + Send + 'static,
        R: Serialize + DeserializeOwned + Send + 'static,
    {
        let run = move |runner| {
            let call = move |word: u64| Some(bits::to_bits(&function(bits::from_bits::<A>(word)?)));
            runner::run::<u64, u64>(call, runner)
        };
        let words = items.map(|item| bits::to_bits(&item));
        map::run(&self.shared, run, words, count, chunk, |word: u64| bits::from_bits(word))
    }

    /// A map of plain data.
    pub(super) fn map_plain<F, T, U>(&self, function: F, items: &[T]) -> Result<Vec<U>, PoolError>
    where
        F: Fn(T) -> U + Copy + Send + Sync + 'static,
        T: Shared,
        U: Shared,
    {
        let run = move |runner| runner::run::<T, U>(move |item| Some(function(item)), runner);
        map::run(&self.shared, run, items.iter().copied(), items.len(), None, Some::<U>)
    }
}
