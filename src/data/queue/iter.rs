//! Popping message after message.

use std::iter::FusedIterator;

use super::Queue;
use crate::error::{LockError, PopError};
use crate::shared::Shared;

/// The next message or error; after the last one, and after an error that would come again, the
/// queue is let go of.
fn next<'a, T: Shared>(
    queue: &mut Option<&'a Queue<T>>,
    pop: impl FnOnce(&'a Queue<T>) -> Result<T, PopError>,
) -> Option<Result<T, LockError>> {
    match pop((*queue)?) {
        Ok(message) => Some(Ok(message)),
        Err(PopError::Lock(error)) => {
            if !matches!(error, LockError::Corrupt { .. }) {
                *queue = None;
            }
            Some(Err(error))
        }
        Err(_) => {
            *queue = None;
            None
        }
    }
}

/// See [`Queue::iter`].
#[derive(Debug)]
pub struct Iter<'a, T>(Option<&'a Queue<T>>);

impl<'a, T> Iter<'a, T> {
    pub(super) fn new(queue: &'a Queue<T>) -> Self {
        Self(Some(queue))
    }
}

impl<T: Shared> Iterator for Iter<'_, T> {
    type Item = Result<T, LockError>;

    fn next(&mut self) -> Option<Self::Item> {
        next(&mut self.0, Queue::pop)
    }
}

/// See [`Queue::drain`].
#[derive(Debug)]
pub struct Drain<'a, T>(Option<&'a Queue<T>>);

impl<'a, T> Drain<'a, T> {
    pub(super) fn new(queue: &'a Queue<T>) -> Self {
        Self(Some(queue))
    }
}

impl<T: Shared> Iterator for Drain<'_, T> {
    type Item = Result<T, LockError>;

    fn next(&mut self) -> Option<Self::Item> {
        next(&mut self.0, Queue::try_pop)
    }
}

impl<T: Shared> FusedIterator for Iter<'_, T> {}

impl<T: Shared> FusedIterator for Drain<'_, T> {}

impl<'a, T: Shared> IntoIterator for &'a Queue<T> {
    type Item = Result<T, LockError>;
    type IntoIter = Iter<'a, T>;

    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}
