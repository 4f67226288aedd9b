//! Errors of locks, and who holds one.

use std::convert::Infallible;
use std::fmt;
use std::time::Duration;

use super::OsError;

/// Who holds a lock. A snapshot: by the time that it is looked at, the lock may have moved on.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Holder {
    /// The holding thread: gettid(2).
    pub thread_id: u32,
    /// Its process; None if it has ended by now, or /proc does not tell.
    pub process_id: Option<u32>,
    /// The process's command name, see proc_pid_comm(5).
    pub command: Option<String>,
    /// For at least how long it has been holding the lock, as those saw who waited for it. None if
    /// nobody had to wait yet.
    pub since: Option<Duration>,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.process_id, &self.command) {
            (Some(process), Some(command)) => {
                write!(f, "process {process} ({command}), thread {}", self.thread_id)?;
            }
            _ => write!(f, "thread {}", self.thread_id)?,
        }
        if let Some(since) = self.since {
            write!(f, ", for at least {since:.1?}")?;
        }
        Ok(())
    }
}

pub(super) fn held_by(holder: Option<&Holder>) -> String {
    holder.map_or_else(String::new, |holder| format!(": it is held by {holder}"))
}

/// Why a lock was not acquired, or was acquired from a dead holder, or why an object could not be
/// used otherwise. Which object it was is for the caller to add.
///
/// `G` is the guard that [`OwnerDied`](LockError::OwnerDied) hands over. Objects that repair
/// themselves never report a dead holder: their error is plain `LockError`, without a guard.
#[derive(thiserror::Error, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LockError<G = Infallible> {
    /// The lock is yours, but its last holder died or panicked with it: what it protects may be
    /// half-changed. Look at it, mend it, and call `mark_consistent`.
    #[error(
        "the last holder died or panicked while it held the lock: check the data, then call \
         mark_consistent"
    )]
    OwnerDied(G),
    /// A dead holder's lock was released without `mark_consistent`: it stays closed for good.
    #[error(
        "the lock was given up as inconsistent after its holder died: remove the object and create \
         it anew"
    )]
    NotRecoverable,
    /// The time given ran out.
    #[error("the lock was not released in time{}", held_by(holder.as_deref()))]
    TimedOut {
        /// Who holds it, if that is known.
        holder: Option<Box<Holder>>,
    },
    /// `try_lock` found the lock held.
    #[error("the lock is held at the moment")]
    WouldBlock,
    /// This thread holds the lock already.
    #[error("this thread holds the lock already and would wait for itself")]
    Deadlock,
    /// The segment was opened read-only.
    #[error("the segment was opened read-only, and this needs to write")]
    ReadOnly,
    /// This thread holds as many locks as the kernel watches over.
    #[error("this thread holds {limit} locks, more would not survive its death: release some")]
    TooManyLocks {
        /// The most locks that a thread can hold at a time.
        limit: usize,
    },
    /// Bytes in the segment that cannot be: the protected value is not one of its type.
    #[error("the shared bytes of {what} are not valid for its type: something else wrote them")]
    Corrupt {
        /// What was found.
        what: &'static str,
    },
    /// A system call failed.
    #[error(transparent)]
    Os(#[from] OsError),
}

impl<G> LockError<G> {
    /// The guard that came with [`OwnerDied`](Self::OwnerDied), not vouched for yet.
    ///
    /// # Errors
    ///
    /// Every other error, as one without a guard, which can be returned from anywhere.
    pub fn into_guard(self) -> Result<G, LockError> {
        match self {
            Self::OwnerDied(guard) => Ok(guard),
            Self::NotRecoverable => Err(LockError::NotRecoverable),
            Self::TimedOut { holder } => Err(LockError::TimedOut { holder }),
            Self::WouldBlock => Err(LockError::WouldBlock),
            Self::Deadlock => Err(LockError::Deadlock),
            Self::ReadOnly => Err(LockError::ReadOnly),
            Self::TooManyLocks { limit } => Err(LockError::TooManyLocks { limit }),
            Self::Corrupt { what } => Err(LockError::Corrupt { what }),
            Self::Os(error) => Err(LockError::Os(error)),
        }
    }
}

impl LockError {
    /// An error without a guard is an error with any.
    pub(crate) fn cast<G>(self) -> LockError<G> {
        match self {
            Self::OwnerDied(never) => match never {},
            Self::NotRecoverable => LockError::NotRecoverable,
            Self::TimedOut { holder } => LockError::TimedOut { holder },
            Self::WouldBlock => LockError::WouldBlock,
            Self::Deadlock => LockError::Deadlock,
            Self::ReadOnly => LockError::ReadOnly,
            Self::TooManyLocks { limit } => LockError::TooManyLocks { limit },
            Self::Corrupt { what } => LockError::Corrupt { what },
            Self::Os(error) => LockError::Os(error),
        }
    }
}

// By hand: a guard need not be Debug for the error to be.
impl<G> fmt::Debug for LockError<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OwnerDied(_) => f.write_str("OwnerDied(..)"),
            Self::NotRecoverable => f.write_str("NotRecoverable"),
            Self::TimedOut { holder } => {
                f.debug_struct("TimedOut").field("holder", holder).finish()
            }
            Self::WouldBlock => f.write_str("WouldBlock"),
            Self::Deadlock => f.write_str("Deadlock"),
            Self::ReadOnly => f.write_str("ReadOnly"),
            Self::TooManyLocks { limit } => {
                f.debug_struct("TooManyLocks").field("limit", limit).finish()
            }
            Self::Corrupt { what } => f.debug_struct("Corrupt").field("what", what).finish(),
            Self::Os(error) => f.debug_tuple("Os").field(error).finish(),
        }
    }
}
