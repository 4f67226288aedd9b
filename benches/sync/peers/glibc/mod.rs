//! The process-shared primitives of the C library.

// Calls pthread functions on memory shared with other processes.
#![allow(unsafe_code)]

mod attributes;
mod barrier;
mod condvar;
mod mutex;
mod rwlock;
mod semaphore;

pub(crate) use barrier::Barrier;
pub(crate) use condvar::Condvars;
pub(crate) use mutex::Mutex;
pub(crate) use rwlock::RwLock;
pub(crate) use semaphore::{Semaphore, Semaphores};

use super::Peer;
use crate::support::memory::{ARENA, Memory};
use crate::support::{Failure, Result};

/// Makes what `peer` needs in the arena, before anyone attaches. All-zero memory is what the bare
/// means begin with.
pub(crate) fn create(peer: Peer, memory: &Memory, processes: usize) -> Result<()> {
    match peer {
        Peer::GlibcPlain => Mutex::create(memory, mutex::Kind::Plain),
        Peer::GlibcRobust => Mutex::create(memory, mutex::Kind::Robust),
        Peer::GlibcRecursive => Mutex::create(memory, mutex::Kind::Recursive),
        Peer::GlibcRobustRecursive => Mutex::create(memory, mutex::Kind::RobustRecursive),
        Peer::GlibcRwLock => RwLock::create(memory),
        Peer::GlibcSemaphore => Semaphores::create(memory),
        Peer::GlibcCondvar => Condvars::create(memory),
        Peer::GlibcBarrier => Barrier::create(memory, processes),
        _ => Ok(()),
    }
}

/// Objects of the C library in shared memory, with data that they protect in cells: any bytes are
/// valid data, and the parent initialises the objects before anyone attaches.
trait InArena: Sized {
    fn at(memory: &Memory) -> *mut Self {
        const { assert!(size_of::<Self>() <= ARENA && align_of::<Self>() <= ARENA) };
        memory.arena().cast()
    }

    /// What the parent created.
    fn attached(memory: &Memory) -> &Self {
        // SAFETY: big enough and aligned as asserted, and mapped while `memory` lives; implementors
        // are made of cells and atomics, which is what memory that other processes change needs.
        unsafe { &*Self::at(memory) }
    }
}

#[inline]
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
