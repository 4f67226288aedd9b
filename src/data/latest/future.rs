//! The last value in tasks.

use std::convert::Infallible;
use std::future::poll_fn;
use std::sync::Arc;

use super::{Latest, Version};
use crate::error::LockError;
use crate::shared::Shared;
use crate::sync::reactor::{Reason, Waits, Watch};

impl<T: Shared> Latest<T> {
    /// Waits in a task until the value is from another commit than `since`, and returns it, as
    /// [`wait_changed`](Self::wait_changed) does.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let speed = outlive::Segment::anonymous()?.latest("speed", 0.0_f64)?;
    /// let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    /// runtime.block_on(async {
    ///     let since = speed.version();
    ///     let (changed, set) = tokio::join!(speed.wait_changed_async(since), async { speed.set(1.5) });
    ///     assert_eq!(changed?.0, 1.5);
    ///     set?;
    ///     Ok(())
    /// })
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`wait_changed`](Self::wait_changed); [`Os`](LockError::Os) if there can be no thread
    /// that waits.
    ///
    /// # Cancellation
    ///
    /// A future that is dropped leaves nothing behind.
    pub async fn wait_changed_async(&self, since: Version) -> Result<(T, Version), LockError> {
        self.inner.writable()?;
        let mut waits = Waits::to_look();
        let outcome = poll_fn(|context| {
            let attempt = || match self.version() == since {
                false => Ok(Ok::<(), Infallible>(())),
                true => Err(Reason::Unready),
            };
            waits.poll(context, attempt, |_| Arc::new(self.changed(since)) as Watch)
        });
        let Ok(()) = outcome.await?;
        self.get_versioned()
    }
}
