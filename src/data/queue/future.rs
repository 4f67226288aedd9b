//! A queue in tasks.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use super::{Attempt, Queue};
use crate::error::{LockError, PopError, PushError};
use crate::layout::RobustNode;
use crate::shared::Shared;
use crate::sync::Available;
use crate::sync::reactor::{Reason, Waits, Watch, is_free_soon};
use crate::sync::wait_any::Lockable;

/// The producers' lock.
struct Tail<T>(Queue<T>);

impl<T: Shared> Lockable for Tail<T> {
    fn lockable(&self) -> Result<&RobustNode, LockError> {
        Ok(&self.0.inner.writable()?.tail.lock)
    }
}

/// The consumers' lock.
struct Head<T>(Queue<T>);

impl<T: Shared> Lockable for Head<T> {
    fn lockable(&self) -> Result<&RobustNode, LockError> {
        Ok(&self.0.inner.writable()?.head.lock)
    }
}

impl<T: Shared> Queue<T> {
    /// A pop that sleeps for nobody.
    fn attempt_pop_in_task(&self) -> Result<Result<T, PopError>, Reason> {
        if let Some(message) = self.pop_at_once() {
            return Ok(Ok(message));
        }
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
        match self.attempt_pop(self.inner.within(Duration::ZERO)) {
            Ok(Attempt::Done(message)) => Ok(Ok(message)),
            Ok(Attempt::Closed) => Ok(Err(PopError::Closed)),
            Ok(Attempt::Unready) => Err(Reason::Unready),
            Err(LockError::TimedOut { .. }) => Err(Reason::Locked),
            Err(error) => Ok(Err(error.into())),
        }
    }

    /// A push that sleeps for nobody.
    fn attempt_push_in_task(&self, message: T) -> Result<Result<(), PushError<T>>, Reason> {
        if self.push_at_once(&message) {
            return Ok(Ok(()));
        }
        let queue = match self.inner.writable() {
            Ok(queue) => queue,
            Err(error) => return Ok(Err(PushError::Lock(message, error))),
        };
        if !is_free_soon(&queue.tail.lock) {
            return Err(Reason::Locked);
        }
        match self.attempt_push(&message, self.inner.within(Duration::ZERO)) {
            Ok(Attempt::Done(())) => Ok(Ok(())),
            Ok(Attempt::Closed) => Ok(Err(PushError::Closed(message))),
            Ok(Attempt::Unready) => Err(Reason::Unready),
            Err(LockError::TimedOut { .. }) => Err(Reason::Locked),
            Err(error) => Ok(Err(PushError::Lock(message, error))),
        }
    }

    pub(crate) fn poll_pop(
        &self,
        waits: &mut Waits,
        context: &mut Context<'_>,
    ) -> Poll<Result<T, PopError>> {
        let watch = |reason| match reason {
            Reason::Unready => Arc::new(self.readable()) as Watch,
            Reason::Locked => Arc::new(Available::new(Head(self.clone()))),
        };
        waits
            .poll(context, || self.attempt_pop_in_task(), watch)
            .map(|outcome| outcome.unwrap_or_else(|error| Err(LockError::from(error).into())))
    }

    pub(crate) fn poll_push(
        &self,
        message: T,
        waits: &mut Waits,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), PushError<T>>> {
        let watch = |reason| match reason {
            Reason::Unready => Arc::new(self.writable()) as Watch,
            Reason::Locked => Arc::new(Available::new(Tail(self.clone()))),
        };
        waits.poll(context, || self.attempt_push_in_task(message), watch).map(|outcome| {
            outcome.unwrap_or_else(|error| Err(PushError::Lock(message, error.into())))
        })
    }

    /// Takes the oldest message, waiting in a task while the queue is empty.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let jobs = outlive::Segment::anonymous()?.queue::<u64>("jobs", 100)?;
    /// let runtime = tokio::runtime::Builder::new_multi_thread().build()?;
    /// runtime.block_on(async {
    ///     let worker = {
    ///         let jobs = jobs.clone();
    ///         tokio::spawn(async move { jobs.pop_async().await })
    ///     };
    ///     jobs.push_async(7).await?;
    ///     assert_eq!(worker.await??, 7);
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
    pub async fn pop_async(&self) -> Result<T, PopError> {
        let mut waits = Waits::to_take();
        poll_fn(|context| self.poll_pop(&mut waits, context)).await
    }

    /// Appends a message, waiting in a task while the queue is full.
    ///
    /// # Errors
    ///
    /// Those of [`push`](Self::push), with the message; [`Lock`](PushError::Lock) with
    /// [`Os`](LockError::Os) if there can be no thread that waits.
    ///
    /// # Cancellation
    ///
    /// A future that is dropped before it is ready has not pushed its message.
    pub async fn push_async(&self, message: T) -> Result<(), PushError<T>> {
        let mut waits = Waits::to_take();
        poll_fn(|context| self.poll_push(message, &mut waits, context)).await
    }
}
