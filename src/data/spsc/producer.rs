//! The end of a ring that messages go into.

use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{Place, Spsc};
use crate::data::attempt::{self, Attempt, pushed, pushed_in_time};
use crate::error::{LockError, PushError};
use crate::layout::SpscEnd;
use crate::raw::bytes::Slot;
use crate::raw::deadline::Deadline;
use crate::raw::event_count::Notify;
use crate::raw::lock::Release;
use crate::seam::atomic::fence;
use crate::shared::Shared;
use crate::sync::wait_any::{Wait, Words, pass_on};

/// The end of an [`Spsc`] that messages go into: [`Spsc::producer`]. It belongs to the thread that
/// took it, and is free for another one when it is dropped.
///
/// For [`wait_any`](crate::wait_any) it is ready when a push would find room, or the queue closed.
pub struct Producer<T: Shared> {
    pub(super) ring: Spsc<T>,
    pub(super) at: Place,
    /// The last that was seen of `popped.position`.
    pub(super) seen: Cell<u64>,
    /// What deaths interrupted, as it is kept in `begun`.
    interrupted: u64,
    _thread: PhantomData<*mut ()>,
}

impl<T: Shared> fmt::Debug for Producer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Producer").field(&self.ring).finish()
    }
}

impl<T: Shared> Drop for Producer<T> {
    fn drop(&mut self) {
        // Without effect on a copy that a fork made.
        self.end().role.unlock(Release::Clean);
    }
}

impl<T: Shared> Producer<T> {
    /// With the role.
    pub(super) fn new(ring: Spsc<T>) -> Self {
        let position = ring.inner.pushed.position.load(Ordering::Relaxed);
        let interrupted = ring.inner.tail.interrupted();
        // Full, for all that is known: the head is looked at first.
        let seen = Cell::new(position.wrapping_sub(ring.capacity));
        let at = Place::new(position, ring.capacity);
        Self { ring, at, seen, interrupted, _thread: PhantomData }
    }

    #[inline]
    pub(super) fn end(&self) -> &SpscEnd {
        &self.ring.inner.tail
    }

    /// Whether this thread has the role: a copy that a fork made has not.
    #[inline]
    pub(super) fn is_mine(&self) -> bool {
        self.end().role.names_this_thread()
    }

    /// How many messages there is room for, as far as is known.
    #[inline]
    fn known_room(&self) -> u64 {
        self.ring.capacity - self.at.position().wrapping_sub(self.seen.get())
    }

    /// The same, after a look if that is less than `wanted`.
    pub(super) fn room(&self, wanted: usize) -> Result<Attempt<u64>, LockError> {
        if !self.is_mine() {
            return Err(LockError::WouldBlock);
        }
        if self.ring.is_over() {
            return Ok(Attempt::Closed);
        }
        if self.known_room() < (wanted as u64).clamp(1, self.ring.capacity) {
            // Acquire: pairs with the Release in `Consumer::advance`: what is free was read.
            let head = self.ring.inner.popped.position.load(Ordering::Acquire);
            self.ring.between(head, self.at.position())?;
            self.seen.set(head);
        }
        Ok(match self.known_room() {
            0 => Attempt::Unready,
            room => Attempt::Done(room),
        })
    }

    /// Before the first byte of a message is written.
    #[inline]
    pub(super) fn begin(&self) {
        self.end().begin(self.interrupted, self.at.position());
    }

    /// Where the one message that is published next is to be stored once more.
    #[inline]
    pub(super) fn newest(&self) -> Option<Slot<T>> {
        let newest = self.ring.newest(self.at.position())?;
        // Release: pairs with the Acquire fence in `Consumer::newest`: who reads what is written there
        // now sees that the position has moved on from the message whose copy it was.
        fence(Ordering::Release);
        Some(newest)
    }

    /// No message came of it.
    pub(super) fn give_up(&self) {
        self.end().forget(self.interrupted, self.at.position());
    }

    /// Publishes so many messages.
    #[inline]
    pub(super) fn advance(&self, count: usize) {
        let position = self.at.advance(count);
        // Release: pairs with the Acquire in `Consumer::refill`. This publishes them.
        self.ring.inner.pushed.position.store(position, Ordering::Release);
        self.ring.inner.not_empty.event.notify(Notify::One);
    }

    /// With room for it.
    #[inline]
    fn put(&self, message: &T) {
        let Some(slot) = self.ring.slots.get(self.at.index()) else { return };
        self.begin();
        slot.write(message);
        // Last, and side by side with the position: the other side takes the line in between less
        // often.
        if let Some(newest) = self.newest() {
            newest.write(message);
        }
        self.advance(1);
    }

    pub(super) fn attempt(&self, message: &T) -> Result<Attempt<()>, LockError> {
        Ok(match self.room(1)? {
            Attempt::Done(_) => {
                self.put(message);
                Attempt::Done(())
            }
            Attempt::Unready => Attempt::Unready,
            Attempt::Closed => Attempt::Closed,
        })
    }

    /// The case that is to be fast. False says nothing.
    #[inline(always)] // a result in memory costs as much as the push
    fn push_at_once(&self, message: &T) -> bool {
        let ready = self.known_room() > 0 && self.is_mine() && !self.ring.is_over();
        if ready {
            self.put(message);
        }
        ready
    }

    /// Whether an attempt after one that found no room is worthwhile.
    fn may_have_room(&self) -> bool {
        self.ring.inner.popped.position.load(Ordering::Relaxed) != self.seen.get()
            || self.ring.is_over()
    }

    /// Repeats an attempt until it is ready. None at the deadline.
    pub(super) fn settle<R>(
        &self,
        deadline: Deadline,
        attempt: impl Fn() -> Result<Attempt<R>, LockError>,
    ) -> Result<Attempt<R>, LockError> {
        let consumer = (&self.ring.inner.not_full.event, &self.ring.inner.head.role);
        attempt::settle(consumer, deadline, || self.may_have_room(), attempt)
    }

    /// Appends a message, sleeping while the queue is full.
    ///
    /// # Errors
    ///
    /// [`Closed`](PushError::Closed); [`Lock`](PushError::Lock) with
    /// [`Corrupt`](LockError::Corrupt), or with [`WouldBlock`](LockError::WouldBlock) in a process that
    /// was forked from the producer's. With the message.
    #[inline(always)] // as `push_at_once`
    pub fn push(&mut self, message: T) -> Result<(), PushError<T>> {
        if self.push_at_once(&message) {
            Ok(())
        } else {
            self.push_until(message, self.ring.inner.forever())
        }
    }

    /// Appends a message if there is room.
    ///
    /// # Errors
    ///
    /// [`Full`](PushError::Full), and those of [`push`](Self::push), with the message.
    #[inline(always)] // as `push_at_once`
    pub fn try_push(&mut self, message: T) -> Result<(), PushError<T>> {
        if self.push_at_once(&message) { Ok(()) } else { self.try_push_slowly(message) }
    }

    #[cold]
    fn try_push_slowly(&self, message: T) -> Result<(), PushError<T>> {
        pushed(self.attempt(&message), message)
    }

    /// Appends a message, sleeping for at most `timeout` while the queue is full.
    ///
    /// # Errors
    ///
    /// [`TimedOut`](PushError::TimedOut), never before the time is up, and those of
    /// [`push`](Self::push), with the message.
    pub fn push_timeout(&mut self, message: T, timeout: Duration) -> Result<(), PushError<T>> {
        self.push_until(message, self.ring.inner.within(timeout))
    }

    #[inline(never)]
    fn push_until(&self, message: T, deadline: Deadline) -> Result<(), PushError<T>> {
        pushed_in_time(self.settle(deadline, || self.attempt(&message)), message)
    }

    /// Appends as many of the messages as there is room for, at least one, and publishes them
    /// together. How many they were.
    fn append(&self, messages: &[T]) -> Result<Attempt<usize>, LockError> {
        let room = match self.room(messages.len())? {
            Attempt::Done(room) => room as usize, // at most the capacity, which is a usize
            Attempt::Unready => return Ok(Attempt::Unready),
            Attempt::Closed => return Ok(Attempt::Closed),
        };
        let count = room.min(messages.len());
        match &messages[..count] {
            [] => {}
            [message] => self.put(message),
            several => {
                self.begin();
                let mut messages = several.iter();
                self.ring.slots.ring(self.at.index(), count).for_each(|slot| {
                    if let Some(message) = messages.next() {
                        slot.write(message);
                    }
                });
                self.advance(count);
            }
        }
        Ok(Attempt::Done(count))
    }

    /// Appends as many of the messages as there is room for, in one go: the consumer sees all of them
    /// or none. Returns how many.
    ///
    /// # Errors
    ///
    /// [`Full`](PushError::Full): there is room for none; and those of [`push`](Self::push).
    pub fn try_push_slice(&mut self, messages: &[T]) -> Result<usize, PushError<()>> {
        if messages.is_empty() {
            return Ok(0);
        }
        pushed(self.append(messages), ())
    }

    /// Appends all messages, sleeping while the queue is full. Each part for which there is room is
    /// published in one go.
    ///
    /// # Errors
    ///
    /// Those of [`push`](Self::push), with how many of them were appended.
    pub fn push_slice(&mut self, messages: &[T]) -> Result<(), PushError<usize>> {
        self.push_slice_until(messages, self.ring.inner.forever())
    }

    /// [`push_slice`](Self::push_slice), for at most `timeout` in all.
    ///
    /// # Errors
    ///
    /// [`TimedOut`](PushError::TimedOut), never before the time is up, and those of
    /// [`push`](Self::push), with how many of them were appended.
    pub fn push_slice_timeout(
        &mut self,
        messages: &[T],
        timeout: Duration,
    ) -> Result<(), PushError<usize>> {
        self.push_slice_until(messages, self.ring.inner.within(timeout))
    }

    fn push_slice_until(&self, messages: &[T], deadline: Deadline) -> Result<(), PushError<usize>> {
        let mut done = 0;
        while done < messages.len() {
            let settled = self.settle(deadline, || self.append(&messages[done..]));
            done += pushed_in_time(settled, done)?;
        }
        Ok(())
    }

    /// Closes the queue: nothing more can be pushed, and the consumer gets what is left and then
    /// [`PopError::Closed`](crate::PopError::Closed). Final, and without effect on a closed queue.
    ///
    /// # Crash behaviour
    ///
    /// Closed or not.
    pub fn close(&mut self) {
        if self.is_mine() {
            self.ring.shut();
        }
    }

    /// The queue that this is an end of.
    #[must_use]
    pub fn ring(&self) -> &Spsc<T> {
        &self.ring
    }
}

#[allow(private_interfaces)] // sealed
impl<T: Shared> Wait for Producer<T> {
    fn words(&self) -> usize {
        2
    }

    fn is_ready(&self) -> Result<bool, LockError> {
        Ok(!matches!(self.room(1)?, Attempt::Unready))
    }

    fn announce<'a>(&'a self, words: &mut Words<'a>) -> Result<(), LockError> {
        words.event(&self.ring.inner.not_full.event);
        words.beside(&self.ring.inner.head.role);
        Ok(())
    }

    fn woken(&self) {
        pass_on(&self.ring.inner.not_full.event, self.may_have_room());
    }
}
