//! Errors of maps.

use std::fmt;

use super::{LockError, OsError};

/// Why an entry was not inserted into a map. The value is handed back.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InsertError<V> {
    /// The map has as many entries as it can have.
    #[error("the map is full: remove entries, or create it with a larger capacity")]
    Full(V),
    /// The map could grow, but there is no memory for it.
    #[error("the map cannot grow: {cause}; free shared memory (df shows it) or remove entries")]
    NoSpace {
        /// What was to be inserted.
        value: V,
        /// The kernel's answer.
        cause: OsError,
    },
    /// A lock of the map failed, or bytes in the segment cannot be.
    #[error("{error}")]
    Lock {
        /// What was to be inserted.
        value: V,
        /// What happened.
        error: LockError,
    },
}

impl<V> InsertError<V> {
    /// What was to be inserted.
    #[must_use]
    pub fn into_value(self) -> V {
        match self {
            Self::Full(value) | Self::NoSpace { value, .. } | Self::Lock { value, .. } => value,
        }
    }
}

// By hand: the value need not be Debug for the error to be.
impl<V> fmt::Debug for InsertError<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full(_) => f.write_str("Full(..)"),
            Self::NoSpace { cause, .. } => {
                f.debug_struct("NoSpace").field("cause", cause).finish_non_exhaustive()
            }
            Self::Lock { error, .. } => {
                f.debug_struct("Lock").field("error", error).finish_non_exhaustive()
            }
        }
    }
}
