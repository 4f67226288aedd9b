//! Looks for handles in the objects of a segment.
//!
//! What others may be writing is read through the file, with a copy that the kernel makes: so it does
//! not matter how they write, and a page that was taken away is an error and no SIGBUS. Only where
//! there is no file (foreign memory, the model) it is read in place, with atomic accesses.
//!
//! The bytes of an object count wherever a handle might be in them, but for those queues whose cells
//! still hold what was taken: there, a place counts only between the consumers' and the producers'
//! position. While it is in there, a handle does not move.

use std::collections::BTreeMap;
use std::mem::offset_of;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::LoanPool;
use super::chunk::State;
use crate::data::cells;
use crate::layout::{self, ByteQueueEnd, QueueEnd, SpscEnd};
use crate::os::shm;
use crate::seam::aside;
use crate::seam::atomic::AtomicU64;
use crate::segment::ObjectKind;
use crate::segment::attachment::Attachment;
use crate::segment::directory::{Directory, Occupied};

const WORD: u64 = size_of::<u64>() as u64;
/// Words that are read at a time.
const WINDOW: usize = 8192;

/// Generations of the chunks whose handles are looked for, by the handle's first word.
type Wanted = BTreeMap<u64, u64>;

/// Whether the handle of a sent chunk is in no object.
pub(super) fn is_lost(pool: &LoanPool, index: usize, state: State) -> Result<bool, &'static str> {
    Ok(!lost(pool, &[(index, state)])?.is_empty())
}

/// Those of the sent chunks whose handles are in no object.
pub(super) fn lost(
    pool: &LoanPool,
    sent: &[(usize, State)],
) -> Result<Vec<(usize, State)>, &'static str> {
    let key = |index: usize| pool.tag | index as u64;
    let mut wanted: Wanted =
        sent.iter().map(|(index, state)| (key(*index), state.generation())).collect();
    let attachment = pool.inner.attachment();
    // Who makes an object now puts no handle of these into it that is nowhere else.
    for memory in aside(|| Directory::of(attachment).occupied())? {
        if wanted.is_empty() {
            break;
        }
        if memory.kind != Some(ObjectKind::LoanPool) {
            Object { attachment, memory }.strike_out(&mut wanted, pool.tag)?;
        }
    }
    Ok(sent.iter().filter(|(index, _)| wanted.contains_key(&key(*index))).copied().collect())
}

/// The cells of a queue.
struct Ring {
    capacity: u64,
    /// Bytes from cell to cell.
    stride: u64,
    head: u64,
    tail: u64,
}

struct Object<'a> {
    attachment: &'a Arc<Attachment>,
    memory: Occupied,
}

const CELLS: u64 = size_of::<layout::Queue>() as u64;

// All three have the same head.
const _: () = {
    assert!(size_of::<layout::Spsc>() as u64 == CELLS);
    assert!(size_of::<layout::ByteQueue>() as u64 == CELLS);
    assert!(offset_of!(layout::Queue, tail) == offset_of!(layout::Spsc, tail));
    assert!(offset_of!(layout::Queue, tail) == offset_of!(layout::ByteQueue, tail));
    assert!(offset_of!(layout::Queue, head) == offset_of!(layout::Spsc, head));
    assert!(offset_of!(layout::Queue, head) == offset_of!(layout::ByteQueue, head));
    assert!(offset_of!(QueueEnd, position) == offset_of!(SpscEnd, position));
    assert!(offset_of!(QueueEnd, position) == offset_of!(ByteQueueEnd, position));
};
const CAPACITY: u64 = offset_of!(layout::Queue, capacity) as u64;
const POSITION: u64 = offset_of!(QueueEnd, position) as u64;
const TAIL: u64 = offset_of!(layout::Queue, tail) as u64 + POSITION;
const HEAD: u64 = offset_of!(layout::Queue, head) as u64 + POSITION;

impl Object<'_> {
    /// Fills words from the object, from a byte on.
    fn read(&self, from: u64, words: &mut [u64]) -> Result<(), &'static str> {
        const UNREADABLE: &str = "an object that could not be read";
        let start = self.memory.offset.checked_add(from).ok_or(UNREADABLE)?;
        match self.attachment.file().filter(|_| !cfg!(loom)) {
            Some(file) => {
                let mut bytes = vec![0; words.len() * WORD as usize];
                let read = shm::read_at(file, &mut bytes, start).map_err(|_| UNREADABLE)?;
                if read != bytes.len() {
                    return Err(UNREADABLE);
                }
                for (word, bytes) in words.iter_mut().zip(bytes.chunks_exact(WORD as usize)) {
                    *word = u64::from_ne_bytes(bytes.try_into().map_err(|_| UNREADABLE)?);
                }
            }
            None => {
                for (word, place) in words.iter_mut().zip((start..).step_by(WORD as usize)) {
                    let found = self.attachment.at::<AtomicU64>(place).ok_or(UNREADABLE)?;
                    // Acquire: what is looked at next is as new as this.
                    *word = found.load(Ordering::Acquire);
                }
            }
        }
        Ok(())
    }

    fn word(&self, from: u64) -> Result<u64, &'static str> {
        let mut word = [0];
        self.read(from, &mut word)?;
        Ok(word[0])
    }

    /// Removes the handles that are found.
    fn strike_out(&self, wanted: &mut Wanted, tag: u64) -> Result<(), &'static str> {
        let words = self.memory.size / WORD;
        let mut window = vec![0; words.min(WINDOW as u64) as usize];
        let mut at = if self.has_cells() { CELLS / WORD } else { 0 };
        // One word stays for the next window: a handle may lie across the border.
        while at + 1 < words {
            let count = (words - at).min(WINDOW as u64) as usize;
            self.read(at * WORD, &mut window[..count])?;
            for (index, pair) in window[..count].windows(2).enumerate() {
                let found = pair[0] & !INDEX == tag && wanted.get(&pair[0]) == Some(&pair[1]);
                if found && self.counts((at + index as u64) * WORD)? {
                    wanted.remove(&pair[0]);
                }
            }
            at += count as u64 - 1;
        }
        Ok(())
    }

    /// Whether what was taken out of it is still there.
    fn has_cells(&self) -> bool {
        let kind = self.memory.kind;
        matches!(kind, Some(ObjectKind::Queue | ObjectKind::Spsc | ObjectKind::ByteQueue))
    }

    /// None if it says of itself what cannot be.
    fn ring(&self) -> Result<Option<Ring>, &'static str> {
        let room = self.memory.size.saturating_sub(CELLS);
        let capacity = self.word(CAPACITY)?;
        let stride = match self.memory.kind {
            Some(ObjectKind::ByteQueue) => 1,
            _ => room.checked_div(capacity).unwrap_or(0),
        };
        if stride == 0 || stride.checked_mul(capacity) != Some(room) {
            return Ok(None);
        }
        Ok(Some(Ring { capacity, stride, head: self.word(HEAD)?, tail: self.word(TAIL)? }))
    }

    /// Whether a handle that was found at a byte of the object can be taken out of it.
    fn counts(&self, at: u64) -> Result<bool, &'static str> {
        if !self.has_cells() {
            return Ok(true);
        }
        let Some(Ring { capacity, stride, head, tail }) = self.ring()? else { return Ok(true) };
        let index = (at - CELLS) / stride;
        match self.memory.kind {
            Some(ObjectKind::Queue) => {
                let stamp = self.word(CELLS + index * stride)?;
                let position = stamp.wrapping_sub(cells::filled(0));
                // The stamps are the truth: see `data::queue`.
                Ok(stamp != cells::EMPTY && position.wrapping_sub(head) < capacity)
            }
            Some(ObjectKind::ByteQueue) => {
                let (head, tail) = (head & !(WORD - 1), tail & !(WORD - 1));
                let ahead = (index + capacity - head % capacity) % capacity;
                Ok(ahead < tail.wrapping_sub(head))
            }
            _ => {
                let ahead = (index + capacity - head % capacity) % capacity;
                Ok(ahead < tail.wrapping_sub(head))
            }
        }
    }
}

/// The part of a handle's first word that is the chunk's number.
pub(super) const INDEX: u64 = 0xffff_ffff;
