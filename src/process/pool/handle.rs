//! Results that are on their way.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::crew;
use super::job::{self, Batch, OnResult, Progress, Settled};
use crate::error::{PoolError, TaskError};

/// A batch of tasks whose arguments are of a type that does not matter any more.
pub(super) trait Results<R>: Send + Sync {
    fn wait(&self, deadline: Option<Instant>) -> bool;
    fn take_all(&self) -> Vec<Settled<R>>;
    fn is_done(&self) -> bool;
    fn progress(&self) -> Progress;
    fn on_result(&self, call: OnResult<R>);
    fn on_progress(&self, call: Box<dyn FnMut(Progress) + Send>);
    fn on_done(&self, call: Box<dyn FnOnce() + Send>);
}

impl<A, R> Results<R> for Batch<A, R>
where
    A: Serialize + Send,
    R: DeserializeOwned + Send,
{
    fn wait(&self, deadline: Option<Instant>) -> bool {
        Self::wait(self, deadline)
    }

    fn take_all(&self) -> Vec<Settled<R>> {
        Self::take_all(self)
    }

    fn is_done(&self) -> bool {
        Self::is_done(self)
    }

    fn progress(&self) -> Progress {
        Self::progress(self)
    }

    fn on_result(&self, call: OnResult<R>) {
        Self::on_result(self, call);
    }

    fn on_progress(&self, call: Box<dyn FnMut(Progress) + Send>) {
        Self::on_progress(self, call);
    }

    fn on_done(&self, call: Box<dyn FnOnce() + Send>) {
        Self::on_done(self, call);
    }
}

/// The results of [`Pool::map_async`](super::Pool::map_async), when they are there. Dropping it changes
/// nothing about the tasks: they are done all the same.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let pool = outlive::process::Pool::new(2)?;
/// let squares = pool.map_async(|n: u64| n * n, 1..=100)?;
/// squares.on_progress(|progress| println!("{} of {}", progress.done, progress.total));
/// assert_eq!(squares.get()?.iter().sum::<u64>(), 338_350);
/// # Ok(())
/// # }
/// ```
///
/// # Callbacks
///
/// They are called once for what is done already, by the thread that adds them, and then by a thread of
/// the pool, as things happen. That thread does nothing else meanwhile, so they are to return soon; they
/// must not use the handle itself. One that waits for tasks of a pool gets
/// [`InCallback`](PoolError::InCallback); one that panics is not called any more for that occasion, and
/// the pool goes on.
///
/// # Crash behaviour
///
/// Each task has a result or a [`TaskError`], whatever becomes of the workers: a handle never waits for
/// a dead one.
pub struct MapHandle<R> {
    batch: Arc<dyn Results<R>>,
}

/// The result of [`Pool::apply_async`](super::Pool::apply_async), when it is there. Dropping it changes
/// nothing about the task.
///
/// Its callbacks are as those of [`MapHandle`](MapHandle#callbacks), and so is its crash behaviour.
pub struct TaskHandle<R> {
    batch: Arc<dyn Results<R>>,
}

fn await_batch<R>(batch: &dyn Results<R>, deadline: Option<Instant>) -> Result<(), PoolError> {
    if batch.is_done() {
        return Ok(());
    }
    if crew::is_crew() {
        return Err(PoolError::InCallback);
    }
    if batch.wait(deadline) { Ok(()) } else { Err(PoolError::TimedOut) }
}

fn deadline(timeout: Duration) -> Option<Instant> {
    // One that cannot be is never.
    Instant::now().checked_add(timeout)
}

impl<R> fmt::Debug for MapHandle<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MapHandle").field("progress", &self.progress()).finish()
    }
}

impl<R> fmt::Debug for TaskHandle<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskHandle").field("ready", &self.is_ready()).finish()
    }
}

impl<R> MapHandle<R> {
    pub(super) fn new(batch: Arc<dyn Results<R>>) -> Self {
        Self { batch }
    }

    /// Waits until all tasks are done, and returns their results in order.
    ///
    /// # Errors
    ///
    /// [`Task`](PoolError::Task) with the first task that failed, in their order;
    /// [`Terminated`](PoolError::Terminated), or why the pool stopped, if that was before they were
    /// done; [`InCallback`](PoolError::InCallback).
    pub fn get(self) -> Result<Vec<R>, PoolError> {
        job::all(self.outcomes()?)
    }

    /// Waits until all tasks are done, and returns what became of each, in order.
    ///
    /// # Errors
    ///
    /// [`InCallback`](PoolError::InCallback).
    pub fn get_each(self) -> Result<Vec<Result<R, TaskError>>, PoolError> {
        let outcomes = self.outcomes()?.into_iter();
        Ok(outcomes.map(|outcome| outcome.map_err(|error| *error)).collect())
    }

    fn outcomes(&self) -> Result<Vec<Settled<R>>, PoolError> {
        await_batch(&*self.batch, None)?;
        Ok(self.batch.take_all())
    }

    /// Waits until all tasks are done.
    ///
    /// # Errors
    ///
    /// [`InCallback`](PoolError::InCallback).
    pub fn wait(&self) -> Result<(), PoolError> {
        await_batch(&*self.batch, None)
    }

    /// Waits until all tasks are done, for at most `timeout`.
    ///
    /// # Errors
    ///
    /// [`TimedOut`](PoolError::TimedOut), never before the time is up;
    /// [`InCallback`](PoolError::InCallback).
    pub fn wait_timeout(&self, timeout: Duration) -> Result<(), PoolError> {
        await_batch(&*self.batch, deadline(timeout))
    }

    /// Whether all tasks are done.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.batch.is_done()
    }

    /// How many are done, of how many: what a progress bar shows.
    #[must_use]
    pub fn progress(&self) -> Progress {
        self.batch.progress()
    }

    /// Calls `callback` with the place and the outcome of each task, as they are done.
    pub fn on_result(&self, callback: impl FnMut(usize, Result<&R, &TaskError>) + Send + 'static) {
        self.batch.on_result(Box::new(callback));
    }

    /// Calls `callback` now, and whenever more tasks are done.
    pub fn on_progress(&self, callback: impl FnMut(Progress) + Send + 'static) {
        self.batch.on_progress(Box::new(callback));
    }

    /// Calls `callback` when all tasks are done.
    pub fn on_done(&self, callback: impl FnOnce() + Send + 'static) {
        self.batch.on_done(Box::new(callback));
    }
}

impl<R> TaskHandle<R> {
    pub(super) fn new(batch: Arc<dyn Results<R>>) -> Self {
        Self { batch }
    }

    /// Waits until the task is done, and returns its result.
    ///
    /// # Errors
    ///
    /// As for [`MapHandle::get`].
    pub fn get(self) -> Result<R, PoolError> {
        await_batch(&*self.batch, None)?;
        // There is one task.
        job::all(self.batch.take_all())?.pop().ok_or(PoolError::Broken)
    }

    /// Waits until the task is done.
    ///
    /// # Errors
    ///
    /// [`InCallback`](PoolError::InCallback).
    pub fn wait(&self) -> Result<(), PoolError> {
        await_batch(&*self.batch, None)
    }

    /// Waits until the task is done, for at most `timeout`.
    ///
    /// # Errors
    ///
    /// As for [`MapHandle::wait_timeout`].
    pub fn wait_timeout(&self, timeout: Duration) -> Result<(), PoolError> {
        await_batch(&*self.batch, deadline(timeout))
    }

    /// Whether the task is done.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.batch.is_done()
    }

    /// Calls `callback` with the outcome when the task is done.
    pub fn on_result(&self, mut callback: impl FnMut(Result<&R, &TaskError>) + Send + 'static) {
        self.batch.on_result(Box::new(move |_, outcome| callback(outcome)));
    }
}
