//! A semaphore in tasks.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Attempt, Permit, Semaphore};
use crate::error::{LockError, SemaphoreError};
use crate::sync::reactor::{Reason, Waits, Watch};
use crate::sync::shares::{self, State};
use crate::sync::wait_any::{Wait, Words, pass_on};

/// Ready when as many permits as were asked for can be had.
struct Permits {
    semaphore: Semaphore,
    asked: u64,
}

impl Permits {
    fn can_be_had(&self) -> bool {
        let semaphore = &self.semaphore;
        let has_place = || {
            semaphore.inner.used.load(Ordering::Relaxed) < semaphore.places as u64
                || semaphore.used_shares().any(|share| shares::state(share) != State::Held)
        };
        semaphore.is_promising(self.asked) && has_place()
    }
}

#[allow(private_interfaces)] // sealed
impl Wait for Permits {
    fn words(&self) -> usize {
        Wait::words(&self.semaphore)
    }

    fn is_ready(&self) -> Result<bool, LockError> {
        Ok(self.can_be_had())
    }

    fn announce<'a>(&'a self, words: &mut Words<'a>) -> Result<(), LockError> {
        self.semaphore.announce(words)?;
        if self.asked > 1 {
            // As `attempt` does: who tells all since has cleared it, and has woken this one.
            self.semaphore.inner.many.store(1, Ordering::Relaxed);
        }
        Ok(())
    }

    fn woken(&self) {
        self.semaphore.bury_watched();
        pass_on(&self.semaphore.inner.event, self.can_be_had());
    }
}

impl Semaphore {
    /// Acquires a permit, waiting in a task until there is one.
    ///
    /// The [`Permit`] belongs to the thread that polled the future last. A task that keeps it across
    /// an `.await` has to stay on that thread, as with tokio's `LocalSet`; the compiler sees to it.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let slots = outlive::Segment::anonymous()?.bounded_semaphore("slots", 1)?;
    /// let runtime = tokio::runtime::Builder::new_multi_thread().build()?;
    /// runtime.block_on(async {
    ///     let tasks: Vec<_> = (0..10)
    ///         .map(|_| {
    ///             let slots = slots.clone();
    ///             tokio::spawn(async move {
    ///                 let permit = slots.acquire_async().await?;
    ///                 // One at a time, in all processes. No `.await` here.
    ///                 drop(permit);
    ///                 Ok::<_, outlive::SemaphoreError>(())
    ///             })
    ///         })
    ///         .collect();
    ///     for task in tasks {
    ///         task.await??;
    ///     }
    ///     Ok(())
    /// })
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`acquire`](Self::acquire); [`Lock`](SemaphoreError::Lock) with
    /// [`Os`](LockError::Os) if there can be no thread that waits.
    ///
    /// # Cancellation
    ///
    /// A future that is dropped before it is ready holds no permit.
    pub async fn acquire_async(&self) -> Result<Permit<'_>, SemaphoreError> {
        self.acquire_many_async(1).await
    }

    /// Acquires several permits at once, waiting in a task until there are as many. Until then it
    /// holds none.
    ///
    /// # Errors
    ///
    /// Those of [`acquire_many`](Self::acquire_many), and of [`acquire_async`](Self::acquire_async).
    pub async fn acquire_many_async(&self, count: u64) -> Result<Permit<'_>, SemaphoreError> {
        let mut waits = Waits::to_take();
        poll_fn(|context| {
            let attempt = || match self.try_until(count, self.inner.forever()) {
                Ok(Attempt::Taken(share)) => Ok(Ok(self.permit(share, count))),
                Ok(Attempt::Short(_) | Attempt::Crowded) => Err(Reason::Unready),
                Err(error) => Ok(Err(error)),
            };
            let watch = |_| Arc::new(Permits { semaphore: self.clone(), asked: count }) as Watch;
            waits.poll(context, attempt, watch)
        })
        .await
        .unwrap_or_else(|error| Err(LockError::from(error).into()))
    }
}
