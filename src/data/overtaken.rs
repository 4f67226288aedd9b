//! How a reader that takes no lock comes to an end though writers overtake it.

use std::thread;
use std::time::Duration;

use crate::error::LockError;
use crate::layout::Plain;
use crate::raw::deadline::Deadline;
use crate::seam::looks;
use crate::segment::region::Located;

/// How long it waits for the lock before it looks again: nothing changes any more if who holds the
/// lock was stopped. In a model, moments are not the same in all executions.
const MOMENT: Duration = if cfg!(loom) { Duration::MAX } else { Duration::from_millis(10) };

/// How long it tries both.
const PATIENCE: Duration = Duration::from_secs(10);

/// Looks so often without a lock. After that, takes the lock and looks by turns; a reader without the
/// right to lock only looks. `look` returns None if a writer came in between.
#[inline]
pub(crate) fn read<L: Plain, R>(
    inner: &Located<L>,
    often: usize,
    look: impl Fn() -> Option<Result<R, LockError>>,
    under_lock: impl Fn(Deadline) -> Result<R, LockError>,
) -> Result<R, LockError> {
    for _ in 0..looks(often) {
        if let Some(result) = look() {
            return result;
        }
    }
    by_turns(inner, look, under_lock)
}

#[cold]
fn by_turns<L: Plain, R>(
    inner: &Located<L>,
    look: impl Fn() -> Option<Result<R, LockError>>,
    under_lock: impl Fn(Deadline) -> Result<R, LockError>,
) -> Result<R, LockError> {
    let deadline = Deadline::after(PATIENCE);
    let mut late = LockError::TimedOut { holder: None };
    while deadline.remaining().is_some() {
        if inner.is_writable() {
            match under_lock(inner.within(MOMENT)) {
                Err(error @ LockError::TimedOut { .. }) => late = error,
                result => return result,
            }
        } else {
            thread::yield_now();
        }
        if let Some(result) = look() {
            return result;
        }
    }
    Err(late)
}
