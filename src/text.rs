//! Strings of bounded length, held in place.
#![allow(unsafe_code)] // implements the unsafe trait Shared

use std::fmt;
use std::ops::Deref;
use std::str;

use crate::shared::{__private::Tag, Shared};

/// Up to `N` bytes, of which a length says how many count. For keys of a [`Map`](crate::Map), and
/// wherever else a type has to be [`Shared`].
///
/// ```
/// # fn main() -> Result<(), outlive::TooLong> {
/// let name = outlive::Bytes::<8>::new(b"\x00\xff")?;
/// assert_eq!(&name[..], b"\x00\xff");
/// assert!(outlive::Bytes::<8>::new(b"nine bytes").is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct Bytes<const N: usize> {
    // In bytes, so that there is no padding whatever N is.
    length: [u8; 2],
    // Zero behind the length, so that equal strings have equal bytes.
    bytes: [u8; N],
}

/// Up to `N` bytes of UTF-8, held in place: a `&str` in a [`Shared`] type.
///
/// ```
/// # fn main() -> Result<(), outlive::TooLong> {
/// let name = outlive::Text::<16>::new("Zoë")?;
/// assert_eq!(name.as_str(), "Zoë");
/// assert_eq!(name.len(), 4); // it is a str
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
pub struct Text<const N: usize>(Bytes<N>);

/// A string has more bytes than there is room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a string of {length} bytes is longer than {limit} bytes")]
#[non_exhaustive]
pub struct TooLong {
    /// Its length in bytes.
    pub length: usize,
    /// The most that there is room for, in bytes.
    pub limit: usize,
}

impl<const N: usize> Bytes<N> {
    /// A copy of the bytes.
    ///
    /// # Errors
    ///
    /// There are more than `N` of them.
    pub fn new(bytes: &[u8]) -> Result<Self, TooLong> {
        let too_long = TooLong { length: bytes.len(), limit: N };
        let length = u16::try_from(bytes.len()).map_err(|_| too_long)?;
        let mut copy = [0; N];
        copy.get_mut(..bytes.len()).ok_or(too_long)?.copy_from_slice(bytes);
        Ok(Self { length: length.to_ne_bytes(), bytes: copy })
    }

    /// The bytes that count.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        // Every one that was made or checked is no longer than N.
        self.bytes.get(..usize::from(u16::from_ne_bytes(self.length))).unwrap_or(&self.bytes)
    }

    fn is_whole(&self) -> bool {
        let length = usize::from(u16::from_ne_bytes(self.length));
        self.bytes.get(length..).is_some_and(|rest| rest.iter().all(|byte| *byte == 0))
    }
}

impl<const N: usize> Text<N> {
    /// A copy of the text.
    ///
    /// # Errors
    ///
    /// It has more than `N` bytes.
    pub fn new(text: &str) -> Result<Self, TooLong> {
        Bytes::new(text.as_bytes()).map(Self)
    }

    pub(crate) fn into_bytes(self) -> Bytes<N> {
        self.0
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Every one that was made or checked is UTF-8.
        str::from_utf8(self.0.as_slice()).unwrap_or_default()
    }
}

const fn tag<const N: usize>(what: &str) -> u64 {
    assert!(N <= u16::MAX as usize, "the length is kept in 16 bits");
    Tag::new(what).number(N as u128).finish()
}

// SAFETY: repr(C) of bytes only: no padding, pointers or interior mutability, and as Bits valid for any
// bytes, as a value too: `is_valid` only refuses those that `new` does not make.
unsafe impl<const N: usize> Shared for Bytes<N> {
    type Bits = Self;
    const TYPE_TAG: u64 = tag::<N>("byte string");
    const ANY_PATTERN_IS_VALID: bool = false;

    fn is_valid(bits: &Self) -> bool {
        bits.is_whole()
    }

    fn name(f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bytes<{N}>")
    }
}

// SAFETY: as for Bytes, which it is.
unsafe impl<const N: usize> Shared for Text<N> {
    type Bits = Bytes<N>;
    const TYPE_TAG: u64 = tag::<N>("text");
    const ANY_PATTERN_IS_VALID: bool = false;

    fn is_valid(bits: &Bytes<N>) -> bool {
        bits.is_whole() && str::from_utf8(bits.as_slice()).is_ok()
    }

    fn name(f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Text<{N}>")
    }
}

macro_rules! string {
    ($type:ident: $slice:ty, $as:ident) => {
        impl<const N: usize> Deref for $type<N> {
            type Target = $slice;

            fn deref(&self) -> &$slice {
                self.$as()
            }
        }

        impl<const N: usize> Default for $type<N> {
            fn default() -> Self {
                Self::empty()
            }
        }

        impl<const N: usize> TryFrom<&$slice> for $type<N> {
            type Error = TooLong;

            fn try_from(from: &$slice) -> Result<Self, TooLong> {
                Self::new(from)
            }
        }

        impl<const N: usize> PartialEq<$slice> for $type<N> {
            fn eq(&self, other: &$slice) -> bool {
                self.$as() == other
            }
        }

        impl<const N: usize> PartialEq<&$slice> for $type<N> {
            fn eq(&self, other: &&$slice) -> bool {
                self.$as() == *other
            }
        }

        impl<const N: usize> Ord for $type<N> {
            fn cmp(&self, other: &Self) -> std::cmp::Ordering {
                self.$as().cmp(other.$as())
            }
        }

        impl<const N: usize> PartialOrd for $type<N> {
            fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
                Some(self.cmp(other))
            }
        }

        impl<const N: usize> std::hash::Hash for $type<N> {
            fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
                self.$as().hash(state);
            }
        }

        impl<const N: usize> fmt::Debug for $type<N> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.$as().fmt(f)
            }
        }
    };
}

string!(Bytes: [u8], as_slice);
string!(Text: str, as_str);

impl<const N: usize> Bytes<N> {
    const fn empty() -> Self {
        Self { length: [0; 2], bytes: [0; N] }
    }
}

impl<const N: usize> Text<N> {
    const fn empty() -> Self {
        Self(Bytes::empty())
    }
}

impl<const N: usize> fmt::Display for Text<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
