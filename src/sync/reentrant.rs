//! `ReentrantMutex<T>`: a mutex that its holder may lock again.
//!
//! # Words
//!
//! `lock` as in a `Mutex`. `depth` counts the holder's guards, in its low half; [`PANICKED`] in its
//! high half says that one of them was dropped by a panic. Only the holder reads and writes it, and
//! who comes to hold the lock stores 1.
//!
//! # What a death leaves behind
//!
//! Whatever its depth was, one lock, which the kernel hands to the next one as any robust lock; the
//! dead one's `depth` nobody reads.
#![allow(unsafe_code)] // guards lead to data in shared memory, which the lock protects

use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use super::vouch::Vouch;
use crate::Segment;
use crate::error::{LockError, ObjectError};
use crate::layout::{self, RobustNode};
use crate::raw::bytes::{self, Slot};
use crate::raw::lock::{Acquired, Release};
use crate::raw::waiting::{tells_holder, waits};
use crate::segment::object::{Mechanics, Misfit, ObjectKind};
use crate::segment::region::{Extent, Located};
use crate::shared::Shared;
use crate::sync::wait_any::awaits_lock;

/// In `depth`: a guard was dropped by a panic, and nobody has vouched for the data since.
const PANICKED: u64 = 1 << 32;

/// A [`Mutex`](crate::Mutex) that the thread that holds it may lock again, as often as it likes.
///
/// Opened by name: [`Segment::reentrant_mutex`]. Each lock gives a guard, and the last one that is
/// dropped releases. Since a thread can have several at a time, a guard gives shared access: to a
/// [`Cell`], whose value is changed as a whole.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use outlive::{LockError, ReentrantMutex, Segment};
///
/// fn add(total: &ReentrantMutex<u64>, amount: u64) -> Result<(), LockError> {
///     let guard = total.lock().or_else(LockError::recover)?;
///     guard.set(guard.get() + amount);
///     Ok(())
/// }
///
/// let total = Segment::anonymous()?.reentrant_mutex("total", 0_u64)?;
/// let guard = total.lock().or_else(LockError::recover)?;
/// add(&total, 1)?; // locks once more
/// add(&total, 2)?;
/// assert_eq!((guard.get(), total.depth()), (3, 1));
/// # Ok(())
/// # }
/// ```
///
/// A thread that has opened the segment twice, and holds the lock through the one, gets
/// [`Deadlock`](LockError::Deadlock) through the other. Clones of a handle are the same.
///
/// # Crash behaviour
///
/// That of [`Mutex`](crate::Mutex), whatever the depth: when the holder is killed, the next one gets
/// [`LockError::OwnerDied`] with a guard, at depth 1. So does, until somebody vouches for the data,
/// every lock within that one. A panic through any of the guards counts as a death when the last of
/// them is dropped, unless [`ReentrantMutexGuard::mark_consistent`] was called after it.
///
/// # Memory ordering
///
/// What was written before a release is seen after the next acquisition, in any process.
pub struct ReentrantMutex<T> {
    node: Located<layout::ReentrantMutex>,
    data: Slot<T>,
}

impl<T> Clone for ReentrantMutex<T> {
    fn clone(&self) -> Self {
        Self { node: self.node.clone(), data: self.data }
    }
}

impl<T> fmt::Debug for ReentrantMutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReentrantMutex").field("place", &self.node).finish_non_exhaustive()
    }
}

/// The right to use a [`ReentrantMutex`]'s data; dropping the last one of a thread releases the lock.
///
/// It belongs to the thread that locked: only the thread that holds the lock can release it.
///
/// ```compile_fail,E0277
/// # let mutex = outlive::Segment::anonymous().unwrap().reentrant_mutex("m", 0_u64).unwrap();
/// let guard = mutex.lock().unwrap();
/// std::thread::scope(|scope| {
///     scope.spawn(move || drop(guard)); // not Send
/// });
/// ```
pub struct ReentrantMutexGuard<'a, T: Shared> {
    node: &'a layout::ReentrantMutex,
    data: Slot<T>,
    panicking: bool,
    /// Neither Send, because the lock is the thread's, nor Sync, because a `Cell` is not.
    _thread: PhantomData<*mut T>,
}

type Outcome<'a, T> = Result<ReentrantMutexGuard<'a, T>, LockError<ReentrantMutexGuard<'a, T>>>;

impl<T: Shared> ReentrantMutex<T> {
    /// Acquires the lock, sleeping until it is free; at once if this thread holds it.
    ///
    /// # Errors
    ///
    /// [`OwnerDied`](LockError::OwnerDied) with the guard: see above.
    /// [`NotRecoverable`](LockError::NotRecoverable), [`ReadOnly`](LockError::ReadOnly),
    /// [`TooManyLocks`](LockError::TooManyLocks), also beyond `u32::MAX` guards,
    /// [`Corrupt`](LockError::Corrupt) if the bytes are not a `T`.
    #[inline]
    pub fn lock(&self) -> Outcome<'_, T> {
        self.acquire(|lock| lock.lock(self.node.forever()))
    }

    /// Acquires the lock if it is free, or this thread's.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](LockError::WouldBlock), and those of [`lock`](Self::lock).
    #[inline]
    pub fn try_lock(&self) -> Outcome<'_, T> {
        self.acquire(RobustNode::try_lock)
    }

    /// Acquires the lock, sleeping for at most `timeout`; at once if this thread holds it.
    ///
    /// # Errors
    ///
    /// [`TimedOut`](LockError::TimedOut), never before the time is up, and those of
    /// [`lock`](Self::lock).
    pub fn lock_timeout(&self, timeout: Duration) -> Outcome<'_, T> {
        self.acquire(|lock| lock.lock(self.node.within(timeout)))
    }

    /// How many guards the calling thread has: 0 if it does not hold the lock.
    #[must_use]
    pub fn depth(&self) -> u32 {
        if self.node.lock.is_mine() { self.node.guards() } else { 0 }
    }

    #[inline]
    fn acquire(
        &self,
        acquire: impl FnOnce(&RobustNode) -> Result<Acquired, LockError>,
    ) -> Outcome<'_, T> {
        let node = self.node.writable().map_err(LockError::cast)?;
        if node.lock.is_mine() {
            return self.enter_again(node);
        }
        let acquired = acquire(&node.lock).map_err(LockError::cast)?;
        if !T::ANY_PATTERN_IS_VALID && self.data.read().check().is_none() {
            // Given back as it came: only a death leaves the word inconsistent.
            let died = acquired == Acquired::OwnerDied;
            node.lock.unlock(if died { Release::Dirty } else { Release::Clean });
            return Err(LockError::Corrupt { what: "the data that the mutex protects" });
        }
        node.depth.store(1, Ordering::Relaxed);
        let guard = ReentrantMutexGuard::new(node, self.data);
        match acquired {
            Acquired::Clean => Ok(guard),
            Acquired::OwnerDied => Err(LockError::OwnerDied(guard)),
        }
    }

    /// With the lock held by this thread.
    fn enter_again<'a>(&self, node: &'a layout::ReentrantMutex) -> Outcome<'a, T> {
        let depth = node.depth.load(Ordering::Relaxed);
        if depth as u32 == u32::MAX {
            return Err(LockError::TooManyLocks { limit: u32::MAX as usize });
        }
        node.depth.store(depth.wrapping_add(1), Ordering::Relaxed);
        let guard = ReentrantMutexGuard::new(node, self.data);
        if guard.is_inconsistent() { Err(LockError::OwnerDied(guard)) } else { Ok(guard) }
    }
}

impl layout::ReentrantMutex {
    /// Of the holder.
    fn guards(&self) -> u32 {
        self.depth.load(Ordering::Relaxed) as u32
    }
}

impl<'a, T: Shared> ReentrantMutexGuard<'a, T> {
    fn new(node: &'a layout::ReentrantMutex, data: Slot<T>) -> Self {
        Self { node, data, panicking: thread::panicking(), _thread: PhantomData }
    }

    /// Vouches for the data after [`LockError::OwnerDied`], or after a panic that was caught.
    pub fn mark_consistent(&self) {
        if self.node.lock.is_mine() {
            self.node.lock.mark_consistent();
            let depth = self.node.depth.load(Ordering::Relaxed);
            self.node.depth.store(depth & !PANICKED, Ordering::Relaxed);
        }
    }

    /// Whether the last holder died, or a guard of this one was dropped by a panic, and nobody has
    /// vouched for the data since.
    #[must_use]
    pub fn is_inconsistent(&self) -> bool {
        self.node.lock.is_inconsistent() || self.node.depth.load(Ordering::Relaxed) & PANICKED != 0
    }
}

impl<T: Shared> Vouch for ReentrantMutexGuard<'_, T> {
    fn vouch(&mut self) {
        self.mark_consistent();
    }
}

impl<T: Shared> Deref for ReentrantMutexGuard<'_, T> {
    type Target = Cell<T>;

    #[inline]
    fn deref(&self) -> &Cell<T> {
        // SAFETY: the lock is held, the bytes were checked to be a T, and the handle that the guard
        // borrows keeps them mapped. A Cell has its content's layout, and all references to this one
        // are the holding thread's, since guards are not Send and not Sync.
        unsafe { self.data.pointer().cast().as_ref() }
    }
}

impl<T: Shared> Drop for ReentrantMutexGuard<'_, T> {
    fn drop(&mut self) {
        // A copy that a fork made counts for nothing.
        if !self.node.lock.is_mine() {
            return;
        }
        let mut depth = self.node.depth.load(Ordering::Relaxed);
        if !self.panicking && thread::panicking() {
            depth |= PANICKED;
        }
        if depth as u32 > 1 {
            self.node.depth.store(depth - 1, Ordering::Relaxed);
            return;
        }
        let panicked = depth & PANICKED != 0;
        self.node.lock.unlock(if panicked { Release::Dirty } else { Release::Clean });
    }
}

impl<T: Shared + fmt::Debug> fmt::Debug for ReentrantMutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}

/// Where the data are: right behind the lock.
const fn data_offset<T>() -> usize {
    size_of::<layout::ReentrantMutex>().next_multiple_of(bytes::alignment::<T>())
}

waits!(ReentrantMutex<T>, node);
tells_holder!(ReentrantMutex<T>, node.lock);
awaits_lock!(ReentrantMutex<T>, node.lock);

impl Segment {
    /// The [`ReentrantMutex`] of that name, created with `init` if there is none.
    ///
    /// # Errors
    ///
    /// See [`find_or_create`](Self::find_or_create).
    pub fn reentrant_mutex<T: Shared>(
        &self,
        name: &str,
        init: T,
    ) -> Result<ReentrantMutex<T>, ObjectError> {
        self.find_or_create(name, init)
    }
}

#[allow(private_interfaces)] // sealed
impl<T: Shared> Mechanics for ReentrantMutex<T> {
    type Init = T;

    const KIND: ObjectKind = ObjectKind::ReentrantMutex;
    const TYPE_TAG: u64 = T::TYPE_TAG;

    fn describe(f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReentrantMutex<")?;
        T::describe(f)?;
        f.write_str(">")
    }

    fn size(_init: &T) -> Result<u64, &'static str> {
        bytes::check_alignment::<T>()?;
        Ok((data_offset::<T>() + bytes::stride::<T>()) as u64)
    }

    fn initialise(extent: &Extent, init: T) -> Option<()> {
        let head = extent.head::<layout::ReentrantMutex>()?;
        head.lock.reset();
        head.depth.store(0, Ordering::Relaxed);
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
