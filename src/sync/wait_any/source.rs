//! What can be waited for, and by which words.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::Child;
use std::sync::atomic::Ordering;

use crate::error::{LockError, OsError};
use crate::layout::{EventCount, RobustNode};
use crate::os::descriptor;
use crate::raw::event_count::Notify;
use crate::seam::atomic::AtomicU32;

/// The part of a [`Waitable`](super::Waitable) that the waiting calls. Public only because that rests
/// on it; the module is not.
#[allow(unreachable_pub, private_interfaces)] // sealed: nobody outside sees these types
pub trait Wait {
    /// What is polled, for things without words.
    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    /// How many words [`announce`](Self::announce) names.
    fn words(&self) -> usize {
        0
    }

    /// Whether to try is worthwhile.
    fn is_ready(&self) -> Result<bool, LockError> {
        Ok(false)
    }

    /// Announces a sleeper, and names the words that change when this becomes ready.
    fn announce<'a>(&'a self, words: &mut Words<'a>) -> Result<(), LockError> {
        let _none = words;
        Ok(())
    }

    /// After a sleep: a wake-up that others may need is passed on.
    fn woken(&self) {}

    /// Whether all who wait can go on once it is ready, and not only the first.
    #[cfg(feature = "async")]
    fn is_for_all(&self) -> bool {
        false
    }
}

/// Words to sleep on, and what each is to be for that.
#[derive(Default)]
pub(crate) struct Words<'a> {
    pairs: Vec<(&'a AtomicU32, u32)>,
    /// Whether a word was found as it is when there is nothing to sleep for.
    awake: bool,
}

impl<'a> Words<'a> {
    pub(crate) fn push(&mut self, pair: (&'a AtomicU32, u32)) {
        self.pairs.push(pair);
    }

    pub(crate) fn pairs(&self) -> &[(&'a AtomicU32, u32)] {
        &self.pairs
    }

    /// Whether to sleep, and not to look again at once.
    pub(crate) fn sleeps(&self) -> bool {
        !self.awake
    }

    /// Has the caller look again at once, should it find nothing ready.
    #[cfg(feature = "async")]
    pub(crate) fn stay_awake(&mut self) {
        self.awake = true;
    }

    /// A sleeper of an event count, as `EventCount::announce` makes one, but that the fence is made
    /// once for all.
    pub(crate) fn event(&mut self, event: &'a EventCount) {
        // Acquire: pairs with the Release in `EventCount::wake`; what was changed before is seen
        // after this.
        self.push((&event.epoch, event.epoch.load(Ordering::Acquire)));
        event.waiters.store(1, Ordering::Relaxed);
    }

    /// A lock whose holder changes the condition, and notifies before it releases: its death in
    /// between wakes as well. (If the kernel wakes this one instead of a locker, that one looks again
    /// within 100 ms.)
    pub(crate) fn beside(&mut self, lock: &'a RobustNode) {
        self.push((&lock.word, lock.word.load(Ordering::Relaxed)));
    }

    /// A lock that is waited for.
    fn lock(&mut self, lock: &'a RobustNode) {
        lock.waiters.store(1, Ordering::Relaxed);
        let word = lock.word.load(Ordering::Relaxed);
        // To sleep on a free word is to miss that somebody took it since, was seen with it, and has
        // released it: it is the same word then.
        self.awake |= !RobustNode::is_held_in(word);
        // The flag as well: see `raw::lock`.
        self.push((&lock.word, word));
        self.push((&lock.waiters, 1));
    }
}

/// After a sleep on an event count that wakes one at a time: who was woken and does not take what it
/// was woken for wakes the next one.
pub(crate) fn pass_on(event: &EventCount, ready: bool) {
    if ready {
        event.notify(Notify::One);
    }
}

/// Everything with a descriptor: ready when it is readable.
#[allow(private_interfaces)] // sealed
impl<F: AsFd> Wait for F {
    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        Some(self.as_fd())
    }
}

/// A process that is waited for to end, however it ends, by [`wait_any`](crate::wait_any) or, through
/// its descriptor, by poll(2). Its exit status is left to whoever is its parent.
///
/// # Crash behaviour
///
/// A process that is killed has ended.
#[derive(Debug)]
pub struct ChildProcess(OwnedFd);

impl ChildProcess {
    /// A child that has not been waited for yet.
    ///
    /// # Errors
    ///
    /// [`OsError`]: a pidfd could not be had (`ESRCH`: the child was waited for; `ENOSYS`: Linux
    /// before 5.3).
    pub fn new(child: &Child) -> Result<Self, OsError> {
        Self::from_pid(child.id())
    }

    /// Any process, by its id. The id of a process that is not a child of this one may be that of
    /// another process by now.
    ///
    /// # Errors
    ///
    /// As for [`new`](Self::new).
    pub fn from_pid(pid: u32) -> Result<Self, OsError> {
        descriptor::process(pid).map(Self)
    }
}

impl AsFd for ChildProcess {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Handles that have a lock.
pub(crate) trait Lockable {
    /// The lock, if it may be waited for.
    fn lockable(&self) -> Result<&RobustNode, LockError>;
}

/// A lock that is waited for by [`wait_any`](crate::wait_any), without taking it: ready when nobody
/// holds it, be it that it is free, that its holder died, or that it was given up for good.
///
/// A lock that the waiting thread holds itself is not ready.
#[derive(Debug, Clone)]
pub struct Available<H>(H);

impl<H> Available<H> {
    pub(crate) fn new(handle: H) -> Self {
        Self(handle)
    }
}

#[allow(private_interfaces, private_bounds)] // sealed
impl<H: Lockable> Wait for Available<H> {
    fn words(&self) -> usize {
        2
    }

    fn is_ready(&self) -> Result<bool, LockError> {
        Ok(!self.0.lockable()?.is_held())
    }

    fn announce<'a>(&'a self, words: &mut Words<'a>) -> Result<(), LockError> {
        words.lock(self.0.lockable()?);
        Ok(())
    }

    fn woken(&self) {
        let Ok(lock) = self.0.lockable() else { return };
        // Others may sleep as well, and whoever woke us may have died before it said so.
        lock.waiters.store(1, Ordering::Relaxed);
        lock.pass_wake_on();
        lock.bury_if_dead();
    }
}

/// `available` for a handle whose lock is in its field, a `Located`.
macro_rules! awaits_lock {
    ($handle:ident $(<$type:ident>)?, $field:ident . $($lock:ident).+) => {
        impl $(<$type>)? $crate::sync::wait_any::Lockable for $handle $(<$type>)? {
            fn lockable(&self) -> Result<&$crate::layout::RobustNode, $crate::LockError> {
                Ok(&self.$field.writable()?.$($lock).+)
            }
        }

        impl $(<$type>)? $handle $(<$type>)? {
            /// The lock, for [`wait_any`](crate::wait_any) to wait until nobody holds it.
            #[must_use]
            pub fn available(&self) -> $crate::Available<Self> {
                $crate::Available::new(self.clone())
            }
        }
    };
}
pub(crate) use awaits_lock;
