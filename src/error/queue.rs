//! Errors of queues and of their ends.

use std::fmt;

use super::lock::held_by;
use super::{Holder, LockError};

/// Why a message was not pushed. It is handed back.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PushError<T> {
    /// `try_push` found the queue full.
    #[error("the queue is full")]
    Full(T),
    /// The queue was closed.
    #[error("the queue is closed")]
    Closed(T),
    /// The time given ran out with the queue still full.
    #[error("the queue stayed full for the whole time")]
    TimedOut(T),
    /// The producers' lock failed.
    #[error("{1}")]
    Lock(T, LockError),
}

impl<T> PushError<T> {
    /// The message that was not sent.
    pub fn into_inner(self) -> T {
        match self {
            Self::Full(message)
            | Self::Closed(message)
            | Self::TimedOut(message)
            | Self::Lock(message, _) => message,
        }
    }
}

// By hand: a message need not be Debug for the error to be.
impl<T> fmt::Debug for PushError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full(_) => f.write_str("Full(..)"),
            Self::Closed(_) => f.write_str("Closed(..)"),
            Self::TimedOut(_) => f.write_str("TimedOut(..)"),
            Self::Lock(_, error) => f.debug_tuple("Lock").field(error).finish(),
        }
    }
}

/// Why no message was popped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PopError {
    /// `try_pop` found the queue empty.
    #[error("the queue is empty")]
    Empty,
    /// The queue is empty and closed: nothing will come any more.
    #[error("the queue is closed and empty")]
    Closed,
    /// The time given ran out with the queue still empty.
    #[error("the queue stayed empty for the whole time")]
    TimedOut,
    /// The consumers' lock failed.
    #[error(transparent)]
    Lock(#[from] LockError),
}

/// Why one side of a channel was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RoleError {
    /// A live thread has it.
    #[error("the channel has a {role}{}: there can be one at a time", held_by(holder.as_deref()))]
    Taken {
        /// "producer" or "consumer", "first end" or "second end".
        role: &'static str,
        /// Who has it, if that is known.
        holder: Option<Box<Holder>>,
    },
    /// The lock that stands for it failed.
    #[error(transparent)]
    Lock(#[from] LockError),
}

/// Why no bytes were pushed to a byte queue, or no room for them was granted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BytePushError {
    /// The message is larger than the queue ever takes.
    #[error(
        "a message of {length} bytes never fits, the largest that does has {largest}: send it in \
         parts, or create the queue with a larger capacity"
    )]
    TooLong {
        /// The message's length in bytes.
        length: usize,
        /// The length of the largest message, in bytes.
        largest: usize,
    },
    /// `try_push` or `try_grant` found too little room.
    #[error("the queue is full")]
    Full,
    /// The queue was closed.
    #[error("the queue is closed")]
    Closed,
    /// The time given ran out without enough room.
    #[error("there was not enough room in the queue for the whole time")]
    TimedOut,
    /// The producers' lock failed.
    #[error(transparent)]
    Lock(#[from] LockError),
}
