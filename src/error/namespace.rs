//! Errors of namespaces.

use super::LockError;

/// Why an attribute of a namespace could not be set or had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NamespaceError {
    /// The name has too many bytes.
    #[error("{name:?} cannot name an attribute: it has more than {limit} bytes")]
    NameTooLong {
        /// The name as it was given.
        name: String,
        /// The most bytes that a name may have.
        limit: usize,
    },
    /// There is no attribute of that name.
    #[error("there is no attribute {name:?}: nobody has set it yet, or it was removed")]
    NotFound {
        /// The attribute's name.
        name: String,
    },
    /// The attribute's value is of another type.
    #[error(
        "attribute {name:?} is of type {found}, but was used as {expected}: use the same type in every \
         program, or set it anew"
    )]
    TypeMismatch {
        /// The attribute's name.
        name: String,
        /// The type of its value, cut short if it is long.
        found: String,
        /// The type that was asked for.
        expected: String,
    },
    /// The value is larger than the namespace's attributes can be.
    #[error(
        "a value of {size} bytes does not fit attribute {name:?}: this namespace has room for {limit} \
         each"
    )]
    TooLarge {
        /// The attribute's name.
        name: String,
        /// The value's size in bytes.
        size: usize,
        /// The most that there is room for, in bytes.
        limit: usize,
    },
    /// There are as many attributes as there is room for.
    #[error(
        "there is no room for attribute {name:?}: remove others, or create the namespace with a larger \
         capacity"
    )]
    Full {
        /// The name of the attribute that is not there.
        name: String,
    },
    /// The value's `Serialize` failed. Nothing was changed.
    #[cfg(feature = "serde")]
    #[error("a {type_name} cannot be stored as attribute {name:?}: {reason}")]
    Encode {
        /// The attribute's name.
        name: String,
        /// The value's type.
        type_name: &'static str,
        /// What serde or the format said.
        reason: String,
    },
    /// The attribute's bytes are no value of the type, though one of that name was stored.
    #[cfg(feature = "serde")]
    #[error("attribute {name:?} is no {type_name}: {reason}")]
    Decode {
        /// The attribute's name.
        name: String,
        /// The type that was asked for.
        type_name: &'static str,
        /// What serde or the format said.
        reason: String,
    },
    /// A lock of the namespace failed, or bytes in the segment cannot be.
    #[error(transparent)]
    Lock(#[from] LockError),
}
