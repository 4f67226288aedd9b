//! `Spsc<T>`: a bounded ring from one producer to one consumer.
//!
//! # Words
//!
//! Positions count messages from 0 on and never wrap; position `p` uses slot `p % capacity`.
//! `pushed.position` is where the producer goes on, `popped.position` where the consumer does: the
//! messages between them are in the queue. Each is written by its side only, with Release, and read by
//! the other with Acquire: that publishes a message, and frees a slot. Either side keeps its own
//! position and what it saw of the other's in private memory, and looks again only when that says that
//! the queue is full or empty.
//!
//! Each side is a role: a robust lock that is held as long as somebody has it. So there is one of each
//! at a time, the kernel says so when it dies, and its successor goes on from the position that is
//! there.
//!
//! A message of up to 24 bytes is stored twice, in its slot and in `pushed.newest`, beside the position
//! on which an idle consumer looks: so it crosses from core to core with one cache line. There are two
//! such places, of which messages use the one and the other in turn; so a copy is written over only
//! after the message behind it was published, and a consumer that finds the position unchanged after
//! it has read the copy has read that of the last message. Messages that are published together have
//! no copy: a consumer uses it only if it has seen the position before and it has moved by one.
//!
//! What a side writes for itself, its role and `begun`, lies on a line of its own, which the other side
//! does not take from it: `begun` says that a message is being worked on, and counts what deaths
//! interrupted.
//!
//! # What a death leaves behind
//!
//! * the producer before it moved `pushed.position`: what it wrote is not part of the queue, and the
//!   slot and the copy are written again. `begun` is one ahead of the position: the successor counts
//!   that, and takes it back with the same store.
//! * the producer after that, before it woke the consumer: who sleeps, sleeps on the word of the
//!   other's role as well, and the kernel wakes it.
//! * the consumer before it moved `popped.position`: the message is still there, for the successor.
//! * the consumer after that, before it woke the producer: as above.
//!
//! Nothing is to be repaired, and the other side does not wait for anything. It goes on to push what
//! there is room for, and to take what there is; after that it waits for a successor.

mod chunk;
mod consumer;
#[cfg(feature = "async")]
mod future;
mod producer;

use std::cell::Cell;
use std::fmt;
use std::mem::offset_of;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::data::QueueStats;
use crate::error::{Holder, LockError, ObjectError, RoleError};
use crate::layout::{self, SpscEnd, SpscPosition};
use crate::raw::bytes::{self, Slot};
use crate::raw::deadline::Deadline;
use crate::raw::event_count::Notify;
use crate::raw::lock::Acquired;
use crate::raw::waiting::waits;
use crate::segment::Segment;
use crate::segment::object::{Mechanics, Misfit, ObjectKind};
use crate::segment::region::{Elements, Extent, Located};
use crate::shared::Shared;

pub use chunk::{ReadChunk, WriteChunk};
pub use consumer::Consumer;
pub use producer::Producer;

/// A bounded first-in, first-out queue from one [`Producer`] to one [`Consumer`]: the fastest way to
/// hand messages on. Opened by name: [`Segment::spsc`].
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use outlive::{PopError, Segment};
///
/// let ring = Segment::anonymous()?.spsc::<u64>("samples", 1024)?;
/// // In one process:
/// let mut producer = ring.producer()?;
/// producer.push(7)?;
/// producer.push_slice(&[8, 9])?;
/// producer.close();
/// // In another one:
/// let mut consumer = ring.consumer()?;
/// assert_eq!(consumer.pop()?, 7);
/// let mut rest = [0; 10];
/// assert_eq!(consumer.pop_slice(&mut rest)?, 2);
/// assert_eq!(rest[..2], [8, 9]);
/// assert_eq!(consumer.pop(), Err(PopError::Closed));
/// # Ok(())
/// # }
/// ```
///
/// The two ends belong to the threads that took them. While a thread has one, nobody else gets it:
/// [`RoleError::Taken`] says who has it. It is free again when the end is dropped, or its thread dies.
///
/// # Crash behaviour
///
/// A pushed message stays, exactly once, in order. A producer killed while it writes a message drops
/// it whole: it is as if it had not pushed. A consumer killed before it has taken a message leaves it
/// to its successor; once it has taken it, the message is its own and goes with it. Both are counted:
/// [`stats`](Self::stats). The other side is not held up, and the role can be taken over at once.
///
/// # Memory ordering
///
/// What was written before a push is seen after the pop of that message.
pub struct Spsc<T> {
    inner: Located<layout::Spsc>,
    slots: Elements<T>,
    /// Where a message lies beside the producer's position, by the lowest bit of its position. Empty
    /// if it does not fit.
    newest: Option<[Slot<T>; 2]>,
    capacity: u64,
}

impl<T> Clone for Spsc<T> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), ..*self }
    }
}

impl<T> fmt::Debug for Spsc<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spsc")
            .field("place", &self.inner)
            .field("capacity", &self.capacity)
            .field("length", &self.length())
            .finish_non_exhaustive()
    }
}

#[cfg(loom)]
impl<T: Shared> Spsc<T> {
    /// Where messages lie, which are read and written by one side at a time.
    pub(crate) fn memory(&self) -> core::ops::Range<usize> {
        self.slots.memory()
    }
}

/// The half of a position that `begun` has room for. The two sides are never further apart than the
/// capacity.
const fn low(position: u64) -> u64 {
    position & 0xffff_ffff
}

/// Where a side is, as it keeps it for itself.
struct Place {
    /// What its `position` is.
    position: Cell<u64>,
    /// The slot of that position.
    index: Cell<usize>,
    slots: usize,
}

impl Place {
    fn new(position: u64, capacity: u64) -> Self {
        // Below the capacity, which is a usize.
        let index = (position % capacity) as usize;
        Self { position: Cell::new(position), index: Cell::new(index), slots: capacity as usize }
    }

    #[inline]
    fn position(&self) -> u64 {
        self.position.get()
    }

    #[inline]
    fn index(&self) -> usize {
        self.index.get()
    }

    /// By at most the capacity. Returns the position.
    #[inline]
    fn advance(&self, count: usize) -> u64 {
        let index = self.index.get() + count;
        self.index.set(if index < self.slots { index } else { index - self.slots });
        let position = self.position.get().wrapping_add(count as u64);
        self.position.set(position);
        position
    }
}

/// The most messages that there may be room for: positions that are in use differ in their low half.
const MOST: u64 = 1 << 31;

impl SpscEnd {
    fn reset(&self) {
        self.role.reset();
        // The other side sleeps on it.
        self.role.expect_company();
        // Of no message.
        self.begun.store(0, Ordering::Relaxed);
    }

    /// With the role: what deaths interrupted so far, in the high half.
    fn interrupted(&self) -> u64 {
        self.begun.load(Ordering::Relaxed) & !0xffff_ffff
    }

    /// With the role, from a dead holder.
    fn recover(&self, position: u64) {
        let begun = self.begun.load(Ordering::Relaxed);
        if low(begun) == low(position.wrapping_add(1)) {
            // One store: counted once, even if this is interrupted as well.
            self.forget(self.interrupted().wrapping_add(1 << 32), position);
        }
        self.role.mark_consistent();
    }

    /// With the role: no message is being worked on.
    fn forget(&self, interrupted: u64, position: u64) {
        self.begun.store(interrupted | low(position), Ordering::Relaxed);
    }

    /// With the role: the message after that position is being worked on.
    #[inline]
    fn begin(&self, interrupted: u64, position: u64) {
        self.begun.store(interrupted | low(position.wrapping_add(1)), Ordering::Relaxed);
    }

    fn interrupted_count(&self) -> u32 {
        (self.begun.load(Ordering::Relaxed) >> 32) as u32
    }
}

impl<T> Spsc<T> {
    /// Where the copy of a message lies, if it has one.
    #[inline]
    fn newest(&self, position: u64) -> Option<Slot<T>> {
        let [even, odd] = self.newest?;
        Some(if position.is_multiple_of(2) { even } else { odd })
    }

    /// How many messages lie between two positions; an error if there cannot be so many.
    #[inline]
    fn between(&self, head: u64, tail: u64) -> Result<u64, LockError> {
        let count = tail.wrapping_sub(head);
        if count <= self.capacity {
            Ok(count)
        } else {
            Err(LockError::Corrupt { what: "the positions of a queue" })
        }
    }

    fn length(&self) -> u64 {
        // Acquire: in this order, so that the head is never ahead of the tail.
        let head = self.inner.popped.position.load(Ordering::Acquire);
        let tail = self.inner.pushed.position.load(Ordering::Relaxed);
        tail.wrapping_sub(head).min(self.capacity)
    }

    #[inline]
    fn is_over(&self) -> bool {
        self.inner.closed.load(Ordering::Relaxed) != 0
    }

    /// Closes the queue, from either side.
    fn shut(&self) {
        // Release: pairs with the Acquire in `Consumer::refill`; what was pushed before is there.
        self.inner.closed.store(1, Ordering::Release);
        self.inner.not_empty.event.notify(Notify::All);
        self.inner.not_full.event.notify(Notify::All);
    }

    /// Takes a role; at once or not at all without a deadline.
    fn assume(
        &self,
        side: impl Fn(&layout::Spsc) -> (&SpscEnd, &SpscPosition),
        role: &'static str,
        deadline: Option<Deadline>,
    ) -> Result<(), RoleError> {
        let (end, at) = side(self.inner.writable()?);
        let taken = match deadline {
            Some(deadline) => end.role.lock(deadline),
            None => {
                end.role.bury_if_dead();
                end.role.try_lock()
            }
        };
        match taken {
            Ok(Acquired::Clean) => Ok(()),
            Ok(Acquired::OwnerDied) => {
                end.recover(at.position.load(Ordering::Relaxed));
                Ok(())
            }
            Err(LockError::WouldBlock | LockError::TimedOut { .. } | LockError::Deadlock) => {
                Err(RoleError::Taken { role, holder: end.role.holder().map(Box::new) })
            }
            Err(error) => Err(error.into()),
        }
    }
}

impl<T: Shared> Spsc<T> {
    /// Takes the producer's end for this thread, from a dead one as well.
    ///
    /// # Errors
    ///
    /// [`Taken`](RoleError::Taken) while a live thread has it; [`Lock`](RoleError::Lock) with
    /// [`ReadOnly`](LockError::ReadOnly), [`TooManyLocks`](LockError::TooManyLocks).
    pub fn producer(&self) -> Result<Producer<T>, RoleError> {
        self.assume(producers, "producer", None)?;
        Ok(Producer::new(self.clone()))
    }

    /// [`producer`](Self::producer), waiting for at most `timeout` for the one that has it to drop it
    /// or to die.
    ///
    /// # Errors
    ///
    /// As for [`producer`](Self::producer); `Taken` never before the time is up, unless it is this
    /// thread itself that has it.
    pub fn producer_timeout(&self, timeout: Duration) -> Result<Producer<T>, RoleError> {
        self.assume(producers, "producer", Some(self.inner.within(timeout)))?;
        Ok(Producer::new(self.clone()))
    }

    /// Takes the consumer's end for this thread, from a dead one as well.
    ///
    /// # Errors
    ///
    /// As for [`producer`](Self::producer).
    pub fn consumer(&self) -> Result<Consumer<T>, RoleError> {
        self.assume(consumers, "consumer", None)?;
        Ok(Consumer::new(self.clone()))
    }

    /// [`consumer`](Self::consumer), waiting for at most `timeout` for the one that has it to drop it
    /// or to die.
    ///
    /// # Errors
    ///
    /// As for [`producer`](Self::producer); `Taken` never before the time is up, unless it is this
    /// thread itself that has it.
    pub fn consumer_timeout(&self, timeout: Duration) -> Result<Consumer<T>, RoleError> {
        self.assume(consumers, "consumer", Some(self.inner.within(timeout)))?;
        Ok(Consumer::new(self.clone()))
    }

    /// Who has the producer's end at the moment. Reads /proc.
    #[must_use]
    pub fn producer_holder(&self) -> Option<Holder> {
        self.inner.tail.role.holder()
    }

    /// Who has the consumer's end at the moment. Reads /proc.
    #[must_use]
    pub fn consumer_holder(&self) -> Option<Holder> {
        self.inner.head.role.holder()
    }

    /// Whether the queue was closed. Messages may be left in it.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.is_over()
    }

    /// How many messages are in the queue; while others push and pop, about how many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.length() as usize // at most the capacity, which is a usize
    }

    /// Whether there is no message in the queue.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many messages there is room for.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.capacity as usize // checked when it was opened
    }

    /// What deaths interrupted; a slice or a chunk counts as one message.
    #[must_use]
    pub fn stats(&self) -> QueueStats {
        QueueStats {
            dropped: self.inner.tail.interrupted_count(),
            redelivered: self.inner.head.interrupted_count(),
        }
    }
}

fn producers(ring: &layout::Spsc) -> (&SpscEnd, &SpscPosition) {
    (&ring.tail, &ring.pushed)
}

fn consumers(ring: &layout::Spsc) -> (&SpscEnd, &SpscPosition) {
    (&ring.head, &ring.popped)
}

const SLOTS: usize = size_of::<layout::Spsc>();
const NEWEST: usize = offset_of!(layout::Spsc, pushed) + offset_of!(SpscPosition, newest);
/// Room for each of the two newest messages.
const COPY: usize = 24;

waits!(Spsc<T>, inner);

impl Segment {
    /// The [`Spsc`] of that name, created empty for `capacity` messages if there is none.
    ///
    /// # Errors
    ///
    /// See [`find_or_create`](Self::find_or_create).
    pub fn spsc<T: Shared>(&self, name: &str, capacity: usize) -> Result<Spsc<T>, ObjectError> {
        self.find_or_create(name, capacity)
    }
}

#[allow(private_interfaces)] // sealed
impl<T: Shared> Mechanics for Spsc<T> {
    type Init = usize;

    const KIND: ObjectKind = ObjectKind::Spsc;
    const TYPE_TAG: u64 = T::TYPE_TAG;

    fn describe(f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Spsc<")?;
        T::describe(f)?;
        f.write_str(">")
    }

    fn size(capacity: &usize) -> Result<u64, &'static str> {
        bytes::check_alignment::<T>()?;
        if *capacity == 0 {
            return Err("a queue needs room for at least one message");
        }
        if *capacity as u64 > MOST {
            return Err("a queue has room for at most 2^31 messages");
        }
        bytes::packed_stride::<T>()
            .checked_mul(*capacity)
            .and_then(|slots| slots.checked_add(SLOTS))
            .map(|size| size as u64)
            .ok_or("its capacity is too large to be addressed")
    }

    fn initialise(extent: &Extent, capacity: usize) -> Option<()> {
        let head = extent.head::<layout::Spsc>()?;
        head.capacity.store(capacity as u64, Ordering::Relaxed);
        head.closed.store(0, Ordering::Relaxed);
        head.tail.reset();
        head.head.reset();
        head.pushed.position.store(0, Ordering::Relaxed);
        head.popped.position.store(0, Ordering::Relaxed);
        head.not_empty.event.reset();
        head.not_full.event.reset();
        Some(())
    }

    fn attach(extent: &Extent) -> Result<Self, &'static str> {
        let inner: Located<layout::Spsc> = extent.head().ok_or("it is too small for a queue")?;
        let capacity = inner.capacity.load(Ordering::Relaxed);
        let count = usize::try_from(capacity).ok().filter(|_| (1..=MOST).contains(&capacity));
        let slots = count
            .and_then(|count| extent.elements(SLOTS, count))
            .ok_or("its capacity is not that of its memory")?;
        let copy = |half| extent.slot(NEWEST + half * COPY);
        let fits = size_of::<T>() <= COPY && bytes::alignment::<T>() <= align_of::<u64>();
        let newest = fits.then(|| Some([copy(0)?, copy(1)?])).flatten();
        Ok(Self { inner, slots, newest, capacity })
    }

    fn fits(&self, init: &usize) -> Result<(), Misfit> {
        let wanted = *init as u64;
        if wanted == self.capacity { Ok(()) } else { Err(("capacity", self.capacity, wanted)) }
    }
}
