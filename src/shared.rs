//! Which types may live in shared memory.
//!
//! A value in a segment is read by programs that were compiled apart from the one that wrote it,
//! and its bytes may have been changed by anybody who can open the segment. [`Shared`] is the
//! contract that makes that safe: no padding, no pointers, a check of the bytes before they
//! become a value, and a tag by which two programs find out that they mean different types.

// `Shared` is an unsafe trait: its implementations for the built-in types are here.
#![allow(unsafe_code)]

use std::fmt;
use std::num::NonZero;

use bytemuck::{AnyBitPattern, CheckedBitPattern, NoUninit};

/// A type whose values may live in shared memory.
///
/// Integers, floats, `bool`, `char`, the `NonZero` integers (also in an `Option`), and arrays of
/// any `Shared` type are `Shared`. For your own types, derive it; that needs no `unsafe`:
///
/// ```
/// #[derive(Clone, Copy, outlive::Shared)]
/// #[repr(C)]
/// struct Reading {
///     celsius: f64,
///     sensor: u32,
///     state: State,
///     samples: [u16; 5],
/// }
///
/// #[derive(Clone, Copy, outlive::Shared)]
/// #[repr(u16)]
/// enum State {
///     Cold = 1,
///     Warm = 2,
/// }
///
/// // Programs that disagree about the type see different tags.
/// fn tag<T: outlive::Shared>() -> u64 {
///     T::TYPE_TAG
/// }
/// assert_ne!(tag::<[Reading; 16]>(), tag::<[f64; 16]>());
/// ```
///
/// The derive refuses, with a message that says what to write instead, whatever cannot be shared:
/// padding bytes, a layout that the compiler is free to choose, generic types, enums with fields,
/// and zero-sized types. Types that hold a pointer (`String`, `Vec`, `Box`, references) are never
/// `Shared`: an address means nothing in another process.
///
/// The derive asks nothing of `bytemuck`'s traits and implements none of them. A type may have both:
///
/// ```
/// #[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable, outlive::Shared)]
/// #[repr(C)]
/// struct Pixel {
///     rgba: [u8; 4],
/// }
/// ```
///
/// # Safety
///
/// Bytes that come from other processes become values of the type, and the other way round. Whoever
/// implements the trait by hand promises:
///
/// - The type has no padding bytes, holds no pointers and has no interior mutability.
/// - [`Bits`](Self::Bits) has the size and the alignment of the type, and any initialised bytes are
///   a valid `Bits`.
/// - If [`is_valid`](Self::is_valid) returns true, then these bytes are a valid value of the type.
/// - If [`ANY_PATTERN_IS_VALID`](Self::ANY_PATTERN_IS_VALID) is true, then any initialised bytes
///   are a valid value of the type.
///
/// The tag is a promise too, though not one that memory safety rests on: change it whenever the
/// layout or the meaning of the bytes changes.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot live in shared memory",
    label = "`{Self}` is not `Shared`",
    note = "for a type of your own, write `#[derive(Clone, Copy, outlive::Shared)] #[repr(C)]` on it",
    note = "a type that holds a pointer (`String`, `Vec`, `Box`, `&T`) can never be shared: use an array of fixed size"
)]
pub unsafe trait Shared: Copy + Send + Sync + 'static {
    /// The bytes of a value before they were checked, such as `u8` for `bool`.
    ///
    /// For a built-in type that takes any bytes, and for arrays of such a type, it is the type
    /// itself.
    type Bits: Copy + 'static;

    /// A structural hash of the type: its name and layout, and the names, offsets and tags of its
    /// fields.
    ///
    /// Two programs that disagree about the type have different tags, whether a field was renamed,
    /// moved or given another type. The module that the type is in does not count.
    ///
    /// An array of length 0 has no tag, and so nothing can be made of it in a segment:
    ///
    /// ```compile_fail,E0080
    /// let tag = <[u64; 0] as outlive::Shared>::TYPE_TAG;
    /// ```
    const TYPE_TAG: u64;

    /// Whether the type takes any bytes, as integers and floats do, and structs and arrays of
    /// nothing else. Then [`is_valid`](Self::is_valid) is true of all `Bits` and need not be asked.
    const ANY_PATTERN_IS_VALID: bool;

    /// Whether the bytes are a value of the type.
    fn is_valid(bits: &Self::Bits) -> bool;

    /// Writes the type for error messages, such as `i32`, `[f64; 3]` or
    /// `Point { x: f64, y: f64 }`. Fields of a type that was derived itself show its name only.
    ///
    /// # Errors
    ///
    /// Only those of the formatter that is written to.
    fn describe(f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Self::name(f)
    }

    /// Writes the type without its fields, such as `i32`, `[f64; 3]` or `Point`.
    ///
    /// # Errors
    ///
    /// Only those of the formatter that is written to.
    fn name(f: &mut fmt::Formatter<'_>) -> fmt::Result;
}

/// Implements `Shared` for types of the language that `bytemuck` vouches for.
macro_rules! builtin {
    ($validity:ident, $any:literal: $($ty:ty),* $(,)?) => { $(
        const _: () = {
            const fn bytemuck_vouches<T: NoUninit + $validity>() {}
            bytemuck_vouches::<$ty>();
        };

        // SAFETY: `bytemuck` vouches for it. `NoUninit`: no padding, pointers or interior
        // mutability. `CheckedBitPattern`, which all `AnyBitPattern` types have: `Bits` and
        // `is_valid`. `AnyBitPattern`, where `$any` is true: any bytes are valid.
        unsafe impl Shared for $ty {
            type Bits = <$ty as CheckedBitPattern>::Bits;
            const TYPE_TAG: u64 =
                __private::Tag::new("builtin").text(stringify!($ty)).layout::<$ty>().finish();
            const ANY_PATTERN_IS_VALID: bool = $any;

            #[inline(always)]
            fn is_valid(bits: &Self::Bits) -> bool {
                <$ty as CheckedBitPattern>::is_valid_bit_pattern(bits)
            }

            fn name(f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(stringify!($ty))
            }
        }
    )* };
}

builtin!(AnyBitPattern, true: u8, u16, u32, u64, u128, usize, i8, i16, i32, i64, i128, isize);
builtin!(AnyBitPattern, true: f32, f64);
builtin!(AnyBitPattern, true: Option<NonZero<u8>>, Option<NonZero<u16>>, Option<NonZero<u32>>);
builtin!(AnyBitPattern, true: Option<NonZero<u64>>, Option<NonZero<u128>>, Option<NonZero<usize>>);
builtin!(AnyBitPattern, true: Option<NonZero<i8>>, Option<NonZero<i16>>, Option<NonZero<i32>>);
builtin!(AnyBitPattern, true: Option<NonZero<i64>>, Option<NonZero<i128>>, Option<NonZero<isize>>);
builtin!(CheckedBitPattern, false: bool, char);
builtin!(CheckedBitPattern, false: NonZero<u8>, NonZero<u16>, NonZero<u32>, NonZero<u64>);
builtin!(CheckedBitPattern, false: NonZero<i8>, NonZero<i16>, NonZero<i32>, NonZero<i64>);
builtin!(CheckedBitPattern, false: NonZero<u128>, NonZero<usize>, NonZero<i128>, NonZero<isize>);

// SAFETY: the elements of an array follow one another without a gap, so it has no padding if its
// elements have none, `[T::Bits; N]` has its layout because `T::Bits` has that of `T`, and it is
// valid when each element is. Everything else holds for the array because it holds for `T`.
unsafe impl<T: Shared, const N: usize> Shared for [T; N] {
    type Bits = [T::Bits; N];
    const TYPE_TAG: u64 = {
        assert!(N > 0, "an array of length 0 cannot live in shared memory");
        __private::Tag::new("array").number(N as u128).number(T::TYPE_TAG as u128).finish()
    };
    const ANY_PATTERN_IS_VALID: bool = T::ANY_PATTERN_IS_VALID;

    #[inline]
    fn is_valid(bits: &Self::Bits) -> bool {
        T::ANY_PATTERN_IS_VALID || bits.iter().all(T::is_valid)
    }

    fn describe(f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        T::describe(f)?;
        write!(f, "; {N}]")
    }

    fn name(f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        T::name(f)?;
        write!(f, "; {N}]")
    }
}

/// What the code that the derive writes refers to. Not part of the public interface.
#[doc(hidden)]
#[allow(missing_docs)]
pub mod __private {
    use std::fmt;

    pub use super::Shared;

    /// A type tag in the making: FNV-1a, usable in constants.
    ///
    /// The tags are stored in segments, so any change here makes existing segments unreadable.
    #[must_use]
    #[derive(Debug)]
    pub struct Tag(u64);

    impl Tag {
        pub const fn new(kind: &str) -> Tag {
            Tag(0xcbf2_9ce4_8422_2325).text(kind)
        }

        const fn bytes(self, bytes: &[u8]) -> Tag {
            let mut hash = self.0;
            let mut i = 0;
            while i < bytes.len() {
                hash = (hash ^ bytes[i] as u64).wrapping_mul(0x0100_0000_01b3);
                i += 1;
            }
            Tag(hash)
        }

        pub const fn number(self, number: u128) -> Tag {
            self.bytes(&number.to_le_bytes())
        }

        /// The length goes first, or `("ab", "c")` would hash like `("a", "bc")`.
        pub const fn text(self, text: &str) -> Tag {
            self.number(text.len() as u128).bytes(text.as_bytes())
        }

        pub const fn layout<T>(self) -> Tag {
            self.number(size_of::<T>() as u128).number(align_of::<T>() as u128)
        }

        pub const fn field(self, name: &str, offset: usize, tag: u64) -> Tag {
            self.text(name).number(offset as u128).number(tag as u128)
        }

        /// Never 0, which is what a fresh page holds.
        pub const fn finish(self) -> u64 {
            if self.0 == 0 { 1 } else { self.0 }
        }
    }

    /// [`Shared::name`] of a field.
    pub type Name = fn(&mut fmt::Formatter<'_>) -> fmt::Result;

    /// `Point { x: f64, y: f64 }`
    pub fn describe_struct(
        f: &mut fmt::Formatter<'_>,
        name: &str,
        fields: &[(&str, Name)],
    ) -> fmt::Result {
        f.write_str(name)?;
        for (i, (field, name)) in fields.iter().enumerate() {
            write!(f, "{} {field}: ", if i == 0 { " {" } else { "," })?;
            name(f)?;
        }
        f.write_str(" }")
    }

    /// `Pair(f64, f64)`
    pub fn describe_tuple(f: &mut fmt::Formatter<'_>, name: &str, fields: &[Name]) -> fmt::Result {
        f.write_str(name)?;
        for (i, name) in fields.iter().enumerate() {
            f.write_str(if i == 0 { "(" } else { ", " })?;
            name(f)?;
        }
        f.write_str(")")
    }

    /// `State: u8 { Cold = 1, Warm = 2 }`
    pub fn describe_enum(
        f: &mut fmt::Formatter<'_>,
        name: &str,
        repr: &str,
        variants: &[(&str, &dyn fmt::Display)],
    ) -> fmt::Result {
        write!(f, "{name}: {repr}")?;
        for (i, (variant, value)) in variants.iter().enumerate() {
            write!(f, "{} {variant} = {value}", if i == 0 { " {" } else { "," })?;
        }
        f.write_str(" }")
    }
}
