//! The ends of a ring in tasks.
//!
//! They belong to their threads, and the thread that waits for all tasks knows nothing of them: it
//! compares the other side's position with the one that this side saw last.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use super::{Consumer, Producer, Spsc};
use crate::data::attempt::Attempt;
use crate::error::{LockError, PopError, PushError};
use crate::shared::Shared;
use crate::sync::reactor::{Reason, Waits, Watch};
use crate::sync::wait_any::{Wait, Words, pass_on};

/// Ready when there is another message than those that the consumer knows of.
struct Arrived<T> {
    ring: Spsc<T>,
    seen: u64,
}

impl<T> Arrived<T> {
    fn has_moved(&self) -> bool {
        self.ring.inner.pushed.position.load(Ordering::Relaxed) != self.seen || self.ring.is_over()
    }
}

#[allow(private_interfaces)] // sealed
impl<T: Shared> Wait for Arrived<T> {
    fn words(&self) -> usize {
        2
    }

    fn is_ready(&self) -> Result<bool, LockError> {
        Ok(self.has_moved())
    }

    fn announce<'a>(&'a self, words: &mut Words<'a>) -> Result<(), LockError> {
        words.event(&self.ring.inner.not_empty.event);
        words.beside(&self.ring.inner.tail.role);
        Ok(())
    }

    fn woken(&self) {
        pass_on(&self.ring.inner.not_empty.event, self.has_moved());
    }
}

/// Ready when the consumer has taken more than the producer knows of.
struct Freed<T> {
    ring: Spsc<T>,
    seen: u64,
}

impl<T> Freed<T> {
    fn has_moved(&self) -> bool {
        self.ring.inner.popped.position.load(Ordering::Relaxed) != self.seen || self.ring.is_over()
    }
}

#[allow(private_interfaces)] // sealed
impl<T: Shared> Wait for Freed<T> {
    fn words(&self) -> usize {
        2
    }

    fn is_ready(&self) -> Result<bool, LockError> {
        Ok(self.has_moved())
    }

    fn announce<'a>(&'a self, words: &mut Words<'a>) -> Result<(), LockError> {
        words.event(&self.ring.inner.not_full.event);
        words.beside(&self.ring.inner.head.role);
        Ok(())
    }

    fn woken(&self) {
        pass_on(&self.ring.inner.not_full.event, self.has_moved());
    }
}

impl<T: Shared> Consumer<T> {
    pub(crate) fn poll_pop(
        &mut self,
        waits: &mut Waits,
        context: &mut Context<'_>,
    ) -> Poll<Result<T, PopError>> {
        let attempt = || match self.attempt() {
            Ok(Attempt::Done(message)) => Ok(Ok(message)),
            Ok(Attempt::Closed) => Ok(Err(PopError::Closed)),
            Ok(Attempt::Unready) => Err(Reason::Unready),
            Err(error) => Ok(Err(PopError::from(error))),
        };
        // Nothing was there: what the producer's position was is where this one is.
        let watch =
            |_| Arc::new(Arrived { ring: self.ring.clone(), seen: self.at.position() }) as Watch;
        waits
            .poll(context, attempt, watch)
            .map(|outcome| outcome.unwrap_or_else(|error| Err(LockError::from(error).into())))
    }

    /// Takes the oldest message, waiting in a task while the queue is empty.
    ///
    /// The end is its thread's, and so is the future: for runtimes that keep a task on one thread, as
    /// tokio's `LocalSet` does.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let ring = outlive::Segment::anonymous()?.spsc::<u64>("samples", 4)?;
    /// let (mut producer, mut consumer) = (ring.producer()?, ring.consumer()?);
    /// let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    /// runtime.block_on(async {
    ///     let produce = async {
    ///         for sample in 0..100 {
    ///             producer.push_async(sample).await?;
    ///         }
    ///         Ok::<_, Box<dyn std::error::Error>>(())
    ///     };
    ///     let consume = async {
    ///         for sample in 0..100 {
    ///             assert_eq!(consumer.pop_async().await?, sample);
    ///         }
    ///         Ok(())
    ///     };
    ///     tokio::try_join!(produce, consume)?;
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
    pub async fn pop_async(&mut self) -> Result<T, PopError> {
        let mut waits = Waits::to_take();
        poll_fn(|context| self.poll_pop(&mut waits, context)).await
    }
}

impl<T: Shared> Producer<T> {
    /// Appends a message, waiting in a task while the queue is full. The future belongs to the
    /// end's thread, as with [`Consumer::pop_async`].
    ///
    /// # Errors
    ///
    /// Those of [`push`](Self::push), with the message; [`Lock`](PushError::Lock) with
    /// [`Os`](LockError::Os) if there can be no thread that waits.
    ///
    /// # Cancellation
    ///
    /// A future that is dropped before it is ready has not pushed its message.
    pub async fn push_async(&mut self, message: T) -> Result<(), PushError<T>> {
        let mut waits = Waits::to_take();
        let this = &*self;
        poll_fn(|context| {
            let attempt = || match this.attempt(&message) {
                Ok(Attempt::Done(())) => Ok(Ok(())),
                Ok(Attempt::Closed) => Ok(Err(PushError::Closed(message))),
                Ok(Attempt::Unready) => Err(Reason::Unready),
                Err(error) => Ok(Err(PushError::Lock(message, error))),
            };
            let watch =
                |_| Arc::new(Freed { ring: this.ring.clone(), seen: this.seen.get() }) as Watch;
            waits.poll(context, attempt, watch)
        })
        .await
        .unwrap_or_else(|error| Err(PushError::Lock(message, error.into())))
    }
}
