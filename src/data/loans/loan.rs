//! Loaning chunks, for contents of each kind.
#![allow(unsafe_code)] // contents are written before they are references

use std::ptr::NonNull;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::LoanPool;
use super::content::Content;
use super::guard::Loan;
use crate::error::{LoanError, LockError};
use crate::raw::deadline::Deadline;
use crate::shared::Shared;

const fn assert_plain<T: Shared>() {
    assert!(
        T::ANY_PATTERN_IS_VALID,
        "what is left in a chunk may be no value of the type: use loan_copy"
    );
}

impl LoanPool {
    /// A chunk for a content of so many bytes, after `fill` has made it one.
    #[inline]
    fn loan_until<C: Content + ?Sized>(
        &self,
        length: usize,
        deadline: Option<Deadline>,
        fill: impl FnOnce(NonNull<C>),
    ) -> Result<Loan<'_, C>, LoanError> {
        let held = self.find(length, deadline)?;
        let Some(place) = self.run(held.index, length).and_then(C::locate) else {
            return Err(LockError::Corrupt { what: "a pool's chunk" }.into());
        };
        // Relaxed: under the lock.
        held.chunk.length.store(length as u64, Ordering::Relaxed);
        held.chunk.tag.store(C::TAG, Ordering::Relaxed);
        fill(place);
        let generation = held.chunk.state().generation();
        Ok(Loan::new(held, generation, place))
    }

    #[inline]
    fn value_until<T: Shared>(
        &self,
        value: T,
        deadline: Option<Deadline>,
    ) -> Result<Loan<'_, T>, LoanError> {
        self.loan_until(size_of::<T>(), deadline, |place: NonNull<T>| {
            // SAFETY: room for one, within a chunk that this thread holds.
            unsafe { place.write(value) }
        })
    }

    #[inline]
    fn slice_until<T: Shared>(
        &self,
        count: usize,
        deadline: Option<Deadline>,
    ) -> Result<Loan<'_, [T]>, LoanError> {
        const { assert_plain::<T>() };
        self.loan_until(count.saturating_mul(size_of::<T>()), deadline, |_| {})
    }

    fn copy_until<T: Shared>(
        &self,
        content: &[T],
        deadline: Option<Deadline>,
    ) -> Result<Loan<'_, [T]>, LoanError> {
        self.loan_until(size_of_val(content), deadline, |place: NonNull<[T]>| {
            let source = NonNull::from(content).cast::<T>();
            // SAFETY: room for as many, within a chunk that this thread holds; so no reference of
            // another one leads there.
            unsafe { source.copy_to(place.cast::<T>(), content.len()) }
        })
    }

    /// A chunk that holds a value, to be changed in place and sent; sleeps while none is free.
    ///
    /// # Errors
    ///
    /// [`TooLarge`](LoanError::TooLarge): no chunk is as large; [`Lock`](LoanError::Lock) with
    /// [`Deadlock`](LockError::Deadlock) if this thread holds all chunks that are,
    /// [`TooManyLocks`](LockError::TooManyLocks) (each chunk in hand counts as a lock of its thread),
    /// [`ReadOnly`](LockError::ReadOnly), and [`Corrupt`](LockError::Corrupt) if the segment is
    /// damaged.
    pub fn loan<T: Shared>(&self, value: T) -> Result<Loan<'_, T>, LoanError> {
        self.value_until(value, Some(self.inner.forever()))
    }

    /// [`loan`](Self::loan), if a chunk is free.
    ///
    /// # Errors
    ///
    /// [`Exhausted`](LoanError::Exhausted), and those of [`loan`](Self::loan).
    pub fn try_loan<T: Shared>(&self, value: T) -> Result<Loan<'_, T>, LoanError> {
        self.value_until(value, None)
    }

    /// [`loan`](Self::loan), sleeping for at most `timeout`.
    ///
    /// # Errors
    ///
    /// [`TimedOut`](LoanError::TimedOut), never before the time is up, and those of
    /// [`loan`](Self::loan).
    pub fn loan_timeout<T: Shared>(
        &self,
        value: T,
        timeout: Duration,
    ) -> Result<Loan<'_, T>, LoanError> {
        self.value_until(value, Some(self.inner.within(timeout)))
    }

    /// A chunk as a slice of `count` elements, to be filled in place and sent; sleeps while none is
    /// free. It is not cleared: **the elements are what is left of earlier contents**, of whatever
    /// process, or zero. So it costs as much for gigabytes as for a byte.
    ///
    /// For types that take any bytes (numbers, arrays and structs of them). Others are
    /// [copied](Self::loan_copy):
    ///
    /// ```compile_fail,E0080
    /// # let segment = outlive::Segment::anonymous().unwrap();
    /// # let pool = segment.loan_pool("p", &outlive::PoolLayout::new().chunks(1, 64)).unwrap();
    /// let flags = pool.loan_slice::<bool>(10).unwrap(); // any byte but 0 and 1 is no bool
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`loan`](Self::loan).
    pub fn loan_slice<T: Shared>(&self, count: usize) -> Result<Loan<'_, [T]>, LoanError> {
        self.slice_until(count, Some(self.inner.forever()))
    }

    /// [`loan_slice`](Self::loan_slice), if a chunk is free.
    ///
    /// # Errors
    ///
    /// Those of [`try_loan`](Self::try_loan).
    pub fn try_loan_slice<T: Shared>(&self, count: usize) -> Result<Loan<'_, [T]>, LoanError> {
        self.slice_until(count, None)
    }

    /// [`loan_slice`](Self::loan_slice), sleeping for at most `timeout`.
    ///
    /// # Errors
    ///
    /// Those of [`loan_timeout`](Self::loan_timeout).
    pub fn loan_slice_timeout<T: Shared>(
        &self,
        count: usize,
        timeout: Duration,
    ) -> Result<Loan<'_, [T]>, LoanError> {
        self.slice_until(count, Some(self.inner.within(timeout)))
    }

    /// [`loan_slice`](Self::loan_slice) of bytes.
    ///
    /// # Errors
    ///
    /// Those of [`loan`](Self::loan).
    pub fn loan_bytes(&self, length: usize) -> Result<Loan<'_, [u8]>, LoanError> {
        self.loan_slice(length)
    }

    /// [`loan_bytes`](Self::loan_bytes), if a chunk is free.
    ///
    /// # Errors
    ///
    /// Those of [`try_loan`](Self::try_loan).
    pub fn try_loan_bytes(&self, length: usize) -> Result<Loan<'_, [u8]>, LoanError> {
        self.try_loan_slice(length)
    }

    /// [`loan_bytes`](Self::loan_bytes), sleeping for at most `timeout`.
    ///
    /// # Errors
    ///
    /// Those of [`loan_timeout`](Self::loan_timeout).
    pub fn loan_bytes_timeout(
        &self,
        length: usize,
        timeout: Duration,
    ) -> Result<Loan<'_, [u8]>, LoanError> {
        self.loan_slice_timeout(length, timeout)
    }

    /// A chunk that holds a copy of a slice; sleeps while none is free.
    ///
    /// # Errors
    ///
    /// Those of [`loan`](Self::loan).
    pub fn loan_copy<T: Shared>(&self, content: &[T]) -> Result<Loan<'_, [T]>, LoanError> {
        self.copy_until(content, Some(self.inner.forever()))
    }

    /// [`loan_copy`](Self::loan_copy), if a chunk is free.
    ///
    /// # Errors
    ///
    /// Those of [`try_loan`](Self::try_loan).
    pub fn try_loan_copy<T: Shared>(&self, content: &[T]) -> Result<Loan<'_, [T]>, LoanError> {
        self.copy_until(content, None)
    }

    /// [`loan_copy`](Self::loan_copy), sleeping for at most `timeout`.
    ///
    /// # Errors
    ///
    /// Those of [`loan_timeout`](Self::loan_timeout).
    pub fn loan_copy_timeout<T: Shared>(
        &self,
        content: &[T],
        timeout: Duration,
    ) -> Result<Loan<'_, [T]>, LoanError> {
        self.copy_until(content, Some(self.inner.within(timeout)))
    }
}
