//! Lock-free operations on arrays of integers: single atomic instructions, beside the lock.

use std::sync::atomic::Ordering;

use super::Array;
use crate::error::ArrayError;
use crate::raw::bytes;
use crate::shared::Shared;

/// An integer that the processor changes in one instruction. Sealed.
pub trait AtomicElement: Shared + Ord + sealed::Atomic {}

mod sealed {
    use crate::raw::bytes::Slot;

    /// The atomic type of the same size.
    pub trait Atomic: Sized {
        #[doc(hidden)]
        #[allow(private_interfaces)] // sealed
        fn rmw(slot: Slot<Self>, operation: Operation<Self>) -> Result<Self, Self>;
    }

    /// What to do to an element; all return the value before.
    #[derive(Debug, Clone, Copy)]
    pub enum Operation<T> {
        Load,
        Store(T),
        Swap(T),
        Add(T),
        Min(T),
        Max(T),
        CompareExchange(T, T),
    }
}

use sealed::Operation;

macro_rules! atomic_elements {
    ($($integer:ty: $atomic:ty,)*) => { $(
        impl AtomicElement for $integer {}

        #[allow(private_interfaces, unsafe_code)] // sealed; the element as an atomic
        impl sealed::Atomic for $integer {
            #[inline]
            fn rmw(slot: bytes::Slot<Self>, operation: Operation<Self>) -> Result<Self, Self> {
                // SAFETY: a slot is valid for its type, aligned to its size if that is a word's,
                // and accessed through atomics only.
                let atomic = unsafe { slot.pointer().cast::<$atomic>().as_ref() };
                match operation {
                    Operation::Load => Ok(atomic.load(Ordering::Acquire)),
                    Operation::Store(value) => {
                        atomic.store(value, Ordering::Release);
                        Ok(value)
                    }
                    Operation::Swap(value) => Ok(atomic.swap(value, Ordering::AcqRel)),
                    Operation::Add(value) => Ok(atomic.fetch_add(value, Ordering::AcqRel)),
                    Operation::Min(value) => Ok(atomic.fetch_min(value, Ordering::AcqRel)),
                    Operation::Max(value) => Ok(atomic.fetch_max(value, Ordering::AcqRel)),
                    Operation::CompareExchange(current, new) => {
                        atomic.compare_exchange(current, new, Ordering::AcqRel, Ordering::Acquire)
                    }
                }
            }
        }
    )* };
}

atomic_elements! {
    u8: std::sync::atomic::AtomicU8,
    u16: std::sync::atomic::AtomicU16,
    u32: std::sync::atomic::AtomicU32,
    u64: std::sync::atomic::AtomicU64,
    usize: std::sync::atomic::AtomicUsize,
    i8: std::sync::atomic::AtomicI8,
    i16: std::sync::atomic::AtomicI16,
    i32: std::sync::atomic::AtomicI32,
    i64: std::sync::atomic::AtomicI64,
    isize: std::sync::atomic::AtomicIsize,
}

/// Lock-free operations on single integers. They do not take part in the lock: a guard that is held
/// meanwhile commits over them, and so does the completion of a bulk write whose writer died. Reads acquire, writes release, the others do both.
///
/// All of them return [`OutOfBounds`](ArrayError::OutOfBounds) for an index that is not one, and
/// those that write [`ReadOnly`](crate::LockError::ReadOnly) as [`ArrayError::Lock`].
impl<T: AtomicElement> Array<T> {
    #[inline]
    fn rmw(&self, index: usize, operation: Operation<T>) -> Result<Result<T, T>, ArrayError> {
        if !matches!(operation, Operation::Load) {
            self.inner.writable()?;
        }
        match self.elements.get(index) {
            Some(slot) => Ok(T::rmw(slot, operation)),
            None => Err(ArrayError::OutOfBounds {
                start: index,
                end: index.saturating_add(1),
                length: self.len(),
            }),
        }
    }

    #[inline]
    fn always(&self, index: usize, operation: Operation<T>) -> Result<T, ArrayError> {
        self.rmw(index, operation).map(|(Ok(value) | Err(value))| value)
    }

    /// The element.
    ///
    /// # Errors
    ///
    /// [`OutOfBounds`](ArrayError::OutOfBounds).
    #[inline]
    pub fn load(&self, index: usize) -> Result<T, ArrayError> {
        self.always(index, Operation::Load)
    }

    /// Stores an element.
    ///
    /// # Errors
    ///
    /// [`OutOfBounds`](ArrayError::OutOfBounds); [`ReadOnly`](crate::LockError::ReadOnly).
    #[inline]
    pub fn store(&self, index: usize, value: T) -> Result<(), ArrayError> {
        self.always(index, Operation::Store(value)).map(drop)
    }

    /// Stores an element and returns the one before.
    ///
    /// # Errors
    ///
    /// [`OutOfBounds`](ArrayError::OutOfBounds); [`ReadOnly`](crate::LockError::ReadOnly).
    #[inline]
    pub fn swap(&self, index: usize, value: T) -> Result<T, ArrayError> {
        self.always(index, Operation::Swap(value))
    }

    /// Adds to an element, wrapping around, and returns it as it was before.
    ///
    /// # Errors
    ///
    /// [`OutOfBounds`](ArrayError::OutOfBounds); [`ReadOnly`](crate::LockError::ReadOnly).
    #[inline]
    pub fn fetch_add(&self, index: usize, amount: T) -> Result<T, ArrayError> {
        self.always(index, Operation::Add(amount))
    }

    /// Makes an element at most `limit` and returns it as it was before.
    ///
    /// # Errors
    ///
    /// [`OutOfBounds`](ArrayError::OutOfBounds); [`ReadOnly`](crate::LockError::ReadOnly).
    #[inline]
    pub fn fetch_min(&self, index: usize, limit: T) -> Result<T, ArrayError> {
        self.always(index, Operation::Min(limit))
    }

    /// Makes an element at least `limit` and returns it as it was before.
    ///
    /// # Errors
    ///
    /// [`OutOfBounds`](ArrayError::OutOfBounds); [`ReadOnly`](crate::LockError::ReadOnly).
    #[inline]
    pub fn fetch_max(&self, index: usize, limit: T) -> Result<T, ArrayError> {
        self.always(index, Operation::Max(limit))
    }

    /// Stores `new` if the element is `current`: Ok with the element before; else Err with what it
    /// is.
    ///
    /// # Errors
    ///
    /// [`OutOfBounds`](ArrayError::OutOfBounds); [`ReadOnly`](crate::LockError::ReadOnly).
    #[inline]
    pub fn compare_exchange(
        &self,
        index: usize,
        current: T,
        new: T,
    ) -> Result<Result<T, T>, ArrayError> {
        self.rmw(index, Operation::CompareExchange(current, new))
    }
}
