//! `raw_sync`'s event traits on the event of [`sync`](crate::sync).
//!
//! The first of the structure's spare words tells a finished event from other bytes: it is stored
//! last, and cleared first when an event is made over.
#![allow(unsafe_code)] // the traits take raw pointers

use std::io;
use std::ptr::NonNull;
use std::sync::atomic::Ordering;

use raw_sync::Timeout;
use raw_sync::events::{EventImpl, EventInit, EventState};

use crate::layout;
use crate::raw::deadline::Deadline;
use crate::seam::membarrier;
use crate::sync::Reset;

/// `raw_sync`'s `Result` is private to it; this is the same type.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// In `spare[0]` of a finished event.
const MARK: u64 = u64::from_ne_bytes(*b"RSEVENT\0");

/// An event for programs that use `raw_sync`'s traits: in place of `raw_sync::events::Event`, at
/// an address that the program chooses.
///
/// In a program without that past, [`Event`](crate::Event) is easier to use and needs no `unsafe`.
///
/// ```
/// use outlive::compat::RobustEvent;
/// use raw_sync::Timeout;
/// use raw_sync::events::{EventInit, EventState};
/// # use std::time::Duration;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # #[repr(align(4096))] struct Page([u8; 4096]);
/// # let mut page = Page([0; 4096]);
/// # let memory = page.0.as_mut_ptr(); // in earnest: shared memory
///
/// // SAFETY: 64 bytes of this page are the event's, which outlive it.
/// let (event, used) = unsafe { RobustEvent::new(memory, true)? };
/// assert_eq!(used, RobustEvent::size_of(None));
/// event.set(EventState::Signaled)?;
/// event.wait(Timeout::Infinite)?;
///
/// let error = event.wait(Timeout::Val(Duration::from_millis(1))).unwrap_err();
/// let error = error.downcast_ref::<std::io::Error>().unwrap();
/// assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
/// # Ok(())
/// # }
/// ```
///
/// # Locks
///
/// There is no such counterpart of `raw_sync`'s locks: its `LockImpl` cannot be implemented outside
/// of `raw_sync`. `lock` and `try_lock` return a `LockGuard`, whose constructor and field are
/// private, so a foreign lock could only hand out the guard of one of `raw_sync`'s own, which wait
/// forever for a holder that was killed. [`Mutex`](crate::Mutex) takes their place.
///
/// ```compile_fail,E0624
/// # use raw_sync::locks::{LockGuard, LockImpl};
/// fn guard_of_my_own(lock: &dyn LockImpl) -> LockGuard<'_> {
///     LockGuard::new(lock)
/// }
/// ```
///
/// # Safety
///
/// What [`new`](EventInit::new) and [`from_existing`](EventInit::from_existing) require of `mem`,
/// whenever it is neither null nor misaligned:
///
/// * the 64 bytes from `mem` on are valid for reads and writes, and remain so as long as the event
///   that is returned exists, whose type does not say so;
/// * they are part of a shared mapping (`MAP_SHARED`) if other processes are to use the event;
/// * nobody accesses them but through a `RobustEvent`.
///
/// # Errors
///
/// All are `std::io::Error`s in a box:
///
/// * `InvalidInput`: `mem` is null, or not aligned to 64 bytes. Unlike those of `raw_sync`, this
///   event does not pad: the returned size is always 64.
/// * `InvalidData`: `from_existing` found no event, or one that is not finished yet.
/// * `TimedOut`: `wait` waited for the whole time. Never earlier.
///
/// # Crash behaviour
///
/// That of [`Event`](crate::Event): the event is set or not, whoever dies when. A waiter that is
/// killed leaves nothing behind, a setter killed before it woke the waiters delays them by at most
/// 100 ms, and there is no lock that could stay taken. One that is killed within `new` leaves
/// something that `from_existing` refuses and `new` makes over.
///
/// # Memory ordering
///
/// What was written before an event is signaled is seen after the `wait` that it lets through.
#[derive(Debug)]
pub struct RobustEvent {
    event: NonNull<layout::Event>,
}

fn error<T>(kind: io::ErrorKind, what: &'static str) -> Result<T> {
    Err(Box::new(io::Error::new(kind, what)))
}

impl RobustEvent {
    const SIZE: usize = size_of::<layout::Event>();

    /// # Safety
    ///
    /// That of the type.
    unsafe fn at(mem: *mut u8) -> Result<Self> {
        let Some(event) = NonNull::new(mem.cast::<layout::Event>()) else {
            return error(io::ErrorKind::InvalidInput, "an event cannot be at the null address");
        };
        if !event.is_aligned() {
            return error(
                io::ErrorKind::InvalidInput,
                "an event has to be at a multiple of 64 bytes: round its address up",
            );
        }
        // This process may signal events without ever taking a lock: its fences start here.
        membarrier::ensure_registered();
        Ok(Self { event })
    }

    fn event(&self) -> &layout::Event {
        // SAFETY: aligned, valid as long as `self` exists by the contract of the constructors; made
        // of atomics, which others may write.
        unsafe { self.event.as_ref() }
    }

    fn is_finished(&self) -> bool {
        let event = self.event();
        // Acquire: pairs with the Release in `new`.
        event.spare[0].load(Ordering::Acquire) == MARK
            && event.mode().is_some()
            && event.set.load(Ordering::Relaxed) <= 1
    }
}

impl EventInit for RobustEvent {
    /// 64, wherever.
    fn size_of(_addr: Option<*mut u8>) -> usize {
        Self::SIZE
    }

    #[allow(clippy::new_ret_no_self)] // the trait's shape
    unsafe fn new(mem: *mut u8, auto_reset: bool) -> Result<(Box<dyn EventImpl>, usize)> {
        // SAFETY: the caller's promise.
        let this = unsafe { Self::at(mem) }?;
        let event = this.event();
        event.spare[0].store(0, Ordering::SeqCst);
        event.reset_to(if auto_reset { Reset::Auto } else { Reset::Manual });
        // Release: pairs with the Acquire in `is_finished`.
        event.spare[0].store(MARK, Ordering::Release);
        Ok((Box::new(this), Self::SIZE))
    }

    unsafe fn from_existing(mem: *mut u8) -> Result<(Box<dyn EventImpl>, usize)> {
        // SAFETY: the caller's promise.
        let this = unsafe { Self::at(mem) }?;
        if !this.is_finished() {
            return error(
                io::ErrorKind::InvalidData,
                "there is no event of this kind here, or it is not finished yet",
            );
        }
        Ok((Box::new(this), Self::SIZE))
    }
}

impl EventImpl for RobustEvent {
    fn wait(&self, timeout: Timeout) -> Result<()> {
        let deadline = match timeout {
            Timeout::Infinite => Deadline::NEVER,
            Timeout::Val(duration) => Deadline::after(duration),
        };
        if self.event().await_signal(deadline) {
            return Ok(());
        }
        error(io::ErrorKind::TimedOut, "the event was not signaled in time")
    }

    fn set(&self, state: EventState) -> Result<()> {
        match state {
            EventState::Clear => self.event().unset(),
            EventState::Signaled => self.event().signal(),
        }
        Ok(())
    }
}
