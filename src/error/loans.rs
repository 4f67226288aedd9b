//! Errors of pools of chunks.

use super::{LockError, PopError};

/// Why no chunk was loaned.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LoanError {
    /// No chunk of the pool is as large.
    #[error(
        "{length} bytes never fit, the largest chunks have {largest}: send the content in parts, or \
         create the pool with larger chunks"
    )]
    TooLarge {
        /// The content's length in bytes.
        length: usize,
        /// The bytes of the largest chunks.
        largest: usize,
    },
    /// `try_loan` and its like: all chunks that are large enough are in use.
    #[error(
        "no chunk for {length} bytes is free, {held} are held and {sent} are sent at the moment: wait \
         with loan, or see LoanPool::reclaim if handles were lost"
    )]
    Exhausted {
        /// The content's length in bytes.
        length: usize,
        /// Chunks that are large enough, and somebody writes or reads.
        held: usize,
        /// Chunks that are large enough, and were sent but not received yet.
        sent: usize,
    },
    /// The time given ran out without a free chunk.
    #[error(
        "no chunk for {length} bytes came back in time, {held} are held and {sent} are sent: see \
         LoanPool::reclaim if handles were lost"
    )]
    TimedOut {
        /// The content's length in bytes.
        length: usize,
        /// As in [`Exhausted`](Self::Exhausted).
        held: usize,
        /// As in [`Exhausted`](Self::Exhausted).
        sent: usize,
    },
    /// A chunk's lock failed: with [`Deadlock`](LockError::Deadlock) if this thread holds all chunks
    /// that it would wait for.
    #[error(transparent)]
    Lock(#[from] LockError),
}

/// Why nothing was received from a pool.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReceiveError {
    /// The handle was received before, or the chunk was reclaimed: a handle is good once.
    #[error("the handle is stale: it was received before, or its chunk was reclaimed")]
    Stale,
    /// The handle was made by another pool, or is none.
    #[error("the handle is not of this pool: receive it with the pool that it was loaned from")]
    NotOfThisPool,
    /// The chunk holds something else. It stays sent: the handle is still good.
    #[error(
        "the chunk holds {length} bytes of another type than {expected}: receive it as what was \
         loaned, or give it back with LoanPool::discard"
    )]
    WrongType {
        /// The type that was asked for.
        expected: String,
        /// The bytes that there are.
        length: usize,
    },
    /// No handle came out of the queue.
    #[error(transparent)]
    Pop(#[from] PopError),
    /// The chunk's lock failed, or its bytes are no value of the type
    /// ([`Corrupt`](LockError::Corrupt)): the chunk was given back then.
    #[error(transparent)]
    Lock(#[from] LockError),
}
