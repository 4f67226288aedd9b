//! The process-shared mutexes of the C library, plain and robust.

// Calls pthread functions on memory shared with other processes.
#![allow(unsafe_code)]

use std::cell::UnsafeCell;
use std::mem::MaybeUninit;

use super::{LockedCounter, RobustLock};
use crate::support::memory::{ARENA, Memory};
use crate::support::{Failure, Result, clock, failed};

/// Which mutex.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Plain,
    Robust,
}

/// A mutex with the counter that it protects beside it, in the same cache line.
#[repr(C, align(128))]
#[derive(Debug)]
pub(crate) struct Shared {
    mutex: UnsafeCell<libc::pthread_mutex_t>,
    counter: UnsafeCell<u64>,
}

const _: () = assert!(size_of::<Shared>() <= ARENA);

fn check(status: i32, call: &str) -> Result<()> {
    match status {
        0 => Ok(()),
        errno => Err(error(errno, call)),
    }
}

#[cold]
fn error(errno: i32, call: &str) -> Failure {
    format!("{call}: {}", std::io::Error::from_raw_os_error(errno)).into()
}

impl Shared {
    /// Makes the mutex in the arena, before anyone attaches.
    pub(crate) fn create(memory: &Memory, kind: Kind) -> Result<()> {
        let mut attributes = MaybeUninit::<libc::pthread_mutexattr_t>::uninit();
        let attributes = attributes.as_mut_ptr();
        let shared = memory.arena().cast::<Self>();
        // SAFETY: the attributes are initialised by the first call and used by the next ones; the
        // mutex is in mapped memory that nobody uses yet.
        unsafe {
            check(libc::pthread_mutexattr_init(attributes), "pthread_mutexattr_init")?;
            check(
                libc::pthread_mutexattr_setpshared(attributes, libc::PTHREAD_PROCESS_SHARED),
                "pthread_mutexattr_setpshared",
            )?;
            if kind == Kind::Robust {
                check(
                    libc::pthread_mutexattr_setrobust(attributes, libc::PTHREAD_MUTEX_ROBUST),
                    "pthread_mutexattr_setrobust",
                )?;
            }
            let mutex = UnsafeCell::raw_get(&raw const (*shared).mutex);
            check(libc::pthread_mutex_init(mutex, attributes), "pthread_mutex_init")?;
            libc::pthread_mutexattr_destroy(attributes);
        }
        Ok(())
    }

    /// The mutex that the parent created.
    pub(crate) fn attach(memory: &Memory) -> &Self {
        // SAFETY: `create` ran before any party attaches; both fields are cells, which is what
        // memory that other processes change needs, and any bytes are a valid counter.
        unsafe { &*memory.arena().cast::<Self>() }
    }

    /// `pthread_mutex_lock`, with its status.
    #[inline]
    fn lock(&self) -> i32 {
        // SAFETY: an initialised mutex.
        unsafe { libc::pthread_mutex_lock(self.mutex.get()) }
    }

    #[inline]
    fn unlock(&self) -> Result<()> {
        // SAFETY: an initialised mutex that this thread has locked.
        check(unsafe { libc::pthread_mutex_unlock(self.mutex.get()) }, "pthread_mutex_unlock")
    }
}

impl LockedCounter for Shared {
    #[inline]
    fn increment(&self) -> Result<()> {
        check(self.lock(), "pthread_mutex_lock")?;
        // SAFETY: the lock is held, so nobody else reads or writes the counter.
        unsafe { *self.counter.get() += 1 };
        self.unlock()
    }

    fn value(&self) -> Result<u64> {
        check(self.lock(), "pthread_mutex_lock")?;
        // SAFETY: as in `increment`.
        let value = unsafe { *self.counter.get() };
        self.unlock()?;
        Ok(value)
    }
}

impl RobustLock for Shared {
    fn hold_for_good(&self) -> Result<()> {
        check(self.lock(), "pthread_mutex_lock")?;
        // SAFETY: as in `increment`.
        unsafe { *self.counter.get() += 1 };
        Ok(())
    }

    fn lock_after_death(&self) -> Result<u64> {
        let status = self.lock();
        let had_it = clock::now_ns();
        if status != libc::EOWNERDEAD {
            return failed(format!("pthread_mutex_lock gave {status}, not EOWNERDEAD"));
        }
        // SAFETY: this thread has the mutex, in the state that this call repairs.
        let status = unsafe { libc::pthread_mutex_consistent(self.mutex.get()) };
        check(status, "pthread_mutex_consistent")?;
        self.unlock()?;
        Ok(had_it)
    }
}
