//! `Broadcast<T>`: every subscriber sees every message.
//!
//! # Words
//!
//! A ring of cells (`data::cells`), whose messages are published by their stamp. Publishers exclude
//! one another by the tail's lock and go on from `tail.position`, as the producers of a `Queue` do.
//! Before a publisher changes a cell it takes its stamp away, so that who copies a message finds out
//! whether it was overwritten meanwhile: by the stamp, before and after the copy.
//!
//! Each subscriber has a share (`sync::shares`): a robust lock that it holds as long as it subscribes,
//! and in `count` the position that it reads next, which only it writes (before that, who subscribes
//! does, under the tail's lock).
//!
//! Where slow subscribers are waited for, a publisher uses a cell only if no live subscriber's
//! position is a whole ring behind. `tail.limit` keeps the lowest position that publishers saw; who
//! subscribes lowers it. Where they are not, publishers look at no share at all.
//!
//! # What a death leaves behind
//!
//! * a publisher before it stored the stamp: `tail.position` leads to a cell without one. The next one
//!   writes it; the message that it held before was the oldest, and counts as missed.
//! * a publisher after that: the next one moves `tail.position` on, as in a queue, and wakes all.
//! * a subscriber: the kernel marks its share, and it gates nobody any more. A publisher that waits
//!   for it sleeps on the share's word, too. The next one who subscribes takes the share over.
//! * who subscribes, between taking a share and setting its position: as above; nobody published
//!   meanwhile.

#[cfg(feature = "async")]
mod future;
mod subscriber;

use std::fmt;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::data::QueueStats;
use crate::data::attempt::{Attempt, pushed, pushed_in_time};
use crate::data::cells::{Cells, EMPTY, filled};
use crate::error::{LockError, ObjectError, PushError, SubscribeError};
use crate::layout::{self, Share};
use crate::raw::deadline::Deadline;
use crate::raw::event_count::Notify;
use crate::raw::lock::{Acquired, Release};
use crate::raw::waiting::waits;
use crate::seam::atomic::fence;
use crate::segment::Segment;
use crate::segment::object::{Mechanics, Misfit, ObjectKind};
use crate::segment::region::{Extent, Located, Series};
use crate::shared::Shared;
use crate::sync::shares;

pub use subscriber::Subscriber;

/// A bounded channel whose messages reach every [`Subscriber`]. Opened by name:
/// [`Segment::broadcast`].
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use outlive::{Segment, Slow, Start};
///
/// let prices = Segment::anonymous()?.broadcast::<f64>("prices", 64, Slow::Overwrite)?;
/// prices.publish(1.5)?;
/// let mut late = prices.subscribe(Start::Newest)?; // what comes from now on
/// let mut early = prices.subscribe(Start::Oldest)?; // what is still there as well
/// prices.publish(2.5)?;
/// assert_eq!(late.recv()?, 2.5);
/// assert_eq!((early.recv()?, early.recv()?), (1.5, 2.5));
/// # Ok(())
/// # }
/// ```
///
/// Any number of processes may publish. Messages of one publisher arrive in the order in which it
/// published them, and all subscribers see all messages in the same order. There is room for
/// [`places`](Self::places) subscribers at a time.
///
/// # Crash behaviour
///
/// A published message stays, for each subscriber exactly once, until it is overwritten. A publisher
/// killed while it writes a message drops it whole; that is counted ([`stats`](Self::stats)). A
/// subscriber that is killed gates no publisher from that moment on, and its place is free.
///
/// # Memory ordering
///
/// What was written before a message was published is seen by who has received it.
pub struct Broadcast<T> {
    inner: Located<layout::Broadcast>,
    shares: Series<Share>,
    cells: Cells<T>,
    places: usize,
    slow: Slow,
}

impl<T> Clone for Broadcast<T> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), ..*self }
    }
}

impl<T> fmt::Debug for Broadcast<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Broadcast")
            .field("place", &self.inner)
            .field("capacity", &self.cells.capacity())
            .field("slow", &self.slow)
            .field("subscribers", &self.live_shares().count())
            .finish_non_exhaustive()
    }
}

/// What happens to a subscriber that does not keep up with the publishers of a [`Broadcast`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u64)]
pub enum Slow {
    /// Publishers wait until it has received what they would overwrite. (Without subscribers, nobody
    /// waits.)
    Block = 0,
    /// Publishers never wait. It is told how many messages it has missed.
    Overwrite = 1,
}

/// The first message that a new subscriber of a [`Broadcast`] receives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Start {
    /// The oldest one that is still there.
    Oldest,
    /// The next one that is published.
    Newest,
}

impl<T> Broadcast<T> {
    /// The shares of those that subscribe at the moment.
    fn live_shares(&self) -> impl Iterator<Item = &Share> {
        (0..self.places)
            .map_while(|place| self.shares.get(place))
            .filter(|share| share.lock.is_held())
    }

    /// How far a share's subscriber is behind a position. None if it gates nobody: positions that
    /// cannot be are not waited for.
    fn behind(&self, share: &Share, position: u64) -> Option<u64> {
        // Acquire: pairs with the Release in `Subscriber::advance`: what was received was read.
        let behind = position.wrapping_sub(share.count.load(Ordering::Acquire));
        (behind <= self.cells.capacity()).then_some(behind)
    }

    /// The live subscriber that is the furthest behind a position, and how far.
    fn slowest(&self, position: u64) -> Option<(&Share, u64)> {
        self.live_shares()
            .filter_map(|share| Some((share, self.behind(share, position)?)))
            .max_by_key(|(_, behind)| *behind)
    }

    /// Where messages lie, which nobody reads while they are written if slow subscribers are waited
    /// for.
    #[cfg(loom)]
    pub(crate) fn memory(&self) -> impl Iterator<Item = core::ops::Range<usize>> {
        self.cells.memory()
    }

    fn is_over(&self) -> bool {
        self.inner.closed.load(Ordering::Relaxed) != 0
    }

    /// How many messages are still there before a position.
    fn retained(&self, position: u64) -> u64 {
        let count = position.min(self.cells.capacity());
        // The oldest may be gone already, under a publisher that is at it or died with it.
        let oldest = position - count;
        if count > 0 && !self.cells.is_filled(oldest, Ordering::Relaxed) {
            count - 1
        } else {
            count
        }
    }
}

impl<T: Shared> Broadcast<T> {
    /// With the tail's lock held by this thread, from a dead publisher.
    #[cold]
    fn recover_tail(&self, head: &layout::Broadcast) {
        let position = head.tail.position.load(Ordering::Relaxed);
        // Relaxed: the lock orders what the dead one did.
        if self.cells.is_filled(position, Ordering::Relaxed) {
            head.tail.advance(position);
        } else {
            head.tail.count_interrupted(position);
        }
        // The dead one may not have come to it.
        head.not_empty.event.notify(Notify::All);
        head.tail.lock.mark_consistent();
    }

    fn lock_tail(&self, deadline: Deadline) -> Result<&layout::Broadcast, LockError> {
        let head = self.inner.writable()?;
        if head.tail.lock.lock(deadline)? == Acquired::OwnerDied {
            self.recover_tail(head);
        }
        Ok(head)
    }

    /// With the tail's lock held: whether everybody has received what is in a position's cell.
    fn is_free(&self, head: &layout::Broadcast, position: u64) -> bool {
        let limit = &head.tail.limit;
        if self.slow == Slow::Overwrite
            || position.wrapping_sub(limit.load(Ordering::Relaxed)) < self.cells.capacity()
        {
            return true;
        }
        let mut slowest = self.slowest(position);
        if let Some((share, behind)) = slowest
            && behind >= self.cells.capacity()
        {
            // A death that the kernel does not report: see `raw::lock`.
            share.lock.bury_if_dead();
            slowest = self.slowest(position);
        }
        let behind = slowest.map_or(0, |(_, behind)| behind);
        limit.store(position.wrapping_sub(behind), Ordering::Relaxed);
        behind < self.cells.capacity()
    }

    /// With the tail's lock held.
    fn put(&self, head: &layout::Broadcast, message: &T) -> Attempt<()> {
        if self.is_over() {
            return Attempt::Closed;
        }
        let position = head.tail.position.load(Ordering::Relaxed);
        if !self.is_free(head, position) {
            return Attempt::Unready;
        }
        let Some((stamp, slot)) = self.cells.cell(position) else { return Attempt::Unready };
        head.tail.begin(position);
        stamp.store(EMPTY, Ordering::Relaxed);
        // Release: pairs with the Acquire fence in `Subscriber::copy`: who reads what is written below
        // sees that the stamp is gone.
        fence(Ordering::Release);
        slot.write(message);
        // Release: pairs with the Acquire in `Subscriber::copy`. This store publishes the message.
        stamp.store(filled(position), Ordering::Release);
        head.tail.advance(position);
        head.not_empty.event.notify(Notify::All);
        Attempt::Done(())
    }

    fn attempt(&self, message: &T, deadline: Deadline) -> Result<Attempt<()>, LockError> {
        let head = self.lock_tail(deadline)?;
        let attempt = self.put(head, message);
        head.tail.lock.unlock(Release::Clean);
        Ok(attempt)
    }

    /// Publishes a message. Where slow subscribers are waited for ([`Slow::Block`]), sleeps until all
    /// of them have received the one that it overwrites.
    ///
    /// # Errors
    ///
    /// [`Closed`](PushError::Closed) and [`Lock`](PushError::Lock), with the message; the latter with
    /// [`Deadlock`](LockError::Deadlock) if it would wait for a subscriber of this same thread.
    pub fn publish(&self, message: T) -> Result<(), PushError<T>> {
        self.publish_until(message, self.inner.forever())
    }

    /// [`publish`](Self::publish) without waiting for subscribers. Other publishers are waited for
    /// (they take nanoseconds, or are dead).
    ///
    /// # Errors
    ///
    /// [`Full`](PushError::Full): a live subscriber has not received what would be overwritten; and
    /// those of [`publish`](Self::publish), with the message.
    pub fn try_publish(&self, message: T) -> Result<(), PushError<T>> {
        pushed(self.attempt(&message, self.inner.forever()), message)
    }

    /// [`publish`](Self::publish), waiting for subscribers for at most `timeout`.
    ///
    /// # Errors
    ///
    /// [`TimedOut`](PushError::TimedOut), never before the time is up, and those of
    /// [`publish`](Self::publish), with the message.
    pub fn publish_timeout(&self, message: T, timeout: Duration) -> Result<(), PushError<T>> {
        self.publish_until(message, self.inner.within(timeout))
    }

    fn publish_until(&self, message: T, deadline: Deadline) -> Result<(), PushError<T>> {
        loop {
            match self.attempt(&message, deadline) {
                Ok(Attempt::Unready) => {}
                ready => return pushed_in_time(ready, message),
            }
            if deadline.remaining().is_none() {
                return Err(PushError::TimedOut(message));
            }
            // A guess at who gates: the next attempt looks under the lock.
            let position = self.inner.tail.position.load(Ordering::Relaxed);
            let Some((share, _)) = self.slowest(position) else { continue };
            if deadline.is_endless() && share.lock.names_this_thread() {
                return Err(PushError::Lock(message, LockError::Deadlock));
            }
            // Until it is not the slowest any more: then it may be another one's death that matters.
            let held = share.lock.holder_id();
            let moved = || {
                let gates = share.lock.holder_id() == held
                    && share.lock.is_held()
                    && self.behind(share, position) == Some(self.cells.capacity());
                (!gates || self.is_over()).then_some(())
            };
            let look = || {
                // At each wake-up: a death that the kernel does not report.
                share.lock.bury_if_dead();
                moved()
            };
            let event = &self.inner.not_full.event;
            let _moved =
                event.look_and_wait_beside(&share.lock, deadline, || moved().is_some(), look);
        }
    }

    /// Subscribes this thread.
    ///
    /// # Errors
    ///
    /// [`NoPlace`](SubscribeError::NoPlace): as many live subscribers as there are places;
    /// [`Lock`](SubscribeError::Lock) with [`ReadOnly`](LockError::ReadOnly),
    /// [`TooManyLocks`](LockError::TooManyLocks).
    pub fn subscribe(&self, from: Start) -> Result<Subscriber<T>, SubscribeError> {
        let head = self.lock_tail(self.inner.forever())?;
        let subscribed = self.take_share(head, from);
        head.tail.lock.unlock(Release::Clean);
        subscribed
    }

    /// With the tail's lock held.
    fn take_share(
        &self,
        head: &layout::Broadcast,
        from: Start,
    ) -> Result<Subscriber<T>, SubscribeError> {
        for place in 0..self.places {
            let Some(share) = self.shares.get(place) else { break };
            share.lock.bury_if_dead();
            if share.lock.is_held() {
                continue;
            }
            match shares::take(share) {
                Ok(()) => {}
                // The latter is a damaged one.
                Err(LockError::WouldBlock | LockError::NotRecoverable) => continue,
                Err(error) => return Err(error.into()),
            }
            let tail = head.tail.position.load(Ordering::Relaxed);
            let position = match from {
                Start::Newest => tail,
                Start::Oldest => tail - self.retained(tail),
            };
            // Relaxed: who publishes takes the lock that is held here.
            share.count.store(position, Ordering::Relaxed);
            let limit = &head.tail.limit;
            if tail.wrapping_sub(limit.load(Ordering::Relaxed)) < tail.wrapping_sub(position) {
                limit.store(position, Ordering::Relaxed);
            }
            // A publisher may have seen the share with the position of an earlier subscriber.
            head.not_full.event.notify(Notify::All);
            return Ok(Subscriber::new(self.clone(), place, position));
        }
        Err(SubscribeError::NoPlace { limit: self.places })
    }

    /// Closes the channel: nothing more can be published, and subscribers receive what is left and
    /// then [`RecvError::Closed`](crate::RecvError::Closed). Final, and without effect on a closed one.
    ///
    /// # Errors
    ///
    /// [`ReadOnly`](LockError::ReadOnly), [`TooManyLocks`](LockError::TooManyLocks).
    ///
    /// # Crash behaviour
    ///
    /// Closed or not.
    pub fn close(&self) -> Result<(), LockError> {
        // Under the publishers' lock, so that none is half-way.
        let head = self.lock_tail(self.inner.forever())?;
        // Release: pairs with the Acquire in `Subscriber::attempt`; what was published is there.
        head.closed.store(1, Ordering::Release);
        head.not_empty.event.notify(Notify::All);
        head.not_full.event.notify(Notify::All);
        head.tail.lock.unlock(Release::Clean);
        Ok(())
    }

    /// Whether it was closed. Subscribers may have messages left to receive.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.is_over()
    }

    /// How many messages it keeps.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.cells.capacity() as usize // checked when it was opened
    }

    /// What happens to slow subscribers.
    #[must_use]
    pub fn slow(&self) -> Slow {
        self.slow
    }

    /// How many subscribers there can be at a time.
    #[must_use]
    pub fn places(&self) -> usize {
        self.places
    }

    /// How many there are.
    #[must_use]
    pub fn subscribers(&self) -> usize {
        self.live_shares().count()
    }

    /// How many messages were published so far.
    #[must_use]
    pub fn published(&self) -> u64 {
        self.inner.tail.position.load(Ordering::Relaxed)
    }

    /// What deaths interrupted: publishers' messages that were dropped. Nothing is redelivered, since
    /// every subscriber has its own place in the messages.
    #[must_use]
    pub fn stats(&self) -> QueueStats {
        QueueStats { dropped: self.inner.tail.interrupted_count(), redelivered: 0 }
    }
}

/// Places for subscribers, where nothing else was asked for.
const PLACES: usize = 32;
const MOST_PLACES: usize = 1000;

const SHARES: usize = size_of::<layout::Broadcast>();

const fn cells_offset(places: usize) -> usize {
    SHARES + places * size_of::<Share>()
}

waits!(Broadcast<T>, inner);

impl Segment {
    /// The [`Broadcast`] of that name, created for `capacity` messages and 32 subscribers at a time if
    /// there is none.
    ///
    /// # Errors
    ///
    /// See [`find_or_create`](Self::find_or_create).
    pub fn broadcast<T: Shared>(
        &self,
        name: &str,
        capacity: usize,
        slow: Slow,
    ) -> Result<Broadcast<T>, ObjectError> {
        self.find_or_create(name, (capacity, slow, PLACES))
    }

    /// [`broadcast`](Self::broadcast) for another number of subscribers at a time, up to 1000. Each
    /// takes 64 bytes.
    ///
    /// # Errors
    ///
    /// See [`find_or_create`](Self::find_or_create).
    pub fn broadcast_with<T: Shared>(
        &self,
        name: &str,
        capacity: usize,
        slow: Slow,
        places: usize,
    ) -> Result<Broadcast<T>, ObjectError> {
        self.find_or_create(name, (capacity, slow, places))
    }
}

#[allow(private_interfaces)] // sealed
impl<T: Shared> Mechanics for Broadcast<T> {
    type Init = (usize, Slow, usize);

    const KIND: ObjectKind = ObjectKind::Broadcast;
    const TYPE_TAG: u64 = T::TYPE_TAG;

    fn describe(f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Broadcast<")?;
        T::describe(f)?;
        f.write_str(">")
    }

    fn size((capacity, _, places): &Self::Init) -> Result<u64, &'static str> {
        if !(1..=MOST_PLACES).contains(places) {
            return Err("the number of its subscribers has to be from 1 to 1000");
        }
        Cells::<T>::size(cells_offset(*places), *capacity)
    }

    fn initialise(extent: &Extent, (capacity, slow, places): Self::Init) -> Option<()> {
        let head = extent.head::<layout::Broadcast>()?;
        head.capacity.store(capacity as u64, Ordering::Relaxed);
        head.closed.store(0, Ordering::Relaxed);
        head.places.store(places as u64, Ordering::Relaxed);
        head.slow.store(slow as u64, Ordering::Relaxed);
        head.tail.reset();
        head.not_empty.event.reset();
        head.not_full.event.reset();
        let shares = extent.series::<Share>(SHARES, size_of::<Share>(), places)?;
        for place in 0..places {
            let share = shares.get(place)?;
            share.lock.reset();
            // Publishers sleep on it.
            share.lock.expect_company();
            share.count.store(0, Ordering::Relaxed);
        }
        Cells::<T>::attach(extent, cells_offset(places), capacity as u64)?.reset();
        Some(())
    }

    fn attach(extent: &Extent) -> Result<Self, &'static str> {
        let inner: Located<layout::Broadcast> =
            extent.head().ok_or("it is too small for a broadcast")?;
        let places = usize::try_from(inner.places.load(Ordering::Relaxed))
            .ok()
            .filter(|places| (1..=MOST_PLACES).contains(places))
            .ok_or("the number of its subscribers cannot be")?;
        let slow = match inner.slow.load(Ordering::Relaxed) {
            0 => Slow::Block,
            1 => Slow::Overwrite,
            _ => return Err("its policy for slow subscribers is none"),
        };
        let shares = extent
            .series(SHARES, size_of::<Share>(), places)
            .ok_or("it is too small for its subscribers")?;
        let capacity = inner.capacity.load(Ordering::Relaxed);
        let cells = Cells::attach(extent, cells_offset(places), capacity)
            .ok_or("its capacity is not that of its memory")?;
        Ok(Self { inner, shares, cells, places, slow })
    }

    fn fits(&self, (capacity, slow, places): &Self::Init) -> Result<(), Misfit> {
        let shape = [
            ("capacity", self.cells.capacity(), *capacity as u64),
            ("number of subscribers", self.places as u64, *places as u64),
            ("policy for slow subscribers", self.slow as u64, *slow as u64),
        ];
        match shape.into_iter().find(|(_, found, wanted)| found != wanted) {
            Some(misfit) => Err(misfit),
            None => Ok(()),
        }
    }
}
