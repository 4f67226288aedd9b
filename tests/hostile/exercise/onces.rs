//! What is done, or made, once.

use std::fmt::Debug;
use std::hint::black_box;

use outlive::{LockError, Once, OnceValue, Shared};

use super::{SHORT, tried};

pub(crate) fn read(once: &Once) {
    black_box((once.is_completed(), once.holder()));
    black_box(format!("{once:?}"));
}

pub(crate) fn once(once: &Once) {
    read(once);
    tried(once.wait_timeout(SHORT));
    tried(once.try_call_once(|| {
        // From within the closure.
        tried(once.try_call_once(|| ()));
        tried(once.call_once_timeout(SHORT, || ()));
        tried(once.wait_timeout(SHORT));
    }));
    tried(once.call_once_timeout(SHORT, || read(once)));
    tried(once.wait_timeout(SHORT));
    black_box(once.clone());
}

pub(crate) fn read_value<T: Shared + Debug>(once: &OnceValue<T>) {
    black_box((once.get(), once.holder()));
    black_box(format!("{once:?}"));
}

pub(crate) fn value<T: Shared + Debug>(once: &OnceValue<T>, new: T) {
    read_value(once);
    tried(once.wait_timeout(SHORT));
    tried(once.get_or_try_init(|| Err(LockError::WouldBlock)));
    tried(once.get_or_init_timeout(SHORT, || {
        tried(once.get_or_init_timeout(SHORT, || new));
        new
    }));
    tried(once.set(new));
    tried(once.wait_timeout(SHORT));
    read_value(&once.clone());
}
