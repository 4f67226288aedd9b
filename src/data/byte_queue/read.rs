//! Messages out: read in place, and pops, which copy from there.
#![allow(unsafe_code)] // slices of messages that only the lock's holder takes

use std::fmt;
use std::marker::PhantomData;
use std::mem;
use std::ops::Deref;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use super::end::Position;
use super::frame::Frame;
use super::{Attempt, ByteQueue};
use crate::error::{LockError, PopError};
use crate::layout;
use crate::raw::deadline::Deadline;
use crate::raw::event_count::Notify;
use crate::raw::lock::{Acquired, Release};

/// The oldest message of a [`ByteQueue`] where it is: [`ByteQueue::read`]. Dropping it takes the
/// message, as [`release`](Self::release) does; [`keep`](Self::keep) leaves it in the queue.
///
/// It starts at a multiple of 8 bytes. Whoever has it has the consumers' lock: others that pop wait
/// meanwhile. So a thread that waits with it for room in the same queue waits for itself.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let queue = outlive::Segment::anonymous()?.byte_queue("jobs", 1024)?;
/// queue.push(b"large job")?;
/// let message = queue.read()?;
/// if message.starts_with(b"large") {
///     message.keep(); // for a stronger one
/// }
/// assert_eq!(queue.len(), 1);
/// # Ok(())
/// # }
/// ```
///
/// The slice is a reference into shared memory. A process that writes there nevertheless, against the
/// queue's protocol, is undefined behaviour in this one; [`ByteQueue::pop_into`] copies once.
///
/// # Crash behaviour
///
/// The message of a thread that dies with it goes to the next consumer, and is counted in
/// [`stats`](ByteQueue::stats). That of one which panics is left in the queue as well.
#[must_use = "dropping it takes the message"]
pub struct Message<'a> {
    queue: &'a ByteQueue,
    position: Position,
    frame: Frame,
    /// Whether the thread was panicking when it got this.
    panicking: bool,
    _thread: PhantomData<*mut ()>,
}

impl fmt::Debug for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message").field("len", &self.len()).finish_non_exhaustive()
    }
}

impl ByteQueue {
    /// With the head's lock held by this thread, from a dead consumer.
    #[cold]
    fn recover_head(queue: &layout::ByteQueue) {
        // The dead one may not have come to it.
        queue.not_full.event.notify(Notify::All);
        queue.head.recover();
    }

    /// With the head's lock held: the oldest message.
    #[inline]
    fn oldest(&self, queue: &layout::ByteQueue) -> Result<Attempt<(Position, Frame)>, LockError> {
        // Before the position: what was pushed before the close is there then.
        // Acquire: pairs with the Release in `close`.
        let closed = queue.closed.load(Ordering::Acquire) != 0;
        let head = queue.head.at(Ordering::Relaxed);
        // Acquire: pairs with the Release in `advance`: what is there was written.
        let tail = queue.tail.at(Ordering::Acquire);
        match head.up_to(tail) {
            0 if closed => Ok(Attempt::Closed),
            0 => Ok(Attempt::Unready),
            used => match self.ring.message(head.bytes(), used) {
                Some(frame) => Ok(Attempt::Done((head, frame))),
                None => Err(Self::discard(queue)),
            },
        }
    }

    /// With the head's lock held: drops what cannot be read.
    #[cold]
    fn discard(queue: &layout::ByteQueue) -> LockError {
        queue.head.jump_to(queue.tail.progress());
        queue.not_full.event.notify(Notify::All);
        LockError::Corrupt { what: "the messages of a byte queue, which were dropped," }
    }

    /// Whether an attempt might succeed, or fail for another reason than an empty queue. Without a
    /// lock.
    #[inline]
    pub(super) fn has_message(&self) -> bool {
        let head = self.inner.head.at(Ordering::Relaxed);
        head.up_to(self.inner.tail.at(Ordering::Relaxed)) != 0 || self.is_closed()
    }

    #[inline]
    pub(super) fn attempt_read(
        &self,
        deadline: Option<Deadline>,
    ) -> Result<Attempt<Message<'_>>, LockError> {
        let queue = self.inner.writable()?;
        // A look without the lock keeps idle consumers out of one another's way.
        if !self.has_message() {
            return Ok(Attempt::Unready);
        }
        if self.acquire(&queue.head.lock, deadline)? == Acquired::OwnerDied {
            Self::recover_head(queue);
        }
        let found = match self.oldest(queue) {
            Ok(Attempt::Done((position, frame))) => {
                queue.head.start();
                let panicking = thread::panicking();
                let _thread = PhantomData;
                let message = Message { queue: self, position, frame, panicking, _thread };
                return Ok(Attempt::Done(message));
            }
            Ok(Attempt::Closed) => Ok(Attempt::Closed),
            Ok(Attempt::Unready) => Ok(Attempt::Unready),
            Err(error) => Err(error),
        };
        queue.head.lock.unlock(Release::Clean);
        found
    }

    #[inline]
    fn read_at_once(&self) -> Result<Message<'_>, PopError> {
        match self.attempt_read(None)? {
            Attempt::Done(message) => Ok(message),
            Attempt::Unready => Err(PopError::Empty),
            Attempt::Closed => Err(PopError::Closed),
        }
    }

    #[inline]
    fn read_until(&self, deadline: Deadline) -> Result<Message<'_>, PopError> {
        match self.settle(
            deadline,
            || self.attempt_read(Some(deadline)),
            |queue| (&queue.not_empty, &queue.tail),
            || self.has_message(),
        ) {
            Ok(Some(Attempt::Done(message))) => Ok(message),
            Ok(Some(Attempt::Closed)) => Err(PopError::Closed),
            Ok(Some(Attempt::Unready) | None) | Err(LockError::TimedOut { .. }) => {
                Err(PopError::TimedOut)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Takes the oldest message, sleeping while the queue is empty.
    ///
    /// # Errors
    ///
    /// [`Closed`](PopError::Closed) once the queue is closed and empty; [`Lock`](PopError::Lock), with
    /// [`Deadlock`](LockError::Deadlock) if this thread has a [`Message`], and with
    /// [`Corrupt`](LockError::Corrupt) if something else wrote to the queue's memory: all that was in
    /// it is dropped then, and it goes on empty.
    pub fn pop(&self) -> Result<Vec<u8>, PopError> {
        self.read_until(self.inner.forever()).map(Message::into_vec)
    }

    /// Takes the oldest message if there is one. Producers are not waited for, and other consumers for
    /// at most a millisecond: at work they take microseconds, or are dead.
    ///
    /// # Errors
    ///
    /// [`Empty`](PopError::Empty); [`Lock`](PopError::Lock) with
    /// [`WouldBlock`](LockError::WouldBlock) while another consumer has a [`Message`] or is stopped;
    /// and those of [`pop`](Self::pop).
    pub fn try_pop(&self) -> Result<Vec<u8>, PopError> {
        self.read_at_once().map(Message::into_vec)
    }

    /// Takes the oldest message, sleeping for at most `timeout` while the queue is empty.
    ///
    /// # Errors
    ///
    /// [`TimedOut`](PopError::TimedOut), never before the time is up, and those of
    /// [`pop`](Self::pop).
    pub fn pop_timeout(&self, timeout: Duration) -> Result<Vec<u8>, PopError> {
        self.read_until(self.inner.within(timeout)).map(Message::into_vec)
    }

    /// [`pop`](Self::pop) in place of what is in `buffer`, whose memory is used again. On an error it
    /// stays as it is.
    ///
    /// # Errors
    ///
    /// Those of [`pop`](Self::pop).
    pub fn pop_into(&self, buffer: &mut Vec<u8>) -> Result<(), PopError> {
        self.read_until(self.inner.forever()).map(|message| message.copy_to(buffer))
    }

    /// [`try_pop`](Self::try_pop) in place of what is in `buffer`. On an error it stays as it is.
    ///
    /// # Errors
    ///
    /// Those of [`try_pop`](Self::try_pop).
    pub fn try_pop_into(&self, buffer: &mut Vec<u8>) -> Result<(), PopError> {
        self.read_at_once().map(|message| message.copy_to(buffer))
    }

    /// [`pop_timeout`](Self::pop_timeout) in place of what is in `buffer`. On an error it stays as it
    /// is.
    ///
    /// # Errors
    ///
    /// Those of [`pop_timeout`](Self::pop_timeout).
    pub fn pop_into_timeout(
        &self,
        buffer: &mut Vec<u8>,
        timeout: Duration,
    ) -> Result<(), PopError> {
        self.read_until(self.inner.within(timeout)).map(|message| message.copy_to(buffer))
    }

    /// The oldest message where it is; sleeps while the queue is empty. Other consumers wait until the
    /// [`Message`] is dropped.
    ///
    /// # Errors
    ///
    /// Those of [`pop`](Self::pop).
    pub fn read(&self) -> Result<Message<'_>, PopError> {
        self.read_until(self.inner.forever()).map(Message::held)
    }

    /// [`read`](Self::read), if there is a message.
    ///
    /// # Errors
    ///
    /// Those of [`try_pop`](Self::try_pop).
    pub fn try_read(&self) -> Result<Message<'_>, PopError> {
        self.read_at_once().map(Message::held)
    }

    /// [`read`](Self::read), sleeping for at most `timeout`.
    ///
    /// # Errors
    ///
    /// Those of [`pop_timeout`](Self::pop_timeout).
    pub fn read_timeout(&self, timeout: Duration) -> Result<Message<'_>, PopError> {
        self.read_until(self.inner.within(timeout)).map(Message::held)
    }
}

impl<'a> Message<'a> {
    #[inline]
    fn node(&self) -> &'a layout::ByteQueue {
        &self.queue.inner
    }

    /// It may be held for long: somebody who waits for a message is to wait for this lock instead,
    /// where the kernel wakes it if this one dies.
    fn held(self) -> Self {
        self.node().not_empty.event.notify(Notify::One);
        self
    }

    fn into_vec(self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.copy_to(&mut bytes);
        bytes
    }

    /// Takes the message.
    #[inline]
    pub(super) fn copy_to(self, buffer: &mut Vec<u8>) {
        buffer.clear();
        self.frame.run.append_to(buffer);
        self.take();
        mem::forget(self);
    }

    #[inline]
    fn take(&self) {
        let queue = self.node();
        // This takes the message.
        queue.head.advance(self.position.after(self.frame.total));
        // All: how much room each of them waits for is not known.
        queue.not_full.event.notify(Notify::All);
        queue.head.lock.unlock(Release::Clean);
    }

    fn put_back(&self) {
        let queue = self.node();
        queue.head.stop();
        // It was this one that was woken for it.
        queue.not_empty.event.notify(Notify::One);
        queue.head.lock.unlock(Release::Clean);
    }

    /// Takes the message out of the queue: what dropping it does.
    pub fn release(self) {}

    /// Leaves the message in the queue, for the next consumer.
    pub fn keep(self) {
        if self.is_mine() {
            self.put_back();
        }
        mem::forget(self);
    }

    /// Whether this is no copy that a fork made.
    fn is_mine(&self) -> bool {
        self.node().head.lock.names_this_thread()
    }
}

impl Deref for Message<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: a message within the ring, which producers leave alone until it is taken; the head's
        // lock keeps it to this guard, and the handle that it borrows keeps it mapped. Any bytes are
        // valid.
        unsafe { self.frame.run.pointer().as_ref() }
    }
}

impl Drop for Message<'_> {
    fn drop(&mut self) {
        if !self.is_mine() {
            return;
        }
        if thread::panicking() && !self.panicking { self.put_back() } else { self.take() }
    }
}
