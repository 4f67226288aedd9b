//! What a pool and its workers say to each other.
//!
//! Down, through a pipe: one message for each chunk, [`Front`] and then its tasks. A chunk whose
//! arguments have handles, or that is too long for the pipe, is a letter instead (`letter`), and the
//! message is the front alone.
//!
//! Up, through a ring of words: records, a word with kind and length, and the bytes in whole words. A
//! record counts once all of it is there. A result that has handles, or is long, is a letter, which is
//! sent before the record that tells of it. The pipe's other direction is the bell: an empty message
//! says that there are records.

/// Bytes of room in the pipe, each way.
pub(super) const PIPE: usize = 64 << 10;
/// Words in the ring.
pub(super) const RING: usize = 16 << 10;
/// A chunk that is longer is a letter, and so is a result. The pipe and the ring have room for several
/// that are not.
pub(super) const LONG: usize = 24 << 10;

/// The start of a message down.
#[derive(Debug, Clone, Copy)]
pub(super) struct Front {
    /// The function's entry.
    pub(super) entry: u64,
    /// How many tasks.
    pub(super) tasks: u32,
    /// Whether they are in a letter.
    pub(super) letter: bool,
}

impl Front {
    pub(super) const LENGTH: usize = 16;

    pub(super) fn to_bytes(self) -> [u8; Self::LENGTH] {
        let mut bytes = [0; Self::LENGTH];
        bytes[..8].copy_from_slice(&self.entry.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.tasks.to_le_bytes());
        bytes[12] = self.letter.into();
        bytes
    }

    pub(super) fn take(message: &[u8]) -> Option<(Self, &[u8])> {
        let (entry, rest) = message.split_first_chunk()?;
        let (tasks, rest) = rest.split_first_chunk()?;
        let ([letter, ..], rest) = rest.split_first_chunk::<4>()?;
        let (entry, tasks) = (u64::from_le_bytes(*entry), u32::from_le_bytes(*tasks));
        Some((Self { entry, tasks, letter: *letter == 1 }, rest))
    }
}

/// Appends a task to a chunk: its length, and what `write` appends.
pub(super) fn append_task<E>(
    chunk: &mut Vec<u8>,
    write: impl FnOnce(Vec<u8>) -> Result<Vec<u8>, E>,
) -> Result<(), E> {
    let start = chunk.len();
    let mut bytes = std::mem::take(chunk);
    bytes.extend([0; 4]);
    *chunk = write(bytes)?;
    // A task of 4 GiB is refused where it is written: see `job`.
    let length = (chunk.len() - start - 4) as u32;
    if let Some(place) = chunk.get_mut(start..start + 4) {
        place.copy_from_slice(&length.to_le_bytes());
    }
    Ok(())
}

/// The next task of a chunk.
pub(super) fn take_task<'a>(chunk: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, rest) = chunk.split_first_chunk()?;
    let length = u32::from_le_bytes(*length) as usize;
    let (task, rest) = rest.split_at_checked(length)?;
    *chunk = rest;
    Some(task)
}

/// Kinds of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    /// The worker has done its initializer, and takes tasks.
    Ready = 1,
    /// The initializer failed: a text.
    Unfit = 2,
    /// The first task of the next chunk is begun; with every outcome but a chunk's last one, the next.
    Begin = 3,
    /// The chunk is done: how many nanoseconds it took.
    End = 4,
    /// An outcome: the function returned this.
    Returned = 5,
    /// An outcome: it returned what is in the next letter.
    Letter = 6,
    /// An outcome: it panicked, with a message and a place.
    Panicked = 7,
    /// An outcome: the argument is none, a text.
    Arguments = 8,
    /// An outcome: the result cannot be passed on, a text.
    Result = 9,
}

impl Kind {
    const ALL: [Self; 9] = [
        Self::Ready,
        Self::Unfit,
        Self::Begin,
        Self::End,
        Self::Returned,
        Self::Letter,
        Self::Panicked,
        Self::Arguments,
        Self::Result,
    ];

    /// The first word of a record.
    pub(super) fn word(self, length: usize) -> u64 {
        (length as u64) << 8 | self as u64
    }

    /// What a first word says; None if it cannot be one.
    pub(super) fn parse(word: u64) -> Option<(Self, usize)> {
        let length = usize::try_from(word >> 8).ok().filter(|length| *length <= LONG)?;
        let kind = usize::from((word & 0xff) as u8).checked_sub(1)?;
        Some((*Self::ALL.get(kind)?, length))
    }
}
