//! One side of a queue: a lock, and the position that is next under it.

use std::sync::atomic::Ordering;

use crate::layout::QueueEnd;

impl QueueEnd {
    pub(super) fn reset(&self) {
        self.lock.reset();
        // The other side sleeps on it.
        self.lock.expect_company();
        self.position.store(0, Ordering::Relaxed);
        self.interrupted.store(0, Ordering::Relaxed);
        self.limit.store(0, Ordering::Relaxed);
    }

    /// With the lock held: notes which position is being worked on.
    #[inline]
    pub(super) fn begin(&self, position: u64) {
        let count = self.interrupted.load(Ordering::Relaxed) & !0xffff_ffff;
        let low = position.wrapping_add(1) & 0xffff_ffff;
        self.interrupted.store(count | low, Ordering::Relaxed);
    }

    /// With the lock held: nothing is being worked on any more, and nothing came of it.
    pub(super) fn stop(&self) {
        self.begin(self.position.load(Ordering::Relaxed).wrapping_sub(1));
    }

    /// With the lock held: the work on `position` is complete.
    #[inline]
    pub(super) fn advance(&self, position: u64) {
        // Release: pairs with the Acquire of the other side: a cell that is free was read.
        self.position.store(position.wrapping_add(1), Ordering::Release);
    }

    /// With the lock held, after a death: whether it was before the work on `position` was complete.
    fn is_begun(&self, position: u64) -> bool {
        let begun = self.interrupted.load(Ordering::Relaxed) & 0xffff_ffff;
        begun == position.wrapping_add(1) & 0xffff_ffff
    }

    /// With the lock held, after a death before the work on `position` was complete.
    pub(super) fn count_interrupted(&self, position: u64) {
        if self.is_begun(position) {
            // One store: counted once, even if this is interrupted as well.
            let count = (self.interrupted.load(Ordering::Relaxed) >> 32).wrapping_add(1);
            self.interrupted.store(count << 32, Ordering::Relaxed);
        }
    }

    /// With the lock held, after a death: counts what was interrupted, and completes it.
    pub(super) fn complete_interrupted(&self, position: u64) {
        let next = position.wrapping_add(1);
        if self.is_begun(position) {
            // First: who repairs after a second death finds nothing begun any more.
            self.limit.store(next, Ordering::Relaxed);
        }
        if self.limit.load(Ordering::Relaxed) == next {
            self.count_interrupted(position);
            self.advance(position);
        }
    }

    pub(super) fn interrupted_count(&self) -> u32 {
        (self.interrupted.load(Ordering::Relaxed) >> 32) as u32
    }
}
