//! Messages into a pipe.

use std::time::Duration;

use super::end::PipeEnd;
use crate::data::attempt::Attempt;
use crate::data::byte_queue::{ByteQueue, Grant};
use crate::error::{LockError, PipeSendError};
use crate::raw::deadline::Deadline;

impl PipeEnd {
    fn attempt_grant<'a>(
        &'a self,
        queue: &'a ByteQueue,
        length: usize,
        deadline: Deadline,
    ) -> Result<Attempt<Grant<'a>>, LockError> {
        if self.other_is_gone() {
            return Ok(Attempt::Closed);
        }
        queue.attempt_grant(length, Some(deadline))
    }

    fn target(&self, length: usize) -> Result<&ByteQueue, PipeSendError> {
        self.check_mine()?;
        let queue = self.outgoing().ok_or(PipeSendError::ReceivesOnly)?;
        let largest = queue.max_message();
        if length > largest {
            return Err(PipeSendError::TooLong { length, largest });
        }
        Ok(queue)
    }

    pub(super) fn grant_until(
        &self,
        length: usize,
        deadline: Deadline,
    ) -> Result<Grant<'_>, PipeSendError> {
        let queue = self.target(length)?;
        match self.settle(
            queue.not_full(),
            deadline,
            || queue.takes(length),
            || self.attempt_grant(queue, length, deadline),
        ) {
            Ok(Attempt::Done(grant)) => Ok(grant),
            Ok(Attempt::Closed) => Err(PipeSendError::BrokenPipe),
            Ok(Attempt::Unready) | Err(LockError::TimedOut { .. }) => Err(PipeSendError::TimedOut),
            Err(error) => Err(error.into()),
        }
    }

    /// Sends a message, sleeping while there is too little room.
    ///
    /// # Errors
    ///
    /// [`TooLong`](PipeSendError::TooLong): it can never be sent;
    /// [`BrokenPipe`](PipeSendError::BrokenPipe): the other end is gone. (One that goes later may
    /// leave it unread.) [`ReceivesOnly`](PipeSendError::ReceivesOnly);
    /// [`Lock`](PipeSendError::Lock), with [`Deadlock`](LockError::Deadlock) if this thread has the
    /// other end as well and there is no room, or has a [`Grant`] of this end, and with
    /// [`WouldBlock`](LockError::WouldBlock) in a process that was forked from this end's.
    pub fn send_bytes(&self, message: &[u8]) -> Result<(), PipeSendError> {
        // The case that is to be fast.
        let at_once = self.check_mine().is_ok() && !self.other_is_gone();
        if at_once && self.outgoing().is_some_and(|queue| queue.push_at_once(message)) {
            return Ok(());
        }
        self.grant_until(message.len(), self.forever()).map(|grant| grant.push(message))
    }

    /// Sends a message if there is room.
    ///
    /// # Errors
    ///
    /// [`Full`](PipeSendError::Full), and those of [`send_bytes`](Self::send_bytes).
    pub fn try_send_bytes(&self, message: &[u8]) -> Result<(), PipeSendError> {
        self.try_grant(message.len()).map(|grant| grant.push(message))
    }

    /// Sends a message, sleeping for at most `timeout` while there is too little room.
    ///
    /// # Errors
    ///
    /// [`TimedOut`](PipeSendError::TimedOut), never before the time is up, and those of
    /// [`send_bytes`](Self::send_bytes).
    pub fn send_bytes_timeout(
        &self,
        message: &[u8],
        timeout: Duration,
    ) -> Result<(), PipeSendError> {
        let deadline = self.within(timeout);
        self.grant_until(message.len(), deadline).map(|grant| grant.push(message))
    }

    /// Room for a message of `length` bytes, to be written in place; sleeps while there is too little.
    /// [`Grant::commit`] sends it. Meanwhile nothing else can be sent here.
    ///
    /// # Errors
    ///
    /// Those of [`send_bytes`](Self::send_bytes).
    pub fn grant(&self, length: usize) -> Result<Grant<'_>, PipeSendError> {
        self.grant_until(length, self.forever())
    }

    /// [`grant`](Self::grant), if there is room.
    ///
    /// # Errors
    ///
    /// Those of [`try_send_bytes`](Self::try_send_bytes).
    pub fn try_grant(&self, length: usize) -> Result<Grant<'_>, PipeSendError> {
        let queue = self.target(length)?;
        match self.attempt_grant(queue, length, self.at_once()) {
            Ok(Attempt::Done(grant)) => Ok(grant),
            Ok(Attempt::Closed) => Err(PipeSendError::BrokenPipe),
            Ok(Attempt::Unready) | Err(LockError::TimedOut { .. }) => Err(PipeSendError::Full),
            Err(error) => Err(error.into()),
        }
    }

    /// [`grant`](Self::grant), sleeping for at most `timeout`.
    ///
    /// # Errors
    ///
    /// Those of [`send_bytes_timeout`](Self::send_bytes_timeout).
    pub fn grant_timeout(
        &self,
        length: usize,
        timeout: Duration,
    ) -> Result<Grant<'_>, PipeSendError> {
        self.grant_until(length, self.within(timeout))
    }
}
