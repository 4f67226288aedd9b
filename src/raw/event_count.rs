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
//!   100 ms. Where the condition is changed under a robust lock, the next holder notifies again.

use core::sync::atomic::Ordering;
use core::time::Duration;

use super::deadline::Deadline;
use super::waiting::Pauses;
use crate::layout::EventCount;
use crate::seam::atomic::AtomicU32;
use crate::seam::{futex, membarrier};

/// How many sleepers a notification is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Notify {
    /// One of them can go on.
    One,
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
        let count = if whom == Notify::One { 1 } else { futex::ALL };
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
        mut attempt: impl FnMut() -> Option<R>,
    ) -> Option<R> {
        if !deadline.waiting.sleeps() {
            return Self::watch(deadline, attempt);
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
            if let Some(result) = attempt() {
                return Some(result);
            }
            futex::wait(&self.epoch, epoch, patience?);
        }
    }

    /// [`wait_until`](Self::wait_until) without ever sleeping.
    fn watch<R>(deadline: Deadline, mut attempt: impl FnMut() -> Option<R>) -> Option<R> {
        let mut pauses = Pauses::new(deadline.waiting);
        loop {
            if let Some(result) = attempt() {
                return Some(result);
            }
            if pauses.pause() {
                deadline.remaining()?;
            }
        }
    }

    /// For who sleeps on several words, or under conditions of its own: announces a sleeper, and
    /// returns what `epoch` has to be for it to sleep. The condition is to be looked at after this.
    #[must_use]
    pub(crate) fn announce(&self) -> Announced {
        // Acquire: pairs with the Release in `wake`; what was changed before is seen after this.
        let epoch = self.epoch.load(Ordering::Acquire);
        self.waiters.store(1, Ordering::Relaxed);
        let limit = if membarrier::heavy() { futex::RECHECK } else { futex::SHORT_RECHECK };
        Announced { epoch, limit }
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
