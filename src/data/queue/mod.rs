//! `Queue<T>`: a bounded ring, many producers and many consumers.
//!
//! # Words
//!
//! Positions count messages from 0 on and never wrap; position `p` uses cell `p % capacity`. Each
//! cell has a `stamp` and room for a message; the stamp `p + 1` says that it holds the message of
//! position `p`, any other stamp that it does not (yet).
//!
//! Producers exclude one another by the tail's lock, consumers by the head's. Under its lock
//!
//! * a producer writes the message into the cell of `tail.position` and stores its stamp (Release):
//!   that publishes the message. Then it moves `tail.position` on, which is nothing but a note of
//!   where to go on: the stamps are the truth.
//! * a consumer looks at the stamp of `head.position` (Acquire), copies the message out, and moves
//!   `head.position` on (Release): that takes the message and frees the cell.
//!
//! A producer may use a cell once `head.position` is less than `capacity` behind. `tail.limit` keeps
//! the `head.position` that producers saw last, which can only be too low; they look again when it
//! says that the queue is full.
//!
//! So a message crosses from core to core with the one cache line that holds it; nothing else that
//! either side writes is read by the other, except when the queue is full.
//!
//! # What a death leaves behind
//!
//! The lock's next holder finds out from `position`:
//!
//! * a producer before it published: the stamp is not that of `tail.position`; what it wrote is not
//!   part of the queue.
//! * after that, before `tail.position` moved on: the stamp is that of `tail.position`; the next one
//!   moves it on. It wakes the consumers in either case, as the dead one may not have come to it.
//! * a consumer before it took the message: `head.position` still leads to it, and the next one gets
//!   it.
//! * after that: nothing is left to do, but the producers are woken again.
//!
//! Where a dead consumer's message is to go with it ([`OnDeath::Drop`]), the next one that holds the
//! head's lock moves `head.position` on over a message that was being worked on. Before that it notes
//! this in `head.limit`, and counts it, which forgets what was being worked on: so a death in between
//! neither counts twice nor redelivers.
//!
//! `interrupted` is for statistics: the low half names the position that is being worked on (plus
//! one), the high half counts those that a death interrupted; one store changes both.
//!
//! Either side wakes the other before it releases its lock, and who sleeps, sleeps on that lock's word
//! as well: so a death between publishing and waking wakes by itself.

#[cfg(feature = "async")]
mod future;
mod iter;
mod waitable;
mod with;

use std::fmt;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::data::attempt::{Attempt, popped, popped_in_time, pushed, pushed_in_time, settle};
use crate::data::cells::{Cells, filled};
use crate::error::{LockError, ObjectError, PopError, PushError};
use crate::layout;
use crate::raw::deadline::Deadline;
use crate::raw::event_count::Notify;
use crate::raw::lock::{Acquired, Release};
use crate::raw::waiting::waits;
use crate::seam::looks;
use crate::segment::Segment;
use crate::segment::object::{Mechanics, Misfit, ObjectKind};
use crate::segment::region::{Extent, Located};
use crate::shared::Shared;

pub use iter::{Drain, Iter};
pub use waitable::{Readable, Writable};

/// A bounded first-in, first-out queue between any number of producers and consumers. Opened by
/// name: [`Segment::queue`](crate::Segment::queue).
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use outlive::{PopError, Segment};
///
/// let jobs = Segment::anonymous()?.queue::<u64>("jobs", 100)?;
/// jobs.push(7)?;
/// jobs.push(8)?;
/// jobs.close()?;
/// assert_eq!(jobs.iter().collect::<Result<Vec<_>, _>>()?, [7, 8]);
/// assert_eq!(jobs.pop(), Err(PopError::Closed));
/// # Ok(())
/// # }
/// ```
///
/// Messages of one producer arrive in the order in which it pushed them. Waiting sleeps in the
/// kernel after a short spin.
///
/// # Crash behaviour
///
/// A pushed message stays, exactly once, in order. A producer killed while it writes a message drops
/// it whole: it is as if it had not pushed. A consumer killed before it has taken a message leaves
/// it to the next one; once it has taken it, the message is its own and goes with it. (With
/// [`OnDeath::Drop`], it goes with it from the moment on at which the consumer began to take it.) Both
/// are counted: [`stats`](Self::stats). Neither keeps anybody waiting: the kernel hands the dead one's
/// place on at once.
///
/// # Memory ordering
///
/// What was written before a push is seen after the pop of that message.
pub struct Queue<T> {
    inner: Located<layout::Queue>,
    cells: Cells<T>,
    on_death: OnDeath,
}

impl<T> Clone for Queue<T> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), ..*self }
    }
}

impl<T> fmt::Debug for Queue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue")
            .field("place", &self.inner)
            .field("capacity", &self.cells.capacity())
            .field("length", &self.length())
            .finish_non_exhaustive()
    }
}

/// What becomes of a message of a [`Queue`] whose consumer died while it took it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(u64)]
pub enum OnDeath {
    /// The next consumer gets it. The dead one may have read it, but has not returned from its call:
    /// nobody has acted on it.
    #[default]
    Redeliver = 0,
    /// Nobody gets it: it goes with the consumer, as one does whose consumer died just after its call
    /// returned. Until the next consumer comes, the queue's length counts it.
    Drop = 1,
}

/// What deaths interrupted in a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueStats {
    /// Messages that were dropped whole: their producer died before they were complete or, with
    /// [`OnDeath::Drop`], their consumer before it had taken them.
    pub dropped: u32,
    /// Messages whose consumer died before it had taken them: given to the next one.
    pub redelivered: u32,
}

impl<T> Queue<T> {
    /// How many messages there were at one moment during the call.
    fn length(&self) -> u64 {
        /// Against consumers that are faster than this: then it is what was seen last.
        const ATTEMPTS: usize = looks(100);
        let mut length = 0;
        // Acquire: the loads in the order in which they stand here.
        let mut head = self.inner.head.position.load(Ordering::Acquire);
        for _ in 0..ATTEMPTS {
            let mut tail = self.inner.tail.position.load(Ordering::Acquire);
            // A producer that has published, and has not moved on yet, or died before it could.
            if self.cells.is_filled(tail, Ordering::Acquire) {
                tail = tail.wrapping_add(1);
            }
            length = tail.saturating_sub(head).min(self.cells.capacity());
            let now = self.inner.head.position.load(Ordering::Acquire);
            if now == head {
                break;
            }
            head = now;
        }
        length
    }
}

#[cfg(loom)]
impl<T> Queue<T> {
    /// Where messages lie, which are read and written under the locks only.
    pub(crate) fn memory(&self) -> impl Iterator<Item = core::ops::Range<usize>> {
        self.cells.memory()
    }
}

impl<T: Shared> Queue<T> {
    // ---- producers

    /// With the tail's lock held by this thread, from a dead producer.
    #[cold]
    fn recover_tail(&self, queue: &layout::Queue) {
        let position = queue.tail.position.load(Ordering::Relaxed);
        // Relaxed: what the dead one stored came before the kernel's mark.
        if self.cells.is_filled(position, Ordering::Relaxed) {
            queue.tail.advance(position);
        } else {
            queue.tail.count_interrupted(position);
        }
        // The dead one may not have come to it.
        queue.not_empty.event.notify(Notify::All);
        queue.tail.lock.mark_consistent();
    }

    /// With the tail's lock held.
    #[inline]
    fn put(&self, queue: &layout::Queue, message: &T) -> Attempt<()> {
        if queue.closed.load(Ordering::Relaxed) != 0 {
            return Attempt::Closed;
        }
        let position = queue.tail.position.load(Ordering::Relaxed);
        if !self.is_free(queue, position) {
            return Attempt::Unready;
        }
        let Some((stamp, slot)) = self.cells.cell(position) else { return Attempt::Unready };
        queue.tail.begin(position);
        slot.write(message);
        // Release: pairs with the Acquire in `take_message`. This store publishes the message.
        stamp.store(filled(position), Ordering::Release);
        queue.tail.advance(position);
        Attempt::Done(())
    }

    /// With the tail's lock held: whether the message that was in a position's cell has been taken.
    #[inline]
    fn is_free(&self, queue: &layout::Queue, position: u64) -> bool {
        let limit = &queue.tail.limit;
        if position.wrapping_sub(limit.load(Ordering::Relaxed)) < self.cells.capacity() {
            return true;
        }
        // Acquire: pairs with the Release in `advance`.
        let head = queue.head.position.load(Ordering::Acquire);
        limit.store(head, Ordering::Relaxed);
        position.wrapping_sub(head) < self.cells.capacity()
    }

    /// The case that is to be fast: room, and no other producer. False says nothing.
    #[inline(always)] // a result in memory costs as much as the lock
    fn push_at_once(&self, message: &T) -> bool {
        let Ok(queue) = self.inner.writable() else { return false };
        if !queue.tail.lock.take_at_once() {
            return false;
        }
        let done = matches!(self.put(queue, message), Attempt::Done(()));
        if done {
            queue.not_empty.event.notify(Notify::One);
        }
        queue.tail.lock.unlock(Release::Clean);
        done
    }

    fn attempt_push(&self, message: &T, deadline: Deadline) -> Result<Attempt<()>, LockError> {
        let queue = self.inner.writable()?;
        if queue.tail.lock.lock(deadline)? == Acquired::OwnerDied {
            self.recover_tail(queue);
        }
        let attempt = self.put(queue, message);
        if matches!(attempt, Attempt::Done(())) {
            queue.not_empty.event.notify(Notify::One);
        }
        queue.tail.lock.unlock(Release::Clean);
        Ok(attempt)
    }

    /// Appends a message, sleeping while the queue is full.
    ///
    /// # Errors
    ///
    /// [`Closed`](PushError::Closed) and [`Lock`](PushError::Lock), with the message.
    #[inline(always)] // as `push_at_once`
    pub fn push(&self, message: T) -> Result<(), PushError<T>> {
        if self.push_at_once(&message) {
            Ok(())
        } else {
            self.push_until(message, self.inner.forever())
        }
    }

    /// Appends a message if there is room. Other producers are waited for (they take nanoseconds, or
    /// are dead), consumers are not.
    ///
    /// # Errors
    ///
    /// [`Full`](PushError::Full), [`Closed`](PushError::Closed) and [`Lock`](PushError::Lock), with
    /// the message.
    #[inline(always)] // as `push_at_once`
    pub fn try_push(&self, message: T) -> Result<(), PushError<T>> {
        if self.push_at_once(&message) { Ok(()) } else { self.try_push_slowly(message) }
    }

    #[cold]
    fn try_push_slowly(&self, message: T) -> Result<(), PushError<T>> {
        pushed(self.attempt_push(&message, self.inner.forever()), message)
    }

    /// Appends a message, sleeping for at most `timeout` while the queue is full.
    ///
    /// # Errors
    ///
    /// [`TimedOut`](PushError::TimedOut), never before the time is up, and those of
    /// [`push`](Self::push), with the message.
    pub fn push_timeout(&self, message: T, timeout: Duration) -> Result<(), PushError<T>> {
        self.push_until(message, self.inner.within(timeout))
    }

    #[cold]
    fn push_until(&self, message: T, deadline: Deadline) -> Result<(), PushError<T>> {
        let consumers = (&self.inner.not_full.event, &self.inner.head.lock);
        let attempt = || self.attempt_push(&message, deadline);
        let settled = settle(consumers, deadline, || self.has_room(), attempt);
        pushed_in_time(settled, message)
    }

    /// Whether a push might succeed or fail for another reason than a full queue. Without a lock.
    fn has_room(&self) -> bool {
        let head = self.inner.head.position.load(Ordering::Relaxed);
        let tail = self.inner.tail.position.load(Ordering::Relaxed);
        tail.wrapping_sub(head) < self.cells.capacity() || self.is_closed()
    }

    // ---- consumers

    /// With the head's lock held by this thread, from a dead consumer.
    #[cold]
    fn recover_head(&self, queue: &layout::Queue) {
        let position = queue.head.position.load(Ordering::Relaxed);
        match self.on_death {
            OnDeath::Redeliver => queue.head.count_interrupted(position),
            OnDeath::Drop => queue.head.complete_interrupted(position),
        }
        // The dead one may not have come to it.
        queue.not_full.event.notify(Notify::All);
        queue.head.lock.mark_consistent();
    }

    /// With the head's lock held.
    fn take(&self, queue: &layout::Queue) -> Result<Attempt<T>, LockError> {
        // Before the message: what was pushed before the close is there then.
        // Acquire: pairs with the Release in `close`.
        let closed = queue.closed.load(Ordering::Acquire) != 0;
        match self.take_message(queue) {
            Some(Some(message)) => Ok(Attempt::Done(message)),
            Some(None) => {
                // Taken as well, or it would block the queue for ever.
                queue.head.advance(queue.head.position.load(Ordering::Relaxed));
                Err(LockError::Corrupt { what: "a message" })
            }
            None if closed => Ok(Attempt::Closed),
            None => Ok(Attempt::Unready),
        }
    }

    /// The case that is to be fast: a message, and no other consumer. None says nothing.
    #[inline(always)] // a result in memory costs as much as the lock
    fn pop_at_once(&self) -> Option<T> {
        let queue = self.inner.writable().ok()?;
        if !queue.head.lock.take_at_once() {
            return None;
        }
        let message = self.take_message(queue).flatten();
        if message.is_some() {
            queue.not_full.event.notify(Notify::One);
        }
        queue.head.lock.unlock(Release::Clean);
        message
    }

    /// With the head's lock held: takes the next message, if there is one. Some(None), and it is not
    /// taken, if its bytes are none.
    #[inline]
    fn take_message(&self, queue: &layout::Queue) -> Option<Option<T>> {
        let position = queue.head.position.load(Ordering::Relaxed);
        let (stamp, slot) = self.cells.cell(position)?;
        // Acquire: pairs with the Release in `put`.
        if stamp.load(Ordering::Acquire) != filled(position) {
            return None;
        }
        queue.head.begin(position);
        let message = slot.read().check();
        if message.is_some() {
            // This takes the message.
            queue.head.advance(position);
        }
        Some(message)
    }

    fn attempt_pop(&self, deadline: Deadline) -> Result<Attempt<T>, LockError> {
        let queue = self.inner.writable()?;
        // A look without the lock keeps idle consumers out of one another's way.
        if !self.has_message() {
            return Ok(Attempt::Unready);
        }
        if queue.head.lock.lock(deadline)? == Acquired::OwnerDied {
            self.recover_head(queue);
        }
        let attempt = self.take(queue);
        if !matches!(attempt, Ok(Attempt::Unready | Attempt::Closed)) {
            queue.not_full.event.notify(Notify::One);
        }
        queue.head.lock.unlock(Release::Clean);
        attempt
    }

    /// Whether a pop might succeed or fail for another reason than an empty queue. Without a lock.
    #[inline]
    fn has_message(&self) -> bool {
        let position = self.inner.head.position.load(Ordering::Relaxed);
        self.cells.is_filled(position, Ordering::Relaxed) || self.is_closed()
    }

    /// Takes the oldest message, sleeping while the queue is empty.
    ///
    /// # Errors
    ///
    /// [`Closed`](PopError::Closed) once the queue is closed and empty; [`Lock`](PopError::Lock).
    #[inline(always)] // as `pop_at_once`
    pub fn pop(&self) -> Result<T, PopError> {
        match self.pop_at_once() {
            Some(message) => Ok(message),
            None => self.pop_until(self.inner.forever()),
        }
    }

    /// Takes the oldest message if there is one. Other consumers are waited for (they take
    /// nanoseconds, or are dead), producers are not.
    ///
    /// # Errors
    ///
    /// [`Empty`](PopError::Empty), [`Closed`](PopError::Closed), [`Lock`](PopError::Lock).
    #[inline(always)] // as `pop_at_once`
    pub fn try_pop(&self) -> Result<T, PopError> {
        if !self.has_message() && self.inner.is_writable() {
            return Err(PopError::Empty);
        }
        match self.pop_at_once() {
            Some(message) => Ok(message),
            None => self.try_pop_slowly(),
        }
    }

    #[cold]
    fn try_pop_slowly(&self) -> Result<T, PopError> {
        popped(self.attempt_pop(self.inner.forever()))
    }

    /// Takes the oldest message, sleeping for at most `timeout` while the queue is empty.
    ///
    /// # Errors
    ///
    /// [`TimedOut`](PopError::TimedOut), never before the time is up, and those of
    /// [`pop`](Self::pop).
    pub fn pop_timeout(&self, timeout: Duration) -> Result<T, PopError> {
        self.pop_until(self.inner.within(timeout))
    }

    #[cold]
    fn pop_until(&self, deadline: Deadline) -> Result<T, PopError> {
        let producers = (&self.inner.not_empty.event, &self.inner.tail.lock);
        let attempt = || self.attempt_pop(deadline);
        popped_in_time(settle(producers, deadline, || self.has_message(), attempt))
    }

    // ---- both

    /// Closes the queue: nothing more can be pushed, and consumers get what is left and then
    /// [`PopError::Closed`]. Final, and without effect on a closed queue.
    ///
    /// # Errors
    ///
    /// [`ReadOnly`](LockError::ReadOnly), [`TooManyLocks`](LockError::TooManyLocks).
    ///
    /// # Crash behaviour
    ///
    /// Closed or not. A process killed between closing and waking delays producers that sleep
    /// because the queue is full by at most 100 ms.
    pub fn close(&self) -> Result<(), LockError> {
        let queue = self.inner.writable()?;
        // Under the producers' lock, so that no push is half-way.
        if queue.tail.lock.lock(self.inner.forever())? == Acquired::OwnerDied {
            self.recover_tail(queue);
        }
        // Release: pairs with the Acquire in `take`; what was pushed before is there.
        queue.closed.store(1, Ordering::Release);
        queue.not_empty.event.notify(Notify::All);
        queue.not_full.event.notify(Notify::All);
        queue.tail.lock.unlock(Release::Clean);
        Ok(())
    }

    /// Whether the queue was closed. Messages may be left in it.
    #[must_use]
    #[inline]
    pub fn is_closed(&self) -> bool {
        self.inner.closed.load(Ordering::Relaxed) != 0
    }

    /// How many messages are in the queue; while others push and pop, how many there were at one
    /// moment during the call.
    #[must_use]
    pub fn len(&self) -> usize {
        self.length() as usize // at most the capacity, which is a usize
    }

    /// Whether there is no message in the queue.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What becomes of a message whose consumer died while it took it.
    #[must_use]
    pub fn on_death(&self) -> OnDeath {
        self.on_death
    }

    /// How many messages there is room for.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.cells.capacity() as usize // checked when it was opened
    }

    /// What deaths interrupted.
    #[must_use]
    pub fn stats(&self) -> QueueStats {
        let dropped = self.inner.tail.interrupted_count();
        let taken = self.inner.head.interrupted_count();
        match self.on_death {
            OnDeath::Redeliver => QueueStats { dropped, redelivered: taken },
            OnDeath::Drop => QueueStats { dropped: dropped.wrapping_add(taken), redelivered: 0 },
        }
    }

    /// Pops message after message, sleeping while the queue is empty, until it is closed. An error of
    /// the lock is yielded and ends the iteration; bytes that are no message are yielded as an error
    /// and passed over.
    #[must_use]
    pub fn iter(&self) -> Iter<'_, T> {
        Iter::new(self)
    }

    /// Pops message after message until the queue is empty. Errors are yielded as by
    /// [`iter`](Self::iter).
    #[must_use]
    pub fn drain(&self) -> Drain<'_, T> {
        Drain::new(self)
    }

    /// Copies of all messages that are in the queue, the oldest first, without taking them. Other
    /// consumers wait meanwhile.
    ///
    /// # Errors
    ///
    /// [`ReadOnly`](LockError::ReadOnly) (it takes the consumers' lock),
    /// [`TooManyLocks`](LockError::TooManyLocks), [`Corrupt`](LockError::Corrupt).
    pub fn peek_all(&self) -> Result<Vec<T>, LockError> {
        let queue = self.inner.writable()?;
        if queue.head.lock.lock(self.inner.forever())? == Acquired::OwnerDied {
            self.recover_head(queue);
        }
        let head = queue.head.position.load(Ordering::Relaxed);
        let messages = (0..self.cells.capacity())
            .map_while(|i| {
                let position = head.wrapping_add(i);
                let (stamp, slot) = self.cells.cell(position)?;
                // Acquire: pairs with the Release in `put`.
                (stamp.load(Ordering::Acquire) == filled(position)).then(|| slot.read().check())
            })
            .collect::<Option<Vec<T>>>();
        queue.head.lock.unlock(Release::Clean);
        messages.ok_or(LockError::Corrupt { what: "a message" })
    }
}

const CELLS: usize = size_of::<layout::Queue>();

waits!(Queue<T>, inner);

impl Segment {
    /// The [`Queue`] of that name, created empty for `capacity` messages if there is none. A message
    /// whose consumer died while it took it is redelivered.
    ///
    /// # Errors
    ///
    /// See [`find_or_create`](Self::find_or_create).
    pub fn queue<T: Shared>(&self, name: &str, capacity: usize) -> Result<Queue<T>, ObjectError> {
        self.queue_with(name, capacity, OnDeath::Redeliver)
    }

    /// [`queue`](Self::queue), with a say in what becomes of a message whose consumer died while it
    /// took it.
    ///
    /// # Errors
    ///
    /// See [`find_or_create`](Self::find_or_create).
    pub fn queue_with<T: Shared>(
        &self,
        name: &str,
        capacity: usize,
        on_death: OnDeath,
    ) -> Result<Queue<T>, ObjectError> {
        self.find_or_create(name, (capacity, on_death))
    }
}

#[allow(private_interfaces)] // sealed
impl<T: Shared> Mechanics for Queue<T> {
    type Init = (usize, OnDeath);

    const KIND: ObjectKind = ObjectKind::Queue;
    const TYPE_TAG: u64 = T::TYPE_TAG;

    fn describe(f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Queue<")?;
        T::describe(f)?;
        f.write_str(">")
    }

    fn size((capacity, _): &Self::Init) -> Result<u64, &'static str> {
        Cells::<T>::size(CELLS, *capacity)
    }

    fn initialise(extent: &Extent, (capacity, on_death): Self::Init) -> Option<()> {
        let head = extent.head::<layout::Queue>()?;
        head.capacity.store(capacity as u64, Ordering::Relaxed);
        head.on_death.store(on_death as u64, Ordering::Relaxed);
        head.closed.store(0, Ordering::Relaxed);
        head.tail.reset();
        head.head.reset();
        head.not_empty.event.reset();
        head.not_full.event.reset();
        Cells::<T>::attach(extent, CELLS, capacity as u64)?.reset();
        Some(())
    }

    fn attach(extent: &Extent) -> Result<Self, &'static str> {
        let inner: Located<layout::Queue> = extent.head().ok_or("it is too small for a queue")?;
        let cells = Cells::attach(extent, CELLS, inner.capacity.load(Ordering::Relaxed))
            .ok_or("its capacity is not that of its memory")?;
        let on_death = match inner.on_death.load(Ordering::Relaxed) {
            0 => OnDeath::Redeliver,
            1 => OnDeath::Drop,
            _ => return Err("its policy for dead consumers is none"),
        };
        Ok(Self { inner, cells, on_death })
    }

    fn fits(&self, (capacity, on_death): &Self::Init) -> Result<(), Misfit> {
        let shape = [
            ("capacity", self.cells.capacity(), *capacity as u64),
            ("policy for dead consumers", self.on_death as u64, *on_death as u64),
        ];
        shape.into_iter().find(|(_, found, wanted)| found != wanted).map_or(Ok(()), Err)
    }
}
