//! Child processes: how they are told apart, waited for, ended, and forgotten.
//!
//! A child is addressed by its pidfd, so no signal ever reaches another process that got its id. Its
//! status is fetched by whoever looks first; until then it is on the list of this process's children.
//! All that have ended are fetched when one is started, and when [`active_children`] is asked.

use std::fmt;
use std::os::fd::{AsFd, BorrowedFd};
use std::process::ExitStatus;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::error::{OsError, WaitError};
use crate::os::descriptor::{self, Signal};
use crate::raw::deadline::Deadline;
use crate::segment::attachment::lock_soon;
use crate::sync::ChildProcess;

/// A process that this one started, without its result. Cheap to clone; dropping it does nothing.
///
/// [`Process`](super::Process) has these methods as well.
#[derive(Clone)]
pub struct ProcessHandle(Arc<Child>);

struct Child {
    name: String,
    pid: u32,
    daemon: bool,
    /// The process that started it.
    parent: u32,
    sentinel: ChildProcess,
    /// For its status.
    child: Mutex<std::process::Child>,
}

static CHILDREN: Mutex<Vec<ProcessHandle>> = Mutex::new(Vec::new());

impl ProcessHandle {
    pub(super) fn new(
        name: String,
        daemon: bool,
        mut child: std::process::Child,
    ) -> Result<Self, OsError> {
        let sentinel = match ChildProcess::new(&child) {
            Ok(sentinel) => sentinel,
            Err(error) => {
                // Nobody would have a hold of it.
                let _gone = child.kill().and_then(|()| child.wait());
                return Err(error);
            }
        };
        let (pid, parent, child) = (child.id(), std::process::id(), Mutex::new(child));
        let this = Self(Arc::new(Child { name, pid, daemon, parent, sentinel, child }));
        if let Some(mut children) = lock_soon(&CHILDREN) {
            children.retain(|child| child.is_own() && matches!(child.reap(), Ok(None)));
            children.push(this.clone());
        }
        Ok(this)
    }

    /// The name that it was started under.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Its process id. It stays its own until the exit status is fetched, by whichever call.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.0.pid
    }

    /// Whether it is killed when this process ends.
    #[must_use]
    pub fn is_daemon(&self) -> bool {
        self.0.daemon
    }

    /// Whether it runs: its function, or what the program does at exit.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        let ended = descriptor::readable(&[self.0.sentinel.as_fd()], Some(Duration::ZERO));
        let alive = !ended.is_ok_and(|ended| ended == [true]);
        if !alive {
            // No zombie stays of it.
            let _status = self.exit_status();
        }
        alive
    }

    /// How it ended; None while it runs, and where nobody can know: if the program ignores SIGCHLD or
    /// fetches statuses itself, and in a process that was forked from the one that started it.
    ///
    /// 0 after the function returned, 101 after it panicked, else what it exited with, or
    /// the signal that killed it
    /// ([`ExitStatusExt::signal`](std::os::unix::process::ExitStatusExt::signal)).
    #[must_use]
    pub fn exit_status(&self) -> Option<ExitStatus> {
        self.reap().ok().flatten()
    }

    pub(super) fn reap(&self) -> Result<Option<ExitStatus>, OsError> {
        if !self.is_own() {
            // It is another process's child, and the lock may be a copy of one that was held.
            return Ok(None);
        }
        let mut child = self.0.child.lock().unwrap_or_else(PoisonError::into_inner);
        child.try_wait().map_err(|error| OsError::from_io("waitpid", &error))
    }

    /// Whether this process started it, rather than one that this was forked from.
    pub(super) fn is_own(&self) -> bool {
        self.0.parent == std::process::id()
    }

    /// Asks it to end, with SIGTERM. Without effect on one that has ended.
    ///
    /// # Errors
    ///
    /// pidfd_send_signal(2) failed: the child has become another user's.
    pub fn terminate(&self) -> Result<(), OsError> {
        descriptor::signal(self.0.sentinel.as_fd(), Signal::Terminate).map(drop)
    }

    /// Ends it with SIGKILL, at once. Without effect on one that has ended.
    ///
    /// # Errors
    ///
    /// As for [`terminate`](Self::terminate).
    pub fn kill(&self) -> Result<(), OsError> {
        descriptor::signal(self.0.sentinel.as_fd(), Signal::Kill).map(drop)
    }

    /// What [`wait_any`](crate::wait_any) and poll(2) can wait for: ready when the process has ended.
    #[must_use]
    pub fn sentinel(&self) -> &ChildProcess {
        &self.0.sentinel
    }

    /// Waits until it has ended, for at most `timeout`; None is as long as it takes. False if it has
    /// not.
    ///
    /// # Errors
    ///
    /// [`Os`](WaitError::Os).
    pub fn wait(&self, timeout: Option<Duration>) -> Result<bool, WaitError> {
        Ok(self.await_end(timeout.map_or(Deadline::NEVER, Deadline::after))?)
    }

    pub(super) fn await_end(&self, deadline: Deadline) -> Result<bool, OsError> {
        let sentinel = [self.0.sentinel.as_fd()];
        loop {
            // In the last round, a look.
            let left = deadline.remaining();
            if descriptor::readable(&sentinel, Some(left.unwrap_or_default()))? == [true] {
                return Ok(true);
            }
            if left.is_none() {
                return Ok(false);
            }
        }
    }
}

/// Becomes readable when the process has ended.
impl AsFd for ProcessHandle {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.sentinel.as_fd()
    }
}

impl fmt::Debug for ProcessHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Child { name, pid, daemon, .. } = &*self.0;
        f.debug_struct("ProcessHandle")
            .field("name", name)
            .field("pid", pid)
            .field("daemon", daemon)
            .finish_non_exhaustive()
    }
}

/// The processes that this one started and that have not ended, in the order in which they were started.
/// What there is to be fetched of those that have ended, is.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use outlive::process::{Process, active_children};
///
/// let child = Process::options().name("sleeper").start(|()| std::thread::park(), ())?;
/// assert!(active_children().iter().any(|child| child.name() == "sleeper"));
/// child.kill()?;
/// child.wait(None)?;
/// assert!(active_children().iter().all(|child| child.name() != "sleeper"));
/// # Ok(())
/// # }
/// ```
#[must_use]
pub fn active_children() -> Vec<ProcessHandle> {
    let Some(mut children) = lock_soon(&CHILDREN) else { return Vec::new() };
    // Not those of a process that this one was forked from.
    children.retain(|child| child.is_own() && child.is_alive());
    children.clone()
}
