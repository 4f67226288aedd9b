//! A broadcast in tasks.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use super::{Attempt, Broadcast, Slow, Subscriber};
use crate::error::{LockError, PushError, RecvError};
use crate::layout::RobustNode;
use crate::shared::Shared;
use crate::sync::Available;
use crate::sync::reactor::{Reason, Waits, Watch, is_free_soon};
use crate::sync::wait_any::{Lockable, Wait, Words};

/// Ready when there is a message at a subscriber's position, or none will come.
struct News<T> {
    channel: Broadcast<T>,
    position: u64,
}

#[allow(private_interfaces)] // sealed
impl<T: Shared> Wait for News<T> {
    fn words(&self) -> usize {
        2
    }

    fn is_ready(&self) -> Result<bool, LockError> {
        let channel = &self.channel;
        Ok(channel.cells.is_filled(self.position, Ordering::Relaxed)
            || channel.inner.tail.position.load(Ordering::Relaxed) > self.position
            || channel.is_over())
    }

    fn announce<'a>(&'a self, words: &mut Words<'a>) -> Result<(), LockError> {
        words.event(&self.channel.inner.not_empty.event);
        words.beside(&self.channel.inner.tail.lock);
        Ok(())
    }

    fn is_for_all(&self) -> bool {
        true
    }
}

/// Ready when no subscriber has yet to receive what the next message overwrites.
struct Room<T>(Broadcast<T>);

impl<T> Room<T> {
    /// The subscriber that is waited for.
    fn gate(&self) -> Option<&RobustNode> {
        if self.0.slow == Slow::Overwrite || self.0.is_over() {
            return None;
        }
        let position = self.0.inner.tail.position.load(Ordering::Acquire);
        let (share, behind) = self.0.slowest(position)?;
        (behind >= self.0.cells.capacity()).then_some(&share.lock)
    }
}

#[allow(private_interfaces)] // sealed
impl<T: Shared> Wait for Room<T> {
    fn words(&self) -> usize {
        2
    }

    fn is_ready(&self) -> Result<bool, LockError> {
        Ok(self.gate().is_none())
    }

    fn announce<'a>(&'a self, words: &mut Words<'a>) -> Result<(), LockError> {
        words.event(&self.0.inner.writable()?.not_full.event);
        match self.gate() {
            Some(gate) => words.beside(gate),
            // One that gates from here on would not be slept on.
            None => words.stay_awake(),
        }
        Ok(())
    }

    fn woken(&self) {
        if let Some(gate) = self.gate() {
            gate.bury_if_dead();
        }
    }
}

/// The publishers' lock.
struct Tail<T>(Broadcast<T>);

impl<T: Shared> Lockable for Tail<T> {
    fn lockable(&self) -> Result<&RobustNode, LockError> {
        Ok(&self.0.inner.writable()?.tail.lock)
    }
}

impl<T: Shared> Broadcast<T> {
    /// A publication that sleeps for nobody.
    fn attempt_in_task(&self, message: T) -> Result<Result<(), PushError<T>>, Reason> {
        let head = match self.inner.writable() {
            Ok(head) => head,
            Err(error) => return Ok(Err(PushError::Lock(message, error))),
        };
        if !is_free_soon(&head.tail.lock) {
            return Err(Reason::Locked);
        }
        match self.attempt(&message, self.inner.within(Duration::ZERO)) {
            Ok(Attempt::Done(())) => Ok(Ok(())),
            Ok(Attempt::Closed) => Ok(Err(PushError::Closed(message))),
            Ok(Attempt::Unready) => Err(Reason::Unready),
            Err(LockError::TimedOut { .. }) => Err(Reason::Locked),
            Err(error) => Ok(Err(PushError::Lock(message, error))),
        }
    }

    /// Publishes a message, waiting in a task for slow subscribers where that is to be.
    ///
    /// # Errors
    ///
    /// [`Closed`](PushError::Closed) and [`Lock`](PushError::Lock), with the message; the latter with
    /// [`Os`](LockError::Os) if there can be no thread that waits. A subscriber of the same thread is
    /// waited for as well: another task may receive meanwhile.
    ///
    /// # Cancellation
    ///
    /// A future that is dropped before it is ready has not published its message.
    pub async fn publish_async(&self, message: T) -> Result<(), PushError<T>> {
        let mut waits = Waits::to_take();
        poll_fn(|context| {
            let watch = |reason| match reason {
                Reason::Unready => Arc::new(Room(self.clone())) as Watch,
                Reason::Locked => Arc::new(Available::new(Tail(self.clone()))),
            };
            waits.poll(context, || self.attempt_in_task(message), watch)
        })
        .await
        .unwrap_or_else(|error| Err(PushError::Lock(message, error.into())))
    }
}

impl<T: Shared> Subscriber<T> {
    pub(crate) fn poll_recv(
        &mut self,
        waits: &mut Waits,
        context: &mut Context<'_>,
    ) -> Poll<Result<T, RecvError>> {
        let attempt = || match self.attempt() {
            Ok(Attempt::Done(message)) => Ok(Ok(message)),
            Ok(Attempt::Closed) => Ok(Err(RecvError::Closed)),
            Ok(Attempt::Unready) => Err(Reason::Unready),
            Err(error) => Ok(Err(error)),
        };
        let watch = |_| {
            Arc::new(News { channel: self.channel.clone(), position: self.position.get() }) as Watch
        };
        waits
            .poll(context, attempt, watch)
            .map(|outcome| outcome.unwrap_or_else(|error| Err(LockError::from(error).into())))
    }

    /// Receives the next message, waiting in a task until there is one.
    ///
    /// The subscriber is its thread's, and so is the future: for runtimes that keep a task on one
    /// thread, as tokio's `LocalSet` does.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use outlive::{Segment, Slow, Start};
    ///
    /// let prices = Segment::anonymous()?.broadcast::<u64>("prices", 64, Slow::Block)?;
    /// let mut subscriber = prices.subscribe(Start::Newest)?;
    /// let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    /// runtime.block_on(async {
    ///     let (published, received) = tokio::join!(prices.publish_async(7), subscriber.recv_async());
    ///     published?;
    ///     assert_eq!(received?, 7);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`recv`](Self::recv); [`Lock`](RecvError::Lock) with [`Os`](LockError::Os) if there can
    /// be no thread that waits.
    ///
    /// # Cancellation
    ///
    /// A future that is dropped has received nothing.
    pub async fn recv_async(&mut self) -> Result<T, RecvError> {
        let mut waits = Waits::to_take();
        poll_fn(|context| self.poll_recv(&mut waits, context)).await
    }
}
