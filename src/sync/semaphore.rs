//! `Semaphore`: permits that come back when their holder dies.
//!
//! # Words
//!
//! `total` counts the permits in circulation, held or not. Each [`Permit`] has a share: a robust lock
//! that its thread holds until the permit is dropped, with the number of permits in `count`. Those
//! two are the truth; `available` is what they come to (`total` minus the counts of held shares), kept
//! so that nobody has to add up. `used` is one past the last share that was ever taken.
//!
//! All of them are written under `lock` only. Shares are taken and released under it too, but for
//! the kernel, which marks a share whose holder dies:
//!
//! | share's word | its `count` | |
//! |---|---|---|
//! | free | means nothing | |
//! | held | permits that its thread has; 0 while it is being taken or given back | |
//! | dead | permits that come back, once somebody who is short of them looks | `reclaim` |
//!
//! Who finds too few permits sleeps on `event` and on the words of the shares, so that the kernel's
//! wake at a holder's death wakes it. `many` is 1 while somebody may wait for more than one permit:
//! then one that is given back is told to all who wait, since the first of them may not be the one
//! who can go on. Set by who is about to sleep, cleared by who tells all.
//!
//! # What a death leaves behind
//!
//! * of a holder: a dead share. The kernel wakes one of those who sleep on its word, who takes all
//!   dead shares' permits back and tells the others.
//! * under `lock`, anywhere: the next one to take it computes `available` anew, and tells everybody
//!   who waits. In `acquire`, the permits are taken with the share's `count`, in `release` and
//!   `Permit::forget` the number changes with the store of `total`; a permit is back with the store
//!   of its `count`, and who dies between that and the wake-up holds the share still.
//! * in `release`, between `total` and the wake-up: sleepers look by themselves after 100 ms.

#[cfg(feature = "async")]
mod future;

use std::fmt;
use std::hint::spin_loop;
use std::marker::PhantomData;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::shares::{self, State, WATCHED};
use crate::Segment;
use crate::error::{Holder, LockError, ObjectError, SemaphoreError};
use crate::layout::{self, Share};
use crate::raw::deadline::Deadline;
use crate::raw::event_count::Notify;
use crate::raw::lock::{Acquired, Release};
use crate::raw::waiting::waits;
use crate::seam::atomic::AtomicU32;
use crate::seam::looks;
use crate::segment::object::{Mechanics, Misfit, ObjectKind};
use crate::segment::region::{Extent, Located, Series};
use crate::shared::Shared;
use crate::sync::wait_any::{Wait, Words, pass_on};

/// A number of permits that processes share; who needs one waits until there is one. Opened by name:
/// [`Segment::semaphore`], and [`Segment::bounded_semaphore`] for one that never has more permits
/// than at its creation.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use outlive::{Segment, SemaphoreError};
///
/// // At most three at a time, in all processes together.
/// let slots = Segment::anonymous()?.bounded_semaphore("slots", 3)?;
/// let one = slots.acquire()?;
/// let two = slots.acquire_many(2)?;
/// assert!(matches!(slots.try_acquire(), Err(SemaphoreError::NoPermits { .. })));
/// drop(one);
/// assert_eq!(slots.available(), 1);
/// # drop(two);
/// # Ok(())
/// # }
/// ```
///
/// # Counting for others
///
/// A [`Permit`] gives itself back, in the thread that took it. Where one process takes and another
/// one gives (items in a store, tokens), the taker calls [`Permit::forget`], by which the permit
/// leaves circulation, and the other one [`release`](Self::release), which puts a new one into it.
/// What was forgotten does not come back at a death.
///
/// # Order
///
/// Permits go to whoever comes first when there are enough: waiting for many, one may be overtaken by
/// others who ask for fewer.
///
/// # Limits
///
/// As many permits can be held at a time, each counted once however many it stands for, as the
/// semaphore was created with, but no fewer than 16 and no more than 256. Whoever comes when all these
/// places are taken waits, as if there were no permits.
///
/// # Crash behaviour
///
/// A dead holder's permits come back: who waits is woken by the kernel and gets them, who looks
/// finds them. Its death counts from when its thread ends, also by `exec`. (`exec` by a thread other
/// than the process's first one is not reported by the kernel; who waits finds it out within 100 ms.)
/// A process killed while it waits leaves nothing behind. [`release`](Self::release) has taken
/// effect or not; killed in between, it delays those who wait by at most 100 ms.
///
/// # Memory ordering
///
/// What was written before a permit was given back, or released, is seen by who acquires afterwards.
#[derive(Clone)]
pub struct Semaphore {
    inner: Located<layout::Semaphore>,
    shares: Series<Share>,
    /// Number of shares.
    places: usize,
    bound: Option<u64>,
}

/// Permits that are held; dropping gives them back.
///
/// They belong to the thread that acquired them, since the kernel watches that thread:
///
/// ```compile_fail,E0277
/// # let semaphore = outlive::Segment::anonymous().unwrap().semaphore("s", 1).unwrap();
/// let permit = semaphore.acquire().unwrap();
/// std::thread::scope(|scope| {
///     scope.spawn(move || drop(permit)); // not Send
/// });
/// ```
///
/// With `std::mem::forget`, they come back when the thread ends, as after its death.
/// [`forget`](Self::forget) takes them out of circulation.
#[must_use = "the permits are given back at once"]
pub struct Permit<'a> {
    semaphore: &'a Semaphore,
    share: &'a Share,
    count: u64,
    /// The share is the thread's: not Send.
    _thread: PhantomData<*mut ()>,
}

/// What an attempt came to.
enum Attempt<'a> {
    Taken(&'a Share),
    /// So few permits are available.
    Short(u64),
    /// All shares are held.
    Crowded,
}

/// The most permits of any semaphore.
const MOST: u64 = i64::MAX as u64;
/// How many may hold permits at a time. Under the model every word counts.
const LEAST_PLACES: u64 = if cfg!(loom) { 3 } else { 16 };
const MOST_PLACES: u64 = 256;

fn places_for(permits: u64) -> u64 {
    permits.clamp(LEAST_PLACES, MOST_PLACES)
}

impl Semaphore {
    /// The shares that were ever taken.
    fn used_shares(&self) -> impl Iterator<Item = &Share> {
        let used = self.inner.used.load(Ordering::Relaxed).min(self.places as u64) as usize;
        (0..used).filter_map(|index| self.shares.get(index))
    }

    /// Permits that living threads have.
    fn held(&self) -> u64 {
        self.used_shares()
            .filter(|share| shares::state(share) == State::Held)
            .map(|share| share.count.load(Ordering::Relaxed))
            .fold(0, u64::saturating_add)
    }

    /// Takes the lock, mends what a dead one left, and runs `work`.
    fn locked<R>(
        &self,
        deadline: Deadline,
        work: impl FnOnce(&layout::Semaphore) -> R,
    ) -> Result<R, LockError> {
        let node = self.inner.writable()?;
        if node.lock.lock(deadline)? == Acquired::OwnerDied {
            self.count_anew(node);
            // The dead one may not have come to it.
            node.event.notify(Notify::All);
            node.lock.mark_consistent();
        }
        let result = work(node);
        node.lock.unlock(Release::Clean);
        Ok(result)
    }

    // ---- with the lock held

    fn count_anew(&self, node: &layout::Semaphore) {
        let total = node.total.load(Ordering::Relaxed);
        node.available.store(total.saturating_sub(self.held()), Ordering::Relaxed);
    }

    /// Takes the permits of the dead back. True if there were any dead.
    #[cold]
    fn reclaim(&self, node: &layout::Semaphore) -> Result<bool, LockError> {
        let mut reclaimed = false;
        for share in self.used_shares().filter(|share| shares::state(share) == State::Dead) {
            shares::take(share)?;
            share.count.store(0, Ordering::Relaxed);
            share.lock.unlock(Release::Clean);
            reclaimed = true;
        }
        if reclaimed {
            self.count_anew(node);
            // The kernel has woken one.
            node.event.notify(Notify::All);
        }
        Ok(reclaimed)
    }

    fn free_share(&self, node: &layout::Semaphore) -> Option<&Share> {
        let mut dead = false;
        for share in self.used_shares() {
            match shares::state(share) {
                State::Free => return Some(share),
                State::Dead => dead = true,
                State::Held => {}
            }
        }
        if dead {
            return None;
        }
        // One that was never taken.
        let next = node.used.load(Ordering::Relaxed);
        let share = self.shares.get(usize::try_from(next).ok()?)?;
        node.used.store(next + 1, Ordering::Relaxed);
        Some(share)
    }

    fn attempt(&self, node: &layout::Semaphore, asked: u64) -> Result<Attempt<'_>, LockError> {
        let enough = || node.available.load(Ordering::Relaxed) >= asked;
        let mut free = if enough() { self.free_share(node) } else { None };
        if free.is_none() && self.reclaim(node)? && enough() {
            free = self.free_share(node);
        }
        let Some(share) = free else {
            if enough() {
                return Ok(Attempt::Crowded);
            }
            if asked > 1 {
                node.many.store(1, Ordering::Relaxed);
            }
            return Ok(Attempt::Short(node.available.load(Ordering::Relaxed)));
        };
        shares::take(share)?;
        share.count.store(asked, Ordering::Relaxed);
        let left = node.available.load(Ordering::Relaxed).saturating_sub(asked);
        node.available.store(left, Ordering::Relaxed);
        Ok(Attempt::Taken(share))
    }

    /// Adds to what is available and tells who waits.
    fn provide(node: &layout::Semaphore, count: u64) {
        let available = node.available.load(Ordering::Relaxed).saturating_add(count);
        node.available.store(available, Ordering::Relaxed);
        let all = count > 1 || node.many.load(Ordering::Relaxed) != 0;
        if all {
            node.many.store(0, Ordering::Relaxed);
        }
        node.event.notify(if all { Notify::All } else { Notify::One });
    }

    // ---- acquiring

    /// The most that can ever be had.
    fn most(&self) -> u64 {
        self.bound.unwrap_or(MOST)
    }

    fn permit<'a>(&'a self, share: &'a Share, count: u64) -> Permit<'a> {
        Permit { semaphore: self, share, count, _thread: PhantomData }
    }

    fn try_until(&self, asked: u64, deadline: Deadline) -> Result<Attempt<'_>, SemaphoreError> {
        let most = self.most();
        if asked > most {
            return Err(SemaphoreError::TooMany { asked, bound: most });
        }
        Ok(self.locked(deadline, |node| self.attempt(node, asked))??)
    }

    fn acquire_until(&self, asked: u64, deadline: Deadline) -> Result<Permit<'_>, SemaphoreError> {
        // No time at all is to be no worse than a try.
        let at_once = if deadline.remaining().is_none() { self.inner.forever() } else { deadline };
        match self.try_until(asked, at_once) {
            Ok(Attempt::Taken(share)) => return Ok(self.permit(share, asked)),
            Err(SemaphoreError::Lock(LockError::TimedOut { .. })) => {
                return Err(self.timed_out(asked));
            }
            Err(error) => return Err(error),
            Ok(Attempt::Short(_) | Attempt::Crowded) => {}
        }
        let outcome = if deadline.waiting.sleeps() {
            self.sleep_until(asked, deadline)
        } else {
            self.watch_until(asked, deadline)
        };
        match outcome {
            Ok(Some(share)) => Ok(self.permit(share, asked)),
            Ok(None) | Err(SemaphoreError::Lock(LockError::TimedOut { .. })) => {
                // It may have used up a wake-up that was meant for another one.
                self.inner.event.notify(Notify::One);
                Err(self.timed_out(asked))
            }
            Err(error) => {
                self.inner.event.notify(Notify::One);
                Err(error)
            }
        }
    }

    #[cold]
    fn timed_out(&self, asked: u64) -> SemaphoreError {
        SemaphoreError::TimedOut { asked, available: self.available() }
    }

    /// Whether an attempt is worth the lock.
    fn is_promising(&self, asked: u64) -> bool {
        self.inner.available.load(Ordering::Relaxed) >= asked
            || self.used_shares().any(|share| shares::state(share) == State::Dead)
    }

    /// None when the time is up.
    fn sleep_until(
        &self,
        asked: u64,
        deadline: Deadline,
    ) -> Result<Option<&Share>, SemaphoreError> {
        let event = &self.inner.event;
        if deadline.waiting.looks_first() {
            self.spin(asked);
        }
        loop {
            let announced = event.announce();
            if let Attempt::Taken(share) = self.try_until(asked, deadline)? {
                return Ok(Some(share));
            }
            let Some(patience) = deadline.remaining() else { return Ok(None) };
            // One that dies from here on has another word than the one that is read now.
            let Some(words) = self.words() else { continue };
            event.sleep(announced, &words, patience);
            if event.epoch.load(Ordering::Relaxed) == announced.epoch {
                self.used_shares().for_each(shares::bury_if_gone);
            }
        }
    }

    /// What else to sleep on. None if there is a dead one.
    fn words(&self) -> Option<Vec<(&AtomicU32, u32)>> {
        self.used_shares()
            .take(WATCHED)
            .map(|share| match shares::look(share) {
                (State::Dead, _) => None,
                (_, word) => Some((&share.lock.word, word)),
            })
            .collect()
    }

    /// Permits are given back soon, as a rule: looks for some microseconds.
    fn spin(&self, asked: u64) {
        for round in (5..=8).take(looks(usize::MAX)) {
            if self.is_promising(asked) {
                return;
            }
            for _ in 0..1_u32 << round {
                spin_loop();
            }
        }
    }

    /// [`sleep_until`](Self::sleep_until) without ever sleeping.
    fn watch_until(
        &self,
        asked: u64,
        deadline: Deadline,
    ) -> Result<Option<&Share>, SemaphoreError> {
        /// Looks between questions for threads that are gone.
        const SELDOM: u32 = 1 << 16;
        let mut count = 0_u32;
        let outcome = self.inner.event.wait_until(deadline, || {
            count = count.wrapping_add(1);
            if count.is_multiple_of(SELDOM) {
                self.used_shares().for_each(shares::bury_if_gone);
            }
            if !self.is_promising(asked) {
                return None;
            }
            match self.try_until(asked, deadline) {
                Ok(Attempt::Taken(share)) => Some(Ok(share)),
                Ok(Attempt::Short(_) | Attempt::Crowded) => None,
                Err(error) => Some(Err(error)),
            }
        });
        outcome.transpose()
    }

    // ---- what users call

    /// Acquires a permit, sleeping until there is one.
    ///
    /// # Errors
    ///
    /// [`Lock`](SemaphoreError::Lock) with [`ReadOnly`](LockError::ReadOnly) or
    /// [`TooManyLocks`](LockError::TooManyLocks): each permit counts as a lock of its thread.
    pub fn acquire(&self) -> Result<Permit<'_>, SemaphoreError> {
        self.acquire_many(1)
    }

    /// Acquires several permits at once, sleeping until there are as many. Until then it holds none.
    ///
    /// # Errors
    ///
    /// [`TooMany`](SemaphoreError::TooMany) if there can never be as many, and those of
    /// [`acquire`](Self::acquire).
    pub fn acquire_many(&self, count: u64) -> Result<Permit<'_>, SemaphoreError> {
        self.acquire_until(count, self.inner.forever())
    }

    /// Acquires a permit, sleeping for at most `timeout`. With a timeout of zero it is as
    /// [`try_acquire`](Self::try_acquire), but for the error.
    ///
    /// # Errors
    ///
    /// [`TimedOut`](SemaphoreError::TimedOut), never before the time is up, and those of
    /// [`acquire`](Self::acquire).
    pub fn acquire_timeout(&self, timeout: Duration) -> Result<Permit<'_>, SemaphoreError> {
        self.acquire_many_timeout(1, timeout)
    }

    /// Acquires several permits at once, sleeping for at most `timeout`.
    ///
    /// # Errors
    ///
    /// [`TimedOut`](SemaphoreError::TimedOut), never before the time is up, and those of
    /// [`acquire_many`](Self::acquire_many).
    pub fn acquire_many_timeout(
        &self,
        count: u64,
        timeout: Duration,
    ) -> Result<Permit<'_>, SemaphoreError> {
        self.acquire_until(count, self.inner.within(timeout))
    }

    /// Acquires a permit if there is one.
    ///
    /// # Errors
    ///
    /// Those of [`try_acquire_many`](Self::try_acquire_many).
    pub fn try_acquire(&self) -> Result<Permit<'_>, SemaphoreError> {
        self.try_acquire_many(1)
    }

    /// Acquires several permits if there are as many.
    ///
    /// # Errors
    ///
    /// [`NoPermits`](SemaphoreError::NoPermits); [`TooManyHolders`](SemaphoreError::TooManyHolders)
    /// if there are permits, but as many holders as there can be; and those of
    /// [`acquire_many`](Self::acquire_many).
    pub fn try_acquire_many(&self, count: u64) -> Result<Permit<'_>, SemaphoreError> {
        match self.try_until(count, self.inner.forever())? {
            Attempt::Taken(share) => Ok(self.permit(share, count)),
            Attempt::Short(available) => Err(SemaphoreError::NoPermits { asked: count, available }),
            Attempt::Crowded => Err(SemaphoreError::TooManyHolders { limit: self.places }),
        }
    }

    /// Puts new permits into circulation: beyond those that it was created with, or in place of
    /// [forgotten](Permit::forget) ones. Not for permits that are held, which come back by themselves.
    ///
    /// # Errors
    ///
    /// [`OverRelease`](SemaphoreError::OverRelease) if a bounded semaphore would have more than at its
    /// creation; nothing was changed then. [`Lock`](SemaphoreError::Lock).
    pub fn release(&self, count: u64) -> Result<(), SemaphoreError> {
        let bound = self.most();
        self.locked(self.inner.forever(), |node| {
            let total = node.total.load(Ordering::Relaxed);
            let Some(new) = total.checked_add(count).filter(|new| *new <= bound) else {
                return Err(SemaphoreError::OverRelease { released: count, total, bound });
            };
            // This store is the release.
            node.total.store(new, Ordering::Relaxed);
            Self::provide(node, count);
            Ok(())
        })?
    }

    /// How many permits can be had at the moment, those of the dead included. Takes no lock: while
    /// others acquire and give back, it may be off by what passes between them.
    #[must_use]
    pub fn available(&self) -> u64 {
        self.total().saturating_sub(self.held())
    }

    /// How many permits there are in circulation, held or not.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.inner.total.load(Ordering::Relaxed)
    }

    /// The most permits that there may be, if it is bounded.
    #[must_use]
    pub fn bound(&self) -> Option<u64> {
        self.bound
    }

    /// Who holds permits at the moment, and how many, to find out about a deadlock. Reads /proc.
    #[must_use]
    pub fn holders(&self) -> Vec<(Holder, u64)> {
        self.used_shares()
            .filter(|share| shares::state(share) == State::Held)
            .filter_map(|share| Some((share.lock.holder()?, share.count.load(Ordering::Relaxed))))
            .collect()
    }
}

impl Permit<'_> {
    /// How many permits it stands for.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Takes the permits out of circulation: they do not come back, neither now nor at a death.
    /// [`Semaphore::release`] makes up for them, from anywhere.
    ///
    /// # Errors
    ///
    /// [`Lock`](SemaphoreError::Lock) with [`TooManyLocks`](LockError::TooManyLocks); they are given
    /// back then, as by dropping.
    pub fn forget(self) -> Result<(), SemaphoreError> {
        // Not through a copy that a fork made.
        if shares::is_mine(self.share) {
            self.semaphore.locked(self.semaphore.inner.forever(), |node| {
                let total = node.total.load(Ordering::Relaxed);
                // This store takes them out.
                node.total.store(total.saturating_sub(self.count), Ordering::Relaxed);
                self.share.count.store(0, Ordering::Relaxed);
                // There is a place for another holder.
                Semaphore::provide(node, 0);
                self.share.lock.unlock(Release::Clean);
            })?;
        }
        // Without effect on a share that is not held any more.
        Ok(())
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        // A copy that a fork made gives nothing back, nor does one that was forgotten.
        if !shares::is_mine(self.share) {
            return;
        }
        let given = self.semaphore.locked(self.semaphore.inner.forever(), |node| {
            // This store gives them back. The share is released last: if this thread dies on the
            // way, its death wakes who waits.
            self.share.count.store(0, Ordering::Relaxed);
            Semaphore::provide(node, self.count);
            self.share.lock.unlock(Release::Clean);
        });
        if given.is_err() {
            // This thread has no room for one more lock: as if it had died.
            self.share.lock.unlock(Release::Dirty);
            self.semaphore.inner.event.notify(Notify::All);
        }
    }
}

impl fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Semaphore")
            .field("place", &self.inner)
            .field("available", &self.available())
            .field("total", &self.total())
            .field("bound", &self.bound)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Permit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").field("count", &self.count).finish_non_exhaustive()
    }
}

waits!(Semaphore, inner);

/// How many holders [`wait_any`](crate::wait_any) watches, whose words it has to share with others.
const WATCHED_BY_ANY: usize = 15;

impl Semaphore {
    fn bury_watched(&self) {
        self.used_shares().take(WATCHED_BY_ANY).for_each(shares::bury_if_gone);
    }
}

/// Ready when at least one permit can be had.
#[allow(private_interfaces)] // sealed
impl Wait for Semaphore {
    fn words(&self) -> usize {
        1 + WATCHED_BY_ANY.min(self.places)
    }

    fn is_ready(&self) -> Result<bool, LockError> {
        self.inner.writable()?;
        Ok(self.available() > 0)
    }

    fn announce<'a>(&'a self, words: &mut Words<'a>) -> Result<(), LockError> {
        words.event(&self.inner.writable()?.event);
        for share in self.used_shares().take(WATCHED_BY_ANY) {
            // One that is dead by now makes it ready; one that dies later has another word then.
            words.beside(&share.lock);
        }
        Ok(())
    }

    fn woken(&self) {
        self.bury_watched();
        pass_on(&self.inner.event, self.available() > 0);
    }
}

impl Segment {
    /// The [`Semaphore`] of that name, created with so many permits if there is none.
    /// [`Semaphore::release`] may raise their number. 0 is possible: they are all released later.
    ///
    /// # Errors
    ///
    /// See [`find_or_create`](Self::find_or_create).
    pub fn semaphore(&self, name: &str, permits: u64) -> Result<Semaphore, ObjectError> {
        self.find_or_create(name, (permits, false))
    }

    /// The bounded [`Semaphore`] of that name, created with so many permits if there is none. It never
    /// has more: releasing one too many is an error.
    ///
    /// # Errors
    ///
    /// See [`find_or_create`](Self::find_or_create).
    pub fn bounded_semaphore(&self, name: &str, permits: u64) -> Result<Semaphore, ObjectError> {
        self.find_or_create(name, (permits, true))
    }
}

/// Where the shares start.
const SHARES: usize = size_of::<layout::Semaphore>();

#[allow(private_interfaces)] // sealed
impl Mechanics for Semaphore {
    /// Permits, and whether there may never be more.
    type Init = (u64, bool);

    const KIND: ObjectKind = ObjectKind::Semaphore;
    const TYPE_TAG: u64 = u64::TYPE_TAG;

    fn describe(f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Semaphore")
    }

    fn size(&(permits, bounded): &(u64, bool)) -> Result<u64, &'static str> {
        if permits > MOST {
            return Err("no semaphore has so many permits");
        }
        if bounded && permits == 0 {
            return Err("a bounded semaphore without permits could never be acquired");
        }
        Ok(SHARES as u64 + places_for(permits) * size_of::<Share>() as u64)
    }

    fn initialise(extent: &Extent, (permits, bounded): (u64, bool)) -> Option<()> {
        let head = extent.head::<layout::Semaphore>()?;
        let places = places_for(permits);
        head.lock.reset();
        head.total.store(permits, Ordering::Relaxed);
        head.available.store(permits, Ordering::Relaxed);
        head.used.store(0, Ordering::Relaxed);
        head.bound.store(if bounded { permits } else { 0 }, Ordering::Relaxed);
        head.shares.store(places, Ordering::Relaxed);
        head.initial.store(permits, Ordering::Relaxed);
        head.many.store(0, Ordering::Relaxed);
        head.event.reset();
        let places = usize::try_from(places).ok()?;
        let shares = extent.series::<Share>(SHARES, size_of::<Share>(), places)?;
        for index in 0..places {
            let share = shares.get(index)?;
            share.lock.reset();
            share.count.store(0, Ordering::Relaxed);
        }
        Some(())
    }

    fn attach(extent: &Extent) -> Result<Self, &'static str> {
        let inner: Located<layout::Semaphore> =
            extent.head().ok_or("it is too small for a semaphore")?;
        let places = inner.shares.load(Ordering::Relaxed);
        if !(LEAST_PLACES..=MOST_PLACES).contains(&places) {
            return Err("its number of shares is none that a semaphore has");
        }
        let places = places as usize; // at most MOST_PLACES
        let shares = extent
            .series(SHARES, size_of::<Share>(), places)
            .ok_or("it is too small for its shares")?;
        let bound = inner.bound.load(Ordering::Relaxed);
        if bound > MOST {
            return Err("its bound is none that a semaphore has");
        }
        Ok(Self { inner, shares, places, bound: (bound > 0).then_some(bound) })
    }

    fn fits(&self, &(permits, bounded): &(u64, bool)) -> Result<(), Misfit> {
        let (found, asked) = (self.bound.unwrap_or(0), if bounded { permits } else { 0 });
        if found != asked {
            return Err(("bound (0 is none)", found, asked));
        }
        match self.inner.initial.load(Ordering::Relaxed) {
            initial if initial == permits => Ok(()),
            initial => Err(("number of permits", initial, permits)),
        }
    }
}
