//! Who accepts connections.

use std::fmt;
use std::marker::PhantomData;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{Listener, Ticket, is_held, set_ticket, ticket};
use crate::data::pipe::{PipeEnd, Side, enter};
use crate::error::{AcceptError, ListenError, LockError};
use crate::layout::{self, Share};
use crate::raw::deadline::Deadline;
use crate::raw::event_count::Notify;
use crate::raw::lock::Release;
use crate::sync::shares;
use crate::sync::wait_any::{Wait, Words};

/// Accepts connections of a [`Listener`]: [`Listener::acceptor`]. It belongs to the thread that made
/// it, and so do the ends that it accepts. While there is one, those who connect wait to be accepted.
///
/// For [`wait_any`](crate::wait_any) it is ready when somebody waits to be accepted.
pub struct Acceptor {
    listener: Listener,
    place: usize,
    _thread: PhantomData<*mut ()>,
}

impl fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acceptor").field("listener", &self.listener).finish_non_exhaustive()
    }
}

impl Drop for Acceptor {
    fn drop(&mut self) {
        if let Ok(share) = self.mine() {
            share.lock.unlock(Release::Clean);
            // There may be no other.
            self.listener.inner.changes.event.notify(Notify::All);
        }
    }
}

impl Listener {
    /// Makes this thread one that accepts connections.
    ///
    /// # Errors
    ///
    /// [`NoPlace`](ListenError::NoPlace): there are as many live ones as there are places;
    /// [`Lock`](ListenError::Lock) with [`ReadOnly`](LockError::ReadOnly),
    /// [`TooManyLocks`](LockError::TooManyLocks).
    pub fn acceptor(&self) -> Result<Acceptor, ListenError> {
        let node = self.inner.writable()?;
        let mut place = self.take_share()?;
        if place.is_none() {
            self.acceptor_shares().for_each(shares::bury_if_gone);
            place = self.take_share()?;
        }
        let place = place.ok_or(ListenError::NoPlace { limit: self.options.acceptors })?;
        // Who connects may wait for one to come.
        node.changes.event.notify(Notify::All);
        Ok(Acceptor { listener: self.clone(), place, _thread: PhantomData })
    }

    fn take_share(&self) -> Result<Option<usize>, LockError> {
        for (index, share) in self.acceptor_shares().enumerate() {
            match shares::take(share) {
                Ok(()) => return Ok(Some(index)),
                // NotRecoverable: of damaged bytes, a place that is no good.
                Err(LockError::WouldBlock | LockError::Deadlock | LockError::NotRecoverable) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// The place of who waits the longest.
    fn first_in_line(&self) -> Option<(usize, &layout::Pipe, u64)> {
        self.places()
            .filter_map(|(index, place)| match ticket(place) {
                // A ticket without a holder is nobody's.
                Ticket::Waits(number) if is_held(&place.second) => Some((index, place, number)),
                _ => None,
            })
            .min_by_key(|(_, _, number)| *number)
    }

    /// Takes the first end of who waits the longest.
    fn accept_first(&self, deadline: Deadline) -> Result<Option<PipeEnd>, LockError> {
        // A look without the lock: nothing to do, mostly.
        if self.first_in_line().is_none() {
            return Ok(None);
        }
        self.locked(deadline, |node| {
            let Some((index, place, number)) = self.first_in_line() else { return Ok(None) };
            let taken = self.pipe(index).and_then(|pipe| {
                shares::take(&place.first)?;
                enter(&place.first);
                Ok(pipe.into_end(Side::First))
            });
            match &taken {
                Ok(_) => set_ticket(place, Ticket::Accepted(number)),
                // It has to let go of some, or another one accepts.
                Err(LockError::TooManyLocks { .. }) => {}
                // Bytes that cannot be: who waits there is told, and it is not found again.
                Err(_) => set_ticket(place, Ticket::None),
            }
            node.changes.event.notify(Notify::All);
            taken.map(Some)
        })?
    }
}

impl Acceptor {
    /// The share, if this thread has it: a copy of the acceptor that a fork made has not.
    fn mine(&self) -> Result<&Share, LockError> {
        let share = self.listener.acceptors.get(self.place);
        share.filter(|share| share.lock.names_this_thread()).ok_or(LockError::WouldBlock)
    }

    fn accept_until(&self, deadline: Deadline) -> Result<PipeEnd, AcceptError> {
        self.mine()?;
        let event = &self.listener.inner.arrivals.event;
        let attempt = || match self.listener.accept_first(deadline) {
            Ok(None) => None,
            Ok(Some(end)) => Some(Ok(end)),
            Err(LockError::TimedOut { .. }) => Some(Err(AcceptError::TimedOut)),
            Err(error) => Some(Err(error.into())),
        };
        event.wait_until(deadline, attempt).unwrap_or(Err(AcceptError::TimedOut))
    }

    /// Accepts a connection, sleeping until somebody wants one. Returns this side's end.
    ///
    /// The other end may be gone by then, as at any later time: then it is at the end of file.
    ///
    /// # Errors
    ///
    /// [`Lock`](AcceptError::Lock) with [`TooManyLocks`](LockError::TooManyLocks), with
    /// [`WouldBlock`](LockError::WouldBlock) in a process that was forked from the acceptor's, or with
    /// [`Corrupt`](LockError::Corrupt).
    pub fn accept(&self) -> Result<PipeEnd, AcceptError> {
        self.accept_until(self.listener.inner.forever())
    }

    /// Accepts a connection if somebody wants one.
    ///
    /// # Errors
    ///
    /// [`Empty`](AcceptError::Empty), and those of [`accept`](Self::accept);
    /// [`WouldBlock`](LockError::WouldBlock) also while another one is stopped in the middle of
    /// connecting or accepting.
    pub fn try_accept(&self) -> Result<PipeEnd, AcceptError> {
        /// For others that connect or accept at the moment, which takes microseconds.
        const BRIEFLY: Duration = Duration::from_millis(100);
        self.mine()?;
        match self.listener.accept_first(self.listener.inner.within(BRIEFLY)) {
            Ok(accepted) => accepted.ok_or(AcceptError::Empty),
            Err(LockError::TimedOut { .. }) => Err(LockError::WouldBlock.into()),
            Err(error) => Err(error.into()),
        }
    }

    /// Accepts a connection, sleeping for at most `timeout` until somebody wants one.
    ///
    /// # Errors
    ///
    /// [`TimedOut`](AcceptError::TimedOut), never before the time is up, and those of
    /// [`accept`](Self::accept).
    pub fn accept_timeout(&self, timeout: Duration) -> Result<PipeEnd, AcceptError> {
        self.accept_until(self.listener.inner.within(timeout))
    }

    /// The listener whose connections it accepts.
    #[must_use]
    pub fn listener(&self) -> &Listener {
        &self.listener
    }
}

#[allow(private_interfaces)] // sealed
impl Wait for Acceptor {
    fn words(&self) -> usize {
        1
    }

    fn is_ready(&self) -> Result<bool, LockError> {
        self.mine()?;
        Ok(self.listener.first_in_line().is_some())
    }

    fn announce<'a>(&'a self, words: &mut Words<'a>) -> Result<(), LockError> {
        words.event(&self.listener.inner.arrivals.event);
        Ok(())
    }

    // Whoever connects wakes everybody: there is nothing to pass on.
}

/// Draws the next ticket. With the listener's lock held.
pub(super) fn draw(node: &layout::Listener) -> u64 {
    /// A ticket's number and two bits have room in a word; none is 0.
    const NUMBERS: u64 = u64::MAX >> 2;
    let number = (node.ticket.load(Ordering::Relaxed) & NUMBERS).wrapping_add(1) & NUMBERS;
    let number = number.max(1);
    node.ticket.store(number, Ordering::Relaxed);
    number
}
