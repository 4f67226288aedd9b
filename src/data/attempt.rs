//! One attempt at something for which there must be a message, or room for one, and its repetition.

use crate::error::{LockError, PopError, PushError};
use crate::layout::{EventCount, RobustNode};
use crate::raw::deadline::Deadline;

/// What a single attempt came to.
pub(super) enum Attempt<R> {
    Done(R),
    /// Full, or empty.
    Unready,
    Closed,
}

/// Repeats an attempt until it is ready, looking first and then sleeping on `event`, which is notified
/// of changes by those who hold `others`. [`Attempt::Unready`] at the deadline. `worthwhile` is a cheap
/// look that tells whether to attempt it.
#[inline]
pub(super) fn settle<R, E>(
    (event, others): (&EventCount, &RobustNode),
    deadline: Deadline,
    worthwhile: impl Fn() -> bool,
    attempt: impl Fn() -> Result<Attempt<R>, E>,
) -> Result<Attempt<R>, E> {
    let ready = || match attempt() {
        Ok(Attempt::Unready) => None,
        other => Some(other),
    };
    ready()
        .or_else(|| event.look_and_wait_beside(others, deadline, worthwhile, ready))
        .unwrap_or(Ok(Attempt::Unready))
}

/// What a pop comes to that does not wait.
#[inline]
pub(super) fn popped<R>(attempt: Result<Attempt<R>, LockError>) -> Result<R, PopError> {
    match attempt? {
        Attempt::Done(message) => Ok(message),
        Attempt::Unready => Err(PopError::Empty),
        Attempt::Closed => Err(PopError::Closed),
    }
}

/// What a pop comes to that was [settled](settle).
#[inline]
pub(super) fn popped_in_time<R>(settled: Result<Attempt<R>, LockError>) -> Result<R, PopError> {
    match settled {
        Ok(Attempt::Unready) | Err(LockError::TimedOut { .. }) => Err(PopError::TimedOut),
        settled => popped(settled),
    }
}

/// What a push comes to that does not wait. The error has what was not pushed.
#[inline]
pub(super) fn pushed<R, M>(
    attempt: Result<Attempt<R>, LockError>,
    message: M,
) -> Result<R, PushError<M>> {
    match attempt {
        Ok(Attempt::Done(result)) => Ok(result),
        Ok(Attempt::Unready) => Err(PushError::Full(message)),
        Ok(Attempt::Closed) => Err(PushError::Closed(message)),
        Err(error) => Err(PushError::Lock(message, error)),
    }
}

/// What a push comes to that was [settled](settle). The error has what was not pushed.
#[inline]
pub(super) fn pushed_in_time<R, M>(
    settled: Result<Attempt<R>, LockError>,
    message: M,
) -> Result<R, PushError<M>> {
    match settled {
        Ok(Attempt::Unready) | Err(LockError::TimedOut { .. }) => Err(PushError::TimedOut(message)),
        settled => pushed(settled, message),
    }
}
