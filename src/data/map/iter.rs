//! Going through a map while others change it.

use std::fmt;
use std::vec;

use super::{INVALID, Map};
use crate::error::LockError;
use crate::raw::bytes::Unchecked;
use crate::shared::Shared;

/// The entries of a [`Map`]: see [`Map::iter`].
pub struct MapIter<'a, K: Shared, V: Shared> {
    map: &'a Map<K, V>,
    /// The chain that is next.
    chain: usize,
    found: vec::IntoIter<(Unchecked<K>, Unchecked<V>)>,
}

impl<K: Shared, V: Shared> Map<K, V> {
    /// Copies of the entries, in no order. Takes no lock, and others may change the map meanwhile: each
    /// entry is whole, no key comes twice, and one that is there all the time comes once. Whether
    /// it comes as it was or as it became, and whether one that is inserted or removed meanwhile
    /// comes, is left open.
    ///
    /// An item is [`Corrupt`](LockError::Corrupt) if bytes in the segment cannot be; the next one goes
    /// on behind it.
    #[must_use]
    pub fn iter(&self) -> MapIter<'_, K, V> {
        MapIter { map: self, chain: 0, found: Vec::new().into_iter() }
    }

    /// Copies of the keys, as [`iter`](Self::iter) has them.
    pub fn keys(&self) -> impl Iterator<Item = Result<K, LockError>> {
        self.iter().map(|entry| entry.map(|(key, _)| key))
    }

    /// Copies of the values, as [`iter`](Self::iter) has them.
    pub fn values(&self) -> impl Iterator<Item = Result<V, LockError>> {
        self.iter().map(|entry| entry.map(|(_, value)| value))
    }
}

impl<K: Shared, V: Shared> Iterator for MapIter<'_, K, V> {
    type Item = Result<(K, V), LockError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some((key, value)) = self.found.next() {
                return Some(key.check().zip(value.check()).ok_or(INVALID));
            }
            if self.chain == self.map.shape.chains {
                return None;
            }
            let place = self.map.place_of(self.chain as u64);
            self.chain += 1;
            match self.map.read(place, || self.map.collect(place)) {
                Ok(found) => self.found = found.into_iter(),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

impl<'a, K: Shared, V: Shared> IntoIterator for &'a Map<K, V> {
    type Item = Result<(K, V), LockError>;
    type IntoIter = MapIter<'a, K, V>;

    fn into_iter(self) -> MapIter<'a, K, V> {
        self.iter()
    }
}

impl<K: Shared, V: Shared> fmt::Debug for MapIter<'_, K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MapIter").field("map", self.map).finish_non_exhaustive()
    }
}
