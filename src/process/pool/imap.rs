//! Results one by one, of arguments that are drawn from an iterator as they are needed.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::crew;
use super::job::Batch;
use super::{Pool, job};
use crate::error::PoolError;

/// Arguments that are drawn ahead, for each worker.
const AHEAD: usize = 64;

/// The results of [`Pool::imap`] and [`Pool::imap_unordered`], as they are needed. Dropping it leaves the
/// rest of the arguments alone; tasks that were begun are done.
///
/// It yields an error for a task that failed, and goes on with the others. When the pool is terminated, or
/// has stopped, each task that is under way yields that error, and then it ends.
pub struct Imap<'p, I: Iterator, R> {
    pool: &'p Pool,
    source: Option<I>,
    batch: Arc<Batch<I::Item, R>>,
    /// Tasks that were drawn and not yielded.
    ahead: usize,
}

impl<I: Iterator, R> fmt::Debug for Imap<'_, I, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Imap").field("ahead", &self.ahead).finish_non_exhaustive()
    }
}

impl<'p, I: Iterator, R> Imap<'p, I, R> {
    pub(super) fn new(pool: &'p Pool, source: I, batch: Arc<Batch<I::Item, R>>) -> Self {
        pool.shared.state().feeds += 1;
        Self { pool, source: Some(source), batch, ahead: 0 }
    }

    fn stop_feeding(&mut self) {
        if self.source.take().is_some() && self.pool.is_own() {
            self.pool.shared.state().feeds -= 1;
            self.pool.shared.ring();
        }
    }
}

impl<I, R> Imap<'_, I, R>
where
    I: Iterator,
    I::Item: Serialize + Send + 'static,
    R: DeserializeOwned + Send + 'static,
{
    /// Draws as many arguments as may be under way. Err: the pool takes none.
    fn feed(&mut self) -> Result<(), PoolError> {
        let most = AHEAD * self.pool.shared.workers;
        // In portions, so that chunks can be longer than one task.
        if self.source.is_none() || self.ahead > most / 2 {
            return Ok(());
        }
        let mut fed = false;
        while self.ahead < most {
            let Some(item) = self.source.as_mut().and_then(Iterator::next) else {
                self.stop_feeding();
                break;
            };
            self.batch.add(item);
            self.ahead += 1;
            fed = true;
        }
        if !fed {
            return Ok(());
        }
        let job: Arc<dyn job::Job> = Arc::clone(&self.batch) as _;
        self.pool.shared.submit(Arc::clone(&job), true).inspect_err(|error| {
            let error = match error {
                PoolError::Terminated => crate::error::TaskError::Terminated,
                other => crate::error::TaskError::Stopped(Box::new(other.clone())),
            };
            job.fail_all(&error);
        })
    }
}

impl<I, R> Iterator for Imap<'_, I, R>
where
    I: Iterator,
    I::Item: Serialize + Send + 'static,
    R: DeserializeOwned + Send + 'static,
{
    type Item = Result<R, PoolError>;

    fn next(&mut self) -> Option<Self::Item> {
        if crew::is_crew() {
            return Some(Err(PoolError::InCallback));
        }
        if self.feed().is_err() {
            // What was fed has that error by now.
            self.stop_feeding();
        }
        if self.ahead == 0 {
            return None;
        }
        self.ahead -= 1;
        let (index, outcome) = self.batch.take_next()?;
        Some(outcome.map_err(|error| job::failed(index as usize, *error)))
    }
}

impl<I: Iterator, R> Drop for Imap<'_, I, R> {
    fn drop(&mut self) {
        self.stop_feeding();
    }
}
