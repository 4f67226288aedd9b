//! The names in a segment.
//!
//! # Words
//!
//! The directory is a chain of blocks of entries; the first block shares the first page with the
//! header. An entry's `state` holds a generation and one of three states:
//!
//! | state | the other fields | next |
//! |---|---|---|
//! | FREE | mean nothing | LIVE, once they and the object are complete |
//! | LIVE | name, type and place of an object | REMOVED |
//! | REMOVED | place of memory that some process may still use | FREE of the next generation |
//!
//! Only holders of the directory's lock store to entries and links. Each operation takes effect
//! with one store (Release) of `state`, or of a link to a new block:
//!
//! * find: without the lock. Reads `state`, the fields, and `state` again; equal values mean that
//!   the fields belong together, because a generation never comes back.
//! * create: makes the object in memory that is in no entry's range, then stores LIVE.
//! * remove: stores REMOVED. The memory is given to others only when no process uses it.
//!
//! # What a death leaves behind
//!
//! Nothing that needs repair: before the store that takes effect, the memory is in nobody's range
//! and the entry still FREE; after it, all is done. So the lock's next holder marks it consistent
//! and goes on. Pages that were committed for an object that was never published are reused or
//! given back with the segment.
//!
//! # Who uses an object
//!
//! A handle pins its object: a lock of the kernel's on a byte that stands for the entry, which ends
//! with the process (`os::shm::pin`). To open an object is to find it, pin it, and look again; a
//! REMOVED entry becomes FREE when nobody pins it.

#[cfg(all(test, loom))]
#[path = "../model/directory.rs"]
mod model;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::error::{ObjectError, OsError};
use crate::layout::{
    BLOCK_ENTRIES, Block, Entry, FIRST_ENTRIES, FIRST_PAGE, FirstPage, OBJECT_NAME, OBJECT_TYPE,
};
use crate::os::shm;
use crate::raw::deadline::Deadline;
use crate::raw::lock::Release;
use crate::seam::atomic::{AtomicU64, fence};
use crate::segment::attachment::{Anchor, Attachment};
use crate::segment::extents::{self, Used};
use crate::segment::object::{self, Mechanics, ObjectInfo, ObjectKind};
use crate::segment::region::Extent;

const FREE: u64 = 0;
const LIVE: u64 = 1;
const REMOVED: u64 = 2;
const STATE: u64 = 3;
const GENERATION: u64 = 4;

/// How long a stopped process may keep the directory from others before they are told.
const PATIENCE: Duration = Duration::from_secs(10);

/// What an entry said at one moment.
#[derive(Debug, Clone, Copy)]
struct Snapshot {
    state: u64,
    offset: u64,
    size: u64,
    type_tag: u64,
    kind: u32,
    lengths: u32,
    name: [u64; OBJECT_NAME / 8],
    type_name: [u64; OBJECT_TYPE / 8],
}

/// The memory of an object.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Occupied {
    pub(crate) kind: Option<ObjectKind>,
    pub(crate) offset: u64,
    pub(crate) size: u64,
}

/// Text as it is stored: zero-padded words.
fn pack<const N: usize>(text: &[u8]) -> [u64; N] {
    let mut words = [0; N];
    for (word, bytes) in words.iter_mut().zip(text.chunks(8)) {
        let mut padded = [0; 8];
        for (to, from) in padded.iter_mut().zip(bytes) {
            *to = *from;
        }
        *word = u64::from_ne_bytes(padded);
    }
    words
}

fn unpack(words: &[u64], length: usize) -> String {
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).take(length).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// How much of a text is looked at: under the model, one word stands for all.
const WORDS: usize = if cfg!(loom) { 1 } else { usize::MAX };

fn load<const N: usize>(words: &[AtomicU64; N]) -> [u64; N] {
    let mut values = [0; N];
    for (value, word) in values.iter_mut().zip(words).take(WORDS) {
        *value = word.load(Ordering::Relaxed);
    }
    values
}

fn store<const N: usize>(words: &[AtomicU64; N], values: &[u64; N]) {
    for (word, value) in words.iter().zip(values).take(WORDS) {
        word.store(*value, Ordering::Relaxed);
    }
}

impl Entry {
    /// The fields if they belong together; None while they are being replaced.
    fn snapshot(&self) -> Option<Snapshot> {
        // Acquire: pairs with the Release in `publish`; the fields are as complete as the state.
        let state = self.state.load(Ordering::Acquire);
        let snapshot = Snapshot {
            state,
            offset: self.offset.load(Ordering::Relaxed),
            size: self.size.load(Ordering::Relaxed),
            type_tag: self.type_tag.load(Ordering::Relaxed),
            kind: self.kind.load(Ordering::Relaxed),
            lengths: self.lengths.load(Ordering::Relaxed),
            name: load(&self.name),
            type_name: load(&self.type_name),
        };
        // Pairs with the Release fence in `fill`: had a field been new, so would the state be.
        fence(Ordering::Acquire);
        (self.state.load(Ordering::Relaxed) == state).then_some(snapshot)
    }

    /// Writes all fields but the state, which is FREE.
    fn fill(&self, fields: &Snapshot) {
        // Pairs with the Acquire fence in `snapshot`: who reads a field of these sees FREE.
        fence(Ordering::Release);
        self.offset.store(fields.offset, Ordering::Relaxed);
        self.size.store(fields.size, Ordering::Relaxed);
        self.type_tag.store(fields.type_tag, Ordering::Relaxed);
        self.kind.store(fields.kind, Ordering::Relaxed);
        self.lengths.store(fields.lengths, Ordering::Relaxed);
        store(&self.name, &fields.name);
        store(&self.type_name, &fields.type_name);
    }

    /// Moves on to another state: the store that takes effect.
    fn publish(&self, state: u64) {
        // Release: pairs with the Acquire in `snapshot`.
        self.state.store(state, Ordering::Release);
    }
}

impl Snapshot {
    fn is(&self, state: u64) -> bool {
        self.state & STATE == state
    }

    fn name(&self) -> String {
        unpack(&self.name, (self.lengths & 0xffff) as usize)
    }

    fn type_name(&self) -> String {
        unpack(&self.type_name, (self.lengths >> 16) as usize)
    }

    fn used(&self) -> Used {
        Used { start: self.offset, length: self.size }
    }
}

/// An entry with its number in the chain.
type Numbered<'a> = (u32, &'a Entry);

/// The directory of one segment, as one process sees it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Directory<'a> {
    attachment: &'a Arc<Attachment>,
}

/// What walking the chain yields.
#[derive(Debug, Default)]
struct Chain<'a> {
    entries: Vec<Numbered<'a>>,
    blocks: Vec<Used>,
    /// The link to put the next block into.
    end: Option<&'a AtomicU64>,
}

/// The directory's lock, held.
struct Locked<'a>(&'a FirstPage);

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        self.0.header.directory.unlock(Release::Clean);
    }
}

impl<'a> Directory<'a> {
    pub(crate) fn of(attachment: &'a Arc<Attachment>) -> Self {
        Self { attachment }
    }

    fn page(self) -> Result<&'a FirstPage, &'static str> {
        self.attachment.at::<FirstPage>(0).ok_or("it is shorter than one page")
    }

    /// All entries, in order. Ends at a link that cannot be one.
    fn chain(self) -> Result<Chain<'a>, &'static str> {
        let page = self.page()?;
        let mut chain = Chain { end: Some(&page.header.next_block), ..Chain::default() };
        chain.entries.extend((0_u32..).zip(&page.entries).take(FIRST_ENTRIES));
        let most = self.attachment.length() / size_of::<Block>();
        // Brent's algorithm: a mark that every link is compared with, and that moves to the current
        // one after 1, 2, 4, ... links. It costs a few times the number of blocks that there are,
        // where `most` is as large as the segment's address space.
        let (mut mark, mut since, mut until) = (0, 0_usize, 1_usize);
        while let Some(link) = chain.end {
            // Acquire: pairs with the Release in `grow`; the block is zeroed.
            let offset = link.load(Ordering::Acquire);
            if offset == 0 {
                break;
            }
            if offset == mark || chain.blocks.len() >= most {
                return Err("the directory runs in a circle");
            }
            since += 1;
            if since == until {
                (mark, since, until) = (offset, 0, until * 2);
            }
            let block = self
                .attachment
                .at::<Block>(offset)
                .filter(|_| offset >= FIRST_PAGE)
                .ok_or("a link of the directory leads outside")?;
            chain.blocks.push(Used { start: offset, length: size_of::<Block>() as u64 });
            let number = u32::try_from(chain.entries.len()).map_err(|_| "too many objects")?;
            chain.entries.extend((number..).zip(&block.entries).take(BLOCK_ENTRIES));
            chain.end = Some(&block.next);
        }
        Ok(chain)
    }

    fn lock(self, name: &str) -> Result<Locked<'a>, ObjectError> {
        if !self.attachment.writable {
            return Err(ObjectError::ReadOnly { name: name.to_owned() });
        }
        let page = self.page().map_err(|what| object::corrupt(name, what))?;
        page.header.directory.lock(Deadline::after(PATIENCE)).map_err(ObjectError::Directory)?;
        // A dead holder leaves nothing to repair: see above.
        page.header.directory.mark_consistent();
        Ok(Locked(page))
    }

    /// The live object of that name.
    fn find(chain: &Chain<'a>, name: &str) -> Option<(u32, Snapshot)> {
        let wanted = pack::<{ OBJECT_NAME / 8 }>(name.as_bytes());
        chain.entries.iter().find_map(|&(index, entry)| {
            // An entry that is being replaced holds no object that was there before the call.
            let found = entry.snapshot()?;
            (found.is(LIVE) && found.name == wanted).then_some((index, found))
        })
    }

    /// A handle to an object that exists; None if there is none of that name.
    pub(crate) fn open<K: Mechanics>(self, name: &str) -> Result<Option<K>, ObjectError> {
        check_name(name)?;
        loop {
            let chain = self.chain().map_err(|what| object::corrupt(name, what))?;
            let Some((index, found)) = Self::find(&chain, name) else { return Ok(None) };
            let anchor = Anchor::new(self.attachment, index)?;
            // Removed since? Then its memory may be another object's by now.
            let now = chain.entries.get(index as usize).and_then(|(_, entry)| entry.snapshot());
            if now.is_some_and(|now| now.state == found.state) {
                return handle::<K>(name, &found, anchor).map(Some);
            }
        }
    }

    /// What tells the object that this entry is for from its predecessors and successors. While it is
    /// pinned, that does not change.
    #[cfg(feature = "process")]
    pub(crate) fn generation(self, index: u32) -> Result<u64, &'static str> {
        let chain = self.chain()?;
        let (_, entry) = chain.entries.get(index as usize).ok_or("the entry is gone")?;
        Ok(entry.state.load(Ordering::Relaxed) & !STATE)
    }

    /// A handle to the object of an entry, which may have been removed, as long as somebody pins it.
    #[cfg(feature = "process")]
    pub(crate) fn open_at<K: Mechanics>(
        self,
        index: u32,
        generation: u64,
    ) -> Result<K, ObjectError> {
        let anchor = Anchor::new(self.attachment, index)?;
        let gone = |what| object::corrupt("passed on", what);
        let chain = self.chain().map_err(gone)?;
        let found = chain.entries.get(index as usize).and_then(|(_, entry)| entry.snapshot());
        let found = found
            .filter(|found| found.state & !STATE == generation && !found.is(FREE))
            .ok_or_else(|| gone("its entry is another object's by now"))?;
        handle::<K>(&found.name(), &found, anchor)
    }

    /// A handle to a new object; Err(AlreadyExists) if there is one of that name.
    pub(crate) fn create<K: Mechanics>(self, name: &str, init: K::Init) -> Result<K, ObjectError> {
        check_name(name)?;
        let size = K::size(&init)
            .map_err(|what| ObjectError::InvalidShape { name: name.to_owned(), what })?;
        let locked = self.lock(name)?;
        self.reclaim(name)?;
        let corrupt = |what| object::corrupt(name, what);
        let mut chain = self.chain().map_err(corrupt)?;
        if Self::find(&chain, name).is_some() {
            return Err(ObjectError::AlreadyExists { name: name.to_owned() });
        }
        if !chain.entries.iter().any(|(_, entry)| is_free(entry)) {
            self.grow(&chain, name)?;
            chain = self.chain().map_err(corrupt)?;
        }
        let free = chain.entries.iter().find(|(_, entry)| is_free(entry));
        let Some(&(index, entry)) = free else {
            return Err(corrupt("the directory did not grow"));
        };
        let offset = self.allocate(&chain, size, K::memory(&init, size), name)?;
        let type_name = object::type_name::<K>();
        let text = type_name.as_bytes();
        let text = text.get(..OBJECT_TYPE).unwrap_or(text);
        let fields = Snapshot {
            state: (entry.state.load(Ordering::Relaxed) & !STATE) | LIVE,
            offset,
            size,
            type_tag: K::TYPE_TAG,
            kind: K::KIND as u32,
            lengths: (text.len() as u32) << 16 | name.len() as u32,
            name: pack(name.as_bytes()),
            type_name: pack(text),
        };
        let anchor = Anchor::new(self.attachment, index)?;
        let extent = Extent::new(Arc::clone(&anchor), offset, size)
            .ok_or_else(|| corrupt("the room found lies outside"))?;
        K::initialise(&extent, init).ok_or_else(|| corrupt("the room found is too small"))?;
        entry.fill(&fields);
        entry.publish(fields.state);
        drop(locked);
        handle::<K>(name, &fields, anchor)
    }

    /// Removes a name. The memory is reused once no process has a handle to the object.
    pub(crate) fn remove(self, name: &str) -> Result<(), ObjectError> {
        check_name(name)?;
        let _locked = self.lock(name)?;
        let chain = self.chain().map_err(|what| object::corrupt(name, what))?;
        let Some((index, found)) = Self::find(&chain, name) else {
            return Err(ObjectError::NotFound { name: name.to_owned() });
        };
        if let Some((_, entry)) = chain.entries.get(index as usize) {
            entry.publish((found.state & !STATE) | REMOVED);
        }
        self.reclaim(name)
    }

    /// Frees the entries and gives back the pages of removed objects that nobody uses any more.
    /// Under the lock.
    fn reclaim(self, name: &str) -> Result<(), ObjectError> {
        let chain = self.chain().map_err(|what| object::corrupt(name, what))?;
        for (index, entry) in chain.entries {
            let Some(removed) = entry.snapshot().filter(|found| found.is(REMOVED)) else {
                continue;
            };
            // Who finds a live entry and pins it afterwards looks again, and sees REMOVED.
            if !self.attachment.is_pinned(index)? {
                if removed.offset >= FIRST_PAGE {
                    self.attachment.discard(removed.offset, removed.size);
                }
                entry.publish((removed.state & !STATE).wrapping_add(GENERATION) | FREE);
            }
        }
        Ok(())
    }

    /// Room for `size` bytes, with memory behind the first so many. Under the lock.
    fn allocate(
        self,
        chain: &Chain<'_>,
        size: u64,
        memory: u64,
        name: &str,
    ) -> Result<u64, ObjectError> {
        let mut used = vec![Used { start: 0, length: FIRST_PAGE }];
        used.extend(&chain.blocks);
        let snapshots = chain.entries.iter().filter_map(|(_, entry)| entry.snapshot());
        used.extend(snapshots.filter(|found| !found.is(FREE)).map(|found| found.used()));
        let capacity = self.attachment.length() as u64;
        let offset = extents::find_gap(used, capacity, size)
            .map_err(|what| object::corrupt(name, what))?
            .ok_or_else(|| ObjectError::SegmentFull { name: name.to_owned(), needed: size })?;
        self.attachment.commit(offset, memory).map_err(|error| no_space(error, name, memory))?;
        Ok(offset)
    }

    /// Appends a block. Under the lock.
    fn grow(self, chain: &Chain<'_>, name: &str) -> Result<(), ObjectError> {
        let offset =
            self.allocate(chain, size_of::<Block>() as u64, size_of::<Block>() as u64, name)?;
        let corrupt = |what| object::corrupt(name, what);
        let block =
            self.attachment.at::<Block>(offset).ok_or_else(|| corrupt("no room for a block"))?;
        block.next.store(0, Ordering::Relaxed);
        for entry in &block.entries {
            entry.state.store(FREE, Ordering::Relaxed);
        }
        let end = chain.end.ok_or_else(|| corrupt("the directory has no end"))?;
        // Release: pairs with the Acquire in `chain`. A death before it leaves memory in nobody's
        // range, one after it a block that is there.
        end.store(offset, Ordering::Release);
        Ok(())
    }

    /// The memory of all objects that anybody may use, removed ones included.
    pub(crate) fn occupied(self) -> Result<Vec<Occupied>, &'static str> {
        let used = |(_, entry): (u32, &Entry)| {
            // One that is being replaced held no object when this began.
            let found = entry.snapshot().filter(|found| !found.is(FREE))?;
            let kind = ObjectKind::from_number(found.kind);
            Some(Occupied { kind, offset: found.offset, size: found.size })
        };
        Ok(self.chain()?.entries.into_iter().filter_map(used).collect())
    }

    /// All objects that are there at the moment.
    pub(crate) fn list(self) -> Result<Vec<ObjectInfo>, ObjectError> {
        let chain = self.chain().map_err(|what| object::corrupt("directory", what))?;
        let snapshots = chain.entries.iter().filter_map(|(_, entry)| entry.snapshot());
        Ok(snapshots
            .filter(|found| found.is(LIVE))
            .map(|found| ObjectInfo {
                name: found.name(),
                kind: ObjectKind::from_number(found.kind),
                type_name: found.type_name(),
                size: found.size,
            })
            .collect())
    }
}

fn is_free(entry: &Entry) -> bool {
    entry.state.load(Ordering::Relaxed) & STATE == FREE
}

fn no_space(error: OsError, name: &str, needed: u64) -> ObjectError {
    if shm::is_no_space(&error) {
        ObjectError::NoSpace { name: name.to_owned(), needed }
    } else {
        error.into()
    }
}

fn check_name(name: &str) -> Result<(), ObjectError> {
    if name.is_empty() || name.len() > OBJECT_NAME || name.contains('\0') {
        return Err(ObjectError::InvalidName { name: name.to_owned(), limit: OBJECT_NAME });
    }
    Ok(())
}

/// A handle to a pinned object, if it is of that type.
fn handle<K: Mechanics>(
    name: &str,
    found: &Snapshot,
    anchor: Arc<Anchor>,
) -> Result<K, ObjectError> {
    if found.kind != K::KIND as u32 || found.type_tag != K::TYPE_TAG {
        let expected = object::type_name::<K>();
        let mut text = found.type_name();
        if text == expected {
            // Equal in name, but not in structure.
            text.push_str(" with other fields");
        }
        return Err(ObjectError::TypeMismatch { name: name.to_owned(), found: text, expected });
    }
    let extent = Extent::new(anchor, found.offset, found.size)
        .filter(|_| found.offset >= FIRST_PAGE)
        .ok_or_else(|| object::corrupt(name, "it lies outside of the segment"))?;
    K::attach(&extent).map_err(|what| object::corrupt(name, what))
}
