//! Processes, which can die at each step.

use core::cell::{Cell, RefCell};
use core::sync::atomic::Ordering;
use std::collections::BTreeSet;

/// What a process is unwound with when it dies.
pub(crate) struct Death;

loom::lazy_static! {
    /// Counts deaths: who learns of one sees what the dead one did.
    static ref DEATHS: loom::sync::atomic::AtomicUsize = loom::sync::atomic::AtomicUsize::new(0);
}

loom::thread_local! {
    static ME: Cell<u32> = Cell::new(0);
    /// How many steps it lives yet.
    static LIFE: Cell<Option<usize>> = Cell::new(None);
}

std::thread_local! {
    static DEAD: RefCell<BTreeSet<u32>> = const { RefCell::new(BTreeSet::new()) };
}

pub(super) fn reset() {
    DEAD.take();
}

/// Where a process may die.
pub(crate) fn step() {
    let ends = LIFE.with(|life| match life.get() {
        Some(0) => true,
        left => {
            life.set(left.map(|steps| steps - 1));
            false
        }
    });
    if ends {
        std::panic::resume_unwind(Box::new(Death));
    }
}

/// The number of the process that runs; 0 is the one that began the model.
pub(super) fn number() -> u32 {
    ME.with(Cell::get)
}

pub(super) fn be(number: u32, steps: Option<usize>) {
    ME.with(|me| me.set(number));
    LIFE.with(|life| life.set(steps));
}

/// What is left to do is the kernel's.
pub(super) fn bury() {
    LIFE.with(|life| life.set(None));
    DEATHS.fetch_add(1, Ordering::Release);
    DEAD.with_borrow_mut(|dead| dead.insert(id(number())));
}

pub(super) fn id(number: u32) -> u32 {
    1000 + number
}

pub(crate) fn thread_exists_anywhere(id: u32) -> bool {
    DEATHS.fetch_add(0, Ordering::Acquire);
    DEAD.with_borrow(|dead| !dead.contains(&id))
}

pub(crate) fn describe_thread(_id: u32) -> Option<(u32, String)> {
    None
}

pub(crate) fn pid_namespace() -> u64 {
    1
}
