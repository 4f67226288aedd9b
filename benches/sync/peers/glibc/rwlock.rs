//! `pthread_rwlock_t`.

use std::cell::UnsafeCell;

use super::{InArena, attributes, check};
use crate::peers::{LockedCounter, SharedPair};
use crate::support::Result;
use crate::support::memory::Memory;

/// The lock and what it protects.
#[repr(C, align(128))]
#[derive(Debug)]
pub(crate) struct RwLock {
    lock: UnsafeCell<libc::pthread_rwlock_t>,
    pair: UnsafeCell<[u64; 2]>,
}

impl InArena for RwLock {}

impl RwLock {
    pub(super) fn create(memory: &Memory) -> Result<()> {
        let lock = Self::attached(memory).lock.get();
        attributes::for_rwlock(|attributes| {
            // SAFETY: initialised attributes; a lock in mapped memory that nobody uses yet.
            check(unsafe { libc::pthread_rwlock_init(lock, attributes) }, "pthread_rwlock_init")
        })
    }

    pub(crate) fn attach(memory: &Memory) -> &Self {
        Self::attached(memory)
    }

    #[inline]
    fn lock_shared(&self) -> Result<()> {
        // SAFETY: an initialised lock.
        check(unsafe { libc::pthread_rwlock_rdlock(self.lock.get()) }, "pthread_rwlock_rdlock")
    }

    #[inline]
    fn lock_exclusive(&self) -> Result<()> {
        // SAFETY: as above.
        check(unsafe { libc::pthread_rwlock_wrlock(self.lock.get()) }, "pthread_rwlock_wrlock")
    }

    #[inline]
    fn unlock(&self) -> Result<()> {
        // SAFETY: an initialised lock that this thread has locked.
        check(unsafe { libc::pthread_rwlock_unlock(self.lock.get()) }, "pthread_rwlock_unlock")
    }
}

impl SharedPair for RwLock {
    #[inline]
    fn read(&self) -> Result<[u64; 2]> {
        self.lock_shared()?;
        // SAFETY: the lock is held, so nobody writes.
        let pair = unsafe { self.pair.get().read_volatile() };
        self.unlock()?;
        Ok(pair)
    }

    #[inline]
    fn write(&self) -> Result<()> {
        self.lock_exclusive()?;
        // SAFETY: the lock is held by this thread alone.
        unsafe { (*self.pair.get()).iter_mut().for_each(|word| *word += 1) };
        self.unlock()
    }
}

impl LockedCounter for RwLock {
    #[inline]
    fn increment(&self) -> Result<()> {
        self.write()
    }

    fn value(&self) -> Result<u64> {
        Ok(self.read()?[0])
    }
}
