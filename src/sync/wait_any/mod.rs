//! Waiting for the first of several things.
//!
//! # How
//!
//! Each thing names the words that change when it becomes ready, and announces a sleeper there; then
//! all are looked at once more, and the thread sleeps on all words at once (futex_waitv). So a set, a
//! push, a release and the kernel's mark at a holder's death wake it as they wake those who wait for
//! that one thing.
//!
//! Descriptors have no such word. Beside words, a thread of this process polls them for as long as the
//! call lasts, and has a word of its own (`descriptors`).
//!
//! # What a death leaves behind
//!
//! Nothing but flags that say that somebody may sleep, which cost the next notifier a system call.
//! A wake-up that was meant for one sleeper, and came to this one, is passed on to the next if the
//! thing is still to be had, since the caller may not take it. Who is killed between the two delays
//! the next sleeper by at most 100 ms.

mod bridge;
mod descriptors;
mod source;

use std::os::fd::BorrowedFd;
use std::time::Duration;

use crate::error::WaitError;
use crate::raw::deadline::Deadline;
use crate::seam::{futex, membarrier};

pub use bridge::Bridge;
pub use source::{Available, ChildProcess};
pub(crate) use source::{Lockable, Wait, Words, awaits_lock, pass_on};

/// What [`wait_any`] can wait for. Implemented by types of this crate, and by everything that has a
/// descriptor ([`AsFd`](std::os::fd::AsFd)), which is waited for to become readable (or to be at end
/// of file, or in error).
///
/// | | ready when |
/// |---|---|
/// | [`Event`](crate::Event) | it is set |
/// | [`Queue::readable`](crate::Queue::readable) | it holds a message, or is closed |
/// | [`Queue::writable`](crate::Queue::writable) | it has room, or is closed |
/// | [`Semaphore`](crate::Semaphore) | a permit can be had, a dead holder's included |
/// | `available()` of [`Mutex`](crate::Mutex::available), [`ReentrantMutex`](crate::ReentrantMutex::available), [`Value`](crate::Value::available), [`Counter`](crate::Counter::available), [`Array`](crate::Array::available) | nobody holds the lock: it is free, its holder died, or it was given up for good |
/// | [`Latest::changed`](crate::Latest::changed) | the value is from another commit |
/// | [`ChildProcess`] | it has ended |
/// | a descriptor | it is readable |
pub trait Waitable: Wait {}

impl<W: Wait + ?Sized> Waitable for W {}

/// Sleeps until one of several things is ready, for at most `timeout`, and returns its index; of
/// several ready ones, the first. None, never before the time is up, if none was.
///
/// Nothing is taken: the caller goes on with `try_pop`, `try_lock`, `wait_timeout` of zero, and may
/// find that somebody else was faster.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use outlive::{ChildProcess, Reset, Segment, wait_any};
/// use std::process::Command;
/// use std::time::Duration;
///
/// let segment = Segment::anonymous()?;
/// let stop = segment.event("stop", Reset::Manual)?;
/// let jobs = segment.queue::<u64>("jobs", 100)?;
/// let mut child = Command::new("true").spawn()?;
///
/// let ended = ChildProcess::new(&child)?;
/// let first = wait_any(&[&stop, &jobs.readable(), &ended], Some(Duration::from_secs(30)))?;
/// assert_eq!(first, Some(2)); // the child ended; its status is still to be fetched
/// assert!(child.wait()?.success());
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// [`Nothing`](WaitError::Nothing) for an empty slice without a timeout,
/// [`TooMany`](WaitError::TooMany): a queue, a lock or a latest value counts twice, an event once,
/// descriptors not at all. [`Lock`](WaitError::Lock) with [`ReadOnly`](crate::LockError::ReadOnly):
/// waiters announce themselves. [`Os`](WaitError::Os).
///
/// # Crash behaviour
///
/// The death of a lock's holder, or of a process that this one waits for, makes it ready at once.
/// A process that is killed in here leaves nothing behind; if it had just been woken, it may delay
/// another sleeper by at most 100 ms.
///
/// # Threads
///
/// Where descriptors are waited for beside other things, each call that has to sleep starts a thread
/// that polls them, and ends it before it returns. To wait often, see [`Bridge`].
pub fn wait_any(
    waitables: &[&dyn Waitable],
    timeout: Option<Duration>,
) -> Result<Option<usize>, WaitError> {
    Ok(wait_some(waitables, timeout)?.first().copied())
}

/// [`wait_any`], which returns the indices of all that are ready, in order. Empty, never before the
/// time is up, if none was.
///
/// # Errors
///
/// Those of [`wait_any`].
pub fn wait_some(
    waitables: &[&dyn Waitable],
    timeout: Option<Duration>,
) -> Result<Vec<usize>, WaitError> {
    if waitables.is_empty() && timeout.is_none() {
        return Err(WaitError::Nothing);
    }
    let deadline = timeout.map_or(Deadline::NEVER, Deadline::after);
    let set = Set::new(waitables)?;
    let ready = set.ready()?;
    if !ready.is_empty() || deadline.remaining().is_none() {
        return Ok(ready);
    }
    match (set.words, set.descriptors.is_empty()) {
        (0, _) => set.poll(deadline),
        (_, true) => set.sleep(deadline, None),
        (_, false) => {
            descriptors::watch(&set.descriptors, |poller| set.sleep(deadline, Some(poller)))?
        }
    }
}

/// What a call waits for.
struct Set<'a> {
    waitables: &'a [&'a dyn Waitable],
    descriptors: Vec<BorrowedFd<'a>>,
    /// How many words it sleeps on.
    words: usize,
}

impl<'a> Set<'a> {
    fn new(waitables: &'a [&'a dyn Waitable]) -> Result<Self, WaitError> {
        let descriptors: Vec<_> = waitables.iter().filter_map(|w| w.descriptor()).collect();
        let words = waitables.iter().map(|waitable| waitable.words()).sum();
        // One is for the thread that polls.
        let limit = futex::MOST - 1;
        if words > limit {
            return Err(WaitError::TooMany { count: words, limit });
        }
        Ok(Self { waitables, descriptors, words })
    }

    /// Which are ready now.
    fn ready(&self) -> Result<Vec<usize>, WaitError> {
        self.ready_within(Duration::ZERO)
    }

    /// Which are ready, once descriptors were polled for so long.
    fn ready_within(&self, timeout: Duration) -> Result<Vec<usize>, WaitError> {
        let polled = if self.descriptors.is_empty() && timeout.is_zero() {
            Vec::new()
        } else {
            crate::os::descriptor::readable(&self.descriptors, Some(timeout))?
        };
        let mut polled = polled.into_iter();
        let mut ready = Vec::new();
        for (index, waitable) in self.waitables.iter().enumerate() {
            let is_ready = match waitable.descriptor() {
                Some(_) => polled.next().unwrap_or(false),
                None => waitable.is_ready()?,
            };
            if is_ready {
                ready.push(index);
            }
        }
        Ok(ready)
    }

    /// With nothing but descriptors.
    fn poll(&self, deadline: Deadline) -> Result<Vec<usize>, WaitError> {
        while let Some(left) = deadline.remaining() {
            let ready = self.ready_within(left)?;
            if !ready.is_empty() {
                return Ok(ready);
            }
        }
        Ok(Vec::new())
    }

    /// With words, and perhaps descriptors, which are polled elsewhere.
    fn sleep(
        &self,
        deadline: Deadline,
        mut poller: Option<&mut descriptors::Poller<'_, '_>>,
    ) -> Result<Vec<usize>, WaitError> {
        loop {
            let mut words = Words::default();
            if let Some(poller) = &mut poller {
                words.push(poller.start()?);
            }
            for waitable in self.waitables {
                waitable.announce(&mut words)?;
            }
            // Pairs with the notifiers' `light`: either they see the announcements, or what they did
            // is seen below.
            let limit = if membarrier::heavy() { futex::RECHECK } else { futex::SHORT_RECHECK };
            let ready = self.ready()?;
            if !ready.is_empty() {
                return Ok(ready);
            }
            let Some(left) = deadline.remaining() else { return Ok(ready) };
            if words.sleeps() {
                futex::wait_any(words.pairs(), left.min(limit));
            }
            for waitable in self.waitables {
                waitable.woken();
            }
        }
    }
}
