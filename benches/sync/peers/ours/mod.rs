//! The library under test, used as any program would use it.

mod barrier;
mod cells;
mod condvar;
mod counters;
mod events;
mod rwlock;
mod semaphore;

pub(crate) use barrier::BarrierRounds;
pub(crate) use cells::{LatestCell, ValueCell};
pub(crate) use condvar::Condvars;
pub(crate) use counters::{MutexCounter, ReentrantCounter, ValueCounter};
pub(crate) use events::{AnyOf, Events};
pub(crate) use rwlock::RwLockPair;
pub(crate) use semaphore::SemaphoreCounter;

use std::fmt::Display;
use std::sync::atomic::{AtomicU32, Ordering};

use outlive::Segment;

use crate::support::{Failure, Result, watchdog};

/// What a benchmark's segment may grow to.
const CAPACITY: u64 = 1 << 20;

/// A segment of the parent, gone when this is dropped.
#[derive(Debug)]
pub(crate) struct Host {
    segment: Option<Segment>,
    name: String,
}

impl Host {
    pub(crate) fn create() -> Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("outlive-bench-{}-{number}", std::process::id());
        watchdog::on_abort(&name, remove);
        let segment = Some(Segment::options().capacity(CAPACITY).create(&name)?);
        Ok(Self { segment, name })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.segment = None;
        remove(&self.name);
        watchdog::removed(&self.name);
    }
}

/// Best effort: the last process to leave may have removed it.
fn remove(name: &str) {
    let _ = Segment::unlink(name);
}

/// For errors that hold a guard, which cannot leave the function.
#[cold]
fn failure(error: impl Display) -> Failure {
    error.to_string().into()
}
