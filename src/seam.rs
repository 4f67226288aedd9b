//! The one place where algorithms on shared memory get their atomics, fences, futex and robust list
//! from: the machine, or with `--cfg loom` a model of it (`model`), under which the same code runs
//! through all interleavings, outcomes of weak memory, and deaths.

#[cfg(not(loom))]
pub(crate) use crate::os::{clock, futex, membarrier, process, robust_list};
#[cfg(not(loom))]
pub(crate) mod atomic {
    pub(crate) use core::sync::atomic::{
        AtomicI64, AtomicU8, AtomicU16, AtomicU32, AtomicU64, fence,
    };
}

#[cfg(loom)]
pub(crate) use crate::model::{atomic, clock, futex, membarrier, process, robust_list};

/// A lock of this process, for what algorithms keep in private memory.
#[cfg(all(feature = "async", not(loom)))]
pub(crate) use std::sync::{Mutex, MutexGuard};

#[cfg(all(feature = "async", loom))]
pub(crate) use loom::sync::{Mutex, MutexGuard};

/// How often to look before going to sleep, or before taking a lock. Under the model every look
/// multiplies the number of executions, and two show what many do.
pub(crate) const fn looks(number: usize) -> usize {
    if cfg!(loom) { 2 } else { number }
}

/// Runs what is no part of a model: the directory, while a model is of the objects that are in it.
#[cfg(not(loom))]
pub(crate) fn aside<R>(work: impl FnOnce() -> R) -> R {
    work()
}

#[cfg(loom)]
pub(crate) use crate::model::atomic::aside;
