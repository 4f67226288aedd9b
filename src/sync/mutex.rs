//! `Mutex<T>`: the lock of `raw::lock` in front of a value, in place.
//!
//! Unlike a `Value`, the data are changed where they are, so a holder's death can leave them
//! half-changed, and the next one is told.
#![allow(unsafe_code)] // guards lead to data in shared memory, which the lock protects

#[cfg(feature = "async")]
mod future;

use std::fmt;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ops::{Deref, DerefMut};
use std::thread;
use std::time::Duration;

use crate::error::LockError;
use crate::layout;
use crate::raw::bytes::{self, Slot};
use crate::raw::deadline::Deadline;
use crate::raw::lock::{Acquired, Release};
use crate::raw::waiting::{Waiting, tells_holder, waits};
use crate::segment::object::{Mechanics, Misfit, ObjectKind};
use crate::segment::region::{Extent, Located};
use crate::shared::Shared;
use crate::sync::vouch::Vouch;
use crate::sync::wait_any::awaits_lock;

/// A lock that outlives its holder, with the data that it protects.
///
/// Opened by name: [`Segment::mutex`](crate::Segment::mutex). For data that are changed as a whole
/// and never need mending, [`Value`](crate::Value) is simpler; a `Mutex` changes large data in
/// place.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use outlive::Segment;
///
/// let segment = Segment::anonymous()?;
/// let totals = segment.mutex("totals", [0_u64; 2])?;
/// let mut guard = match totals.lock() {
///     Ok(guard) => guard,
///     Err(error) => {
///         let mut guard = error.into_guard()?; // the holder died: anything else is returned
///         guard[1] = guard[0]; // whatever makes the data whole again
///         guard.mark_consistent();
///         guard
///     }
/// };
/// guard[0] += 1;
/// guard[1] += 1;
/// # Ok(())
/// # }
/// ```
///
/// # `?` and `OwnerDied`
///
/// The error of [`lock`](Self::lock) holds the guard, so it cannot leave a function whose handle ends
/// there. [`LockError::into_guard`] gives the guard or an error without one, and
/// [`LockError::recover`] vouches for the data besides: `mutex.lock().or_else(LockError::recover)?`.
///
/// # Size
///
/// The first value goes over the stack: fine for some hundred kilobytes. For more, use an
/// [`Array`](crate::Array).
///
/// # Crash behaviour
///
/// When a holder is killed (or its thread ends, or its process calls `exec`), the kernel hands the
/// lock to the next one at once, as [`LockError::OwnerDied`] with the guard: the data may be
/// half-changed. That one mends them and calls [`MutexGuard::mark_consistent`]; if it drops the
/// guard without, the lock is closed for good ([`LockError::NotRecoverable`]); if it dies as well,
/// the next one gets `OwnerDied`. A panic while the lock is held counts as a death, as poisoning
/// does in the standard library. A process that is killed while it waits leaves nothing behind.
///
/// One death the kernel does not report: `exec` by a thread other than the process's first one. Whoever
/// waits finds that out within 100 ms; `try_lock` alone does not.
///
/// # Memory ordering
///
/// What was written before a release is seen after the next acquisition, in any process.
///
/// # Signals
///
/// Not to be locked or released in a signal handler: it may have interrupted the same thread's use of
/// its list of held locks. ([`Event::set`](crate::Event::set) may be called there.)
///
/// # Trust
///
/// The lock orders those who take it. A process with the right to write the segment that writes the
/// data without it is outside of this contract, as with any shared mapping.
pub struct Mutex<T> {
    node: Located<layout::Mutex>,
    data: Slot<T>,
}

impl<T> Clone for Mutex<T> {
    fn clone(&self) -> Self {
        Self { node: self.node.clone(), data: self.data }
    }
}

impl<T> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mutex").field("place", &self.node).finish_non_exhaustive()
    }
}

/// The right to use a [`Mutex`]'s data; dropping it releases the lock.
///
/// It belongs to the thread that locked, since the kernel watches that thread:
///
/// ```compile_fail,E0277
/// # let mutex = outlive::Segment::anonymous().unwrap().mutex("m", 0_u64).unwrap();
/// let guard = mutex.lock().unwrap();
/// std::thread::scope(|scope| {
///     scope.spawn(move || drop(guard)); // not Send
/// });
/// ```
///
/// A forgotten guard keeps the lock until its thread ends, which the next locker then sees as a death,
/// and the segment mapped, as if its process had been killed.
pub struct MutexGuard<'a, T: Shared> {
    node: &'a layout::Mutex,
    data: Slot<T>,
    panicking: bool,
    /// Neither Send, because the lock is the thread's, nor Sync beyond what T is.
    _thread: PhantomData<*mut T>,
}

// SAFETY: a shared guard gives out &T only.
unsafe impl<T: Shared> Sync for MutexGuard<'_, T> {}

pub(crate) type Outcome<'a, T> = Result<MutexGuard<'a, T>, LockError<MutexGuard<'a, T>>>;

impl<T: Shared> Mutex<T> {
    /// Acquires the lock, sleeping until it is free.
    ///
    /// # Errors
    ///
    /// [`OwnerDied`](LockError::OwnerDied) with the guard: see above.
    /// [`NotRecoverable`](LockError::NotRecoverable), [`Deadlock`](LockError::Deadlock) if this
    /// thread holds it already, [`ReadOnly`](LockError::ReadOnly),
    /// [`TooManyLocks`](LockError::TooManyLocks).
    #[inline(always)] // a result in memory costs more than the lock
    pub fn lock(&self) -> Outcome<'_, T> {
        match self.take_at_once() {
            Some(guard) => Ok(guard),
            None => self.lock_slowly(self.node.forever()),
        }
    }

    /// Acquires the lock if it is free.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](LockError::WouldBlock), and those of [`lock`](Self::lock).
    #[inline(always)] // as above
    pub fn try_lock(&self) -> Outcome<'_, T> {
        match self.take_at_once() {
            Some(guard) => Ok(guard),
            None => self.try_slowly(),
        }
    }

    /// Acquires the lock, sleeping for at most `timeout`.
    ///
    /// # Errors
    ///
    /// [`TimedOut`](LockError::TimedOut), never before the time is up, and those of
    /// [`lock`](Self::lock).
    #[inline(always)] // as above
    pub fn lock_timeout(&self, timeout: Duration) -> Outcome<'_, T> {
        match self.take_at_once() {
            Some(guard) => Ok(guard),
            None => self.lock_slowly(self.node.within(timeout)),
        }
    }

    /// The case that is to be fast: a free lock in front of data that need no check.
    #[inline(always)]
    fn take_at_once(&self) -> Option<MutexGuard<'_, T>> {
        if !T::ANY_PATTERN_IS_VALID {
            return None;
        }
        let node = self.node.writable().ok()?;
        node.lock.take_at_once().then(|| MutexGuard::new(node, self.data))
    }

    /// The lock without the data.
    #[cfg(feature = "lock_api")]
    pub(crate) fn located(&self) -> &Located<layout::Mutex> {
        &self.node
    }

    #[cold]
    fn lock_slowly(&self, deadline: Deadline) -> Outcome<'_, T> {
        let node = self.node.writable().map_err(LockError::cast)?;
        MutexGuard::checked(node, self.data, node.lock.lock(deadline))
    }

    #[cold]
    fn try_slowly(&self) -> Outcome<'_, T> {
        let node = self.node.writable().map_err(LockError::cast)?;
        MutexGuard::checked(node, self.data, node.lock.try_lock())
    }
}

impl<'a, T: Shared> MutexGuard<'a, T> {
    /// With the lock held.
    #[inline(always)]
    fn new(node: &'a layout::Mutex, data: Slot<T>) -> Self {
        Self { node, data, panicking: thread::panicking(), _thread: PhantomData }
    }

    /// The guard, if what it would lead to is a `T`.
    fn checked(
        node: &'a layout::Mutex,
        data: Slot<T>,
        acquired: Result<Acquired, LockError>,
    ) -> Outcome<'a, T> {
        let acquired = acquired.map_err(LockError::cast)?;
        if !T::ANY_PATTERN_IS_VALID && data.read().check().is_none() {
            // Given back as it came: only a death leaves the word inconsistent.
            let died = acquired == Acquired::OwnerDied;
            node.lock.unlock(if died { Release::Dirty } else { Release::Clean });
            return Err(LockError::Corrupt { what: "the data that the mutex protects" });
        }
        let guard = Self::new(node, data);
        match acquired {
            Acquired::Clean => Ok(guard),
            Acquired::OwnerDied => Err(LockError::OwnerDied(guard)),
        }
    }

    /// How the data are, going by what is known of their holder.
    #[inline(always)]
    fn state(&self) -> Release {
        let panicked = !self.panicking && thread::panicking();
        if panicked { Release::Dirty } else { Release::Clean }
    }

    /// Releases the lock for a while. Data that nobody has vouched for are handed on as they are,
    /// which does not close the lock.
    pub(crate) fn suspend(self) -> Suspended<'a, T> {
        let guard = ManuallyDrop::new(self);
        let dirty = guard.is_inconsistent();
        guard.node.lock.unlock(if dirty { Release::Dirty } else { guard.state() });
        Suspended { node: guard.node, data: guard.data }
    }
}

/// A mutex that its holder means to lock again.
pub(crate) struct Suspended<'a, T> {
    node: &'a layout::Mutex,
    data: Slot<T>,
}

impl<'a, T: Shared> Suspended<'a, T> {
    /// Acquires the lock again, as long as it takes.
    pub(crate) fn resume(self, waiting: Waiting) -> Outcome<'a, T> {
        let acquired = self.node.lock.lock(Deadline::NEVER.with(waiting));
        MutexGuard::checked(self.node, self.data, acquired)
    }

    /// Whether a holder died, and nobody has come to see what it left.
    pub(crate) fn is_orphaned(&self) -> bool {
        self.node.lock.is_orphaned()
    }
}

impl<T: Shared> MutexGuard<'_, T> {
    /// Vouches for the data after [`LockError::OwnerDied`].
    #[inline]
    pub fn mark_consistent(&mut self) {
        self.node.lock.mark_consistent();
    }

    /// Whether the last holder died and nobody has vouched for the data since.
    #[must_use]
    pub fn is_inconsistent(&self) -> bool {
        self.node.lock.is_inconsistent()
    }
}

impl<T: Shared> Vouch for MutexGuard<'_, T> {
    fn vouch(&mut self) {
        self.mark_consistent();
    }
}

impl<T: Shared> Deref for MutexGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the lock is held, the bytes were checked to be a T, and the handle that the guard
        // borrows keeps them mapped.
        unsafe { self.data.pointer().cast().as_ref() }
    }
}

impl<T: Shared> DerefMut for MutexGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above, and only one guard exists while the lock is held.
        unsafe { self.data.pointer().cast().as_mut() }
    }
}

impl<T: Shared> Drop for MutexGuard<'_, T> {
    #[inline(always)] // as `lock`
    fn drop(&mut self) {
        self.node.lock.unlock(self.state());
    }
}

impl<T: Shared + fmt::Debug> fmt::Debug for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

/// Where the data are: right behind the lock.
const fn data_offset<T>() -> usize {
    size_of::<layout::Mutex>().next_multiple_of(bytes::alignment::<T>())
}

waits!(Mutex<T>, node);
tells_holder!(Mutex<T>, node.lock);
awaits_lock!(Mutex<T>, node.lock);

#[allow(private_interfaces)] // sealed
impl<T: Shared> Mechanics for Mutex<T> {
    type Init = T;

    const KIND: ObjectKind = ObjectKind::Mutex;
    const TYPE_TAG: u64 = T::TYPE_TAG;

    fn describe(f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mutex<")?;
        T::describe(f)?;
        f.write_str(">")
    }

    fn size(_init: &T) -> Result<u64, &'static str> {
        bytes::check_alignment::<T>()?;
        Ok((data_offset::<T>() + bytes::stride::<T>()) as u64)
    }

    fn initialise(extent: &Extent, init: T) -> Option<()> {
        extent.head::<layout::Mutex>()?.lock.reset();
        extent.slot::<T>(data_offset::<T>())?.write(&init);
        Some(())
    }

    fn attach(extent: &Extent) -> Result<Self, &'static str> {
        let node = extent.head().ok_or("it is too small for a mutex")?;
        let data = extent.slot(data_offset::<T>()).ok_or("it is too small for its type")?;
        Ok(Self { node, data })
    }

    fn fits(&self, _init: &T) -> Result<(), Misfit> {
        Ok(())
    }
}
