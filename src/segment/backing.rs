//! Memory for a segment that another library has mapped.

use std::fmt::Debug;
use std::ptr::NonNull;

/// A region of shared memory that somebody else mapped, for
/// [`Segment::in_memory`](crate::Segment::in_memory).
///
/// # Safety
///
/// While the value exists:
///
/// * `base` is aligned to 64 bytes and valid for reads and writes of `length` bytes, and both stay
///   the same;
/// * the memory is shared (`MAP_SHARED`), so that the kernel's futexes meet across processes;
/// * nothing in this process accesses those bytes but through the segment: in particular nobody
///   makes references or slices of them;
/// * the file behind it is not cut short.
#[allow(unsafe_code)] // what the compiler cannot check of foreign memory
pub unsafe trait Backing: Debug + Send + Sync + 'static {
    /// Where the memory starts.
    fn base(&self) -> NonNull<u8>;
    /// How many bytes there are.
    fn length(&self) -> usize;
}
