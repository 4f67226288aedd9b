//! Chains: how they are read without a lock, and changed with one.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::Ordering;
use std::time::Duration;

use siphasher::sip::SipHasher13;

use super::{DAMAGED, Map};
use crate::data::overtaken;
use crate::error::LockError;
use crate::layout::{MapCell, MapStripe};
use crate::raw::bytes::{self, Slot, Unchecked};
use crate::raw::deadline::Deadline;
use crate::raw::lock::{Acquired, Release};
use crate::seam::atomic::{AtomicU64, fence};
use crate::shared::Shared;

/// How often a reader that writers overtake looks again before it takes the lock.
const OPTIMISTIC: usize = 64;

/// How long a reader without the right to lock waits for a moment without changes.
const PATIENCE: Duration = Duration::from_secs(10);

/// The most cells in a chain. There are no more cells than chains, and hashes are random: more than a
/// few dozen are damage.
const LONGEST: usize = 256;

/// Where a key belongs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) hash: u64,
    pub(super) chain: usize,
    pub(super) stripe: usize,
}

/// A cell in a chain, under the stripe's lock.
#[derive(Debug, Clone, Copy)]
pub(super) struct Position<'a> {
    /// What leads to it.
    pub(super) link: &'a AtomicU64,
    pub(super) index: u64,
    pub(super) cell: &'a MapCell,
}

/// What the keys of a new map are hashed with.
pub(super) fn secret() -> [u64; 2] {
    // Under the model, all executions are to be the same.
    if cfg!(loom) { [0; 2] } else { [0, 1].map(|half| RandomState::new().hash_one(half)) }
}

impl<K: Shared, V: Shared> Map<K, V> {
    #[inline]
    pub(super) fn place(&self, key: &K) -> Place {
        let [first, second] = self.secret;
        let hasher = SipHasher13::new_with_keys(first, second);
        self.place_of(hasher.hash(bytes::bytes_of(key)))
    }

    #[inline]
    pub(super) fn place_of(&self, hash: u64) -> Place {
        // Both are powers of two.
        let chain = hash as usize & (self.shape.chains - 1);
        Place { hash, chain, stripe: chain & (self.shape.stripes - 1) }
    }

    /// A cell by its number, which counts from 1.
    #[inline]
    pub(super) fn cell(&self, index: u64) -> Result<&MapCell, LockError> {
        // Relaxed: who stored the number saw the capacity, and published it with the link.
        if index > self.inner.capacity.load(Ordering::Relaxed) {
            return Err(DAMAGED);
        }
        self.cells.get((index as usize).wrapping_sub(1)).ok_or(DAMAGED)
    }

    pub(super) fn key(&self, index: u64) -> Result<Slot<K>, LockError> {
        self.cells.slot((index as usize).wrapping_sub(1), Self::KEY).ok_or(DAMAGED)
    }

    /// The copy of the value that a version names.
    pub(super) fn copy(&self, index: u64, version: u64) -> Result<Slot<V>, LockError> {
        let skip = if version & 1 == 0 { Self::VALUE } else { Self::OTHER };
        self.cells.slot((index as usize).wrapping_sub(1), skip).ok_or(DAMAGED)
    }

    pub(super) fn stripe(&self, place: Place) -> Result<&MapStripe, LockError> {
        self.stripes.get(place.stripe).ok_or(DAMAGED)
    }

    pub(super) fn chain(&self, place: Place) -> Result<&AtomicU64, LockError> {
        self.chains.get(place.chain).ok_or(DAMAGED)
    }

    // ---- reading

    /// Reads in a stripe while no cell leaves it. `look` returns None if a value changed meanwhile.
    pub(super) fn read<R>(
        &self,
        place: Place,
        look: impl Fn() -> Result<Option<R>, LockError>,
    ) -> Result<R, LockError> {
        let stripe = self.stripe(place)?;
        overtaken::read(
            &self.inner,
            OPTIMISTIC,
            || Self::read_between_removals(stripe, &look),
            |deadline| {
                self.lock(place, deadline)?;
                let seen = look();
                stripe.lock.unlock(Release::Clean);
                // Nobody changes anything under the lock.
                seen?.ok_or(DAMAGED)
            },
        )
    }

    /// One look at a value, without a lock. None if that did not tell.
    #[cfg(loom)]
    pub(crate) fn look(&self, key: &K) -> Option<Option<V>> {
        let place = self.place(key);
        let stripe = self.stripe(place).ok()?;
        let seen = Self::read_between_removals(stripe, &|| self.search(place, key))?.ok()?;
        Some(seen.map(|bits| bits.check().expect("whole bytes")))
    }

    #[inline]
    fn read_between_removals<R>(
        stripe: &MapStripe,
        look: &impl Fn() -> Result<Option<R>, LockError>,
    ) -> Option<Result<R, LockError>> {
        // Acquire: pairs with the Release in `take_out`; the walk does not start before.
        let removals = stripe.removals.load(Ordering::Acquire);
        let seen = look();
        // Pairs with the Release fences in `fill` and `give`: had we read what was stored into a cell
        // after it left the chain, the count would be seen here.
        fence(Ordering::Acquire);
        if stripe.removals.load(Ordering::Relaxed) != removals {
            return None;
        }
        seen.transpose()
    }

    /// The value of a key, if it is in its chain. For [`read`](Self::read).
    #[inline]
    pub(super) fn search(
        &self,
        place: Place,
        key: &K,
    ) -> Result<Option<Option<Unchecked<V>>>, LockError> {
        // Acquire: pairs with the Release in `Entry::insert`; the cell is filled.
        let mut index = self.chain(place)?.load(Ordering::Acquire);
        for _ in 0..LONGEST {
            if index == 0 {
                return Ok(Some(None));
            }
            let cell = self.cell(index)?;
            if cell.hash.load(Ordering::Relaxed) == place.hash && self.key(index)?.read().are(key) {
                return Ok(self.value(index, cell)?.map(Some));
            }
            // Relaxed: what lies behind a cell came before it, under the same lock, so that whoever
            // sees this one sees it.
            index = cell.next.load(Ordering::Relaxed);
        }
        Err(DAMAGED)
    }

    /// The value in a cell; None if it changed meanwhile.
    #[inline]
    fn value(&self, index: u64, cell: &MapCell) -> Result<Option<Unchecked<V>>, LockError> {
        // Acquire: pairs with the Release in `commit`.
        let version = cell.version.load(Ordering::Acquire);
        let bits = self.copy(index, version)?.read();
        // Pairs with the Release fence in `commit`.
        fence(Ordering::Acquire);
        Ok((cell.version.load(Ordering::Relaxed) == version).then_some(bits))
    }

    /// All entries of a chain. For [`read`](Self::read).
    #[allow(clippy::type_complexity)] // keys and values, not checked yet
    pub(super) fn collect(
        &self,
        place: Place,
    ) -> Result<Option<Vec<(Unchecked<K>, Unchecked<V>)>>, LockError> {
        let mut found = Vec::new();
        // Acquire: as in `search`.
        let mut index = self.chain(place)?.load(Ordering::Acquire);
        while index != 0 {
            if found.len() == LONGEST {
                return Err(DAMAGED);
            }
            let cell = self.cell(index)?;
            let Some(value) = self.value(index, cell)? else { return Ok(None) };
            found.push((self.key(index)?.read(), value));
            index = cell.next.load(Ordering::Acquire);
        }
        Ok(Some(found))
    }

    // ---- under the stripe's lock

    pub(super) fn lock(&self, place: Place, deadline: Deadline) -> Result<(), LockError> {
        self.inner.writable()?;
        let stripe = self.stripe(place)?;
        let acquired = stripe.lock.lock(deadline);
        self.settle(place.stripe, stripe, acquired)
    }

    pub(super) fn try_lock(&self, place: Place) -> Result<(), LockError> {
        self.inner.writable()?;
        let stripe = self.stripe(place)?;
        self.settle(place.stripe, stripe, stripe.lock.try_lock())
    }

    /// Gives back the cell that a dead holder had in hand.
    #[inline]
    fn settle(
        &self,
        number: usize,
        stripe: &MapStripe,
        acquired: Result<Acquired, LockError>,
    ) -> Result<(), LockError> {
        if acquired? == Acquired::OwnerDied {
            if let Err(error) = self.mend(number, stripe) {
                // Still to be done, by the next one.
                stripe.lock.unlock(Release::Dirty);
                return Err(error);
            }
            stripe.lock.mark_consistent();
        }
        Ok(())
    }

    #[cold]
    fn mend(&self, number: usize, stripe: &MapStripe) -> Result<(), LockError> {
        // Relaxed: written by the dead one, whose lock this thread has now.
        let pending = stripe.pending.load(Ordering::Relaxed);
        if let Ok(cell) = self.cell(pending) {
            let pool = self.pool(Deadline::after(PATIENCE))?;
            let mine = cell.owner.load(Ordering::Relaxed) == number as u64 + 1;
            if mine && !self.is_linked(number, pending, cell) {
                // It may have left a chain.
                Self::count_removal(stripe);
                pool.give(pending, cell);
            }
        }
        stripe.pending.store(0, Ordering::Relaxed);
        Ok(())
    }

    /// Whether a cell of a stripe is in a chain. Damage is taken for yes: the cell is left alone then.
    fn is_linked(&self, number: usize, sought: u64, cell: &MapCell) -> bool {
        let place = self.place_of(cell.hash.load(Ordering::Relaxed));
        // The hash was not stored yet.
        if place.stripe != number {
            return false;
        }
        let found = self.find(place, |index, _| Ok(index == sought));
        !matches!(found, Ok(None))
    }

    /// The first cell of a chain of which `wanted` is true.
    pub(super) fn find(
        &self,
        place: Place,
        mut wanted: impl FnMut(u64, &MapCell) -> Result<bool, LockError>,
    ) -> Result<Option<Position<'_>>, LockError> {
        let mut link = self.chain(place)?;
        for _ in 0..LONGEST {
            // Relaxed: all under the stripe's lock.
            let index = link.load(Ordering::Relaxed);
            if index == 0 {
                return Ok(None);
            }
            let cell = self.cell(index)?;
            if wanted(index, cell)? {
                return Ok(Some(Position { link, index, cell }));
            }
            link = &cell.next;
        }
        Err(DAMAGED)
    }

    /// Replaces the value in a cell.
    pub(super) fn commit(&self, position: Position<'_>, value: &V) -> Result<(), LockError> {
        let next = position.cell.version.load(Ordering::Relaxed).wrapping_add(1);
        let copy = self.copy(position.index, next)?;
        // Pairs with the Acquire fence in `value`: who reads bytes of this copy sees at least the
        // version before, which names the other one.
        fence(Ordering::Release);
        copy.write(value);
        // Release: pairs with the Acquire in `value`. This store is the commit.
        position.cell.version.store(next, Ordering::Release);
        Ok(())
    }

    /// Puts a new entry into its chain.
    pub(super) fn put_in(
        &self,
        place: Place,
        (index, cell): (u64, &MapCell),
        key: &K,
        value: &V,
    ) -> Result<(), LockError> {
        let chain = self.chain(place)?;
        // Pairs with the Acquire fence in `read_between_removals`: who reads any of this in a chain
        // that the cell was in before sees that it left.
        fence(Ordering::Release);
        cell.hash.store(place.hash, Ordering::Relaxed);
        self.key(index)?.write(key);
        self.copy(index, cell.version.load(Ordering::Relaxed))?.write(value);
        cell.next.store(chain.load(Ordering::Relaxed), Ordering::Relaxed);
        // Release: pairs with the Acquire in `search`. This store is the commit.
        chain.store(index, Ordering::Release);
        Ok(())
    }

    /// Removes an entry.
    pub(super) fn take_out(
        &self,
        stripe: &MapStripe,
        position: Position<'_>,
        deadline: Deadline,
    ) -> Result<(), LockError> {
        let pool = self.pool(deadline)?;
        stripe.pending.store(position.index, Ordering::Relaxed);
        let next = position.cell.next.load(Ordering::Relaxed);
        // Release: keeps `pending` before it, for who looks after a death. What it leads to was
        // published before. This store is the commit.
        position.link.store(next, Ordering::Release);
        Self::count_removal(stripe);
        pool.give(position.index, position.cell);
        drop(pool);
        stripe.pending.store(0, Ordering::Relaxed);
        Ok(())
    }

    fn count_removal(stripe: &MapStripe) {
        let removals = stripe.removals.load(Ordering::Relaxed);
        // Release: pairs with the Acquire in `read_between_removals`: who starts with this count does
        // not find the cell any more.
        stripe.removals.store(removals.wrapping_add(1), Ordering::Release);
    }

    /// Removes what `keep` does not want.
    pub(super) fn sweep(
        &self,
        mut keep: impl FnMut(Unchecked<K>, Unchecked<V>) -> Result<bool, LockError>,
    ) -> Result<(), LockError> {
        for number in 0..self.shape.chains {
            let place = self.place_of(number as u64);
            // Relaxed: an entry that this does not see is one that is inserted meanwhile.
            if self.chain(place)?.load(Ordering::Relaxed) == 0 {
                continue;
            }
            self.lock(place, self.inner.forever())?;
            let _held = Held(self.stripe(place)?);
            self.sweep_chain(place, &mut keep)?;
        }
        Ok(())
    }

    fn sweep_chain(
        &self,
        place: Place,
        keep: &mut impl FnMut(Unchecked<K>, Unchecked<V>) -> Result<bool, LockError>,
    ) -> Result<(), LockError> {
        let stripe = self.stripe(place)?;
        let mut kept = 0;
        // A chain that runs in a circle would never be empty.
        for _ in 0..=LONGEST {
            // Those that were kept are passed over.
            let mut passed = 0;
            let position = self.find(place, |index, cell| {
                if passed < kept {
                    passed += 1;
                    return Ok(false);
                }
                let version = cell.version.load(Ordering::Relaxed);
                if keep(self.key(index)?.read(), self.copy(index, version)?.read())? {
                    kept += 1;
                    passed += 1;
                    return Ok(false);
                }
                Ok(true)
            })?;
            let Some(position) = position else { return Ok(()) };
            self.take_out(stripe, position, self.inner.forever())?;
        }
        Err(DAMAGED)
    }

    /// Lets go of what the dead had in hand, wherever that can be done at once.
    pub(super) fn settle_all(&self) {
        if !self.inner.is_writable() {
            return;
        }
        for number in 0..self.shape.stripes {
            let Some(stripe) = self.stripes.get(number) else { continue };
            if stripe.lock.is_orphaned()
                && stripe.pending.load(Ordering::Relaxed) != 0
                && self.settle(number, stripe, stripe.lock.try_lock()).is_ok()
            {
                stripe.lock.unlock(Release::Clean);
            }
        }
    }
}

/// A stripe's lock, held.
pub(super) struct Held<'a>(pub(super) &'a MapStripe);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.lock.unlock(Release::Clean);
    }
}
