//! A system call that failed.

use std::fmt;
use std::io;

/// A system call that failed: which one, on what, and the kernel's errno.
// Boxed, so that results which may hold one stay small on the paths that are to be fast.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OsError(Box<Failure>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Failure {
    call: &'static str,
    errno: i32,
    subject: Option<String>,
}

impl OsError {
    pub(crate) fn new(call: &'static str, errno: i32) -> Self {
        Self(Box::new(Failure { call, errno, subject: None }))
    }

    /// The error of the call that has just failed on this thread.
    pub(crate) fn last(call: &'static str) -> Self {
        Self::new(call, io::Error::last_os_error().raw_os_error().unwrap_or(0))
    }

    /// What the standard library says of a call of its own.
    #[cfg(feature = "process")]
    pub(crate) fn from_io(call: &'static str, error: &io::Error) -> Self {
        /// What the library refuses without asking the kernel.
        const EINVAL: i32 = 22;
        Self::new(call, error.raw_os_error().unwrap_or(EINVAL))
    }

    pub(crate) fn on(mut self, subject: impl Into<String>) -> Self {
        self.0.subject = Some(subject.into());
        self
    }

    /// The system call, named as its manual page is.
    #[must_use]
    pub fn call(&self) -> &'static str {
        self.0.call
    }

    /// The error number (`ENOSPC` and the like, see errno(3)).
    #[must_use]
    pub fn errno(&self) -> i32 {
        self.0.errno
    }
}

impl fmt::Display for OsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.call())?;
        if let Some(subject) = &self.0.subject {
            write!(f, " on {subject}")?;
        }
        write!(f, " failed: {}", io::Error::from_raw_os_error(self.errno()))
    }
}

impl std::error::Error for OsError {}

impl From<OsError> for io::Error {
    fn from(error: OsError) -> Self {
        io::Error::from_raw_os_error(error.errno())
    }
}
