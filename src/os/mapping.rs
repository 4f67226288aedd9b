//! A file, or a part of one, in this process's memory: mmap(2) and the advice about it.
#![allow(unsafe_code)] // calls into libc

use std::os::fd::AsRawFd;
use std::os::fd::BorrowedFd;

use memmap2::{MmapOptions, MmapRaw};

use crate::error::OsError;

/// Memory that other processes change at any time: only raw pointers into it are handed out.
#[derive(Debug)]
pub(crate) struct Mapping(MmapRaw);

fn os_error(call: &'static str, error: &std::io::Error) -> OsError {
    OsError::new(call, error.raw_os_error().unwrap_or(0))
}

impl Mapping {
    /// Maps the first `length` bytes of the file.
    pub(crate) fn new(fd: BorrowedFd<'_>, length: usize, writable: bool) -> Result<Self, OsError> {
        let mut options = MmapOptions::new();
        options.len(length);
        let fd = fd.as_raw_fd();
        let raw = if writable { options.map_raw(fd) } else { options.map_raw_read_only(fd) };
        raw.map(Self).map_err(|error| os_error("mmap", &error))
    }

    pub(crate) fn base(&self) -> *mut u8 {
        self.0.as_mut_ptr()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Makes every page present now, so that no later access faults. The caller has committed the
    /// pages.
    pub(crate) fn populate(&self, writable: bool) -> Result<(), OsError> {
        let advice = if writable { libc::MADV_POPULATE_WRITE } else { libc::MADV_POPULATE_READ };
        // SAFETY: the range is the mapping itself.
        unsafe { populate(self.base(), self.len(), advice) }
    }

    /// Keeps pages in memory once they are there: mlock2(2), MLOCK_ONFAULT.
    pub(crate) fn lock_in_memory(&self) -> Result<(), OsError> {
        // SAFETY: the range is the mapping itself; locking changes no contents.
        let result = unsafe { libc::mlock2(self.base().cast(), self.len(), libc::MLOCK_ONFAULT) };
        if result == 0 { Ok(()) } else { Err(OsError::last("mlock2")) }
    }

    /// Asks for huge pages: madvise(2), MADV_HUGEPAGE. A wish: kernels built or set otherwise
    /// refuse, and nothing is lost.
    pub(crate) fn wish_huge_pages(&self) {
        let _refused = self.0.advise(memmap2::Advice::HugePage);
    }

    /// How many bytes of this mapping the kernel backs with huge pages: proc_pid_smaps(5).
    pub(crate) fn huge_bytes(&self) -> u64 {
        let Ok(smaps) = std::fs::read_to_string("/proc/self/smaps") else { return 0 };
        let start = format!("{:x}-", self.base() as usize);
        smaps
            .lines()
            .skip_while(|line| !line.starts_with(&start))
            .find_map(|line| line.strip_prefix("ShmemPmdMapped:"))
            .and_then(|rest| rest.trim().strip_suffix("kB")?.trim().parse::<u64>().ok())
            .map_or(0, |kib| kib * 1024)
    }
}

/// Takes memory for every page of a shared mapping that another library made, which may have left it
/// open whether there is any.
///
/// # Safety
///
/// `base` is the start of a writable mapping of `length` bytes.
pub(crate) unsafe fn populate_foreign(base: *mut u8, length: usize) -> Result<(), OsError> {
    // SAFETY: the caller's contract.
    unsafe { populate(base, length, libc::MADV_POPULATE_WRITE) }
}

/// madvise(2), MADV_POPULATE_READ and MADV_POPULATE_WRITE. Where there is no memory for a page, and
/// touching it would be a SIGBUS, the error is ENOSPC.
///
/// # Safety
///
/// `base` is the start of a mapping of `length` bytes, writable if `advice` writes.
unsafe fn populate(base: *mut u8, length: usize, advice: libc::c_int) -> Result<(), OsError> {
    loop {
        // SAFETY: the caller's mapping; populating changes no contents.
        if unsafe { libc::madvise(base.cast(), length, advice) } == 0 {
            return Ok(());
        }
        let error = OsError::last("madvise");
        match error.errno() {
            libc::EINTR | libc::EAGAIN => {}
            // Kernels before 5.14: pages are made present as they are touched.
            libc::EINVAL => return Ok(()),
            libc::EFAULT | libc::ENOMEM => return Err(OsError::new("madvise", libc::ENOSPC)),
            _ => return Err(error),
        }
    }
}
