//! `pthread_cond_t`, with a plain mutex and a flag for each direction.

use std::cell::UnsafeCell;

use super::mutex::{Kind, Mutex};
use super::{InArena, attributes, check};
use crate::peers::{Side, Signals};
use crate::support::Result;
use crate::support::memory::Memory;

/// Whose turn it is, and how each side learns that it is its own.
#[repr(C, align(128))]
#[derive(Debug)]
pub(crate) struct Condvars {
    mutex: Mutex,
    /// 0 while the parent has to act, 1 while the child has to.
    turn: UnsafeCell<u64>,
    /// For the child and for the parent.
    conditions: [UnsafeCell<libc::pthread_cond_t>; 2],
}

impl InArena for Condvars {}

impl Condvars {
    pub(super) fn create(memory: &Memory) -> Result<()> {
        let this = Self::attached(memory);
        this.mutex.initialise(Kind::Plain)?;
        for condition in &this.conditions {
            attributes::for_condvar(|attributes| {
                // SAFETY: initialised attributes; a condition in memory that nobody uses yet.
                let status = unsafe { libc::pthread_cond_init(condition.get(), attributes) };
                check(status, "pthread_cond_init")
            })?;
        }
        Ok(())
    }

    pub(crate) fn link(memory: &Memory, side: Side) -> Link<'_> {
        let shared = Self::attached(memory);
        let [child, parent] = &shared.conditions;
        match side {
            Side::Parent => Link { shared, mine: 0, out: child, inbound: parent },
            Side::Child => Link { shared, mine: 1, out: parent, inbound: child },
        }
    }
}

/// Signals by condition variable.
#[derive(Debug)]
pub(crate) struct Link<'a> {
    shared: &'a Condvars,
    /// What the turn is when it is this side's.
    mine: u64,
    out: &'a UnsafeCell<libc::pthread_cond_t>,
    inbound: &'a UnsafeCell<libc::pthread_cond_t>,
}

impl Signals for Link<'_> {
    #[inline]
    fn signal(&mut self) -> Result<()> {
        self.shared.mutex.lock()?;
        // SAFETY: the lock is held, so nobody else reads or writes it.
        unsafe { *self.shared.turn.get() = 1 - self.mine };
        self.shared.mutex.unlock()?;
        // SAFETY: an initialised condition.
        check(unsafe { libc::pthread_cond_signal(self.out.get()) }, "pthread_cond_signal")
    }

    #[inline]
    fn wait(&mut self) -> Result<()> {
        let mutex = &self.shared.mutex;
        mutex.lock()?;
        // SAFETY: read with the lock held, as after each wait.
        while unsafe { *self.shared.turn.get() } != self.mine {
            // SAFETY: an initialised condition, and its mutex, which this thread holds.
            let status = unsafe { libc::pthread_cond_wait(self.inbound.get(), mutex.raw()) };
            check(status, "pthread_cond_wait")?;
        }
        mutex.unlock()
    }
}
