//! Errors of broadcasts.

use super::LockError;

/// Why nothing was received from a broadcast.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecvError {
    /// `try_recv` found nothing new.
    #[error("there is no new message")]
    Empty,
    /// Messages were overwritten before this subscriber received them. The next call goes on with the
    /// oldest one that is there.
    #[error("{missed} messages were overwritten before they were received")]
    Lagged {
        /// How many.
        missed: u64,
    },
    /// The channel is closed, and everything was received.
    #[error("the channel is closed, and all its messages were received")]
    Closed,
    /// The time given ran out without a new message.
    #[error("there was no new message for the whole time")]
    TimedOut,
    /// The subscriber's own lock failed, or bytes in the segment cannot be.
    #[error(transparent)]
    Lock(#[from] LockError),
}

/// Why a thread did not become a subscriber.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SubscribeError {
    /// All places are taken, by live subscribers.
    #[error("there are {limit} subscribers, as many as the channel has places for")]
    NoPlace {
        /// The most subscribers at a time.
        limit: usize,
    },
    /// A lock failed.
    #[error(transparent)]
    Lock(#[from] LockError),
}
