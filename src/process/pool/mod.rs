//! A pool of processes that do tasks, as Python's `multiprocessing.Pool` has it.
//!
//! ```
//! use outlive::process::Pool;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let pool = Pool::new(4)?;
//! let squares = pool.map(|n: u64| n * n, 1..=10)?;
//! assert_eq!(squares, [1, 4, 9, 16, 25, 36, 49, 64, 81, 100]);
//! # Ok(())
//! # }
//! ```
//!
//! # How it works
//!
//! Tasks stay with the pool until they are done: in a list of this process, of any length (`job`).
//! Threads of the pool (`crew`) give each worker a chunk to do, and more if they are short, take
//! the outcomes, and look after the workers (`member`). A worker (`worker`) is a
//! [`Process`](super::Process) that gets chunks through a [`Pipe`](crate::Pipe) and writes
//! outcomes into an [`Spsc`](crate::Spsc), both in memory that it shares with the pool only (`wire`): what
//! one worker does to it, others do not notice. Many numbers, and slices of plain data, are not sent at
//! all, but lie in memory that all workers see (`plain`).
//!
//! The pool sleeps on the worker's end of the pipe, whose word the kernel marks when the worker dies,
//! together with everything else that it waits for. So it has the news at once, and looks at the ring
//! after that: what was published counts.

mod crew;
mod handle;
mod imap;
mod job;
mod member;
mod options;
mod plain;
mod slice;
mod wire;
mod worker;

use std::fmt;
use std::sync::Arc;
use std::thread;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use crate::error::{PoolError, TaskError, WorkerEnd};
pub use handle::{MapHandle, TaskHandle};
pub use imap::Imap;
pub use job::Progress;
pub use options::PoolOptions;
pub(crate) use worker::Batch as Chunk;

use crate::error::{OsError, StartError};
use crate::process::ProcessHandle;
use crate::process::entry::Entry;
use crate::segment::Segment;
use crate::sync::Reset;
use crew::{Course, Shared};
use job::{Batch, Job};

/// Processes that do tasks: calls of a function with one argument each.
///
/// The function is one as for [`Process`](super::Process): a plain one, or a closure without captures.
/// Arguments and results are anything that serde knows, of any length, and handles of shared objects.
/// Numbers are not serialised: [`map`](Self::map) of many numbers to numbers (`bool`, `char` and `()` are
/// such, too), and [`map_slice`](Self::map_slice) of plain data, go through memory that all workers see.
///
/// # Chunks
///
/// Workers get tasks in chunks, whenever they are about to run out of them. If its length is not given,
/// a chunk is as many tasks as take about half a millisecond, as measured while they are done, and at
/// most a quarter of what would be each worker's part of those that wait: so tasks of any length spread
/// evenly, and short ones cost little. Numbers and slices are cut beforehand, into chunks that become
/// shorter in the same manner, and workers take one when they are done with the last.
///
/// # Dropping
///
/// Dropping the pool terminates it: its workers are killed, and tasks that are not done fail with
/// [`Terminated`](TaskError::Terminated). [`close`](Self::close) and [`join`](Self::join) let them be done
/// first.
///
/// # Crash behaviour
///
/// When a worker is killed, or exits, its results count as far as it had them: each one by itself. The
/// task that it was running fails with [`WorkerDied`](TaskError::WorkerDied), or is begun again, as
/// [`retries`](PoolOptions::retries) says. Tasks that it had not begun are done by others. It is replaced
/// at once. Whoever waits for results gets them, or errors, in any case.
///
/// If this process is killed, all workers are: they never outlive it.
///
/// # Forks
///
/// The pool is the process's that made it. In one that was forked from that, it takes no tasks
/// ([`Forked`](PoolError::Forked)), and dropping it does nothing.
pub struct Pool {
    shared: Arc<Shared>,
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("name", &self.shared.options.name.as_deref().unwrap_or_default())
            .field("workers", &self.shared.workers)
            .finish_non_exhaustive()
    }
}

impl Pool {
    /// A pool of so many workers.
    ///
    /// # Errors
    ///
    /// Those of [`PoolOptions::start`].
    pub fn new(workers: usize) -> Result<Self, PoolError> {
        Self::options().workers(workers).start()
    }

    /// How many workers, what they do first, how long they live, and what becomes of tasks whose worker
    /// died.
    pub fn options() -> PoolOptions {
        PoolOptions::default()
    }

    fn with(options: Arc<PoolOptions>, workers: usize) -> Result<Self, PoolError> {
        /// For the directory and an event.
        const PAGES: u64 = 8 * 4096;
        let crews = workers.div_ceil(crew::CREW);
        let segment = Segment::options().capacity(PAGES + 4096 * crews as u64).anonymous()?;
        let bells = (0..crews).map(|crew| segment.event(&format!("crew {crew}"), Reset::Auto));
        let bells = bells.collect::<Result<Vec<_>, _>>()?;
        let pool = Self { shared: Arc::new(Shared::new(options, workers, bells)) };
        for crew in 0..crews {
            let shared = Arc::clone(&pool.shared);
            let size = (workers - crew * crew::CREW).min(crew::CREW);
            pool.shared.state().crews += 1;
            let thread = thread::Builder::new()
                .name("outlive-pool".to_owned())
                .spawn(move || crew::run(&shared, crew, size));
            if let Err(error) = thread {
                pool.shared.state().crews -= 1;
                return Err(OsError::from_io("pthread_create", &error).into());
            }
        }
        Ok(pool)
    }

    fn is_own(&self) -> bool {
        self.shared.owner == std::process::id()
    }

    fn batch<F, A, R>(
        &self,
        function: F,
        items: Vec<A>,
        chunk: Option<usize>,
        unordered: bool,
    ) -> Result<Arc<Batch<A, R>>, PoolError>
    where
        F: Fn(A) -> R + Copy + Send + Sync + 'static,
        A: Serialize + DeserializeOwned,
        R: Serialize + DeserializeOwned,
    {
        let entry = Entry::of(function);
        let function = entry.name();
        let number = entry.number().ok_or(StartError::NotInExecutable { function })?;
        let retries = self.shared.options.retries;
        Ok(Batch::new(number, items, chunk, retries, unordered))
    }

    fn submit<F, A, R>(
        &self,
        function: F,
        items: Vec<A>,
        chunk: Option<usize>,
    ) -> Result<Arc<Batch<A, R>>, PoolError>
    where
        F: Fn(A) -> R + Copy + Send + Sync + 'static,
        A: Serialize + DeserializeOwned + Send + 'static,
        R: Serialize + DeserializeOwned + Send + 'static,
    {
        let batch = self.batch(function, items, chunk, false)?;
        self.shared.submit(Arc::clone(&batch) as Arc<dyn Job>, false)?;
        Ok(batch)
    }

    fn map_all<F, A, R>(
        &self,
        function: F,
        items: impl IntoIterator<Item = A>,
        chunk: Option<usize>,
    ) -> Result<Vec<R>, PoolError>
    where
        F: Fn(A) -> R + Copy + Send + Sync + 'static,
        A: Serialize + DeserializeOwned + Send + 'static,
        R: Serialize + DeserializeOwned + Send + 'static,
    {
        let items = items.into_iter();
        if let (count, Some(most)) = items.size_hint()
            && count == most
            && self.suits::<A, R>(count)
        {
            return self.map_numbers(function, items, count, chunk);
        }
        let items: Vec<A> = items.collect();
        if self.suits::<A, R>(items.len()) {
            let count = items.len();
            return self.map_numbers(function, items.into_iter(), count, chunk);
        }
        MapHandle::new(self.submit(function, items, chunk)?).get()
    }

    /// Calls `function` for each item, and returns the results in the items' order.
    ///
    /// # Errors
    ///
    /// [`Task`](PoolError::Task) with the first task that failed, in their order, once all are done;
    /// [`Closed`](PoolError::Closed), [`Terminated`](PoolError::Terminated), and why the pool stopped if
    /// it did; [`InCallback`](PoolError::InCallback), [`Forked`](PoolError::Forked).
    pub fn map<F, A, R>(
        &self,
        function: F,
        items: impl IntoIterator<Item = A>,
    ) -> Result<Vec<R>, PoolError>
    where
        F: Fn(A) -> R + Copy + Send + Sync + 'static,
        A: Serialize + DeserializeOwned + Send + 'static,
        R: Serialize + DeserializeOwned + Send + 'static,
    {
        self.map_all(function, items, None)
    }

    /// [`map`](Self::map) with so many items, at least 1, at a time to each worker. Once they are known to
    /// be done in no time, several chunks go together.
    ///
    /// # Errors
    ///
    /// Those of [`map`](Self::map).
    pub fn map_chunked<F, A, R>(
        &self,
        function: F,
        items: impl IntoIterator<Item = A>,
        chunk: usize,
    ) -> Result<Vec<R>, PoolError>
    where
        F: Fn(A) -> R + Copy + Send + Sync + 'static,
        A: Serialize + DeserializeOwned + Send + 'static,
        R: Serialize + DeserializeOwned + Send + 'static,
    {
        self.map_all(function, items, Some(chunk))
    }

    /// [`map`](Self::map) of a function with two arguments, over pairs. (With more, it is `map` of a
    /// function that takes a tuple.)
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = outlive::process::Pool::new(2)?;
    /// assert_eq!(pool.starmap(u64::pow, [(2, 10), (10, 2)])?, [1024, 100]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`map`](Self::map).
    pub fn starmap<F, A, B, R>(
        &self,
        function: F,
        items: impl IntoIterator<Item = (A, B)>,
    ) -> Result<Vec<R>, PoolError>
    where
        F: Fn(A, B) -> R + Copy + Send + Sync + 'static,
        A: Serialize + DeserializeOwned + Send + 'static,
        B: Serialize + DeserializeOwned + Send + 'static,
        R: Serialize + DeserializeOwned + Send + 'static,
    {
        // It captures what has no bytes, and so has none itself.
        self.map(move |(first, second): (A, B)| function(first, second), items)
    }

    /// [`map`](Self::map) without waiting.
    ///
    /// # Errors
    ///
    /// [`Closed`](PoolError::Closed), [`Terminated`](PoolError::Terminated), why the pool stopped if it
    /// did, [`Forked`](PoolError::Forked), [`Start`](PoolError::Start) if the function is not in
    /// this executable.
    pub fn map_async<F, A, R>(
        &self,
        function: F,
        items: impl IntoIterator<Item = A>,
    ) -> Result<MapHandle<R>, PoolError>
    where
        F: Fn(A) -> R + Copy + Send + Sync + 'static,
        A: Serialize + DeserializeOwned + Send + 'static,
        R: Serialize + DeserializeOwned + Send + 'static,
    {
        Ok(MapHandle::new(self.submit(function, items.into_iter().collect(), None)?))
    }

    /// Calls `function` once, and returns its result.
    ///
    /// # Errors
    ///
    /// Those of [`map`](Self::map).
    pub fn apply<F, A, R>(&self, function: F, argument: A) -> Result<R, PoolError>
    where
        F: Fn(A) -> R + Copy + Send + Sync + 'static,
        A: Serialize + DeserializeOwned + Send + 'static,
        R: Serialize + DeserializeOwned + Send + 'static,
    {
        self.apply_async(function, argument)?.get()
    }

    /// [`apply`](Self::apply) without waiting.
    ///
    /// # Errors
    ///
    /// Those of [`map_async`](Self::map_async).
    pub fn apply_async<F, A, R>(&self, function: F, argument: A) -> Result<TaskHandle<R>, PoolError>
    where
        F: Fn(A) -> R + Copy + Send + Sync + 'static,
        A: Serialize + DeserializeOwned + Send + 'static,
        R: Serialize + DeserializeOwned + Send + 'static,
    {
        Ok(TaskHandle::new(self.submit(function, vec![argument], None)?))
    }

    /// Calls `function` for each item of an iterator, which may be endless: items are drawn as results
    /// are, and not many more. Yields the results in the items' order.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = outlive::process::Pool::new(2)?;
    /// let cubes = pool.imap(|n: u64| n.pow(3), 1..)?;
    /// let cubes: Vec<u64> = cubes.take(3).collect::<Result<_, _>>()?;
    /// assert_eq!(cubes, [1, 8, 27]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`map_async`](Self::map_async).
    pub fn imap<F, I, R>(
        &self,
        function: F,
        items: I,
    ) -> Result<Imap<'_, I::IntoIter, R>, PoolError>
    where
        F: Fn(I::Item) -> R + Copy + Send + Sync + 'static,
        I: IntoIterator,
        I::Item: Serialize + DeserializeOwned + Send + 'static,
        R: Serialize + DeserializeOwned + Send + 'static,
    {
        self.imap_in(function, items, false)
    }

    /// [`imap`](Self::imap) that yields the results as they come.
    ///
    /// # Errors
    ///
    /// Those of [`map_async`](Self::map_async).
    pub fn imap_unordered<F, I, R>(
        &self,
        function: F,
        items: I,
    ) -> Result<Imap<'_, I::IntoIter, R>, PoolError>
    where
        F: Fn(I::Item) -> R + Copy + Send + Sync + 'static,
        I: IntoIterator,
        I::Item: Serialize + DeserializeOwned + Send + 'static,
        R: Serialize + DeserializeOwned + Send + 'static,
    {
        self.imap_in(function, items, true)
    }

    fn imap_in<F, I, R>(
        &self,
        function: F,
        items: I,
        unordered: bool,
    ) -> Result<Imap<'_, I::IntoIter, R>, PoolError>
    where
        F: Fn(I::Item) -> R + Copy + Send + Sync + 'static,
        I: IntoIterator,
        I::Item: Serialize + DeserializeOwned + Send + 'static,
        R: Serialize + DeserializeOwned + Send + 'static,
    {
        let batch = self.batch(function, Vec::new(), None, unordered)?;
        // It is refused now rather than by the first item.
        self.shared.submit(Arc::clone(&batch) as Arc<dyn Job>, false)?;
        Ok(Imap::new(self, items.into_iter(), batch))
    }

    /// The workers that there are at the moment: to look at them, or to try what happens if one is
    /// killed.
    #[must_use]
    pub fn workers(&self) -> Vec<ProcessHandle> {
        if self.is_own() { self.shared.state().members.clone() } else { Vec::new() }
    }

    /// How many workers it is to have.
    #[must_use]
    pub fn size(&self) -> usize {
        self.shared.workers
    }

    /// Takes no new tasks from now on. Those that it has are done, and then the workers end.
    pub fn close(&self) {
        if !self.is_own() {
            return;
        }
        let mut state = self.shared.state();
        if state.course == Course::Open {
            state.course = Course::Closed;
        }
        drop(state);
        self.shared.ring();
    }

    /// Kills the workers, and waits for their end. Tasks that are not done fail with
    /// [`Terminated`](TaskError::Terminated).
    pub fn terminate(&self) {
        if self.is_own() {
            self.shared.stop(TaskError::Terminated);
            if !crew::is_crew() {
                self.shared.wait();
            }
        }
    }

    /// Waits until all tasks are done and all workers have ended, after [`close`](Self::close) or
    /// [`terminate`](Self::terminate).
    ///
    /// # Errors
    ///
    /// [`NotClosed`](PoolError::NotClosed); why the pool stopped, if it did;
    /// [`InCallback`](PoolError::InCallback), [`Forked`](PoolError::Forked).
    pub fn join(&mut self) -> Result<(), PoolError> {
        if !self.is_own() {
            return Err(PoolError::Forked);
        }
        if crew::is_crew() {
            return Err(PoolError::InCallback);
        }
        if self.shared.state().course == Course::Open {
            return Err(PoolError::NotClosed);
        }
        self.shared.wait();
        match &self.shared.state().course {
            Course::Over(TaskError::Stopped(why)) => Err((**why).clone()),
            _ => Ok(()),
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.terminate();
    }
}
