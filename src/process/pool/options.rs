//! How a pool is made.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Pool;
use crate::error::{PoolError, StartError};
use crate::process::entry::Entry;
use crate::process::parcel::Parcel;
use crate::process::{Process, ProcessOptions, cpu_count};

/// What every worker does first.
pub(super) struct Initializer {
    pub(super) entry: u64,
    /// Serialises the argument, anew for each worker.
    pub(super) pack: Box<dyn Fn() -> Result<Parcel, String> + Send + Sync>,
}

/// Options of a pool, from [`Pool::options`].
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use outlive::process::Pool;
///
/// let starts = outlive::Segment::anonymous()?.counter("starts")?;
/// let pool = Pool::options()
///     .workers(2)
///     .tasks_per_worker(100)
///     .retries(1)
///     .initializer(|starts: outlive::Counter| { starts.add(1).unwrap(); }, starts.clone())
///     .start()?;
/// assert_eq!(pool.map(|n: u64| n + 1, 0..1000)?.len(), 1000);
/// assert!(starts.get() >= 10);
/// # Ok(())
/// # }
/// ```
#[must_use = "options do nothing until start is called"]
pub struct PoolOptions {
    pub(super) workers: Option<usize>,
    pub(super) name: Option<String>,
    pub(super) tasks_per_worker: u64,
    pub(super) retries: u32,
    pub(super) initializer: Option<Initializer>,
    environment: Vec<(OsString, OsString)>,
    entry: Result<(), StartError>,
}

impl fmt::Debug for PoolOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolOptions")
            .field("workers", &self.workers)
            .field("name", &self.name)
            .field("tasks_per_worker", &self.tasks_per_worker)
            .field("retries", &self.retries)
            .field("initializer", &self.initializer.is_some())
            .finish_non_exhaustive()
    }
}

impl Default for PoolOptions {
    fn default() -> Self {
        Self {
            workers: None,
            name: None,
            tasks_per_worker: u64::MAX,
            retries: 0,
            initializer: None,
            environment: Vec::new(),
            entry: Ok(()),
        }
    }
}

impl PoolOptions {
    /// How many processes work; [`cpu_count`] of them if it is not given.
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = Some(workers);
        self
    }

    /// What the workers are called, with a number behind it: in errors, by
    /// [`current`](crate::process::current), and by ps(1). `Pool-1` and so on if it is not given.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// After so many tasks, at least 1, a worker ends and another one takes its place: what tasks leave
    /// behind in their process goes with it. Without a limit if it is not given.
    pub fn tasks_per_worker(mut self, tasks: u64) -> Self {
        self.tasks_per_worker = tasks.max(1);
        self
    }

    /// How many more times a task is begun whose worker died; 0 if it is not given: it fails with
    /// [`WorkerDied`](crate::process::TaskError::WorkerDied). Tasks that panic are not repeated.
    pub fn retries(mut self, retries: u32) -> Self {
        self.retries = retries;
        self
    }

    /// Every worker calls `function` with this argument before its first task. If it panics, or the
    /// worker dies in it, another worker is tried; as many in a row as there are to be workers, but
    /// 3 at the least, stop the pool: [`Initializer`](PoolError::Initializer).
    pub fn initializer<F, A, R>(mut self, function: F, argument: A) -> Self
    where
        F: Fn(A) -> R + Copy + Send + Sync + 'static,
        A: Serialize + DeserializeOwned + Send + Sync + 'static,
        R: Serialize,
    {
        let entry = Entry::of(function);
        match entry.number() {
            Some(entry) => {
                let pack = Box::new(move || Parcel::pack(&argument));
                self.initializer = Some(Initializer { entry, pack });
            }
            None => self.entry = Err(StartError::NotInExecutable { function: entry.name() }),
        }
        self
    }

    /// Sets an environment variable for the workers. They have this process's others.
    pub fn env(mut self, key: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.environment.push((key.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Makes the pool. Its workers are started at once, and not waited for.
    ///
    /// # Errors
    ///
    /// [`NoWorkers`](PoolError::NoWorkers); [`Start`](PoolError::Start) if the initializer is not in
    /// this executable; [`Segment`](PoolError::Segment), [`Object`](PoolError::Object) and
    /// [`Os`](PoolError::Os) if there is no memory or no thread to be had. That workers cannot be
    /// started is the error of tasks.
    pub fn start(mut self) -> Result<Pool, PoolError> {
        static COUNT: AtomicU64 = AtomicU64::new(1);
        self.entry.clone()?;
        let workers = self.workers.unwrap_or_else(cpu_count);
        if workers == 0 {
            return Err(PoolError::NoWorkers);
        }
        self.workers = Some(workers);
        if self.name.is_none() {
            self.name = Some(format!("Pool-{}", COUNT.fetch_add(1, Ordering::Relaxed)));
        }
        Pool::with(Arc::new(self), workers)
    }

    /// For one worker, which dies with this process.
    pub(super) fn process(&self, number: u64) -> ProcessOptions {
        let name = format!("{}-{number}", self.name.as_deref().unwrap_or_default());
        let options = Process::options().name(name).daemon(true);
        self.environment.iter().fold(options, |options, (key, value)| options.env(key, value))
    }
}
