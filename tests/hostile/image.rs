//! A segment with objects of every kind, as bytes, and where in them everything is.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use outlive::{Reset, Segment, SegmentOptions, Shared};

/// Has bytes that are no value, and is matched on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Shared)]
#[repr(u8)]
pub(crate) enum State {
    Cold = 1,
    Warm = 2,
    Hot = 200,
}

/// Several words, with fields of all sorts of validity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Shared)]
#[repr(C)]
pub(crate) struct Record {
    pub(crate) id: u64,
    pub(crate) symbol: char,
    pub(crate) state: State,
    pub(crate) flag: bool,
    pub(crate) rest: [u8; 2],
}

pub(crate) const RECORD: Record =
    Record { id: u64::MAX, symbol: '\u{10ffff}', state: State::Hot, flag: true, rest: [0xaa; 2] };

/// A message on more than one cache line.
pub(crate) type Large = [u64; 9];

pub(crate) const CAPACITY: u64 = 64 << 10;

/// A directory of its own in the shared-memory file system.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) path: PathBuf,
    /// Whether it is removed at the end.
    mine: bool,
}

impl Place {
    pub(crate) fn new(what: &str) -> Self {
        let path = Path::new("/dev/shm").join(crate::support::unique(what));
        fs::create_dir(&path).expect("create_dir");
        Self { path, mine: true }
    }

    /// The parent process's, which outlives this one.
    pub(crate) fn of_parent(path: &str) -> Self {
        Self { path: path.into(), mine: false }
    }

    pub(crate) fn options(&self) -> SegmentOptions {
        Segment::options().directory(&self.path).capacity(CAPACITY).persistent(true)
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.mine {
            let _left = fs::remove_dir_all(&self.path);
        }
    }
}

/// Creates all objects. More than the directory's first block holds.
fn furnish(segment: &Segment) -> Result<(), outlive::ObjectError> {
    segment.mutex("mutex number", u64::MAX)?;
    segment.mutex("mutex state", State::Warm)?;
    segment.value("value number", 5_u32)?;
    segment.value("value record", RECORD)?;
    segment.counter("counter")?;
    segment.atomic_counter("atomic counter")?;
    segment.array("array number", 20, -1_i64)?;
    segment.array("array small", 9, 0xffff_u16)?;
    segment.array("array record", 5, RECORD)?;
    segment.array("array char", 5, 'x')?;
    let numbers = segment.queue::<u64>("queue number", 8)?;
    let states = segment.queue::<State>("queue state", 5)?;
    let large = segment.queue::<Large>("queue large", 3)?;
    segment.event("event auto", Reset::Auto)?;
    segment.event("event manual", Reset::Manual)?;
    segment.value("removed", 1_u64)?;
    segment.remove("removed")?;
    segment.value("value flag", true)?;
    for _ in 0..2 {
        numbers.try_push(u64::MAX).expect("room");
        states.try_push(State::Hot).expect("room");
        large.try_push([7; 9]).expect("room");
    }
    Ok(())
}

/// The bytes of such a segment. The same in every process.
pub(crate) fn bytes() -> Vec<u8> {
    let place = Place::new("image");
    let segment = place.options().create("image").expect("create");
    furnish(&segment).expect("furnish");
    drop(segment);
    fs::read(place.file("image")).expect("read")
}

// The layout that `src/layout.rs` asserts.
const FIRST_ENTRY: u64 = 512;
const FIRST_ENTRIES: u64 = 14;
const ENTRY: u64 = 256;
const NEXT_BLOCK: u64 = 168;
const BLOCK_ENTRIES: u64 = 15;
const LOCK_OF_DIRECTORY: u64 = 128;

fn word(bytes: &[u8], offset: u64) -> Option<u64> {
    let start = usize::try_from(offset).ok()?;
    let word = bytes.get(start..start.checked_add(8)?)?;
    Some(u64::from_ne_bytes(word.try_into().ok()?))
}

/// Where the directory's entries are: in the first two blocks.
pub(crate) fn entries(bytes: &[u8]) -> Vec<u64> {
    let second = word(bytes, NEXT_BLOCK).filter(|&block| block != 0 && block < CAPACITY);
    let first = (0..FIRST_ENTRIES).map(|i| FIRST_ENTRY + i * ENTRY);
    let second = second
        .into_iter()
        .flat_map(|block| (0..BLOCK_ENTRIES).map(move |i| block + (i + 1) * ENTRY));
    first.chain(second).collect()
}

/// Kind, offset and size of what an entry names.
fn object(bytes: &[u8], entry: u64) -> Option<(u64, u64, u64)> {
    let state = word(bytes, entry)?;
    let kind = word(bytes, entry + 32)? & 0xffff_ffff;
    (state & 3 != 0).then_some((kind, word(bytes, entry + 8)?, word(bytes, entry + 16)?))
}

/// Where the links of the directory are.
pub(crate) fn links(bytes: &[u8]) -> Vec<u64> {
    std::iter::once(NEXT_BLOCK).chain(word(bytes, NEXT_BLOCK)).collect()
}

/// Where words that name the holder of a lock are.
pub(crate) fn lock_words(bytes: &[u8]) -> Vec<u64> {
    let of_objects = entries(bytes).into_iter().filter_map(|entry| object(bytes, entry)).flat_map(
        |(kind, offset, _)| match kind {
            1 | 2 | 3 | 5 => vec![offset],
            6 => vec![offset.wrapping_add(64), offset.wrapping_add(128)],
            _ => Vec::new(),
        },
    );
    let within = |offset: &u64| *offset < CAPACITY - 8;
    std::iter::once(LOCK_OF_DIRECTORY).chain(of_objects).filter(within).collect()
}

/// All words that mean something: header, directory, objects.
pub(crate) fn words(bytes: &[u8]) -> Vec<u64> {
    let header = (0..48).chain(128..176).step_by(8);
    let used = |entry: &u64| object(bytes, *entry).is_some();
    let fields = entries(bytes).into_iter().filter(used).flat_map(|entry| {
        // The words of names and types are of less interest.
        (0..48).chain(128..136).step_by(8).map(move |field| entry + field)
    });
    let objects = entries(bytes)
        .into_iter()
        .filter_map(|entry| object(bytes, entry))
        .flat_map(|(_, offset, size)| (offset..offset + size.min(512)).step_by(8));
    let second = word(bytes, NEXT_BLOCK).into_iter();
    let unused = entries(bytes).into_iter().filter(|entry| object(bytes, *entry).is_none()).take(1);
    header.chain(fields).chain(objects).chain(second).chain(unused).collect()
}

/// Values that lead somewhere: where objects and blocks are, and how large.
pub(crate) fn telling_values(bytes: &[u8]) -> Vec<u64> {
    let objects = entries(bytes).into_iter().filter_map(|entry| object(bytes, entry));
    let mut values: Vec<u64> = objects.flat_map(|(_, offset, size)| [offset, size]).collect();
    values.extend(word(bytes, NEXT_BLOCK));
    values
}

/// Overwrites bytes of a file, whose length may have changed; not beyond its end.
pub(crate) fn write(file: &fs::File, offset: u64, bytes: &[u8]) {
    let length = file.metadata().map_or(0, |meta| meta.len());
    if offset.saturating_add(bytes.len() as u64) <= length {
        file.write_all_at(bytes, offset).expect("write");
    }
}

/// Where the object of an entry of the first block is.
pub(crate) fn place_of(bytes: &[u8], index: u64) -> u64 {
    word(bytes, FIRST_ENTRY + index * ENTRY + 8).expect("within the first page")
}
