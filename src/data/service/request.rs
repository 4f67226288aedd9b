//! A request in a server's hands.

use std::fmt;
use std::ops::Deref;

use super::{Outcome, Server};
use crate::data::board::HandedOut;
use crate::error::{LockError, ReplyError};

/// A request in this server's hands: [`Server::accept`]. It dereferences to a copy of its bytes.
///
/// [`reply`](Self::reply) answers it. Dropped without that, as in a panic, the client gets
/// [`Unanswered`](crate::CallError::Unanswered) at once.
#[must_use = "a request that is dropped is unanswered"]
pub struct Request<'a> {
    server: &'a Server,
    place: HandedOut,
    bytes: Vec<u8>,
    answered: bool,
}

impl<'a> Request<'a> {
    pub(super) fn new(server: &'a Server, place: HandedOut, bytes: Vec<u8>) -> Self {
        Self { server, place, bytes, answered: false }
    }

    /// False if nobody waits for the answer.
    fn end(&mut self, outcome: Outcome) -> Result<bool, LockError> {
        self.server.mine()?;
        let (service, place) = (self.server.service(), self.place.place);
        let reached = service.board.locked(service.forever(), |locked| {
            // A damaged place may say otherwise.
            let is_mine = locked.place(place).is_some_and(|p| p.is_in(self.server.hand()));
            is_mine && service.answer(locked, place, outcome)
        })?;
        self.answered = true;
        Ok(reached)
    }

    /// Answers the request. Once it is answered, dropping it has no effect.
    ///
    /// # Errors
    ///
    /// [`TooLong`](ReplyError::TooLong): it is still unanswered. [`Answered`](ReplyError::Answered):
    /// it was, before. [`ClientGone`](ReplyError::ClientGone): nobody waits for the reply any more.
    /// [`Lock`](ReplyError::Lock) with [`TooManyLocks`](LockError::TooManyLocks), or with
    /// [`WouldBlock`](LockError::WouldBlock) in a process that was forked from the server's; it is
    /// still unanswered then.
    pub fn reply(&mut self, reply: &[u8]) -> Result<(), ReplyError> {
        let (length, largest) = (reply.len(), self.server.service().max_reply());
        if self.answered {
            return Err(ReplyError::Answered);
        }
        if length > largest {
            return Err(ReplyError::TooLong { length, largest });
        }
        self.server.mine()?;
        self.server.service().write_reply(self.place.place, reply);
        if self.end(Outcome::Reply)? { Ok(()) } else { Err(ReplyError::ClientGone) }
    }

    /// The process that sent the request, if it is still there. Reads /proc.
    #[must_use]
    pub fn client_process(&self) -> Option<u32> {
        let service = self.server.service();
        let client = service.call(self.place.place)?.client()?;
        service.board.hand(client)?.lock.holder()?.process_id
    }

    /// How often the request was handed to a server, this time included: 1, unless one died with it.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        u32::try_from(self.place.attempt).unwrap_or(u32::MAX)
    }
}

impl Deref for Request<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Request<'_> {
    fn drop(&mut self) {
        if !self.answered {
            // Fails for a copy that a fork made, which answers nothing, and where this thread has no
            // room for one more lock: then its server's end gives it up.
            let _ended = self.end(Outcome::Unanswered);
        }
    }
}

impl fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("bytes", &self.bytes.len())
            .field("answered", &self.answered)
            .finish_non_exhaustive()
    }
}
