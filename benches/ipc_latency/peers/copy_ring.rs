//! A bare ring between two processes: messages are copied in and out, and two positions say how far
//! each side is. What memory does with the same bytes; nothing here survives anything.

// Copies to and from memory shared with another process.
#![allow(unsafe_code)]

use std::cell::UnsafeCell;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicU64, Ordering};

use nix::sys::memfd::{MFdFlags, memfd_create};

use super::{Inbox, Outbox, shm};
use crate::support::Result;
use crate::support::cpu::Patience;
use crate::support::memory::Line;

/// Messages that fit.
pub(crate) const CAPACITY: usize = 256;

/// All-zero bytes are its valid first state.
#[repr(C)]
struct Ring<const W: usize> {
    /// Messages written, by the sender.
    tail: Line<AtomicU64>,
    /// Messages read, by the receiver.
    head: Line<AtomicU64>,
    slots: [UnsafeCell<[u64; W]>; CAPACITY],
}

/// Memory for a ring, which children started while it exists inherit.
pub(crate) fn create() -> Result<OwnedFd> {
    let fd = memfd_create("ring", MFdFlags::empty())?;
    nix::unistd::ftruncate(&fd, shm::CAPACITY as i64)?;
    Ok(fd)
}

/// How the others reach it.
pub(crate) fn access(fd: &OwnedFd) -> Option<(RawFd, RawFd)> {
    Some((fd.as_raw_fd(), fd.as_raw_fd()))
}

/// One side of it.
#[derive(Debug)]
pub(crate) struct Link<const W: usize> {
    at: *mut Ring<W>,
    /// How far this side is, and how far the other one was when it was looked at last.
    own: u64,
    other: u64,
    patience: Patience,
}

impl<const W: usize> Link<W> {
    pub(crate) fn attach(descriptors: Option<(RawFd, RawFd)>, patience: Patience) -> Result<Self> {
        const { assert!(size_of::<Ring<W>>() <= shm::CAPACITY) };
        let (fd, _) = descriptors.ok_or("no descriptor was passed")?;
        Ok(Self { at: shm::map(fd)?.cast(), own: 0, other: 0, patience })
    }
}

impl<const W: usize> Drop for Link<W> {
    fn drop(&mut self) {
        // Best effort: the process ends soon.
        let _ = shm::unmap(self.at.cast());
    }
}

impl<const W: usize> Outbox<W> for Link<W> {
    #[inline]
    fn send(&mut self, message: [u64; W]) -> Result<()> {
        // SAFETY: mapped until this is dropped, aligned to a page; atomics and cells only.
        let ring = unsafe { &*self.at };
        while self.own - self.other == CAPACITY as u64 {
            // Acquire: pairs with the release in `receive`, which gives the slot back.
            let head = || ring.head.0.load(Ordering::Acquire);
            let before = self.other;
            self.other = self.patience.until(|| Some(head()).filter(|&head| head != before));
        }
        // SAFETY: the positions keep the receiver away from this slot until the store below.
        unsafe { *ring.slots[self.own as usize % CAPACITY].get() = message };
        self.own += 1;
        // Release: pairs with the acquire in `receive`.
        ring.tail.0.store(self.own, Ordering::Release);
        Ok(())
    }
}

impl<const W: usize> Inbox<W> for Link<W> {
    #[inline]
    fn receive(&mut self) -> Result<[u64; W]> {
        // SAFETY: as in `send`.
        let ring = unsafe { &*self.at };
        if self.own == self.other {
            // Acquire: pairs with the release in `send`, which filled the slot.
            let tail = || ring.tail.0.load(Ordering::Acquire);
            let before = self.other;
            self.other = self.patience.until(|| Some(tail()).filter(|&tail| tail != before));
        }
        // SAFETY: the positions keep the sender away from this slot until the store below.
        let message = unsafe { *ring.slots[self.own as usize % CAPACITY].get() };
        self.own += 1;
        // Release: pairs with the acquire in `send`.
        ring.head.0.store(self.own, Ordering::Release);
        Ok(message)
    }
}
