//! The two copies: how the one is read without a lock, and the other one made the list.

use std::ops::Range;
use std::sync::atomic::Ordering;

use super::{DAMAGED, INVALID, List};
use crate::data::overtaken;
use crate::error::LockError;
use crate::layout;
use crate::raw::bytes::Unchecked;
use crate::raw::deadline::Deadline;
use crate::raw::lock::{Acquired, Release};
use crate::seam::atomic::fence;
use crate::segment::region::Elements;
use crate::shared::Shared;

/// How often a reader that writers overtake looks again before it takes the lock.
const OPTIMISTIC: usize = 32;

/// `differing` that names all elements there can be.
const ALL: u64 = (u32::MAX as u64) << 32;

impl<T: Shared> List<T> {
    /// The copy that a version names.
    fn copy(&self, version: u64) -> &Elements<T> {
        &self.copies[(version & 1) as usize]
    }

    /// How long the copy is that a version names.
    pub(super) fn length_at(&self, version: u64) -> Result<usize, LockError> {
        // Relaxed: as the elements.
        let length = self.inner.lengths[(version & 1) as usize].load(Ordering::Relaxed);
        let length = usize::try_from(length).ok();
        length.filter(|length| *length <= self.capacity()).ok_or(DAMAGED)
    }

    // ---- reading

    /// Reads the elements, of which there are so many, as they are at one moment.
    #[inline]
    pub(super) fn read<R>(&self, look: impl Fn(&Elements<T>, usize) -> R) -> Result<R, LockError> {
        overtaken::read(
            &self.inner,
            OPTIMISTIC,
            || self.read_committed(&look),
            |deadline| {
                let writer = self.writer(deadline)?;
                Ok(look(writer.elements(), writer.length()?))
            },
        )
    }

    /// None if a commit came in between.
    #[inline]
    fn read_committed<R>(
        &self,
        look: &impl Fn(&Elements<T>, usize) -> R,
    ) -> Option<Result<R, LockError>> {
        // Acquire: pairs with the Release in `commit`.
        let version = self.inner.version.load(Ordering::Acquire);
        let seen = self.length_at(version).map(|length| look(self.copy(version), length));
        // Pairs with the Release fence in `commit`: had we read anything of a later list, its
        // predecessor's version would be seen here.
        fence(Ordering::Acquire);
        (self.inner.version.load(Ordering::Relaxed) == version).then_some(seen)
    }

    /// All elements.
    pub(super) fn snapshot(&self) -> Result<Vec<Unchecked<T>>, LockError> {
        self.read(|elements, length| {
            (0..length).filter_map(|index| Some(elements.get(index)?.read())).collect()
        })
    }

    // ---- under the lock

    pub(super) fn writer(&self, deadline: Deadline) -> Result<Writer<'_, T>, LockError> {
        let node = self.inner.writable()?;
        self.settle(node, node.lock.lock(deadline))
    }

    pub(super) fn try_writer(&self) -> Result<Writer<'_, T>, LockError> {
        let node = self.inner.writable()?;
        self.settle(node, node.lock.try_lock())
    }

    #[inline]
    fn settle<'a>(
        &'a self,
        node: &'a layout::List,
        acquired: Result<Acquired, LockError>,
    ) -> Result<Writer<'a, T>, LockError> {
        if acquired? == Acquired::OwnerDied {
            // Nobody knows what the dead one has done to the other copy.
            node.differing.store(ALL, Ordering::Relaxed);
            node.lock.mark_consistent();
        }
        Ok(Writer { list: self, node })
    }
}

/// The lock, held.
pub(super) struct Writer<'a, T: Shared> {
    list: &'a List<T>,
    node: &'a layout::List,
}

impl<'a, T: Shared> Writer<'a, T> {
    // All words are read Relaxed: under the lock nobody else changes them.

    fn version(&self) -> u64 {
        self.node.version.load(Ordering::Relaxed)
    }

    pub(super) fn length(&self) -> Result<usize, LockError> {
        self.list.length_at(self.version())
    }

    /// Those of the list as it is.
    pub(super) fn elements(&self) -> &'a Elements<T> {
        self.list.copy(self.version())
    }

    pub(super) fn element(&self, index: usize) -> Result<T, LockError> {
        self.elements().get(index).and_then(|slot| slot.read().check()).ok_or(INVALID)
    }

    pub(super) fn capacity(&self) -> usize {
        self.list.capacity()
    }

    /// False in the child of a process that forked with the lock held: it is the parent's.
    pub(super) fn is_mine(&self) -> bool {
        self.node.lock.is_mine()
    }

    /// Makes it a list of so many elements, as a whole: those in `range` are what `fill` makes of the
    /// present ones (first argument) in the new copy (second), the others stay as they are.
    pub(super) fn commit(
        &self,
        length: usize,
        range: Range<usize>,
        fill: impl FnOnce(&Elements<T>, &Elements<T>),
    ) {
        let version = self.version();
        let next = version.wrapping_add(1);
        let (from, to) = (self.list.copy(version), self.list.copy(next));
        let differing = self.node.differing.load(Ordering::Relaxed);
        // As far as there are so many, whatever the word says.
        let end = length.min((differing >> 32) as usize);
        let start = (differing & 0xffff_ffff) as usize;
        // Pairs with the Acquire fence in `read_committed`: who reads anything of this copy as it is
        // made now sees at least the version that took it out of use.
        fence(Ordering::Release);
        take_over(from, to, start..end.min(range.start));
        take_over(from, to, start.max(range.end)..end);
        fill(from, to);
        let differing = (range.end as u64) << 32 | range.start as u64;
        self.node.differing.store(differing, Ordering::Relaxed);
        self.node.lengths[(next & 1) as usize].store(length as u64, Ordering::Relaxed);
        // Release: pairs with the Acquire in `read_committed`. This store is the commit.
        self.node.version.store(next, Ordering::Release);
    }
}

/// Copies elements, whatever they are, from one copy to the other.
fn take_over<T: Shared>(from: &Elements<T>, to: &Elements<T>, range: Range<usize>) {
    for index in range {
        move_one(from, index, to, index);
    }
}

/// Copies one element. Where there is none there is nothing to do.
pub(super) fn move_one<T: Shared>(
    from: &Elements<T>,
    source: usize,
    to: &Elements<T>,
    target: usize,
) {
    if let (Some(source), Some(target)) = (from.get(source), to.get(target)) {
        target.copy(source);
    }
}

impl<T: Shared> Drop for Writer<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.node.lock.unlock(Release::Clean);
    }
}
