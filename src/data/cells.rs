//! A ring of cells, each with a stamp that says which message it holds.
//!
//! Positions count messages from 0 on and never wrap; position `p` uses cell `p % capacity`. The stamp
//! `p + 1` says that the cell holds the message of position `p`, any other one that it does not.

use std::marker::PhantomData;
use std::sync::atomic::Ordering;

use crate::raw::bytes::{self, Slot};
use crate::seam::atomic::AtomicU64;
use crate::segment::region::{Extent, Series};
use crate::shared::Shared;

pub(super) struct Cells<T> {
    cells: Series<AtomicU64>,
    capacity: u64,
    /// `capacity - 1` if that is a mask.
    mask: Option<u64>,
    _message: PhantomData<T>,
}

impl<T> Clone for Cells<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Cells<T> {}

/// The stamp of a cell that holds the message of a position.
pub(super) const fn filled(position: u64) -> u64 {
    position.wrapping_add(1)
}

/// The stamp of no position.
pub(super) const EMPTY: u64 = 0;

/// A cache line.
const LINE: usize = 64;

/// Whether stamp and message share a cache line. Else the message has lines of its own, so that a
/// consumer that looks at the stamp does not take them from the producer that fills them.
const fn is_small<T>() -> bool {
    size_of::<u64>().next_multiple_of(bytes::alignment::<T>()) + bytes::stride::<T>() <= LINE
}

/// From the start of a cell to its message.
const fn message_offset<T>() -> usize {
    if is_small::<T>() { size_of::<u64>().next_multiple_of(bytes::alignment::<T>()) } else { LINE }
}

/// From cell to cell. No cell lies on more cache lines than it needs.
const fn cell_stride<T>() -> usize {
    let size = message_offset::<T>() + bytes::stride::<T>();
    if is_small::<T>() { size.next_power_of_two() } else { size.next_multiple_of(LINE) }
}

impl<T> Cells<T> {
    /// How many bytes an object takes whose cells begin at an offset.
    pub(super) fn size(offset: usize, capacity: usize) -> Result<u64, &'static str> {
        bytes::check_alignment::<T>()?;
        if capacity == 0 {
            return Err("a queue needs room for at least one message");
        }
        cell_stride::<T>()
            .checked_mul(capacity)
            .and_then(|cells| cells.checked_add(offset))
            .map(|size| size as u64)
            .ok_or("its capacity is too large to be addressed")
    }

    /// The cells of an object, if its memory has room for so many.
    pub(super) fn attach(extent: &Extent, offset: usize, capacity: u64) -> Option<Self> {
        let count = usize::try_from(capacity).ok().filter(|count| *count > 0)?;
        let cells = extent.series(offset, cell_stride::<T>(), count)?;
        let mask = capacity.is_power_of_two().then(|| capacity - 1);
        Some(Self { cells, capacity, mask, _message: PhantomData })
    }

    /// No cell holds a message.
    pub(super) fn reset(&self) {
        for index in 0..self.capacity as usize {
            if let Some(stamp) = self.cells.get(index) {
                stamp.store(EMPTY, Ordering::Relaxed);
            }
        }
    }

    /// Where the messages lie.
    #[cfg(loom)]
    pub(super) fn memory(&self) -> impl Iterator<Item = core::ops::Range<usize>> {
        let cells = (0..self.capacity as usize).filter_map(|index| self.cells.get(index));
        cells.map(|stamp| {
            let start = core::ptr::from_ref(stamp) as usize + message_offset::<T>();
            start..start + bytes::stride::<T>()
        })
    }

    #[inline]
    pub(super) fn capacity(&self) -> u64 {
        self.capacity
    }

    #[inline]
    fn index(&self, position: u64) -> usize {
        let index = match self.mask {
            Some(mask) => position & mask,
            None => position % self.capacity,
        };
        index as usize // below the capacity, which is a usize
    }

    /// Whether the message of a position has been published and not overwritten since.
    #[inline]
    #[cfg_attr(loom, track_caller)]
    pub(super) fn is_filled(&self, position: u64, ordering: Ordering) -> bool {
        let stamp = self.cells.get(self.index(position));
        stamp.is_some_and(|stamp| stamp.load(ordering) == filled(position))
    }
}

impl<T: Shared> Cells<T> {
    /// The stamp and the message of a position. The index is within the series, whose length is the
    /// capacity.
    #[inline]
    pub(super) fn cell(&self, position: u64) -> Option<(&AtomicU64, Slot<T>)> {
        let index = self.index(position);
        Some((self.cells.get(index)?, self.cells.slot(index, message_offset::<T>())?))
    }
}
