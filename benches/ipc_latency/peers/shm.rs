//! POSIX shared memory by the bare calls: what making or opening a mapping costs without names for
//! what is inside, validation, or a promise about half-made ones.

// Maps memory.
#![allow(unsafe_code)]

use std::os::fd::AsRawFd;

use nix::fcntl::OFlag;
use nix::sys::mman::{shm_open, shm_unlink};
use nix::sys::stat::Mode;

use crate::support::{Result, watchdog};

/// The size of what is created, the same for every peer.
pub(crate) const CAPACITY: usize = 1 << 20;

/// A name that is removed when this is dropped.
#[derive(Debug)]
pub(crate) struct Name(String);

impl Name {
    pub(crate) fn new() -> Self {
        let name = format!("/outlive-bench-shm-{}", std::process::id());
        watchdog::on_abort(&name, remove);
        Self(name)
    }
}

impl Drop for Name {
    fn drop(&mut self) {
        remove(&self.0);
        watchdog::removed(&self.0);
    }
}

fn remove(name: &str) {
    // Best effort: usually it is gone already.
    let _ = shm_unlink(name);
}

/// Whether the new memory is written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Touch {
    No,
    Yes,
}

/// From nothing to a mapping and back to nothing.
pub(crate) fn whole_life(name: &Name, touch: Touch) -> Result<()> {
    let flags = OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_EXCL;
    let fd = shm_open(name.0.as_str(), flags, Mode::S_IRUSR | Mode::S_IWUSR)?;
    nix::unistd::ftruncate(&fd, CAPACITY as i64)?;
    let at = map(fd.as_raw_fd())?;
    drop(fd);
    if touch == Touch::Yes {
        // SAFETY: a page of ours, mapped for writing.
        unsafe { at.write_volatile(1) };
    }
    shm_unlink(name.0.as_str())?;
    unmap(at)
}

/// Leaves memory behind for `open_and_close`.
pub(crate) fn create(name: &Name) -> Result<()> {
    let flags = OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_EXCL;
    let fd = shm_open(name.0.as_str(), flags, Mode::S_IRUSR | Mode::S_IWUSR)?;
    Ok(nix::unistd::ftruncate(&fd, CAPACITY as i64)?)
}

/// Maps what exists and lets go of it.
pub(crate) fn open_and_close(name: &Name) -> Result<()> {
    let fd = shm_open(name.0.as_str(), OFlag::O_RDWR, Mode::empty())?;
    let at = map(fd.as_raw_fd())?;
    drop(fd);
    unmap(at)
}

/// Maps `CAPACITY` bytes of what the descriptor is of.
pub(super) fn map(fd: i32) -> Result<*mut u8> {
    let access = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: a new mapping at an address that the kernel chooses.
    let at = unsafe { libc::mmap(std::ptr::null_mut(), CAPACITY, access, libc::MAP_SHARED, fd, 0) };
    if at == libc::MAP_FAILED {
        return Err(std::io::Error::last_os_error().into());
    }
    Ok(at.cast())
}

/// Takes a mapping of `map` away.
pub(super) fn unmap(at: *mut u8) -> Result<()> {
    // SAFETY: the mapping that `map` made, of which nothing else knows.
    match unsafe { libc::munmap(at.cast(), CAPACITY) } {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error().into()),
    }
}
