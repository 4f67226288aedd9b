//! One side of the queue: where it is, and what a death left there.

use std::sync::atomic::Ordering;

use super::frame::WORD;
use crate::layout::ByteQueueEnd;
use crate::seam::looks;

/// Where a side goes on: what its position word holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Position(u64);

/// Frames are whole words, so that the lowest bits of a position are free. Under the model one bit is
/// used: what eight messages in between may do to a count, two do then.
const MESSAGES: u64 = if cfg!(loom) { 1 } else { WORD - 1 };

impl Position {
    pub(super) fn new(word: u64) -> Self {
        Self(word)
    }

    /// In bytes from the beginning of time.
    #[inline]
    pub(super) fn bytes(self) -> u64 {
        self.0 & !MESSAGES
    }

    /// How many messages are before it, modulo 8.
    #[inline]
    fn messages(self) -> u32 {
        (self.0 & MESSAGES) as u32
    }

    /// One message and so many bytes further.
    #[inline]
    pub(super) fn after(self, bytes: u64) -> Self {
        Self(self.bytes().wrapping_add(bytes) | (self.0.wrapping_add(1) & MESSAGES))
    }

    /// What lies between this position and a later one.
    #[inline]
    pub(super) fn up_to(self, later: Self) -> u64 {
        later.bytes().wrapping_sub(self.bytes())
    }
}

/// The half of `begun` that counts what was interrupted.
const INTERRUPTED: u64 = 0xffff_ffff << 32;

impl ByteQueueEnd {
    pub(super) fn prepare(&self) {
        self.lock.reset();
        // The other side sleeps on it.
        self.lock.expect_company();
        self.position.store(0, Ordering::Relaxed);
        self.begun.store(0, Ordering::Relaxed);
        self.limit.store(0, Ordering::Relaxed);
    }

    #[inline]
    #[cfg_attr(loom, track_caller)]
    pub(super) fn at(&self, ordering: Ordering) -> Position {
        Position::new(self.position.load(ordering))
    }

    /// With the lock held: a message is being worked on.
    #[inline]
    pub(super) fn start(&self) {
        self.set_begun(self.begun.load(Ordering::Relaxed).wrapping_add(1));
    }

    /// With the lock held: nothing came of it.
    pub(super) fn stop(&self) {
        self.set_begun(self.begun.load(Ordering::Relaxed).wrapping_sub(1));
    }

    /// With the lock held: changes how many were begun, and not what was interrupted.
    #[inline]
    fn set_begun(&self, count: u64) {
        let interrupted = self.begun.load(Ordering::Relaxed) & INTERRUPTED;
        // Release: pairs with the Acquire in `progress`: who sees it sees the position before it.
        self.begun.store(interrupted | (count & !INTERRUPTED), Ordering::Release);
    }

    /// With the lock held: goes on behind a message.
    #[inline]
    pub(super) fn advance(&self, position: Position) {
        // Release: pairs with the Acquire in `ByteQueue::oldest` and `ByteQueue::place`. A producer's
        // store publishes the message; a consumer's takes it, and what is free was read.
        self.position.store(position.0, Ordering::Release);
    }

    /// With the lock held, from a dead holder: counts the message that it was working on.
    pub(super) fn recover(&self) {
        let word = self.begun.load(Ordering::Relaxed);
        let ahead = ahead(word, self.at(Ordering::Relaxed));
        if ahead != 0 {
            let interrupted = (word & INTERRUPTED).wrapping_add(1 << 32);
            let begun = word.wrapping_sub(ahead.into()) & !INTERRUPTED;
            // One store: counted once, even if this is interrupted as well. Release: as in
            // `set_begun`.
            self.begun.store(interrupted | begun, Ordering::Release);
        }
        self.lock.mark_consistent();
    }

    /// With the lock held: goes on where the other side is, with as many messages behind it.
    pub(super) fn jump_to(&self, (position, messages): (Position, u32)) {
        self.set_begun(messages.into());
        self.advance(position);
    }

    /// Where it is, and how many messages are behind it, modulo 2^32.
    pub(super) fn progress(&self) -> (Position, u32) {
        /// Against a side that is faster than this: then it is what was seen last.
        const ATTEMPTS: usize = looks(100);
        // Acquire: the loads in the order in which they stand here.
        let mut position = self.at(Ordering::Acquire);
        let mut messages = 0;
        for _ in 0..ATTEMPTS {
            // Acquire: pairs with the Release in `set_begun`.
            let word = self.begun.load(Ordering::Acquire);
            messages = (word as u32).wrapping_sub(ahead(word, position));
            let now = self.at(Ordering::Acquire);
            if now == position {
                break;
            }
            position = now;
        }
        (position, messages)
    }

    pub(super) fn interrupted(&self) -> u32 {
        (self.begun.load(Ordering::Relaxed) >> 32) as u32
    }
}

/// How many messages were begun, and are not before the position: one or none.
fn ahead(begun: u64, position: Position) -> u32 {
    (begun as u32).wrapping_sub(position.messages()) & MESSAGES as u32
}
