//! The robust lock: the kernel hands a dead holder's lock on.
//!
//! # Words and states
//!
//! `word` (TID: thread id of the holder, 30 bits; W: `FUTEX_WAITERS`; D: `FUTEX_OWNER_DIED`):
//!
//! | word | meaning | next |
//! |---|---|---|
//! | `0` | free | a locker: `TID\|W` |
//! | `TID\|W` | held | the holder: `0`, or `D` if it gives up; the kernel at its death, or a waiter that finds it dead: `W\|D` |
//! | `D`, `W\|D` | free, the last holder died or gave up | a locker: `TID\|W\|D` |
//! | `TID\|W\|D` | held, the data not yet marked consistent | the holder: `TID\|W` when it marks them, else `CLOSED`; the kernel: `W\|D` |
//! | `CLOSED` | given up for good | none |
//!
//! W is always set while the lock is held, so that the kernel wakes a waiter at the holder's death.
//! Only the holder stores to a held word while it lives.
//!
//! `waiters`: 1 while somebody may sleep on `word`. Set by who is about to sleep; cleared by a
//! holder that is about to release.
//!
//! `since`: for people who look for a deadlock. A waiter notes the holder's id (low half) and when it
//! was first seen (high half).
//!
//! `company`: 1 if others than lockers sleep on `word`, to hear of a holder's death. A wake-up of one
//! could reach one of those, so a release that finds waiters wakes all then.
//!
//! # Releasing without a read-modify-write
//!
//! The release is a plain store of 0 followed by a load of `waiters`. Against that, who is about to
//! sleep stores `waiters`, runs `membarrier::heavy`, and lets the kernel compare `word`. One of the
//! two sees the other's store (see `os::membarrier`).
//!
//! The holder that finds `waiters` set clears it *before* it releases, wakes one sleeper, and sets
//! it again if there was one, since there may be more. So a flag that was left by the dead or by
//! those who timed out costs one futile system call. Whoever had set the flag before it was cleared,
//! but was not asleep yet when the wake came, must not fall asleep over a word that changed and
//! changed back: the kernel compares `waiters` too, after it has queued the sleeper on `word`
//! (futex_waitv).
//!
//! # What a death leaves behind
//!
//! * before the lock word is taken: nothing. A waiter that was woken and dies before it takes a free
//!   word: `list_op_pending` names the lock and the word has no owner, so the kernel wakes another.
//! * holding it, at any instruction from the compare-exchange to the release: the word is on the
//!   list or pending, so the kernel sets D and wakes one sleeper, who sets `waiters` again.
//! * after the release, before the wake: pending, no owner: the kernel wakes one. Only if a third
//!   party took the lock in between, no wake comes: sleepers look again after 100 ms by themselves.
//! * between the wake and setting `waiters` again: the woken one sets it as well.
//! * a death that the kernel does not report (exec by a thread that is not the process's first):
//!   whoever waits asks every 100 ms whether the holder's thread exists, and if not, sets D itself.

use core::hint::spin_loop;
use core::sync::atomic::Ordering;
use core::time::Duration;
use std::time::Instant;

use super::deadline::Deadline;
use super::waiting::Pauses;
use crate::error::{Holder, LockError};
use crate::layout::RobustNode;
use crate::seam::robust_list::{self, MAX_HELD, Thread};
use crate::seam::{clock, futex, looks, membarrier, process};

const TID: u32 = 0x3fff_ffff;
const OWNER_DIED: u32 = 0x4000_0000;
const WAITERS: u32 = 0x8000_0000;

const FREE: u32 = 0;
/// No thread has this id: the kernel's limit is 2^22.
const CLOSED: u32 = TID;

/// How the lock came to the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Acquired {
    /// From a holder that released it.
    Clean,
    /// From one that died or gave up. The word says so until [`RobustNode::mark_consistent`].
    OwnerDied,
}

/// How the holder leaves what the lock protects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Release {
    /// Whole.
    Clean,
    /// Perhaps half-changed: the next one is told as if this one had died.
    Dirty,
}

/// What a look at the word told one who does not take the lock.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen(u32);

impl Seen {
    /// Free, and its last holder neither died nor gave up.
    #[inline]
    pub(crate) fn is_free(self) -> bool {
        self.0 == FREE
    }

    pub(crate) fn is_held(self) -> bool {
        self.0 & TID != 0 && self.0 != CLOSED
    }

    pub(crate) fn is_closed(self) -> bool {
        self.0 == CLOSED
    }

    pub(crate) fn is_inconsistent(self) -> bool {
        self.0 & OWNER_DIED != 0
    }
}

impl RobustNode {
    /// Makes a free lock of memory that nobody else sees yet.
    pub(crate) fn reset(&self) {
        self.word.store(FREE, Ordering::Relaxed);
        self.waiters.store(0, Ordering::Relaxed);
        self.since.store(0, Ordering::Relaxed);
        self.company.store(0, Ordering::Relaxed);
        self.prev.store(0, Ordering::Relaxed);
        self.next.store(0, Ordering::Relaxed);
    }

    /// Acquires the lock, waiting until the deadline.
    #[inline]
    pub(crate) fn lock(&self, deadline: Deadline) -> Result<Acquired, LockError> {
        if self.take_at_once() { Ok(Acquired::Clean) } else { self.lock_contended(deadline) }
    }

    /// Acquires the lock if it is free.
    #[inline]
    pub(crate) fn try_lock(&self) -> Result<Acquired, LockError> {
        if self.take_at_once() { Ok(Acquired::Clean) } else { self.try_again() }
    }

    /// The case that is to be fast: a free lock and a thread that is known. False says nothing.
    #[inline(always)]
    pub(crate) fn take_at_once(&self) -> bool {
        let Some(thread) = robust_list::known() else { return false };
        thread.take_newest(self, |id| {
            // Acquire: pairs with the Release stores in `unlock`.
            // SeqCst: who takes one lock and looks at another one's word next (`sync::rwlock`).
            let (free, mine) = (FREE, id | WAITERS);
            self.word.compare_exchange(free, mine, Ordering::SeqCst, Ordering::Relaxed).is_ok()
        })
    }

    /// Takes a word that was seen free or dead. None if it is not any more.
    fn take(&self, thread: &Thread, seen: u32) -> Result<Option<Acquired>, LockError> {
        let place = thread.place().ok_or(LockError::TooManyLocks { limit: MAX_HELD })?;
        let died = seen & OWNER_DIED;
        let mine = thread.id() | WAITERS | died;
        // Acquire: pairs with the Release stores in `unlock`. The kernel's own mark at a death is a
        // full barrier. SeqCst: as in `take_at_once`.
        if self.word.compare_exchange(seen, mine, Ordering::SeqCst, Ordering::Relaxed).is_err() {
            return Ok(None);
        }
        thread.link(self, &place);
        Ok(Some(if died == 0 { Acquired::Clean } else { Acquired::OwnerDied }))
    }

    /// Takes the lock if it is free or its holder dead.
    fn take_if_free(&self, thread: &Thread) -> Result<Option<Acquired>, LockError> {
        let word = self.word.load(Ordering::Relaxed);
        if word == CLOSED {
            return Err(LockError::NotRecoverable);
        }
        if word & TID != 0 { Ok(None) } else { self.take(thread, word) }
    }

    #[cold]
    fn try_again(&self) -> Result<Acquired, LockError> {
        self.with_thread(|thread| match self.take_if_free(thread)? {
            Some(acquired) => Ok(acquired),
            None if self.is_held_by(thread) => Err(LockError::Deadlock),
            None => Err(LockError::WouldBlock),
        })
    }

    #[cold]
    fn lock_contended(&self, deadline: Deadline) -> Result<Acquired, LockError> {
        self.with_thread(|thread| self.wait(thread, deadline))
    }

    /// Announces to the kernel that the lock is being taken, for as long as `attempt` runs.
    fn with_thread<R>(
        &self,
        attempt: impl FnOnce(&Thread) -> Result<R, LockError>,
    ) -> Result<R, LockError> {
        let thread = robust_list::current()?;
        thread.begin(self);
        let result = attempt(thread);
        thread.end();
        result
    }

    fn wait(&self, thread: &Thread, deadline: Deadline) -> Result<Acquired, LockError> {
        if self.is_held_by(thread) {
            return Err(LockError::Deadlock);
        }
        self.wait_until(thread, deadline, || self.take_if_free(thread))
    }

    /// Waits until nobody holds the lock, without taking it. Whoever else sleeps is woken by the one
    /// that returns from this, since it may have used up the wake-up that was meant for them.
    ///
    /// # Errors
    ///
    /// As [`lock`](Self::lock).
    #[cold]
    pub(crate) fn wait_until_free(&self, deadline: Deadline) -> Result<(), LockError> {
        self.with_thread(|thread| {
            if self.is_held_by(thread) {
                return Err(LockError::Deadlock);
            }
            self.wait_until(thread, deadline, || {
                let word = self.word.load(Ordering::SeqCst);
                match word {
                    CLOSED => Err(LockError::NotRecoverable),
                    _ => Ok((word & TID == 0).then_some(())),
                }
            })
        })?;
        // Who has slept has set the flag itself.
        if self.has_waiters() {
            self.wake_next();
        }
        Ok(())
    }

    /// After a sleep on a held word by one who waits for the lock without taking it: where it is free
    /// now, that was a wake-up for one who takes it, perhaps. Nobody who calls this sleeps on a free
    /// word, so those who do not take it cannot wake one another for ever.
    pub(crate) fn pass_wake_on(&self) {
        if self.word.load(Ordering::Relaxed) & TID == 0 {
            self.wake_next();
        }
    }

    /// Says, of a lock that nobody else sees yet, that others than lockers will sleep on its word, to
    /// hear of a death: see [`EventCount::wait_beside`](crate::layout::EventCount::wait_beside).
    pub(crate) fn expect_company(&self) {
        self.company.store(1, Ordering::Relaxed);
    }

    pub(crate) fn expects_company(&self) -> bool {
        self.company.load(Ordering::Relaxed) != 0
    }

    /// After a sleep in company, over a word that was `slept_on`: the kernel has woken one at a
    /// holder's death, who may have been this one instead of a locker. Once for each death, or two
    /// who do not take the lock would wake each other for ever.
    pub(crate) fn pass_death_on(&self, slept_on: u32) {
        let word = self.word.load(Ordering::Relaxed);
        if word != slept_on && word & TID == 0 && word & OWNER_DIED != 0 {
            futex::wake(&self.word, futex::ALL);
        }
    }

    /// Waits until `attempt` yields something, which it does only while nobody holds the lock.
    fn wait_until<R>(
        &self,
        thread: &Thread,
        deadline: Deadline,
        attempt: impl Fn() -> Result<Option<R>, LockError>,
    ) -> Result<R, LockError> {
        if !deadline.waiting.sleeps() {
            return self.watch(thread, deadline, attempt);
        }
        let look = || if deadline.waiting.looks_first() { Self::spin(&attempt) } else { attempt() };
        let mut acquired = look()?;
        loop {
            if let Some(acquired) = acquired {
                return Ok(acquired);
            }
            let word = self.word.load(Ordering::Relaxed);
            if word & TID == 0 || word == CLOSED {
                acquired = attempt()?;
                continue;
            }
            let Some(mut patience) = deadline.remaining() else {
                return Err(LockError::TimedOut { holder: self.holder().map(Box::new) });
            };
            // At each turn: a word that looks the same may have been released and taken again, and a
            // flag that is there may be one that a holder set without a fence.
            self.waiters.store(1, Ordering::Relaxed);
            if !membarrier::heavy() {
                patience = patience.min(futex::SHORT_RECHECK);
            }
            self.note_since(word);
            futex::wait_any(&[(&self.word, word), (&self.waiters, 1)], patience);
            if self.word.load(Ordering::Relaxed) == word {
                self.bury_holder(thread, word);
            } else {
                // Others may sleep as well, and whoever woke us may have died before it said so.
                self.waiters.store(1, Ordering::Relaxed);
                acquired = look()?;
            }
        }
    }

    /// [`wait_until`](Self::wait_until) without ever sleeping.
    fn watch<R>(
        &self,
        thread: &Thread,
        deadline: Deadline,
        attempt: impl Fn() -> Result<Option<R>, LockError>,
    ) -> Result<R, LockError> {
        let mut pauses = Pauses::new(deadline.waiting);
        let mut asked = Instant::now();
        loop {
            if let Some(acquired) = attempt()? {
                return Ok(acquired);
            }
            if pauses.pause() {
                if deadline.remaining().is_none() {
                    return Err(LockError::TimedOut { holder: self.holder().map(Box::new) });
                }
                if asked.elapsed() > futex::RECHECK {
                    let word = self.word.load(Ordering::Relaxed);
                    if word & TID != 0 && word != CLOSED {
                        // A release clears what is noted if it finds waiters.
                        self.waiters.store(1, Ordering::Relaxed);
                        self.note_since(word);
                        self.bury_holder(thread, word);
                    }
                    asked = Instant::now();
                }
            }
        }
    }

    /// Looks at the word.
    #[inline]
    pub(crate) fn look(&self) -> Seen {
        // Acquire: pairs with the Release stores in `unlock`. SeqCst: as in `take_at_once`.
        Seen(self.word.load(Ordering::SeqCst))
    }

    /// Whether this thread holds the lock, through whichever mapping.
    #[inline]
    pub(crate) fn names_this_thread(&self) -> bool {
        robust_list::known().is_some_and(|thread| self.is_held_by(thread))
    }

    /// The thread that holds the lock at the moment.
    pub(crate) fn holder_id(&self) -> Option<u32> {
        let word = self.word.load(Ordering::Relaxed);
        (word & TID != 0 && word != CLOSED).then_some(word & TID)
    }

    /// Who holds the lock at the moment.
    pub(crate) fn holder(&self) -> Option<Holder> {
        let thread_id = self.holder_id()?;
        let noted = self.since.load(Ordering::Relaxed);
        let since = (noted as u32 == thread_id).then(|| {
            let milliseconds = (clock::milliseconds() as u32).wrapping_sub((noted >> 32) as u32);
            Duration::from_millis(milliseconds.into())
        });
        let (process_id, command) = process::describe_thread(thread_id).unzip();
        Some(Holder { thread_id, process_id, command, since })
    }

    /// Before a sleep: notes since when the holder has been seen, if nobody did so yet. A release
    /// under waiters clears it. Only for people.
    fn note_since(&self, word: u32) {
        let id = word & TID;
        if self.since.load(Ordering::Relaxed) as u32 != id {
            let now = clock::milliseconds() << 32;
            self.since.store(now | u64::from(id), Ordering::Relaxed);
        }
    }

    /// Whether the word names this thread. The node may be mapped at several addresses, and this
    /// thread have locked it at another one.
    #[inline]
    fn is_held_by(&self, thread: &Thread) -> bool {
        self.word.load(Ordering::Relaxed) & TID == thread.id() && thread.holds_any()
    }

    /// For who waits for several things (`sync::wait_any`): whether there is somebody to wait for.
    pub(crate) fn is_held(&self) -> bool {
        // Relaxed: who takes the lock then synchronises.
        Self::is_held_in(self.word.load(Ordering::Relaxed))
    }

    /// Whether that word says that somebody holds the lock.
    pub(crate) fn is_held_in(word: u32) -> bool {
        word & TID != 0 && word != CLOSED
    }

    /// For the same one, after a sleep: does the kernel's part if the kernel did not do it.
    pub(crate) fn bury_if_dead(&self) {
        let Ok(thread) = robust_list::current() else { return };
        let word = self.word.load(Ordering::Relaxed);
        if Self::is_held_in(word) && !self.is_held_by(thread) {
            self.bury_holder(thread, word);
        }
    }

    /// After a sleep in which nothing happened: does the kernel's part if the kernel did not do it.
    ///
    /// It does not see a death when a thread other than the process's first one calls exec (which
    /// gives it another id before its list is looked at), and beyond the 2048th entry of a list.
    /// A thread that has the id of a dead holder by now delays this until it ends.
    fn bury_holder(&self, thread: &Thread, word: u32) {
        // Where the namespace of thread ids is not known, an unknown id says nothing.
        if process::pid_namespace() == 0 {
            return;
        }
        let holder = word & TID;
        // This thread's id, and it holds nothing: the id has been used again.
        if holder == thread.id() || !process::thread_exists_anywhere(holder) {
            let died = WAITERS | OWNER_DIED;
            // Release: pairs with the Acquire in `take`; whoever comes first sees what the dead one
            // did, as this thread does since the kernel told it. Fails if the word moved on, and
            // then nobody was dead.
            let _alive =
                self.word.compare_exchange(word, died, Ordering::Release, Ordering::Relaxed);
        }
    }

    /// Holders are quick, as a rule: look for a while before going to sleep.
    ///
    /// The looks are far apart, and further with each: every look takes the cache line from the
    /// holder, who with the line to itself goes through hundreds of short critical sections in the
    /// time that handing it over once takes.
    fn spin<R>(attempt: impl Fn() -> Result<Option<R>, LockError>) -> Result<Option<R>, LockError> {
        for round in SPIN_ROUNDS.take(looks(usize::MAX)) {
            if let Some(result) = attempt()? {
                return Ok(Some(result));
            }
            for _ in 0..(1_u32 << round) {
                spin_loop();
            }
        }
        attempt()
    }

    /// Whether this thread holds the lock, and not only a copy of a guard that a fork made.
    #[inline]
    pub(crate) fn is_mine(&self) -> bool {
        robust_list::current().is_ok_and(|thread| thread.holds(self))
    }

    /// Whether the holder's predecessor died and the data were not marked consistent since.
    pub(crate) fn is_inconsistent(&self) -> bool {
        self.word.load(Ordering::Relaxed) & OWNER_DIED != 0
    }

    /// Whether the last holder died or gave up and nobody has taken the lock since, or nobody can any
    /// more: those who wait for another's doing need not wait for that one's.
    pub(crate) fn is_orphaned(&self) -> bool {
        let word = self.word.load(Ordering::Relaxed);
        word == CLOSED || (word & OWNER_DIED != 0 && word & TID == 0)
    }

    /// For who sleeps on the word to hear of a holder's death: what it says. None if somebody has died
    /// with it, and nobody has taken it since.
    pub(crate) fn unless_dead(&self) -> Option<u32> {
        let word = self.word.load(Ordering::Relaxed);
        (word & OWNER_DIED == 0 || word & TID != 0).then_some(word)
    }

    /// The holder vouches for the data.
    pub(crate) fn mark_consistent(&self) {
        // Not through a copy of the holder's guard that a fork made.
        if !self.is_mine() {
            return;
        }
        let word = self.word.load(Ordering::Relaxed);
        // A plain store is enough: only the holder writes a held word. A death before it leaves D.
        self.word.store(word & !OWNER_DIED, Ordering::Relaxed);
    }

    /// Releases the lock. Without effect on a lock that this thread does not hold (a guard that a
    /// fork copied).
    ///
    /// Data that were not marked consistent after a death close the lock for good; giving up on a
    /// lock (`Dirty`) hands it on as inconsistent.
    #[inline(always)]
    pub(crate) fn unlock(&self, release: Release) {
        let usual = release == Release::Clean
            && self.word.load(Ordering::Relaxed) & OWNER_DIED == 0
            && !self.has_waiters()
            && robust_list::known().is_some_and(|thread| {
                thread.release_newest(self, || {
                    // Release: pairs with the Acquire in `take_at_once` and `take`.
                    self.word.store(FREE, Ordering::Release);
                    membarrier::light();
                    if self.has_waiters() {
                        self.wake_next();
                    }
                })
            });
        if !usual {
            self.unlock_slowly(release);
        }
    }

    /// They came while the lock was being released. Their flag stays for the next holder.
    #[cold]
    fn wake_next(&self) {
        futex::wake(&self.word, self.next_sleepers());
    }

    /// How many sleepers a release wakes: one, or all where it might be one who is not after the lock.
    fn next_sleepers(&self) -> u32 {
        if self.expects_company() { futex::ALL } else { 1 }
    }

    #[inline]
    fn has_waiters(&self) -> bool {
        self.waiters.load(Ordering::Relaxed) != 0
    }

    #[cold]
    fn unlock_slowly(&self, release: Release) {
        let Some(thread) = robust_list::known() else { return };
        thread.begin(self);
        if thread.unlink(self) {
            self.release(release);
        }
        thread.end();
    }

    /// With the lock held but not on the list any more.
    fn release(&self, release: Release) {
        let inconsistent = self.word.load(Ordering::Relaxed) & OWNER_DIED != 0;
        let (word, sleepers) = match (release, inconsistent) {
            (Release::Clean, false) => (FREE, self.next_sleepers()),
            (Release::Dirty, _) => (OWNER_DIED, self.next_sleepers()),
            // Everybody learns that there is nothing to wait for.
            (Release::Clean, true) => (CLOSED, futex::ALL),
        };
        let waited_for = self.has_waiters();
        if waited_for {
            // Cleared while the lock is held, or a sleeper's flag could be lost: see above. And only
            // if it was seen: one that is set between the look and here may have no other wake.
            self.waiters.store(0, Ordering::Relaxed);
            self.since.store(0, Ordering::Relaxed);
        }
        // Release: pairs with the Acquire in `take`, and keeps the flag's store before this one.
        self.word.store(word, Ordering::Release);
        membarrier::light();
        if (waited_for || self.has_waiters()) && futex::wake(&self.word, sleepers) > 0 {
            self.waiters.store(1, Ordering::Relaxed);
        }
    }
}

/// Powers of two of pauses between looks: some 10 µs in all, a fraction of what sleeping and being
/// woken takes.
const SPIN_ROUNDS: core::ops::RangeInclusive<u32> = 5..=8;
