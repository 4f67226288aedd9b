//! Both sides of the asymmetric fence are as strong together as two full ones. Without the heavy side
//! the light one is no fence at all: see [`nobody_sleeps`].

use core::cell::Cell;
use core::panic::Location;
use core::sync::atomic::Ordering;

use super::atomic::fence;
use super::weaken::is_weakened;

pub(crate) fn ensure_registered() {}

std::thread_local! {
    // All threads of an execution run on one thread of the machine.
    static NOBODY_SLEEPS: Cell<bool> = const { Cell::new(false) };
}

/// A new execution.
pub(crate) fn reset() {
    NOBODY_SLEEPS.set(false);
}

/// In this execution nobody will run the heavy side, so that the light one orders nothing.
pub(crate) fn nobody_sleeps() {
    NOBODY_SLEEPS.set(true);
}

#[track_caller]
pub(crate) fn light() {
    if !NOBODY_SLEEPS.get() && !is_weakened(Location::caller(), "light") {
        fence(Ordering::SeqCst);
    }
}

#[track_caller]
pub(crate) fn heavy() -> bool {
    assert!(!NOBODY_SLEEPS.get() || std::thread::panicking(), "somebody is about to sleep");
    if !is_weakened(Location::caller(), "heavy") {
        fence(Ordering::SeqCst);
    }
    true
}
