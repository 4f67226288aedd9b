//! The mutex of `raw_sync` in the memory of `shared_memory`, as programs that use the two do it.
//!
//! Only its plain `lock` is used: `try_lock` takes a time out of range for half of all moments, and
//! a killed holder is never noticed, so it has no part in the recovery workload.

// raw_sync takes raw pointers, and hands out the data as one.
#![allow(unsafe_code)]

use std::fmt;

use ::raw_sync::locks::{LockImpl, LockInit, Mutex};
use ::shared_memory::{Shmem, ShmemConf};
use nix::sys::mman::shm_unlink;

use super::LockedCounter;
use crate::support::{Failure, Result, watchdog};

/// Where the counter is: on the cache line of the mutex, as with the other peers.
const COUNTER: usize = 48;
const SIZE: usize = 4096;

/// A counter under a mutex.
pub(crate) struct Counter {
    // Dropped before the memory that it is in.
    lock: Box<dyn LockImpl>,
    memory: Shmem,
}

/// Its errors cannot be sent to another thread.
#[cold]
fn failure(error: Box<dyn std::error::Error>) -> Failure {
    format!("raw_sync: {error}").into()
}

fn remove(id: &str) {
    // Best effort: its owner removes it in the ordinary case.
    let _ = shm_unlink(id);
}

impl Counter {
    /// Creates memory and mutex; both last as long as this.
    pub(crate) fn create() -> Result<Self> {
        let memory = ShmemConf::new().size(SIZE).create()?;
        watchdog::on_abort(memory.get_os_id(), remove);
        let mem = memory.as_ptr();
        // SAFETY: a page that nobody uses yet; the counter lies behind the 40 bytes of the mutex.
        let (lock, used) = unsafe { Mutex::new(mem, mem.add(COUNTER)) }.map_err(failure)?;
        assert!(used <= COUNTER, "the mutex is larger than it was");
        Ok(Self { lock, memory })
    }

    /// What another process created.
    pub(crate) fn attach(id: &str) -> Result<Self> {
        let memory = ShmemConf::new().os_id(id).open()?;
        let mem = memory.as_ptr();
        // SAFETY: `create` ran before any party attaches.
        let (lock, _) = unsafe { Mutex::from_existing(mem, mem.add(COUNTER)) }.map_err(failure)?;
        Ok(Self { lock, memory })
    }

    pub(crate) fn id(&self) -> &str {
        self.memory.get_os_id()
    }
}

impl Drop for Counter {
    fn drop(&mut self) {
        if self.memory.is_owner() {
            watchdog::removed(self.memory.get_os_id());
        }
    }
}

impl fmt::Debug for Counter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Counter").field("id", &self.id()).finish_non_exhaustive()
    }
}

impl LockedCounter for Counter {
    #[inline]
    fn increment(&self) -> Result<()> {
        let guard = self.lock.lock().map_err(failure)?;
        // SAFETY: an aligned word of the page, and the lock is held.
        unsafe { *guard.cast::<u64>() += 1 };
        Ok(())
    }

    fn value(&self) -> Result<u64> {
        let guard = self.lock.lock().map_err(failure)?;
        // SAFETY: as above.
        Ok(unsafe { *guard.cast::<u64>() })
    }
}
