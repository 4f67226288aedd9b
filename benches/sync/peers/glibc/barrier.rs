//! `pthread_barrier_t`.

use std::cell::UnsafeCell;

use super::{InArena, attributes, check};
use crate::peers::Rounds;
use crate::support::Result;
use crate::support::memory::Memory;

/// The barrier.
#[repr(C, align(128))]
#[derive(Debug)]
pub(crate) struct Barrier(UnsafeCell<libc::pthread_barrier_t>);

impl InArena for Barrier {}

impl Barrier {
    pub(super) fn create(memory: &Memory, parties: usize) -> Result<()> {
        let barrier = Self::attached(memory).0.get();
        let parties = u32::try_from(parties)?;
        attributes::for_barrier(|attributes| {
            // SAFETY: initialised attributes; a barrier in mapped memory that nobody uses yet.
            let status = unsafe { libc::pthread_barrier_init(barrier, attributes, parties) };
            check(status, "pthread_barrier_init")
        })
    }

    pub(crate) fn attach(memory: &Memory) -> &Self {
        Self::attached(memory)
    }
}

impl Rounds for &Barrier {
    #[inline]
    fn meet(&mut self) -> Result<()> {
        // SAFETY: an initialised barrier.
        match unsafe { libc::pthread_barrier_wait(self.0.get()) } {
            libc::PTHREAD_BARRIER_SERIAL_THREAD => Ok(()),
            status => check(status, "pthread_barrier_wait"),
        }
    }
}
