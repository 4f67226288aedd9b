//! What a namespace keeps of an attribute: a value's bytes and their type.
#![allow(unsafe_code)] // implements the unsafe trait Shared

use std::fmt;

use super::INVALID;
use crate::error::NamespaceError;
use crate::raw::bytes;
use crate::shared::{__private::Tag, Shared};
use crate::text::{Bytes, Text};

/// The most bytes of a type's name that are kept.
const TYPE: usize = 54;

#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Attribute<const SIZE: usize> {
    /// Of the value's type; in bytes, so that there is no padding.
    tag: [u8; 8],
    type_name: Text<TYPE>,
    value: Bytes<SIZE>,
}

// SAFETY: repr(C) of types of bytes only: no padding, pointers or interior mutability, and as Bits valid
// for any bytes, as a value too: `is_valid` only refuses those that nobody has stored.
unsafe impl<const SIZE: usize> Shared for Attribute<SIZE> {
    type Bits = Self;
    const TYPE_TAG: u64 =
        Tag::new("attribute").number(<Bytes<SIZE> as Shared>::TYPE_TAG as u128).finish();
    const ANY_PATTERN_IS_VALID: bool = false;

    fn is_valid(bits: &Self) -> bool {
        <Text<TYPE>>::is_valid(&bits.type_name.into_bytes()) && <Bytes<SIZE>>::is_valid(&bits.value)
    }

    fn name(f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Attribute<{SIZE}>")
    }
}

/// A type without its fields, as messages name it.
fn type_name<T: Shared>() -> String {
    struct Name<T>(std::marker::PhantomData<T>);
    impl<T: Shared> fmt::Display for Name<T> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            T::name(f)
        }
    }
    Name::<T>(std::marker::PhantomData).to_string()
}

/// As much of a name as is kept.
fn cut(name: &str) -> Text<TYPE> {
    let fits = (0..=name.len().min(TYPE)).rev().find_map(|end| Text::new(name.get(..end)?).ok());
    fits.unwrap_or_default()
}

impl<const SIZE: usize> Attribute<SIZE> {
    /// Of the attribute of that name.
    pub(super) fn of<T: Shared>(name: &str, value: &T) -> Result<Self, NamespaceError> {
        Self::new(name, T::TYPE_TAG, &type_name::<T>(), bytes::bytes_of(value))
    }

    pub(super) fn new(
        name: &str,
        tag: u64,
        type_name: &str,
        value: &[u8],
    ) -> Result<Self, NamespaceError> {
        let value = Bytes::new(value).map_err(|_| NamespaceError::TooLarge {
            name: name.to_owned(),
            size: value.len(),
            limit: SIZE,
        })?;
        Ok(Self { tag: tag.to_ne_bytes(), type_name: cut(type_name), value })
    }

    /// The value, if it is one of that type.
    pub(super) fn value<T: Shared>(&self, name: &str) -> Result<T, NamespaceError> {
        let value = self.bytes(name, T::TYPE_TAG, type_name::<T>)?;
        // As long as values of that type are, and valid, when it was stored.
        bytes::value_of(value).ok_or(NamespaceError::Lock(INVALID))
    }

    /// The value's bytes, if they are of that type.
    pub(super) fn bytes(
        &self,
        name: &str,
        tag: u64,
        expected: impl FnOnce() -> String,
    ) -> Result<&[u8], NamespaceError> {
        if u64::from_ne_bytes(self.tag) != tag {
            return Err(NamespaceError::TypeMismatch {
                name: name.to_owned(),
                found: self.type_name.to_string(),
                expected: expected(),
            });
        }
        Ok(self.value.as_slice())
    }
}
