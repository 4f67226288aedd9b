//! Checked ways from an offset to a reference: the only place that makes one.
#![allow(unsafe_code)] // makes references into the mapping, after checking that they lie within it

use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, Range};
use std::ptr::NonNull;
use std::sync::Arc;
use std::time::Duration;

use crate::error::{LockError, OsError};
use crate::layout::Plain;
use crate::raw::bytes::{self, Run, Slot};
use crate::raw::deadline::Deadline;
use crate::raw::waiting::Waiting;
use crate::seam::atomic::AtomicU64;
use crate::segment::Segment;
use crate::segment::attachment::{Anchor, Attachment};
use crate::shared::Shared;

/// The address of `size` bytes at `offset`, if they lie within `length` bytes at `base` and are
/// aligned.
fn checked(
    base: NonNull<u8>,
    length: usize,
    offset: u64,
    size: usize,
    align: usize,
) -> Option<NonNull<u8>> {
    let offset = usize::try_from(offset).ok()?;
    let end = offset.checked_add(size)?;
    if end > length {
        return None;
    }
    // SAFETY: within the memory that starts at `base`.
    let place = unsafe { base.add(offset) };
    place.addr().get().is_multiple_of(align).then_some(place)
}

impl Attachment {
    /// The structure at an offset, for as long as the attachment is borrowed.
    pub(crate) fn at<L: Plain>(&self, offset: u64) -> Option<&L> {
        let place = checked(self.base(), self.length(), offset, size_of::<L>(), align_of::<L>())?;
        // SAFETY: within the mapping, which lives as long as `self`; Plain structures are valid for
        // any bytes and consist of atomics, so others may write them.
        Some(unsafe { place.cast().as_ref() })
    }
}

/// The memory of one object.
#[derive(Debug, Clone)]
pub(crate) struct Extent {
    anchor: Arc<Anchor>,
    start: NonNull<u8>,
    length: usize,
}

// SAFETY: an address that is only made into checked references to shared structures.
unsafe impl Send for Extent {}
// SAFETY: as above.
unsafe impl Sync for Extent {}

impl Extent {
    /// The bytes `offset..offset + size` of the segment; None if they do not lie within it.
    pub(crate) fn new(anchor: Arc<Anchor>, offset: u64, size: u64) -> Option<Self> {
        let attachment = anchor.attachment();
        let length = usize::try_from(size).ok()?;
        let start = checked(attachment.base(), attachment.length(), offset, length, 64)?;
        Some(Self { anchor, start, length })
    }

    /// A part of it, as the memory of an object that this one is made of. At a multiple of 64.
    pub(crate) fn part(&self, offset: usize, size: usize) -> Option<Self> {
        let start = checked(self.start, self.length, offset as u64, size, 64)?;
        Some(Self { anchor: Arc::clone(&self.anchor), start, length: size })
    }

    /// The structure at the start.
    pub(crate) fn head<L: Plain>(&self) -> Option<Located<L>> {
        let place = checked(self.start, self.length, 0, size_of::<L>(), align_of::<L>())?;
        let writable = self.anchor.attachment().writable;
        let anchor = Arc::clone(&self.anchor);
        Some(Located { anchor, place: place.cast(), writable, waiting: Waiting::Adaptive })
    }

    /// Room for one value.
    pub(crate) fn slot<T: Shared>(&self, offset: usize) -> Option<Slot<T>> {
        let (size, align) = (bytes::stride::<T>(), bytes::alignment::<T>());
        let place = checked(self.start, self.length, offset as u64, size, align)?;
        // SAFETY: aligned, within the object's memory, which the handle that gets the slot keeps
        // mapped through its `Located`.
        Some(unsafe { Slot::new(place) })
    }

    /// `count` structures of `stride` bytes each, which start with an `L`.
    pub(crate) fn series<L: Plain>(
        &self,
        offset: usize,
        stride: usize,
        count: usize,
    ) -> Option<Series<L>> {
        let align = align_of::<L>().max(8);
        if stride < size_of::<L>() || !stride.is_multiple_of(align) {
            return None;
        }
        let size = stride.checked_mul(count)?;
        let start = checked(self.start, self.length, offset as u64, size, align)?;
        Some(Series { start: start.cast(), stride, count })
    }

    /// Room for `count` values in a row, packed as the elements of an array.
    pub(crate) fn elements<T: Shared>(&self, offset: usize, count: usize) -> Option<Elements<T>> {
        let size = bytes::packed_stride::<T>().checked_mul(count)?;
        let align = bytes::alignment::<T>();
        let start = checked(self.start, self.length, offset as u64, size, align)?;
        Some(Elements { start, count, _type: PhantomData })
    }

    /// `count` bytes in a row, which are whole words.
    pub(crate) fn bytes(&self, offset: usize, count: usize) -> Option<Bytes> {
        if !count.is_multiple_of(size_of::<u64>()) {
            return None;
        }
        let start = checked(self.start, self.length, offset as u64, count, align_of::<u64>())?;
        Some(Bytes { start, count })
    }
}

/// A structure in a segment, which stays mapped while this exists.
pub(crate) struct Located<L> {
    anchor: Arc<Anchor>,
    place: NonNull<L>,
    writable: bool,
    /// How this handle waits.
    pub(crate) waiting: Waiting,
}

// SAFETY: a reference to a Plain structure, which consists of atomics.
unsafe impl<L: Plain> Send for Located<L> {}
// SAFETY: as above.
unsafe impl<L: Plain> Sync for Located<L> {}

impl<L> Clone for Located<L> {
    fn clone(&self) -> Self {
        Self { anchor: Arc::clone(&self.anchor), ..*self }
    }
}

impl<L: Plain> Deref for Located<L> {
    type Target = L;

    #[inline]
    fn deref(&self) -> &L {
        // SAFETY: checked when it was made; the anchor keeps the mapping.
        unsafe { self.place.as_ref() }
    }
}

impl<L: Plain> Located<L> {
    /// The structure, if it may be written here.
    #[inline]
    pub(crate) fn writable(&self) -> Result<&L, LockError> {
        if self.writable { Ok(self) } else { Err(LockError::ReadOnly) }
    }

    /// The segment that it is in.
    pub(crate) fn segment(&self) -> Segment {
        Segment { attachment: Arc::clone(self.anchor.attachment()) }
    }

    pub(crate) fn is_writable(&self) -> bool {
        self.writable
    }

    /// Which object of which segment it is, or a part of.
    #[cfg(feature = "process")]
    pub(crate) fn anchor(&self) -> &Arc<Anchor> {
        &self.anchor
    }

    /// The segment that it is in.
    pub(crate) fn attachment(&self) -> &Arc<Attachment> {
        self.anchor.attachment()
    }

    /// Takes memory for `length` bytes that start `skip` bytes after this structure.
    pub(crate) fn commit(&self, skip: usize, length: usize) -> Result<(), OsError> {
        let attachment = self.anchor.attachment();
        let offset = self.place.addr().get() - attachment.base().addr().get();
        attachment.commit((offset + skip) as u64, length as u64)
    }

    /// As long as it takes, in this handle's manner.
    #[inline]
    pub(crate) fn forever(&self) -> Deadline {
        Deadline::NEVER.with(self.waiting)
    }

    /// For so long, in this handle's manner.
    pub(crate) fn within(&self, timeout: Duration) -> Deadline {
        Deadline::after(timeout).with(self.waiting)
    }
}

impl<L> fmt::Debug for Located<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let start = self.anchor.attachment().base().addr().get();
        let offset = self.place.addr().get() - start;
        write!(f, "{} at {offset:#x}", self.anchor.attachment().describe())
    }
}

/// Equal structures in a row. Only as long-lived as the [`Located`] head of the same object, beside
/// which it is kept.
#[derive(Debug)]
pub(crate) struct Series<L> {
    start: NonNull<L>,
    stride: usize,
    count: usize,
}

impl<L> Clone for Series<L> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<L> Copy for Series<L> {}

// SAFETY: as for Located.
unsafe impl<L: Plain> Send for Series<L> {}
// SAFETY: as for Located.
unsafe impl<L: Plain> Sync for Series<L> {}

impl<L: Plain> Series<L> {
    #[inline]
    pub(crate) fn get(&self, index: usize) -> Option<&L> {
        if index >= self.count {
            return None;
        }
        // SAFETY: `index` is within the checked range, whose mapping the head beside it keeps.
        Some(unsafe { self.start.byte_add(index * self.stride).as_ref() })
    }

    /// Room for one value that lies `skip` bytes into structure `index`.
    #[inline]
    pub(crate) fn slot<T: Shared>(&self, index: usize, skip: usize) -> Option<Slot<T>> {
        if index >= self.count || skip + bytes::stride::<T>() > self.stride {
            return None;
        }
        // SAFETY: within the checked range.
        let place = unsafe { self.start.cast::<u8>().byte_add(index * self.stride + skip) };
        // SAFETY: as above; the alignment is checked when the object is attached.
        Some(unsafe { Slot::new(place) })
    }
}

/// Room for values in a row. Only as long-lived as the [`Located`] head of the same object, beside
/// which it is kept.
pub(crate) struct Elements<T> {
    start: NonNull<u8>,
    count: usize,
    _type: PhantomData<T>,
}

impl<T> Clone for Elements<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Elements<T> {}

// SAFETY: memory that is accessed through atomics only; T itself may be sent and shared.
unsafe impl<T: Send> Send for Elements<T> {}
// SAFETY: as above.
unsafe impl<T: Sync> Sync for Elements<T> {}

impl<T: Shared> Elements<T> {
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    #[cfg(loom)]
    pub(crate) fn memory(&self) -> Range<usize> {
        let start = self.start.addr().get();
        start..start + self.count * bytes::packed_stride::<T>()
    }

    #[inline]
    pub(crate) fn get(&self, index: usize) -> Option<Slot<T>> {
        if index >= self.count {
            return None;
        }
        // SAFETY: within the checked range.
        let place = unsafe { self.start.byte_add(index * bytes::packed_stride::<T>()) };
        // SAFETY: the start is aligned for T and for whole words, so each element is for its size.
        Some(unsafe { Slot::new(place) })
    }

    /// `count` elements from one on: up to the last one, and from the first one on.
    #[inline]
    pub(crate) fn ring(
        &self,
        start: usize,
        count: usize,
    ) -> impl Iterator<Item = Slot<T>> + use<T> {
        let count = count.min(self.count);
        let start = start.min(self.count);
        let before_end = count.min(self.count - start);
        self.row(start..start + before_end).chain(self.row(0..count - before_end))
    }

    /// Those of a range that there are.
    #[inline]
    pub(crate) fn row(&self, range: Range<usize>) -> impl Iterator<Item = Slot<T>> + use<T> {
        let first = self.start;
        (range.start..range.end.min(self.count)).map(move |index| {
            // SAFETY: within the checked range.
            let place = unsafe { first.byte_add(index * bytes::packed_stride::<T>()) };
            // SAFETY: as in `get`.
            unsafe { Slot::new(place) }
        })
    }
}

/// Bytes in a row, which are whole words. Only as long-lived as the [`Located`] head of the same
/// object, beside which it is kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bytes {
    start: NonNull<u8>,
    count: usize,
}

// SAFETY: plain bytes; who uses them excludes the others by a lock.
unsafe impl Send for Bytes {}
// SAFETY: as above.
unsafe impl Sync for Bytes {}

impl Bytes {
    #[cfg(loom)]
    pub(crate) fn memory(&self) -> Range<usize> {
        let start = self.start.addr().get();
        start..start + self.count
    }

    /// The word that starts at an offset.
    #[inline]
    pub(crate) fn word(&self, offset: usize) -> Option<&AtomicU64> {
        if !offset.is_multiple_of(size_of::<u64>()) || offset >= self.count {
            return None;
        }
        // SAFETY: aligned, and within the checked range, of whole words, whose mapping the head beside
        // it keeps.
        Some(unsafe { self.start.byte_add(offset).cast().as_ref() })
    }

    /// The bytes `offset..offset + length`, from a word on.
    #[inline]
    pub(crate) fn run(&self, offset: usize, length: usize) -> Option<Run> {
        let end = offset.checked_add(length)?;
        if !offset.is_multiple_of(size_of::<u64>()) || end > self.count {
            return None;
        }
        // SAFETY: within the checked range; where the last word is used in part, it is there as a
        // whole, because the range is of whole words.
        Some(unsafe { Run::new(self.start.byte_add(offset), length) })
    }
}
