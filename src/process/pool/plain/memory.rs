//! The memory of a map: where its words lie, and how it gets to the workers.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Deserializer, Serialize};

use crate::error::PoolError;
use crate::raw::bytes::packed_stride;
use crate::segment::Segment;
use crate::segment::passing::Unopened;
use crate::segment::region::{Bytes, Elements, Extent};
use crate::shared::Shared;

const LINE: usize = 64;
/// What each runner has: a line of words, and room for a text.
const RUNNER: usize = 2048;
/// What a panic may say.
pub(super) const TEXT: usize = RUNNER - LINE;
/// What each part has: its start, and its runner.
const PART: usize = 16;

/// A pool keeps no more for its next map.
const KEPT: usize = 16 << 20;

/// Memory that all workers see.
#[derive(Debug, Serialize)]
pub(crate) struct Memory {
    /// By which a worker knows memory that it has seen before.
    id: u64,
    segment: Segment,
    #[serde(skip)]
    size: usize,
}

impl Memory {
    /// That, if it is large enough, or another one.
    pub(super) fn new(kept: Option<Self>, size: usize) -> Result<Self, PoolError> {
        static IDS: AtomicU64 = AtomicU64::new(1);
        if let Some(kept) = kept.filter(|kept| kept.size >= size) {
            return Ok(kept);
        }
        // Somewhat more, so that a series of growing maps does not take new memory for each.
        let size = size.checked_next_power_of_two().filter(|size| *size <= KEPT).unwrap_or(size);
        let segment = Segment::without_objects(size as u64)?;
        Ok(Self { id: IDS.fetch_add(1, Ordering::Relaxed), segment, size })
    }

    /// Whether it is to be kept for the next map.
    pub(super) fn is_kept(&self) -> bool {
        self.size <= KEPT
    }
}

/// In a worker, what it has seen last.
static SEEN: Mutex<Option<(u64, Segment)>> = Mutex::new(None);

impl<'de> Deserialize<'de> for Memory {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let (id, unopened) = <(u64, Unopened)>::deserialize(from)?;
        let mut seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
        let segment = match &*seen {
            Some((last, segment)) if *last == id => segment.clone(),
            _ => {
                // First the room that the other one took.
                *seen = None;
                let segment = unopened.open().map_err(serde::de::Error::custom)?;
                *seen = Some((id, segment.clone()));
                segment
            }
        };
        Ok(Self { id, segment, size: 0 })
    }
}

/// How many there are of what.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Counts {
    pub(super) runners: usize,
    pub(super) parts: usize,
    pub(super) items: usize,
}

impl Counts {
    /// Where runners begin, parts, items, results, and where all ends. None: there is no such memory.
    fn places<T: Shared, U: Shared>(&self) -> Option<[usize; 5]> {
        let mut end = LINE;
        let mut places = [LINE; 5];
        let sizes = [
            self.runners.checked_mul(RUNNER),
            self.parts.checked_mul(PART),
            self.items.checked_mul(packed_stride::<T>()),
            self.items.checked_mul(packed_stride::<U>()),
        ];
        for (place, size) in places.iter_mut().skip(1).zip(sizes) {
            end = end.checked_add(size?)?.checked_next_multiple_of(LINE)?;
            *place = end;
        }
        Some(places)
    }

    pub(super) fn size<T: Shared, U: Shared>(&self) -> Option<usize> {
        self.places::<T, U>().map(|[.., end]| end)
    }
}

/// The words, and what they are about.
pub(super) struct Field<T, U> {
    counts: Counts,
    words: Bytes,
    parts: usize,
    pub(super) items: Elements<T>,
    pub(super) results: Elements<U>,
    /// Keeps all of it there.
    _extent: Extent,
}

/// What a runner is sent on with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    pub(super) part: usize,
    pub(super) item: usize,
}

impl<T: Shared, U: Shared> Field<T, U> {
    /// None if they do not lie in the memory.
    pub(super) fn new(memory: &Memory, counts: Counts) -> Result<Option<Self>, PoolError> {
        let Some([_, parts, items, results, end]) = counts.places::<T, U>() else {
            return Ok(None);
        };
        let Some(extent) = memory.segment.memory(end as u64)? else { return Ok(None) };
        let field = || {
            Some(Self {
                counts,
                words: extent.bytes(0, items)?,
                parts,
                items: extent.elements(items, counts.items)?,
                results: extent.elements(results, counts.items)?,
                _extent: extent.clone(),
            })
        };
        Ok(field())
    }

    fn next(&self) -> Option<&AtomicU64> {
        self.words.word(0)
    }

    /// A word of a part.
    fn part(&self, part: usize, word: usize) -> Option<&AtomicU64> {
        (part < self.counts.parts).then(|| self.words.word(self.parts + part * PART + word * 8))?
    }

    fn runner(&self, runner: usize) -> Option<usize> {
        (runner < self.counts.runners).then_some(LINE + runner * RUNNER)
    }

    /// `at` of a runner.
    pub(super) fn at(&self, runner: usize) -> Option<&AtomicU64> {
        self.words.word(self.runner(runner)?)
    }

    /// Makes all parts free, which start there, and the runners new.
    pub(super) fn begin(&self, starts: impl Iterator<Item = usize>) {
        let word = |word: Option<&AtomicU64>, value: usize| {
            if let Some(word) = word {
                // Relaxed, as all here: it is sent to the workers afterwards, through the kernel.
                word.store(value as u64, Ordering::Relaxed);
            }
        };
        word(self.next(), 0);
        for (part, start) in starts.enumerate() {
            word(self.part(part, 0), start);
            word(self.part(part, 1), 0);
        }
        for runner in 0..self.counts.runners {
            word(self.at(runner), 0);
            word(self.runner(runner).and_then(|place| self.words.word(place + 8)), 0);
        }
    }

    /// The items of a part.
    pub(super) fn range(&self, part: usize) -> Option<std::ops::Range<usize>> {
        let start = |part| {
            let start = self.part(part, 0)?.load(Ordering::Relaxed);
            usize::try_from(start).ok().filter(|start| *start <= self.counts.items)
        };
        let end = if part + 1 == self.counts.parts { self.counts.items } else { start(part + 1)? };
        Some(start(part)?..end)
    }

    /// Takes the first part that is free.
    pub(super) fn take(&self, runner: usize) -> Option<Place> {
        let next = self.next()?;
        let mut part = usize::try_from(next.load(Ordering::Relaxed)).ok()?;
        loop {
            // Relaxed: what the part is about was there before there were runners.
            let taken = self.part(part, 1)?.compare_exchange(
                0,
                runner as u64 + 1,
                Ordering::Relaxed,
                Ordering::Relaxed,
            );
            part += 1;
            if taken.is_ok() {
                next.fetch_max(part as u64, Ordering::Relaxed);
                let part = part - 1;
                return Some(Place { part, item: self.range(part)?.start });
            }
        }
    }

    /// With a runner's worker dead: where it was, and whether that item was begun. `sent`: where it
    /// was sent on from. None: it had no part.
    pub(super) fn left_at(&self, runner: usize, sent: Option<Place>) -> Option<(Place, bool)> {
        // Acquire: pairs with the Release of `at` in the runner. The results before it are there.
        let at = self.at(runner)?.load(Ordering::Acquire);
        let (item, begun) = (usize::try_from(at / 2).ok()?, at % 2 == 1);
        if let Some(sent) = sent.filter(|sent| !begun && sent.item == item) {
            return Some((sent, false));
        }
        // Its parts are in order, and it was done with those before.
        let own = |part: &usize| {
            let taken = self.part(*part, 1).map(|word| word.load(Ordering::Relaxed));
            taken == Some(runner as u64 + 1)
        };
        let mut parts = (0..self.counts.parts).filter(own);
        parts.find_map(|part| {
            let range = self.range(part)?;
            let place = |item| Place { part, item };
            if begun {
                range.contains(&item).then_some((place(item), true))
            } else {
                (range.start >= item).then_some((place(range.start), false))
            }
        })
    }

    /// The first item that nobody has taken.
    pub(super) fn first_free(&self) -> Option<usize> {
        let free = |part: &usize| {
            self.part(*part, 1).is_some_and(|word| word.load(Ordering::Relaxed) == 0)
        };
        let part = (0..self.counts.parts).find(free)?;
        Some(self.range(part)?.start)
    }

    /// Notes a runner's panic, if it is the first.
    pub(super) fn note_panic(&self, runner: usize, item: usize, text: &[u8]) {
        let note = || {
            let place = self.runner(runner)?;
            let (word, length) = (self.words.word(place + 8)?, self.words.word(place + 16)?);
            if word.load(Ordering::Relaxed) == 0 {
                let text = text.get(..text.len().min(TEXT))?;
                self.words.run(place + LINE, text.len())?.write(text);
                length.store(text.len() as u64, Ordering::Relaxed);
                // Release: pairs with the Acquire in `panic_of`. The text is complete.
                word.store(item as u64 + 1, Ordering::Release);
            }
            Some(())
        };
        // Without effect if there is no such runner.
        let _noted = note();
    }

    /// The item of a runner's first panic, and the text.
    pub(super) fn panic_of(&self, runner: usize) -> Option<(usize, Vec<u8>)> {
        let place = self.runner(runner)?;
        // Acquire: pairs with the Release in `note_panic`.
        let item = self.words.word(place + 8)?.load(Ordering::Acquire).checked_sub(1)?;
        let length = self.words.word(place + 16)?.load(Ordering::Relaxed);
        let length = usize::try_from(length).ok().filter(|length| *length <= TEXT)?;
        let mut text = Vec::new();
        self.words.run(place + LINE, length)?.append_to(&mut text);
        Some((usize::try_from(item).ok()?, text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(counts: Counts) -> Field<u64, u8> {
        let memory = Memory::new(None, counts.size::<u64, u8>().unwrap()).unwrap();
        Field::new(&memory, counts).unwrap().unwrap()
    }

    #[test]
    fn parts_are_taken_once_and_in_order() {
        let field = field(Counts { runners: 2, parts: 3, items: 10 });
        field.begin([0, 5, 8].into_iter());
        assert_eq!(field.first_free(), Some(0));
        assert_eq!(field.take(1), Some(Place { part: 0, item: 0 }));
        assert_eq!(field.take(0), Some(Place { part: 1, item: 5 }));
        assert_eq!(field.first_free(), Some(8));
        assert_eq!(field.take(1), Some(Place { part: 2, item: 8 }));
        assert_eq!((field.take(0), field.take(1), field.first_free()), (None, None, None));
        assert_eq!((field.range(1), field.range(2)), (Some(5..8), Some(8..10)));
    }

    #[test]
    fn a_hint_that_died_with_its_runner_is_not_needed() {
        let field = field(Counts { runners: 1, parts: 2, items: 2 });
        field.begin([0, 1].into_iter());
        field.take(0).unwrap();
        field.next().unwrap().store(0, Ordering::Relaxed);
        assert_eq!(field.take(0), Some(Place { part: 1, item: 1 }));
    }

    #[test]
    fn where_a_runner_was_when_its_worker_died() {
        let field = field(Counts { runners: 2, parts: 3, items: 10 });
        field.begin([0, 5, 8].into_iter());
        let at = |word| field.at(1).unwrap().store(word, Ordering::Relaxed);
        let place = |part, item| Place { part, item };
        assert_eq!(field.left_at(1, None), None, "it had taken nothing");
        field.take(1).unwrap();
        assert_eq!(field.left_at(1, None), Some((place(0, 0), false)));
        at(2 * 3 + 1);
        assert_eq!(field.left_at(1, None), Some((place(0, 3), true)));
        // Sent on to the next one, which has not begun anything, or has.
        at(2 * 4);
        assert_eq!(field.left_at(1, Some(place(0, 4))), Some((place(0, 4), false)));
        at(2 * 4 + 1);
        assert_eq!(field.left_at(1, Some(place(0, 4))), Some((place(0, 4), true)));
        at(2 * 5);
        assert_eq!(field.left_at(1, Some(place(0, 4))), None, "it was done with its part");
        field.take(0).unwrap();
        field.take(1).unwrap();
        assert_eq!(field.left_at(1, Some(place(0, 4))), Some((place(2, 8), false)));
        // What it cannot have said.
        for wrong in [2 * 6 + 1, 2 * 10 + 1, u64::MAX] {
            at(wrong);
            assert_eq!(field.left_at(1, None), None, "{wrong:#x}");
        }
    }

    #[test]
    fn damage_is_noticed() {
        let counts = Counts { runners: 1, parts: 2, items: 4 };
        let field = field(counts);
        field.begin([0, 2].into_iter());
        field.part(1, 0).unwrap().store(u64::MAX, Ordering::Relaxed);
        assert_eq!((field.range(0), field.range(1), field.range(2)), (None, None, None));
        field.next().unwrap().store(u64::MAX, Ordering::Relaxed);
        assert_eq!(field.take(0), None);
        field.note_panic(0, 3, &[7; 5]);
        field.note_panic(0, 1, &[8]);
        field.note_panic(9, 1, &[8]);
        assert_eq!(field.panic_of(0), Some((3, vec![7; 5])));
        field.words.word(LINE + 16).unwrap().store(u64::MAX, Ordering::Relaxed);
        assert_eq!((field.panic_of(0), field.panic_of(1)), (None, None));
        let memory = Memory::new(None, counts.size::<u64, u8>().unwrap()).unwrap();
        let more = Counts { items: 1 << 40, ..counts };
        assert!(Field::<u64, u8>::new(&memory, more).unwrap().is_none());
        assert_eq!(Counts { items: usize::MAX, ..counts }.size::<u64, u8>(), None);
    }
}
