//! `Event`: a flag that can be waited for.
//!
//! # Words
//!
//! `set` is 1 while the event is set. Anybody stores 1 (`set`) or 0 (`clear`, or the one waiter that
//! an auto-reset event lets through, by compare-exchange). `event` is where waiters sleep, see
//! `raw::event_count`.
//!
//! # What a death leaves behind
//!
//! The flag is one word: set or not. A setter killed between its store and its wake-up is made up
//! for by the sleepers, who look every 100 ms; a waiter killed while it sleeps leaves nothing.

#[cfg(feature = "async")]
mod future;

use std::fmt;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::error::LockError;
use crate::layout;
use crate::raw::deadline::Deadline;
use crate::raw::event_count::Notify;
use crate::raw::waiting::waits;
use crate::seam::atomic::AtomicU32;
use crate::seam::membarrier;
use crate::segment::object::{Mechanics, Misfit, ObjectKind};
use crate::segment::region::{Extent, Located};
use crate::shared::Shared;
use crate::sync::wait_any::{Wait, Words, pass_on};

/// Who takes back an [`Event`] that was set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Reset {
    /// Whoever calls [`Event::clear`]; until then everybody passes.
    Manual = 1,
    /// The first waiter that passes: each `set` lets one through.
    Auto = 2,
}

/// A flag between processes that can be waited for. Opened by name:
/// [`Segment::event`](crate::Segment::event).
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use outlive::{Reset, Segment};
/// use std::time::Duration;
///
/// let ready = Segment::anonymous()?.event("ready", Reset::Manual)?;
/// assert!(!ready.wait_timeout(Duration::from_millis(1))?);
/// ready.set()?;
/// ready.wait()?; // returns at once, in every process
/// # Ok(())
/// # }
/// ```
///
/// # Crash behaviour
///
/// An event is set or not, whoever dies when. A process that is killed while it waits leaves
/// nothing behind; one killed after it set the event and before it woke the waiters delays them by
/// at most 100 ms. With [`Reset::Auto`], a waiter killed right after it passed has used the event up.
///
/// # Memory ordering
///
/// What was written before `set` is seen after the `wait` that it lets through.
#[derive(Clone, Debug)]
pub struct Event {
    inner: Located<layout::Event>,
}

impl layout::Event {
    pub(crate) fn reset_to(&self, reset: Reset) {
        self.set.store(0, Ordering::Relaxed);
        self.reset.store(reset as u32, Ordering::Relaxed);
        self.event.reset();
    }

    pub(crate) fn mode(&self) -> Option<Reset> {
        match self.reset.load(Ordering::Relaxed) {
            1 => Some(Reset::Manual),
            2 => Some(Reset::Auto),
            _ => None,
        }
    }

    pub(crate) fn signal(&self) {
        // Release: pairs with the Acquire in `pass`.
        self.set.store(1, Ordering::Release);
        let all = self.mode() == Some(Reset::Manual);
        self.event.notify(if all { Notify::All } else { Notify::One });
    }

    pub(crate) fn unset(&self) {
        self.set.store(0, Ordering::Relaxed);
    }

    /// True if the event was set, and used up if it resets by itself.
    fn pass(&self, consume: bool) -> bool {
        let set: &AtomicU32 = &self.set;
        // Acquire: pairs with the Release in `signal`.
        if consume {
            set.compare_exchange(1, 0, Ordering::Acquire, Ordering::Relaxed).is_ok()
        } else {
            set.load(Ordering::Acquire) != 0
        }
    }

    /// False if the deadline passed.
    pub(crate) fn await_signal(&self, deadline: Deadline) -> bool {
        let consume = self.mode() == Some(Reset::Auto);
        let attempt = || self.pass(consume).then_some(());
        attempt().or_else(|| self.event.wait_until(deadline, attempt)).is_some()
    }
}

impl Event {
    /// Sets the event and wakes who waits for it. Safe in a signal handler: it allocates nothing and
    /// takes no lock.
    ///
    /// # Errors
    ///
    /// [`ReadOnly`](LockError::ReadOnly).
    pub fn set(&self) -> Result<(), LockError> {
        self.inner.writable()?.signal();
        Ok(())
    }

    /// Takes the event back.
    ///
    /// # Errors
    ///
    /// [`ReadOnly`](LockError::ReadOnly).
    pub fn clear(&self) -> Result<(), LockError> {
        self.inner.writable()?.unset();
        Ok(())
    }

    /// Whether it is set at the moment.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.inner.pass(false)
    }

    /// Sleeps until the event is set.
    ///
    /// # Errors
    ///
    /// [`ReadOnly`](LockError::ReadOnly): waiters announce themselves.
    pub fn wait(&self) -> Result<(), LockError> {
        self.inner.writable()?.await_signal(self.inner.forever());
        Ok(())
    }

    /// Sleeps until the event is set, for at most `timeout`. False, never before the time is up, if
    /// it was not.
    ///
    /// # Errors
    ///
    /// [`ReadOnly`](LockError::ReadOnly).
    pub fn wait_timeout(&self, timeout: Duration) -> Result<bool, LockError> {
        Ok(self.inner.writable()?.await_signal(self.inner.within(timeout)))
    }
}

waits!(Event, inner);

#[allow(private_interfaces)] // sealed
impl Wait for Event {
    fn words(&self) -> usize {
        1
    }

    fn is_ready(&self) -> Result<bool, LockError> {
        self.inner.writable()?;
        Ok(self.is_set())
    }

    fn announce<'a>(&'a self, words: &mut Words<'a>) -> Result<(), LockError> {
        words.event(&self.inner.writable()?.event);
        Ok(())
    }

    fn woken(&self) {
        pass_on(&self.inner.event, self.is_set());
    }

    #[cfg(feature = "async")]
    fn is_for_all(&self) -> bool {
        self.inner.mode() == Some(Reset::Manual)
    }
}

#[allow(private_interfaces)] // sealed
impl Mechanics for Event {
    type Init = Reset;

    const KIND: ObjectKind = ObjectKind::Event;
    const TYPE_TAG: u64 = u32::TYPE_TAG;

    fn describe(f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Event")
    }

    fn size(_init: &Reset) -> Result<u64, &'static str> {
        Ok(size_of::<layout::Event>() as u64)
    }

    fn initialise(extent: &Extent, init: Reset) -> Option<()> {
        extent.head::<layout::Event>()?.reset_to(init);
        Some(())
    }

    fn attach(extent: &Extent) -> Result<Self, &'static str> {
        // An event may be set by a process that takes no lock: its fences start here.
        membarrier::ensure_registered();
        let inner: Located<layout::Event> = extent.head().ok_or("it is too small for an event")?;
        inner.mode().ok_or("its reset mode is none")?;
        Ok(Self { inner })
    }

    fn fits(&self, init: &Reset) -> Result<(), Misfit> {
        match self.inner.mode() {
            Some(mode) if mode == *init => Ok(()),
            found => Err(("reset mode", found.map_or(0, |mode| mode as u64), *init as u64)),
        }
    }
}
