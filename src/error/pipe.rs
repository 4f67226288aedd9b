//! Errors of pipes and listeners.

use std::io;
use std::time::Duration;

use super::{LockError, ObjectError, SegmentError};

/// Why nothing was sent into a pipe.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PipeSendError {
    /// The message is larger than the pipe ever takes. Nothing of it was written.
    #[error(
        "a message of {length} bytes never fits, the largest that does has {largest}: send it in \
         parts, or create the pipe with a larger capacity"
    )]
    TooLong {
        /// The message's length in bytes.
        length: usize,
        /// The length of the largest message, in bytes.
        largest: usize,
    },
    /// `try_send` or the like found too little room.
    #[error("the pipe is full")]
    Full,
    /// Nobody will receive it: the other end was closed, or its process died.
    #[error("broken pipe: the other end was closed, or its process died")]
    BrokenPipe,
    /// This is the receiving end of a one-way pipe.
    #[error("this end of a one-way pipe receives only: use the second end, or a duplex pipe")]
    ReceivesOnly,
    /// The time given ran out without enough room.
    #[error("there was not enough room in the pipe for the whole time")]
    TimedOut,
    /// A lock failed, or this end is not this thread's.
    #[error(transparent)]
    Lock(#[from] LockError),
}

/// Why nothing was received from a pipe.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PipeRecvError {
    /// `try_recv` or the like found nothing.
    #[error("the pipe is empty")]
    Empty,
    /// End of file: the other end was closed, or its process died, and all that it sent was received.
    #[error("end of file: the other end was closed, or its process died, and all was received")]
    Eof,
    /// This is the sending end of a one-way pipe.
    #[error("this end of a one-way pipe sends only: use the first end, or a duplex pipe")]
    SendsOnly,
    /// The time given ran out without a message.
    #[error("the pipe stayed empty for the whole time")]
    TimedOut,
    /// A lock failed, or this end is not this thread's.
    #[error(transparent)]
    Lock(#[from] LockError),
}

impl From<PipeSendError> for io::Error {
    fn from(error: PipeSendError) -> Self {
        let kind = match error {
            PipeSendError::TooLong { .. } => io::ErrorKind::InvalidInput,
            PipeSendError::Full => io::ErrorKind::WouldBlock,
            PipeSendError::BrokenPipe => io::ErrorKind::BrokenPipe,
            PipeSendError::ReceivesOnly => io::ErrorKind::Unsupported,
            PipeSendError::TimedOut => io::ErrorKind::TimedOut,
            PipeSendError::Lock(_) => io::ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}

impl From<PipeRecvError> for io::Error {
    fn from(error: PipeRecvError) -> Self {
        let kind = match error {
            PipeRecvError::Empty => io::ErrorKind::WouldBlock,
            PipeRecvError::Eof => io::ErrorKind::UnexpectedEof,
            PipeRecvError::SendsOnly => io::ErrorKind::Unsupported,
            PipeRecvError::TimedOut => io::ErrorKind::TimedOut,
            PipeRecvError::Lock(_) => io::ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}

/// Why a pipe without a name could not be made, handed on or inherited.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PipeError {
    /// Its segment.
    #[error(transparent)]
    Segment(#[from] SegmentError),
    /// The pipe in it.
    #[error(transparent)]
    Object(#[from] ObjectError),
    /// It has a name in a segment that may hold more.
    #[error("this pipe is one of a segment's objects: use Segment::pass_to")]
    Named,
}

/// Why a thread cannot accept connections of a listener.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ListenError {
    /// All places for acceptors are taken, by live ones.
    #[error("there are {limit} acceptors, as many as the listener has places for")]
    NoPlace {
        /// The most acceptors at a time.
        limit: usize,
    },
    /// A lock failed.
    #[error(transparent)]
    Lock(#[from] LockError),
}

/// Why no connection was accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AcceptError {
    /// `try_accept` found nobody who wants to connect.
    #[error("nobody wants to connect at the moment")]
    Empty,
    /// The time given ran out.
    #[error("nobody wanted to connect for the whole time")]
    TimedOut,
    /// A lock failed, or this acceptor is not this thread's.
    #[error(transparent)]
    Lock(#[from] LockError),
}

/// Why there is no connection with a listener.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// Nobody accepts connections: connection refused.
    #[error(
        "connection refused: no live process accepts connections (connect_timeout waits for one to \
         come)"
    )]
    NoListener,
    /// The time given ran out with somebody there who accepts connections: all places were taken, or
    /// it was busy.
    #[error("the connection was not accepted within {waited:?}")]
    TimedOut {
        /// The time given.
        waited: Duration,
    },
    /// There is no such listener, or it cannot be used.
    #[error(transparent)]
    Object(#[from] ObjectError),
    /// A lock failed.
    #[error(transparent)]
    Lock(#[from] LockError),
}
