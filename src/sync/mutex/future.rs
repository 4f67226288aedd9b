//! A mutex in tasks.

use std::future::poll_fn;
use std::sync::Arc;

use super::{Mutex, Outcome};
use crate::error::LockError;
use crate::shared::Shared;
use crate::sync::reactor::{Reason, Waits, Watch};

impl<T: Shared> Mutex<T> {
    /// Acquires the lock, waiting in a task until it is free.
    ///
    /// The guard belongs to the thread that polled the future last. A task that keeps it across an
    /// `.await` has to stay on that thread, which the compiler sees to; another task of the same
    /// thread gets [`Deadlock`](LockError::Deadlock) meanwhile. So it is best dropped before the next
    /// `.await`.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let total = outlive::Segment::anonymous()?.mutex("total", 0_u64)?;
    /// let runtime = tokio::runtime::Builder::new_multi_thread().build()?;
    /// runtime.block_on(async {
    ///     let tasks: Vec<_> = (0..10)
    ///         .map(|_| {
    ///             let total = total.clone();
    ///             tokio::spawn(async move { *total.lock_async().await.expect("the lock") += 1 })
    ///         })
    ///         .collect();
    ///     for task in tasks {
    ///         task.await?;
    ///     }
    ///     assert_eq!(*total.lock_async().await.expect("the lock"), 10);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`lock`](Self::lock); [`Os`](LockError::Os) if there can be no thread that waits.
    ///
    /// # Cancellation
    ///
    /// A future that is dropped before it is ready does not hold the lock.
    pub async fn lock_async(&self) -> Outcome<'_, T> {
        let mut waits = Waits::to_take();
        poll_fn(|context| {
            let attempt = || match self.try_lock() {
                Err(LockError::WouldBlock) => Err(Reason::Locked),
                outcome => Ok(outcome),
            };
            waits.poll(context, attempt, |_| Arc::new(self.available()) as Watch)
        })
        .await
        .unwrap_or_else(|error| Err(LockError::Os(error)))
    }
}
