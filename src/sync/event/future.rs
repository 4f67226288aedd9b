//! An event in tasks.

use std::convert::Infallible;
use std::future::poll_fn;
use std::sync::Arc;

use super::{Event, Reset};
use crate::error::LockError;
use crate::sync::reactor::{Reason, Waits, Watch};

impl Event {
    /// Passes if it is set.
    #[cfg(all(test, loom))]
    pub(crate) fn try_pass(&self) -> bool {
        self.inner.pass(true)
    }

    /// Waits in a task until the event is set.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use outlive::{Reset, Segment};
    ///
    /// let ready = Segment::anonymous()?.event("ready", Reset::Auto)?;
    /// let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    /// runtime.block_on(async {
    ///     let (waited, set) = tokio::join!(ready.wait_async(), async { ready.set() });
    ///     waited?;
    ///     set?;
    ///     Ok(())
    /// })
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ReadOnly`](LockError::ReadOnly): waiters announce themselves. [`Os`](LockError::Os): there can
    /// be no thread that waits.
    ///
    /// # Cancellation
    ///
    /// A future that is dropped before it is ready has not used the event up.
    pub async fn wait_async(&self) -> Result<(), LockError> {
        let event = self.inner.writable()?;
        let consume = event.mode() == Some(Reset::Auto);
        let mut waits = if consume { Waits::to_take() } else { Waits::to_look() };
        let outcome = poll_fn(|context| {
            let attempt = || match event.pass(consume) {
                true => Ok(Ok::<(), Infallible>(())),
                false => Err(Reason::Unready),
            };
            waits.poll(context, attempt, |_| Arc::new(self.clone()) as Watch)
        });
        let Ok(()) = outcome.await?;
        Ok(())
    }
}
