//! `Condvar`: waiting with a mutex released until somebody says that something changed.
//!
//! # Words
//!
//! `event` is where waiters sleep, see `raw::event_count`. A waiter announces itself while it holds
//! the mutex, releases it, sleeps for as long as `epoch` is what it was, and takes the mutex again.
//! Who changes the condition holds the mutex meanwhile. So it came before the waiter looked at the
//! condition; or it comes after the waiter was announced, and its notification, made with the mutex
//! held or later, finds the waiter's flag. The mutex orders the two, so no fence is needed.
//!
//! # What a death leaves behind
//!
//! * a waiter: a flag that is 1 for nothing, cleared by the next notification. One that was woken
//!   and dies before it has the mutex has used up a `notify_one`: the other sleepers look every
//!   100 ms, find that `epoch` moved on, and return, which is a spurious wake-up to their callers.
//! * a notifier after it counted `epoch` on and before its wake: as above.
//! * one that changed the condition, and did not come to notify: `wait_while` looks at the condition
//!   every 100 ms, whether it was notified or not.
//! * a holder of the mutex: waiters look at the mutex's word every 100 ms; who finds it orphaned
//!   takes it, and so hears of the death.

use std::fmt;
use std::time::{Duration, Instant};

use super::mutex::{MutexGuard, Outcome, Suspended};
use super::vouch::Vouch;
use crate::Segment;
use crate::error::{LockError, ObjectError};
use crate::layout::{self, EventCount};
use crate::raw::deadline::Deadline;
use crate::raw::event_count::{Announced, Notify};
use crate::raw::waiting::{Pauses, waits};
use crate::seam::futex::RECHECK;
use crate::segment::object::{Mechanics, Misfit, ObjectKind};
use crate::segment::region::{Extent, Located};
use crate::shared::Shared;

/// A place to wait, with a [`Mutex`](crate::Mutex) released, for data to change.
///
/// Opened by name: [`Segment::condvar`]. Used as the standard library's: who changes the data does so
/// under the mutex and notifies, before or after it releases the mutex. All who wait at one condvar
/// are to use the same mutex; with several, a notification can be missed.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use outlive::{LockError, Segment};
///
/// let segment = Segment::anonymous()?;
/// let jobs = segment.mutex("jobs", 0_u32)?;
/// let changed = segment.condvar("jobs changed")?;
///
/// # let other = (jobs.clone(), changed.clone());
/// # let producer = std::thread::spawn(move || {
/// #     let (jobs, changed) = other;
/// // In one process:
/// *jobs.lock().or_else(LockError::recover).expect("lock") += 1;
/// changed.notify_one().expect("notify");
/// # });
///
/// // In another one:
/// let guard = jobs.lock().or_else(LockError::recover)?;
/// let mut guard = changed.wait_while(guard, |jobs| *jobs == 0).or_else(LockError::recover)?;
/// *guard -= 1;
/// # producer.join().unwrap();
/// # Ok(())
/// # }
/// ```
///
/// A notification that meets nobody who waits is not remembered.
///
/// # Spurious wake-ups
///
/// A wait may end without a notification that was meant for it, so the data have to be looked at
/// again, which [`wait_while`](Self::wait_while) does. In particular those who wait look every 100 ms
/// whether there has been a notification, and go on if so: a `notify_one` whose receiver is dead is
/// never lost, and one whose receiver lives may in time be seen by others as well.
///
/// # Crash behaviour
///
/// A process that is killed while it waits leaves nothing behind; if it had been woken already, the
/// others are, within 100 ms. One killed while it notifies delays those who wait by at most 100 ms;
/// one killed after it changed the data and before it notified delays those in
/// [`wait_while`](Self::wait_while) as much, while those in [`wait`](Self::wait) cannot know, and wait
/// for the next notification. If the holder of the mutex is killed, one of those who wait gets the
/// mutex within 100 ms, as [`LockError::OwnerDied`], unless somebody else has.
///
/// A guard whose data nobody has vouched for ([`MutexGuard::is_inconsistent`]) may be used to wait. The
/// data are then handed on as they are: whoever locks the mutex next gets `OwnerDied`, and if nobody
/// does, this waiter, within 100 ms.
///
/// # Memory ordering
///
/// That of the mutex.
#[derive(Clone, Debug)]
pub struct Condvar {
    inner: Located<layout::Condvar>,
}

/// Whether a wait with a timeout ended because of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WaitTimeoutResult(bool);

impl WaitTimeoutResult {
    /// Whether the time ran out: for [`Condvar::wait_timeout`], without a notification; for
    /// [`Condvar::wait_timeout_while`], with the condition unchanged.
    #[must_use]
    pub fn timed_out(self) -> bool {
        self.0
    }
}

type TimedOutcome<'a, T> = Result<Timed<'a, T>, LockError<Timed<'a, T>>>;
type Timed<'a, T> = (MutexGuard<'a, T>, WaitTimeoutResult);

impl<T: Shared> Vouch for (MutexGuard<'_, T>, WaitTimeoutResult) {
    fn vouch(&mut self) {
        self.0.mark_consistent();
    }
}

/// Why a sleep ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Woken {
    ByNotification,
    AtDeadline,
    /// To look whether there is something that nobody was alive to tell.
    ToLook,
}

impl Condvar {
    /// Releases the mutex, sleeps until somebody notifies, and acquires the mutex again.
    ///
    /// # Errors
    ///
    /// [`OwnerDied`](LockError::OwnerDied) with the guard, if a holder of the mutex died meanwhile,
    /// or panicked. [`NotRecoverable`](LockError::NotRecoverable) if the mutex was closed, and
    /// [`Corrupt`](LockError::Corrupt): see [`Mutex::lock`](crate::Mutex::lock).
    /// [`ReadOnly`](LockError::ReadOnly) if this condvar's segment is: the mutex is released then.
    pub fn wait<'a, T: Shared>(&self, guard: MutexGuard<'a, T>) -> Outcome<'a, T> {
        let released = self.await_notification(guard, self.inner.forever());
        let (mutex, _) = released.map_err(LockError::cast)?;
        mutex.resume(self.inner.waiting)
    }

    /// [`wait`](Self::wait), again and again for as long as `condition` holds. If it does not to
    /// begin with, there is no wait.
    ///
    /// The condition is looked at every 100 ms even if nobody notifies: one that was killed before it
    /// could is made up for.
    ///
    /// # Errors
    ///
    /// Those of [`wait`](Self::wait). With [`OwnerDied`](LockError::OwnerDied) the condition was not
    /// looked at.
    pub fn wait_while<'a, T: Shared>(
        &self,
        mut guard: MutexGuard<'a, T>,
        mut condition: impl FnMut(&mut T) -> bool,
    ) -> Outcome<'a, T> {
        while condition(&mut guard) {
            let released = self.sleep_once(guard, self.inner.forever());
            let (mutex, _) = released.map_err(LockError::cast)?;
            guard = mutex.resume(self.inner.waiting)?;
        }
        Ok(guard)
    }

    /// [`wait`](Self::wait) for at most `timeout`, never less without a notification. Acquiring the
    /// mutex again takes as long as it takes.
    ///
    /// # Errors
    ///
    /// Those of [`wait`](Self::wait).
    pub fn wait_timeout<'a, T: Shared>(
        &self,
        guard: MutexGuard<'a, T>,
        timeout: Duration,
    ) -> TimedOutcome<'a, T> {
        let released = self.await_notification(guard, self.inner.within(timeout));
        let (mutex, woken) = released.map_err(LockError::cast)?;
        timed(mutex.resume(self.inner.waiting), woken)
    }

    /// [`wait_while`](Self::wait_while) for at most `timeout`. The condition is looked at once more
    /// when the time is up.
    ///
    /// # Errors
    ///
    /// Those of [`wait_while`](Self::wait_while).
    pub fn wait_timeout_while<'a, T: Shared>(
        &self,
        mut guard: MutexGuard<'a, T>,
        timeout: Duration,
        mut condition: impl FnMut(&mut T) -> bool,
    ) -> TimedOutcome<'a, T> {
        let deadline = self.inner.within(timeout);
        let mut woken = Woken::ByNotification;
        while condition(&mut guard) {
            if woken == Woken::AtDeadline {
                return Ok((guard, WaitTimeoutResult(true)));
            }
            let mutex;
            (mutex, woken) = self.sleep_once(guard, deadline).map_err(LockError::cast)?;
            guard = timed(mutex.resume(self.inner.waiting), woken)?.0;
        }
        Ok((guard, WaitTimeoutResult(false)))
    }

    /// Wakes one of those who wait.
    ///
    /// # Errors
    ///
    /// [`ReadOnly`](LockError::ReadOnly).
    pub fn notify_one(&self) -> Result<(), LockError> {
        self.tell(Notify::One)
    }

    /// Wakes `count` of those who wait, or all if there are fewer.
    ///
    /// # Errors
    ///
    /// [`ReadOnly`](LockError::ReadOnly).
    pub fn notify(&self, count: u32) -> Result<(), LockError> {
        // To wake nobody would look as if there was nobody.
        if count == 0 { self.inner.writable().map(drop) } else { self.tell(Notify::Some(count)) }
    }

    /// Wakes all who wait.
    ///
    /// # Errors
    ///
    /// [`ReadOnly`](LockError::ReadOnly).
    pub fn notify_all(&self) -> Result<(), LockError> {
        self.tell(Notify::All)
    }

    fn tell(&self, whom: Notify) -> Result<(), LockError> {
        self.inner.writable()?.event.notify(whom);
        Ok(())
    }

    /// Announces this waiter and releases its mutex.
    fn release<'a, T: Shared>(
        &self,
        guard: MutexGuard<'a, T>,
    ) -> Result<(&EventCount, Announced, Suspended<'a, T>), LockError> {
        match self.inner.writable() {
            Ok(inner) => Ok((&inner.event, inner.event.announce_locked(), guard.suspend())),
            Err(error) => {
                // Dropping the guard could close the mutex.
                let _released = guard.suspend();
                Err(error)
            }
        }
    }

    /// Until there was a notification, the time is up, or the mutex wants looking after.
    fn await_notification<'a, T: Shared>(
        &self,
        guard: MutexGuard<'a, T>,
        deadline: Deadline,
    ) -> Result<(Suspended<'a, T>, Woken), LockError> {
        let (event, announced, mutex) = self.release(guard)?;
        loop {
            let woken = sleep(event, announced, deadline);
            if woken != Woken::ToLook || mutex.is_orphaned() {
                return Ok((mutex, woken));
            }
        }
    }

    /// At most until it is time to look.
    fn sleep_once<'a, T: Shared>(
        &self,
        guard: MutexGuard<'a, T>,
        deadline: Deadline,
    ) -> Result<(Suspended<'a, T>, Woken), LockError> {
        let (event, announced, mutex) = self.release(guard)?;
        Ok((mutex, sleep(event, announced, deadline)))
    }
}

fn timed<T: Shared>(outcome: Outcome<'_, T>, woken: Woken) -> TimedOutcome<'_, T> {
    let result = WaitTimeoutResult(woken == Woken::AtDeadline);
    match outcome.map_err(LockError::into_guard) {
        Ok(guard) => Ok((guard, result)),
        Err(Ok(guard)) => Err(LockError::OwnerDied((guard, result))),
        Err(Err(error)) => Err(error.cast()),
    }
}

fn sleep(event: &EventCount, announced: Announced, deadline: Deadline) -> Woken {
    let mut pauses = Pauses::new(deadline.waiting);
    let started = (!deadline.waiting.sleeps()).then(Instant::now);
    loop {
        // Before the clock: what was notified in time counts.
        if event.has_moved_on(announced) {
            return Woken::ByNotification;
        }
        match started {
            // Never sleeps.
            Some(started) if pauses.pause() => {
                if deadline.remaining().is_none() {
                    return Woken::AtDeadline;
                }
                if started.elapsed() > RECHECK {
                    return Woken::ToLook;
                }
            }
            Some(_) => {}
            None => {
                let Some(patience) = deadline.remaining() else { return Woken::AtDeadline };
                event.sleep(announced, &[], patience);
                let notified = event.has_moved_on(announced);
                return if notified { Woken::ByNotification } else { Woken::ToLook };
            }
        }
    }
}

waits!(Condvar, inner);

impl Segment {
    /// The [`Condvar`] of that name, created if there is none.
    ///
    /// # Errors
    ///
    /// See [`find_or_create`](Self::find_or_create).
    pub fn condvar(&self, name: &str) -> Result<Condvar, ObjectError> {
        self.find_or_create(name, ())
    }
}

#[allow(private_interfaces)] // sealed
impl Mechanics for Condvar {
    type Init = ();

    const KIND: ObjectKind = ObjectKind::Condvar;
    const TYPE_TAG: u64 = u32::TYPE_TAG;

    fn describe(f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Condvar")
    }

    fn size(_init: &()) -> Result<u64, &'static str> {
        Ok(size_of::<layout::Condvar>() as u64)
    }

    fn initialise(extent: &Extent, _init: ()) -> Option<()> {
        extent.head::<layout::Condvar>()?.event.reset();
        Some(())
    }

    fn attach(extent: &Extent) -> Result<Self, &'static str> {
        Ok(Self { inner: extent.head().ok_or("it is too small for a condvar")? })
    }

    fn fits(&self, _init: &()) -> Result<(), Misfit> {
        Ok(())
    }
}
