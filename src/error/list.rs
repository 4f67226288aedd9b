//! Errors of lists.

use std::fmt;

use super::LockError;

/// Why an element of a list could not be changed or removed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ListError {
    /// There is no such element, perhaps because others have removed some.
    #[error("there is no element {index} in the list, which has {length}")]
    OutOfBounds {
        /// The element asked for.
        index: usize,
        /// How many there were at that moment.
        length: usize,
    },
    /// The list's lock failed, or bytes in the segment cannot be.
    #[error(transparent)]
    Lock(#[from] LockError),
}

/// Why nothing was put into a list. What was to be put there is handed back.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ListInsertError<T> {
    /// The list has as many elements as there is room for, or would have more.
    #[error("the list is full: remove elements, or create it with a larger capacity")]
    Full(T),
    /// The place lies behind the list's end, perhaps because others have removed elements.
    #[error("nothing can be inserted at {index} into the list, which has {length} elements")]
    OutOfBounds {
        /// What was to be inserted.
        value: T,
        /// Where.
        index: usize,
        /// How many elements there were at that moment.
        length: usize,
    },
    /// The list's lock failed, or bytes in the segment cannot be.
    #[error("{error}")]
    Lock {
        /// What was to be inserted.
        value: T,
        /// What happened.
        error: LockError,
    },
}

impl<T> ListInsertError<T> {
    /// What was to be inserted.
    #[must_use]
    pub fn into_value(self) -> T {
        match self {
            Self::Full(value) | Self::OutOfBounds { value, .. } | Self::Lock { value, .. } => value,
        }
    }

    /// The same, about another value.
    pub(crate) fn with<U>(self, value: U) -> ListInsertError<U> {
        match self {
            Self::Full(_) => ListInsertError::Full(value),
            Self::OutOfBounds { index, length, .. } => {
                ListInsertError::OutOfBounds { value, index, length }
            }
            Self::Lock { error, .. } => ListInsertError::Lock { value, error },
        }
    }
}

impl From<LockError> for ListInsertError<()> {
    fn from(error: LockError) -> Self {
        Self::Lock { value: (), error }
    }
}

// By hand: the value need not be Debug for the error to be.
impl<T> fmt::Debug for ListInsertError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full(_) => f.write_str("Full(..)"),
            Self::OutOfBounds { index, length, .. } => f
                .debug_struct("OutOfBounds")
                .field("index", index)
                .field("length", length)
                .finish_non_exhaustive(),
            Self::Lock { error, .. } => {
                f.debug_struct("Lock").field("error", error).finish_non_exhaustive()
            }
        }
    }
}
