//! This process's part in a segment: the memory, the file whose lock tells others that we are here,
//! and the way out.
//!
//! # Who is attached
//!
//! Every attachment holds a shared flock on an open file description of its own. Whoever gets the
//! exclusive one knows that nobody else is attached. The kernel drops it at death.
//!
//! # Leaving
//!
//! The last one to leave an ephemeral segment removes its name. A death between any two steps leaves
//! a file that nobody holds: the next opener, or `gc`, takes it for what it is.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, MutexGuard, TryLockError};
use std::time::Duration;

use crate::error::{OsError, SegmentError};
use crate::os::hooks;
use crate::os::mapping::Mapping;
use crate::os::shm::{self, Hold};
use crate::seam::robust_list;
use crate::segment::backing::Backing;
use crate::segment::registry::{self, Membership};

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
    /// Takes part in the segment of a file, whose shared lock the caller has taken and whose header
    /// the caller has checked.
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

    /// Gives the whole pages within a range back.
    pub(crate) fn discard(&self, start: u64, length: u64) {
        const PAGE: u64 = 4096;
        let first = start.next_multiple_of(PAGE);
        let end = (start + length) / PAGE * PAGE;
        if let Some(file) = self.file()
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
            home: self.home.take(),
            ephemeral: self.ephemeral,
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
    home: Option<Home>,
    ephemeral: bool,
}

static GRAVEYARD: Mutex<Vec<Remains>> = Mutex::new(Vec::new());

/// The lock of a list below, which is held for moments. None if it does not come: a fork copied it
/// while another thread held it, and in the child nobody will release it.
fn lock_soon<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
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
    remove_late();
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
        if let (true, Some(home), Memory::File { file, .. }) =
            (self.ephemeral, &self.home, &self.memory)
        {
            // Whatever fails here leaves a stale segment, which is recognised as such.
            if matches!(remove_if_last(file.as_fd(), &home.path), Ok(false)) {
                let inode = shm::status(file.as_fd()).map_or((0, 0), |status| status.inode);
                leave_for_later(home.path.clone(), inode);
            }
        }
    }
}

/// Removes the name of a segment that nobody else is attached to. False if somebody seems to be who
/// may not remove it in turn.
///
/// A child that this process has forked to start another program has all of its parent's files until
/// it calls exec, and so is attached for that moment. So right after a fork, this looks again for a
/// while.
fn remove_if_last(file: BorrowedFd<'_>, path: &Path) -> Result<bool, OsError> {
    const PAUSE: Duration = Duration::from_millis(1);
    while !shm::try_hold(file, Hold::Exclusive)? {
        match registry::last_fork() {
            None => return Ok(true),
            Some(ago) if ago > registry::FORK_TO_EXEC => return Ok(false),
            Some(_) => std::thread::sleep(PAUSE),
        }
    }
    unlink_this(path, shm::status(file)?.inode).map(|_| true)
}

/// Names that this process could not remove when it left, because others were attached: perhaps only
/// children that had not called exec yet.
static LATER: Mutex<Vec<(PathBuf, (u64, u64))>> = Mutex::new(Vec::new());

fn leave_for_later(path: PathBuf, inode: (u64, u64)) {
    static AT_EXIT: std::sync::Once = std::sync::Once::new();
    AT_EXIT.call_once(|| hooks::at_exit(at_exit));
    if let Some(mut later) = lock_soon(&LATER) {
        later.push((path, inode));
    }
}

extern "C" fn at_exit() {
    remove_late();
}

/// Removes those names that have become stale; forgets those that others took care of.
fn remove_late() {
    let Ok(mut later) = LATER.try_lock() else { return };
    later.retain(|(path, inode)| matches!(remove_stale(path, *inode), Ok(false)));
}

/// False if somebody is attached to that file still.
fn remove_stale(path: &Path, inode: (u64, u64)) -> Result<bool, OsError> {
    let file = shm::open(path, false)?;
    if shm::status(file.as_fd())?.inode != inode {
        return Ok(true);
    }
    if !shm::try_hold(file.as_fd(), Hold::Exclusive)? {
        return Ok(false);
    }
    unlink_this(path, inode).map(|_| true)
}

/// What came of an attempt to remove a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Removal {
    Done,
    /// It leads to another file, or nowhere.
    Gone,
    /// Somebody else is removing it, or finding out whether to.
    Passing,
}

/// Removes the name of a file that others may be attached to.
pub(crate) fn remove_name(path: &Path, inode: (u64, u64)) -> Result<Removal, OsError> {
    let file = shm::open(path, true)?;
    if shm::status(file.as_fd())?.inode != inode {
        return Ok(Removal::Gone);
    }
    // Among others, beside whom nobody holds the file alone, one remover at a time.
    if !shm::try_hold(file.as_fd(), Hold::Shared)? || !shm::try_remover(file.as_fd())? {
        return Ok(Removal::Passing);
    }
    unlink_this(path, inode)
}

/// Removes a name if it still leads to that file, and not to another that took its place.
///
/// The caller keeps all others who would remove it away, so that none removes a successor: it holds
/// the file alone, or together with others and the removers' lock.
pub(crate) fn unlink_this(path: &Path, inode: (u64, u64)) -> Result<Removal, OsError> {
    if shm::status_of(path)?.inode != inode {
        return Ok(Removal::Gone);
    }
    shm::unlink(path)?;
    Ok(Removal::Done)
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
}

impl Drop for Anchor {
    fn drop(&mut self) {
        if let Some(membership) = self.attachment.membership() {
            membership.unpin(self.index);
        }
    }
}
