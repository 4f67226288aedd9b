//! Locks and signals between processes.

mod event;
mod mutex;

pub use event::{Event, Reset};
pub use mutex::{Mutex, MutexGuard};
