//! `Map<K, V>`: entries found by their key.
//!
//! # Words
//!
//! A key's hash names its chain, a list of cells that starts at a word. Every so many-th chain belongs
//! to a stripe, whose `lock` is held by who changes one of them. A cell holds a key and two copies of
//! the value, as a [`Value`](crate::Value) does. Cells that are in no chain are in the pool, a list
//! under the map's `lock`, which is taken inside of a stripe's; those behind the last one that was
//! ever used are in no list.
//!
//! | change, under the stripe's lock | takes effect with |
//! |---|---|
//! | value: into the copy that does not count | the cell's `version`, plus one |
//! | insertion: a cell from the pool, filled, its `next` the chain's first | the chain's first word |
//! | removal: `removals` plus one afterwards, and the cell back to the pool | the link that led to the cell |
//!
//! Readers take no lock: they read the stripe's `removals`, walk the chain, and read `removals` again.
//! A cell is filled or linked into the pool only after it left its chain and was counted, so an
//! unchanged count means that all of the walk was in the chain, and all keys whole. A value is whole
//! if its cell's `version` did not change. Neither word is ever in a state that a reader has to wait
//! for to end.
//!
//! # What a death leaves behind
//!
//! * before a value's `version`: half a value in the copy that does not count.
//! * in the middle of an insertion or a removal: a cell that is in a chain or not. Before it is taken
//!   out of the pool or out of its chain, `pending` of the stripe names it. The stripe's next holder
//!   gives it back to the pool if it is the stripe's (`owner`), and in no chain.
//! * under the pool's lock: each change is one store of `pool`. Around it, `owner` of the cell at the
//!   top may say that it is not free: the pool's next holder makes it free, which undoes a
//!   half-taken cell, and completes one that was half given back.
//!
//! # Growth
//!
//! Chains and addresses are there from the start for as many cells as there can ever be; memory for
//! cells is taken when the pool is empty, as much again each time, under the pool's lock: first the
//! memory, then `capacity`.

mod entry;
mod iter;
mod pool;
mod table;

use std::fmt;
use std::marker::PhantomData;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::error::{InsertError, LockError, ObjectError};
use crate::layout::{self, MapCell, MapStripe};
use crate::raw::bytes;
use crate::raw::waiting::waits;
use crate::seam::atomic::AtomicU64;
use crate::segment::Segment;
use crate::segment::object::{Mechanics, Misfit, ObjectKind};
use crate::segment::region::{Extent, Located, Series};
use crate::shared::Shared;

pub use entry::Entry;
pub use iter::MapIter;

/// Entries that are found by their key, in any number of processes at once. Opened by name:
/// [`Segment::map`](crate::Segment::map).
///
/// ```
/// use outlive::{Map, Segment, Text};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let segment = Segment::anonymous()?;
/// let stock: Map<Text<30>, u64> = segment.map("stock", 1000)?;
/// let (apples, pears) = (Text::new("apples")?, Text::new("pears")?);
///
/// stock.insert(apples, 3)?;
/// stock.entry(pears)?.and_modify(|n| *n += 1).or_insert(7)?;
/// stock.update(&apples, |n| *n += 1)?; // whole or not at all, whoever is killed when
/// assert_eq!(stock.get(&apples)?, Some(4));
/// assert_eq!(stock.compare_exchange(&pears, 7, 6)?, Ok(7));
///
/// for entry in &stock {
///     let (fruit, number) = entry?;
///     println!("{number} {fruit}");
/// }
/// assert_eq!(stock.remove(&pears)?, Some(6));
/// assert_eq!(stock.len(), 1);
/// # Ok(())
/// # }
/// ```
///
/// Keys are equal if their bytes are: 0.0 and -0.0 are two keys. They are hashed with a secret that
/// each map has of its own. What is handed out are copies; a change is made to a copy and committed
/// as a whole.
///
/// # Crash behaviour
///
/// Every entry is whole, old or new. An insertion, a change or a removal takes effect with one store;
/// a process killed before it has changed nothing, and one killed after it has changed all. Nobody
/// waits for the dead: readers take no lock, and a lock that a killed process held is the next one's
/// at once. No cell is lost: the next one who changes something near by gives back what the dead had
/// taken. There is no error to handle.
///
/// # Memory ordering
///
/// What was written before a change is seen by whoever reads the changed entry.
pub struct Map<K, V> {
    pub(super) inner: Located<layout::Map>,
    stripes: Series<MapStripe>,
    chains: Series<AtomicU64>,
    cells: Series<MapCell>,
    shape: Shape,
    secret: [u64; 2],
    _type: PhantomData<(K, V)>,
}

impl<K, V> Clone for Map<K, V> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), ..*self }
    }
}

impl<K, V> fmt::Debug for Map<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Map").field("place", &self.inner).finish_non_exhaustive()
    }
}

const INVALID: LockError = LockError::Corrupt { what: "an entry's value" };
const DAMAGED: LockError = LockError::Corrupt { what: "a map's cells" };

/// The most stripes: how many processes can change a map at once, at best.
const STRIPES: usize = 128;

/// How many there are of everything. Follows from how many cells there can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shape {
    limit: usize,
    chains: usize,
    stripes: usize,
}

impl Shape {
    /// Room for the chains of so many cells.
    fn of(limit: usize) -> Option<Self> {
        // The pool has two cell numbers in one word, and 0 is none of them.
        u32::try_from(limit).ok().filter(|limit| (1..u32::MAX).contains(limit))?;
        let chains = limit.checked_next_power_of_two()?;
        Some(Self { limit, chains, stripes: (chains / 4).clamp(1, STRIPES) })
    }

    const STRIPES: usize = size_of::<layout::Map>();

    fn chains_offset(self) -> Option<usize> {
        self.stripes.checked_mul(size_of::<MapStripe>())?.checked_add(Self::STRIPES)
    }

    fn cells_offset(self) -> Option<usize> {
        let chains = self.chains.checked_mul(size_of::<AtomicU64>())?;
        self.chains_offset()?.checked_add(chains)?.checked_next_multiple_of(64)
    }
}

impl<K: Shared, V: Shared> Map<K, V> {
    /// Where the key is in a cell.
    const KEY: usize = size_of::<MapCell>().next_multiple_of(bytes::alignment::<K>());
    /// Where the first copy of the value is.
    const VALUE: usize =
        (Self::KEY + bytes::stride::<K>()).next_multiple_of(bytes::alignment::<V>());
    /// Where the other one is.
    const OTHER: usize =
        (Self::VALUE + bytes::stride::<V>()).next_multiple_of(bytes::alignment::<V>());
    const CELL: usize = {
        let (key, value) = (bytes::alignment::<K>(), bytes::alignment::<V>());
        let alignment = if key > value { key } else { value };
        (Self::OTHER + bytes::stride::<V>()).next_multiple_of(alignment)
    };

    /// The most entries that the map has ever room for.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.shape.limit
    }

    /// How many entries there are. One that is being inserted or removed at the moment may count or not.
    #[must_use]
    pub fn len(&self) -> usize {
        self.settle_all();
        let used = self.inner.pool.load(Ordering::Relaxed) >> 32;
        (used as usize).min(self.shape.limit)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value of a key, None if there is no such entry. Takes no lock, and waits for nobody; only if
    /// others change the map faster than it can be read, it takes a lock for once.
    ///
    /// # Errors
    ///
    /// [`Corrupt`](LockError::Corrupt) if bytes in the segment cannot be, and rarely those of
    /// [`entry`](Self::entry), or [`TimedOut`](LockError::TimedOut) after ten seconds in which it was
    /// overtaken and got no lock either.
    #[inline]
    pub fn get(&self, key: &K) -> Result<Option<V>, LockError> {
        let place = self.place(key);
        self.read(place, || self.search(place, key))?
            .map(|bits| bits.check().ok_or(INVALID))
            .transpose()
    }

    /// Whether there is an entry of that key.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub fn contains_key(&self, key: &K) -> Result<bool, LockError> {
        let place = self.place(key);
        Ok(self.read(place, || self.search(place, key))?.is_some())
    }

    /// Inserts an entry or replaces its value, and returns the one before.
    ///
    /// # Errors
    ///
    /// [`Full`](InsertError::Full) and [`NoSpace`](InsertError::NoSpace), only for a key that is not
    /// there; those of [`entry`](Self::entry). Nothing was changed then.
    pub fn insert(&self, key: K, value: V) -> Result<Option<V>, InsertError<V>> {
        match self.entry(key) {
            Ok(mut entry) => entry.insert(value),
            Err(error) => Err(InsertError::Lock { value, error }),
        }
    }

    /// Removes an entry, and returns its value.
    ///
    /// # Errors
    ///
    /// Those of [`entry`](Self::entry). Nothing was changed then.
    pub fn remove(&self, key: &K) -> Result<Option<V>, LockError> {
        self.entry(*key)?.remove()
    }

    /// Changes the value of an entry as a whole, and returns what `change` does; None if there is no
    /// such entry. A panic in `change` leaves the old value.
    ///
    /// # Errors
    ///
    /// Those of [`entry`](Self::entry); `change` was not called then.
    pub fn update<R>(
        &self,
        key: &K,
        change: impl FnOnce(&mut V) -> R,
    ) -> Result<Option<R>, LockError> {
        Ok(self.entry(*key)?.change(change))
    }

    /// Stores what `change` makes of the value of an entry: Ok with the value before. Err with the value
    /// if `change` returned None, and with None if there is no such entry.
    ///
    /// # Errors
    ///
    /// Those of [`entry`](Self::entry); `change` was not called then.
    pub fn fetch_update(
        &self,
        key: &K,
        change: impl FnOnce(V) -> Option<V>,
    ) -> Result<Result<V, Option<V>>, LockError> {
        let mut entry = self.entry(*key)?;
        let Some(current) = entry.get() else { return Ok(Err(None)) };
        let Some(new) = change(current) else { return Ok(Err(Some(current))) };
        entry.change(|value| *value = new);
        Ok(Ok(current))
    }

    /// Stores `new` if the value of an entry is `current`: Ok with the value before. Else Err with what
    /// it is, None if there is no such entry. Values are equal if their bytes are.
    ///
    /// # Errors
    ///
    /// Those of [`entry`](Self::entry).
    pub fn compare_exchange(
        &self,
        key: &K,
        current: V,
        new: V,
    ) -> Result<Result<V, Option<V>>, LockError> {
        let same = |value: V| bytes::bytes_of(&value) == bytes::bytes_of(&current);
        self.fetch_update(key, |value| same(value).then_some(new))
    }

    /// The value of a key, for which `make` is called if there is no such entry. Others who want to
    /// change entries near by wait meanwhile.
    ///
    /// # Errors
    ///
    /// As [`insert`](Self::insert); where `make` was not called, `value` is None.
    pub fn get_or_insert_with(
        &self,
        key: K,
        make: impl FnOnce() -> V,
    ) -> Result<V, InsertError<Option<V>>> {
        let without = |error| InsertError::Lock { value: None, error };
        if let Some(value) = self.get(&key).map_err(without)? {
            return Ok(value);
        }
        self.entry(key).map_err(without)?.or_insert_with(make).map_err(|error| match error {
            InsertError::Full(value) => InsertError::Full(Some(value)),
            InsertError::NoSpace { value, cause } => {
                InsertError::NoSpace { value: Some(value), cause }
            }
            InsertError::Lock { value, error } => InsertError::Lock { value: Some(value), error },
        })
    }

    /// The place of a key, to look and decide what becomes of it. While it is held, nobody else changes
    /// it; neither can entries near by (every so many-th) be changed.
    ///
    /// # Errors
    ///
    /// [`Deadlock`](LockError::Deadlock) if this thread holds an entry near by,
    /// [`ReadOnly`](LockError::ReadOnly), [`TooManyLocks`](LockError::TooManyLocks),
    /// [`Corrupt`](LockError::Corrupt) if bytes in the segment cannot be.
    pub fn entry(&self, key: K) -> Result<Entry<'_, K, V>, LockError> {
        let place = self.place(&key);
        self.lock(place, self.inner.forever())?;
        self.locked_entry(place, key)
    }

    /// [`entry`](Self::entry), if nobody holds it or one near by.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](LockError::WouldBlock), and those of [`entry`](Self::entry).
    pub fn try_entry(&self, key: K) -> Result<Entry<'_, K, V>, LockError> {
        let place = self.place(&key);
        self.try_lock(place)?;
        self.locked_entry(place, key)
    }

    /// [`entry`](Self::entry), sleeping for at most `timeout`.
    ///
    /// # Errors
    ///
    /// [`TimedOut`](LockError::TimedOut), never before the time is up, and those of
    /// [`entry`](Self::entry).
    pub fn entry_timeout(&self, key: K, timeout: Duration) -> Result<Entry<'_, K, V>, LockError> {
        let place = self.place(&key);
        self.lock(place, self.inner.within(timeout))?;
        self.locked_entry(place, key)
    }

    /// Removes the entries for which `keep` is false. Each removal takes effect by itself: those that
    /// others insert meanwhile may be seen or not, and a panic in `keep` or an error ends it half-way.
    /// `keep` is called with a lock held: to use the map in it may be a
    /// [`Deadlock`](LockError::Deadlock).
    ///
    /// # Errors
    ///
    /// Those of [`entry`](Self::entry).
    pub fn retain(&self, mut keep: impl FnMut(&K, &V) -> bool) -> Result<(), LockError> {
        self.sweep(|key, value| match (key.check(), value.check()) {
            (Some(key), Some(value)) => Ok(keep(&key, &value)),
            _ => Err(INVALID),
        })
    }

    /// Removes all entries, also those whose bytes cannot be. Each removal takes effect by itself: those
    /// that others insert meanwhile may stay.
    ///
    /// # Errors
    ///
    /// Those of [`entry`](Self::entry).
    pub fn clear(&self) -> Result<(), LockError> {
        self.sweep(|_, _| Ok(false))
    }
}

waits!(Map<K, V>, inner);

impl Segment {
    /// The [`Map`] of that name, created empty for `capacity` entries if there is none.
    ///
    /// # Errors
    ///
    /// See [`find_or_create`](Self::find_or_create).
    pub fn map<K: Shared, V: Shared>(
        &self,
        name: &str,
        capacity: usize,
    ) -> Result<Map<K, V>, ObjectError> {
        self.find_or_create(name, (capacity, capacity))
    }

    /// A [`map`](Self::map) that grows from `capacity` up to `most` entries. Memory for `capacity` of them
    /// is taken when it is created, and doubled when they are all used; for `most` of them, addresses of
    /// the segment (see [`SegmentOptions::capacity`](crate::SegmentOptions::capacity)) and 8 to 16 bytes
    /// of memory each.
    ///
    /// # Errors
    ///
    /// See [`find_or_create`](Self::find_or_create).
    pub fn growing_map<K: Shared, V: Shared>(
        &self,
        name: &str,
        capacity: usize,
        most: usize,
    ) -> Result<Map<K, V>, ObjectError> {
        self.find_or_create(name, (capacity, most))
    }
}

#[allow(private_interfaces)] // sealed
impl<K: Shared, V: Shared> Mechanics for Map<K, V> {
    /// How many cells at first, and at most.
    type Init = (usize, usize);

    const KIND: ObjectKind = ObjectKind::Map;
    const TYPE_TAG: u64 = crate::shared::__private::Tag::new("map")
        .number(K::TYPE_TAG as u128)
        .number(V::TYPE_TAG as u128)
        .finish();

    fn describe(f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Map<")?;
        K::describe(f)?;
        f.write_str(", ")?;
        V::describe(f)?;
        f.write_str(">")
    }

    fn size(&(capacity, limit): &(usize, usize)) -> Result<u64, &'static str> {
        bytes::check_alignment::<K>()?;
        bytes::check_alignment::<V>()?;
        if capacity == 0 || capacity > limit {
            return Err("a map has room for at least one entry, and at most for as many at first");
        }
        let shape = Shape::of(limit).ok_or("a map has at most 4294967294 entries")?;
        let cells = Self::CELL.checked_mul(limit);
        cells
            .and_then(|cells| cells.checked_add(shape.cells_offset()?))
            .map(|size| size as u64)
            .ok_or("its capacity is too large to be addressed")
    }

    fn memory(&(capacity, limit): &(usize, usize), size: u64) -> u64 {
        size - (Self::CELL * (limit - capacity)) as u64
    }

    fn initialise(extent: &Extent, (capacity, limit): (usize, usize)) -> Option<()> {
        let head = extent.head::<layout::Map>()?;
        let shape = Shape::of(limit)?;
        head.lock.reset();
        head.pool.store(0, Ordering::Relaxed);
        head.capacity.store(capacity as u64, Ordering::Relaxed);
        head.limit.store(limit as u64, Ordering::Relaxed);
        head.chains.store(shape.chains as u64, Ordering::Relaxed);
        head.stripes.store(shape.stripes as u64, Ordering::Relaxed);
        for (word, secret) in head.secret.iter().zip(table::secret()) {
            word.store(secret, Ordering::Relaxed);
        }
        let (stripes, chains) = series(extent, shape)?;
        for stripe in 0..shape.stripes {
            let stripe = stripes.get(stripe)?;
            stripe.lock.reset();
            stripe.removals.store(0, Ordering::Relaxed);
            stripe.pending.store(0, Ordering::Relaxed);
        }
        for chain in 0..shape.chains {
            chains.get(chain)?.store(0, Ordering::Relaxed);
        }
        Some(())
    }

    fn attach(extent: &Extent) -> Result<Self, &'static str> {
        const WRONG: &str = "its capacity is not that of its memory";
        let inner: Located<layout::Map> = extent.head().ok_or("it is too small for a map")?;
        let number = |word: &AtomicU64| usize::try_from(word.load(Ordering::Relaxed)).ok();
        let shape = number(&inner.limit).and_then(Shape::of).ok_or(WRONG)?;
        let (chains, stripes) = (number(&inner.chains), number(&inner.stripes));
        if (chains, stripes) != (Some(shape.chains), Some(shape.stripes)) {
            return Err("its chains are not those of its capacity");
        }
        if number(&inner.capacity).is_none_or(|capacity| capacity > shape.limit) {
            return Err(WRONG);
        }
        let (stripes, chains) = series(extent, shape).ok_or(WRONG)?;
        let offset = shape.cells_offset().ok_or(WRONG)?;
        let cells = extent.series(offset, Self::CELL, shape.limit).ok_or(WRONG)?;
        let secret = [0, 1].map(|half: usize| inner.secret[half].load(Ordering::Relaxed));
        Ok(Self { inner, stripes, chains, cells, shape, secret, _type: PhantomData })
    }

    fn fits(&self, &(_, limit): &(usize, usize)) -> Result<(), Misfit> {
        let (found, wanted) = (self.shape.limit as u64, limit as u64);
        if found == wanted { Ok(()) } else { Err(("capacity", found, wanted)) }
    }
}

fn series(extent: &Extent, shape: Shape) -> Option<(Series<MapStripe>, Series<AtomicU64>)> {
    let stripes = extent.series(Shape::STRIPES, size_of::<MapStripe>(), shape.stripes)?;
    let chains = extent.series(shape.chains_offset()?, size_of::<AtomicU64>(), shape.chains)?;
    Some((stripes, chains))
}
