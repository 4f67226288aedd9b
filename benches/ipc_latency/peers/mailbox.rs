//! Room for one message, by the bare means: the sender may write again once the receiver has
//! answered, which is what a strict ping-pong does.

// Places atomics in the arena.
#![allow(unsafe_code)]

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::Side;
use crate::support::memory::Memory;

/// A message of up to a cache line, whose last word tells that it has arrived.
#[repr(C, align(128))]
#[derive(Debug)]
pub(crate) struct Mailbox {
    words: [AtomicU64; 8],
    /// For those who sleep; on the pair of lines of the message.
    pub(crate) signal: AtomicU32,
}

/// One for each direction.
#[repr(C)]
#[derive(Debug)]
struct Mailboxes([Mailbox; 2]);

/// The outgoing and the incoming mailbox of `side`.
pub(crate) fn pair(memory: &Memory, side: Side) -> (&Mailbox, &Mailbox) {
    // SAFETY: `Mailboxes` are atomics only, and both sides of this peer use the arena as them.
    let Mailboxes([there, back]) = unsafe { memory.arena_as() };
    match side {
        Side::Parent => (there, back),
        Side::Child => (back, there),
    }
}

impl Mailbox {
    /// Writes a message whose last word differs from that of the message before.
    #[inline]
    pub(crate) fn put<const W: usize>(&self, message: [u64; W]) {
        for (place, word) in std::iter::zip(&self.words[..W - 1], message) {
            place.store(word, Ordering::Relaxed);
        }
        // Release: pairs with the acquire in `take`, after which the other words are readable.
        self.words[W - 1].store(message[W - 1], Ordering::Release);
    }

    /// The message, if its last word is not `previous`.
    #[inline]
    pub(crate) fn take<const W: usize>(&self, previous: u64) -> Option<[u64; W]> {
        let last = self.words[W - 1].load(Ordering::Acquire);
        (last != previous).then(|| std::array::from_fn(|i| self.words[i].load(Ordering::Relaxed)))
    }
}
