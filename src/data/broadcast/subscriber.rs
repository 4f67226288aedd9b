//! Who receives the messages of a broadcast.

use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{Broadcast, Slow};
use crate::data::attempt::{Attempt, settle};
use crate::data::cells::filled;
use crate::error::{LockError, RecvError};
use crate::layout::Share;
use crate::raw::bytes::Unchecked;
use crate::raw::deadline::Deadline;
use crate::raw::event_count::Notify;
use crate::raw::lock::Release;
use crate::seam::atomic::fence;
use crate::shared::Shared;
use crate::sync::wait_any::{Wait, Words};

/// Receives the messages of a [`Broadcast`], each exactly once: [`Broadcast::subscribe`]. It belongs
/// to the thread that subscribed; dropped, it makes room for another one.
///
/// For [`wait_any`](crate::wait_any) it is ready when there is something to receive, or the channel
/// is closed.
pub struct Subscriber<T: Shared> {
    pub(super) channel: Broadcast<T>,
    place: usize,
    /// What is received next.
    pub(super) position: Cell<u64>,
    _thread: PhantomData<*mut ()>,
}

impl<T: Shared> fmt::Debug for Subscriber<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscriber")
            .field("channel", &self.channel)
            .field("position", &self.position.get())
            .finish_non_exhaustive()
    }
}

impl<T: Shared> Drop for Subscriber<T> {
    fn drop(&mut self) {
        if let Ok(share) = self.mine() {
            share.lock.unlock(Release::Clean);
            self.tell_publishers();
        }
    }
}

/// What a look at a cell shows.
enum Look<T: Shared> {
    Message(Unchecked<T>),
    /// Nothing was published at this position yet.
    Nothing,
    /// So many messages were overwritten before they were received.
    Missed(u64),
}

const OUT_OF_RANGE: LockError = LockError::Corrupt { what: "the positions of a broadcast" };

impl<T: Shared> Subscriber<T> {
    /// With the share at `place`.
    pub(super) fn new(channel: Broadcast<T>, place: usize, position: u64) -> Self {
        Self { channel, place, position: Cell::new(position), _thread: PhantomData }
    }

    /// The share, if this thread has it: a copy of the subscriber that a fork made has not.
    fn mine(&self) -> Result<&Share, LockError> {
        let share = self.channel.shares.get(self.place);
        share.filter(|share| share.lock.names_this_thread()).ok_or(LockError::WouldBlock)
    }

    /// Publishers may wait for this one.
    fn tell_publishers(&self) {
        if self.channel.slow == Slow::Block {
            self.channel.inner.not_full.event.notify(Notify::All);
        }
    }

    fn advance(&self, share: &Share, position: u64) {
        self.position.set(position);
        // Release: pairs with the Acquire in `Broadcast::behind`: what was received was read.
        share.count.store(position, Ordering::Release);
        self.tell_publishers();
    }

    /// The message of a position, if it is there and not being overwritten.
    fn copy(&self, position: u64) -> Option<Unchecked<T>> {
        let (stamp, slot) = self.channel.cells.cell(position)?;
        // Acquire: pairs with the Release in `Broadcast::put`.
        if stamp.load(Ordering::Acquire) != filled(position) {
            return None;
        }
        let message = slot.read();
        // Acquire: pairs with the Release fence in `Broadcast::put`.
        fence(Ordering::Acquire);
        (stamp.load(Ordering::Relaxed) == filled(position)).then_some(message)
    }

    fn look(&self) -> Result<Look<T>, LockError> {
        let (position, capacity) = (self.position.get(), self.channel.cells.capacity());
        if let Some(message) = self.copy(position) {
            return Ok(Look::Message(message));
        }
        // Acquire: pairs with the Release in `QueueEnd::advance`: the stamps before it are there.
        let tail = self.channel.inner.tail.position.load(Ordering::Acquire);
        match tail.wrapping_sub(position) {
            // One ahead: of a publisher that has stored the stamp, and has not moved on yet, or died.
            0 | u64::MAX => Ok(Look::Nothing),
            behind if behind >> 63 != 0 => Err(OUT_OF_RANGE),
            behind => {
                // It may have come since the look.
                if let Some(message) = self.copy(position) {
                    return Ok(Look::Message(message));
                }
                // A publisher is at it, or died with it, or has overwritten it.
                Ok(Look::Missed(behind.saturating_sub(capacity).max(1)))
            }
        }
    }

    pub(super) fn attempt(&self) -> Result<Attempt<T>, RecvError> {
        let share = self.mine()?;
        // Before the message: what was published before the close is there then.
        // Acquire: pairs with the Release in `Broadcast::close`.
        let closed = self.channel.inner.closed.load(Ordering::Acquire) != 0;
        let position = self.position.get();
        match self.look()? {
            Look::Message(message) => {
                self.advance(share, position.wrapping_add(1));
                match message.check() {
                    Some(message) => Ok(Attempt::Done(message)),
                    None => Err(LockError::Corrupt { what: "a message" }.into()),
                }
            }
            Look::Missed(count) => {
                self.advance(share, position.wrapping_add(count));
                Err(RecvError::Lagged { missed: count })
            }
            Look::Nothing if closed => Ok(Attempt::Closed),
            Look::Nothing => Ok(Attempt::Unready),
        }
    }

    /// Whether this is ahead of the publishers by more than the message that one of them publishes.
    fn is_out_of_range(&self) -> bool {
        let tail = self.channel.inner.tail.position.load(Ordering::Relaxed);
        let behind = tail.wrapping_sub(self.position.get());
        behind >> 63 != 0 && behind != u64::MAX
    }

    /// Whether an attempt after one that found nothing is worthwhile.
    fn may_have_message(&self) -> bool {
        let position = self.position.get();
        self.channel.cells.is_filled(position, Ordering::Relaxed)
            || self.pending() > 0
            || self.channel.is_over()
    }

    fn recv_until(&self, deadline: Deadline) -> Result<T, RecvError> {
        let channel = &self.channel.inner;
        let publishers = (&channel.not_empty.event, &channel.tail.lock);
        match settle(publishers, deadline, || self.may_have_message(), || self.attempt())? {
            Attempt::Done(message) => Ok(message),
            Attempt::Unready => Err(RecvError::TimedOut),
            Attempt::Closed => Err(RecvError::Closed),
        }
    }

    /// Receives the next message, sleeping until there is one.
    ///
    /// # Errors
    ///
    /// [`Lagged`](RecvError::Lagged) says how many messages this one has missed; the next call goes on
    /// with the oldest that is there. [`Closed`](RecvError::Closed) once the channel is closed and all
    /// was received; [`Lock`](RecvError::Lock) with [`Corrupt`](LockError::Corrupt), or with
    /// [`WouldBlock`](LockError::WouldBlock) in a process that was forked from the subscriber's.
    pub fn recv(&mut self) -> Result<T, RecvError> {
        self.recv_until(self.channel.inner.forever())
    }

    /// Receives the next message if there is one.
    ///
    /// # Errors
    ///
    /// [`Empty`](RecvError::Empty), and those of [`recv`](Self::recv).
    pub fn try_recv(&mut self) -> Result<T, RecvError> {
        match self.attempt()? {
            Attempt::Done(message) => Ok(message),
            Attempt::Unready => Err(RecvError::Empty),
            Attempt::Closed => Err(RecvError::Closed),
        }
    }

    /// Receives the next message, sleeping for at most `timeout` until there is one.
    ///
    /// # Errors
    ///
    /// [`TimedOut`](RecvError::TimedOut), never before the time is up, and those of
    /// [`recv`](Self::recv).
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<T, RecvError> {
        self.recv_until(self.channel.inner.within(timeout))
    }

    /// How many messages there are to receive, those included that were overwritten meanwhile.
    #[must_use]
    pub fn pending(&self) -> u64 {
        self.channel.inner.tail.position.load(Ordering::Relaxed).saturating_sub(self.position.get())
    }

    /// The channel that this subscribes to.
    #[must_use]
    pub fn channel(&self) -> &Broadcast<T> {
        &self.channel
    }
}

#[allow(private_interfaces)] // sealed
impl<T: Shared> Wait for Subscriber<T> {
    fn words(&self) -> usize {
        2
    }

    fn is_ready(&self) -> Result<bool, LockError> {
        self.mine()?;
        if self.is_out_of_range() {
            return Err(OUT_OF_RANGE);
        }
        Ok(self.may_have_message())
    }

    fn announce<'a>(&'a self, words: &mut Words<'a>) -> Result<(), LockError> {
        words.event(&self.channel.inner.not_empty.event);
        words.beside(&self.channel.inner.tail.lock);
        Ok(())
    }

    #[cfg(feature = "async")]
    fn is_for_all(&self) -> bool {
        true
    }

    // Every message wakes everybody: there is nothing to pass on.
}
