//! Sleeping until a condition may have changed, without a lock around the condition.
//!
//! # Words
//!
//! `epoch` counts notifications and is what sleepers sleep on. `waiters` is 1 while somebody may
//! sleep: set by who is about to, cleared by a notifier that found nobody.
//!
//! A sleeper reads `epoch`, sets `waiters`, runs `membarrier::heavy`, looks at the condition once
//! more, and sleeps if `epoch` is still the same. A notifier changes the condition, runs
//! `membarrier::light`, and looks at `waiters`: one of the two sees the other (see `os::membarrier`).
//!
//! A notifier that wakes nobody clears `waiters`, then counts `epoch` on and wakes everybody: who
//! set the flag before it was cleared either sleeps by now and is woken, or finds the epoch changed,
//! looks again, and sets the flag anew.
//!
//! # What a death leaves behind
//!
//! * a sleeper: a flag that is 1 for nothing, cleared by the next notification.
//! * a notifier between the condition's change and its wake: sleepers look by themselves after
//!   100 ms. Where the condition is changed under a robust lock, and the notification is made before
//!   the lock is released, sleepers sleep on the lock's word as well: the kernel wakes one of them,
//!   and the lock's next holder notifies again.

use core::hint::spin_loop;
use core::sync::atomic::Ordering;
use core::time::Duration;

use super::deadline::Deadline;
use super::waiting::Pauses;
use crate::layout::{EventCount, RobustNode};
use crate::seam::atomic::AtomicU32;
use crate::seam::{futex, looks, membarrier};

/// Looks before a sleep: long enough for a peer that is about to answer, short against the cost of
/// sleeping.
const SPINS: usize = 60;

/// How many sleepers a notification is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Notify {
    /// One of them can go on.
    One,
    /// So many of them can go on, or all if there are fewer.
    Some(u32),
    /// All of them should look.
    All,
}

impl EventCount {
    /// Nobody sleeps here yet.
    pub(crate) fn reset(&self) {
        self.epoch.store(0, Ordering::Relaxed);
        self.waiters.store(0, Ordering::Relaxed);
    }

    /// To be called after the condition was changed.
    #[inline]
    pub(crate) fn notify(&self, whom: Notify) {
        membarrier::light();
        if self.waiters.load(Ordering::Relaxed) != 0 {
            self.wake(whom);
        }
    }

    #[cold]
    fn wake(&self, whom: Notify) {
        let count = match whom {
            Notify::One => 1,
            Notify::Some(count) => count,
            Notify::All => futex::ALL,
        };
        // Release: pairs with the Acquire in `wait_until`.
        self.epoch.fetch_add(1, Ordering::Release);
        if futex::wake(&self.epoch, count) == 0 {
            self.waiters.store(0, Ordering::Relaxed);
            self.epoch.fetch_add(1, Ordering::Release);
            futex::wake(&self.epoch, futex::ALL);
        }
    }

    /// Sleeps until `attempt` yields something, or the deadline passes (None).
    pub(crate) fn wait_until<R>(
        &self,
        deadline: Deadline,
        attempt: impl FnMut() -> Option<R>,
    ) -> Option<R> {
        self.wait(deadline, None, attempt)
    }

    /// [`wait_until`](Self::wait_until), for a condition that others change while they hold `lock`,
    /// and notify before they release it: the death of one of them in between wakes as well. The
    /// lock expects that: [`RobustNode::expect_company`].
    pub(crate) fn wait_beside<R>(
        &self,
        lock: &RobustNode,
        deadline: Deadline,
        attempt: impl FnMut() -> Option<R>,
    ) -> Option<R> {
        assert!(!cfg!(loom) || lock.expects_company());
        self.wait(deadline, Some(lock), attempt)
    }

    /// [`wait_beside`](Self::wait_beside), after some looks: what is waited for often comes within a
    /// microsecond. `worthwhile` is a cheap look that tells whether to attempt it.
    #[inline]
    pub(crate) fn look_and_wait_beside<R>(
        &self,
        lock: &RobustNode,
        deadline: Deadline,
        worthwhile: impl Fn() -> bool,
        mut attempt: impl FnMut() -> Option<R>,
    ) -> Option<R> {
        if !deadline.waiting.sleeps() {
            return Self::watch(deadline, worthwhile, attempt);
        }
        let spins = if deadline.waiting.looks_first() { looks(SPINS) } else { 0 };
        for _ in 0..spins {
            spin_loop();
            if worthwhile()
                && let Some(result) = attempt()
            {
                return Some(result);
            }
        }
        self.wait_beside(lock, deadline, attempt)
    }

    fn wait<R>(
        &self,
        deadline: Deadline,
        lock: Option<&RobustNode>,
        mut attempt: impl FnMut() -> Option<R>,
    ) -> Option<R> {
        if !deadline.waiting.sleeps() {
            return Self::watch(deadline, || true, attempt);
        }
        // The epoch in which this sleeper announced itself.
        let mut announced = None;
        loop {
            // Acquire: pairs with the Release in `wake`; what was changed before is seen below.
            let epoch = self.epoch.load(Ordering::Acquire);
            let mut patience = deadline.remaining();
            // One that only looks again need not announce itself anew: the flag goes only with a
            // new epoch.
            if announced != Some(epoch) || self.waiters.load(Ordering::Relaxed) == 0 {
                self.waiters.store(1, Ordering::Relaxed);
                if !membarrier::heavy() {
                    patience = patience.map(|left| left.min(futex::SHORT_RECHECK));
                }
                announced = Some(epoch);
            }
            // Before the condition: a death after it changes the word, or wakes.
            let held = lock.map(|lock| lock.word.load(Ordering::Relaxed));
            if let Some(result) = attempt() {
                return Some(result);
            }
            if let (Some(lock), Some(held)) = (lock, held) {
                futex::wait_any(&[(&self.epoch, epoch), (&lock.word, held)], patience?);
                lock.pass_death_on(held);
            } else {
                futex::wait(&self.epoch, epoch, patience?);
            }
        }
    }

    /// [`wait_until`](Self::wait_until) without ever sleeping. Whatever the cheap look says, it
    /// attempts it now and then, as a sleeper does.
    fn watch<R>(
        deadline: Deadline,
        worthwhile: impl Fn() -> bool,
        mut attempt: impl FnMut() -> Option<R>,
    ) -> Option<R> {
        let mut pauses = Pauses::short(deadline.waiting);
        let mut due = true;
        loop {
            if (due || worthwhile())
                && let Some(result) = attempt()
            {
                return Some(result);
            }
            due = pauses.pause();
            if due {
                deadline.remaining()?;
            }
        }
    }

    /// For who sleeps on several words, or under conditions of its own: announces a sleeper, and
    /// returns what `epoch` has to be for it to sleep. The condition is to be looked at after this.
    #[must_use]
    pub(crate) fn announce(&self) -> Announced {
        let announced = self.announce_locked();
        let limit = if membarrier::heavy() { futex::RECHECK } else { futex::SHORT_RECHECK };
        Announced { limit, ..announced }
    }

    /// [`announce`](Self::announce) for who holds a lock under which it looked at the condition, and
    /// which those who change the condition take before they notify: whoever does so after this has
    /// seen the flag, and no fence is needed.
    #[must_use]
    pub(crate) fn announce_locked(&self) -> Announced {
        // Acquire: pairs with the Release in `wake`; what was changed before is seen after this, and
        // the flag that a notifier cleared is set after it.
        let epoch = self.epoch.load(Ordering::Acquire);
        self.waiters.store(1, Ordering::Relaxed);
        Announced { epoch, limit: futex::RECHECK }
    }

    /// Whether there was a notification since an announcement.
    pub(crate) fn has_moved_on(&self, announced: Announced) -> bool {
        self.epoch.load(Ordering::Relaxed) != announced.epoch
    }

    /// Sleeps after an announcement, for as long as the epoch and `others` are what they are given
    /// as, at most `patience`. Returns on a wake-up and on others' deaths alike: the caller looks
    /// again. At most [`futex::MOST`] words.
    pub(crate) fn sleep(
        &self,
        announced: Announced,
        others: &[(&AtomicU32, u32)],
        patience: Duration,
    ) {
        let patience = patience.min(announced.limit);
        if others.is_empty() {
            futex::wait(&self.epoch, announced.epoch, patience);
        } else {
            let mut words = vec![(&self.epoch, announced.epoch)];
            words.extend(others.iter().take(futex::MOST - 1));
            futex::wait_any(&words, patience);
        }
    }
}

/// A sleeper that was announced.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Announced {
    pub(crate) epoch: u32,
    /// The longest sleep after which it has to look again.
    limit: Duration,
}
