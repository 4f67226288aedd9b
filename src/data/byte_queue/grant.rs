//! Messages in: room in the ring that is written in place, and pushes, which copy into it.
#![allow(unsafe_code)] // slices of room that only the lock's holder uses

use std::fmt;
use std::marker::PhantomData;
use std::mem;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::ByteQueue;
use super::end::Position;
use super::frame::{self, Place};
use crate::data::attempt::{Attempt, settle};
use crate::error::{BytePushError, LockError};
use crate::layout;
use crate::raw::bytes::Run;
use crate::raw::deadline::Deadline;
use crate::raw::event_count::Notify;
use crate::raw::lock::{Acquired, Release};

/// Room for a message in a [`ByteQueue`], to be written in place: [`ByteQueue::grant`]. Dropped
/// without [`commit`](Self::commit), nothing was pushed.
///
/// It starts at a multiple of 8 bytes, and what it holds is left from earlier messages. Whoever has it
/// has the producers' lock: others that push wait until it is committed or dropped.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::io::Read;
///
/// let queue = outlive::Segment::anonymous()?.byte_queue("blocks", 1 << 16)?;
/// let mut source = &b"as much as there is"[..];
/// // Room for the most that may come; the rest is given back.
/// let mut grant = queue.grant(4096)?;
/// let length = source.read(&mut grant)?;
/// grant.commit_part(length);
/// assert_eq!(queue.pop()?, b"as much as there is");
/// # Ok(())
/// # }
/// ```
///
/// The slice is a reference into shared memory. A process that writes there nevertheless, against the
/// queue's protocol, is undefined behaviour in this one; [`ByteQueue::push`] copies once.
///
/// # Crash behaviour
///
/// A thread that dies or panics with it has pushed nothing. A death is counted in
/// [`stats`](ByteQueue::stats).
#[must_use = "nothing is pushed without commit"]
pub struct Grant<'a> {
    queue: &'a ByteQueue,
    position: Position,
    place: Place,
    run: Run,
    length: usize,
    _thread: PhantomData<*mut ()>,
}

impl fmt::Debug for Grant<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grant").field("len", &self.length).finish_non_exhaustive()
    }
}

/// Positions that are further apart than the ring is long.
const CONTRADICTORY: LockError = LockError::Corrupt { what: "the positions of a byte queue" };

impl ByteQueue {
    /// With the tail's lock held by this thread, from a dead producer.
    #[cold]
    pub(super) fn recover_tail(queue: &layout::ByteQueue) {
        // The dead one may not have come to it.
        queue.not_empty.event.notify(Notify::All);
        queue.tail.recover();
    }

    /// With the tail's lock held: where a frame of that size goes, if there is room for it.
    #[inline]
    fn place(
        &self,
        queue: &layout::ByteQueue,
        size: u64,
    ) -> Result<Attempt<(Position, Place)>, LockError> {
        if queue.closed.load(Ordering::Relaxed) != 0 {
            return Ok(Attempt::Closed);
        }
        let position = queue.tail.at(Ordering::Relaxed);
        let place = self.ring.place(position.bytes(), size);
        let room = |head: Position| {
            self.ring.capacity().checked_sub(head.up_to(position)).map(|room| {
                if place.total(size) <= room {
                    Attempt::Done((position, place))
                } else {
                    Attempt::Unready
                }
            })
        };
        let limit = &queue.tail.limit;
        let seen = Position::new(limit.load(Ordering::Relaxed));
        if let Some(done @ Attempt::Done(_)) = room(seen) {
            return Ok(done);
        }
        // Acquire: pairs with the Release in `advance`: what is free was read.
        let head = queue.head.position.load(Ordering::Acquire);
        limit.store(head, Ordering::Relaxed);
        room(Position::new(head)).ok_or(CONTRADICTORY)
    }

    /// Whether there is, or an attempt fails for another reason. Without a lock.
    pub(super) fn has_room(&self, size: u64) -> bool {
        let head = self.inner.head.at(Ordering::Relaxed);
        let tail = self.inner.tail.at(Ordering::Relaxed);
        let needed = self.ring.place(tail.bytes(), size).total(size);
        let room = self.ring.capacity().checked_sub(head.up_to(tail));
        room.is_none_or(|room| needed <= room) || self.is_closed()
    }

    /// The case that is to be fast: room, and no other producer. False says nothing.
    #[inline]
    pub(in crate::data) fn push_at_once(&self, message: &[u8]) -> bool {
        let Ok(queue) = self.inner.writable() else { return false };
        if message.len() > self.max_message() || !queue.tail.lock.take_at_once() {
            return false;
        }
        let size = frame::size(message.len() as u64);
        let done = match self.place(queue, size) {
            Ok(Attempt::Done((position, place))) => match self.ring.room(place, message.len()) {
                Some(run) => {
                    queue.tail.start();
                    run.write(message);
                    self.publish(queue, (position, place), message.len());
                    true
                }
                None => false,
            },
            _ => false,
        };
        queue.tail.lock.unlock(Release::Clean);
        done
    }

    /// With the tail's lock held: pushes what is in the first so many bytes of a place.
    #[inline]
    fn publish(
        &self,
        queue: &layout::ByteQueue,
        (position, place): (Position, Place),
        length: usize,
    ) {
        self.ring.fill(position.bytes(), place, length);
        // This publishes the message.
        queue.tail.advance(position.after(place.total(frame::size(length as u64))));
        queue.not_empty.event.notify(Notify::One);
    }

    #[inline]
    pub(in crate::data) fn attempt_grant(
        &self,
        length: usize,
        deadline: Option<Deadline>,
    ) -> Result<Attempt<Grant<'_>>, LockError> {
        let queue = self.inner.writable()?;
        if self.acquire(&queue.tail.lock, deadline)? == Acquired::OwnerDied {
            Self::recover_tail(queue);
        }
        let placed = match self.place(queue, frame::size(length as u64)) {
            Ok(Attempt::Done((position, place))) => match self.ring.room(place, length) {
                Some(run) => {
                    queue.tail.start();
                    let _thread = PhantomData;
                    let grant = Grant { queue: self, position, place, run, length, _thread };
                    return Ok(Attempt::Done(grant));
                }
                None => Ok(Attempt::Unready),
            },
            Ok(Attempt::Closed) => Ok(Attempt::Closed),
            Ok(Attempt::Unready) => Ok(Attempt::Unready),
            Err(error) => Err(error),
        };
        queue.tail.lock.unlock(Release::Clean);
        placed
    }

    #[inline]
    pub(super) fn check_length(&self, length: usize) -> Result<(), BytePushError> {
        let largest = self.max_message();
        if length <= largest { Ok(()) } else { Err(BytePushError::TooLong { length, largest }) }
    }

    #[inline]
    fn grant_at_once(&self, length: usize) -> Result<Grant<'_>, BytePushError> {
        self.check_length(length)?;
        match self.attempt_grant(length, None)? {
            Attempt::Done(grant) => Ok(grant),
            Attempt::Unready => Err(BytePushError::Full),
            Attempt::Closed => Err(BytePushError::Closed),
        }
    }

    #[inline]
    fn grant_until(&self, length: usize, deadline: Deadline) -> Result<Grant<'_>, BytePushError> {
        self.check_length(length)?;
        let consumers = (&self.inner.not_full.event, &self.inner.head.lock);
        let worthwhile = || self.has_room(frame::size(length as u64));
        let attempt = || self.attempt_grant(length, Some(deadline));
        match settle(consumers, deadline, worthwhile, attempt) {
            Ok(Attempt::Done(grant)) => Ok(grant),
            Ok(Attempt::Closed) => Err(BytePushError::Closed),
            Ok(Attempt::Unready) | Err(LockError::TimedOut { .. }) => Err(BytePushError::TimedOut),
            Err(error) => Err(error.into()),
        }
    }

    /// Appends a message, sleeping while there is too little room.
    ///
    /// # Errors
    ///
    /// [`TooLong`](BytePushError::TooLong): it can never be pushed;
    /// [`Closed`](BytePushError::Closed); [`Lock`](BytePushError::Lock), with
    /// [`Deadlock`](LockError::Deadlock) if this thread has a [`Grant`].
    pub fn push(&self, message: &[u8]) -> Result<(), BytePushError> {
        if self.push_at_once(message) {
            Ok(())
        } else {
            self.push_until(message, self.inner.forever())
        }
    }

    #[cold]
    fn push_until(&self, message: &[u8], deadline: Deadline) -> Result<(), BytePushError> {
        self.grant_until(message.len(), deadline).map(|grant| grant.push(message))
    }

    /// Appends a message if there is room. Consumers are not waited for, and other producers for at
    /// most a millisecond: at work they take microseconds, or are dead.
    ///
    /// # Errors
    ///
    /// [`Full`](BytePushError::Full); [`Lock`](BytePushError::Lock) with
    /// [`WouldBlock`](LockError::WouldBlock) while another producer has a [`Grant`] or is stopped; and
    /// those of [`push`](Self::push).
    pub fn try_push(&self, message: &[u8]) -> Result<(), BytePushError> {
        if self.push_at_once(message) { Ok(()) } else { self.try_push_slowly(message) }
    }

    #[cold]
    fn try_push_slowly(&self, message: &[u8]) -> Result<(), BytePushError> {
        self.grant_at_once(message.len()).map(|grant| grant.push(message))
    }

    /// Appends a message, sleeping for at most `timeout` while there is too little room.
    ///
    /// # Errors
    ///
    /// [`TimedOut`](BytePushError::TimedOut), never before the time is up, and those of
    /// [`push`](Self::push).
    pub fn push_timeout(&self, message: &[u8], timeout: Duration) -> Result<(), BytePushError> {
        self.push_until(message, self.inner.within(timeout))
    }

    /// Room for a message of `length` bytes, to be written in place; sleeps while there is too little.
    /// Other producers wait until it is committed or dropped.
    ///
    /// # Errors
    ///
    /// Those of [`push`](Self::push).
    pub fn grant(&self, length: usize) -> Result<Grant<'_>, BytePushError> {
        self.grant_until(length, self.inner.forever())
    }

    /// [`grant`](Self::grant), if there is room.
    ///
    /// # Errors
    ///
    /// Those of [`try_push`](Self::try_push).
    pub fn try_grant(&self, length: usize) -> Result<Grant<'_>, BytePushError> {
        self.grant_at_once(length)
    }

    /// [`grant`](Self::grant), sleeping for at most `timeout`.
    ///
    /// # Errors
    ///
    /// Those of [`push_timeout`](Self::push_timeout).
    pub fn grant_timeout(
        &self,
        length: usize,
        timeout: Duration,
    ) -> Result<Grant<'_>, BytePushError> {
        self.grant_until(length, self.inner.within(timeout))
    }
}

impl Grant<'_> {
    #[inline]
    fn node(&self) -> &layout::ByteQueue {
        &self.queue.inner
    }

    /// Copies a message to where it belongs, and pushes it.
    pub(in crate::data) fn push(self, message: &[u8]) {
        self.run.write(message);
        self.publish(message.len());
    }

    /// Pushes what is in the first so many bytes.
    fn publish(self, length: usize) {
        let queue = self.node();
        self.queue.publish(queue, (self.position, self.place), length);
        queue.tail.lock.unlock(Release::Clean);
        mem::forget(self);
    }

    /// Pushes the message.
    pub fn commit(self) {
        let length = self.length;
        self.commit_part(length);
    }

    /// Pushes the first `length` bytes as the message, or all if there are fewer; the rest of the room
    /// is given back. None make an empty message.
    pub fn commit_part(self, length: usize) {
        // Not through a copy that a fork made.
        if self.node().tail.lock.names_this_thread() {
            let length = length.min(self.length);
            self.publish(length);
        }
    }
}

impl Deref for Grant<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: free room within the ring, which the tail's lock keeps to this guard and the handle
        // that it borrows keeps mapped. Any bytes are valid.
        unsafe { self.run.pointer().as_ref() }
    }
}

impl DerefMut for Grant<'_> {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above, and only one guard exists while the lock is held.
        unsafe { self.run.pointer().as_mut() }
    }
}

impl Drop for Grant<'_> {
    fn drop(&mut self) {
        let tail = &self.node().tail;
        // Not through a copy that a fork made.
        if tail.lock.names_this_thread() {
            tail.stop();
            tail.lock.unlock(Release::Clean);
        }
    }
}
