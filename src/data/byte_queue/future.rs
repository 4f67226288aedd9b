//! A byte queue in tasks.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use super::ByteQueue;
use crate::data::attempt::Attempt;
use crate::error::{BytePushError, LockError, PopError};
use crate::layout::RobustNode;
use crate::sync::Available;
use crate::sync::reactor::{Reason, Waits, Watch, is_free_soon};
use crate::sync::wait_any::Lockable;

/// The producers' lock.
struct Tail(ByteQueue);

impl Lockable for Tail {
    fn lockable(&self) -> Result<&RobustNode, LockError> {
        Ok(&self.0.inner.writable()?.tail.lock)
    }
}

/// The consumers' lock.
struct Head(ByteQueue);

impl Lockable for Head {
    fn lockable(&self) -> Result<&RobustNode, LockError> {
        Ok(&self.0.inner.writable()?.head.lock)
    }
}

impl ByteQueue {
    /// A pop that sleeps for nobody.
    fn attempt_pop_in_task(&self, buffer: &mut Vec<u8>) -> Result<Result<(), PopError>, Reason> {
        let queue = match self.inner.writable() {
            Ok(queue) => queue,
            Err(error) => return Ok(Err(error.into())),
        };
        if !self.has_message() {
            return Err(Reason::Unready);
        }
        if !is_free_soon(&queue.head.lock) {
            return Err(Reason::Locked);
        }
        match self.attempt_read(Some(self.inner.within(Duration::ZERO))) {
            Ok(Attempt::Done(message)) => {
                message.copy_to(buffer);
                Ok(Ok(()))
            }
            Ok(Attempt::Closed) => Ok(Err(PopError::Closed)),
            Ok(Attempt::Unready) => Err(Reason::Unready),
            Err(LockError::TimedOut { .. }) => Err(Reason::Locked),
            Err(error) => Ok(Err(error.into())),
        }
    }

    /// A push that sleeps for nobody.
    fn attempt_push_in_task(&self, message: &[u8]) -> Result<Result<(), BytePushError>, Reason> {
        let queue = match self.inner.writable() {
            Ok(queue) => queue,
            Err(error) => return Ok(Err(error.into())),
        };
        if let Err(error) = self.check_length(message.len()) {
            return Ok(Err(error));
        }
        if !is_free_soon(&queue.tail.lock) {
            return Err(Reason::Locked);
        }
        match self.attempt_grant(message.len(), Some(self.inner.within(Duration::ZERO))) {
            Ok(Attempt::Done(grant)) => {
                grant.push(message);
                Ok(Ok(()))
            }
            Ok(Attempt::Closed) => Ok(Err(BytePushError::Closed)),
            Ok(Attempt::Unready) => Err(Reason::Unready),
            Err(LockError::TimedOut { .. }) => Err(Reason::Locked),
            Err(error) => Ok(Err(error.into())),
        }
    }

    pub(crate) fn poll_pop_into(
        &self,
        buffer: &mut Vec<u8>,
        waits: &mut Waits,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), PopError>> {
        let watch = |reason| match reason {
            Reason::Unready => Arc::new(self.readable()) as Watch,
            Reason::Locked => Arc::new(Available::new(Head(self.clone()))),
        };
        waits
            .poll(context, || self.attempt_pop_in_task(buffer), watch)
            .map(|outcome| outcome.unwrap_or_else(|error| Err(LockError::from(error).into())))
    }

    /// Takes the oldest message, waiting in a task while the queue is empty, or while another consumer
    /// has a [`Message`](crate::Message).
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let lines = outlive::Segment::anonymous()?.byte_queue("lines", 4096)?;
    /// let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    /// runtime.block_on(async {
    ///     let (pushed, popped) = tokio::join!(lines.push_async(b"a line"), lines.pop_async());
    ///     pushed?;
    ///     assert_eq!(popped?, b"a line");
    ///     Ok(())
    /// })
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`pop`](Self::pop); [`Lock`](PopError::Lock) with [`Os`](LockError::Os) if there can be
    /// no thread that waits.
    ///
    /// # Cancellation
    ///
    /// A future that is dropped has taken nothing.
    pub async fn pop_async(&self) -> Result<Vec<u8>, PopError> {
        let mut bytes = Vec::new();
        self.pop_into_async(&mut bytes).await?;
        Ok(bytes)
    }

    /// [`pop_async`](Self::pop_async) in place of what is in `buffer`. On an error it stays as it is.
    ///
    /// # Errors
    ///
    /// Those of [`pop_async`](Self::pop_async).
    pub async fn pop_into_async(&self, buffer: &mut Vec<u8>) -> Result<(), PopError> {
        let mut waits = Waits::to_take();
        poll_fn(|context| self.poll_pop_into(buffer, &mut waits, context)).await
    }

    /// Appends a message, waiting in a task while there is too little room, or while another producer
    /// has a [`Grant`](crate::Grant).
    ///
    /// # Errors
    ///
    /// Those of [`push`](Self::push); [`Lock`](BytePushError::Lock) with [`Os`](LockError::Os) if there
    /// can be no thread that waits.
    ///
    /// # Cancellation
    ///
    /// A future that is dropped before it is ready has pushed nothing.
    pub async fn push_async(&self, message: &[u8]) -> Result<(), BytePushError> {
        let mut waits = Waits::to_take();
        poll_fn(|context| {
            let watch = |reason| match reason {
                Reason::Unready => Arc::new(self.writable(message.len())) as Watch,
                Reason::Locked => Arc::new(Available::new(Tail(self.clone()))),
            };
            waits.poll(context, || self.attempt_push_in_task(message), watch)
        })
        .await
        .unwrap_or_else(|error| Err(LockError::from(error).into()))
    }
}
