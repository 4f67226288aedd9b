//! What a chunk can hold.
#![allow(unsafe_code)] // bytes that are checked before they become values

use std::fmt;
use std::ptr::NonNull;

use crate::__private::Tag;
use crate::raw::bytes::Run;
use crate::shared::Shared;

/// What a chunk can hold: a [`Shared`] value `T`, or a slice `[T]` of any length.
///
/// Implemented by these only.
pub trait Content: typed::Typed {}

impl<C: typed::Typed + ?Sized> Content for C {}

/// Public only because [`Content`] rests on it; the module is not.
#[allow(unreachable_pub)] // a sealed trait's parts are as public as the trait and out of reach
pub mod typed {
    use super::{NonNull, Run, fmt};

    /// The parts of a content that a pool calls.
    #[allow(private_interfaces)] // sealed: nobody outside sees these types
    pub trait Typed {
        /// The structure of what a chunk holds.
        const TAG: u64;

        /// The content that a run of bytes is, if its length and alignment are those of one. Nothing
        /// is said of the bytes.
        fn locate(run: Run) -> Option<NonNull<Self>>;

        /// Whether the bytes of what was located are a content.
        ///
        /// # Safety
        ///
        /// The place is valid for reads, and nobody writes there.
        unsafe fn is_valid(place: NonNull<Self>) -> bool;

        fn describe(f: &mut fmt::Formatter<'_>) -> fmt::Result;
    }
}

/// What chunks are aligned to.
pub(super) const ALIGNMENT: usize = 64;

const fn assert_alignment<T>() {
    assert!(align_of::<T>() <= ALIGNMENT, "chunks are aligned to 64 bytes, and the type to more");
}

fn located<T>(run: Run) -> Option<NonNull<T>> {
    const { assert_alignment::<T>() };
    let start = run.pointer().cast::<T>();
    start.is_aligned().then_some(start)
}

#[allow(private_interfaces)] // sealed
impl<T: Shared> typed::Typed for T {
    const TAG: u64 = T::TYPE_TAG;

    fn locate(run: Run) -> Option<NonNull<T>> {
        located(run).filter(|_| run.pointer().len() == size_of::<T>())
    }

    unsafe fn is_valid(place: NonNull<T>) -> bool {
        // SAFETY: readable by the contract; Bits has T's size and alignment, and any bytes are one.
        T::ANY_PATTERN_IS_VALID || T::is_valid(unsafe { place.cast::<T::Bits>().as_ref() })
    }

    fn describe(f: &mut fmt::Formatter<'_>) -> fmt::Result {
        T::name(f)
    }
}

#[allow(private_interfaces)] // sealed
impl<T: Shared> typed::Typed for [T] {
    const TAG: u64 = Tag::new("slice").number(T::TYPE_TAG as u128).finish();

    fn locate(run: Run) -> Option<NonNull<[T]>> {
        let length = run.pointer().len();
        // Types that can be shared have a size.
        let count = length.is_multiple_of(size_of::<T>()).then(|| length / size_of::<T>())?;
        Some(NonNull::slice_from_raw_parts(located(run)?, count))
    }

    unsafe fn is_valid(place: NonNull<[T]>) -> bool {
        let bits = NonNull::slice_from_raw_parts(place.cast::<T::Bits>(), place.len());
        // SAFETY: as above, for each element.
        T::ANY_PATTERN_IS_VALID || unsafe { bits.as_ref() }.iter().all(T::is_valid)
    }

    fn describe(f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        T::name(f)?;
        f.write_str("]")
    }
}

/// The type for messages.
pub(super) fn name<C: Content + ?Sized>() -> String {
    struct Describe<C: ?Sized>(std::marker::PhantomData<C>);
    impl<C: Content + ?Sized> fmt::Display for Describe<C> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            C::describe(f)
        }
    }
    Describe::<C>(std::marker::PhantomData).to_string()
}
