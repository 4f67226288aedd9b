//! Who accepts requests.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use super::request::Request;
use super::{Outcome, Service};
use crate::data::board::{HandedOut, Kind, Locked};
use crate::error::{LockError, ServeError};
use crate::layout::Share;
use crate::raw::deadline::Deadline;
use crate::raw::lock::Release;
use crate::sync::shares;
use crate::sync::wait_any::{Wait, Words, pass_on};

/// Accepts the requests of a [`Service`]: [`Service::server`]. It belongs to the thread that made it;
/// dropped, it makes room for another one.
///
/// It may have several requests in its hands at a time. For [`wait_any`](crate::wait_any) it is ready
/// when there is a request, or the service is closed.
pub struct Server {
    service: Service,
    hand: usize,
    _thread: PhantomData<*mut ()>,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("service", &self.service).finish_non_exhaustive()
    }
}

/// What a try to accept came to.
enum Accepted {
    Request(HandedOut),
    Closed,
}

impl Server {
    pub(super) fn new(service: Service, hand: usize) -> Self {
        Self { service, hand, _thread: PhantomData }
    }

    /// The hand, if this thread has it: a copy of the server that a fork made has not.
    pub(super) fn mine(&self) -> Result<&Share, LockError> {
        let hand = self.service.board.hand(self.hand);
        hand.filter(|hand| shares::is_mine(hand)).ok_or(LockError::WouldBlock)
    }

    pub(super) fn hand(&self) -> usize {
        self.hand
    }

    /// Whether a request's client is there to wait for it.
    fn is_wanted(&self, request: HandedOut) -> bool {
        let client = self.service.call(request.place).and_then(|call| call.client());
        let hand = client.and_then(|client| self.service.board.hand(client));
        hand.is_some_and(|hand| hand.lock.is_held())
    }

    /// With the lock held: takes the oldest request whose client lives.
    fn take(&self, locked: &Locked<'_>) -> Option<HandedOut> {
        // Each turn takes one away.
        for _ in 0..=self.service.board.capacity() {
            let request = locked.take_into(self.hand)?;
            if self.is_wanted(request) {
                return Some(request);
            }
            locked.release(request.place);
        }
        None
    }

    fn attempt(&self, locked: &Locked<'_>) -> Result<Option<Accepted>, LockError> {
        let service = &self.service;
        locked.glance(|index, hand| service.bury(locked, index, hand))?;
        let mut request = self.take(locked);
        if request.is_none() {
            service.reclaim(locked)?;
            request = self.take(locked);
        }
        Ok(match request {
            Some(request) => Some(Accepted::Request(request)),
            None if locked.is_closed() && !self.may_come_back(locked) => Some(Accepted::Closed),
            None => None,
        })
    }

    /// Whether another server has a request that waits again when it dies.
    fn may_come_back(&self, locked: &Locked<'_>) -> bool {
        const ONCE: u64 = 1;
        let is_others = |place: usize| {
            locked
                .place(place)
                .is_some_and(|place| place.kind() == Kind::Taken && !place.is_in(self.hand))
        };
        self.service.board.limit() != ONCE && (0..self.service.board.capacity()).any(is_others)
    }

    fn request(&self, place: HandedOut) -> Result<Request<'_>, ServeError> {
        match self.service.read_request(place.place) {
            Some(bytes) => Ok(Request::new(self, place, bytes)),
            None => {
                let service = &self.service;
                service.board.locked(service.forever(), |locked| {
                    service.answer(locked, place.place, Outcome::Unanswered)
                })?;
                Err(LockError::Corrupt { what: "a request" }.into())
            }
        }
    }

    fn accept_until(&self, deadline: Deadline) -> Result<Request<'_>, ServeError> {
        self.mine()?;
        let board = &self.service.board;
        let accepted = board.settle(
            deadline,
            &board.inner.not_empty,
            || board.ready() != 0 || board.is_closed(),
            |locked| self.attempt(locked),
        )?;
        match accepted {
            Some(Accepted::Request(place)) => self.request(place),
            Some(Accepted::Closed) => Err(ServeError::Closed),
            None => Err(ServeError::TimedOut),
        }
    }

    /// Takes the oldest request into this server's hands, sleeping until there is one.
    ///
    /// # Errors
    ///
    /// [`Closed`](ServeError::Closed) once the service is closed and no request is left.
    /// [`Lock`](ServeError::Lock) with [`TooManyLocks`](LockError::TooManyLocks); with
    /// [`Corrupt`](LockError::Corrupt) for a request that cannot be, which is unanswered by that; with
    /// [`WouldBlock`](LockError::WouldBlock) in a process that was forked from the server's.
    pub fn accept(&self) -> Result<Request<'_>, ServeError> {
        self.accept_until(self.service.forever())
    }

    /// [`accept`](Self::accept), if there is a request.
    ///
    /// # Errors
    ///
    /// [`Empty`](ServeError::Empty), and those of [`accept`](Self::accept).
    pub fn try_accept(&self) -> Result<Request<'_>, ServeError> {
        self.mine()?;
        let service = &self.service;
        match service.board.locked(service.forever(), |locked| self.attempt(locked))?? {
            Some(Accepted::Request(place)) => self.request(place),
            Some(Accepted::Closed) => Err(ServeError::Closed),
            None => Err(ServeError::Empty),
        }
    }

    /// [`accept`](Self::accept), sleeping for at most `timeout`.
    ///
    /// # Errors
    ///
    /// [`TimedOut`](ServeError::TimedOut), never before the time is up, and those of
    /// [`accept`](Self::accept).
    pub fn accept_timeout(&self, timeout: Duration) -> Result<Request<'_>, ServeError> {
        self.accept_until(self.service.board.inner.within(timeout))
    }

    /// The service that this serves.
    #[must_use]
    pub fn service(&self) -> &Service {
        &self.service
    }

    fn is_worthwhile(&self) -> bool {
        let board = &self.service.board;
        board.ready() != 0 || board.has_dead() || board.is_closed()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let Ok(hand) = self.mine() else { return };
        let service = &self.service;
        let gone = service.board.locked(service.forever(), |locked| {
            // Only requests whose guards were leaked.
            service.give_up_all(locked, self.hand, hand);
            locked.give_hand_back(self.hand, hand);
        });
        if gone.is_err() {
            // This thread has no room for one more lock: as if it had died.
            hand.lock.unlock(Release::Dirty);
        }
    }
}

#[allow(private_interfaces)] // sealed
impl Wait for Server {
    fn words(&self) -> usize {
        self.service.board.watched_words()
    }

    fn is_ready(&self) -> Result<bool, LockError> {
        self.mine()?;
        Ok(self.is_worthwhile())
    }

    fn announce<'a>(&'a self, words: &mut Words<'a>) -> Result<(), LockError> {
        words.event(&self.service.board.inner.not_empty);
        self.service.board.watch_deaths(words);
        Ok(())
    }

    fn woken(&self) {
        self.service.board.bury_watched();
        pass_on(&self.service.board.inner.not_empty, self.is_worthwhile());
    }
}
