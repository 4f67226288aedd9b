//! One end of a pipe: whose it is, what the other one is, and waiting for it.

use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{MOMENT, Pipe, Side};
use crate::data::byte_queue::{Attempt, ByteQueue};
use crate::error::LockError;
use crate::layout::{EventCount, Share};
use crate::raw::deadline::Deadline;
use crate::raw::event_count::Notify;
use crate::raw::lock::Release;
use crate::sync::shares;

/// What an end's `count` says: see `data::pipe`.
const FRESH: u64 = 0;
const TAKEN: u64 = 1;
const CLOSED: u64 = 2;

/// An end that nobody has had yet, in memory that nobody else sees yet.
pub(super) fn prepare(share: &Share) {
    share.lock.reset();
    // The other end sleeps on it.
    share.lock.expect_company();
    share.count.store(FRESH, Ordering::Relaxed);
}

/// With the lock held.
pub(in crate::data) fn enter(share: &Share) {
    // Release: pairs with the Acquire in `other_is`: who sees it sees the lock held.
    share.count.store(TAKEN, Ordering::Release);
}

/// Whether it was closed. It may be held for a moment yet.
pub(super) fn is_closed(share: &Share) -> bool {
    share.count.load(Ordering::Relaxed) == CLOSED
}

/// With the lock held, of an end that was not used.
pub(in crate::data) fn close_unused(share: &Share) {
    share.count.store(CLOSED, Ordering::Release);
    share.lock.unlock(Release::Clean);
}

/// What the other end is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Other {
    /// Nobody has had it yet.
    Awaited,
    There,
    /// Closed, or dead.
    Gone,
}

fn other_is(share: &Share) -> Other {
    // In this order: see `data::pipe`. Acquire: pairs with the Release in `enter` and in `drop`: what
    // was sent before the close is there.
    let count = share.count.load(Ordering::Acquire);
    // Acquire: pairs with the kernel's mark at a death: what was sent before it is there.
    let seen = share.lock.look();
    match count {
        CLOSED => Other::Gone,
        _ if seen.is_held() => Other::There,
        FRESH if seen.is_free() => Other::Awaited,
        _ => Other::Gone,
    }
}

/// An end of a [`Pipe`]: [`Pipe::take`], or of a connection: [`Acceptor::accept`](crate::Acceptor::accept),
/// [`Listener::connect`](crate::Listener::connect). It belongs to the thread that took it. Dropping it
/// closes it: the other end gets what was sent, and then the end of file.
///
/// Messages are received as they were sent, whole and one by one: as bytes, as values (feature
/// `serde`), or in place. [`Read`](std::io::Read) and [`Write`](std::io::Write) make a stream of them
/// instead.
///
/// For [`wait_any`](crate::wait_any) it is ready when there is a message or the end of file; an end
/// that only sends, when the other one is gone.
///
/// # Crash behaviour
///
/// That of [`Pipe`]. A message is sent as a whole or not at all. One that a process was receiving when
/// it died is received by its successor, if there is one.
///
/// # Forks
///
/// An end is its thread's, and a process that is forked from it has none: there every operation is
/// refused with [`WouldBlock`](LockError::WouldBlock).
pub struct PipeEnd {
    pub(super) pipe: Pipe,
    pub(super) side: Side,
    /// How much of the next message was read as part of a stream.
    pub(super) skip: Cell<usize>,
    _thread: PhantomData<*mut ()>,
}

impl fmt::Debug for PipeEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PipeEnd").field("pipe", &self.pipe).field("side", &self.side).finish()
    }
}

impl Drop for PipeEnd {
    fn drop(&mut self) {
        let share = self.pipe.share(self.side);
        // Not through a copy that a fork made.
        if !shares::is_mine(share) {
            return;
        }
        // Release: pairs with the Acquire in `other_is`.
        share.count.store(CLOSED, Ordering::Release);
        // With the lock still held, so that a death on the way wakes as well.
        if let Some(queue) = self.outgoing() {
            queue.not_empty().notify(Notify::All);
        }
        if let Some(queue) = self.incoming() {
            queue.not_full().notify(Notify::All);
        }
        share.lock.unlock(Release::Clean);
        if let Some(listener) = &self.pipe.listener {
            // A place may be free.
            listener.changes.event.notify(Notify::All);
        }
    }
}

impl PipeEnd {
    /// With the lock held, and entered.
    pub(super) fn new(pipe: Pipe, side: Side) -> Self {
        Self { pipe, side, skip: Cell::new(0), _thread: PhantomData }
    }

    /// Whether this thread has the end: a copy that a fork made has not.
    pub(super) fn check_mine(&self) -> Result<(), LockError> {
        let mine = self.pipe.share(self.side).lock.names_this_thread();
        if mine { Ok(()) } else { Err(LockError::WouldBlock) }
    }

    /// What it receives from.
    pub(super) fn incoming(&self) -> Option<&ByteQueue> {
        self.pipe.queue_to(self.side)
    }

    /// What it sends into.
    pub(super) fn outgoing(&self) -> Option<&ByteQueue> {
        self.pipe.queue_to(self.side.other())
    }

    pub(super) fn other(&self) -> &Share {
        self.pipe.share(self.side.other())
    }

    pub(super) fn other_is_gone(&self) -> bool {
        other_is(self.other()) == Other::Gone
    }

    pub(super) fn forever(&self) -> Deadline {
        self.pipe.inner.forever()
    }

    pub(super) fn within(&self, timeout: Duration) -> Deadline {
        self.pipe.inner.within(timeout)
    }

    /// For an attempt that waits for nobody but a predecessor that is dying.
    pub(super) fn at_once(&self) -> Deadline {
        self.within(MOMENT)
    }

    /// Repeats an attempt until it is ready, spinning first and then sleeping, on `event` and on the
    /// other end's word. None at the deadline.
    pub(super) fn settle<R>(
        &self,
        event: &EventCount,
        deadline: Deadline,
        worthwhile: impl Fn() -> bool,
        attempt: impl Fn() -> Result<Attempt<R>, LockError>,
    ) -> Result<Option<Attempt<R>>, LockError> {
        /// Looks of one who never sleeps between questions for a thread that is gone.
        const SELDOM: u32 = 1 << 16;
        let ready = || match attempt() {
            Ok(Attempt::Unready) => None,
            other => Some(other),
        };
        if let Some(outcome) = ready() {
            return outcome.map(Some);
        }
        let other = &self.other().lock;
        if deadline.is_endless() && other.names_this_thread() {
            return Err(LockError::Deadlock);
        }
        let fruitless = Cell::new(0_u32);
        let look = || {
            ready().or_else(|| {
                // A death that the kernel does not report. The next look finds what comes of it: the
                // word that it sleeps on was read before.
                let count = fruitless.get();
                fruitless.set(count.wrapping_add(1));
                let seldom = if deadline.waiting.sleeps() { 1 } else { SELDOM };
                if count > 0 && count.is_multiple_of(seldom) {
                    other.bury_if_dead();
                }
                None
            })
        };
        let worthwhile = || worthwhile() || self.other_is_gone();
        event.look_and_wait_beside(other, deadline, worthwhile, look).transpose()
    }

    /// Closes the end: what dropping it does.
    pub fn close(self) {}

    /// Whether the other end is gone at the moment: it was closed, or its process died, and nobody has
    /// taken it since. What it sent may be left to be received.
    #[must_use]
    pub fn is_peer_gone(&self) -> bool {
        self.other().lock.bury_if_dead();
        self.other_is_gone()
    }

    /// Whether nobody has had the other end yet.
    #[must_use]
    pub fn is_peer_awaited(&self) -> bool {
        other_is(self.other()) == Other::Awaited
    }

    /// Which end this is.
    #[must_use]
    pub fn side(&self) -> Side {
        self.side
    }

    /// The length in bytes of the longest message that can be sent. It finds room whenever the pipe is
    /// empty.
    #[must_use]
    pub fn max_message(&self) -> usize {
        self.pipe.to_first.max_message()
    }
}
