//! Errors of requests and replies.

use super::LockError;

/// Why a thread did not become a client or a server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ServiceError {
    /// All places are taken, by live ones.
    #[error("there are {limit} {role}s, as many as the service has places for")]
    NoPlace {
        /// "client" or "server".
        role: &'static str,
        /// The most at a time.
        limit: usize,
    },
    /// A lock failed.
    #[error(transparent)]
    Lock(#[from] LockError),
}

/// Why there is no reply to a request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The request is longer than the service takes.
    #[error("a request of {length} bytes is too long, the service takes {largest}")]
    TooLong {
        /// The request's length in bytes.
        length: usize,
        /// The length of the longest one, in bytes.
        largest: usize,
    },
    /// There were servers, and all of them have gone or died. The request was not begun.
    #[error("no server is left: start one, and call again")]
    NoServer,
    /// The server died with the request in its hands: it may have been carried out, or not, or in part.
    #[error("the server died with the request in its hands: it may have been carried out or not")]
    ServerDied,
    /// The server let go of the request without a reply.
    #[error("the server let go of the request without a reply")]
    Unanswered,
    /// The service was closed.
    #[error("the service is closed")]
    Closed,
    /// The time given ran out. The request was taken back, or its reply goes to nobody.
    #[error("there was no reply in time")]
    TimedOut,
    /// The service's lock failed.
    #[error(transparent)]
    Lock(#[from] LockError),
}

/// Why there is no request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// `try_accept` found none.
    #[error("there is no request")]
    Empty,
    /// The service is closed, and all requests were accepted.
    #[error("the service is closed, and no request is left")]
    Closed,
    /// The time given ran out.
    #[error("there was no request for the whole time")]
    TimedOut,
    /// The service's lock failed.
    #[error(transparent)]
    Lock(#[from] LockError),
}

/// Why a reply reached nobody.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReplyError {
    /// The reply is longer than the service takes. The request is still unanswered.
    #[error("a reply of {length} bytes is too long, the service takes {largest}")]
    TooLong {
        /// The reply's length in bytes.
        length: usize,
        /// The length of the longest one, in bytes.
        largest: usize,
    },
    /// The request was answered before.
    #[error("the request was answered already")]
    Answered,
    /// The client died, or did not wait as long.
    #[error("the client has died or given up")]
    ClientGone,
    /// The service's lock failed.
    #[error(transparent)]
    Lock(#[from] LockError),
}
