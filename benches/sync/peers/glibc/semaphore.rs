//! `sem_t`, as a lock and as a signal.

use std::cell::UnsafeCell;

use super::{InArena, error};
use crate::peers::{LockedCounter, Side, Signals};
use crate::support::Result;
use crate::support::memory::Memory;

/// One semaphore and, for its use as a lock, a counter.
#[repr(C, align(128))]
#[derive(Debug)]
pub(crate) struct Semaphore {
    semaphore: UnsafeCell<libc::sem_t>,
    counter: UnsafeCell<u64>,
}

impl Semaphore {
    /// The one that is used as a lock.
    pub(crate) fn attach(memory: &Memory) -> &Self {
        &Semaphores::attached(memory).lock
    }

    fn initialise(&self, permits: u32) -> Result<()> {
        // SAFETY: a semaphore in mapped memory that nobody uses yet; 1 is for process-shared.
        check(unsafe { libc::sem_init(self.semaphore.get(), 1, permits) }, "sem_init")
    }

    #[inline]
    fn acquire(&self) -> Result<()> {
        // SAFETY: an initialised semaphore.
        check(unsafe { libc::sem_wait(self.semaphore.get()) }, "sem_wait")
    }

    #[inline]
    fn release(&self) -> Result<()> {
        // SAFETY: an initialised semaphore.
        check(unsafe { libc::sem_post(self.semaphore.get()) }, "sem_post")
    }
}

/// Unlike the pthread functions, these report through errno.
#[inline]
fn check(status: i32, call: &str) -> Result<()> {
    if status == 0 {
        return Ok(());
    }
    Err(error(std::io::Error::last_os_error().raw_os_error().unwrap_or(0), call))
}

impl LockedCounter for Semaphore {
    #[inline]
    fn increment(&self) -> Result<()> {
        self.acquire()?;
        // SAFETY: this thread has the only permit, so nobody else reads or writes the counter.
        unsafe { *self.counter.get() += 1 };
        self.release()
    }

    fn value(&self) -> Result<u64> {
        self.acquire()?;
        // SAFETY: as in `increment`.
        let value = unsafe { *self.counter.get() };
        self.release()?;
        Ok(value)
    }
}

/// One with a permit, and one without for each direction.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Semaphores {
    lock: Semaphore,
    there: Semaphore,
    back: Semaphore,
}

impl InArena for Semaphores {}

impl Semaphores {
    pub(super) fn create(memory: &Memory) -> Result<()> {
        let this = Self::attached(memory);
        this.lock.initialise(1)?;
        this.there.initialise(0)?;
        this.back.initialise(0)
    }

    pub(crate) fn link(memory: &Memory, side: Side) -> Link<'_> {
        let Self { there, back, .. } = Self::attached(memory);
        match side {
            Side::Parent => Link { out: there, inbound: back },
            Side::Child => Link { out: back, inbound: there },
        }
    }
}

/// Signals by semaphore.
#[derive(Debug)]
pub(crate) struct Link<'a> {
    out: &'a Semaphore,
    inbound: &'a Semaphore,
}

impl Signals for Link<'_> {
    #[inline]
    fn signal(&mut self) -> Result<()> {
        self.out.release()
    }

    #[inline]
    fn wait(&mut self) -> Result<()> {
        self.inbound.acquire()
    }
}
