//! Errors of finding and making objects.

use super::{LockError, OsError};

/// Why a named object could not be found, created or removed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ObjectError {
    /// The name is empty, too long or holds a zero byte.
    #[error("{name:?} cannot name an object: it needs 1 to {limit} bytes, none of them zero")]
    InvalidName {
        /// The name as it was given.
        name: String,
        /// The most bytes that a name may have.
        limit: usize,
    },
    /// No object of that name.
    #[error("there is no object {name:?} in the segment (find_or_create makes it)")]
    NotFound {
        /// The object's name.
        name: String,
    },
    /// `create_object` found an object of that name.
    #[error("object {name:?} exists already: use find or find_or_create")]
    AlreadyExists {
        /// The object's name.
        name: String,
    },
    /// The object is of another kind or holds another type.
    #[error(
        "object {name:?} is of type {found}, but was opened as {expected}: use the same type in every \
         program, or another name"
    )]
    TypeMismatch {
        /// The object's name.
        name: String,
        /// The type in the segment.
        found: String,
        /// The type that was asked for.
        expected: String,
    },
    /// The object has another length or capacity than the one asked for.
    #[error(
        "object {name:?} has a {what} of {found}, but {expected} was asked for: use find to take it \
         as it is, or remove it first"
    )]
    ShapeMismatch {
        /// The object's name.
        name: String,
        /// `length`, `capacity`, ...
        what: &'static str,
        /// As it is in the segment.
        found: u64,
        /// As it was asked for.
        expected: u64,
    },
    /// The object's size cannot be expressed, or is zero.
    #[error("object {name:?} cannot be made: {what}")]
    InvalidShape {
        /// The object's name.
        name: String,
        /// What is wrong.
        what: &'static str,
    },
    /// The segment's capacity is used up.
    #[error(
        "the segment has no room for the {needed} bytes of object {name:?}: create it with a larger \
         SegmentOptions::capacity (only what is used takes memory), or remove objects"
    )]
    SegmentFull {
        /// The object's name.
        name: String,
        /// The bytes it needs.
        needed: u64,
    },
    /// The shared-memory file system is full.
    #[error(
        "no shared memory left for the {needed} bytes of object {name:?}: free some (df shows it, \
         Segment::gc removes stale segments) or ask for less"
    )]
    NoSpace {
        /// The object's name.
        name: String,
        /// The bytes it needs.
        needed: u64,
    },
    /// The segment was opened read-only.
    #[error("the segment is read-only here: object {name:?} cannot be created or removed")]
    ReadOnly {
        /// The object's name.
        name: String,
    },
    /// Bytes in the segment contradict each other.
    #[error(
        "the segment is damaged at object {name:?}: {what}; unlink the segment and create it anew"
    )]
    Corrupt {
        /// The object's name.
        name: String,
        /// What was found.
        what: &'static str,
    },
    /// The directory's lock could not be had.
    #[error("the segment's directory cannot be locked: {0}")]
    Directory(LockError),
    /// Any other failure of the kernel's.
    #[error(transparent)]
    Os(#[from] OsError),
}
