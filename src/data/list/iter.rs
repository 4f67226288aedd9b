//! Going through a list while others change it.

use std::fmt;
use std::vec;

use super::{INVALID, List};
use crate::error::LockError;
use crate::raw::bytes::Unchecked;
use crate::shared::Shared;

/// The elements of a [`List`]: see [`List::iter`].
pub struct ListIter<T: Shared> {
    rest: vec::IntoIter<Unchecked<T>>,
    /// That they could not be read, until it was said.
    error: Option<LockError>,
}

impl<T: Shared> List<T> {
    /// Copies of the elements, in their order, as they all were when this was called: what others change
    /// meanwhile does not show. Takes no lock, as [`get`](Self::get).
    ///
    /// An item is [`Corrupt`](LockError::Corrupt) if its bytes cannot be; the next one goes on behind it.
    /// If the list could not be read at all, the only item is that error.
    #[must_use]
    pub fn iter(&self) -> ListIter<T> {
        match self.snapshot() {
            Ok(elements) => ListIter { rest: elements.into_iter(), error: None },
            Err(error) => ListIter { rest: Vec::new().into_iter(), error: Some(error) },
        }
    }
}

impl<T: Shared> Iterator for ListIter<T> {
    type Item = Result<T, LockError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(error) = self.error.take() {
            return Some(Err(error));
        }
        self.rest.next().map(|bits| bits.check().ok_or(INVALID))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.rest.len() + usize::from(self.error.is_some());
        (left, Some(left))
    }
}

impl<T: Shared> DoubleEndedIterator for ListIter<T> {
    fn next_back(&mut self) -> Option<Self::Item> {
        // There is either an error or elements.
        match self.rest.next_back() {
            Some(bits) => Some(bits.check().ok_or(INVALID)),
            None => self.error.take().map(Err),
        }
    }
}

impl<T: Shared> ExactSizeIterator for ListIter<T> {}

impl<T: Shared> IntoIterator for &List<T> {
    type Item = Result<T, LockError>;
    type IntoIter = ListIter<T>;

    fn into_iter(self) -> ListIter<T> {
        self.iter()
    }
}

impl<T: Shared> fmt::Debug for ListIter<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ListIter").field("left", &self.len()).finish_non_exhaustive()
    }
}
