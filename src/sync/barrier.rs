//! `Barrier`: nobody goes on before all parties have come, and nobody waits for a dead one.
//!
//! # Words
//!
//! Each party has a share, a robust lock that its thread holds from its arrival to its departure. The
//! share's `count` is the generation in which it waits, so that
//!
//! | share's word | its `count` | |
//! |---|---|---|
//! | free | means nothing | |
//! | held | `generation` | a party that waits, or runs the action |
//! | held | another generation | one that was let through and has not departed yet |
//! | held | `TURNED_AWAY` | one that waited when the barrier was reset |
//! | dead | `generation` | one that died while it waited: the barrier is broken |
//! | dead | anything else | as good as free |
//!
//! How many wait is counted, not kept. `generation` and `broken` are written under `lock` only: the
//! last party lets all through with the store of `generation + 1`; `broken` is 1 from the store that
//! breaks the barrier until it is reset. Both are followed by a wake-up of `event`.
//!
//! Who waits reads without the lock: another generation means that it was let through, unless its
//! share says `TURNED_AWAY`, which is stored before the generation changes; the same one and `broken`
//! mean that it was not. It sleeps on `event` and on the other shares' words, free ones as well, so
//! that the kernel's wake at a death wakes a party, whoever came when.
//!
//! # What a death leaves behind
//!
//! * of one that waits: a dead share of this generation. Whoever sees it (the kernel wakes one)
//!   breaks the barrier and tells the others.
//! * of the last one, before the store of the generation: the same. After that, everybody passes; one
//!   that finds so without having been told tells the others.
//! * of one that was let through: a share that is as good as free.
//! * of one that has not stored its generation yet: nothing, as if it had not come.
//! * in `reset`, on the way: while somebody waits, the barrier is broken first and mended last, so it
//!   stays broken.
//! * in `abort`, between the store and the wake-up: sleepers look by themselves after 100 ms.

use std::fmt;
use std::hint::spin_loop;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::shares::{self, State, WATCHED};
use crate::Segment;
use crate::error::{BarrierError, LockError, ObjectError};
use crate::layout::{self, Share};
use crate::raw::deadline::Deadline;
use crate::raw::event_count::Notify;
use crate::raw::lock::{Acquired, Release};
use crate::raw::waiting::waits;
use crate::seam::atomic::AtomicU32;
use crate::seam::{futex, looks};
use crate::segment::object::{Mechanics, Misfit, ObjectKind};
use crate::segment::region::{Extent, Located, Series};
use crate::shared::Shared;

#[cfg(all(test, loom))]
#[path = "../model/barrier.rs"]
mod model;

/// A place where so many parties wait for one another. Opened by name: [`Segment::barrier`].
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use outlive::Segment;
///
/// let phase = Segment::anonymous()?.barrier("phase", 2)?;
/// std::thread::scope(|scope| {
///     let other = scope.spawn(|| phase.wait());
///     let mine = phase.wait()?;
///     let other = other.join().expect("join")?;
///     assert_ne!(mine.is_leader(), other.is_leader()); // one of them, whoever it is
///     Ok(())
/// })
/// # }
/// ```
///
/// Any thread of any process may be a party, and it may be used again and again: the parties of one
/// round have to arrive before the next one begins. Should more threads come than there are parties,
/// the rest waits for the next round.
///
/// # Broken
///
/// A barrier that one party cannot come to any more is of no use to the others. It breaks when a
/// party that waits dies, gives up ([`wait_timeout`](Self::wait_timeout)), or panics in its action, or
/// when somebody calls [`abort`](Self::abort). Everybody who waits and who comes gets
/// [`BarrierError::Broken`], until somebody calls [`reset`](Self::reset).
///
/// # Crash behaviour
///
/// A party that is killed while it waits, or in its action, breaks the barrier: the others get
/// `Err(Broken)` at once, and do not wait for it. One that was let through and dies afterwards breaks
/// nothing, nor does one that dies before it has arrived. Killed as the last one to arrive, it has let
/// all others through or broken the barrier for all. (`exec` by a thread other than the process's
/// first one is not reported by the kernel; those who wait find it out by themselves, the sooner the
/// fewer parties there are, from 100 ms on.)
///
/// # Memory ordering
///
/// What any party, and the action, wrote before is seen by every party after it was let through.
#[derive(Clone)]
pub struct Barrier {
    inner: Located<layout::Barrier>,
    shares: Series<Share>,
    parties: usize,
}

/// What a party gets that was let through a [`Barrier`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BarrierWaitResult {
    index: usize,
    parties: usize,
}

impl BarrierWaitResult {
    /// When it arrived: 0 is the first party, one less than there are parties the last one.
    #[must_use]
    pub fn index(&self) -> usize {
        self.index
    }

    /// True for exactly one of the parties: the last one to arrive, which ran the action if there was
    /// one.
    #[must_use]
    pub fn is_leader(&self) -> bool {
        self.index + 1 == self.parties
    }
}

/// The share's count of one that was reset.
const TURNED_AWAY: u64 = u64::MAX;
/// The share's count of one that was never used.
const NEVER: u64 = u64::MAX - 1;

/// The most parties of any barrier: each one looks at all the others.
const MOST: usize = 1 << 16;

/// One that has arrived, until it departs.
struct Party<'a> {
    barrier: &'a Barrier,
    share: &'a Share,
    /// Which share.
    place: usize,
    generation: u64,
    index: usize,
    /// Nobody waits for it any more.
    released: bool,
}

/// What arriving came to.
enum Arrival<'a> {
    Here(Party<'a>),
    /// As the last one, and all were let through.
    Through(Party<'a>),
    Broken,
    /// All shares are held, this one perhaps not for long.
    Crowded(usize),
}

/// Whether a party was let through; None as long as it waits.
type Verdict = Option<Result<(), BarrierError>>;

/// How long a party whose time is up waits for the lock, to arrive and to tell the others that it gives
/// up. Others hold the lock for nanoseconds, or until they have a processor again; longer only if they
/// are stopped in that moment. Then a party that has arrived leaves as if it had died.
const GRACE: Duration = Duration::from_secs(1);

impl Barrier {
    fn shares(&self) -> impl Iterator<Item = &Share> {
        (0..self.parties).filter_map(|index| self.shares.get(index))
    }

    /// Takes the lock, whose state a death leaves as it has to be, and runs `work`. Others hold it for
    /// a moment, or are dead, or stopped in that moment.
    fn locked<R>(
        &self,
        deadline: Deadline,
        work: impl FnOnce(&layout::Barrier) -> R,
    ) -> Result<R, LockError> {
        let node = self.inner.writable()?;
        if node.lock.lock(deadline)? == Acquired::OwnerDied {
            // The dead one may not have come to it.
            node.event.notify(Notify::All);
            node.lock.mark_consistent();
        }
        let result = work(node);
        node.lock.unlock(Release::Clean);
        Ok(result)
    }

    pub(crate) fn generation(&self) -> u64 {
        // Acquire: pairs with the Release in `advance`.
        self.inner.generation.load(Ordering::Acquire)
    }

    /// Whether a share is that of one who died while it waited in a generation.
    fn died_in(share: &Share, generation: u64) -> bool {
        // Acquire: pairs with the Release in `arrive`. Who sees the generation of one that has taken a
        // dead share sees the share taken: what it died in is told by a word that is dead still.
        shares::state(share) == State::Dead
            && share.count.load(Ordering::Acquire) == generation
            && shares::state(share) == State::Dead
    }

    fn any_died_in(&self, generation: u64) -> bool {
        self.shares().any(|share| Self::died_in(share, generation))
    }

    // ---- with the lock held

    fn smash(node: &layout::Barrier) {
        // Release: pairs with the Acquire in `verdict`.
        node.broken.store(1, Ordering::Release);
        node.event.notify(Notify::All);
    }

    /// Lets everybody through who waits.
    fn advance(node: &layout::Barrier, generation: u64) {
        // Release: pairs with the Acquire in `generation`. This store lets them through.
        node.generation.store(generation.wrapping_add(1), Ordering::Release);
        node.event.notify(Notify::All);
    }

    /// Breaks the barrier if one that waits has died. True if it is broken.
    fn check(&self, node: &layout::Barrier) -> bool {
        if node.broken.load(Ordering::Relaxed) != 0 {
            return true;
        }
        let died = self.any_died_in(node.generation.load(Ordering::Relaxed));
        if died {
            Self::smash(node);
        }
        died
    }

    fn arrive(&self, node: &layout::Barrier, at_once: bool) -> Result<Arrival<'_>, LockError> {
        if node.broken.load(Ordering::Relaxed) != 0 {
            return Ok(Arrival::Broken);
        }
        let generation = node.generation.load(Ordering::Relaxed);
        let (mut index, mut free, mut departing) = (0, None, None);
        for (place, share) in self.shares().enumerate() {
            // One look at each word: who dies meanwhile either counts as waiting or is found dead.
            let state = shares::state(share);
            let waits = share.count.load(Ordering::Relaxed) == generation;
            match state {
                State::Held if waits => index += 1,
                State::Held => departing = Some(place),
                State::Dead if waits => {
                    Self::smash(node);
                    return Ok(Arrival::Broken);
                }
                State::Free | State::Dead => free = free.or(Some((place, share))),
            }
        }
        let Some((place, share)) = free else {
            return Ok(Arrival::Crowded(departing.unwrap_or(0)));
        };
        shares::take(share)?;
        // Release: pairs with the Acquire in `died_in`. It has arrived with this store.
        share.count.store(generation, Ordering::Release);
        let mut party = Party { barrier: self, share, place, generation, index, released: false };
        if at_once && party.is_last() {
            Self::advance(node, generation);
            party.released = true;
            return Ok(Arrival::Through(party));
        }
        Ok(Arrival::Here(party))
    }

    // ---- what a party does

    /// Arrives, once there is a share for it.
    fn enter(&self, at_once: bool, deadline: Deadline) -> Result<Arrival<'_>, BarrierError> {
        loop {
            let crowded =
                match self.locked(deadline.at_least(GRACE), |node| self.arrive(node, at_once))?? {
                    Arrival::Crowded(place) => self.shares.get(place),
                    Arrival::Broken => return Err(BarrierError::Broken),
                    arrival => return Ok(arrival),
                };
            if self.shares().any(|share| share.lock.is_mine()) {
                // From within the action: this round cannot end before it returns.
                return Err(LockError::Deadlock.into());
            }
            let Some(patience) = deadline.remaining() else {
                self.locked(deadline.at_least(GRACE), Self::smash)?;
                return Err(BarrierError::TimedOut);
            };
            let slice = Deadline::after(patience.min(futex::RECHECK)).with(deadline.waiting);
            match crowded.map_or(Ok(()), |share| share.lock.wait_until_free(slice)) {
                Ok(()) | Err(LockError::TimedOut { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn pass<A: FnOnce()>(
        &self,
        action: Option<A>,
        deadline: Deadline,
    ) -> Result<BarrierWaitResult, BarrierError> {
        let (mut party, through) = match self.enter(action.is_none(), deadline)? {
            Arrival::Through(party) => (party, true),
            Arrival::Here(party) => (party, false),
            Arrival::Broken | Arrival::Crowded(_) => return Err(BarrierError::Broken),
        };
        if !through {
            let outcome = match action {
                Some(action) if party.is_last() => {
                    // If it panics, the party is dropped without having been released.
                    action();
                    self.complete(&party, deadline)
                }
                _ => self.await_others(&party, deadline),
            };
            party.released = !matches!(outcome, Err(BarrierError::Lock(_)));
            outcome?;
        }
        Ok(BarrierWaitResult { index: party.index, parties: self.parties })
    }

    /// After the action.
    fn complete(&self, party: &Party<'_>, deadline: Deadline) -> Result<(), BarrierError> {
        self.locked(deadline.at_least(GRACE), |node| {
            if let Some(verdict) = self.verdict(party) {
                return verdict;
            }
            if self.check(node) {
                return Err(BarrierError::Broken);
            }
            Self::advance(node, party.generation);
            Ok(())
        })?
    }

    fn verdict(&self, party: &Party<'_>) -> Verdict {
        let moved_on = || {
            (self.generation() != party.generation).then(|| {
                let turned_away = party.share.count.load(Ordering::Relaxed) == TURNED_AWAY;
                if turned_away { Err(BarrierError::Broken) } else { Ok(()) }
            })
        };
        moved_on().or_else(|| {
            // Acquire: pairs with the Release in `smash`; a generation that ended before is seen.
            let broken = self.inner.broken.load(Ordering::Acquire) != 0;
            broken.then(|| moved_on().unwrap_or(Err(BarrierError::Broken)))
        })
    }

    fn await_others(&self, party: &Party<'_>, deadline: Deadline) -> Result<(), BarrierError> {
        let event = &self.inner.event;
        if !deadline.waiting.sleeps() {
            return self.watch(party, deadline);
        }
        if deadline.waiting.looks_first() {
            self.spin(party);
        }
        let mut untold = false;
        let mut turn = 0;
        loop {
            let announced = event.announce();
            if let Some(verdict) = self.verdict(party) {
                if untold {
                    // Who was to tell has died, perhaps.
                    event.notify(Notify::All);
                }
                return verdict;
            }
            let Some(words) = self.words(party) else {
                self.locked(deadline.at_least(GRACE), |node| self.check(node))?;
                continue;
            };
            let Some(patience) = deadline.remaining() else { return self.give_up(party) };
            event.sleep(announced, &words, patience);
            untold = event.epoch.load(Ordering::Relaxed) == announced.epoch;
            if untold {
                self.bury_the_gone(party, turn);
                turn += 1;
            }
        }
    }

    /// The time is up, unless it was let through at the last moment.
    fn give_up(&self, party: &Party<'_>) -> Result<(), BarrierError> {
        self.locked(Deadline::after(GRACE), |node| {
            if let Some(verdict) = self.verdict(party) {
                return verdict;
            }
            if self.check(node) {
                return Err(BarrierError::Broken);
            }
            Self::smash(node);
            Err(BarrierError::TimedOut)
        })?
    }

    /// The shares of others from the next one on, around.
    fn others(&self, party: &Party<'_>) -> impl Iterator<Item = &Share> {
        let place = party.place;
        (1..self.parties).filter_map(move |step| self.shares.get((place + step) % self.parties))
    }

    /// What else to sleep on: of many parties, each one watches those that come next. None if one of
    /// them has died while it waited.
    fn words(&self, party: &Party<'_>) -> Option<Vec<(&AtomicU32, u32)>> {
        self.others(party)
            .take(WATCHED)
            .map(|share| {
                let (_, word) = shares::look(share);
                // After the look: had it died between, its word is not that any more.
                let died = Self::died_in(share, party.generation);
                (!died).then_some((&share.lock.word, word))
            })
            .collect()
    }

    /// Looks after a few others at each turn, since that is a system call for each.
    fn bury_the_gone(&self, party: &Party<'_>, turn: usize) {
        const FEW: usize = 8;
        let others = self.parties.saturating_sub(1).max(1);
        let skip = turn.wrapping_mul(FEW) % others;
        self.others(party).skip(skip).take(FEW).for_each(shares::bury_if_gone);
    }

    /// The others come soon, perhaps: looks for some microseconds.
    fn spin(&self, party: &Party<'_>) {
        for round in (5..=8).take(looks(usize::MAX)) {
            if self.verdict(party).is_some() {
                return;
            }
            for _ in 0..1_u32 << round {
                spin_loop();
            }
        }
    }

    /// [`await_others`](Self::await_others) without ever sleeping.
    fn watch(&self, party: &Party<'_>, deadline: Deadline) -> Result<(), BarrierError> {
        /// Looks between questions for threads that are gone.
        const SELDOM: usize = 1 << 16;
        let mut count = 0_usize;
        let outcome = self.inner.event.wait_until(deadline, || {
            count = count.wrapping_add(1);
            if count.is_multiple_of(SELDOM) {
                self.bury_the_gone(party, count / SELDOM);
            }
            if self.any_died_in(party.generation)
                && let Err(error) = self.locked(deadline.at_least(GRACE), |node| self.check(node))
            {
                return Some(Err(error.into()));
            }
            self.verdict(party)
        });
        outcome.unwrap_or_else(|| self.give_up(party))
    }

    // ---- what users call

    /// Waits until as many parties have arrived as the barrier has.
    ///
    /// # Errors
    ///
    /// [`Broken`](BarrierError::Broken): see above. [`Lock`](BarrierError::Lock) with
    /// [`ReadOnly`](LockError::ReadOnly), [`TooManyLocks`](LockError::TooManyLocks), or
    /// [`Deadlock`](LockError::Deadlock) if it is called from the action of the same round.
    pub fn wait(&self) -> Result<BarrierWaitResult, BarrierError> {
        self.pass(None::<fn()>, self.inner.forever())
    }

    /// Waits for at most `timeout`. A party that gives up breaks the barrier for the others.
    ///
    /// # Errors
    ///
    /// [`TimedOut`](BarrierError::TimedOut), never before the time is up, and those of
    /// [`wait`](Self::wait). [`Lock`](BarrierError::Lock) with [`TimedOut`](LockError::TimedOut) if
    /// another party was stopped just when it looked at the barrier: up to a second is waited for that.
    pub fn wait_timeout(&self, timeout: Duration) -> Result<BarrierWaitResult, BarrierError> {
        self.pass(None::<fn()>, self.inner.within(timeout))
    }

    /// As [`wait`](Self::wait); if it is the last party to arrive, it runs `action` before anybody is
    /// let through. All parties of a round should come with the same one.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let segment = outlive::Segment::anonymous()?;
    /// # let (barrier, rounds) = (segment.barrier("barrier", 1)?, segment.counter("rounds")?);
    /// barrier.wait_with(|| {
    ///     rounds.add(1).expect("a counter"); // once for all parties
    /// })?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`wait`](Self::wait). `Broken` also if another party died or gave up, or the barrier
    /// was aborted or reset, while the action ran.
    ///
    /// # Panics
    ///
    /// If the action does; the barrier is broken then.
    pub fn wait_with(&self, action: impl FnOnce()) -> Result<BarrierWaitResult, BarrierError> {
        self.pass(Some(action), self.inner.forever())
    }

    /// [`wait_with`](Self::wait_with) for at most `timeout`, which limits the wait for the other
    /// parties, and for another one's action, but not the own action.
    ///
    /// # Errors
    ///
    /// Those of [`wait_timeout`](Self::wait_timeout) and [`wait_with`](Self::wait_with).
    ///
    /// # Panics
    ///
    /// If the action does; the barrier is broken then.
    pub fn wait_timeout_with(
        &self,
        timeout: Duration,
        action: impl FnOnce(),
    ) -> Result<BarrierWaitResult, BarrierError> {
        self.pass(Some(action), self.inner.within(timeout))
    }

    /// Breaks the barrier: who waits, and who comes before it is [`reset`](Self::reset), gets
    /// [`Broken`](BarrierError::Broken).
    ///
    /// # Errors
    ///
    /// [`ReadOnly`](LockError::ReadOnly), [`TooManyLocks`](LockError::TooManyLocks).
    pub fn abort(&self) -> Result<(), LockError> {
        self.locked(self.inner.forever(), Self::smash)
    }

    /// Makes an empty barrier of it, which is not broken. Those who wait get
    /// [`Broken`](BarrierError::Broken).
    ///
    /// # Errors
    ///
    /// [`ReadOnly`](LockError::ReadOnly), [`TooManyLocks`](LockError::TooManyLocks).
    pub fn reset(&self) -> Result<(), LockError> {
        self.locked(self.inner.forever(), |node| {
            let generation = node.generation.load(Ordering::Relaxed);
            let waits = |share: &&Share| share.count.load(Ordering::Relaxed) == generation;
            let held = |share: &&Share| shares::state(share) == State::Held;
            if self.shares().filter(waits).any(|share| held(&share)) {
                // Until it is done: a death on the way may not leave them waiting.
                Self::smash(node);
                for share in self.shares().filter(waits).filter(held) {
                    share.count.store(TURNED_AWAY, Ordering::Relaxed);
                }
            }
            Self::advance(node, generation);
            node.broken.store(0, Ordering::Relaxed);
        })
    }

    /// Whether it is broken at the moment, by a death that nobody has noticed yet as well.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        let generation = self.generation();
        // Acquire: as in `verdict`.
        self.inner.broken.load(Ordering::Acquire) != 0
            || (self.any_died_in(generation) && self.generation() == generation)
    }

    /// How many parties wait at the moment; 0 if it is broken.
    #[must_use]
    pub fn waiting(&self) -> usize {
        if self.is_broken() {
            return 0;
        }
        let generation = self.generation();
        let waits = |share: &&Share| {
            shares::state(share) == State::Held && share.count.load(Ordering::Relaxed) == generation
        };
        self.shares().filter(waits).count()
    }

    /// How many parties it takes.
    #[must_use]
    pub fn parties(&self) -> usize {
        self.parties
    }
}

impl Party<'_> {
    fn is_last(&self) -> bool {
        self.index + 1 == self.barrier.parties
    }
}

/// Departs. One that the others still wait for breaks the barrier.
impl Drop for Party<'_> {
    fn drop(&mut self) {
        if !shares::is_mine(self.share) {
            return;
        }
        let settled = self.released
            || self
                .barrier
                .locked(Deadline::after(GRACE), |node| {
                    if self.barrier.verdict(self).is_none() {
                        Barrier::smash(node);
                    }
                })
                .is_ok();
        // If it cannot even say so: as if it had died.
        self.share.lock.unlock(if settled { Release::Clean } else { Release::Dirty });
        if !settled {
            self.barrier.inner.event.notify(Notify::All);
        }
    }
}

impl fmt::Debug for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Barrier")
            .field("place", &self.inner)
            .field("parties", &self.parties)
            .field("waiting", &self.waiting())
            .field("broken", &self.is_broken())
            .finish_non_exhaustive()
    }
}

waits!(Barrier, inner);

impl Segment {
    /// The [`Barrier`] of that name, created for so many parties if there is none.
    ///
    /// # Errors
    ///
    /// See [`find_or_create`](Self::find_or_create).
    pub fn barrier(&self, name: &str, parties: usize) -> Result<Barrier, ObjectError> {
        self.find_or_create(name, parties)
    }
}

/// Where the shares start.
const SHARES: usize = size_of::<layout::Barrier>();

#[allow(private_interfaces)] // sealed
impl Mechanics for Barrier {
    /// Parties.
    type Init = usize;

    const KIND: ObjectKind = ObjectKind::Barrier;
    const TYPE_TAG: u64 = u64::TYPE_TAG;

    fn describe(f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Barrier")
    }

    fn size(parties: &usize) -> Result<u64, &'static str> {
        match *parties {
            0 => Err("a barrier needs at least one party"),
            1..=MOST => Ok((SHARES + parties * size_of::<Share>()) as u64),
            _ => Err("a barrier has at most 65536 parties"),
        }
    }

    fn initialise(extent: &Extent, parties: usize) -> Option<()> {
        let head = extent.head::<layout::Barrier>()?;
        head.lock.reset();
        head.parties.store(parties as u64, Ordering::Relaxed);
        head.generation.store(0, Ordering::Relaxed);
        head.broken.store(0, Ordering::Relaxed);
        head.event.reset();
        let shares = extent.series::<Share>(SHARES, size_of::<Share>(), parties)?;
        for index in 0..parties {
            let share = shares.get(index)?;
            share.lock.reset();
            share.count.store(NEVER, Ordering::Relaxed);
        }
        Some(())
    }

    fn attach(extent: &Extent) -> Result<Self, &'static str> {
        let inner: Located<layout::Barrier> =
            extent.head().ok_or("it is too small for a barrier")?;
        let parties = usize::try_from(inner.parties.load(Ordering::Relaxed))
            .ok()
            .filter(|parties| (1..=MOST).contains(parties))
            .ok_or("its number of parties is none that a barrier has")?;
        let shares = extent
            .series(SHARES, size_of::<Share>(), parties)
            .ok_or("it is too small for its parties")?;
        Ok(Self { inner, shares, parties })
    }

    fn fits(&self, parties: &usize) -> Result<(), Misfit> {
        if self.parties == *parties {
            Ok(())
        } else {
            Err(("number of parties", self.parties as u64, *parties as u64))
        }
    }
}
