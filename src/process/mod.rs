//! Functions of this program in processes of their own, as Python's `multiprocessing.Process` has it.
//!
//! ```
//! use outlive::Segment;
//! use outlive::process::Process;
//!
//! fn count((hits, times): (outlive::Counter, u64)) -> i64 {
//!     for _ in 0..times {
//!         hits.add(1).unwrap();
//!     }
//!     hits.get()
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let hits = Segment::anonymous()?.counter("hits")?;
//! let mut process = Process::start(count, (hits.clone(), 1000))?;
//! assert_eq!(process.join()?, 1000);
//! assert_eq!(hits.get(), 1000);
//! # Ok(())
//! # }
//! ```
//!
//! There is nothing to register, and nothing to call at the start of `main`: see [`Process`].

mod child;
mod current;
mod entry;
mod intercept;
mod letter;
mod options;
mod panics;
mod parcel;
mod pool;
mod scope;
mod spawner;

use std::fmt;
use std::io::{PipeReader, PipeWriter};
use std::marker::PhantomData;
use std::ops::Deref;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use crate::error::{JoinError, PanicLocation, ScopeError, StartError};
pub use child::{ProcessHandle, active_children};
pub use current::{Current, cpu_count, current};
pub use options::{ProcessOptions, Stream};
pub use pool::{
    Imap, MapHandle, Pool, PoolError, PoolOptions, Progress, TaskError, TaskHandle, WorkerEnd,
};
pub use scope::{Scope, scope};

use crate::raw::deadline::Deadline;
use letter::Reply;

/// A function of this program that runs in a process of its own, and the way to its result.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use outlive::process::{JoinError, Process};
///
/// let mut process = Process::start(|n: u64| (1..=n).product::<u64>(), 20)?;
/// assert_eq!(process.join()?, 2_432_902_008_176_640_000);
///
/// let mut process = Process::start(|n: u32| 10 / n, 0)?;
/// let Err(JoinError::Panicked { message, .. }) = process.join() else { panic!() };
/// assert_eq!(message, "attempt to divide by zero");
/// # Ok(())
/// # }
/// ```
///
/// # The function
///
/// A plain function, or a closure without captures, which is what can be found in another process;
/// one with captures is refused by the compiler:
///
/// ```compile_fail
/// # use outlive::process::Process;
/// let factor = 3_u64;
/// let process = Process::start(move |n: u64| n * factor, 14);
/// ```
///
/// What it needs is its argument, of which there is one: several are a tuple. Argument and result are
/// sent with [`serde`], in the format of `postcard`: what serialises as a map or a list whose length is
/// not known beforehand, or cannot be read without a description (`serde_json::Value`, untagged
/// enumerations), needs to be put into another form. Handles of [`Segment`](crate::Segment) and of
/// the objects in it are arguments and results like any others, named and anonymous ones alike; their
/// segment stays for as long as they are on their way.
///
/// # The process
///
/// It is the same executable (`/proc/self/exe`, also if the file was replaced since), started anew: no
/// copy of this process's memory, threads, locks or descriptors. The library runs before `main`,
/// finds that there is a function to call, calls it and exits; neither `main` nor the test runner ever
/// sees it. Therefore it works in programs, tests and examples alike. Arguments of the command line are
/// not passed on. Where the library does not get to run before `main`, [`start`](Self::start) is an error.
///
/// Its exit code is 0 after the function returned, and 101 after it panicked. As in `main`, threads that
/// it started end with it.
///
/// # Dropping
///
/// Dropping a `Process` neither ends the process nor waits for it, unless
/// [`kill_on_drop`](ProcessOptions::kill_on_drop) says so. A [`daemon`](ProcessOptions::daemon)
/// ends with this process, others go on. [`scope`] joins all it started.
///
/// # Crash behaviour
///
/// A result counts once the function has returned and all of it was sent, which is one step: who is
/// killed before that has no result ([`Killed`](JoinError::Killed)), who is killed after it has. What it
/// did to shared objects until then is as each of them promises. If the parent is killed, daemons
/// are as well, at once; others go on, and nobody gets their results. Nothing stays behind.
///
/// # Signals
///
/// A program that ignores SIGCHLD, or waits for all children itself, takes the exit statuses away: results
/// still arrive, but a process that ends quickly may be gone before [`start`](Self::start) has a hold of
/// it, which is the error ESRCH.
///
/// # Threads
///
/// `Send`, and `Sync`: with [`handle`](Self::handle), one thread may [`kill`](ProcessHandle::kill)
/// what another one joins.
pub struct Process<R> {
    handle: ProcessHandle,
    /// Until the reply was fetched.
    channel: Option<OwnedFd>,
    token: u64,
    kill_on_drop: bool,
    streams: Streams,
    _result: PhantomData<fn() -> R>,
}

/// This process's ends of the standard streams.
#[derive(Debug, Default)]
struct Streams {
    stdin: Option<PipeWriter>,
    stdout: Option<PipeReader>,
    stderr: Option<PipeReader>,
}

impl Process<()> {
    /// Starts a process that runs `function` with these arguments.
    ///
    /// # Errors
    ///
    /// [`Arguments`](StartError::Arguments) and [`TooManySegments`](StartError::TooManySegments) if they
    /// cannot be sent, [`Os`](StartError::Os) if there can be no process. There is none then.
    pub fn start<F, A, R>(function: F, arguments: A) -> Result<Process<R>, StartError>
    where
        F: Fn(A) -> R + Copy + Send + Sync + 'static,
        A: Serialize + DeserializeOwned,
        R: Serialize + DeserializeOwned,
    {
        Self::options().start(function, arguments)
    }

    /// Name, streams, environment, and what becomes of it when this process ends.
    pub fn options() -> ProcessOptions {
        ProcessOptions::default()
    }
}

impl<R> Process<R> {
    fn new(
        handle: ProcessHandle,
        channel: OwnedFd,
        token: u64,
        kill_on_drop: bool,
        streams: Streams,
    ) -> Self {
        let channel = Some(channel);
        Self { handle, channel, token, kill_on_drop, streams, _result: PhantomData }
    }

    /// The same process without its result, to be kept elsewhere.
    #[must_use]
    pub fn handle(&self) -> ProcessHandle {
        self.handle.clone()
    }

    /// Where letters go beside the job and the reply.
    pub(super) fn channel(&self) -> Option<(BorrowedFd<'_>, u64)> {
        self.channel.as_ref().map(|channel| (channel.as_fd(), self.token))
    }

    /// This process's end of [`Stream::Piped`] input, the first time.
    pub fn take_stdin(&mut self) -> Option<PipeWriter> {
        self.streams.stdin.take()
    }

    /// This process's end of [`Stream::Piped`] output, the first time. Who lets it fill up keeps the
    /// process from ending.
    pub fn take_stdout(&mut self) -> Option<PipeReader> {
        self.streams.stdout.take()
    }

    /// This process's end of [`Stream::Piped`] error output, the first time.
    pub fn take_stderr(&mut self) -> Option<PipeReader> {
        self.streams.stderr.take()
    }
}

impl<R: DeserializeOwned> Process<R> {
    /// Waits until the process has ended, and returns what its function did. Closes its standard input
    /// first if that is [`Stream::Piped`] and was not taken.
    ///
    /// # Errors
    ///
    /// [`Panicked`](JoinError::Panicked), [`Killed`](JoinError::Killed),
    /// [`Exited`](JoinError::Exited); [`Arguments`](JoinError::Arguments) and
    /// [`Result`](JoinError::Result) if either did not get through;
    /// [`AlreadyJoined`](JoinError::AlreadyJoined) the second time, and
    /// [`Forked`](JoinError::Forked) in a process that was forked from the one that started it.
    pub fn join(&mut self) -> Result<R, JoinError> {
        self.join_until(Deadline::NEVER)
    }

    /// Waits until the process has ended, for at most `timeout`.
    ///
    /// # Errors
    ///
    /// [`TimedOut`](JoinError::TimedOut), never before the time is up, after which it can be joined
    /// again, and those of [`join`](Self::join).
    pub fn join_timeout(&mut self, timeout: Duration) -> Result<R, JoinError> {
        self.join_until(Deadline::after(timeout))
    }

    fn join_until(&mut self, deadline: Deadline) -> Result<R, JoinError> {
        let (name, pid) = (self.name().to_owned(), self.pid());
        if !self.handle.is_own() {
            return Err(JoinError::Forked { name, pid });
        }
        if self.channel.is_none() {
            return Err(JoinError::AlreadyJoined { name, pid });
        }
        drop(self.streams.stdin.take());
        if !self.handle.await_end(deadline)? {
            return Err(JoinError::TimedOut { name, pid });
        }
        let Some(channel) = self.channel.take() else {
            return Err(JoinError::AlreadyJoined { name, pid });
        };
        // Fetched in any case, so that no zombie stays.
        let status = self.handle.reap();
        if let Some(letter) = letter::receive(channel.as_fd(), self.token, 0)? {
            return match letter.head {
                Reply::Returned => {
                    letter.parcel.unpack().map_err(|what| JoinError::Result { name, pid, what })
                }
                Reply::Panicked { message, location } => {
                    Err(JoinError::Panicked { name, pid, message, location })
                }
                Reply::Arguments(what) => Err(JoinError::Arguments { name, pid, what }),
                Reply::Result(what) => Err(JoinError::Result { name, pid, what }),
            };
        }
        // It has ended, so there is one.
        let status = status?.unwrap_or_default();
        Err(match status.signal() {
            Some(signal) => JoinError::Killed { name, pid, signal },
            None => JoinError::Exited { name, pid, code: status.code().unwrap_or_default() },
        })
    }
}

impl<R> Deref for Process<R> {
    type Target = ProcessHandle;

    fn deref(&self) -> &ProcessHandle {
        &self.handle
    }
}

/// Becomes readable when the process has ended, so that [`wait_any`](crate::wait_any) can wait for it.
impl<R> AsFd for Process<R> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.handle.as_fd()
    }
}

impl<R> Drop for Process<R> {
    fn drop(&mut self) {
        if self.kill_on_drop && self.handle.is_own() {
            // Without effect on one that has ended.
            let _ended = self.handle.kill();
        }
    }
}

impl<R> fmt::Debug for Process<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Process")
            .field("name", &self.name())
            .field("pid", &self.pid())
            .finish_non_exhaustive()
    }
}
