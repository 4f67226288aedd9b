//! A worker's side: takes parts until there are none.

use std::cell::Cell;
use std::sync::atomic::Ordering;

use serde::{Deserialize, Serialize};

use super::memory::{Counts, Field, Memory, Place, TEXT};
use crate::process::current;
use crate::process::panics::{self, Panic};
use crate::shared::Shared;

/// What a worker gets.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Runner<M = Memory> {
    pub(super) memory: M,
    pub(super) counts: Counts,
    pub(super) number: usize,
    /// Where it goes on, after the one that it takes the place of.
    pub(super) place: Option<Place>,
}

/// `function` has None for what is no item. Err says what is wrong with the memory.
pub(super) fn run<T: Shared, U: Shared>(
    function: impl Fn(T) -> Option<U>,
    runner: Runner,
) -> Result<(), String> {
    let Runner { memory, counts, number, mut place } = runner;
    let field = Field::<T, U>::new(&memory, counts).map_err(|error| error.to_string())?;
    let field = field.ok_or("the memory of a map is too small")?;
    let damaged = || "the memory of a map is damaged".to_owned();
    let at = field.at(number).ok_or_else(damaged)?;
    while let Some(Place { part, item }) = place.take().or_else(|| field.take(number)) {
        let range = field.range(part).ok_or_else(damaged)?;
        let item = Cell::new(item);
        let run = || {
            let rest = item.get()..range.end;
            let places = field.items.row(rest.clone()).zip(field.results.row(rest.clone()));
            for (index, (from, to)) in rest.zip(places) {
                item.set(index);
                // Release: pairs with the Acquire in `Field::left_at`. The result before is there.
                at.store(2 * index as u64 + 1, Ordering::Release);
                to.write(&function(from.read().check()?)?);
            }
            Some(())
        };
        loop {
            match panics::catch(run) {
                Ok(done) => break done.ok_or_else(damaged)?,
                Err(panic) => {
                    field.note_panic(number, item.get(), &text(panic));
                    item.set(item.get() + 1);
                }
            }
        }
        // Release: as above.
        at.store(2 * range.end as u64, Ordering::Release);
    }
    Ok(())
}

/// Who panicked, and why, in no more than [`TEXT`] bytes.
fn text(Panic { mut message, location }: Panic) -> Vec<u8> {
    loop {
        let whole = (current().name, std::process::id(), &message, &location);
        // Texts and numbers can always be serialised.
        let text = postcard::to_stdvec(&whole).unwrap_or_default();
        if text.len() <= TEXT || message.is_empty() {
            return text;
        }
        let most = message.len().saturating_sub(text.len() - TEXT);
        let end = (0..=most).rev().find(|end| message.is_char_boundary(*end));
        message.truncate(end.unwrap_or_default());
    }
}
