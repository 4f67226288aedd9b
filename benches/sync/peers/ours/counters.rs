//! Counters under the library's locks.

use outlive::{Mutex, ReentrantMutex, Segment, Value};

use super::failure;
use crate::peers::LockedCounter;
use crate::support::Result;

/// Under a `Mutex`.
#[derive(Debug)]
pub(crate) struct MutexCounter(Mutex<u64>);

impl MutexCounter {
    pub(crate) fn attach(segment: &str) -> Result<Self> {
        Ok(Self(Segment::open(segment)?.mutex("counter", 0)?))
    }
}

impl LockedCounter for MutexCounter {
    #[inline]
    fn increment(&self) -> Result<()> {
        *self.0.lock().map_err(failure)? += 1;
        Ok(())
    }

    fn value(&self) -> Result<u64> {
        Ok(*self.0.lock().map_err(failure)?)
    }
}

/// In a `Value`, which besides keeps what was committed.
#[derive(Debug)]
pub(crate) struct ValueCounter(Value<u64>);

impl ValueCounter {
    pub(crate) fn attach(segment: &str) -> Result<Self> {
        Ok(Self(Segment::open(segment)?.value("counter", 0)?))
    }
}

impl LockedCounter for ValueCounter {
    #[inline]
    fn increment(&self) -> Result<()> {
        Ok(self.0.update(|count| *count += 1)?)
    }

    fn value(&self) -> Result<u64> {
        Ok(self.0.get()?)
    }
}

/// Under a `ReentrantMutex`.
#[derive(Debug)]
pub(crate) struct ReentrantCounter(ReentrantMutex<u64>);

impl ReentrantCounter {
    pub(crate) fn attach(segment: &str) -> Result<Self> {
        Ok(Self(Segment::open(segment)?.reentrant_mutex("counter", 0)?))
    }
}

impl LockedCounter for ReentrantCounter {
    #[inline]
    fn increment(&self) -> Result<()> {
        let count = self.0.lock().map_err(failure)?;
        count.set(count.get() + 1);
        Ok(())
    }

    fn value(&self) -> Result<u64> {
        Ok(self.0.lock().map_err(failure)?.get())
    }
}
