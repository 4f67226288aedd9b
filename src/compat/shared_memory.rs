//! A segment in the memory of a `shared_memory::Shmem`.
//!
//! That library maps the whole object page-aligned, keeps it mapped until the `Shmem` is dropped,
//! and never looks at the bytes by itself. A forked child that drops its copy would remove the name;
//! that is prevented here.
#![allow(unsafe_code)] // foreign memory, behind the contract of `Backing`

use std::fmt;
use std::ptr::NonNull;

use shared_memory::Shmem;

use crate::error::{OsError, SegmentError};
use crate::segment::{Backing, Segment};

impl Segment {
    /// Makes a segment in the memory of an existing `Shmem`, or joins the one that is there. Any
    /// number of processes may do so at once: one of them makes it, whichever created the memory.
    ///
    /// The `Shmem` stays as it is, a name in `/dev/shm` with its owner and perhaps its file link,
    /// and is dropped with the last handle to the segment or an object. Its size, at least 8192
    /// bytes, is taken from the file system at once: that library leaves it open whether there is
    /// memory at all, and where there is none, the first touch is a SIGBUS.
    ///
    /// ```
    /// use outlive::Segment;
    /// use shared_memory::ShmemConf;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let memory = ShmemConf::new().size(1 << 16).create()?;
    /// let id = memory.get_os_id().to_owned();
    /// let segment = Segment::in_shmem(memory)?;
    /// let hits = segment.value::<i64>("hits", 0)?;
    /// hits.update(|n| *n += 1)?;
    ///
    /// // Elsewhere:
    /// let again = Segment::in_shmem(ShmemConf::new().os_id(&id).open()?)?;
    /// assert_eq!(again.value::<i64>("hits", 0)?.get()?, 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`InvalidCapacity`](SegmentError::InvalidCapacity) for less than two pages;
    /// [`NotASegment`](SegmentError::NotASegment) for memory with any other content, which is left
    /// as it is; [`NoSpace`](SegmentError::NoSpace) if the file system is full;
    /// [`Busy`](SegmentError::Busy) if another process makes the segment and is stopped; those of a
    /// header that does not fit, as in [`open`](Self::open). The `Shmem` is dropped then, so one
    /// that owns the memory removes its name.
    ///
    /// # Crash behaviour
    ///
    /// * A process killed while it makes the segment is replaced by the next one that comes. All
    ///   objects in the segment keep their own contracts.
    /// * Who uses the memory cannot be told, because the file and its locks are that library's. So
    ///   nothing is reclaimed: the name goes when a live owner drops it, whoever else uses it, and
    ///   stays when the owner is killed, until someone opens it, calls `set_owner(true)` and drops
    ///   it. The memory of removed objects is not used again. A segment of this library's own
    ///   ([`open_or_create`](Self::open_or_create)) does all this by itself.
    /// * A process killed between creating the `Shmem` and giving it a size leaves a name that
    ///   `shared_memory` can neither open nor create.
    /// * A child made by fork that drops its copy of the handles does not remove the name, as the
    ///   copy of a bare `Shmem` would.
    pub fn in_shmem(shmem: Shmem) -> Result<Self, SegmentError> {
        Self::in_memory(ShmemMemory::new(shmem)?)
    }
}

/// A `Shmem` of which only base and length are used.
struct ShmemMemory {
    shmem: Shmem,
    base: NonNull<u8>,
    length: usize,
    /// The process that had the `Shmem` first.
    process: u32,
}

// SAFETY: a `Shmem` is not bound to a thread; it lacks Send for the raw pointer in it, which leads
// to memory that is accessed through atomics only.
unsafe impl Send for ShmemMemory {}
// SAFETY: as above; a shared `ShmemMemory` is only asked for its base and its length.
unsafe impl Sync for ShmemMemory {}

// SAFETY: `shared_memory` maps the object from its start, page-aligned, writable and MAP_SHARED, and
// unmaps it when the `Shmem` is dropped, which this owns. Other accesses to the bytes, to their
// slices or through another `Shmem` of the same name, are unsafe there, and cutting the file short
// is beyond what safe code of this process can do with a `Shmem`.
unsafe impl Backing for ShmemMemory {
    fn base(&self) -> NonNull<u8> {
        self.base
    }

    fn length(&self) -> usize {
        self.length
    }
}

impl fmt::Debug for ShmemMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shmem")
            .field("os_id", &self.shmem.get_os_id())
            .field("length", &self.length)
            .field("owner", &self.shmem.is_owner())
            .finish()
    }
}

impl Drop for ShmemMemory {
    fn drop(&mut self) {
        // A fork copies the ownership; it is the parent's.
        if self.process != std::process::id() {
            self.shmem.set_owner(false);
        }
    }
}

impl ShmemMemory {
    fn new(shmem: Shmem) -> Result<Self, SegmentError> {
        let base = NonNull::new(shmem.as_ptr()).ok_or(OsError::new("mmap", 0))?;
        let length = shmem.len();
        Ok(Self { shmem, base, length, process: std::process::id() })
    }
}
