//! The first bytes of a segment: how they are written, and what is checked before anything else is
//! believed.

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use bytemuck::{Pod, Zeroable};

use crate::error::SegmentError;
use crate::layout::{self, FIRST_PAGE};
use crate::os::{process, shm};

/// What becomes of a segment when its last user is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Lifetime {
    /// It goes as well.
    Ephemeral = 1,
    /// It stays until it is unlinked.
    Persistent = 2,
}

/// The header's fields as plain numbers, in the order and the places of [`layout::Header`].
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct Fields {
    magic: u64,
    byte_order: u32,
    version: u32,
    stamp: u64,
    capacity: u64,
    lifetime: u32,
    ready: u32,
    pid_namespace: u64,
}

const _: () = assert!(size_of::<Fields>() == std::mem::offset_of!(layout::Header, spare));

/// A header that was checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Checked {
    pub(crate) capacity: u64,
    pub(crate) lifetime: Lifetime,
}

/// The least capacity: the first page, and one for objects.
pub(crate) const MINIMUM: u64 = 2 * FIRST_PAGE;

/// Rounds a capacity up to whole pages, or says why it cannot be had.
pub(crate) fn capacity(asked: u64) -> Result<u64, SegmentError> {
    let pages = asked.checked_next_multiple_of(FIRST_PAGE);
    pages.filter(|pages| (MINIMUM..=shm::MAX_LENGTH).contains(pages)).ok_or(
        SegmentError::InvalidCapacity {
            capacity: asked,
            minimum: MINIMUM,
            maximum: shm::MAX_LENGTH,
        },
    )
}

impl Fields {
    pub(crate) fn new(capacity: u64, lifetime: Lifetime) -> Self {
        Self {
            magic: layout::MAGIC,
            byte_order: layout::BYTE_ORDER,
            version: layout::VERSION,
            stamp: layout::STAMP,
            capacity,
            lifetime: lifetime as u32,
            ready: 1,
            pid_namespace: process::pid_namespace(),
        }
    }

    /// As they are in shared memory.
    pub(crate) fn load(header: &layout::Header) -> Self {
        Self {
            // Acquire: pairs with the Release in `store`.
            ready: header.ready.load(Ordering::Acquire),
            magic: header.magic.load(Ordering::Relaxed),
            byte_order: header.byte_order.load(Ordering::Relaxed),
            version: header.version.load(Ordering::Relaxed),
            stamp: header.stamp.load(Ordering::Relaxed),
            capacity: header.capacity.load(Ordering::Relaxed),
            lifetime: header.lifetime.load(Ordering::Relaxed),
            pid_namespace: header.pid_namespace.load(Ordering::Relaxed),
        }
    }

    /// Into shared memory; `ready` last.
    pub(crate) fn store(&self, header: &layout::Header) {
        header.magic.store(self.magic, Ordering::Relaxed);
        header.byte_order.store(self.byte_order, Ordering::Relaxed);
        header.version.store(self.version, Ordering::Relaxed);
        header.stamp.store(self.stamp, Ordering::Relaxed);
        header.capacity.store(self.capacity, Ordering::Relaxed);
        header.lifetime.store(self.lifetime, Ordering::Relaxed);
        header.pid_namespace.store(self.pid_namespace, Ordering::Relaxed);
        // Release: pairs with the Acquire in `load`.
        header.ready.store(self.ready, Ordering::Release);
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.magic == layout::MAGIC && self.ready == 1
    }

    /// Whether each field is as nobody has written it, or as in `whole`.
    pub(crate) fn is_unfinished(&self, whole: &Self) -> bool {
        let (fields, whole) = (bytemuck::bytes_of(self), bytemuck::bytes_of(whole));
        fields.iter().zip(whole).all(|(byte, ours)| [0, *ours].contains(byte))
    }

    pub(crate) fn has_magic(&self) -> bool {
        self.magic == layout::MAGIC
    }

    /// Everything that can be wrong with a header, the most telling first.
    pub(crate) fn check(&self, path: &Path, length: u64) -> Result<Checked, SegmentError> {
        let path = || PathBuf::from(path);
        if !self.has_magic() {
            return Err(SegmentError::NotASegment { path: path(), found: "another kind of file" });
        }
        if self.byte_order == layout::BYTE_ORDER.swap_bytes() {
            return Err(SegmentError::ForeignEndianness { path: path() });
        }
        let corrupt = |what| SegmentError::Corrupt { segment: path().display().to_string(), what };
        if self.byte_order != layout::BYTE_ORDER {
            return Err(corrupt("it has no valid byte-order mark"));
        }
        if self.version != layout::VERSION {
            return Err(SegmentError::VersionMismatch {
                path: path(),
                found: self.version,
                supported: layout::VERSION,
            });
        }
        if self.stamp != layout::STAMP {
            return Err(SegmentError::LayoutMismatch {
                path: path(),
                found: self.stamp,
                expected: layout::STAMP,
            });
        }
        if self.ready != 1 {
            return Err(corrupt("its header was never completed"));
        }
        let capacity_possible = (MINIMUM..=shm::MAX_LENGTH).contains(&self.capacity);
        if !capacity_possible || !self.capacity.is_multiple_of(FIRST_PAGE) {
            return Err(corrupt("its capacity is not possible"));
        }
        if length < self.capacity {
            return Err(SegmentError::Truncated {
                path: path(),
                expected: self.capacity,
                actual: length,
            });
        }
        let lifetime = match self.lifetime {
            1 => Lifetime::Ephemeral,
            2 => Lifetime::Persistent,
            _ => return Err(corrupt("its lifetime is neither ephemeral nor persistent")),
        };
        // Unknown (0, where /proc is missing) is not the same as known.
        if self.pid_namespace != process::pid_namespace() {
            return Err(SegmentError::ForeignPidNamespace { path: path() });
        }
        Ok(Checked { capacity: self.capacity, lifetime })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(change: impl FnOnce(&mut Fields)) -> Result<Checked, SegmentError> {
        let mut fields = Fields::new(MINIMUM, Lifetime::Ephemeral);
        change(&mut fields);
        fields.check(Path::new("s"), MINIMUM)
    }

    #[test]
    fn a_whole_header_passes() {
        let whole = Checked { capacity: MINIMUM, lifetime: Lifetime::Ephemeral };
        assert_eq!(check(|_| ()), Ok(whole));
    }

    #[test]
    fn every_field_has_its_error() {
        type E = SegmentError;
        assert!(matches!(check(|f| f.magic ^= 1), Err(E::NotASegment { .. })));
        let swapped = check(|f| f.byte_order = f.byte_order.swap_bytes());
        assert!(matches!(swapped, Err(E::ForeignEndianness { .. })));
        assert!(matches!(check(|f| f.byte_order = 1), Err(E::Corrupt { .. })));
        assert!(matches!(check(|f| f.version += 1), Err(E::VersionMismatch { .. })));
        assert!(matches!(check(|f| f.stamp ^= 1), Err(E::LayoutMismatch { .. })));
        assert!(matches!(check(|f| f.ready = 0), Err(E::Corrupt { .. })));
        assert!(matches!(check(|f| f.capacity += 1), Err(E::Corrupt { .. })));
        assert!(matches!(check(|f| f.capacity = 0), Err(E::Corrupt { .. })));
        assert!(matches!(check(|f| f.capacity *= 2), Err(E::Truncated { .. })));
        assert!(matches!(check(|f| f.lifetime = 0), Err(E::Corrupt { .. })));
        assert!(matches!(check(|f| f.pid_namespace ^= 1), Err(E::ForeignPidNamespace { .. })));
    }

    #[test]
    fn capacities_are_whole_pages_within_limits() {
        assert_eq!(capacity(1 << 20), Ok(1 << 20));
        assert_eq!(capacity(8193), Ok(12288));
        for bad in [0, 4096, shm::MAX_LENGTH + 1, u64::MAX] {
            assert!(matches!(capacity(bad), Err(SegmentError::InvalidCapacity { .. })), "{bad}");
        }
    }
}
