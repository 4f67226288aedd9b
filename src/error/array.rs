//! Errors of arrays.

use super::LockError;

/// Why elements of an array could not be read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ArrayError {
    /// The range does not lie within the array.
    #[error("elements {start}..{end} are outside of the array of length {length}")]
    OutOfBounds {
        /// First element asked for.
        start: usize,
        /// One past the last.
        end: usize,
        /// The array's length.
        length: usize,
    },
    /// The array's lock failed.
    #[error(transparent)]
    Lock(#[from] LockError),
}
