//! Copies between private values and shared memory that others may be writing at the same time.
//!
//! Every access is a relaxed atomic one, so a race yields mixed bytes and not undefined behaviour;
//! the callers find out by their own means (a lock, a version) whether the bytes belong together.
#![allow(unsafe_code)] // raw copies; the callers vouch for the range

use core::mem::{MaybeUninit, align_of, size_of};
use core::ptr::{self, NonNull};
use core::sync::atomic::Ordering;

use crate::seam::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64};
use crate::shared::Shared;

const WORD: usize = size_of::<u64>();

/// Copies `length` bytes out of shared memory; a value of 1, 2, 4 or 8 bytes in one access.
///
/// # Safety
///
/// `source` is aligned to `length` if that is 1, 2 or 4, else to 8, and valid for reads of `length`
/// bytes that nobody writes but through atomics; `target` is private and valid for writes of them.
#[inline]
unsafe fn load(source: *const u8, target: *mut u8, length: usize) {
    // SAFETY: aligned and valid by the contract.
    unsafe {
        match length {
            1 => return target.write((*source.cast::<AtomicU8>()).load(Ordering::Relaxed)),
            2 => {
                let word = (*source.cast::<AtomicU16>()).load(Ordering::Relaxed);
                return target.cast::<u16>().write_unaligned(word);
            }
            4 => {
                let word = (*source.cast::<AtomicU32>()).load(Ordering::Relaxed);
                return target.cast::<u32>().write_unaligned(word);
            }
            _ => {}
        }
    }
    let words = length / WORD;
    for i in 0..words {
        // SAFETY: within the range; aligned, because `source` is and `i` counts words.
        unsafe {
            let word = (*source.cast::<AtomicU64>().add(i)).load(Ordering::Relaxed);
            target.cast::<u64>().add(i).write_unaligned(word);
        }
    }
    for i in words * WORD..length {
        // SAFETY: within the range.
        unsafe { target.add(i).write((*source.add(i).cast::<AtomicU8>()).load(Ordering::Relaxed)) };
    }
}

/// Copies `length` bytes into shared memory; a value of 1, 2, 4 or 8 bytes in one access.
///
/// # Safety
///
/// As for [`load`], the other way round.
#[inline]
unsafe fn store(source: *const u8, target: *mut u8, length: usize) {
    // SAFETY: aligned and valid by the contract.
    unsafe {
        match length {
            1 => return (*target.cast::<AtomicU8>()).store(source.read(), Ordering::Relaxed),
            2 => {
                let word = source.cast::<u16>().read_unaligned();
                return (*target.cast::<AtomicU16>()).store(word, Ordering::Relaxed);
            }
            4 => {
                let word = source.cast::<u32>().read_unaligned();
                return (*target.cast::<AtomicU32>()).store(word, Ordering::Relaxed);
            }
            _ => {}
        }
    }
    let words = length / WORD;
    for i in 0..words {
        // SAFETY: within the range; aligned, because `target` is and `i` counts words.
        unsafe {
            let word = source.cast::<u64>().add(i).read_unaligned();
            (*target.cast::<AtomicU64>().add(i)).store(word, Ordering::Relaxed);
        }
    }
    for i in words * WORD..length {
        // SAFETY: within the range.
        unsafe {
            (*target.add(i).cast::<AtomicU8>()).store(source.add(i).read(), Ordering::Relaxed)
        };
    }
}

/// Whether a value is read and written in one access, so that it is never torn.
pub(crate) const fn is_word<T>() -> bool {
    matches!(size_of::<T>(), 1 | 2 | 4 | 8)
}

/// How far apart the elements of an array are, which is packed if they are words.
pub(crate) const fn packed_stride<T>() -> usize {
    if is_word::<T>() { size_of::<T>() } else { size_of::<T>().next_multiple_of(alignment::<T>()) }
}

/// How far apart values of a type are stored: its size, rounded up to whole words.
#[inline]
pub(crate) const fn stride<T>() -> usize {
    size_of::<T>().next_multiple_of(WORD)
}

/// The alignment at which values of a type are stored.
#[inline]
pub(crate) const fn alignment<T>() -> usize {
    if align_of::<T>() > WORD { align_of::<T>() } else { WORD }
}

/// Objects lie on cache lines, so a type cannot ask for more.
pub(crate) const fn check_alignment<T>() -> Result<(), &'static str> {
    if align_of::<T>() > 64 { Err("its type is aligned to more than 64 bytes") } else { Ok(()) }
}

/// The bytes of a value.
#[inline]
pub(crate) fn bytes_of<T: Shared>(value: &T) -> &[u8] {
    // SAFETY: all bytes of a Shared type are initialised, and it has no interior mutability.
    unsafe { core::slice::from_raw_parts(ptr::from_ref(value).cast(), size_of::<T>()) }
}

/// The value that has these bytes, if there is one.
pub(crate) fn value_of<T: Shared>(bytes: &[u8]) -> Option<T> {
    if bytes.len() != size_of::<T>() {
        return None;
    }
    let mut bits = MaybeUninit::<T::Bits>::uninit();
    // SAFETY: T::Bits has the size of T, and so have the bytes.
    unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), bits.as_mut_ptr().cast(), bytes.len()) };
    // SAFETY: all bytes were written, and T::Bits is valid for any (Shared).
    Unchecked(unsafe { bits.assume_init() }).check()
}

/// Room for one value in shared memory.
#[derive(Debug)]
pub(crate) struct Slot<T>(NonNull<u8>, core::marker::PhantomData<T>);

impl<T> Clone for Slot<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Slot<T> {}

// SAFETY: shared memory that is accessed through atomics only; T itself may be sent and shared.
unsafe impl<T: Send> Send for Slot<T> {}
// SAFETY: as above.
unsafe impl<T: Sync> Sync for Slot<T> {}

impl<T: Shared> Slot<T> {
    /// # Safety
    ///
    /// `place` is aligned to [`alignment`], or to its size if `T` is a word, and valid for the size
    /// of `T` as long as the slot is used; others access it through atomics only.
    #[inline]
    pub(crate) unsafe fn new(place: NonNull<u8>) -> Self {
        Self(place, core::marker::PhantomData)
    }

    /// Stores a value; not atomic as a whole.
    #[inline]
    pub(crate) fn write(self, value: &T) {
        // SAFETY: `new`'s contract; T has no uninitialised bytes (Shared).
        unsafe { store(ptr::from_ref(value).cast(), self.0.as_ptr(), size_of::<T>()) }
    }

    /// The bytes that are there, of which nothing is known yet.
    #[inline]
    pub(crate) fn read(self) -> Unchecked<T> {
        let mut bits = MaybeUninit::<T::Bits>::uninit();
        // SAFETY: `new`'s contract; T::Bits has the size of T.
        unsafe { load(self.0.as_ptr(), bits.as_mut_ptr().cast(), size_of::<T>()) };
        // SAFETY: all bytes were written, and T::Bits is valid for any (Shared).
        Unchecked(unsafe { bits.assume_init() })
    }

    /// Takes over the bytes of another slot, whatever they are.
    pub(crate) fn copy(self, from: Self) {
        let bits = from.read();
        // SAFETY: `new`'s contract; Bits has T's size and is initialised.
        unsafe { store(ptr::from_ref(&bits.0).cast(), self.0.as_ptr(), size_of::<T>()) }
    }

    pub(crate) fn pointer(self) -> NonNull<u8> {
        self.0
    }
}

/// Bytes that may be a value of `T`.
pub(crate) struct Unchecked<T: Shared>(T::Bits);

impl<T: Shared> Unchecked<T> {
    /// Whether they are the bytes of that value.
    #[inline]
    pub(crate) fn are(&self, value: &T) -> bool {
        // SAFETY: Bits has T's size and is initialised in every byte (Shared).
        let these = unsafe {
            core::slice::from_raw_parts(ptr::from_ref(&self.0).cast::<u8>(), size_of::<T>())
        };
        these == bytes_of(value)
    }

    /// The value, if the bytes are one.
    #[inline]
    pub(crate) fn check(&self) -> Option<T> {
        if !T::is_valid(&self.0) {
            return None;
        }
        // SAFETY: Bits has T's size, and is_valid vouches for the bytes (Shared's contract).
        Some(unsafe { ptr::from_ref(&self.0).cast::<T>().read_unaligned() })
    }
}

/// Bytes in a row in shared memory, of any length, from a word on. Unlike [`Slot`]s they are copied in
/// one go: a lock that others respect keeps them to one user at a time, and any bytes are valid.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Run {
    start: NonNull<u8>,
    length: usize,
}

impl Run {
    /// # Safety
    ///
    /// `start` is aligned to 8, and valid for `length` bytes, rounded up to whole words, as long as
    /// the run is used.
    #[inline]
    pub(crate) unsafe fn new(start: NonNull<u8>, length: usize) -> Self {
        Self { start, length }
    }

    /// Fills it from its start on, as far as both go.
    #[inline]
    pub(crate) fn write(self, source: &[u8]) {
        let source = &source[..source.len().min(self.length)];
        // SAFETY: `new`'s contract; the source is private memory.
        unsafe { copy_in(source, self.start.as_ptr()) };
    }

    /// Appends its bytes to a vector.
    #[inline]
    pub(crate) fn append_to(self, target: &mut Vec<u8>) {
        target.reserve(self.length);
        // SAFETY: `new`'s contract; room for so many bytes was reserved, and they are private.
        unsafe { copy_out(self.start.as_ptr(), &mut target.spare_capacity_mut()[..self.length]) };
        // SAFETY: so many more were written.
        unsafe { target.set_len(target.len() + self.length) };
    }

    pub(crate) fn pointer(self) -> NonNull<[u8]> {
        NonNull::slice_from_raw_parts(self.start, self.length)
    }
}

/// # Safety
///
/// `target` is aligned to 8, shared, and valid for writes of the source's length, rounded up to whole
/// words.
#[cfg(not(loom))]
#[inline]
unsafe fn copy_in(source: &[u8], target: *mut u8) {
    // SAFETY: valid by the contract; private and shared memory do not overlap.
    unsafe { ptr::copy_nonoverlapping(source.as_ptr(), target, source.len()) };
}

/// # Safety
///
/// `source` is aligned to 8, shared, and valid for reads of the target's length, rounded up to whole
/// words. The target is written as a whole.
#[cfg(not(loom))]
#[inline]
unsafe fn copy_out(source: *const u8, target: &mut [MaybeUninit<u8>]) {
    // SAFETY: valid by the contract; private and shared memory do not overlap.
    unsafe { ptr::copy_nonoverlapping(source.cast(), target.as_mut_ptr(), target.len()) };
}

/// The same, so that the model sees it: word by word.
#[cfg(loom)]
unsafe fn copy_in(source: &[u8], target: *mut u8) {
    for (index, part) in source.chunks(WORD).enumerate() {
        let mut word = [0; WORD];
        word[..part.len()].copy_from_slice(part);
        // SAFETY: a word within the range.
        let place = unsafe { &*target.cast::<AtomicU64>().add(index) };
        place.store(u64::from_ne_bytes(word), Ordering::Relaxed);
    }
}

#[cfg(loom)]
unsafe fn copy_out(source: *const u8, target: &mut [MaybeUninit<u8>]) {
    for (index, part) in target.chunks_mut(WORD).enumerate() {
        // SAFETY: a word within the range.
        let place = unsafe { &*source.cast::<AtomicU64>().add(index) };
        let word = place.load(Ordering::Relaxed).to_ne_bytes();
        part.iter_mut().zip(word).for_each(|(byte, value)| {
            byte.write(value);
        });
    }
}
