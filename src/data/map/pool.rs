//! The cells that are in no chain.

use std::sync::atomic::Ordering;

use super::{DAMAGED, Map};
use crate::error::{LockError, OsError};
use crate::layout::{self, MapCell, MapStripe};
use crate::raw::deadline::Deadline;
use crate::raw::lock::{Acquired, Release};
use crate::seam::atomic::fence;
use crate::shared::Shared;

/// Why there is no cell.
pub(super) enum NoCell {
    Full,
    NoSpace(OsError),
    Lock(LockError),
}

impl From<LockError> for NoCell {
    fn from(error: LockError) -> Self {
        Self::Lock(error)
    }
}

/// The pool, locked.
pub(super) struct Pool<'a> {
    head: &'a layout::Map,
}

impl Drop for Pool<'_> {
    fn drop(&mut self) {
        self.head.lock.unlock(Release::Clean);
    }
}

/// The first free cell in the list, 0 if it is empty, and how many are in use.
fn split(pool: u64) -> (u64, u64) {
    (pool & 0xffff_ffff, pool >> 32)
}

fn join(free: u64, used: u64) -> u64 {
    used << 32 | (free & 0xffff_ffff)
}

impl Pool<'_> {
    /// Takes a cell back that is in no chain any more.
    pub(super) fn give(&self, index: u64, cell: &MapCell) {
        let (free, used) = split(self.head.pool.load(Ordering::Relaxed));
        // Pairs with the Acquire fence in `read_between_removals`: who follows this link out of its
        // chain sees that the cell left it.
        fence(Ordering::Release);
        cell.next.store(free, Ordering::Relaxed);
        // Release: after the link, for who looks after a death.
        self.head.pool.store(join(index, used.saturating_sub(1)), Ordering::Release);
        cell.owner.store(0, Ordering::Relaxed);
    }
}

impl<K: Shared, V: Shared> Map<K, V> {
    pub(super) fn pool(&self, deadline: Deadline) -> Result<Pool<'_>, LockError> {
        let head = self.inner.writable()?;
        let acquired = head.lock.lock(deadline)?;
        let pool = Pool { head };
        if acquired == Acquired::OwnerDied {
            // What was half taken is free again, what was half given is given.
            if let Ok(cell) = self.cell(top(head)) {
                cell.owner.store(0, Ordering::Relaxed);
            }
            head.lock.mark_consistent();
        }
        Ok(pool)
    }

    /// A cell for that stripe, in whose `pending` it is.
    pub(super) fn take(
        &self,
        number: usize,
        stripe: &MapStripe,
        deadline: Deadline,
    ) -> Result<(u64, &MapCell), NoCell> {
        let pool = self.pool(deadline)?;
        let head = pool.head;
        let (free, used) = split(head.pool.load(Ordering::Relaxed));
        let index = top(head);
        if free == 0 && used >= head.capacity.load(Ordering::Relaxed) {
            self.grow(head)?;
        }
        let cell = self.cell(index)?;
        let mut next = 0;
        if free != 0 {
            if cell.owner.load(Ordering::Relaxed) != 0 {
                return Err(DAMAGED.into());
            }
            next = cell.next.load(Ordering::Relaxed);
        }
        stripe.pending.store(index, Ordering::Relaxed);
        cell.owner.store(number as u64 + 1, Ordering::Relaxed);
        // Release: after `pending` and `owner`, for who looks after a death.
        head.pool.store(join(next, used + 1), Ordering::Release);
        Ok((index, cell))
    }

    /// Takes memory for as many cells again.
    #[cold]
    fn grow(&self, head: &layout::Map) -> Result<(), NoCell> {
        let limit = self.shape.limit;
        let now = usize::try_from(head.capacity.load(Ordering::Relaxed)).unwrap_or(limit);
        if now >= limit {
            return Err(NoCell::Full);
        }
        let next = now.saturating_mul(2).clamp(now + 1, limit);
        let start = self.shape.cells_offset().ok_or(DAMAGED)?;
        let (skip, length) = (start + now * Self::CELL, (next - now) * Self::CELL);
        self.inner.commit(skip, length).map_err(NoCell::NoSpace)?;
        // Release: as the links to the new cells.
        head.capacity.store(next as u64, Ordering::Release);
        Ok(())
    }
}

/// The cell that is taken next.
fn top(head: &layout::Map) -> u64 {
    let (free, used) = split(head.pool.load(Ordering::Relaxed));
    if free == 0 { used + 1 } else { free }
}
