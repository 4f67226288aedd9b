//! Chunks in hand: to be written and sent, and received ones.
#![allow(unsafe_code)] // references to content that only the lock's holder uses

use std::fmt;
use std::mem::ManuallyDrop;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::sync::atomic::Ordering;

use super::chunk::{Held, State};
use super::content::Content;
use super::handle::LoanHandle;
use crate::data::Queue;
use crate::error::PushError;
use crate::raw::event_count::Notify;
use crate::raw::lock::Release;
use crate::shared::Shared;

/// A chunk of a [`LoanPool`](super::LoanPool) to be written in place, and sent. Dropped, it goes back
/// to the pool.
///
/// It belongs to the thread that loaned it, since the kernel watches that thread.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use outlive::PoolLayout;
///
/// let segment = outlive::Segment::anonymous()?;
/// let pool = segment.loan_pool("lines", &PoolLayout::new().chunks(4, 100))?;
/// let mut line = pool.loan_bytes(100)?;
/// line[..5].copy_from_slice(b"hello");
/// line.truncate(5);
/// let handle = line.send();
/// assert_eq!(&*pool.receive::<[u8]>(handle)?, b"hello");
/// # Ok(())
/// # }
/// ```
///
/// What it leads to is a reference into shared memory. A process that writes there nevertheless,
/// against the pool's protocol, is undefined behaviour in this one.
///
/// # Crash behaviour
///
/// The chunk of a thread that dies or panics with it goes back to the pool.
#[must_use = "dropped, it goes back to the pool"]
pub struct Loan<'a, C: Content + ?Sized> {
    held: Held<'a>,
    /// Of the chunk as it is not sent.
    generation: u64,
    place: NonNull<C>,
}

/// A chunk of a [`LoanPool`](super::LoanPool) that was received, to be read in place. Dropping it gives
/// it back to the pool.
///
/// It belongs to the thread that received it. What it leads to is a reference into shared memory, whose
/// bytes were checked when it was received; a process that writes there nevertheless, against the
/// pool's protocol, is undefined behaviour in this one.
///
/// # Crash behaviour
///
/// The chunk of a thread that dies with it goes back to the pool; its content went with the thread.
#[must_use = "dropping it gives the chunk back"]
pub struct Loaned<'a, C: Content + ?Sized>(Loan<'a, C>);

impl<'a, C: Content + ?Sized> Loan<'a, C> {
    /// `place` is in the chunk that is held, whose state is free, and was found to be a content.
    pub(super) fn new(held: Held<'a>, generation: u64, place: NonNull<C>) -> Self {
        Self { held, generation, place }
    }

    /// Marks the chunk as sent. It is neither free nor anybody's but its handle's from here on.
    #[inline]
    fn mark_sent(&self) -> LoanHandle {
        if self.held.is_mine() {
            self.held.chunk.set(State::sent(self.generation));
            self.held.handle(self.generation)
        } else {
            // Through a copy that a fork made: the handle of a generation that is over.
            self.held.handle(self.generation.wrapping_sub(1) & super::chunk::GENERATIONS)
        }
    }

    /// Sends the chunk: whoever [receives](super::LoanPool::receive) the handle has it.
    ///
    /// The handle is all that there is of it now. A process that is killed before it has handed the
    /// handle on takes it along, and the chunk comes back with
    /// [`LoanPool::reclaim`](super::LoanPool::reclaim). Within [`send_with`](Self::send_with) it comes
    /// back by itself.
    ///
    /// In a forked child, the copy of its parent's loan sends a handle that is stale.
    #[must_use = "without its handle, the chunk is lost to the pool"]
    #[inline]
    pub fn send(self) -> LoanHandle {
        let handle = self.mark_sent();
        let sending = ManuallyDrop::new(self);
        // Without effect on one that is not this thread's.
        sending.held.chunk.lock.unlock(Release::Clean);
        handle
    }

    /// Sends the chunk with what hands its handle over, such as a push to a queue; returns what that
    /// returned. If it fails, the loan is handed back with the error, and the handle is stale.
    ///
    /// Whoever gets the handle waits until `hand_over` returns: it is to do nothing else.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use outlive::{LoanHandle, PoolLayout, Shared};
    /// #[derive(Clone, Copy, Shared)]
    /// #[repr(C)]
    /// struct Frame {
    ///     number: u64,
    ///     pixels: LoanHandle,
    /// }
    ///
    /// let segment = outlive::Segment::anonymous()?;
    /// let pool = segment.loan_pool("pixels", &PoolLayout::new().chunks(4, 1 << 16))?;
    /// let frames = segment.queue::<Frame>("frames", 4)?;
    /// let pixels = pool.loan_bytes(1 << 16)?;
    /// pixels
    ///     .send_with(|pixels| frames.push(Frame { number: 1, pixels }))
    ///     .map_err(|(_pixels, error)| error)?;
    ///
    /// // Received before it is taken out of the queue: no death comes in between.
    /// let (number, pixels) =
    ///     frames.pop_with(|frame| (frame.number, pool.receive::<[u8]>(frame.pixels)))?;
    /// assert_eq!((number, pixels?.len()), (1, 1 << 16));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// That of `hand_over`, with the loan.
    ///
    /// # Crash behaviour
    ///
    /// A process that is killed meanwhile has handed it over or not. If not, the chunk comes back: once
    /// no other one is free, those of dead senders are looked for in the segment's objects, wherever a
    /// handle can be. So is that of one that panics in `hand_over`.
    pub fn send_with<R, E>(
        self,
        hand_over: impl FnOnce(LoanHandle) -> Result<R, E>,
    ) -> Result<R, (Self, E)> {
        /// As if it had died: whether the handle is anywhere is not known.
        struct Undecided<'a, 'b>(&'a Held<'b>);
        impl Drop for Undecided<'_, '_> {
            fn drop(&mut self) {
                if self.0.is_mine() {
                    self.0.chunk.lock.unlock(Release::Dirty);
                    self.0.pool.tell(Notify::One);
                }
            }
        }

        let handle = self.mark_sent();
        let mut sending = ManuallyDrop::new(self);
        let undecided = Undecided(&sending.held);
        let outcome = hand_over(handle);
        std::mem::forget(undecided);
        match outcome {
            Ok(result) => {
                // Without effect on one that is not this thread's.
                sending.held.chunk.lock.unlock(Release::Clean);
                Ok(result)
            }
            Err(error) => {
                let taken_back = State::sent(sending.generation).received();
                if sending.held.is_mine() {
                    sending.held.chunk.set(taken_back);
                    sending.generation = taken_back.generation();
                }
                Err((ManuallyDrop::into_inner(sending), error))
            }
        }
    }

    /// Sends the chunk through a queue of handles; sleeps while the queue is full.
    ///
    /// # Errors
    ///
    /// Those of [`Queue::push`], with the loan.
    ///
    /// # Crash behaviour
    ///
    /// That of [`send_with`](Self::send_with).
    pub fn send_to(self, queue: &Queue<LoanHandle>) -> Result<(), PushError<Self>> {
        self.send_with(|handle| queue.push(handle)).map_err(not_pushed)
    }

    /// [`send_to`](Self::send_to), if there is room in the queue.
    ///
    /// # Errors
    ///
    /// Those of [`Queue::try_push`], with the loan.
    pub fn try_send_to(self, queue: &Queue<LoanHandle>) -> Result<(), PushError<Self>> {
        self.send_with(|handle| queue.try_push(handle)).map_err(not_pushed)
    }

    fn note_length(&self) {
        if self.held.is_mine() {
            // SAFETY: the place is this guard's.
            let length = size_of_val(unsafe { self.place.as_ref() });
            self.held.chunk.length.store(length as u64, Ordering::Relaxed);
        }
    }
}

/// The loan in place of its handle.
fn not_pushed<L>((loan, error): (L, PushError<LoanHandle>)) -> PushError<L> {
    match error {
        PushError::Full(_) => PushError::Full(loan),
        PushError::Closed(_) => PushError::Closed(loan),
        PushError::TimedOut(_) => PushError::TimedOut(loan),
        PushError::Lock(_, error) => PushError::Lock(loan, error),
    }
}

impl<T: Shared> Loan<'_, [T]> {
    /// Shortens the slice to its first `count` elements. Without effect if it has no more.
    pub fn truncate(&mut self, count: usize) {
        if count < self.place.len() {
            self.place = NonNull::slice_from_raw_parts(self.place.cast(), count);
            self.note_length();
        }
    }
}

impl<'a, C: Content + ?Sized> Loaned<'a, C> {
    /// As for [`Loan::new`].
    pub(super) fn new(held: Held<'a>, generation: u64, place: NonNull<C>) -> Self {
        Self(Loan::new(held, generation, place))
    }

    /// Gives the chunk back to the pool: what dropping it does.
    pub fn release(self) {}

    /// To change it in place and send it on.
    pub fn into_loan(self) -> Loan<'a, C> {
        self.0
    }
}

impl<C: Content + ?Sized> Deref for Loan<'_, C> {
    type Target = C;

    #[inline]
    fn deref(&self) -> &C {
        // SAFETY: a content within the chunk, which its lock keeps to this guard and the pool that it
        // borrows keeps mapped.
        unsafe { self.place.as_ref() }
    }
}

impl<C: Content + ?Sized> DerefMut for Loan<'_, C> {
    #[inline]
    fn deref_mut(&mut self) -> &mut C {
        // SAFETY: as above, and only one guard exists while the lock is held.
        unsafe { self.place.as_mut() }
    }
}

impl<C: Content + ?Sized> Deref for Loaned<'_, C> {
    type Target = C;

    #[inline]
    fn deref(&self) -> &C {
        &self.0
    }
}

impl<C: Content + ?Sized> fmt::Debug for Loan<'_, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loan")
            .field("chunk", &self.held.index)
            .field("bytes", &size_of_val(&**self))
            .finish_non_exhaustive()
    }
}

impl<C: Content + ?Sized> fmt::Debug for Loaned<'_, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loaned")
            .field("chunk", &self.0.held.index)
            .field("bytes", &size_of_val(&**self))
            .finish_non_exhaustive()
    }
}
