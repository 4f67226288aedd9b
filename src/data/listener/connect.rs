//! Who connects.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::accept::draw;
use super::{Listener, Ticket, bury_some, is_held, is_taken, set_ticket, ticket};
use crate::data::pipe::{PipeEnd, Side, close_unused, enter};
use crate::error::{ConnectError, LockError};
use crate::layout::{self, Share};
use crate::raw::deadline::Deadline;
use crate::raw::event_count::{Announced, Notify};
use crate::seam::atomic::AtomicU32;
use crate::seam::futex;
use crate::segment::Segment;
use crate::sync::shares;

/// A place that this thread has, and where it waits to be accepted.
struct Reserved<'a> {
    index: usize,
    place: &'a layout::Pipe,
    number: u64,
}

/// How long somebody waits to be accepted.
#[derive(Clone, Copy)]
struct Patience {
    deadline: Deadline,
    since: Instant,
    /// Whether it waits for an acceptor to come.
    for_acceptors: bool,
}

impl Patience {
    fn exhausted(&self) -> ConnectError {
        ConnectError::TimedOut { waited: self.since.elapsed() }
    }
}

/// For the listener's lock, of one whose time is up: it takes microseconds.
const GRACE: Duration = Duration::from_secs(1);

impl Listener {
    /// Takes a place to wait in. None if all are taken.
    fn reserve(&self, deadline: Deadline) -> Result<Option<Reserved<'_>>, LockError> {
        self.locked(deadline.at_least(GRACE), |node| {
            for (index, place) in self.places().filter(|(_, place)| !is_taken(place)) {
                // Nobody's, until it is stored anew.
                set_ticket(place, Ticket::None);
                let cleared = self.pipe(index).and_then(|pipe| pipe.clear());
                // Else one of its last users is not quite gone, or its bytes cannot be.
                if cleared.is_err() {
                    continue;
                }
                match shares::take(&place.second) {
                    Ok(()) => enter(&place.second),
                    Err(LockError::WouldBlock | LockError::NotRecoverable) => continue,
                    Err(error) => return Err(error),
                }
                let number = draw(node);
                // This publishes it.
                set_ticket(place, Ticket::Waits(number));
                node.arrivals.event.notify(Notify::All);
                return Ok(Some(Reserved { index, place, number }));
            }
            Ok(None)
        })?
    }

    /// Whether somebody accepts; an error if that is this thread alone, which would wait for itself.
    fn is_listening(&self, patience: &Patience) -> Result<bool, LockError> {
        let mut held = self.acceptor_shares().filter(|share| is_held(share)).peekable();
        let listening = held.peek().is_some();
        if listening
            && patience.deadline.is_endless()
            && held.all(|share| share.lock.names_this_thread())
        {
            return Err(LockError::Deadlock);
        }
        Ok(listening)
    }

    /// Sleeps until something may have changed since the announcement, or one of these shares is not
    /// what it was.
    fn sleep(
        &self,
        announced: Announced,
        words: &[(&Share, u32)],
        patience: Duration,
        turn: usize,
    ) {
        let event = &self.inner.changes.event;
        let pairs: Vec<(&AtomicU32, u32)> =
            words.iter().map(|(share, word)| (&share.lock.word, *word)).collect();
        event.sleep(announced, &pairs, patience);
        // The kernel wakes one at a death.
        words.iter().for_each(|(share, word)| share.lock.pass_death_on(*word));
        if !event.has_moved_on(announced) {
            bury_some(words.iter().map(|(share, _)| *share), turn);
        }
    }

    /// The words of shares that are held.
    fn held<'a>(shares: impl Iterator<Item = &'a Share>) -> Vec<(&'a Share, u32)> {
        shares
            .filter(|share| is_held(share))
            .map(|share| (share, share.lock.word.load(Ordering::Relaxed)))
            .take(futex::MOST - 1)
            .collect()
    }

    fn connect_within(&self, patience: Patience) -> Result<PipeEnd, ConnectError> {
        self.inner.writable()?;
        let mut turn = 0;
        let reserved = loop {
            let announced = self.inner.changes.event.announce();
            let ends = self
                .places()
                .map(|(_, place)| if is_held(&place.first) { &place.first } else { &place.second });
            let words = Self::held(self.acceptor_shares().chain(ends));
            let listening = self.is_listening(&patience)?;
            if listening {
                match self.reserve(patience.deadline) {
                    Ok(Some(reserved)) => break reserved,
                    Ok(None) => {}
                    Err(LockError::TimedOut { .. }) => return Err(patience.exhausted()),
                    Err(error) => return Err(error.into()),
                }
            } else if !patience.for_acceptors {
                return Err(ConnectError::NoListener);
            }
            match patience.deadline.remaining() {
                Some(left) => self.sleep(announced, &words, left, turn),
                None if listening => return Err(patience.exhausted()),
                None => return Err(ConnectError::NoListener),
            }
            turn += 1;
        };
        self.await_acceptance(&reserved, patience)
    }

    fn await_acceptance(
        &self,
        reserved: &Reserved<'_>,
        patience: Patience,
    ) -> Result<PipeEnd, ConnectError> {
        let outcome = self.accepted(reserved, patience);
        match outcome.and_then(|()| Ok(self.pipe(reserved.index)?)) {
            Ok(pipe) => Ok(pipe.into_end(Side::Second)),
            Err(error) => {
                // Should it be accepted this moment, that one's end is at the end of file.
                close_unused(&reserved.place.second);
                self.inner.changes.event.notify(Notify::All);
                Err(error)
            }
        }
    }

    fn accepted(&self, reserved: &Reserved<'_>, patience: Patience) -> Result<(), ConnectError> {
        let mut turn = 0;
        loop {
            let announced = self.inner.changes.event.announce();
            let words = Self::held(self.acceptor_shares());
            let now = ticket(reserved.place);
            if now == Ticket::Accepted(reserved.number) {
                return Ok(());
            }
            if now != Ticket::Waits(reserved.number) {
                return Err(LockError::Corrupt { what: "a listener's tickets" }.into());
            }
            let listening = self.is_listening(&patience)?;
            if !listening && !patience.for_acceptors {
                // The last one may have accepted it before it went.
                return match ticket(reserved.place) {
                    now if now == Ticket::Accepted(reserved.number) => Ok(()),
                    _ => Err(ConnectError::NoListener),
                };
            }
            match patience.deadline.remaining() {
                Some(left) => self.sleep(announced, &words, left, turn),
                None if listening => return Err(patience.exhausted()),
                None => return Err(ConnectError::NoListener),
            }
            turn += 1;
        }
    }

    /// Connects: sleeps until there is a place and an [`Acceptor`](crate::Acceptor) has accepted.
    /// Returns this side's end.
    ///
    /// # Errors
    ///
    /// [`NoListener`](ConnectError::NoListener): nobody accepts connections at the moment, or any more;
    /// [`Lock`](ConnectError::Lock) with [`Deadlock`](LockError::Deadlock) if it is this thread alone
    /// that would accept, with [`ReadOnly`](LockError::ReadOnly),
    /// [`TooManyLocks`](LockError::TooManyLocks) or [`Corrupt`](LockError::Corrupt).
    pub fn connect(&self) -> Result<PipeEnd, ConnectError> {
        self.connect_within(Patience {
            deadline: self.inner.forever(),
            since: Instant::now(),
            for_acceptors: false,
        })
    }

    /// [`connect`](Self::connect), waiting for at most `timeout`, for an [`Acceptor`](crate::Acceptor) to
    /// come as well: for programs that are started in any order.
    ///
    /// # Errors
    ///
    /// Never before the time is up: [`NoListener`](ConnectError::NoListener) if there is no acceptor
    /// then, and [`TimedOut`](ConnectError::TimedOut) if there is. [`Lock`](ConnectError::Lock) as for
    /// [`connect`](Self::connect).
    pub fn connect_timeout(&self, timeout: Duration) -> Result<PipeEnd, ConnectError> {
        self.connect_within(Patience {
            deadline: self.inner.within(timeout),
            since: Instant::now(),
            for_acceptors: true,
        })
    }
}

impl Segment {
    /// Connects to the [`Listener`](crate::Listener) of that name: [`Listener::connect`].
    ///
    /// # Errors
    ///
    /// [`Object`](ConnectError::Object) with those of [`find`](Self::find), and those of
    /// [`Listener::connect`].
    pub fn connect(&self, name: &str) -> Result<PipeEnd, ConnectError> {
        self.find::<Listener>(name)?.connect()
    }
}
