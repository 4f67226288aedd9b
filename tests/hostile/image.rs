//! A segment with objects of every kind, as bytes, and where in them everything is.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use outlive::{
    ListenerOptions, LoanHandle, PoolLayout, Redeliver, Reset, Segment, SegmentOptions,
    ServiceOptions, Shared, Slow, Start, TaskQueueOptions, Text,
};

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

/// Too large for a `Latest` to be read without a share.
pub(crate) type Wide = [State; 300];
pub(crate) const WIDE: Wide = [State::Cold; 300];

/// A key that may be no text.
pub(crate) type Name = Text<6>;

pub(crate) fn names_of_map() -> [Name; 4] {
    ["a", "Zoë", "", "b"].map(|name| Name::new(name).expect("short"))
}

/// Of entries, of which the image has the first two.
pub(crate) const KEYS: [u64; 4] = [3, u64::MAX, 5, 6];
pub(crate) const SYMBOL: char = '\u{10ffff}';

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

/// How many readers, parties and permits there are.
pub(crate) const READERS: usize = 2;
pub(crate) const PARTIES: usize = 2;
pub(crate) const PERMITS: u64 = 3;

/// Bytes of the pool's chunks.
pub(crate) const LOANED: usize = 2 * 64 + 256;

pub(crate) fn chunks() -> PoolLayout {
    PoolLayout::new().chunks(2, 64).chunks(1, 256)
}

/// Of a byte queue and of pipes.
pub(crate) const ROOM: usize = 64;

pub(crate) fn listening() -> ListenerOptions {
    ListenerOptions { connections: 1, capacity: ROOM, acceptors: 1 }
}

pub(crate) fn serving() -> ServiceOptions {
    let options = ServiceOptions::new(16, 16).clients(1).servers(1).requests(2);
    options.redeliver(Redeliver::UpTo(1))
}

pub(crate) fn working() -> TaskQueueOptions {
    TaskQueueOptions::new(3).holders(2).redeliver(Redeliver::UpTo(2))
}

/// Creates all objects. More than the directory's first two blocks hold.
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
    segment.rwlock_with("rwlock number", u64::MAX, READERS)?;
    segment.rwlock_with("rwlock state", State::Warm, READERS)?;
    segment.reentrant_mutex("reentrant number", u64::MAX)?;
    segment.reentrant_mutex("reentrant state", State::Warm)?;
    segment.semaphore("semaphore", PERMITS)?;
    segment.bounded_semaphore("bounded semaphore", PERMITS)?;
    segment.barrier("barrier", PARTIES)?;
    segment.barrier("lone barrier", 1)?;
    segment.condvar("condvar")?;
    segment.once("once")?;
    segment.once_value::<Record>("once unset")?;
    segment.once_value::<Record>("once value")?.set(RECORD).expect("unset");
    segment.latest_with("latest number", 5_u64, READERS)?;
    segment.latest_with("latest wide", WIDE, READERS)?;
    let numbered = segment.map::<u64, u64>("map number", 4)?;
    let named = segment.map::<Name, Record>("map record", 3)?;
    let numbers_in_order = segment.list::<u16>("list number", 9)?;
    let records_in_order = segment.list::<Record>("list record", 4)?;
    let space = segment.namespace::<16>("namespace", 3)?;
    space.set("number", &5_u64).expect("room");
    space.set("symbol", &SYMBOL).expect("room");
    for (key, name) in KEYS.into_iter().zip(names_of_map()).take(2) {
        numbered.insert(key, 5).expect("room");
        named.insert(name, RECORD).expect("room");
        numbers_in_order.push(5).expect("room");
        records_in_order.push(RECORD).expect("room");
        numbers.try_push(u64::MAX).expect("room");
        states.try_push(State::Hot).expect("room");
        large.try_push([7; 9]).expect("room");
    }
    furnish_channels(segment)
}

fn furnish_channels(segment: &Segment) -> Result<(), outlive::ObjectError> {
    const ROOM_IS_LEFT: &str = "room";
    let (records, large) =
        (segment.spsc("ring record", 3)?, segment.spsc::<Large>("ring large", 2)?);
    records.producer().expect("nobody's").try_push_slice(&[RECORD; 2]).expect(ROOM_IS_LEFT);
    large.producer().expect("nobody's").try_push([7; 9]).expect(ROOM_IS_LEFT);
    let waiting = segment.broadcast_with("broadcast waiting", 3, Slow::Block, 2)?;
    let hasty = segment.broadcast_with("broadcast hasty", 3, Slow::Overwrite, 2)?;
    let _seen = waiting.subscribe(Start::Oldest).expect("a place").try_recv();
    let bytes = segment.byte_queue("bytes", ROOM)?;
    let duplex = segment.pipe("pipe", ROOM)?;
    let one_way = segment.one_way_pipe("one-way pipe", ROOM)?;
    segment.listener("listener", listening())?;
    let service = segment.service("service", serving())?;
    let tasks = segment.task_queue_with("tasks", working())?;
    for message in [&b"first"[..], b"the second"] {
        waiting.try_publish(RECORD).expect(ROOM_IS_LEFT);
        hasty.try_publish(5_u64).expect(ROOM_IS_LEFT);
        bytes.try_push(message).expect(ROOM_IS_LEFT);
        for pipe in [&duplex, &one_way] {
            pipe.second().expect("nobody's").try_send_bytes(message).expect(ROOM_IS_LEFT);
        }
        tasks.try_push(RECORD).expect(ROOM_IS_LEFT);
    }
    tasks.try_pop().expect("a task").fail().expect("fail");
    tasks.try_push(RECORD).expect(ROOM_IS_LEFT);
    let (server, client) = (service.server().expect("first"), service.client().expect("first"));
    let pending = client.send(b"request").expect("send");
    server.try_accept().expect("accept").reply(b"reply").expect("reply");
    pending.wait().expect("wait");
    let pool = segment.loan_pool("pool", &chunks())?;
    let handles = segment.queue::<LoanHandle>("handles", 3)?;
    let loan = pool.try_loan_copy(b"loaned").expect("a chunk");
    loan.try_send_to(&handles).expect(ROOM_IS_LEFT);
    pool.try_loan(RECORD).expect("a chunk").try_send_to(&handles).expect(ROOM_IS_LEFT);
    Ok(())
}

/// The bytes of such a segment. The same in every process, but for what is drawn by lot: a map's
/// secret, a pool's tag and generations.
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
const BLOCK: u64 = 4096;
const NAME: usize = 40;
const LOCK_OF_DIRECTORY: u64 = 128;
/// The size of a share, and of the lock that it starts with.
const SHARE: u64 = 64;
pub(crate) const LOCK: u64 = 40;
/// The locks of a pipe: of its ends, and of both sides of one queue and the other.
const PIPE_LOCKS: [u64; 6] = [64, 128, 192 + 128, 192 + 256, 704 + 128, 704 + 256];
/// The size of a pipe that has one queue.
const ONE_WAY: u64 = 704;

fn word(bytes: &[u8], offset: u64) -> Option<u64> {
    let start = usize::try_from(offset).ok()?;
    let word = bytes.get(start..start.checked_add(8)?)?;
    Some(u64::from_ne_bytes(word.try_into().ok()?))
}

/// Where the directory's further blocks are.
fn blocks(bytes: &[u8]) -> Vec<u64> {
    let follow = |link: u64| word(bytes, link).filter(|&block| block != 0 && block < CAPACITY);
    // There cannot be more, unless it runs in a circle.
    let most = (CAPACITY / BLOCK) as usize;
    std::iter::successors(follow(NEXT_BLOCK), |&block| follow(block)).take(most).collect()
}

/// Where the directory's entries are.
pub(crate) fn entries(bytes: &[u8]) -> Vec<u64> {
    let first = (0..FIRST_ENTRIES).map(|i| FIRST_ENTRY + i * ENTRY);
    let further = blocks(bytes)
        .into_iter()
        .flat_map(|block| (0..BLOCK_ENTRIES).map(move |i| block + (i + 1) * ENTRY));
    first.chain(further).collect()
}

/// What an entry names.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Extent {
    kind: u64,
    pub(crate) offset: u64,
    pub(crate) size: u64,
}

fn object(bytes: &[u8], entry: u64) -> Option<Extent> {
    let state = word(bytes, entry)?;
    let kind = word(bytes, entry + 32)? & 0xffff_ffff;
    let (offset, size) = (word(bytes, entry + 8)?, word(bytes, entry + 16)?);
    (state & 3 != 0).then_some(Extent { kind, offset, size })
}

/// The objects, in an image that is intact.
pub(crate) fn objects(bytes: &[u8]) -> Vec<(String, Extent)> {
    const LIVE: u64 = 1;
    entries(bytes)
        .into_iter()
        .filter(|&entry| word(bytes, entry).is_some_and(|state| state & 3 == LIVE))
        .filter_map(|entry| {
            let length = (word(bytes, entry + 32)? >> 32) as usize & 0xffff;
            let name = bytes.get(entry as usize + NAME..)?.get(..length)?;
            Some((String::from_utf8(name.to_vec()).ok()?, object(bytes, entry)?))
        })
        .collect()
}

/// Where the links of the directory are.
pub(crate) fn links(bytes: &[u8]) -> Vec<u64> {
    std::iter::once(NEXT_BLOCK).chain(blocks(bytes)).collect()
}

impl Extent {
    /// Where locks are in an object of that kind.
    pub(crate) fn locks(self, bytes: &[u8]) -> Vec<u64> {
        let at = |field: u64| self.offset.wrapping_add(field);
        let number = |field: u64| word(bytes, at(field)).unwrap_or(0);
        // From `start` on, as many as that, and fit in.
        let row = |start: u64, count: u64| {
            let room = self.size.min(CAPACITY).saturating_sub(start) / SHARE;
            (0..count.min(room)).map(move |index| at(start + index * SHARE))
        };
        let shares = |start: u64, count: u64| row(start, number(count));
        let ends = |pipe: u64| PIPE_LOCKS.map(|field| at(pipe + field));
        match self.kind {
            1 | 2 | 3 | 5 | 8 | 13 | 14 | 25 => vec![at(0)],
            6 => vec![at(128), at(256)],
            9 => [at(0), at(64)].into_iter().chain(shares(128, 48)).collect(),
            10 => std::iter::once(at(0)).chain(shares(192, 72)).collect(),
            12 => std::iter::once(at(0)).chain(shares(128, 40)).collect(),
            15 => std::iter::once(at(0)).chain(shares(128, 48)).collect(),
            // A map's stripes are as far apart as shares, and begin with a lock as these do.
            24 | 26 => std::iter::once(at(0)).chain(shares(128, 72)).collect(),
            16 => vec![at(128), at(320)],
            17 => vec![at(128), at(256)],
            18 => std::iter::once(at(128)).chain(shares(320, 16)).collect(),
            // The headers of the chunks of all sizes are as far apart as shares, and begin like them.
            19 => {
                let counts = (0..16).map(|size| number(192 + size * 8));
                row(512, counts.fold(0, u64::saturating_add)).collect()
            }
            20 if self.size > ONE_WAY => ends(0).to_vec(),
            20 => ends(0)[..4].to_vec(),
            // One acceptor and one connection.
            21 => [at(0), at(256)].into_iter().chain(ends(256 + SHARE)).collect(),
            22 | 23 => std::iter::once(at(0)).chain(shares(256, 160)).collect(),
            _ => Vec::new(),
        }
    }
}

impl Extent {
    /// The words at its start that are not part of a lock.
    pub(crate) fn plain_words(self, bytes: &[u8]) -> Vec<u64> {
        /// What comes before most objects' data is no larger.
        const HEAD: u64 = 320;
        // Of rings: the consumers' side, and the first messages.
        let head = if (16..24).contains(&self.kind) { 2 * HEAD } else { HEAD };
        let locks = self.locks(bytes);
        let is_plain = |word: &u64| !locks.iter().any(|lock| (*lock..lock + LOCK).contains(word));
        (self.offset..self.offset + self.size.min(head)).step_by(8).filter(is_plain).collect()
    }
}

/// Where words that name the holder of a lock are.
pub(crate) fn lock_words(bytes: &[u8]) -> Vec<u64> {
    let objects = entries(bytes).into_iter().filter_map(|entry| object(bytes, entry));
    let of_objects = objects.flat_map(|object| object.locks(bytes));
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
        .flat_map(|object| (object.offset..object.offset + object.size.min(512)).step_by(8));
    let unused = entries(bytes).into_iter().filter(|entry| object(bytes, *entry).is_none()).take(1);
    header.chain(fields).chain(objects).chain(blocks(bytes)).chain(unused).collect()
}

/// Values that lead somewhere: where objects and blocks are, and how large.
pub(crate) fn telling_values(bytes: &[u8]) -> Vec<u64> {
    let objects = entries(bytes).into_iter().filter_map(|entry| object(bytes, entry));
    let mut values: Vec<u64> = objects.flat_map(|object| [object.offset, object.size]).collect();
    values.extend(blocks(bytes));
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
