//! Messages of a ring in place: written and read without a copy.
#![allow(unsafe_code)] // slices of slots that only one side uses

use std::fmt;
use std::mem::MaybeUninit;
use std::slice;

use super::Spsc;
use super::consumer::Consumer;
use super::producer::Producer;
use crate::data::attempt::{popped, popped_in_time, pushed, pushed_in_time};
use crate::error::{LockError, PopError, PushError};
use crate::raw::bytes;
use crate::raw::deadline::Deadline;
use crate::shared::Shared;

/// Free slots of an [`Spsc`], to be filled in place. Dropped without
/// [`commit`](Self::commit), nothing was pushed.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let ring = outlive::Segment::anonymous()?.spsc::<u64>("squares", 100)?;
/// let (mut producer, mut consumer) = (ring.producer()?, ring.consumer()?);
/// producer.write_chunk(10)?.fill((1..=10).map(|n| n * n));
/// let chunk = consumer.read_chunk(10)?;
/// let (first, second) = chunk.as_slices(); // two parts where the ring's end lies between them
/// assert_eq!(first.iter().chain(second).sum::<u64>(), 385);
/// chunk.commit_all();
/// # Ok(())
/// # }
/// ```
pub struct WriteChunk<'a, T: Shared> {
    producer: &'a Producer<T>,
    count: usize,
}

/// Messages of an [`Spsc`] where they are. Dropped without [`commit`](Self::commit), they stay in the
/// queue.
///
/// The slices are references into shared memory, whose bytes were checked when the chunk was made. A
/// process that writes to them nevertheless, against the queue's protocol, is undefined behaviour in
/// this one; [`Consumer::pop_slice`] copies, and has no such hole.
pub struct ReadChunk<'a, T: Shared> {
    consumer: &'a Consumer<T>,
    count: usize,
}

impl<T: Shared> fmt::Debug for WriteChunk<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteChunk").field("len", &self.count).finish_non_exhaustive()
    }
}

impl<T: Shared> fmt::Debug for ReadChunk<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadChunk").field("len", &self.count).finish_non_exhaustive()
    }
}

/// Slots lie one behind the other without gaps, as the elements of a slice do.
const fn assert_packed<T>() {
    assert!(
        bytes::packed_stride::<T>() == size_of::<T>(),
        "messages are used in place only if their size is 1, 2, 4 or a multiple of 8 bytes"
    );
}

impl<T: Shared> Spsc<T> {
    /// Where `count` slots from one on are: up to the ring's end, and from its start on.
    fn parts(&self, start: usize, count: usize) -> [(*mut T, usize); 2] {
        let first = count.min(self.slots.count() - start);
        let place = |index: usize| {
            self.slots
                .get(index)
                .map_or(std::ptr::dangling_mut(), |slot| slot.pointer().as_ptr().cast())
        };
        [(place(start), first), (place(0), count - first)]
    }
}

impl<T: Shared> Producer<T> {
    fn chunk(
        &self,
        most: usize,
        deadline: Option<Deadline>,
    ) -> Result<WriteChunk<'_, T>, PushError<()>> {
        const { assert_packed::<T>() };
        let room = match deadline {
            Some(deadline) => pushed_in_time(self.settle(deadline, || self.room(most)), ())?,
            None => pushed(self.room(most), ())?,
        };
        self.begin();
        Ok(WriteChunk { producer: self, count: most.min(room as usize) })
    }

    /// Free slots, `most` at the most and at least one, to be filled in place; sleeps while the queue
    /// is full.
    ///
    /// # Errors
    ///
    /// Those of [`push`](Self::push).
    pub fn write_chunk(&mut self, most: usize) -> Result<WriteChunk<'_, T>, PushError<()>> {
        self.chunk(most, Some(self.ring.inner.forever()))
    }

    /// [`write_chunk`](Self::write_chunk) without waiting.
    ///
    /// # Errors
    ///
    /// [`Full`](PushError::Full), and those of [`push`](Self::push).
    pub fn try_write_chunk(&mut self, most: usize) -> Result<WriteChunk<'_, T>, PushError<()>> {
        self.chunk(most, None)
    }
}

impl<T: Shared> WriteChunk<'_, T> {
    /// How many slots these are.
    #[must_use]
    #[allow(clippy::len_without_is_empty)] // there is at least one, unless none was asked for
    pub fn len(&self) -> usize {
        self.count
    }

    /// The slots, in order: those up to the ring's end, and those from its start on. What they hold
    /// is left from earlier messages.
    pub fn as_mut_slices(&mut self) -> (&mut [MaybeUninit<T>], &mut [MaybeUninit<T>]) {
        let [(first, m), (second, n)] =
            self.producer.ring.parts(self.producer.at.index(), self.count);
        // SAFETY: slots within the ring, packed and aligned for T, which overlap nowhere; the consumer
        // leaves free ones alone, and `self` is the only one that makes slices of them. Any bytes are
        // a MaybeUninit.
        unsafe {
            (
                slice::from_raw_parts_mut(first.cast(), m),
                slice::from_raw_parts_mut(second.cast(), n),
            )
        }
    }

    /// Pushes the first `count` of them, or all if there are fewer, in one go. A slot that was not
    /// filled is pushed with what it held; the consumer checks it like any message.
    pub fn commit(self, count: usize) {
        let count = count.min(self.count);
        let producer = self.producer;
        std::mem::forget(self);
        if !producer.is_mine() {
            return;
        }
        match count {
            0 => return producer.give_up(),
            1 => {
                // The consumer would look for it there.
                let slot = producer.ring.slots.get(producer.at.index());
                if let (Some(newest), Some(slot)) = (producer.newest(), slot) {
                    newest.copy(slot);
                }
            }
            _ => {}
        }
        producer.advance(count);
    }

    /// Pushes all of them.
    pub fn commit_all(self) {
        let count = self.count;
        self.commit(count);
    }

    /// Fills slots with what the iterator yields, as far as both go, and pushes them. Returns how
    /// many.
    pub fn fill(mut self, messages: impl IntoIterator<Item = T>) -> usize {
        let (first, second) = self.as_mut_slices();
        let mut count = 0;
        // The slots first: of a message that is taken from the iterator, none is lost.
        for (slot, message) in first.iter_mut().chain(second).zip(messages) {
            slot.write(message);
            count += 1;
        }
        self.commit(count);
        count
    }
}

impl<T: Shared> Drop for WriteChunk<'_, T> {
    fn drop(&mut self) {
        if self.producer.is_mine() {
            self.producer.give_up();
        }
    }
}

impl<T: Shared> Consumer<T> {
    fn chunk(&self, most: usize, deadline: Option<Deadline>) -> Result<ReadChunk<'_, T>, PopError> {
        const { assert_packed::<T>() };
        let ready = match deadline {
            Some(deadline) => popped_in_time(self.settle(deadline, || self.refill(most)))?,
            None => popped(self.refill(most))?,
        };
        let ready = most.min(ready as usize);
        self.begin();
        let mut count = ready;
        if !T::ANY_PATTERN_IS_VALID {
            let start = self.at.index();
            let slots = (start..self.ring.slots.count()).chain(0..start).take(ready);
            let valid = |index| {
                self.ring.slots.get(index).is_some_and(|slot| slot.read().check().is_some())
            };
            count = slots.take_while(|index| valid(*index)).count();
        }
        if count == 0 && ready > 0 {
            // Passed over, or it would block the queue for ever.
            self.advance(1);
            return Err(LockError::Corrupt { what: "a message" }.into());
        }
        Ok(ReadChunk { consumer: self, count })
    }

    /// The oldest messages where they are, `most` at the most and at least one; sleeps while the queue
    /// is empty.
    ///
    /// # Errors
    ///
    /// Those of [`pop`](Self::pop).
    pub fn read_chunk(&mut self, most: usize) -> Result<ReadChunk<'_, T>, PopError> {
        self.chunk(most, Some(self.ring.inner.forever()))
    }

    /// [`read_chunk`](Self::read_chunk) without waiting.
    ///
    /// # Errors
    ///
    /// [`Empty`](PopError::Empty), and those of [`pop`](Self::pop).
    pub fn try_read_chunk(&mut self, most: usize) -> Result<ReadChunk<'_, T>, PopError> {
        self.chunk(most, None)
    }
}

impl<T: Shared> ReadChunk<'_, T> {
    /// How many messages these are.
    #[must_use]
    #[allow(clippy::len_without_is_empty)] // there is at least one, unless none was asked for
    pub fn len(&self) -> usize {
        self.count
    }

    /// The messages, in order: those up to the ring's end, and those from its start on.
    #[must_use]
    pub fn as_slices(&self) -> (&[T], &[T]) {
        let [(first, m), (second, n)] =
            self.consumer.ring.parts(self.consumer.at.index(), self.count);
        // SAFETY: slots within the ring, packed and aligned for T, whose bytes were found to be values
        // of T; the producer leaves them alone until they are committed.
        unsafe { (slice::from_raw_parts(first, m), slice::from_raw_parts(second, n)) }
    }

    /// Takes the first `count` of them, or all if there are fewer: their slots are free then.
    pub fn commit(self, count: usize) {
        let (consumer, count) = (self.consumer, count.min(self.count));
        std::mem::forget(self);
        if !consumer.is_mine() {
            return;
        }
        if count == 0 { consumer.give_up() } else { consumer.advance(count) }
    }

    /// Takes all of them.
    pub fn commit_all(self) {
        let count = self.count;
        self.commit(count);
    }
}

impl<T: Shared> Drop for ReadChunk<'_, T> {
    fn drop(&mut self) {
        if self.consumer.is_mine() {
            self.consumer.give_up();
        }
    }
}
