//! Ctrl-C, as a question that the parent asks itself now and then.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::Result;

/// The exit status of a program that Ctrl-C ended, as shells have it.
pub(crate) const STATUS: u8 = 130;

static HAPPENED: AtomicBool = AtomicBool::new(false);

/// From here on, Ctrl-C, SIGTERM and SIGHUP do not end this process by themselves.
pub(crate) fn watch() -> Result<()> {
    Ok(ctrlc::set_handler(|| HAPPENED.store(true, Ordering::Relaxed))?)
}

pub(crate) fn happened() -> bool {
    HAPPENED.load(Ordering::Relaxed)
}
