//! One place of a map, locked.

use std::fmt;
use std::marker::PhantomData;
use std::sync::atomic::Ordering;

use super::pool::NoCell;
use super::table::{Held, Place, Position};
use super::{INVALID, Map};
use crate::error::{InsertError, LockError};
use crate::shared::Shared;

/// The place of a key in a [`Map`], with or without a value: [`Map::entry`]. Nobody else changes it as
/// long as this exists. Each change takes effect when it is made.
#[must_use = "an entry that is not used has only been waited for"]
pub struct Entry<'a, K: Shared, V: Shared> {
    map: &'a Map<K, V>,
    held: Held<'a>,
    place: Place,
    key: K,
    found: Option<(Position<'a>, V)>,
    /// The lock is the thread's: not Send.
    _thread: PhantomData<*mut ()>,
}

impl<K: Shared, V: Shared> Map<K, V> {
    /// With the stripe's lock held.
    pub(super) fn locked_entry(&self, place: Place, key: K) -> Result<Entry<'_, K, V>, LockError> {
        let held = Held(self.stripe(place)?);
        let position = self.find(place, |index, cell| {
            let same = cell.hash.load(Ordering::Relaxed) == place.hash;
            Ok(same && self.key(index)?.read().are(&key))
        })?;
        let found = match position {
            None => None,
            Some(position) => {
                let version = position.cell.version.load(Ordering::Relaxed);
                let bits = self.copy(position.index, version)?.read();
                Some((position, bits.check().ok_or(INVALID)?))
            }
        };
        Ok(Entry { map: self, held, place, key, found, _thread: PhantomData })
    }
}

impl<K: Shared, V: Shared> Entry<'_, K, V> {
    /// The key.
    #[must_use]
    pub fn key(&self) -> &K {
        &self.key
    }

    /// The value, None if the key has none.
    #[must_use]
    pub fn get(&self) -> Option<V> {
        self.found.map(|(_, value)| value)
    }

    /// Whether a change may be made: not through a copy that a fork made, whose lock is the parent's.
    fn is_mine(&self) -> bool {
        self.held.0.lock.is_mine()
    }

    /// Changes the value if there is one. A panic in `change` leaves the old one.
    pub fn and_modify(mut self, change: impl FnOnce(&mut V)) -> Self {
        self.change(change);
        self
    }

    /// Changes the value if there is one, and returns what `change` does. A panic in it leaves the old
    /// value.
    pub fn change<R>(&mut self, change: impl FnOnce(&mut V) -> R) -> Option<R> {
        let (position, mut value) = self.found?;
        let result = change(&mut value);
        if self.is_mine() && self.map.commit(position, &value).is_ok() {
            self.found = Some((position, value));
        }
        Some(result)
    }

    /// The value, which is `default` if there was none.
    ///
    /// # Errors
    ///
    /// As [`insert`](Self::insert).
    pub fn or_insert(self, default: V) -> Result<V, InsertError<V>> {
        self.or_insert_with(|| default)
    }

    /// The value, which `make` makes if there was none.
    ///
    /// # Errors
    ///
    /// As [`insert`](Self::insert).
    pub fn or_insert_with(mut self, make: impl FnOnce() -> V) -> Result<V, InsertError<V>> {
        if let Some(value) = self.get() {
            return Ok(value);
        }
        let value = make();
        self.insert(value)?;
        Ok(value)
    }

    /// Sets the value, and returns the one before.
    ///
    /// # Errors
    ///
    /// [`Full`](InsertError::Full) and [`NoSpace`](InsertError::NoSpace), only if there was none;
    /// those of [`Map::entry`], and [`WouldBlock`](LockError::WouldBlock) in a child whose parent
    /// had the entry at the fork. Nothing was changed then.
    pub fn insert(&mut self, value: V) -> Result<Option<V>, InsertError<V>> {
        match self.try_insert(&value) {
            Ok(before) => Ok(before),
            Err(NoCell::Full) => Err(InsertError::Full(value)),
            Err(NoCell::NoSpace(cause)) => Err(InsertError::NoSpace { value, cause }),
            Err(NoCell::Lock(error)) => Err(InsertError::Lock { value, error }),
        }
    }

    fn try_insert(&mut self, value: &V) -> Result<Option<V>, NoCell> {
        if !self.is_mine() {
            return Err(LockError::WouldBlock.into());
        }
        let map = self.map;
        if let Some((position, before)) = self.found {
            map.commit(position, value)?;
            self.found = Some((position, *value));
            return Ok(Some(before));
        }
        let stripe = self.held.0;
        let (index, cell) = map.take(self.place.stripe, stripe, map.inner.forever())?;
        map.put_in(self.place, (index, cell), &self.key, value)?;
        stripe.pending.store(0, Ordering::Relaxed);
        let link = map.chain(self.place)?;
        self.found = Some((Position { link, index, cell }, *value));
        Ok(None)
    }

    /// Removes the entry, and returns its value.
    ///
    /// # Errors
    ///
    /// Those of [`Map::entry`], and [`WouldBlock`](LockError::WouldBlock) in a child whose parent had
    /// the entry at the fork. Nothing was changed then.
    pub fn remove(mut self) -> Result<Option<V>, LockError> {
        let Some((position, value)) = self.found.take() else { return Ok(None) };
        if !self.is_mine() {
            return Err(LockError::WouldBlock);
        }
        self.map.take_out(self.held.0, position, self.map.inner.forever())?;
        Ok(Some(value))
    }

    /// Lets go of it without a change, as dropping does.
    pub fn release(self) {}
}

impl<K: Shared + fmt::Debug, V: Shared + fmt::Debug> fmt::Debug for Entry<'_, K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry").field("key", &self.key).field("value", &self.get()).finish()
    }
}
