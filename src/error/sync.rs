//! Errors of what processes meet at.

use std::fmt;

use super::{LockError, OsError};

/// Why a value was not set. It is handed back.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SetError<T> {
    /// It was set before.
    #[error("the value was set already: it can be set once only")]
    AlreadySet(T),
    /// The lock of who sets the value failed.
    #[error("{1}")]
    Lock(T, LockError),
}

impl<T> SetError<T> {
    /// The value that was not stored.
    pub fn into_inner(self) -> T {
        match self {
            Self::AlreadySet(value) | Self::Lock(value, _) => value,
        }
    }
}

// By hand: a value need not be Debug for the error to be.
impl<T> fmt::Debug for SetError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AlreadySet(_) => f.write_str("AlreadySet(..)"),
            Self::Lock(_, error) => f.debug_tuple("Lock").field(error).finish(),
        }
    }
}

/// Why no permits were acquired from a semaphore, or released to it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SemaphoreError {
    /// More permits were asked for than there can ever be.
    #[error(
        "{asked} permits were asked for, and the semaphore never has more than {bound}: waiting for \
         them would not end"
    )]
    TooMany {
        /// The permits asked for.
        asked: u64,
        /// The most that there may be.
        bound: u64,
    },
    /// `try_acquire` found too few permits.
    #[error("{asked} permits were asked for, {available} are available at the moment")]
    NoPermits {
        /// The permits asked for.
        asked: u64,
        /// Those that there were.
        available: u64,
    },
    /// `try_acquire` found enough permits, but as many holders as the semaphore has places for.
    #[error(
        "permits are held {limit} times, and the semaphore has no place for more: acquire several \
         permits as one, or wait"
    )]
    TooManyHolders {
        /// How many permits, of whatever count, can be held at a time.
        limit: usize,
    },
    /// The time given ran out.
    #[error(
        "{asked} permits could not be had in time, {available} are available: Semaphore::holders \
         tells who has the others"
    )]
    TimedOut {
        /// The permits asked for.
        asked: u64,
        /// Those that there were at the end.
        available: u64,
    },
    /// `release` would have put more permits into circulation than there may be.
    #[error(
        "releasing {released} permits would make more than the {bound} that there may be: {total} \
         are in circulation, and those that are held come back by themselves"
    )]
    OverRelease {
        /// The permits that were to be released.
        released: u64,
        /// Those in circulation, held or not.
        total: u64,
        /// The most that there may be.
        bound: u64,
    },
    /// The semaphore's lock, or the permit's own, failed.
    #[error(transparent)]
    Lock(#[from] LockError),
}

/// Why a party was not let through a barrier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BarrierError {
    /// The barrier is broken: a party died, gave up or panicked while it waited, or somebody called
    /// `abort` or `reset`.
    #[error(
        "the barrier is broken: a party died or gave up, or it was aborted or reset; once the \
         parties agree on going on, Barrier::reset mends it"
    )]
    Broken,
    /// The time given ran out; the barrier is broken for the others by that.
    #[error("the other parties did not arrive in time, and the barrier is broken now")]
    TimedOut,
    /// The barrier's lock, or the party's own, failed.
    #[error(transparent)]
    Lock(#[from] LockError),
}

/// Why several things could not be waited for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WaitError {
    /// An empty list, and no timeout.
    #[error("there is nothing to wait for, and no timeout")]
    Nothing,
    /// More than the kernel can wait for at once.
    #[error(
        "these things have {count} words to wait on, the limit is {limit} (an event has one, a lock \
         or a queue two, a descriptor none): wait for fewer, or in several threads"
    )]
    TooMany {
        /// How many words they have.
        count: usize,
        /// The most that is possible.
        limit: usize,
    },
    /// The bridge's thread is its maker's, and this process was forked from that one.
    #[error("this bridge belongs to the process that this one was forked from: make a new one")]
    Forked,
    /// One of the things cannot be waited for.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// A system call failed.
    #[error(transparent)]
    Os(#[from] OsError),
}
