//! Frames: how messages lie in the ring.
//!
//! A message is a header word, its bytes, and what fills up the last word. It lies in one piece: where
//! it would cross the ring's end, a padding header skips what is left there, and the message starts
//! the ring anew.
//!
//! A header holds the message's length (low half), its kind (the highest two bits), and its position
//! in words, as much of it as there is room for.
//!
//! What is in the ring is not trusted. A header is of either kind and of its position, a message lies
//! between the two positions and within the ring, and a message follows the padding at once: so
//! reading one ends after two headers, whatever they say.

use std::sync::atomic::Ordering;

use crate::raw::bytes::Run;
use crate::segment::region::Bytes;

/// Frames start at whole words, and their header is one.
pub(super) const WORD: u64 = size_of::<u64>() as u64;

/// The kinds of headers. Zero is none.
const MESSAGE: u64 = 1 << 62;
const PADDING: u64 = 2 << 62;
const LENGTH: u64 = 0xffff_ffff;

/// The header of an empty message, or of padding, at a position: what is left there from an earlier
/// round of the ring is another one.
const fn header(kind: u64, position: u64) -> u64 {
    kind | ((position / WORD) << 32 & !(MESSAGE | PADDING))
}

/// The smallest ring that has room for a word at each place of its end.
pub(super) const LEAST: u64 = 3 * WORD;
/// The largest ring: the length of any message fits in a header.
pub(super) const MOST: u64 = 1 << 33;

/// What a message of so many bytes takes.
pub(super) const fn size(length: u64) -> u64 {
    WORD + length.next_multiple_of(WORD)
}

/// The longest message that an empty ring takes, wherever the positions are.
///
/// Before the ring's end or after its start there is room for half of it. Of an odd number of words
/// one of the two halves has the odd one, and the message goes there: it lies before the end, or after
/// a padding that is smaller.
pub(super) const fn largest(capacity: u64) -> u64 {
    (capacity / 2).next_multiple_of(WORD) - WORD
}

/// Where a frame lies that starts at some position.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// Bytes up to the ring's end that are skipped.
    padding: u64,
    /// The header's offset in the ring.
    start: usize,
}

impl Place {
    /// What a frame of that size takes with what is skipped before it.
    pub(super) fn total(self, size: u64) -> u64 {
        self.padding + size
    }
}

/// A message in the ring.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    pub(super) run: Run,
    /// What it takes in the ring, with what is skipped before it.
    pub(super) total: u64,
}

/// The bytes that positions go round in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ring {
    bytes: Bytes,
    capacity: u64,
    /// `capacity - 1` if that is a mask.
    mask: Option<u64>,
}

impl Ring {
    #[cfg(loom)]
    pub(super) fn memory(&self) -> core::ops::Range<usize> {
        self.bytes.memory()
    }

    /// Of whole words.
    pub(super) fn new(bytes: Bytes, capacity: u64) -> Self {
        let mask = capacity.is_power_of_two().then(|| capacity - 1);
        Self { bytes, capacity, mask }
    }

    #[inline]
    pub(super) fn capacity(&self) -> u64 {
        self.capacity
    }

    #[inline]
    fn index(&self, position: u64) -> u64 {
        match self.mask {
            Some(mask) => position & mask,
            None => position % self.capacity,
        }
    }

    /// Where a frame of that size lies that goes in at a position.
    #[inline]
    pub(super) fn place(&self, position: u64, size: u64) -> Place {
        let index = self.index(position);
        let rest = self.capacity - index;
        if size <= rest {
            Place { padding: 0, start: index as usize } // below the capacity, which is a usize
        } else {
            Place { padding: rest, start: 0 }
        }
    }

    /// Room for a message in a free place.
    #[inline]
    pub(super) fn room(&self, place: Place, length: usize) -> Option<Run> {
        self.bytes.run(place.start + WORD as usize, length)
    }

    /// Makes a message of what is in the place of a position, and padding of what is skipped before
    /// it. Not published yet.
    #[inline]
    pub(super) fn fill(&self, position: u64, place: Place, length: usize) {
        if place.padding > 0 {
            let skipped = (self.capacity - place.padding) as usize;
            self.store(skipped, header(PADDING, position));
        }
        let position = position.wrapping_add(place.padding);
        self.store(place.start, header(MESSAGE, position) | length as u64);
    }

    #[inline]
    fn store(&self, offset: usize, header: u64) {
        if let Some(word) = self.bytes.word(offset) {
            // Relaxed: published with the position.
            word.store(header, Ordering::Relaxed);
        }
    }

    #[inline]
    fn load(&self, offset: u64) -> Option<u64> {
        // Relaxed: who has seen the position sees it.
        Some(self.bytes.word(offset as usize)?.load(Ordering::Relaxed))
    }

    /// The message at a position, where `used` bytes from there on are said to be in use. None if
    /// what is there cannot be.
    #[inline]
    pub(super) fn message(&self, position: u64, used: u64) -> Option<Frame> {
        if used > self.capacity {
            return None;
        }
        let mut start = self.index(position);
        let mut found = self.load(start)?;
        let mut padding = 0;
        if found == header(PADDING, position) {
            padding = self.capacity - start;
            start = 0;
            found = self.load(start)?;
        }
        let length = found & LENGTH;
        let size = size(length);
        let fits = size <= self.capacity - start && padding + size <= used;
        if found & !LENGTH != header(MESSAGE, position.wrapping_add(padding)) || !fits {
            return None;
        }
        // Less than the capacity, which is a usize.
        let run = self.bytes.run((start + WORD) as usize, length as usize)?;
        Some(Frame { run, total: padding + size })
    }
}
