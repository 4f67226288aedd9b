//! Who sends requests and waits for replies.

use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Service;
use super::place::Outcome;
use crate::data::board::{Kind, Locked};
use crate::error::{CallError, LockError};
use crate::layout::{ServicePlace, Share};
use crate::raw::deadline::Deadline;
use crate::sync::shares;

/// Sends requests to a [`Service`] and receives their replies: [`Service::client`]. It belongs to the
/// thread that made it; dropped, it makes room for another one.
pub struct Client {
    service: Service,
    hand: usize,
    _thread: PhantomData<*mut ()>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("service", &self.service).finish_non_exhaustive()
    }
}

/// A request that was sent, and whose reply has not been received: [`Client::send`]. Dropped, it is
/// taken back, or its reply goes to nobody.
#[must_use = "a request that is dropped is taken back"]
pub struct Pending<'a> {
    client: &'a Client,
    place: usize,
    order: u64,
    /// The place is nobody's any more.
    over: Cell<bool>,
}

/// What a try to send came to.
enum Sent {
    Done(usize, u64),
    Closed,
    NoServer,
}

/// What a look at a request shows that is over.
enum Over {
    Answered(Outcome),
    NoServer,
    /// Something else wrote there.
    Lost,
}

impl Client {
    pub(super) fn new(service: Service, hand: usize) -> Self {
        Self { service, hand, _thread: PhantomData }
    }

    /// The hand, if this thread has it: a copy of the client that a fork made has not.
    fn mine(&self) -> Result<&Share, LockError> {
        let hand = self.service.board.hand(self.hand);
        hand.filter(|hand| shares::is_mine(hand)).ok_or(LockError::WouldBlock)
    }

    fn attempt_send(&self, locked: &Locked<'_>, request: &[u8]) -> Result<Option<Sent>, LockError> {
        if locked.is_closed() {
            return Ok(Some(Sent::Closed));
        }
        if self.service.has_lost_all_servers(locked) {
            return Ok(Some(Sent::NoServer));
        }
        let send = || {
            let place = Cell::new(0);
            let order = locked.push(|index| {
                place.set(index);
                self.service.write_request(index, self.hand, request);
            })?;
            Some(Sent::Done(place.get(), order))
        };
        match send() {
            None => {
                self.service.reclaim(locked)?;
                if self.service.has_lost_all_servers(locked) {
                    return Ok(Some(Sent::NoServer));
                }
                Ok(send())
            }
            sent => Ok(sent),
        }
    }

    fn send_until(&self, request: &[u8], deadline: Deadline) -> Result<Pending<'_>, CallError> {
        let (length, largest) = (request.len(), self.service.max_request());
        if length > largest {
            return Err(CallError::TooLong { length, largest });
        }
        self.mine()?;
        let board = &self.service.board;
        let sent = board.settle(
            deadline,
            &board.inner.not_full,
            || board.has_free() || board.is_closed(),
            |locked| self.attempt_send(locked, request),
        )?;
        match sent {
            Some(Sent::Done(place, order)) => {
                Ok(Pending { client: self, place, order, over: Cell::new(false) })
            }
            Some(Sent::Closed) => Err(CallError::Closed),
            Some(Sent::NoServer) => Err(CallError::NoServer),
            None => Err(CallError::TimedOut),
        }
    }

    /// Sends a request and sleeps until there is a reply.
    ///
    /// # Errors
    ///
    /// [`NoServer`](CallError::NoServer), [`ServerDied`](CallError::ServerDied),
    /// [`Unanswered`](CallError::Unanswered): there will be no reply. [`TooLong`](CallError::TooLong),
    /// [`Closed`](CallError::Closed). [`Lock`](CallError::Lock): with
    /// [`Deadlock`](LockError::Deadlock) if this thread is the only server, or has the request in its
    /// own hands; with [`TooManyLocks`](LockError::TooManyLocks); with
    /// [`Corrupt`](LockError::Corrupt); with [`WouldBlock`](LockError::WouldBlock) in a process that
    /// was forked from the client's.
    pub fn call(&self, request: &[u8]) -> Result<Vec<u8>, CallError> {
        let deadline = self.service.forever();
        self.send_until(request, deadline)?.wait_until(deadline)
    }

    /// [`call`](Self::call), sleeping for at most `timeout`, in all.
    ///
    /// # Errors
    ///
    /// [`TimedOut`](CallError::TimedOut), never before the time is up, and those of
    /// [`call`](Self::call).
    pub fn call_timeout(&self, request: &[u8], timeout: Duration) -> Result<Vec<u8>, CallError> {
        let deadline = self.service.board.inner.within(timeout);
        self.send_until(request, deadline)?.wait_until(deadline)
    }

    /// Sends a request, sleeping while as many are under way as there can be.
    ///
    /// # Errors
    ///
    /// Those of [`call`](Self::call).
    pub fn send(&self, request: &[u8]) -> Result<Pending<'_>, CallError> {
        self.send_until(request, self.service.forever())
    }

    /// [`send`](Self::send), sleeping for at most `timeout`.
    ///
    /// # Errors
    ///
    /// Those of [`call_timeout`](Self::call_timeout).
    pub fn send_timeout(
        &self,
        request: &[u8],
        timeout: Duration,
    ) -> Result<Pending<'_>, CallError> {
        self.send_until(request, self.service.board.inner.within(timeout))
    }

    /// The service that this calls.
    #[must_use]
    pub fn service(&self) -> &Service {
        &self.service
    }
}

impl Service {
    /// With the lock held: whether there were servers, or can be no new requests, and none is left.
    fn has_lost_all_servers(&self, locked: &Locked<'_>) -> bool {
        // Servers have the first hands.
        let has_server = locked.used().next().is_some_and(|hand| hand < self.shape.servers);
        let had_server = locked.head.served.load(Ordering::Relaxed) != 0;
        !has_server && (had_server || locked.is_closed())
    }

    /// With the lock held: whether only this thread can answer a request.
    fn waits_for_itself(&self, locked: &Locked<'_>, place: usize) -> bool {
        if locked.place(place).is_some_and(|place| place.kind() == Kind::Taken) {
            return locked.used().any(|hand| {
                locked.is_mine(hand) && locked.place(place).is_some_and(|place| place.is_in(hand))
            });
        }
        let mut servers = self.shape.server_hands().filter(|hand| locked.is_used(*hand)).peekable();
        servers.peek().is_some() && servers.all(|hand| locked.is_mine(hand))
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let Ok(hand) = self.mine() else { return };
        let service = &self.service;
        let gone = service.board.locked(service.forever(), |locked| {
            service.forget_client(locked, self.hand);
            locked.give_hand_back(self.hand, hand);
        });
        if gone.is_err() {
            // This thread has no room for one more lock: as if it had died.
            hand.lock.unlock(crate::raw::lock::Release::Dirty);
        }
    }
}

impl Pending<'_> {
    fn service(&self) -> &Service {
        &self.client.service
    }

    /// The place, if it still has this request.
    fn place(&self) -> Option<&ServicePlace> {
        let place = self.service().call(self.place)?;
        let is_it = place.task.order.load(Ordering::Relaxed) == self.order
            && place.client() == Some(self.client.hand);
        is_it.then_some(place)
    }

    /// Whether the request is over, so that [`wait`](Self::wait) does not sleep: there is a reply, or
    /// there will be none.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.place().is_none_or(|place| place.task.kind() == Kind::Answered)
    }

    fn attempt(&self, locked: &Locked<'_>) -> Result<Option<Over>, LockError> {
        let service = self.service();
        let kind = || self.place().map(|place| place.task.kind());
        if matches!(kind(), Some(Kind::Ready | Kind::Taken)) {
            // Its server may be dead, or all of them.
            service.reclaim(locked)?;
            if kind() == Some(Kind::Ready) && service.has_lost_all_servers(locked) {
                return Ok(Some(Over::NoServer));
            }
            if kind() != Some(Kind::Answered) && service.waits_for_itself(locked, self.place) {
                return Err(LockError::Deadlock);
            }
        }
        Ok(match self.place() {
            Some(place) if place.task.kind() == Kind::Answered => {
                Some(Over::Answered(place.outcome()))
            }
            Some(place) if matches!(place.task.kind(), Kind::Ready | Kind::Taken) => None,
            _ => Some(Over::Lost),
        })
    }

    fn wait_until(self, deadline: Deadline) -> Result<Vec<u8>, CallError> {
        const LOST: LockError = LockError::Corrupt { what: "a call" };
        self.client.mine()?;
        let service = self.service();
        let place = service.call(self.place).ok_or(LOST)?;
        let over = service.board.settle(
            deadline,
            &place.event,
            || self.is_over(),
            |locked| self.attempt(locked),
        )?;
        // What is left of it goes as this is dropped.
        match over {
            Some(Over::Answered(Outcome::Reply)) => {
                service.read_reply(self.place).ok_or(LockError::Corrupt { what: "a reply" }.into())
            }
            Some(Over::Answered(Outcome::Unanswered)) => Err(CallError::Unanswered),
            Some(Over::Answered(Outcome::Died)) => Err(CallError::ServerDied),
            Some(Over::NoServer) => Err(CallError::NoServer),
            Some(Over::Lost) => {
                self.over.set(true);
                Err(LOST.into())
            }
            None => Err(CallError::TimedOut),
        }
    }

    /// Sleeps until there is a reply.
    ///
    /// # Errors
    ///
    /// Those of [`Client::call`].
    pub fn wait(self) -> Result<Vec<u8>, CallError> {
        let deadline = self.service().forever();
        self.wait_until(deadline)
    }

    /// Sleeps for at most `timeout` until there is a reply. When the time is up, the request is taken
    /// back, or its reply goes to nobody.
    ///
    /// # Errors
    ///
    /// Those of [`Client::call_timeout`].
    pub fn wait_timeout(self, timeout: Duration) -> Result<Vec<u8>, CallError> {
        let deadline = self.service().board.inner.within(timeout);
        self.wait_until(deadline)
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        if self.over.get() || self.client.mine().is_err() {
            return;
        }
        let service = self.service();
        // Fails if this thread has no room for one more lock: then the place goes with the client.
        let _gone = service.board.locked(service.forever(), |locked| {
            if self.place().is_some() {
                service.abandon(locked, self.place);
            }
        });
    }
}

impl fmt::Debug for Pending<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending").field("is_over", &self.is_over()).finish_non_exhaustive()
    }
}
