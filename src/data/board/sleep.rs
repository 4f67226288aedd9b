//! Waiting for what others do under the lock, or for their deaths.

use std::hint::spin_loop;
use std::time::{Duration, Instant};

use super::{Board, Locked};
use crate::error::LockError;
use crate::layout::EventCount;
use crate::raw::deadline::Deadline;
use crate::raw::event_count::{Announced, Notify};
use crate::seam::atomic::AtomicU32;
use crate::seam::futex::RECHECK;
use crate::seam::looks;
use crate::sync::shares::{self, WATCHED};

/// Looks before a sleep, as in `raw::event_count`.
const SPINS: usize = 60;

/// What an attempt under the lock came to; None is to wait on.
pub(in crate::data) type Attempt<R> = Result<Option<R>, LockError>;

impl Board {
    /// Repeats an attempt under the lock until it yields something, sleeping at `event` in between.
    /// None when the time is up. `worthwhile` is a cheap look that tells whether to attempt it.
    pub(in crate::data) fn settle<R>(
        &self,
        deadline: Deadline,
        event: &EventCount,
        worthwhile: impl Fn() -> bool,
        mut attempt: impl FnMut(&Locked<'_>) -> Attempt<R>,
    ) -> Attempt<R> {
        // No time at all is to be no worse than a try.
        let at_once = if deadline.remaining().is_none() { self.inner.forever() } else { deadline };
        let outcome = match self.locked(at_once, &mut attempt) {
            Ok(Ok(None)) if deadline.waiting.sleeps() => {
                self.sleep(deadline, event, worthwhile, attempt)
            }
            Ok(Ok(None)) => self.watch(deadline, event, worthwhile, attempt),
            other => return other.and_then(|attempted| attempted).or_else(ran_out),
        };
        if !matches!(outcome, Ok(Some(_))) {
            // It may have used up a wake-up that was meant for another one.
            event.notify(Notify::One);
        }
        outcome.or_else(ran_out)
    }

    fn sleep<R>(
        &self,
        deadline: Deadline,
        event: &EventCount,
        worthwhile: impl Fn() -> bool,
        mut attempt: impl FnMut(&Locked<'_>) -> Attempt<R>,
    ) -> Attempt<R> {
        let spins = if deadline.waiting.looks_first() { looks(SPINS) } else { 0 };
        for _ in 0..spins {
            spin_loop();
            if worthwhile()
                && let Some(result) = self.locked(deadline, &mut attempt)??
            {
                return Ok(Some(result));
            }
        }
        loop {
            let attempted = self.locked(deadline, |locked| match attempt(locked) {
                // Under the lock, so that who changes something afterwards sees the flag.
                Ok(None) => Err(Ok(event.announce_locked())),
                Ok(Some(result)) => Ok(result),
                Err(error) => Err(Err(error)),
            })?;
            let announced = match attempted {
                Ok(result) => return Ok(Some(result)),
                Err(announced) => announced?,
            };
            if deadline.remaining().is_none() {
                return Ok(None);
            }
            self.sleep_once(deadline, event, announced);
        }
    }

    /// Until there is a reason to look: a notification, a death, or time.
    fn sleep_once(&self, deadline: Deadline, event: &EventCount, announced: Announced) {
        /// As long as somebody else is at work, its lock's word is another one each time.
        const TRIES: usize = 4;
        /// How long to hear of no death, then, if they are so many.
        const MOMENT: Duration = Duration::from_millis(10);
        let start = Instant::now();
        for attempt in 1.. {
            let Some(words) = self.words() else { return };
            let Some(patience) = deadline.remaining() else { return };
            if attempt % TRIES == 0 {
                event.sleep(announced, &[], patience.min(MOMENT));
            } else {
                event.sleep(announced, &words, patience);
            }
            if event.has_moved_on(announced) {
                return;
            }
            if start.elapsed() >= RECHECK / 2 || cfg!(loom) {
                return self.bury_if_gone();
            }
        }
    }

    /// What else to sleep on: a death changes the word, or wakes. None if somebody is dead already.
    fn words(&self) -> Option<Vec<(&AtomicU32, u32)>> {
        let lock = &self.inner.lock;
        let mut words = vec![(&lock.word, lock.unless_dead()?)];
        for hand in self.grown_hands().take(WATCHED) {
            words.push((&hand.lock.word, hand.lock.unless_dead()?));
        }
        Some(words)
    }

    /// Finds deaths that the kernel does not report: see `raw::lock`.
    fn bury_if_gone(&self) {
        self.inner.lock.bury_if_dead();
        self.grown_hands().for_each(shares::bury_if_gone);
    }

    /// [`sleep`](Self::sleep) without ever sleeping.
    fn watch<R>(
        &self,
        deadline: Deadline,
        event: &EventCount,
        worthwhile: impl Fn() -> bool,
        mut attempt: impl FnMut(&Locked<'_>) -> Attempt<R>,
    ) -> Attempt<R> {
        /// Looks between questions for threads that are gone.
        const SELDOM: u32 = 1 << 16;
        /// Looks between attempts for which there is no reason.
        const SOMETIMES: u32 = 1 << 8;
        let mut count = 0_u32;
        let outcome = event.wait_until(deadline, || {
            count = count.wrapping_add(1);
            if count.is_multiple_of(SELDOM) {
                self.bury_if_gone();
            }
            if !count.is_multiple_of(SOMETIMES) && !worthwhile() && !self.has_dead() {
                return None;
            }
            self.locked(deadline, &mut attempt).and_then(|attempted| attempted).transpose()
        });
        outcome.transpose()
    }
}

/// The lock was not had in time: the time is up.
fn ran_out<R>(error: LockError) -> Attempt<R> {
    match error {
        LockError::TimedOut { .. } => Ok(None),
        other => Err(other),
    }
}
