//! `pthread_mutex_t`: plain, robust, and each of them recursive.

use std::cell::UnsafeCell;

use super::{InArena, attributes, check};
use crate::peers::LockedCounter;
use crate::support::Result;
use crate::support::memory::Memory;

/// Which mutex.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Plain,
    Robust,
    Recursive,
    RobustRecursive,
}

impl Kind {
    fn is_robust(self) -> bool {
        matches!(self, Self::Robust | Self::RobustRecursive)
    }

    fn is_recursive(self) -> bool {
        matches!(self, Self::Recursive | Self::RobustRecursive)
    }
}

/// A mutex with the counter that it protects beside it, in the same cache line.
#[repr(C, align(128))]
#[derive(Debug)]
pub(crate) struct Mutex {
    mutex: UnsafeCell<libc::pthread_mutex_t>,
    counter: UnsafeCell<u64>,
}

impl InArena for Mutex {}

impl Mutex {
    pub(super) fn create(memory: &Memory, kind: Kind) -> Result<()> {
        Self::attached(memory).initialise(kind)
    }

    pub(super) fn initialise(&self, kind: Kind) -> Result<()> {
        attributes::for_mutex(|attributes| {
            // SAFETY: initialised attributes; a mutex in mapped memory that nobody uses yet.
            unsafe {
                if kind.is_robust() {
                    let robust = libc::PTHREAD_MUTEX_ROBUST;
                    check(
                        libc::pthread_mutexattr_setrobust(attributes, robust),
                        "pthread_mutexattr_setrobust",
                    )?;
                }
                if kind.is_recursive() {
                    let recursive = libc::PTHREAD_MUTEX_RECURSIVE;
                    check(
                        libc::pthread_mutexattr_settype(attributes, recursive),
                        "pthread_mutexattr_settype",
                    )?;
                }
                check(libc::pthread_mutex_init(self.mutex.get(), attributes), "pthread_mutex_init")
            }
        })
    }

    /// The mutex that the parent created.
    pub(crate) fn attach(memory: &Memory) -> &Self {
        Self::attached(memory)
    }

    #[inline]
    pub(super) fn lock(&self) -> Result<()> {
        // SAFETY: an initialised mutex.
        check(unsafe { libc::pthread_mutex_lock(self.mutex.get()) }, "pthread_mutex_lock")
    }

    #[inline]
    pub(super) fn unlock(&self) -> Result<()> {
        // SAFETY: an initialised mutex that this thread has locked.
        check(unsafe { libc::pthread_mutex_unlock(self.mutex.get()) }, "pthread_mutex_unlock")
    }

    /// For who waits with this mutex.
    pub(super) fn raw(&self) -> *mut libc::pthread_mutex_t {
        self.mutex.get()
    }
}

impl LockedCounter for Mutex {
    #[inline]
    fn increment(&self) -> Result<()> {
        self.lock()?;
        // SAFETY: the lock is held, so nobody else reads or writes the counter.
        unsafe { *self.counter.get() += 1 };
        self.unlock()
    }

    fn value(&self) -> Result<u64> {
        self.lock()?;
        // SAFETY: as in `increment`.
        let value = unsafe { *self.counter.get() };
        self.unlock()?;
        Ok(value)
    }
}
