//! How many chunks of which size a pool has, and where they are.

use std::sync::atomic::Ordering;

use super::content::ALIGNMENT;
use crate::layout;
use crate::segment::object::Misfit;

/// How many chunks of which size a [`LoanPool`](super::LoanPool) has.
///
/// ```
/// use outlive::PoolLayout;
///
/// // Frames, and many small things.
/// let layout = PoolLayout::new().chunks(8, 4 << 20).chunks(1000, 256);
/// ```
///
/// A content goes into the smallest chunk that it fits into, and into a larger one if all of these are
/// in use. Sizes are rounded up to 64 bytes, a cache line.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PoolLayout {
    /// Count and size, as they were given.
    classes: Vec<(usize, usize)>,
}

/// The most classes that a pool has room to describe.
pub(super) const MOST_CLASSES: usize = 16;
/// The most chunks of a pool: who looks for a free one may have to look at all.
pub(super) const MOST_CHUNKS: u64 = 1 << 20;
/// Where the chunks' headers start.
pub(super) const HEADERS: usize = size_of::<layout::LoanPool>();

impl PoolLayout {
    /// Without any chunks yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// This one, with `count` more chunks of `size` bytes each. Up to 16 differing sizes.
    #[must_use]
    pub fn chunks(mut self, count: usize, size: usize) -> Self {
        self.classes.push((count, size));
        self
    }

    /// The classes from the smallest to the largest chunks: size and count.
    pub(super) fn sorted(&self) -> Result<Vec<(u64, u64)>, &'static str> {
        let mut sorted: Vec<(u64, u64)> = Vec::new();
        let mut given = self.classes.clone();
        given.sort_by_key(|(_, size)| *size);
        for (count, size) in given {
            if size == 0 || count == 0 {
                return Err("a pool needs chunks, and chunks of at least one byte");
            }
            let size = (size as u64)
                .checked_next_multiple_of(ALIGNMENT as u64)
                .ok_or("its chunks are too large to be addressed")?;
            match sorted.last_mut() {
                Some((last, total)) if *last == size => *total += count as u64,
                _ => sorted.push((size, count as u64)),
            }
        }
        match sorted.len() {
            0 => Err("a pool needs chunks: PoolLayout::chunks"),
            1..=MOST_CLASSES => Ok(sorted),
            _ => Err("a pool has chunks of at most 16 sizes"),
        }
    }
}

/// Chunks of one size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Class {
    /// Bytes of a chunk.
    pub(super) size: usize,
    pub(super) count: usize,
    /// The number of its first chunk.
    pub(super) first: usize,
    /// Where that one is, in bytes after the first chunk of all.
    offset: usize,
}

/// All classes, from the smallest chunks to the largest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) classes: Box<[Class]>,
    /// Chunks.
    pub(super) count: usize,
    /// What they take together.
    pub(super) bytes: usize,
}

impl Shape {
    pub(super) fn new(sorted: &[(u64, u64)]) -> Result<Self, &'static str> {
        const TOO_LARGE: &str = "its chunks are too large to be addressed";
        let (mut first, mut offset) = (0_u64, 0_u64);
        let mut classes = Vec::new();
        for &(size, count) in sorted {
            let class = Class {
                size: size as usize, // usize has 64 bits
                count: count as usize,
                first: first as usize,
                offset: offset as usize,
            };
            classes.push(class);
            first = first
                .checked_add(count)
                .filter(|all| *all <= MOST_CHUNKS)
                .ok_or("a pool has at most 2^20 chunks")?;
            let bytes = size.checked_mul(count).and_then(|bytes| bytes.checked_add(offset));
            // Far from where sums of sizes overflow.
            offset = bytes.filter(|bytes| *bytes < 1 << 60).ok_or(TOO_LARGE)?;
        }
        Ok(Self { classes: classes.into(), count: first as usize, bytes: offset as usize })
    }

    /// Without chunks.
    pub(super) fn none() -> Self {
        Self { classes: Box::default(), count: 0, bytes: 0 }
    }

    /// What a pool says of itself.
    pub(super) fn read(head: &layout::LoanPool) -> Result<Self, &'static str> {
        let classes = head.classes.load(Ordering::Relaxed) as usize;
        if !(1..=MOST_CLASSES).contains(&classes) {
            return Err("the number of its sizes cannot be");
        }
        let sorted: Vec<_> = head
            .sizes
            .iter()
            .zip(&head.counts)
            .take(classes)
            .map(|(size, count)| (size.load(Ordering::Relaxed), count.load(Ordering::Relaxed)))
            .collect();
        let rising = sorted.windows(2).all(|pair| pair[0].0 < pair[1].0);
        let whole = |(size, count): &(u64, u64)| {
            *size > 0 && size.is_multiple_of(ALIGNMENT as u64) && *count > 0
        };
        if !rising || !sorted.iter().all(whole) {
            return Err("the sizes of its chunks cannot be");
        }
        Self::new(&sorted)
    }

    /// Where the chunks start.
    pub(super) fn chunks_offset(&self) -> usize {
        HEADERS + self.count * size_of::<layout::LoanChunk>()
    }

    pub(super) fn total(&self) -> u64 {
        (self.chunks_offset() + self.bytes) as u64
    }

    pub(super) fn largest(&self) -> usize {
        self.classes.last().map_or(0, |class| class.size)
    }

    /// The number of a chunk's class, the class, and where the chunk is after the first one of all.
    #[inline]
    pub(super) fn place(&self, index: usize) -> Option<(usize, &Class, usize)> {
        let within = |class: &Class| index.wrapping_sub(class.first) < class.count;
        let (number, class) = self.classes.iter().enumerate().find(|(_, class)| within(class))?;
        Some((number, class, class.offset + (index - class.first) * class.size))
    }

    /// The numbers of the chunks that are large enough.
    pub(super) fn fitting(&self, length: usize) -> std::ops::Range<usize> {
        let first = self.classes.iter().find(|class| class.size >= length);
        first.map_or(self.count, |class| class.first)..self.count
    }

    pub(super) fn differs(&self, wanted: &Self) -> Option<Misfit> {
        if self.classes.len() != wanted.classes.len() {
            let (found, wanted) = (self.classes.len() as u64, wanted.classes.len() as u64);
            return Some(("number of chunk sizes", found, wanted));
        }
        self.classes.iter().zip(&wanted.classes).find_map(|(found, wanted)| {
            if found.size != wanted.size {
                Some(("chunk size", found.size as u64, wanted.size as u64))
            } else if found.count != wanted.count {
                Some(("number of chunks", found.count as u64, wanted.count as u64))
            } else {
                None
            }
        })
    }
}
