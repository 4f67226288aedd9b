//! Counters: one under a lock, one without.
//!
//! `Counter`: the holder of `lock` changes `value` with one store, which is the commit. A death
//! before it leaves the old value, one after it the new one; nothing to mend.
//!
//! `AtomicCounter`: one atomic word.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use crate::error::LockError;
use crate::layout;
use crate::raw::lock::{Acquired, Release};
use crate::raw::waiting::{tells_holder, waits};
use crate::segment::object::{Mechanics, Misfit, ObjectKind};
use crate::segment::region::{Extent, Located};
use crate::shared::Shared;
use crate::sync::wait_any::awaits_lock;

/// A 64-bit counter under a lock. Opened by name: [`Segment::counter`](crate::Segment::counter).
///
/// For single additions [`AtomicCounter`] is faster; with this one, several reads and changes can be
/// made as one ([`lock`](Self::lock)).
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let counter = outlive::Segment::anonymous()?.counter("served")?;
/// assert_eq!(counter.add(3)?, 3);
/// {
///     let mut n = counter.lock()?;
///     if *n > 2 {
///         *n *= 2;
///     }
/// } // committed here
/// assert_eq!(counter.get(), 6);
/// # Ok(())
/// # }
/// ```
///
/// # Crash behaviour
///
/// The counter always has the last committed value: an addition is made or not, and a guard commits
/// when it is dropped. A process killed, or a panic, before that rolls back; the lock goes on to the
/// next one. There is no error to handle.
///
/// # Memory ordering
///
/// What was written before a commit is seen by whoever reads the committed value.
#[derive(Clone, Debug)]
pub struct Counter {
    inner: Located<layout::Counter>,
}

/// A private copy of a [`Counter`] to change; dropping it commits and releases the lock.
pub struct CounterGuard<'a> {
    node: &'a layout::Counter,
    draft: i64,
    panicking: bool,
    /// The lock is the thread's: not Send.
    _thread: std::marker::PhantomData<*mut ()>,
}

impl Counter {
    /// Adds and returns the new value. Wraps around on overflow.
    ///
    /// # Errors
    ///
    /// Those of [`lock`](Self::lock); nothing was added then.
    #[inline]
    pub fn add(&self, amount: i64) -> Result<i64, LockError> {
        let node = self.inner.writable()?;
        settle(node, node.lock.lock(self.inner.forever()))?;
        let sum = node.value.load(Ordering::Relaxed).wrapping_add(amount);
        // Release: pairs with the Acquire in `get`. This store is the commit.
        node.value.store(sum, Ordering::Release);
        node.lock.unlock(Release::Clean);
        Ok(sum)
    }

    /// The last committed value. Takes no lock.
    #[must_use]
    #[inline]
    pub fn get(&self) -> i64 {
        // Acquire: pairs with the Release in `add` and in the guard.
        self.inner.value.load(Ordering::Acquire)
    }

    /// Stores a value.
    ///
    /// # Errors
    ///
    /// Those of [`lock`](Self::lock); nothing was stored then.
    pub fn set(&self, value: i64) -> Result<(), LockError> {
        *self.lock()? = value;
        Ok(())
    }

    /// Acquires the lock, sleeping until it is free, with a copy of the value to change.
    ///
    /// # Errors
    ///
    /// [`Deadlock`](LockError::Deadlock) if this thread holds it already,
    /// [`ReadOnly`](LockError::ReadOnly), [`TooManyLocks`](LockError::TooManyLocks).
    pub fn lock(&self) -> Result<CounterGuard<'_>, LockError> {
        let node = self.inner.writable()?;
        settle(node, node.lock.lock(self.inner.forever()))?;
        Ok(CounterGuard::new(node))
    }

    /// Acquires the lock if it is free.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](LockError::WouldBlock), and those of [`lock`](Self::lock).
    pub fn try_lock(&self) -> Result<CounterGuard<'_>, LockError> {
        let node = self.inner.writable()?;
        settle(node, node.lock.try_lock())?;
        Ok(CounterGuard::new(node))
    }

    /// Acquires the lock, sleeping for at most `timeout`.
    ///
    /// # Errors
    ///
    /// [`TimedOut`](LockError::TimedOut), never before the time is up, and those of
    /// [`lock`](Self::lock).
    pub fn lock_timeout(&self, timeout: Duration) -> Result<CounterGuard<'_>, LockError> {
        let node = self.inner.writable()?;
        settle(node, node.lock.lock(self.inner.within(timeout)))?;
        Ok(CounterGuard::new(node))
    }
}

/// A dead holder leaves nothing to mend.
#[inline]
fn settle(node: &layout::Counter, acquired: Result<Acquired, LockError>) -> Result<(), LockError> {
    if acquired? == Acquired::OwnerDied {
        node.lock.mark_consistent();
    }
    Ok(())
}

impl<'a> CounterGuard<'a> {
    fn new(node: &'a layout::Counter) -> Self {
        Self {
            node,
            draft: node.value.load(Ordering::Relaxed),
            panicking: thread::panicking(),
            _thread: std::marker::PhantomData,
        }
    }

    /// Commits the change and releases the lock, as dropping does.
    pub fn commit(self) {}

    /// Throws the change away and releases the lock.
    pub fn rollback(mut self) {
        self.draft = self.node.value.load(Ordering::Relaxed);
    }
}

impl Deref for CounterGuard<'_> {
    type Target = i64;

    fn deref(&self) -> &i64 {
        &self.draft
    }
}

impl DerefMut for CounterGuard<'_> {
    fn deref_mut(&mut self) -> &mut i64 {
        &mut self.draft
    }
}

impl Drop for CounterGuard<'_> {
    fn drop(&mut self) {
        let panicked = !self.panicking && thread::panicking();
        if !panicked && self.node.lock.is_mine() {
            // Release: pairs with the Acquire in `get`. This store is the commit.
            self.node.value.store(self.draft, Ordering::Release);
        }
        self.node.lock.unlock(Release::Clean);
    }
}

impl fmt::Debug for CounterGuard<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.draft.fmt(f)
    }
}

/// A 64-bit counter without a lock. Opened by name:
/// [`Segment::atomic_counter`](crate::Segment::atomic_counter).
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let counter = outlive::Segment::anonymous()?.atomic_counter("hits")?;
/// assert_eq!(counter.fetch_add(1)?, 0);
/// assert_eq!(counter.compare_exchange(1, 10)?, Ok(1));
/// assert_eq!(counter.get(), 10);
/// # Ok(())
/// # }
/// ```
///
/// # Crash behaviour
///
/// Each operation is one instruction: done or not.
///
/// # Memory ordering
///
/// Reads acquire, writes release, the others do both.
#[derive(Clone, Debug)]
pub struct AtomicCounter {
    inner: Located<layout::AtomicCounter>,
}

impl AtomicCounter {
    /// Adds and returns the value before. Wraps around on overflow.
    ///
    /// # Errors
    ///
    /// [`ReadOnly`](LockError::ReadOnly).
    #[inline]
    pub fn fetch_add(&self, amount: i64) -> Result<i64, LockError> {
        Ok(self.inner.writable()?.value.fetch_add(amount, Ordering::AcqRel))
    }

    /// The value.
    #[must_use]
    #[inline]
    pub fn get(&self) -> i64 {
        self.inner.value.load(Ordering::Acquire)
    }

    /// Stores a value.
    ///
    /// # Errors
    ///
    /// [`ReadOnly`](LockError::ReadOnly).
    #[inline]
    pub fn set(&self, value: i64) -> Result<(), LockError> {
        self.inner.writable()?.value.store(value, Ordering::Release);
        Ok(())
    }

    /// Stores a value and returns the one before.
    ///
    /// # Errors
    ///
    /// [`ReadOnly`](LockError::ReadOnly).
    #[inline]
    pub fn swap(&self, value: i64) -> Result<i64, LockError> {
        Ok(self.inner.writable()?.value.swap(value, Ordering::AcqRel))
    }

    /// Makes the value at least `limit` and returns the one before.
    ///
    /// # Errors
    ///
    /// [`ReadOnly`](LockError::ReadOnly).
    #[inline]
    pub fn fetch_max(&self, limit: i64) -> Result<i64, LockError> {
        Ok(self.inner.writable()?.value.fetch_max(limit, Ordering::AcqRel))
    }

    /// Makes the value at most `limit` and returns the one before.
    ///
    /// # Errors
    ///
    /// [`ReadOnly`](LockError::ReadOnly).
    #[inline]
    pub fn fetch_min(&self, limit: i64) -> Result<i64, LockError> {
        Ok(self.inner.writable()?.value.fetch_min(limit, Ordering::AcqRel))
    }

    /// Stores `new` if the value is `current`: Ok with the value before; else Err with what it is.
    ///
    /// # Errors
    ///
    /// [`ReadOnly`](LockError::ReadOnly).
    #[inline]
    pub fn compare_exchange(&self, current: i64, new: i64) -> Result<Result<i64, i64>, LockError> {
        let value = &self.inner.writable()?.value;
        Ok(value.compare_exchange(current, new, Ordering::AcqRel, Ordering::Acquire))
    }
}

waits!(Counter, inner);
tells_holder!(Counter, inner.lock);
awaits_lock!(Counter, inner.lock);
#[cfg(feature = "process")]
crate::segment::passing::passes!(AtomicCounter, inner);

#[allow(private_interfaces)] // sealed
impl Mechanics for Counter {
    type Init = i64;

    const KIND: ObjectKind = ObjectKind::Counter;
    const TYPE_TAG: u64 = i64::TYPE_TAG;

    fn describe(f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Counter")
    }

    fn size(_init: &i64) -> Result<u64, &'static str> {
        Ok(size_of::<layout::Counter>() as u64)
    }

    fn initialise(extent: &Extent, init: i64) -> Option<()> {
        let head = extent.head::<layout::Counter>()?;
        head.lock.reset();
        head.value.store(init, Ordering::Relaxed);
        Some(())
    }

    fn attach(extent: &Extent) -> Result<Self, &'static str> {
        Ok(Self { inner: extent.head().ok_or("it is too small for a counter")? })
    }

    fn fits(&self, _init: &i64) -> Result<(), Misfit> {
        Ok(())
    }
}

#[allow(private_interfaces)] // sealed
impl Mechanics for AtomicCounter {
    type Init = i64;

    const KIND: ObjectKind = ObjectKind::AtomicCounter;
    const TYPE_TAG: u64 = i64::TYPE_TAG;

    fn describe(f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AtomicCounter")
    }

    fn size(_init: &i64) -> Result<u64, &'static str> {
        Ok(size_of::<layout::AtomicCounter>() as u64)
    }

    fn initialise(extent: &Extent, init: i64) -> Option<()> {
        extent.head::<layout::AtomicCounter>()?.value.store(init, Ordering::Relaxed);
        Some(())
    }

    fn attach(extent: &Extent) -> Result<Self, &'static str> {
        Ok(Self { inner: extent.head().ok_or("it is too small for a counter")? })
    }

    fn fits(&self, _init: &i64) -> Result<(), Misfit> {
        Ok(())
    }
}
