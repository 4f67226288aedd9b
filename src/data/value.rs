//! `Value<T>`: a value that changes as a whole or not at all.
//!
//! # Words
//!
//! Two copies of the value, and `version`, which counts commits; copy `version & 1` is the value.
//! Only the holder of `lock` writes: the new value into the other copy, then `version + 1`
//! (Release), which is the commit.
//!
//! Readers take no lock: they read `version`, the copy it names, and `version` again. That copy is
//! not written before the version moves on, so an unchanged version means that the copy is whole.
//!
//! # What a death leaves behind
//!
//! Before the store of `version`, half a value in the copy that does not count; after it, all of the
//! new one in the copy that does. The lock's next holder has nothing to mend.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use crate::data::overtaken;
use crate::error::LockError;
use crate::layout;
use crate::raw::bytes::{self, Slot};
use crate::raw::deadline::Deadline;
use crate::raw::lock::{Acquired, Release};
use crate::raw::waiting::{tells_holder, waits};
use crate::seam::atomic::fence;
use crate::segment::object::{Mechanics, Misfit, ObjectKind};
use crate::segment::region::{Extent, Located};
use crate::shared::Shared;
use crate::sync::wait_any::awaits_lock;

/// A value that all processes see, and that changes as a whole or not at all. Opened by name:
/// [`Segment::value`](crate::Segment::value).
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// #[derive(Clone, Copy, Debug, PartialEq, outlive::Shared)]
/// #[repr(C)]
/// struct Account {
///     balance: i64,
///     bookings: u64,
/// }
///
/// let segment = outlive::Segment::anonymous()?;
/// let account = segment.value("account", Account { balance: 0, bookings: 0 })?;
///
/// account.update(|a| {
///     a.balance += 100;
///     a.bookings += 1; // nobody ever sees the one without the other
/// })?;
///
/// let mut guard = account.lock()?;
/// guard.balance -= 1000;
/// guard.rollback(); // as if nothing had happened
/// assert_eq!(account.get()?, Account { balance: 100, bookings: 1 });
/// # Ok(())
/// # }
/// ```
///
/// # Crash behaviour
///
/// The value is always the last one committed. A guard commits when it is dropped; a process killed
/// before that, or a panic that unwinds through the guard, rolls back. There is no error to handle:
/// the next locker simply has the lock.
///
/// # Memory ordering
///
/// What was written before a commit is seen by whoever reads the committed value.
pub struct Value<T> {
    inner: Located<layout::Value>,
    copies: [Slot<T>; 2],
}

impl<T> Clone for Value<T> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), copies: self.copies }
    }
}

impl<T> fmt::Debug for Value<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Value").field("place", &self.inner).finish_non_exhaustive()
    }
}

/// A private copy of a [`Value`] to change; dropping it commits the changes and releases the lock.
pub struct ValueGuard<'a, T: Shared> {
    value: &'a Value<T>,
    node: &'a layout::Value,
    draft: T,
    /// Whether a commit is wanted: not if nothing was changed.
    touched: bool,
    panicking: bool,
    /// The lock is the thread's: not Send.
    _thread: std::marker::PhantomData<*mut ()>,
}

/// How often a reader that writers overtake looks again before it takes the lock.
const OPTIMISTIC: usize = 128;

impl<T: Shared> Value<T> {
    /// The last committed value. Takes no lock, and does not wait for one who holds it; only if
    /// others commit faster than the value can be read, it takes the lock for once. While this thread
    /// holds a guard, it is still the value before.
    ///
    /// # Errors
    ///
    /// [`Corrupt`](LockError::Corrupt) if the bytes are not a `T`, and rarely those of
    /// [`lock`](Self::lock), or [`TimedOut`](LockError::TimedOut) after ten seconds in which it was
    /// overtaken and got no lock either.
    #[inline]
    pub fn get(&self) -> Result<T, LockError> {
        let whole = |bits: bytes::Unchecked<T>| bits.check().ok_or(INVALID);
        overtaken::read(
            &self.inner,
            OPTIMISTIC,
            || self.read_committed().map(whole),
            |deadline| Ok(self.guard(self.acquire(deadline)?)?.draft),
        )
    }

    /// None if a commit came in between.
    #[inline]
    pub(crate) fn read_committed(&self) -> Option<bytes::Unchecked<T>> {
        // Acquire: pairs with the Release in `commit`.
        let version = self.inner.version.load(Ordering::Acquire);
        let bits = self.copy(version).read();
        // Pairs with the Release fence in `commit`: had we read bytes of a later one, its
        // predecessor's version would be seen here.
        fence(Ordering::Acquire);
        (self.inner.version.load(Ordering::Relaxed) == version).then_some(bits)
    }

    #[inline]
    fn copy(&self, version: u64) -> Slot<T> {
        let [even, odd] = self.copies;
        if version & 1 == 0 { even } else { odd }
    }

    /// Stores a value.
    ///
    /// # Errors
    ///
    /// Those of [`lock`](Self::lock); nothing was changed then.
    pub fn set(&self, value: T) -> Result<(), LockError> {
        let node = self.acquire(self.inner.forever())?;
        self.commit(node, &value);
        node.lock.unlock(Release::Clean);
        Ok(())
    }

    /// Changes the value under the lock and returns what `change` does. A panic in it rolls back.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let tickets = outlive::Segment::anonymous()?.value("tickets", 7_u32)?;
    /// let mine = tickets.update(|next| {
    ///     let mine = *next;
    ///     *next += 1;
    ///     mine
    /// })?;
    /// assert_eq!((mine, tickets.get()?), (7, 8));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`lock`](Self::lock); `change` was not called then.
    #[inline]
    pub fn update<R>(&self, change: impl FnOnce(&mut T) -> R) -> Result<R, LockError> {
        let mut guard = self.lock()?;
        Ok(change(&mut guard))
    }

    /// Acquires the lock, sleeping until it is free, with a copy of the value to change.
    ///
    /// # Errors
    ///
    /// [`Deadlock`](LockError::Deadlock) if this thread holds it already,
    /// [`ReadOnly`](LockError::ReadOnly), [`TooManyLocks`](LockError::TooManyLocks),
    /// [`Corrupt`](LockError::Corrupt) if the bytes are not a `T`.
    #[inline]
    pub fn lock(&self) -> Result<ValueGuard<'_, T>, LockError> {
        let node = self.acquire(self.inner.forever())?;
        self.guard(node)
    }

    /// Acquires the lock if it is free.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](LockError::WouldBlock), and those of [`lock`](Self::lock).
    pub fn try_lock(&self) -> Result<ValueGuard<'_, T>, LockError> {
        let node = self.inner.writable()?;
        settle(node, node.lock.try_lock())?;
        self.guard(node)
    }

    /// Acquires the lock, sleeping for at most `timeout`.
    ///
    /// # Errors
    ///
    /// [`TimedOut`](LockError::TimedOut), never before the time is up, and those of
    /// [`lock`](Self::lock).
    pub fn lock_timeout(&self, timeout: Duration) -> Result<ValueGuard<'_, T>, LockError> {
        let node = self.acquire(self.inner.within(timeout))?;
        self.guard(node)
    }

    #[inline]
    fn acquire(&self, deadline: Deadline) -> Result<&layout::Value, LockError> {
        let node = self.inner.writable()?;
        settle(node, node.lock.lock(deadline))?;
        Ok(node)
    }

    /// With the lock held.
    #[inline]
    fn guard<'a>(&'a self, node: &'a layout::Value) -> Result<ValueGuard<'a, T>, LockError> {
        // Under the lock nobody else moves the version.
        let bits = self.copy(node.version.load(Ordering::Relaxed)).read();
        let Some(draft) = bits.check() else {
            node.lock.unlock(Release::Clean);
            return Err(INVALID);
        };
        Ok(ValueGuard {
            value: self,
            node,
            draft,
            touched: false,
            panicking: thread::panicking(),
            _thread: std::marker::PhantomData,
        })
    }

    /// With the lock held.
    #[inline]
    fn commit(&self, node: &layout::Value, value: &T) {
        let next = node.version.load(Ordering::Relaxed).wrapping_add(1);
        // Pairs with the Acquire fence in `read_committed`: nobody sees bytes of this copy without
        // the version that took it out of use.
        fence(Ordering::Release);
        self.copy(next).write(value);
        // Release: pairs with the Acquire in `read_committed`. This store is the commit.
        node.version.store(next, Ordering::Release);
    }
}

const INVALID: LockError = LockError::Corrupt { what: "the value" };

/// A dead holder leaves nothing to mend.
#[inline]
fn settle(node: &layout::Value, acquired: Result<Acquired, LockError>) -> Result<(), LockError> {
    if acquired? == Acquired::OwnerDied {
        node.lock.mark_consistent();
    }
    Ok(())
}

impl<T: Shared> ValueGuard<'_, T> {
    /// Throws the changes away and releases the lock.
    pub fn rollback(mut self) {
        self.touched = false;
    }

    /// Commits the changes and releases the lock, as dropping does.
    pub fn commit(self) {}
}

impl<T: Shared> Deref for ValueGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.draft
    }
}

impl<T: Shared> DerefMut for ValueGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        self.touched = true;
        &mut self.draft
    }
}

impl<T: Shared> Drop for ValueGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        let panicked = !self.panicking && thread::panicking();
        // A guard that a fork copied into the child commits nothing there: the lock is the parent's.
        if self.touched && !panicked && self.node.lock.is_mine() {
            self.value.commit(self.node, &self.draft);
        }
        self.node.lock.unlock(Release::Clean);
    }
}

impl<T: Shared + fmt::Debug> fmt::Debug for ValueGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.draft.fmt(f)
    }
}

/// Where the first copy is, and how far the second is from it.
const fn places<T>() -> (usize, usize) {
    let align = bytes::alignment::<T>();
    let first = size_of::<layout::Value>().next_multiple_of(align);
    (first, bytes::stride::<T>().next_multiple_of(align))
}

waits!(Value<T>, inner);
tells_holder!(Value<T>, inner.lock);
awaits_lock!(Value<T>, inner.lock);

#[allow(private_interfaces)] // sealed
impl<T: Shared> Mechanics for Value<T> {
    type Init = T;

    const KIND: ObjectKind = ObjectKind::Value;
    const TYPE_TAG: u64 = T::TYPE_TAG;

    fn describe(f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Value<")?;
        T::describe(f)?;
        f.write_str(">")
    }

    fn size(_init: &T) -> Result<u64, &'static str> {
        bytes::check_alignment::<T>()?;
        let (first, stride) = places::<T>();
        Ok((first + 2 * stride) as u64)
    }

    fn initialise(extent: &Extent, init: T) -> Option<()> {
        let head = extent.head::<layout::Value>()?;
        head.lock.reset();
        head.version.store(0, Ordering::Relaxed);
        extent.slot::<T>(places::<T>().0)?.write(&init);
        Some(())
    }

    fn attach(extent: &Extent) -> Result<Self, &'static str> {
        let (first, stride) = places::<T>();
        let slot = |offset| extent.slot(offset).ok_or("it is too small for its type");
        let inner = extent.head().ok_or("it is too small for a value")?;
        Ok(Self { inner, copies: [slot(first)?, slot(first + stride)?] })
    }

    fn fits(&self, _init: &T) -> Result<(), Misfit> {
        Ok(())
    }
}
