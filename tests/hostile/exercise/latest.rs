//! The last state of something.

use std::fmt::Debug;
use std::hint::black_box;

use outlive::{Latest, Shared};

use super::{SHORT, outcome, tried};

pub(crate) fn read<T: Shared + Debug>(latest: &Latest<T>) {
    black_box(format!("{latest:?} {} {:?}", latest.version(), latest.holder()));
    tried(latest.get());
}

pub(crate) fn any<T: Shared + Debug>(latest: &Latest<T>, new: T) {
    read(latest);
    let since = outcome(latest.get_versioned()).map_or(latest.version(), |(_, version)| version);
    tried(latest.wait_changed_timeout(since, SHORT));
    // Through all the copies, and around.
    for _ in 0..6 {
        tried(latest.set(new));
    }
    tried(latest.wait_changed_timeout(since, SHORT));
    tried(latest.update(|value| {
        // From within the closure.
        tried(latest.set(new));
        tried(latest.get());
        *value = new;
    }));
    black_box(latest.changed(since));
    read(&latest.clone());
}
