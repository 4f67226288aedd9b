//! Errors of processes.

use std::fmt;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use super::OsError;

/// Why a process was not started.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The library did not run before `main`, so a new process would run `main` again. Rather than that,
    /// none is started.
    #[error(
        "no process can be started: this program does not run what the library put before main \
         (is it linked without .init_array, or was the library loaded by another program?)"
    )]
    NotIntercepted,
    /// The function is not part of the executable that a new process runs, but of a shared library.
    #[error(
        "{function} is not in this program's executable, which is what a new process runs: link \
         it statically"
    )]
    NotInExecutable {
        /// The function's type.
        function: &'static str,
    },
    /// The arguments cannot be serialised, or a handle among them cannot be passed on.
    #[error("the arguments cannot be passed on: {what}")]
    Arguments {
        /// What the serialiser says.
        what: String,
    },
    /// Handles of more segments than can go along.
    #[error(
        "the arguments have handles of {count} segments, {limit} can be passed on: put the objects \
         into fewer segments"
    )]
    TooManySegments {
        /// How many there are.
        count: usize,
        /// The most that is possible.
        limit: usize,
    },
    /// A system call failed.
    #[error(transparent)]
    Os(#[from] OsError),
}

/// Where a panic started.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub struct PanicLocation {
    /// The source file, as the compiler was given it.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// The column, from 1.
    pub column: u32,
}

impl fmt::Display for PanicLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

pub(super) fn at(location: Option<&PanicLocation>) -> String {
    location.map_or_else(String::new, |location| format!(" at {location}"))
}

/// Why a process has no result (yet).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JoinError {
    /// The function panicked.
    #[error("process {name:?} (pid {pid}) panicked{}: {message}", at(location.as_ref()))]
    Panicked {
        /// The process's name.
        name: String,
        /// Its process id.
        pid: u32,
        /// What the panic said.
        message: String,
        /// Where; None if the program's own panic hook hides it.
        location: Option<PanicLocation>,
    },
    /// A signal ended the process before the function returned.
    #[error("process {name:?} (pid {pid}) was killed ({})", ExitStatus::from_raw(*signal))]
    Killed {
        /// The process's name.
        name: String,
        /// Its process id.
        pid: u32,
        /// The signal's number.
        signal: i32,
    },
    /// The process exited before the function returned.
    #[error("process {name:?} (pid {pid}) exited with code {code} before its function returned")]
    Exited {
        /// The process's name.
        name: String,
        /// Its process id.
        pid: u32,
        /// The exit code.
        code: i32,
    },
    /// The process could not take its arguments, and did not call the function.
    #[error("process {name:?} (pid {pid}) could not take its arguments: {what}")]
    Arguments {
        /// The process's name.
        name: String,
        /// Its process id.
        pid: u32,
        /// What it says.
        what: String,
    },
    /// The function returned, but the result could not be serialised there, or not be deserialised here.
    #[error("the result of process {name:?} (pid {pid}) cannot be passed on: {what}")]
    Result {
        /// The process's name.
        name: String,
        /// Its process id.
        pid: u32,
        /// What the serialiser says.
        what: String,
    },
    /// The time given ran out; the process goes on.
    #[error("process {name:?} (pid {pid}) did not end in time")]
    TimedOut {
        /// The process's name.
        name: String,
        /// Its process id.
        pid: u32,
    },
    /// An earlier call returned the result, or told why there is none.
    #[error("process {name:?} (pid {pid}) was joined already")]
    AlreadyJoined {
        /// The process's name.
        name: String,
        /// Its process id.
        pid: u32,
    },
    /// The process is not a child of this process, which was forked from the one that started it.
    #[error("process {name:?} (pid {pid}) belongs to the process that this one was forked from")]
    Forked {
        /// The process's name.
        name: String,
        /// Its process id.
        pid: u32,
    },
    /// A system call failed. `ECHILD` from wait: the program ignores SIGCHLD, or fetched the status
    /// itself, so nobody knows how the process ended.
    #[error(transparent)]
    Os(#[from] OsError),
}

/// Why a scope has no results.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScopeError {
    /// A process was not started; the others were killed.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A process failed; the others were killed.
    #[error(transparent)]
    Join(#[from] JoinError),
}
