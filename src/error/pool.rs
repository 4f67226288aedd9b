//! Errors of pools.

use super::process::{PanicLocation, StartError, at};
use super::{ArrayError, LockError, ObjectError, OsError, RoleError, SegmentError, WaitError};
use std::fmt;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

/// How a worker of a pool ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum WorkerEnd {
    /// A signal of that number killed it.
    Killed(i32),
    /// It exited with that code.
    Exited(i32),
    /// Nobody knows: the program takes the exit statuses of its children itself.
    Unknown,
}

impl From<Option<ExitStatus>> for WorkerEnd {
    fn from(status: Option<ExitStatus>) -> Self {
        match status.map(|status| (status.signal(), status.code())) {
            Some((Some(signal), _)) => Self::Killed(signal),
            Some((None, Some(code))) => Self::Exited(code),
            _ => Self::Unknown,
        }
    }
}

impl fmt::Display for WorkerEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Killed(signal) => write!(f, "was killed ({})", ExitStatus::from_raw(*signal)),
            Self::Exited(code) => write!(f, "exited with code {code}"),
            Self::Unknown => f.write_str("ended, nobody knows how"),
        }
    }
}

/// Why a task of a pool has no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TaskError {
    /// The worker that ran it died: it was killed, or the task exited. The task was begun, and how much
    /// of it was done is not known.
    #[error("worker {worker:?} (pid {pid}) {end} while it ran this task (attempt {attempts})")]
    WorkerDied {
        /// The worker's name.
        worker: String,
        /// Its process id.
        pid: u32,
        /// How it ended.
        end: WorkerEnd,
        /// How many times the task was begun.
        attempts: u32,
    },
    /// The function panicked. The worker goes on with other tasks.
    #[error("the task panicked in worker {worker:?} (pid {pid}){}: {message}", at(location.as_ref()))]
    Panicked {
        /// The worker's name.
        worker: String,
        /// Its process id.
        pid: u32,
        /// What the panic said.
        message: String,
        /// Where; None if the program's own panic hook hides it.
        location: Option<PanicLocation>,
    },
    /// The argument cannot be serialised, or not be deserialised in the worker. The function was not
    /// called.
    #[error("the argument cannot be passed on: {what}")]
    Arguments {
        /// What the serialiser says.
        what: String,
    },
    /// The function returned, but the result cannot be serialised, or not be deserialised here.
    #[error("the result cannot be passed on: {what}")]
    Result {
        /// What the serialiser says.
        what: String,
    },
    /// The pool was terminated, or dropped, before there was a result.
    #[error("the pool was terminated before the task was done")]
    Terminated,
    /// The pool stopped, for that reason, before there was a result.
    #[error("the pool stopped before the task was done: {0}")]
    Stopped(Box<PoolError>),
}

/// Why a pool cannot be had, takes no tasks, or has no results.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PoolError {
    /// A task failed: of several, the first in their order. The others were done.
    #[error("task {index}: {error}")]
    Task {
        /// Its place among the tasks, from 0.
        index: usize,
        /// Why it failed.
        error: TaskError,
    },
    /// There would be nobody to do the work.
    #[error("a pool needs at least one worker")]
    NoWorkers,
    /// The pool was closed: it takes no new tasks.
    #[error("the pool is closed: it takes no new tasks")]
    Closed,
    /// The pool was terminated.
    #[error("the pool was terminated")]
    Terminated,
    /// The initializer failed, or the worker died in it, so many times in a row. There are no workers.
    #[error(
        "the pool has stopped, as its workers cannot begin: {times} in a row failed, the last one, \
         {worker:?}, because {what}"
    )]
    Initializer {
        /// The name of the last one that failed.
        worker: String,
        /// How many have failed in a row.
        times: usize,
        /// What became of that one.
        what: String,
    },
    /// Workers cannot be started.
    #[error("the pool has stopped, as it can start no workers: {0}")]
    Start(#[from] StartError),
    /// Shared memory for a worker cannot be had.
    #[error(transparent)]
    Segment(#[from] SegmentError),
    /// The same of an object in it.
    #[error(transparent)]
    Object(#[from] ObjectError),
    /// The same of its ends.
    #[error(transparent)]
    Role(#[from] RoleError),
    /// The library's own error: a thread of the pool ended before its time.
    #[error("a thread of the pool has panicked, and the pool has stopped")]
    Broken,
    /// The pool has to be closed or terminated before it is joined.
    #[error("the pool still takes tasks: close or terminate it before it is joined")]
    NotClosed,
    /// There was no result in time. The tasks go on.
    #[error("the tasks were not done in time")]
    TimedOut,
    /// A callback waited for the pool whose thread runs the callback.
    #[error("a callback cannot wait for its pool's tasks: nobody else would complete them")]
    InCallback,
    /// This process was forked from the one that has the pool.
    #[error("the pool belongs to the process that this one was forked from")]
    Forked,
    /// An array of plain data cannot be used.
    #[error(transparent)]
    Array(#[from] ArrayError),
    /// A lock of the pool's failed.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// Waiting failed.
    #[error(transparent)]
    Wait(#[from] WaitError),
    /// A system call failed.
    #[error(transparent)]
    Os(#[from] OsError),
}
