//! `ByteQueue`: a bounded ring of messages of any length, many producers and many consumers.
//!
//! # Words
//!
//! Positions count bytes from 0 on and never wrap; position `p` is byte `p % capacity` of the ring.
//! What lies between `head.position` and `tail.position` is the queue: frames, as `frame` has them.
//! Producers exclude one another by the tail's lock, consumers by the head's. Under its lock
//!
//! * a producer writes a frame behind `tail.position`, if need be with padding before it, and moves
//!   `tail.position` on (Release): this one store publishes the message.
//! * a consumer reads the frame at `head.position`, and moves `head.position` on (Release): this one
//!   store takes the message, with the padding before it, and frees the room.
//!
//! `tail.limit` keeps the `head.position` that producers saw last, which can only be too low; they
//! look again when it says that there is too little room.
//!
//! The lowest three bits of a position, which frames of whole words leave free, count the messages
//! that the side is done with, modulo 8; the low half of `begun` counts those that it has begun. The
//! two differ by one while a message is being worked on. So the number of messages in the queue is
//! known at each moment, and so is, after a death, whether it interrupted something. The high half of
//! `begun` counts these.
//!
//! # What a death leaves behind
//!
//! * a producer before its store: what it wrote is not part of the queue, and is written over. The
//!   next one counts it as dropped, by one store which also takes `begun` back.
//! * a consumer before its store: the message is still there, and the next one gets it; counted in the
//!   same way.
//! * either after its store: nothing is left to do but to wake the other side. The next holder of the
//!   lock does so; and who sleeps, sleeps on that lock's word as well, so that the death itself wakes.
//!
//! # Bytes that cannot be
//!
//! Where the next message starts after one whose header cannot be is not known. So the consumer that
//! finds such a header, or positions that are further apart than the ring is long, drops all that is
//! in the queue and reports it, once: the queue is empty then, and goes on. A producer that finds such
//! positions reports it, and leaves them to the consumers.

mod end;
mod frame;
#[cfg(feature = "async")]
mod future;
mod grant;
mod read;
#[cfg(feature = "serde")]
mod typed;
mod waitable;

use std::fmt;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::data::QueueStats;
use crate::error::{LockError, ObjectError};
use crate::layout::{self, EventCount, RobustNode};
use crate::raw::deadline::Deadline;
use crate::raw::event_count::Notify;
use crate::raw::lock::{Acquired, Release};
use crate::raw::waiting::waits;
use crate::seam::looks;
use crate::segment::Segment;
use crate::segment::object::{Mechanics, Misfit, ObjectKind};
use crate::segment::region::{Extent, Located};
use crate::shared::Shared;
use frame::{Ring, WORD};

pub use grant::Grant;
pub use read::Message;
pub use waitable::{ReadableBytes, WritableBytes};

/// A bounded first-in, first-out queue of messages that are bytes, each of any length, between any
/// number of producers and consumers. Opened by name:
/// [`Segment::byte_queue`](crate::Segment::byte_queue).
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use outlive::{PopError, Segment};
///
/// let lines = Segment::anonymous()?.byte_queue("lines", 4096)?;
/// lines.push(b"a line")?;
/// lines.push(b"")?; // an empty message is one, too
/// assert_eq!(lines.pop()?, b"a line");
/// assert_eq!(lines.pop()?, b"");
///
/// // Without a copy: written where it is read.
/// let mut grant = lines.grant(1000)?;
/// grant.fill(7);
/// grant.commit();
/// lines.close()?;
/// let message = lines.read()?;
/// assert_eq!(message.iter().map(|byte| u32::from(*byte)).sum::<u32>(), 7000);
/// message.release();
/// assert_eq!(lines.pop(), Err(PopError::Closed));
/// # Ok(())
/// # }
/// ```
///
/// Messages of one producer arrive in the order in which it pushed them. Waiting sleeps in the kernel
/// after a short spin.
///
/// # Room
///
/// The capacity is that of one ring of bytes. A message takes its length, rounded up to 8 bytes, and 8
/// more. It always lies in one piece: where it would cross the ring's end, what is left there stays
/// unused until the message was taken. So a message can be about half as long as the ring:
/// [`max_message`](Self::max_message) says how long, and one of that length finds room in an empty
/// queue, always. A longer one is refused, even where it happened to fit.
///
/// A push waits until there is room for its message, and reserves none meanwhile: where others keep
/// the queue full of short messages, a long one may wait as long as they do so.
///
/// # Crash behaviour
///
/// A pushed message stays, exactly once, in order. A producer killed while it writes a message drops
/// it whole, a [`Grant`] too: it is as if it had not pushed. A consumer killed before it has taken a
/// message, as with a [`Message`] in its hands, leaves it to the next one; once it has taken it, the
/// message is its own and goes with it. Both are counted: [`stats`](Self::stats). Neither keeps
/// anybody waiting: the kernel hands the dead one's place on at once.
///
/// # Memory ordering
///
/// What was written before a push is seen after the pop of that message.
pub struct ByteQueue {
    inner: Located<layout::ByteQueue>,
    ring: Ring,
}

impl Clone for ByteQueue {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), ..*self }
    }
}

impl fmt::Debug for ByteQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ByteQueue")
            .field("place", &self.inner)
            .field("capacity", &self.ring.capacity())
            .field("length", &self.length())
            .finish_non_exhaustive()
    }
}

#[cfg(loom)]
impl ByteQueue {
    /// Where frames lie, which are read and written by one side at a time.
    pub(crate) fn memory(&self) -> core::ops::Range<usize> {
        self.ring.memory()
    }
}

/// How long an attempt waits for the others of its side. At work they take microseconds; one that is
/// stopped, or has a guard, may take as long as it likes.
const BRIEFLY: Duration = Duration::from_millis(1);

impl ByteQueue {
    /// Takes the lock of one side; None is an attempt that does not wait.
    #[inline]
    fn acquire(
        &self,
        lock: &RobustNode,
        deadline: Option<Deadline>,
    ) -> Result<Acquired, LockError> {
        match deadline {
            Some(deadline) => lock.lock(deadline),
            None => match lock.try_lock() {
                Err(LockError::WouldBlock) => self.acquire_briefly(lock),
                acquired => acquired,
            },
        }
    }

    #[cold]
    fn acquire_briefly(&self, lock: &RobustNode) -> Result<Acquired, LockError> {
        lock.lock(self.inner.within(BRIEFLY)).map_err(|error| match error {
            LockError::TimedOut { .. } => LockError::WouldBlock,
            other => other,
        })
    }

    /// For an object that has this queue as a part: where its consumers sleep.
    #[inline]
    pub(super) fn not_empty(&self) -> &EventCount {
        &self.inner.not_empty.event
    }

    /// The same for its producers.
    #[inline]
    pub(super) fn not_full(&self) -> &EventCount {
        &self.inner.not_full.event
    }

    /// Whether a message of so many bytes finds room, or never will.
    pub(super) fn takes(&self, length: usize) -> bool {
        length > self.max_message() || self.has_room(frame::size(length as u64))
    }

    /// Drops what is in it. Waits for those at work.
    pub(super) fn clear(&self, deadline: Deadline) -> Result<(), LockError> {
        let queue = self.inner.writable()?;
        if queue.tail.lock.lock(deadline)? == Acquired::OwnerDied {
            Self::recover_tail(queue);
        }
        let cleared = queue.head.lock.lock(deadline).map(|acquired| {
            if acquired == Acquired::OwnerDied {
                Self::recover_head(queue);
            }
            queue.head.jump_to(queue.tail.progress());
            queue.head.lock.unlock(Release::Clean);
        });
        queue.tail.lock.unlock(Release::Clean);
        cleared
    }

    /// How many messages there were at one moment during the call.
    fn length(&self) -> u64 {
        /// As in `progress`.
        const ATTEMPTS: usize = looks(100);
        let mut head = self.inner.head.progress();
        let mut length = 0;
        for _ in 0..ATTEMPTS {
            let tail = self.inner.tail.progress();
            // Whatever is counted, so many there can be.
            let most = head.0.up_to(tail.0).min(self.ring.capacity()) / WORD;
            length = u64::from(tail.1.wrapping_sub(head.1)).clamp(most.min(1), most);
            let now = self.inner.head.progress();
            if now == head {
                break;
            }
            head = now;
        }
        length
    }

    /// Closes the queue: nothing more can be pushed, and consumers get what is left and then
    /// [`PopError::Closed`](crate::PopError::Closed). Final, and without effect on a closed queue.
    /// Waits for producers that are at work, and for a [`Grant`] to be committed or dropped.
    ///
    /// # Errors
    ///
    /// [`ReadOnly`](LockError::ReadOnly), [`TooManyLocks`](LockError::TooManyLocks);
    /// [`Deadlock`](LockError::Deadlock) if this thread has a [`Grant`] of it.
    ///
    /// # Crash behaviour
    ///
    /// Closed or not. A process killed between closing and waking delays producers that sleep
    /// because the queue is full by at most 100 ms.
    pub fn close(&self) -> Result<(), LockError> {
        let queue = self.inner.writable()?;
        // Under the producers' lock, so that no push is half-way.
        if queue.tail.lock.lock(self.inner.forever())? == Acquired::OwnerDied {
            Self::recover_tail(queue);
        }
        // Release: pairs with the Acquire in `oldest`; what was pushed before is there.
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
        self.length() as usize // less than the capacity, which is a usize
    }

    /// Whether there is no message in the queue.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        // Acquire: in this order, so that the head is never ahead of the tail.
        let head = self.inner.head.at(Ordering::Acquire);
        head.up_to(self.inner.tail.at(Ordering::Relaxed)) == 0
    }

    /// The bytes of the ring: what was asked for, rounded up to whole words of 8 bytes. What messages
    /// take of it: [Room](Self#room).
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.ring.capacity() as usize // checked when it was opened
    }

    /// The length in bytes of the longest message that can be pushed. It finds room whenever the queue
    /// is empty.
    #[must_use]
    pub fn max_message(&self) -> usize {
        frame::largest(self.ring.capacity()) as usize // less than the capacity
    }

    /// What deaths interrupted.
    #[must_use]
    pub fn stats(&self) -> QueueStats {
        QueueStats {
            dropped: self.inner.tail.interrupted(),
            redelivered: self.inner.head.interrupted(),
        }
    }
}

const RING: usize = size_of::<layout::ByteQueue>();

waits!(ByteQueue, inner);

impl Segment {
    /// The [`ByteQueue`] of that name, created empty with a ring of `capacity` bytes (24 at the least,
    /// 8 GiB at the most, rounded up to whole words of 8 bytes) if there is none.
    ///
    /// # Errors
    ///
    /// See [`find_or_create`](Self::find_or_create).
    pub fn byte_queue(&self, name: &str, capacity: usize) -> Result<ByteQueue, ObjectError> {
        self.find_or_create(name, capacity)
    }
}

#[allow(private_interfaces)] // sealed
impl Mechanics for ByteQueue {
    type Init = usize;

    const KIND: ObjectKind = ObjectKind::ByteQueue;
    const TYPE_TAG: u64 = u8::TYPE_TAG;

    fn describe(f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ByteQueue")
    }

    fn size(capacity: &usize) -> Result<u64, &'static str> {
        match *capacity as u64 {
            ..frame::LEAST => Err("a byte queue needs a capacity of at least 24 bytes"),
            frame::LEAST..=frame::MOST => Ok(RING as u64 + rounded(*capacity)),
            _ => Err("a byte queue has a capacity of at most 8 GiB"),
        }
    }

    fn initialise(extent: &Extent, capacity: usize) -> Option<()> {
        let head = extent.head::<layout::ByteQueue>()?;
        head.capacity.store(rounded(capacity), Ordering::Relaxed);
        head.closed.store(0, Ordering::Relaxed);
        head.tail.prepare();
        head.head.prepare();
        head.not_empty.event.reset();
        head.not_full.event.reset();
        Some(())
    }

    fn attach(extent: &Extent) -> Result<Self, &'static str> {
        let inner: Located<layout::ByteQueue> =
            extent.head().ok_or("it is too small for a byte queue")?;
        let capacity = inner.capacity.load(Ordering::Relaxed);
        let count = usize::try_from(capacity)
            .ok()
            .filter(|_| (frame::LEAST..=frame::MOST).contains(&capacity));
        let bytes = count
            .and_then(|count| extent.bytes(RING, count))
            .ok_or("its capacity is not that of its memory")?;
        Ok(Self { inner, ring: Ring::new(bytes, capacity) })
    }

    fn fits(&self, init: &usize) -> Result<(), Misfit> {
        let (found, wanted) = (self.ring.capacity(), *init as u64);
        let same = wanted.checked_next_multiple_of(WORD) == Some(found);
        if same { Ok(()) } else { Err(("capacity", found, wanted)) }
    }
}

/// To whole words. The capacity was found to be possible.
const fn rounded(capacity: usize) -> u64 {
    (capacity as u64).next_multiple_of(WORD)
}
