//! This process's part in a segment: the memory, the file whose lock tells others that we are here,
//! and the way out.
//!
//! # Who is attached
//!
//! Every attachment has an open file description of its own, and on it a read lock of one byte far
//! beyond the file's end (`os::shm::try_hold`). The kernel drops it at death. Whoever gets the write
//! lock of that byte knows that nobody else is attached, and keeps others from coming. A write lock
//! needs a descriptor that is open for writing: who may only read a segment cannot lock anybody out.
//!
//! # Leaving
//!
//! The last one to leave an ephemeral segment removes its name (see `removal`).

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, MutexGuard, TryLockError};

use crate::error::{OsError, SegmentError};
use crate::os::mapping::Mapping;
use crate::os::shm;
use crate::seam::robust_list;
use crate::segment::backing::Backing;
use crate::segment::registry::Membership;
use crate::segment::removal;

/// A segment as this process sees it.
#[derive(Debug)]
pub(crate) struct Attachment {
    /// None only while it is being dropped.
    memory: Option<Memory>,
    base: NonNull<u8>,
    length: usize,
    pub(crate) writable: bool,
    pub(crate) creator: bool,
    pub(crate) ephemeral: bool,
    pub(crate) home: Option<Home>,
}

/// Where a named segment is.
#[derive(Debug, Clone)]
pub(crate) struct Home {
    pub(crate) name: String,
    pub(crate) path: PathBuf,
}

/// What keeps the bytes there.
#[derive(Debug)]
enum Memory {
    // Dropped in this order: the membership needs the file open.
    File { membership: Membership, mapping: Mapping, file: OwnedFd },
    Foreign(#[expect(dead_code, reason = "kept for its Drop")] Box<dyn Backing>),
}

#[allow(unsafe_code)] // shared memory is for all threads
// SAFETY: `base` leads to memory that is accessed through atomics only.
unsafe impl Send for Attachment {}
#[allow(unsafe_code)] // as above
// SAFETY: as above.
unsafe impl Sync for Attachment {}

/// What an attachment is besides its memory.
#[derive(Debug, Clone)]
pub(crate) struct Role {
    pub(crate) writable: bool,
    pub(crate) creator: bool,
    pub(crate) ephemeral: bool,
    pub(crate) home: Option<Home>,
}

impl Attachment {
    /// Takes part in the segment of a file, to which the caller has attached and whose header the
    /// caller has checked.
    pub(crate) fn of_file(
        file: OwnedFd,
        mapping: Mapping,
        role: Role,
    ) -> Result<Self, SegmentError> {
        bury_again();
        let membership = Membership::new(file.as_raw_fd(), role.writable);
        let base = NonNull::new(mapping.base()).ok_or(OsError::new("mmap", 0))?;
        let length = mapping.len();
        Ok(Self::new(Memory::File { membership, mapping, file }, base, length, role))
    }

    /// Takes part in a segment in memory that came from elsewhere.
    pub(crate) fn of_backing(backing: Box<dyn Backing>, role: Role) -> Self {
        let (base, length) = (backing.base(), backing.length());
        Self::new(Memory::Foreign(backing), base, length, role)
    }

    fn new(memory: Memory, base: NonNull<u8>, length: usize, role: Role) -> Self {
        let Role { writable, creator, ephemeral, home } = role;
        Self { memory: Some(memory), base, length, writable, creator, ephemeral, home }
    }

    pub(crate) fn base(&self) -> NonNull<u8> {
        self.base
    }

    pub(crate) fn length(&self) -> usize {
        self.length
    }

    /// For error messages.
    pub(crate) fn describe(&self) -> String {
        self.home
            .as_ref()
            .map_or("the anonymous segment".to_owned(), |home| format!("segment {:?}", home.name))
    }

    pub(crate) fn file(&self) -> Option<BorrowedFd<'_>> {
        match &self.memory {
            Some(Memory::File { file, .. }) => Some(file.as_fd()),
            _ => None,
        }
    }

    pub(crate) fn mapping(&self) -> Option<&Mapping> {
        match &self.memory {
            Some(Memory::File { mapping, .. }) => Some(mapping),
            _ => None,
        }
    }

    fn membership(&self) -> Option<&Membership> {
        match &self.memory {
            Some(Memory::File { membership, .. }) => Some(membership),
            _ => None,
        }
    }

    /// Whether some process has a handle to object `index`. Foreign memory has no file to tell by:
    /// there, always.
    pub(crate) fn is_pinned(&self, index: u32) -> Result<bool, OsError> {
        self.membership().map_or(Ok(true), |membership| membership.is_pinned(index))
    }

    /// Takes memory for a range of the segment.
    pub(crate) fn commit(&self, start: u64, length: u64) -> Result<(), OsError> {
        self.file().map_or(Ok(()), |file| shm::commit(file, start, length))
    }

    /// Gives the whole pages within a range back, if it lies within the segment.
    pub(crate) fn discard(&self, start: u64, length: u64) {
        const PAGE: u64 = 4096;
        // From shared memory: anything.
        let end = start.checked_add(length).filter(|end| *end <= self.length as u64);
        let pages = start.checked_next_multiple_of(PAGE).zip(end.map(|end| end / PAGE * PAGE));
        if let Some(file) = self.file()
            && let Some((first, end)) = pages
            && end > first
        {
            // Pages that stay are only not given back yet.
            let _stays = shm::discard(file, first, end - first);
        }
    }
}

impl Drop for Attachment {
    fn drop(&mut self) {
        let Some(memory) = self.memory.take() else { return };
        let start = self.base.as_ptr() as usize;
        let remains = Remains {
            memory,
            start,
            end: start + self.length,
            home: self.home.take().filter(|_| self.ephemeral),
            writable: self.writable,
        };
        if !remains.are_needed() {
            remains.bury();
        } else if let Some(mut graveyard) = lock_soon(&GRAVEYARD) {
            graveyard.push(remains);
        } else {
            // Mapped for as long as the process lives, rather than unmapped under a lock.
            std::mem::forget(remains);
        }
    }
}

/// A segment that no handle leads to any more.
///
/// If a thread leaked the guard of a lock in it, that lock is on the thread's list, and the kernel
/// will read the entry when the thread ends: until then the memory stays mapped.
#[derive(Debug)]
struct Remains {
    memory: Memory,
    start: usize,
    end: usize,
    /// The name to remove.
    home: Option<Home>,
    writable: bool,
}

static GRAVEYARD: Mutex<Vec<Remains>> = Mutex::new(Vec::new());

/// The lock of a list of this process, which is held for moments. None if it does not come: a fork copied it
/// while another thread held it, and in the child nobody will release it.
pub(crate) fn lock_soon<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    const ATTEMPTS: usize = 1000;
    for _ in 0..ATTEMPTS {
        match mutex.try_lock() {
            Ok(guard) => return Some(guard),
            Err(TryLockError::Poisoned(poisoned)) => return Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => std::thread::yield_now(),
        }
    }
    None
}

/// Looks whether what had to stay can go by now.
fn bury_again() {
    removal::look_again();
    let Ok(mut remains) = GRAVEYARD.try_lock() else { return };
    if remains.is_empty() {
        return;
    }
    let gone: Vec<_> = remains.extract_if(.., |remains| !remains.are_needed()).collect();
    drop(remains);
    gone.into_iter().for_each(Remains::bury);
}

impl Remains {
    fn are_needed(&self) -> bool {
        robust_list::holds_any_in(self.start, self.end)
    }

    fn bury(self) {
        if let (Some(home), Memory::File { file, .. }) = (&self.home, &self.memory) {
            removal::leave(file.as_fd(), self.writable, &home.path);
        }
    }
}

/// Use of one object: its memory is not given to another one while this exists.
#[derive(Debug)]
pub(crate) struct Anchor {
    attachment: Arc<Attachment>,
    index: u32,
}

impl Anchor {
    pub(crate) fn new(attachment: &Arc<Attachment>, index: u32) -> Result<Arc<Self>, OsError> {
        if let Some(membership) = attachment.membership() {
            membership.pin(index)?;
        }
        Ok(Arc::new(Self { attachment: Arc::clone(attachment), index }))
    }

    pub(crate) fn attachment(&self) -> &Arc<Attachment> {
        &self.attachment
    }

    /// The object's number in the directory.
    #[cfg(feature = "process")]
    pub(super) fn index(&self) -> u32 {
        self.index
    }
}

impl Drop for Anchor {
    fn drop(&mut self) {
        if let Some(membership) = self.attachment.membership() {
            membership.unpin(self.index);
        }
    }
}
