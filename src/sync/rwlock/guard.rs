//! The rights to read and to write what an [`RwLock`](super::RwLock) protects.
#![allow(unsafe_code)] // guards lead to data in shared memory, which the lock protects

use std::fmt;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::thread;
use std::time::Duration;

use super::body::{Body, Patience};
use crate::error::LockError;
use crate::layout::Share;
use crate::raw::bytes::Slot;
use crate::raw::lock::Release;
use crate::shared::Shared;
use crate::sync::vouch::Vouch;

/// The right to read an [`RwLock`](super::RwLock)'s data; dropping it gives the right back.
///
/// It belongs to the thread that locked, since the kernel watches that thread:
///
/// ```compile_fail,E0277
/// # let lock = outlive::Segment::anonymous().unwrap().rwlock("l", 0_u64).unwrap();
/// let guard = lock.read().unwrap();
/// std::thread::scope(|scope| {
///     scope.spawn(move || drop(guard)); // not Send
/// });
/// ```
pub struct RwLockReadGuard<'a, T: Shared> {
    share: &'a Share,
    data: NonNull<T>,
    /// Neither Send, because the share is the thread's, nor Sync beyond what T is.
    _thread: PhantomData<*mut T>,
}

/// The right to read an [`RwLock`](super::RwLock)'s data, and to [become](Self::upgrade) the writer.
/// It belongs to the thread that locked.
pub struct RwLockUpgradableGuard<'a, T: Shared> {
    body: Body<'a>,
    data: NonNull<T>,
    _thread: PhantomData<*mut T>,
}

/// The right to change an [`RwLock`](super::RwLock)'s data; dropping it releases the lock. It belongs
/// to the thread that locked.
///
/// A forgotten guard keeps the lock until its thread ends, which the next one then sees as a death.
pub struct RwLockWriteGuard<'a, T: Shared> {
    body: Body<'a>,
    data: NonNull<T>,
    panicking: bool,
    _thread: PhantomData<*mut T>,
}

// SAFETY: a shared guard gives out &T only.
unsafe impl<T: Shared> Sync for RwLockReadGuard<'_, T> {}
// SAFETY: as above.
unsafe impl<T: Shared> Sync for RwLockUpgradableGuard<'_, T> {}
// SAFETY: as above.
unsafe impl<T: Shared> Sync for RwLockWriteGuard<'_, T> {}

/// Why a guard could not be turned into another one, and the guard, as good as before.
///
/// In a function that fails with [`LockError`], `?` drops the guard and returns the reason.
#[non_exhaustive]
pub struct ConvertError<G> {
    /// The guard that was to be converted.
    pub guard: G,
    /// Why it was not.
    pub error: LockError,
}

impl<G> fmt::Debug for ConvertError<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConvertError").field("error", &self.error).finish_non_exhaustive()
    }
}

impl<G> fmt::Display for ConvertError<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl<G> std::error::Error for ConvertError<G> {}

impl<G> From<ConvertError<G>> for LockError {
    fn from(error: ConvertError<G>) -> Self {
        error.error
    }
}

type Converted<G, From> = Result<G, ConvertError<From>>;

impl<'a, T: Shared> RwLockReadGuard<'a, T> {
    /// With the share held, and the data checked.
    #[inline]
    pub(super) fn new(share: &'a Share, data: Slot<T>) -> Self {
        Self { share, data: data.pointer().cast(), _thread: PhantomData }
    }
}

impl<'a, T: Shared> RwLockUpgradableGuard<'a, T> {
    /// With U held, and the data checked.
    pub(super) fn new(body: Body<'a>, data: Slot<T>) -> Self {
        Self { body, data: data.pointer().cast(), _thread: PhantomData }
    }

    /// Becomes the writer, sleeping until all readers have left. Nobody writes in between.
    ///
    /// If a writer had died, which [`upgradable_read`](super::RwLock::upgradable_read) told, the data
    /// are still to be mended and vouched for: see [`RwLockWriteGuard::is_inconsistent`].
    ///
    /// # Errors
    ///
    /// [`Deadlock`](LockError::Deadlock) if this thread has a read guard as well,
    /// [`TooManyLocks`](LockError::TooManyLocks).
    pub fn upgrade(self) -> Converted<RwLockWriteGuard<'a, T>, Self> {
        let patience = self.body.forever();
        self.upgrade_within(patience)
    }

    /// Becomes the writer if nobody else reads.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](LockError::WouldBlock), and those of [`upgrade`](Self::upgrade).
    pub fn try_upgrade(self) -> Converted<RwLockWriteGuard<'a, T>, Self> {
        self.upgrade_within(None)
    }

    /// Becomes the writer, sleeping for at most `timeout`.
    ///
    /// # Errors
    ///
    /// [`TimedOut`](LockError::TimedOut), never before the time is up, and those of
    /// [`upgrade`](Self::upgrade).
    pub fn upgrade_timeout(self, timeout: Duration) -> Converted<RwLockWriteGuard<'a, T>, Self> {
        let patience = self.body.within(timeout);
        self.upgrade_within(patience)
    }

    fn upgrade_within(self, patience: Patience) -> Converted<RwLockWriteGuard<'a, T>, Self> {
        match self.body.exclude(patience) {
            Ok(_told_when_it_was_acquired) => {
                let this = ManuallyDrop::new(self);
                Ok(RwLockWriteGuard::of(this.body, this.data))
            }
            Err(error) => Err(ConvertError { guard: self, error }),
        }
    }

    /// Becomes a plain reader: others may become writers.
    ///
    /// # Errors
    ///
    /// [`TooManyLocks`](LockError::TooManyLocks).
    pub fn downgrade(self) -> Converted<RwLockReadGuard<'a, T>, Self> {
        match self.body.share_for_owner() {
            Ok(share) => {
                let data = self.data;
                drop(self);
                Ok(RwLockReadGuard { share, data, _thread: PhantomData })
            }
            Err(error) => Err(ConvertError { guard: self, error }),
        }
    }
}

impl<'a, T: Shared> RwLockWriteGuard<'a, T> {
    /// With U and W held, and the data checked.
    pub(super) fn new(body: Body<'a>, data: Slot<T>) -> Self {
        Self::of(body, data.pointer().cast())
    }

    fn of(body: Body<'a>, data: NonNull<T>) -> Self {
        Self { body, data, panicking: thread::panicking(), _thread: PhantomData }
    }

    /// Vouches for the data after [`LockError::OwnerDied`].
    pub fn mark_consistent(&mut self) {
        self.body.node.writer.mark_consistent();
    }

    /// Whether a writer died and nobody has vouched for the data since.
    #[must_use]
    pub fn is_inconsistent(&self) -> bool {
        self.body.node.writer.is_inconsistent()
    }

    /// Becomes a reader, without anybody writing in between. Others may read from then on.
    ///
    /// Data that were not [vouched for](Self::mark_consistent) after a death stay as they are: the
    /// next one is told.
    ///
    /// # Errors
    ///
    /// [`TooManyLocks`](LockError::TooManyLocks).
    pub fn downgrade(self) -> Converted<RwLockReadGuard<'a, T>, Self> {
        match self.body.share_for_owner() {
            Ok(share) => {
                let upgradable = self.downgrade_to_upgradable();
                let data = upgradable.data;
                drop(upgradable);
                Ok(RwLockReadGuard { share, data, _thread: PhantomData })
            }
            Err(error) => Err(ConvertError { guard: self, error }),
        }
    }

    /// Becomes a reader that may write again later: others may read from then on, but nobody write.
    ///
    /// Data that were not [vouched for](Self::mark_consistent) after a death stay as they are: the
    /// next one is told.
    #[must_use]
    pub fn downgrade_to_upgradable(self) -> RwLockUpgradableGuard<'a, T> {
        let dirty = self.is_inconsistent();
        let this = ManuallyDrop::new(self);
        this.body.admit(if dirty { Release::Dirty } else { Release::Clean });
        RwLockUpgradableGuard { body: this.body, data: this.data, _thread: PhantomData }
    }
}

impl<T: Shared> Vouch for RwLockWriteGuard<'_, T> {
    fn vouch(&mut self) {
        self.mark_consistent();
    }
}

impl<T: Shared> Drop for RwLockReadGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        Body::leave(self.share);
    }
}

impl<T: Shared> Drop for RwLockUpgradableGuard<'_, T> {
    fn drop(&mut self) {
        self.body.vacate();
    }
}

impl<T: Shared> Drop for RwLockWriteGuard<'_, T> {
    fn drop(&mut self) {
        let panicked = !self.panicking && thread::panicking();
        self.body.admit(if panicked { Release::Dirty } else { Release::Clean });
        self.body.vacate();
    }
}

/// What every guard gives.
macro_rules! leads_to_data {
    ($($guard:ident)*) => { $(
        impl<T: Shared> Deref for $guard<'_, T> {
            type Target = T;

            #[inline]
            fn deref(&self) -> &T {
                // SAFETY: nobody writes while the guard lives, but who has a &mut of a write guard;
                // the bytes were checked to be a T, and the handle that the guard borrows keeps them
                // mapped.
                unsafe { self.data.as_ref() }
            }
        }

        impl<T: Shared + fmt::Debug> fmt::Debug for $guard<'_, T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                (**self).fmt(f)
            }
        }
    )* };
}

leads_to_data!(RwLockReadGuard RwLockUpgradableGuard RwLockWriteGuard);

impl<T: Shared> DerefMut for RwLockWriteGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as in `deref`, and no other guard exists while W is held and no share is.
        unsafe { self.data.as_mut() }
    }
}
