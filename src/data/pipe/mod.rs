//! `Pipe`: messages between two ends, and news of the other's end.
//!
//! # Words
//!
//! A pipe is made of other objects: one byte queue to the first end, and, if it is duplex, one to the
//! second; and of a share (`sync::shares`) for each end, whose lock is held as long as a thread has the
//! end. `count` says more, and is written under that lock only:
//!
//! | `count` | lock | the end is |
//! |---|---|---|
//! | `FRESH` | free | awaited: nobody has had it yet |
//! | `TAKEN` | held | there |
//! | `FRESH`, `CLOSED` | held | about to be `TAKEN`; until then as it was |
//! | `CLOSED` | held, then free | gone: it was closed |
//! | any | marked by the kernel | gone: its thread died |
//!
//! Who takes an end takes the lock and then stores `TAKEN`. Who closes it stores `CLOSED`, wakes the
//! other end, and releases the lock.
//!
//! # The end is seen last
//!
//! An end is gone by a store with Release (`CLOSED`) or by the kernel's mark, which is a full barrier.
//! All that it sent was published before that, by its own thread. The other one looks whether it is
//! gone (Acquire), *then* into the queue, and only if that is empty it is the end of file.
//!
//! `count` is read before the lock's word: the other way round, a word that was free before the end was
//! taken and a `count` from after that would look like an end that is gone.
//!
//! # What a death leaves behind
//!
//! * an end, anywhere: the kernel marks its share. The other end sleeps on that word, beside the queue,
//!   so that the death itself wakes it, before and after the wake-up that the dead one was about to make.
//!   A death that the kernel does not report is found by who looks again (`raw::lock`).
//! * the queues: see `data::byte_queue`. Only the end's own thread uses its sides of them, so what is
//!   left there is repaired by the successor, or never needed.
//! * who takes an end over from the dead, before `TAKEN`: as it was.

mod anonymous;
mod end;
mod recv;
mod send;
mod stream;
#[cfg(feature = "serde")]
mod typed;
mod waitable;

use std::fmt;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::byte_queue::ByteQueue;
use crate::data::QueueStats;
use crate::error::{Holder, LockError, ObjectError, RoleError};
use crate::layout::{self, Share};
use crate::raw::lock::Acquired;
use crate::raw::waiting::waits;
use crate::segment::Segment;
use crate::segment::object::{Mechanics, Misfit, ObjectKind};
use crate::segment::region::{Extent, Located};
use crate::shared::Shared;

pub use anonymous::pipe;
pub use end::PipeEnd;
pub use waitable::PipeWritable;

pub(super) use end::{close_unused, enter};

/// Two ends that send each other messages of any length, and hear when the other one is gone: closed,
/// or dead. Opened by name ([`Segment::pipe`], [`Segment::one_way_pipe`]), or made without one for this
/// process and its children ([`pipe`](fn@pipe)).
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use outlive::{PipeRecvError, PipeSendError, Segment};
///
/// let talk = Segment::anonymous()?.pipe("talk", 4096)?;
/// // In one process:
/// let first = talk.first()?;
/// first.send_bytes(b"a question")?;
/// // In another one:
/// let second = talk.second()?;
/// assert_eq!(second.recv_bytes()?, b"a question");
/// second.send_bytes(b"an answer")?;
/// drop(second);
/// // What was sent is received, and then the end is seen.
/// assert_eq!(first.recv_bytes()?, b"an answer");
/// assert_eq!(first.recv_bytes(), Err(PipeRecvError::Eof));
/// assert_eq!(first.send_bytes(b"more"), Err(PipeSendError::BrokenPipe));
/// # Ok(())
/// # }
/// ```
///
/// # Ends
///
/// This is the handle of the whole pipe, which may be cloned, and sent to other threads. An end belongs
/// to the thread that has taken it ([`first`](Self::first), [`second`](Self::second)), as the kernel
/// tells of the deaths of threads: send the handle to the thread that is to have the end, and take it
/// there. While a thread has it, nobody else gets it.
///
/// An end that nobody has had yet is waited for: messages wait in the pipe, and who receives waits (or
/// says for how long). That its process will never come is not known here; wait for the process, too,
/// with [`wait_any`](crate::wait_any).
///
/// # Room
///
/// Each direction has a [`ByteQueue`](crate::ByteQueue) of `capacity` bytes, in which a message takes
/// its length, rounded up to 8 bytes, and 8 more, and can be about half as long as it:
/// [`PipeEnd::max_message`].
///
/// # Crash behaviour
///
/// When an end's process dies, the other one receives what was sent before, whole messages only, and
/// then [`Eof`](crate::PipeRecvError::Eof); what it sends is refused with
/// [`BrokenPipe`](crate::PipeSendError::BrokenPipe). Waiting, it is woken by the death at once. Closing
/// an end, which dropping it does, is seen in the same way.
///
/// That is so for as long as the end is free. A successor may take it, of a dead one or a closed one,
/// and goes on where that one was: it receives what was not received yet, the message first that was
/// being read, and the other end, which may not have noticed, is not at its end any more. Ends of a
/// [`Listener`](crate::Listener)'s connections have no successors.
///
/// # Memory ordering
///
/// What was written before a message was sent, or an end closed, is seen by who received it, or saw the
/// end.
pub struct Pipe {
    inner: Located<layout::Pipe>,
    to_first: ByteQueue,
    to_second: Option<ByteQueue>,
    /// Whose connection it is.
    listener: Option<Located<layout::Listener>>,
    /// Whether it was made by [`pipe`](fn@pipe), alone in its segment.
    alone: bool,
}

impl Clone for Pipe {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            to_first: self.to_first.clone(),
            to_second: self.to_second.clone(),
            listener: self.listener.clone(),
            alone: self.alone,
        }
    }
}

impl fmt::Debug for Pipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pipe")
            .field("place", &self.inner)
            .field("flow", &self.flow())
            .field("capacity", &self.capacity())
            .finish_non_exhaustive()
    }
}

/// An end of a [`Pipe`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// Of a one-way pipe, the end that receives.
    First,
    /// Of a one-way pipe, the end that sends.
    Second,
}

impl Side {
    /// The other one.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::First => Self::Second,
            Self::Second => Self::First,
        }
    }

    fn role(self) -> &'static str {
        match self {
            Self::First => "first end",
            Self::Second => "second end",
        }
    }
}

/// Which ends of a [`Pipe`] send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u64)]
pub enum Flow {
    /// The second end sends, the first one receives.
    OneWay = 0,
    /// Both send and receive.
    Duplex = 1,
}

/// How long an end that was closed may be held yet.
const MOMENT: Duration = Duration::from_millis(100);

impl Pipe {
    fn share(&self, side: Side) -> &Share {
        match side {
            Side::First => &self.inner.first,
            Side::Second => &self.inner.second,
        }
    }

    /// The queue that an end receives from.
    fn queue_to(&self, side: Side) -> Option<&ByteQueue> {
        match side {
            Side::First => Some(&self.to_first),
            Side::Second => self.to_second.as_ref(),
        }
    }

    /// Takes an end for this thread, from a dead one or after it was closed as well.
    ///
    /// # Errors
    ///
    /// [`Taken`](RoleError::Taken) while a live thread has it; [`Lock`](RoleError::Lock) with
    /// [`ReadOnly`](LockError::ReadOnly), [`TooManyLocks`](LockError::TooManyLocks).
    pub fn take(&self, side: Side) -> Result<PipeEnd, RoleError> {
        self.inner.writable()?;
        let share = self.share(side);
        share.lock.bury_if_dead();
        let taken = match share.lock.try_lock() {
            // It says that it is closed, and is about to let go of it.
            Err(LockError::WouldBlock) if end::is_closed(share) => {
                share.lock.lock(self.inner.within(MOMENT))
            }
            taken => taken,
        };
        self.assume(side, taken)
    }

    /// [`take`](Self::take), waiting for at most `timeout` for the one that has it to drop it or to
    /// die.
    ///
    /// # Errors
    ///
    /// As for [`take`](Self::take); `Taken` never before the time is up, unless it is this thread
    /// itself that has it.
    pub fn take_timeout(&self, side: Side, timeout: Duration) -> Result<PipeEnd, RoleError> {
        self.inner.writable()?;
        self.assume(side, self.share(side).lock.lock(self.inner.within(timeout)))
    }

    /// [`take`](Self::take)s the first end, of a one-way pipe the one that receives.
    ///
    /// # Errors
    ///
    /// As for [`take`](Self::take).
    pub fn first(&self) -> Result<PipeEnd, RoleError> {
        self.take(Side::First)
    }

    /// [`take`](Self::take)s the second end, of a one-way pipe the one that sends.
    ///
    /// # Errors
    ///
    /// As for [`take`](Self::take).
    pub fn second(&self) -> Result<PipeEnd, RoleError> {
        self.take(Side::Second)
    }

    fn assume(&self, side: Side, taken: Result<Acquired, LockError>) -> Result<PipeEnd, RoleError> {
        let share = self.share(side);
        match taken {
            Ok(acquired) => {
                if acquired == Acquired::OwnerDied {
                    share.lock.mark_consistent();
                }
                end::enter(share);
                Ok(PipeEnd::new(self.clone(), side))
            }
            Err(LockError::WouldBlock | LockError::TimedOut { .. } | LockError::Deadlock) => {
                let holder = share.lock.holder().map(Box::new);
                Err(RoleError::Taken { role: side.role(), holder })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Who has an end at the moment. Reads /proc.
    #[must_use]
    pub fn holder(&self, side: Side) -> Option<Holder> {
        self.share(side).lock.holder()
    }

    /// Which ends send.
    #[must_use]
    pub fn flow(&self) -> Flow {
        if self.to_second.is_some() { Flow::Duplex } else { Flow::OneWay }
    }

    /// The bytes of room in each direction: what was asked for, rounded up to whole words of 8 bytes.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.to_first.capacity()
    }

    /// What deaths interrupted, in both directions together. A message that nobody came to receive again
    /// is not counted.
    #[must_use]
    pub fn stats(&self) -> QueueStats {
        let mut stats = self.to_first.stats();
        if let Some(more) = self.to_second.as_ref().map(ByteQueue::stats) {
            stats.dropped = stats.dropped.wrapping_add(more.dropped);
            stats.redelivered = stats.redelivered.wrapping_add(more.redelivered);
        }
        stats
    }

    /// The pipe in an extent, as a connection of a listener.
    pub(super) fn of_listener(
        extent: &Extent,
        listener: Located<layout::Listener>,
    ) -> Result<Self, &'static str> {
        let pipe = Self::attach(extent)?;
        match pipe.flow() {
            Flow::Duplex => Ok(Self { listener: Some(listener), ..pipe }),
            Flow::OneWay => Err("a connection that is one-way"),
        }
    }

    /// For a listener, with neither end held: as new, but for the ends.
    pub(super) fn clear(&self) -> Result<(), LockError> {
        let deadline = self.inner.within(MOMENT);
        self.to_first.clear(deadline)?;
        self.to_second.as_ref().map_or(Ok(()), |queue| queue.clear(deadline))
    }

    /// An end that this thread holds and has entered.
    pub(super) fn into_end(self, side: Side) -> PipeEnd {
        PipeEnd::new(self, side)
    }
}

const FIRST_QUEUE: usize = size_of::<layout::Pipe>();

/// From one queue to the next: parts of an object are at multiples of this.
const LINE: u64 = 64;

/// What each queue takes.
fn queue_size(capacity: usize) -> Result<u64, &'static str> {
    Ok(ByteQueue::size(&capacity)?.next_multiple_of(LINE))
}

waits!(Pipe, inner);

impl Segment {
    /// The duplex [`Pipe`] of that name, created with `capacity` bytes of room in each direction (24 at
    /// the least) if there is none.
    ///
    /// # Errors
    ///
    /// See [`find_or_create`](Self::find_or_create).
    pub fn pipe(&self, name: &str, capacity: usize) -> Result<Pipe, ObjectError> {
        self.find_or_create(name, (capacity, Flow::Duplex))
    }

    /// The one-way [`Pipe`] of that name, from the second to the first end, created with `capacity`
    /// bytes of room (24 at the least) if there is none.
    ///
    /// # Errors
    ///
    /// See [`find_or_create`](Self::find_or_create).
    pub fn one_way_pipe(&self, name: &str, capacity: usize) -> Result<Pipe, ObjectError> {
        self.find_or_create(name, (capacity, Flow::OneWay))
    }
}

#[allow(private_interfaces)] // sealed
impl Mechanics for Pipe {
    /// Bytes each way, and which ways.
    type Init = (usize, Flow);

    const KIND: ObjectKind = ObjectKind::Pipe;
    const TYPE_TAG: u64 = u8::TYPE_TAG;

    fn describe(f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pipe")
    }

    fn size((capacity, flow): &Self::Init) -> Result<u64, &'static str> {
        let queues = match flow {
            Flow::OneWay => 1,
            Flow::Duplex => 2,
        };
        // No overflow: the capacity is at most 8 GiB.
        Ok(FIRST_QUEUE as u64 + queues * queue_size(*capacity)?)
    }

    fn initialise(extent: &Extent, (capacity, flow): Self::Init) -> Option<()> {
        let head = extent.head::<layout::Pipe>()?;
        head.flow.store(flow as u64, Ordering::Relaxed);
        head.capacity.store(capacity as u64, Ordering::Relaxed);
        head.ticket.store(0, Ordering::Relaxed);
        end::prepare(&head.first);
        end::prepare(&head.second);
        let size = usize::try_from(queue_size(capacity).ok()?).ok()?;
        ByteQueue::initialise(&extent.part(FIRST_QUEUE, size)?, capacity)?;
        if flow == Flow::Duplex {
            ByteQueue::initialise(&extent.part(FIRST_QUEUE + size, size)?, capacity)?;
        }
        Some(())
    }

    fn attach(extent: &Extent) -> Result<Self, &'static str> {
        const TOO_SMALL: &str = "its capacity is not that of its memory";
        let inner: Located<layout::Pipe> = extent.head().ok_or("it is too small for a pipe")?;
        let capacity = usize::try_from(inner.capacity.load(Ordering::Relaxed))
            .ok()
            .filter(|capacity| ByteQueue::size(capacity).is_ok())
            .ok_or(TOO_SMALL)?;
        let size = usize::try_from(queue_size(capacity)?).map_err(|_| TOO_SMALL)?;
        let queue = |number: usize| {
            let part = extent.part(FIRST_QUEUE + number * size, size).ok_or(TOO_SMALL)?;
            let queue = ByteQueue::attach(&part)?;
            match queue.fits(&capacity) {
                Ok(()) => Ok(queue),
                Err(_) => Err(TOO_SMALL),
            }
        };
        let to_second = match inner.flow.load(Ordering::Relaxed) {
            0 => None,
            1 => Some(queue(1)?),
            _ => return Err("it flows in no direction"),
        };
        Ok(Self { inner, to_first: queue(0)?, to_second, listener: None, alone: false })
    }

    fn fits(&self, (capacity, flow): &Self::Init) -> Result<(), Misfit> {
        if self.flow() != *flow {
            return Err(("direction (1 is duplex)", self.flow() as u64, *flow as u64));
        }
        self.to_first.fits(capacity)
    }
}
