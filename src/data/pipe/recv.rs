//! Messages out of a pipe.

use std::time::Duration;

use super::end::PipeEnd;
use crate::data::attempt::Attempt;
use crate::data::byte_queue::{ByteQueue, Message};
use crate::error::{LockError, PipeRecvError};
use crate::raw::deadline::Deadline;

impl PipeEnd {
    fn attempt_recv<'a>(
        &'a self,
        queue: &'a ByteQueue,
        deadline: Deadline,
    ) -> Result<Attempt<Message<'a>>, LockError> {
        let attempt = || queue.attempt_read(Some(deadline));
        match attempt()? {
            Attempt::Unready if self.other_is_gone() => match attempt()? {
                // Looked for after the other end was seen to be gone.
                Attempt::Unready => Ok(Attempt::Closed),
                other => Ok(other),
            },
            other => Ok(other),
        }
    }

    fn source(&self) -> Result<&ByteQueue, PipeRecvError> {
        self.check_mine()?;
        self.incoming().ok_or(PipeRecvError::SendsOnly)
    }

    pub(super) fn next_until(&self, deadline: Deadline) -> Result<Message<'_>, PipeRecvError> {
        let queue = self.source()?;
        match self.settle(
            queue.not_empty(),
            deadline,
            || queue.has_message(),
            || self.attempt_recv(queue, deadline),
        ) {
            Ok(Attempt::Done(message)) => Ok(message),
            Ok(Attempt::Closed) => Err(PipeRecvError::Eof),
            Ok(Attempt::Unready) | Err(LockError::TimedOut { .. }) => Err(PipeRecvError::TimedOut),
            Err(error) => Err(error.into()),
        }
    }

    pub(super) fn next_at_once(&self) -> Result<Message<'_>, PipeRecvError> {
        let queue = self.source()?;
        match self.attempt_recv(queue, self.at_once()) {
            Ok(Attempt::Done(message)) => Ok(message),
            Ok(Attempt::Closed) => Err(PipeRecvError::Eof),
            Ok(Attempt::Unready) | Err(LockError::TimedOut { .. }) => Err(PipeRecvError::Empty),
            Err(error) => Err(error.into()),
        }
    }

    /// What of a message was not read as part of a stream, in place of what is in `buffer`.
    fn copy(&self, message: Message<'_>, buffer: &mut Vec<u8>) {
        let skip = self.skip.take();
        message.copy_to(buffer);
        buffer.drain(..skip.min(buffer.len()));
    }

    fn to_vec(&self, message: Message<'_>) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.copy(message, &mut bytes);
        bytes
    }

    /// Receives a message, sleeping until there is one.
    ///
    /// # Errors
    ///
    /// [`Eof`](PipeRecvError::Eof): the other end is gone, and all that it sent was received;
    /// [`SendsOnly`](PipeRecvError::SendsOnly); [`Lock`](PipeRecvError::Lock), with
    /// [`Deadlock`](LockError::Deadlock) if this thread has the other end as well and nothing was sent,
    /// with [`WouldBlock`](LockError::WouldBlock) in a process that was forked from this end's, and
    /// with [`Corrupt`](LockError::Corrupt) if something else wrote to the pipe's memory: all that was
    /// in it is dropped then, and it goes on.
    pub fn recv_bytes(&self) -> Result<Vec<u8>, PipeRecvError> {
        let mut message = Vec::new();
        self.recv_bytes_into(&mut message)?;
        Ok(message)
    }

    /// Receives a message if there is one.
    ///
    /// # Errors
    ///
    /// [`Empty`](PipeRecvError::Empty), and those of [`recv_bytes`](Self::recv_bytes).
    pub fn try_recv_bytes(&self) -> Result<Vec<u8>, PipeRecvError> {
        self.next_at_once().map(|message| self.to_vec(message))
    }

    /// Receives a message, sleeping for at most `timeout` until there is one.
    ///
    /// # Errors
    ///
    /// [`TimedOut`](PipeRecvError::TimedOut), never before the time is up, and those of
    /// [`recv_bytes`](Self::recv_bytes).
    pub fn recv_bytes_timeout(&self, timeout: Duration) -> Result<Vec<u8>, PipeRecvError> {
        self.next_until(self.within(timeout)).map(|message| self.to_vec(message))
    }

    /// [`recv_bytes`](Self::recv_bytes) in place of what is in `buffer`, whose memory is used again. On
    /// an error it stays as it is.
    ///
    /// # Errors
    ///
    /// Those of [`recv_bytes`](Self::recv_bytes).
    pub fn recv_bytes_into(&self, buffer: &mut Vec<u8>) -> Result<(), PipeRecvError> {
        // The case that is to be fast.
        let at_once = self.skip.get() == 0 && self.check_mine().is_ok();
        if at_once && self.incoming().is_some_and(|queue| queue.pop_at_once(buffer)) {
            return Ok(());
        }
        self.next_until(self.forever()).map(|message| self.copy(message, buffer))
    }

    /// [`try_recv_bytes`](Self::try_recv_bytes) in place of what is in `buffer`. On an error it stays
    /// as it is.
    ///
    /// # Errors
    ///
    /// Those of [`try_recv_bytes`](Self::try_recv_bytes).
    pub fn try_recv_bytes_into(&self, buffer: &mut Vec<u8>) -> Result<(), PipeRecvError> {
        self.next_at_once().map(|message| self.copy(message, buffer))
    }

    /// [`recv_bytes_timeout`](Self::recv_bytes_timeout) in place of what is in `buffer`. On an error it
    /// stays as it is.
    ///
    /// # Errors
    ///
    /// Those of [`recv_bytes_timeout`](Self::recv_bytes_timeout).
    pub fn recv_bytes_into_timeout(
        &self,
        buffer: &mut Vec<u8>,
        timeout: Duration,
    ) -> Result<(), PipeRecvError> {
        self.next_until(self.within(timeout)).map(|message| self.copy(message, buffer))
    }

    /// The next message where it is; sleeps until there is one. Dropping it takes it;
    /// [`Message::keep`] leaves it in the pipe. Meanwhile nothing else can be received here.
    ///
    /// One that was read in part as a stream is whole again.
    ///
    /// # Errors
    ///
    /// Those of [`recv_bytes`](Self::recv_bytes); [`Deadlock`](LockError::Deadlock) also if this end
    /// has a message in place already.
    pub fn read_message(&self) -> Result<Message<'_>, PipeRecvError> {
        self.next_until(self.forever()).inspect(|_| self.skip.set(0))
    }

    /// [`read_message`](Self::read_message), if there is one.
    ///
    /// # Errors
    ///
    /// [`Empty`](PipeRecvError::Empty), and those of [`read_message`](Self::read_message).
    pub fn try_read_message(&self) -> Result<Message<'_>, PipeRecvError> {
        self.next_at_once().inspect(|_| self.skip.set(0))
    }

    /// [`read_message`](Self::read_message), sleeping for at most `timeout`.
    ///
    /// # Errors
    ///
    /// [`TimedOut`](PipeRecvError::TimedOut), and those of [`read_message`](Self::read_message).
    pub fn read_message_timeout(&self, timeout: Duration) -> Result<Message<'_>, PipeRecvError> {
        self.next_until(self.within(timeout)).inspect(|_| self.skip.set(0))
    }

    /// Whether there is something to receive, a message or the end of file, now or within `timeout`. At
    /// an end that only sends: whether the other one is gone.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](LockError::WouldBlock) in a process that was forked from this end's.
    pub fn poll(&self, timeout: Duration) -> Result<bool, LockError> {
        self.check_mine()?;
        let look = || {
            let ready = self.may_recv();
            Ok(if ready { Attempt::Done(()) } else { Attempt::Unready })
        };
        // One that only sends is woken by the other's going where it would wait for room.
        let event = self.incoming().map(ByteQueue::not_empty);
        let Some(event) = event.or_else(|| self.outgoing().map(ByteQueue::not_full)) else {
            return Ok(self.may_recv());
        };
        if timeout.is_zero() {
            self.other().lock.bury_if_dead();
            return Ok(self.may_recv());
        }
        let ready = self.settle(event, self.within(timeout), || self.may_recv(), look)?;
        Ok(matches!(ready, Attempt::Done(())))
    }

    /// Whether an attempt to receive would come to something, without a lock.
    pub(super) fn may_recv(&self) -> bool {
        self.incoming().is_some_and(ByteQueue::has_message) || self.other_is_gone()
    }
}
