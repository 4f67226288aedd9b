//! Errors of tasks.

use super::LockError;

/// Why tasks were not waited for to the end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TaskJoinError {
    /// The time given ran out.
    #[error("{unfinished} tasks were not finished in time")]
    TimedOut {
        /// The tasks that wait or are in somebody's hands.
        unfinished: usize,
    },
    /// The queue's lock failed. [`Deadlock`](LockError::Deadlock): this thread has a task in its
    /// hands, and would wait for itself.
    #[error(transparent)]
    Lock(#[from] LockError),
}
