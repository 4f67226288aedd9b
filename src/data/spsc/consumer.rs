//! The end of a ring that messages come out of.

use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{Place, Spsc};
use crate::data::attempt::{self, Attempt, popped, popped_in_time};
use crate::error::{LockError, PopError};
use crate::layout::SpscEnd;
use crate::raw::deadline::Deadline;
use crate::raw::event_count::Notify;
use crate::raw::lock::Release;
use crate::seam::atomic::fence;
use crate::shared::Shared;
use crate::sync::wait_any::{Wait, Words, pass_on};

/// The end of an [`Spsc`] that messages come out of: [`Spsc::consumer`]. It belongs to the thread that
/// took it, and is free for another one when it is dropped.
///
/// For [`wait_any`](crate::wait_any) it is ready when there is a message, or the queue is closed.
pub struct Consumer<T: Shared> {
    pub(super) ring: Spsc<T>,
    pub(super) at: Place,
    /// The last that was seen of `pushed.position`.
    seen: Cell<u64>,
    /// What deaths interrupted, as it is kept in `begun`.
    interrupted: u64,
    _thread: PhantomData<*mut ()>,
}

impl<T: Shared> fmt::Debug for Consumer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Consumer").field(&self.ring).finish()
    }
}

impl<T: Shared> Drop for Consumer<T> {
    fn drop(&mut self) {
        // Without effect on a copy that a fork made.
        self.end().role.unlock(Release::Clean);
    }
}

/// What a quick look comes to.
enum AtOnce<T> {
    Message(T),
    /// Empty, and not closed.
    Empty,
    Unclear,
}

/// Bytes that are no message. They are taken, or they would block the queue for ever.
const INVALID: LockError = LockError::Corrupt { what: "a message" };

impl<T: Shared> Consumer<T> {
    /// With the role.
    pub(super) fn new(ring: Spsc<T>) -> Self {
        let position = ring.inner.popped.position.load(Ordering::Relaxed);
        let interrupted = ring.inner.head.interrupted();
        // Acquire: pairs with the Release in `Producer::advance`: what is there was written. The
        // position of the one before this may lie among messages that were published together.
        let tail = ring.inner.pushed.position.load(Ordering::Acquire);
        let seen = Cell::new(ring.between(position, tail).map_or(position, |_| tail));
        let at = Place::new(position, ring.capacity);
        Self { ring, at, seen, interrupted, _thread: PhantomData }
    }

    #[inline]
    pub(super) fn end(&self) -> &SpscEnd {
        &self.ring.inner.head
    }

    /// Whether this thread has the role: a copy that a fork made has not.
    #[inline]
    pub(super) fn is_mine(&self) -> bool {
        self.end().role.names_this_thread()
    }

    /// How many messages there are, as far as is known.
    #[inline]
    fn known(&self) -> u64 {
        self.seen.get().wrapping_sub(self.at.position())
    }

    /// The same, after a look if they are fewer than `wanted`.
    pub(super) fn refill(&self, wanted: usize) -> Result<Attempt<u64>, LockError> {
        if !self.is_mine() {
            return Err(LockError::WouldBlock);
        }
        if self.known() < (wanted as u64).clamp(1, self.ring.capacity) {
            // Before the position: what was pushed before the close is there then.
            // Acquire: pairs with the Release in `Spsc::shut`.
            let closed = self.ring.inner.closed.load(Ordering::Acquire) != 0;
            // Acquire: pairs with the Release in `Producer::advance`: what is there was written.
            let tail = self.ring.inner.pushed.position.load(Ordering::Acquire);
            match self.ring.between(self.at.position(), tail)? {
                0 if closed => return Ok(Attempt::Closed),
                0 => return Ok(Attempt::Unready),
                _ => self.seen.set(tail),
            }
        }
        Ok(Attempt::Done(self.known()))
    }

    /// Before the first message is read.
    #[inline]
    pub(super) fn begin(&self) {
        self.end().begin(self.interrupted, self.at.position());
    }

    /// None was taken.
    pub(super) fn give_up(&self) {
        self.end().forget(self.interrupted, self.at.position());
    }

    /// Takes so many messages.
    #[inline]
    pub(super) fn advance(&self, count: usize) {
        let position = self.at.advance(count);
        // Release: pairs with the Acquire in `Producer::room`. This takes them.
        self.ring.inner.popped.position.store(position, Ordering::Release);
        self.ring.inner.not_full.event.notify(Notify::One);
    }

    /// The one message that there is, from beside the producer's position, if it is still there.
    #[inline]
    fn newest(&self) -> Option<T> {
        let message = self.ring.newest(self.at.position())?.read();
        // Acquire: pairs with the Release fence in `Producer::newest`.
        fence(Ordering::Acquire);
        let tail = self.ring.inner.pushed.position.load(Ordering::Relaxed);
        if tail == self.seen.get() { message.check() } else { None }
    }

    /// With a message there. None, and it is not taken, if its bytes are none. `fresh` if all that was
    /// known before was taken.
    #[inline]
    fn take(&self, fresh: bool) -> Option<T> {
        self.begin();
        let newest = if fresh && self.known() == 1 { self.newest() } else { None };
        let message = match newest {
            Some(message) => message,
            None => self.ring.slots.get(self.at.index())?.read().check()?,
        };
        self.advance(1);
        Some(message)
    }

    #[inline]
    pub(super) fn attempt(&self) -> Result<Attempt<T>, LockError> {
        let fresh = self.known() == 0;
        match self.refill(1)? {
            Attempt::Done(_) => match self.take(fresh) {
                Some(message) => Ok(Attempt::Done(message)),
                None => {
                    self.advance(1);
                    Err(INVALID)
                }
            },
            Attempt::Unready => Ok(Attempt::Unready),
            Attempt::Closed => Ok(Attempt::Closed),
        }
    }

    /// Whether an attempt after one that found nothing is worthwhile.
    #[inline]
    fn may_have_message(&self) -> bool {
        self.ring.inner.pushed.position.load(Ordering::Relaxed) != self.at.position()
            || self.ring.is_over()
    }

    /// Repeats an attempt until it is ready. None at the deadline.
    pub(super) fn settle<R>(
        &self,
        deadline: Deadline,
        attempt: impl Fn() -> Result<Attempt<R>, LockError>,
    ) -> Result<Attempt<R>, LockError> {
        let producer = (&self.ring.inner.not_empty.event, &self.ring.inner.tail.role);
        attempt::settle(producer, deadline, || self.may_have_message(), attempt)
    }

    /// The cases that are to be fast.
    #[inline(always)] // a result in memory costs as much as the pop
    fn pop_at_once(&self) -> AtOnce<T> {
        if !self.is_mine() {
            return AtOnce::Unclear;
        }
        let fresh = self.known() == 0;
        if fresh {
            // Acquire: as in `refill`.
            let tail = self.ring.inner.pushed.position.load(Ordering::Acquire);
            let count = tail.wrapping_sub(self.at.position());
            if count == 0 && !self.ring.is_over() {
                return AtOnce::Empty;
            }
            if count == 0 || count > self.ring.capacity {
                return AtOnce::Unclear;
            }
            self.seen.set(tail);
        }
        match self.take(fresh) {
            Some(message) => AtOnce::Message(message),
            None => AtOnce::Unclear,
        }
    }

    /// Takes the oldest message, sleeping while the queue is empty.
    ///
    /// # Errors
    ///
    /// [`Closed`](PopError::Closed) once the queue is closed and empty; [`Lock`](PopError::Lock) with
    /// [`Corrupt`](LockError::Corrupt), or with [`WouldBlock`](LockError::WouldBlock) in a process that
    /// was forked from the consumer's.
    #[inline(always)] // as `pop_at_once`
    pub fn pop(&mut self) -> Result<T, PopError> {
        match self.pop_at_once() {
            AtOnce::Message(message) => Ok(message),
            _ => self.pop_until(self.ring.inner.forever()),
        }
    }

    /// Takes the oldest message if there is one.
    ///
    /// # Errors
    ///
    /// [`Empty`](PopError::Empty), and those of [`pop`](Self::pop).
    #[inline(always)] // as `pop_at_once`
    pub fn try_pop(&mut self) -> Result<T, PopError> {
        match self.pop_at_once() {
            AtOnce::Message(message) => Ok(message),
            AtOnce::Empty => Err(PopError::Empty),
            AtOnce::Unclear => self.try_pop_slowly(),
        }
    }

    #[inline(never)]
    fn try_pop_slowly(&self) -> Result<T, PopError> {
        popped(self.attempt())
    }

    /// Takes the oldest message, sleeping for at most `timeout` while the queue is empty.
    ///
    /// # Errors
    ///
    /// [`TimedOut`](PopError::TimedOut), never before the time is up, and those of
    /// [`pop`](Self::pop).
    pub fn pop_timeout(&mut self, timeout: Duration) -> Result<T, PopError> {
        self.pop_until(self.ring.inner.within(timeout))
    }

    #[inline(never)]
    fn pop_until(&self, deadline: Deadline) -> Result<T, PopError> {
        popped_in_time(self.settle(deadline, || self.attempt()))
    }

    /// Takes as many messages as there are and have room, at least one. How many they were.
    fn take_some(&self, room: &Cell<&mut [T]>) -> Result<Attempt<usize>, LockError> {
        let target = room.take();
        let wanted = target.len();
        room.set(target);
        let ready = match self.refill(wanted)? {
            Attempt::Done(ready) => ready as usize, // at most the capacity, which is a usize
            Attempt::Unready => return Ok(Attempt::Unready),
            Attempt::Closed => return Ok(Attempt::Closed),
        };
        let target = room.take();
        self.begin();
        let mut places = target.iter_mut();
        let mut count = 0;
        let _stopped =
            self.ring.slots.ring(self.at.index(), ready.min(wanted)).try_for_each(|slot| {
                *places.next()? = slot.read().check()?;
                count += 1;
                Some(())
            });
        // Bytes that are no message are passed over once they are the first.
        self.advance(count.max(1));
        if count == 0 { Err(INVALID) } else { Ok(Attempt::Done(count)) }
    }

    /// Takes as many messages as there are and `messages` has room for, in order. Returns how many;
    /// 0 only for an empty slice.
    ///
    /// # Errors
    ///
    /// [`Empty`](PopError::Empty), and those of [`pop`](Self::pop).
    pub fn try_pop_slice(&mut self, messages: &mut [T]) -> Result<usize, PopError> {
        if messages.is_empty() {
            return Ok(0);
        }
        popped(self.take_some(&Cell::new(messages)))
    }

    /// [`try_pop_slice`](Self::try_pop_slice), sleeping until there is at least one message.
    ///
    /// # Errors
    ///
    /// Those of [`pop`](Self::pop).
    pub fn pop_slice(&mut self, messages: &mut [T]) -> Result<usize, PopError> {
        self.pop_slice_until(messages, self.ring.inner.forever())
    }

    /// [`pop_slice`](Self::pop_slice), sleeping for at most `timeout`.
    ///
    /// # Errors
    ///
    /// [`TimedOut`](PopError::TimedOut), never before the time is up, and those of
    /// [`pop`](Self::pop).
    pub fn pop_slice_timeout(
        &mut self,
        messages: &mut [T],
        timeout: Duration,
    ) -> Result<usize, PopError> {
        self.pop_slice_until(messages, self.ring.inner.within(timeout))
    }

    fn pop_slice_until(&self, messages: &mut [T], deadline: Deadline) -> Result<usize, PopError> {
        if messages.is_empty() {
            return Ok(0);
        }
        let room = Cell::new(messages);
        popped_in_time(self.settle(deadline, || self.take_some(&room)))
    }

    /// Closes the queue from this side: the producer can push nothing more, and what is left, with
    /// what is being pushed at this moment, can still be taken. Final.
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
impl<T: Shared> Wait for Consumer<T> {
    fn words(&self) -> usize {
        2
    }

    fn is_ready(&self) -> Result<bool, LockError> {
        Ok(!matches!(self.refill(1)?, Attempt::Unready))
    }

    fn announce<'a>(&'a self, words: &mut Words<'a>) -> Result<(), LockError> {
        words.event(&self.ring.inner.not_empty.event);
        words.beside(&self.ring.inner.tail.role);
        Ok(())
    }

    fn woken(&self) {
        pass_on(&self.ring.inner.not_empty.event, self.may_have_message());
    }
}
