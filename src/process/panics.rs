//! Panics of the function that a process was started for: what they say, and where.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe};

use crate::error::PanicLocation;

/// A panic, as it is told.
#[derive(Debug, Clone)]
pub(super) struct Panic {
    pub(super) message: String,
    pub(super) location: Option<PanicLocation>,
}

thread_local! {
    static LAST: RefCell<Option<Panic>> = const { RefCell::new(None) };
}

/// Notes this process's panics from now on, beside what was done about them before. In a program
/// whose panics abort, `report` gets each of them, as the last thing that happens.
pub(super) fn watch(report: impl Fn(Panic) + Send + Sync + 'static) {
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        let location = info.location().map(|location| PanicLocation {
            file: location.file().to_owned(),
            line: location.line(),
            column: location.column(),
        });
        let panic = Panic { message: message(info.payload()), location };
        before(info);
        if cfg!(panic = "abort") {
            report(panic);
        } else {
            // A thread that ends has no need of it.
            let _ended = LAST.try_with(|last| last.replace(Some(panic)));
        }
    }));
}

/// Runs something that may panic.
pub(super) fn catch<R>(inside: impl FnOnce() -> R) -> Result<R, Panic> {
    panic::catch_unwind(AssertUnwindSafe(inside)).map_err(|payload| {
        let message = message(&*payload);
        // The last one seen is another one if this one was carried on from elsewhere.
        let seen = LAST.take().filter(|last| last.message == message);
        Panic { message, location: seen.and_then(|last| last.location) }
    })
}

fn message(payload: &dyn Any) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("a panic that is not a text").to_owned()
}
