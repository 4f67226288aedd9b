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
use crate::data::cells::{EMPTY, filled};
use crate::layout;
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

/// Where a queue whose cells still hold what was taken has its words.
struct Head {
    capacity: u64,
    /// Of the producers' and of the consumers' position.
    tail: u64,
    head: u64,
    cells: u64,
}

impl Head {
    /// None if whatever is in the object is in there.
    fn of(kind: Option<ObjectKind>) -> Option<Self> {
        macro_rules! head {
            ($head:ident, $tail:ident.$tail_position:ident, $front:ident.$front_position:ident) => {
                Self {
                    capacity: offset_of!(layout::$head, capacity) as u64,
                    tail: offset_of!(layout::$head, $tail.$tail_position) as u64,
                    head: offset_of!(layout::$head, $front.$front_position) as u64,
                    cells: size_of::<layout::$head>() as u64,
                }
            };
        }
        match kind? {
            ObjectKind::Queue => Some(head!(Queue, tail.position, head.position)),
            ObjectKind::ByteQueue => Some(head!(ByteQueue, tail.position, head.position)),
            ObjectKind::Spsc => Some(head!(Spsc, pushed.position, popped.position)),
            _ => None,
        }
    }
}

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
        // Not the head: there may be a copy of a message that was taken.
        let mut at = Head::of(self.memory.kind).map_or(0, |head| head.cells / WORD);
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

    /// None if it says of itself what cannot be.
    fn ring(&self, head: &Head) -> Result<Option<Ring>, &'static str> {
        let room = self.memory.size.saturating_sub(head.cells);
        let capacity = self.word(head.capacity)?;
        let stride = match self.memory.kind {
            Some(ObjectKind::ByteQueue) => 1,
            _ => room.checked_div(capacity).unwrap_or(0),
        };
        if stride == 0 || stride.checked_mul(capacity) != Some(room) {
            return Ok(None);
        }
        Ok(Some(Ring {
            capacity,
            stride,
            head: self.word(head.head)?,
            tail: self.word(head.tail)?,
        }))
    }

    /// Whether a handle that was found at a byte of the object can be taken out of it.
    fn counts(&self, at: u64) -> Result<bool, &'static str> {
        let Some(words) = Head::of(self.memory.kind) else { return Ok(true) };
        let cells = words.cells;
        let Some(Ring { capacity, stride, head, tail }) = self.ring(&words)? else {
            return Ok(true);
        };
        let index = (at - cells) / stride;
        match self.memory.kind {
            Some(ObjectKind::Queue) => {
                let stamp = self.word(cells + index * stride)?;
                let position = stamp.wrapping_sub(filled(0));
                // The stamps are the truth: see `data::queue`.
                Ok(stamp != EMPTY && position.wrapping_sub(head) < capacity)
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
