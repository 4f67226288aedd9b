//! How a segment is created or opened.

use std::path::{Path, PathBuf};

use crate::error::SegmentError;
use crate::os::shm;
use crate::segment::header::{self, Lifetime};
use crate::segment::{Segment, create, name, open};

/// Options of a segment, from [`Segment::options`].
///
/// ```
/// # fn main() -> Result<(), outlive::SegmentError> {
/// let name = format!("doc-options-{}", std::process::id());
/// let segment = outlive::Segment::options()
///     .capacity(64 << 20) // room for 64 MiB of objects; pages are taken as they are used
///     .mode(0o660)        // the group may join
///     .create(&name)?;
/// assert_eq!(segment.capacity(), 64 << 20);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use = "options do nothing until create, open, open_or_create or anonymous is called"]
pub struct SegmentOptions {
    capacity: u64,
    pub(crate) mode: u32,
    pub(crate) lifetime: Lifetime,
    pub(crate) read_only: bool,
    pub(crate) prefault: bool,
    pub(crate) lock_memory: bool,
    pub(crate) huge_pages: bool,
    pub(crate) directory: PathBuf,
}

impl Default for SegmentOptions {
    fn default() -> Self {
        Self {
            capacity: Self::DEFAULT_CAPACITY,
            mode: 0o600,
            lifetime: Lifetime::Ephemeral,
            read_only: false,
            prefault: false,
            lock_memory: false,
            huge_pages: false,
            directory: PathBuf::from(shm::DIRECTORY),
        }
    }
}

impl SegmentOptions {
    /// The capacity of a segment that was not given one: 256 MiB of address space, of which only
    /// what objects use takes memory.
    pub const DEFAULT_CAPACITY: u64 = 256 << 20;

    /// The most bytes that all objects together may take, book-keeping included; rounded up to
    /// whole pages. It is address space: memory is taken as objects are created, so a large capacity
    /// is how a segment grows. Opening takes the capacity of the segment as it is.
    pub fn capacity(mut self, bytes: u64) -> Self {
        self.capacity = bytes;
        self
    }

    /// Permission bits of a new segment's file, as chmod(2) takes them and regardless of the umask.
    /// 0o600 unless set: other users are kept out.
    pub fn mode(mut self, mode: u32) -> Self {
        self.mode = mode & 0o777;
        self
    }

    /// Whether a new segment stays when its last user is gone; joining one takes it as it is
    /// ([`Segment::is_ephemeral`]). If not (the default), the last one to leave removes it; if that
    /// one was killed, or may not write to the file, the next opener or [`Segment::gc`] does.
    pub fn persistent(mut self, persistent: bool) -> Self {
        self.lifetime = if persistent { Lifetime::Persistent } else { Lifetime::Ephemeral };
        self
    }

    /// Opens without the right to write. Values, counters and arrays can be read, and what queues and
    /// events say of themselves; whatever takes a lock or changes something is
    /// [`LockError::ReadOnly`](crate::LockError::ReadOnly) or
    /// [`ObjectError::ReadOnly`](crate::ObjectError::ReadOnly). Creating with it is
    /// [`InvalidOptions`](SegmentError::InvalidOptions).
    pub fn read_only(mut self, read_only: bool) -> Self {
        self.read_only = read_only;
        self
    }

    /// Takes memory for a new segment's whole capacity at once, and makes every page present in this
    /// process, so that no later access faults.
    pub fn prefault(mut self, prefault: bool) -> Self {
        self.prefault = prefault;
        self
    }

    /// Keeps this process's pages of the segment from being swapped out, as they come into use
    /// (mlock2(2), `MLOCK_ONFAULT`).
    pub fn lock_memory(mut self, lock: bool) -> Self {
        self.lock_memory = lock;
        self
    }

    /// Asks for huge pages. Whether the kernel grants them depends on
    /// `/sys/kernel/mm/transparent_hugepage/shmem_enabled`; [`Segment::huge_page_bytes`] tells.
    pub fn huge_pages(mut self, huge: bool) -> Self {
        self.huge_pages = huge;
        self
    }

    /// The directory for the segment's file instead of `/dev/shm`: another tmpfs, for instance one
    /// of its own with a size limit.
    pub fn directory(mut self, directory: impl AsRef<Path>) -> Self {
        let directory = directory.as_ref();
        // The process may change its own before the segment's name is to be removed.
        self.directory = std::path::absolute(directory).unwrap_or_else(|_| directory.to_owned());
        self
    }

    /// The capacity in whole pages.
    pub(crate) fn length(&self) -> Result<u64, SegmentError> {
        const HUGE: u64 = 2 << 20;
        let pages = header::capacity(self.capacity)?;
        if self.huge_pages { header::capacity(pages.next_multiple_of(HUGE)) } else { Ok(pages) }
    }

    fn path(&self, name: &str) -> Result<PathBuf, SegmentError> {
        name::path(&self.directory, name)
    }

    fn refuse_read_only(&self) -> Result<(), SegmentError> {
        if self.read_only {
            return Err(SegmentError::InvalidOptions {
                what: "a segment cannot be created read-only: create it, then open it read-only",
            });
        }
        Ok(())
    }

    /// Creates a segment. One of that name that all its users left behind when they died is
    /// replaced.
    ///
    /// # Errors
    ///
    /// [`AlreadyExists`](SegmentError::AlreadyExists) if it is in use or persistent, and what the
    /// variants of [`SegmentError`] say of names, options, permissions and space.
    pub fn create(&self, name: &str) -> Result<Segment, SegmentError> {
        self.refuse_read_only()?;
        create::create(self, name, &self.path(name)?)
    }

    /// Opens a segment that exists.
    ///
    /// # Errors
    ///
    /// [`NotFound`](SegmentError::NotFound) if there is none, or only one whose users have all died;
    /// [`PermissionDenied`](SegmentError::PermissionDenied);
    /// [`NotASegment`](SegmentError::NotASegment), [`Truncated`](SegmentError::Truncated),
    /// [`ForeignEndianness`](SegmentError::ForeignEndianness),
    /// [`VersionMismatch`](SegmentError::VersionMismatch),
    /// [`LayoutMismatch`](SegmentError::LayoutMismatch),
    /// [`ForeignPidNamespace`](SegmentError::ForeignPidNamespace) and
    /// [`Corrupt`](SegmentError::Corrupt) for what can be wrong with the file;
    /// [`Busy`](SegmentError::Busy) if others come and go for 5 seconds without a pause.
    pub fn open(&self, name: &str) -> Result<Segment, SegmentError> {
        open::open(self, name, &self.path(name)?)
    }

    /// Opens a segment, or creates it if there is none. Of any number of processes that do so at
    /// once, exactly one creates it ([`Segment::is_creator`]).
    ///
    /// # Errors
    ///
    /// As [`create`](Self::create) and [`open`](Self::open), except that neither existence nor
    /// absence is one.
    pub fn open_or_create(&self, name: &str) -> Result<Segment, SegmentError> {
        self.refuse_read_only()?;
        create::open_or_create(self, name, &self.path(name)?)
    }

    /// Creates a segment without a name, for this process and for children that it is passed to
    /// ([`Segment::pass_to`]). It lives as long as anyone has it.
    ///
    /// # Errors
    ///
    /// [`InvalidOptions`](SegmentError::InvalidOptions) with [`persistent`](Self::persistent): it
    /// cannot stay without a name. [`InvalidCapacity`](SegmentError::InvalidCapacity),
    /// [`MemoryLock`](SegmentError::MemoryLock), and what the kernel says of memory.
    pub fn anonymous(&self) -> Result<Segment, SegmentError> {
        self.refuse_read_only()?;
        if self.lifetime == Lifetime::Persistent {
            return Err(SegmentError::InvalidOptions {
                what: "an anonymous segment cannot be persistent: nobody could find it again",
            });
        }
        create::anonymous(self)
    }

    /// Removes the name of a segment, as [`Segment::unlink`] does, in this
    /// [`directory`](Self::directory).
    ///
    /// # Errors
    ///
    /// As [`Segment::unlink`].
    pub fn unlink(&self, name: &str) -> Result<(), SegmentError> {
        open::unlink(name, &self.path(name)?)
    }

    /// Removes stale segments, as [`Segment::gc`] does, in this [`directory`](Self::directory).
    ///
    /// # Errors
    ///
    /// As [`Segment::gc`].
    pub fn gc(&self) -> Result<Vec<String>, SegmentError> {
        open::gc(&self.directory)
    }
}
