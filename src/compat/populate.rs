//! Taking memory for pages that another library mapped: madvise(2), MADV_POPULATE_WRITE.
#![allow(unsafe_code)] // a call into libc

use std::ptr::NonNull;

use crate::error::OsError;

/// Whether there was memory for all pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Populated {
    Yes,
    /// A file system is full: touching the rest would be a SIGBUS.
    NoSpace,
}

/// Takes memory for every page of a shared mapping, where there is none yet.
///
/// # Safety
///
/// `base` is the start of a writable mapping of `length` bytes.
pub(crate) unsafe fn populate(base: NonNull<u8>, length: usize) -> Result<Populated, OsError> {
    loop {
        // SAFETY: the caller's mapping; populating changes no contents.
        let result =
            unsafe { libc::madvise(base.as_ptr().cast(), length, libc::MADV_POPULATE_WRITE) };
        if result == 0 {
            return Ok(Populated::Yes);
        }
        let error = OsError::last("madvise");
        match error.errno() {
            libc::EINTR | libc::EAGAIN => {}
            libc::EFAULT | libc::ENOMEM => return Ok(Populated::NoSpace),
            // Kernels before 5.14: memory is taken as it is touched.
            libc::EINVAL => return Ok(Populated::Yes),
            _ => return Err(error),
        }
    }
}
