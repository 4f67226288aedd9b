//! The memory that a benchmark and its children share to control a run and to report from it, and
//! in which the reference implementations live. It does not use the library under test.

// Maps memory and hands out references into it.
#![allow(unsafe_code)]

use std::cell::UnsafeCell;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use nix::sys::memfd::{MFdFlags, memfd_create};

use super::{Result, futex};

/// Participants that can report from one run.
pub(crate) const SLOTS: usize = 8;
/// Bytes for the objects of a reference implementation.
pub(crate) const ARENA: usize = 4096;
/// Latency samples that a participant can hand over.
const SAMPLES: usize = 1 << 16;

/// A value on a pair of cache lines of its own (adjacent lines are fetched together).
#[repr(C, align(128))]
#[derive(Debug)]
pub(crate) struct Line<T>(pub(crate) T);

/// What one participant reports.
#[repr(C, align(128))]
#[derive(Debug)]
pub(crate) struct Slot {
    /// Operations done, or whatever the workload counts.
    pub(crate) count: AtomicU64,
    /// A checksum over what was sent or received.
    pub(crate) sum: AtomicU64,
    /// When it began and ended, by the shared clock.
    pub(crate) start_ns: AtomicU64,
    pub(crate) end_ns: AtomicU64,
    recorded: AtomicU64,
    samples_ps: [AtomicU64; SAMPLES],
}

impl Slot {
    /// Keeps one latency; silently none once the room is used up.
    #[inline]
    pub(crate) fn sample(&self, ps: u64) {
        let at = self.recorded.load(Ordering::Relaxed);
        if let Some(place) = self.samples_ps.get(at as usize) {
            place.store(ps, Ordering::Relaxed);
            self.recorded.store(at + 1, Ordering::Release);
        }
    }

    /// The latencies kept so far.
    pub(crate) fn samples(&self) -> impl Iterator<Item = u64> + '_ {
        let recorded = self.recorded.load(Ordering::Acquire) as usize;
        self.samples_ps.iter().take(recorded).map(|ps| ps.load(Ordering::Relaxed))
    }
}

#[repr(C, align(4096))]
struct Arena(UnsafeCell<[u8; ARENA]>);

// SAFETY: only raw pointers into it are handed out; whoever uses them answers for the sharing.
unsafe impl Sync for Arena {}

/// Everything shared, in one mapping; all-zero bytes are its valid first state.
#[repr(C)]
pub(crate) struct Layout {
    arena: Arena,
    ready: Line<AtomicU32>,
    go: Line<AtomicU32>,
    stop: Line<AtomicU32>,
    /// One per participant.
    pub(crate) slots: [Slot; SLOTS],
}

/// A mapping of [`Layout`], in the benchmark and in each of its children.
#[derive(Debug)]
pub(crate) struct Memory {
    at: NonNull<Layout>,
    fd: OwnedFd,
}

// SAFETY: everything in `Layout` may be used by several threads, and the mapping lasts as long as
// the `Memory`.
unsafe impl Send for Memory {}
// SAFETY: as above.
unsafe impl Sync for Memory {}

impl Memory {
    /// Fresh memory, which children started from now on inherit.
    pub(crate) fn create() -> Result<Self> {
        let fd = memfd_create("bench", MFdFlags::empty())?;
        nix::unistd::ftruncate(&fd, size_of::<Layout>() as i64)?;
        Self::map(fd)
    }

    /// In a child: the memory that its parent created.
    pub(crate) fn inherited(fd: RawFd) -> Result<Self> {
        // SAFETY: the parent passed the number of a descriptor that it left open for this process,
        // and nothing else here knows of it.
        Self::map(unsafe { OwnedFd::from_raw_fd(fd) })
    }

    fn map(fd: OwnedFd) -> Result<Self> {
        // SAFETY: a new mapping at an address that the kernel chooses.
        let at = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                size_of::<Layout>(),
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                fd.as_raw_fd(),
                0,
            )
        };
        if at == libc::MAP_FAILED {
            return Err(std::io::Error::last_os_error().into());
        }
        let at = NonNull::new(at.cast()).ok_or("mapped at address zero")?;
        Ok(Self { at, fd })
    }

    /// The descriptor's number, the same in a child that inherits it.
    pub(crate) fn fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }

    /// Where the objects of a reference implementation go: `ARENA` bytes, zero at first.
    pub(crate) fn arena(&self) -> *mut u8 {
        self.arena.0.get().cast()
    }

    /// The arena as an object of atomics.
    ///
    /// # Safety
    ///
    /// `T` must consist of atomics only, so that any bytes and any sharing are valid, and every
    /// participant must use the arena as the same `T`.
    pub(crate) unsafe fn arena_as<T>(&self) -> &T {
        const { assert!(size_of::<T>() <= ARENA && align_of::<T>() <= ARENA) };
        // SAFETY: big enough and aligned as asserted, mapped while `self` lives; the rest is the
        // caller's promise.
        unsafe { &*self.arena().cast::<T>() }
    }

    /// A child's last step before the run: it reports and sleeps until the parent starts all.
    pub(crate) fn ready_and_wait(&self) {
        self.report_ready();
        while self.go.0.load(Ordering::Acquire) == 0 {
            futex::wait(&self.go.0, 0, None);
        }
    }

    /// Reports without waiting for the start.
    pub(crate) fn report_ready(&self) {
        self.ready.0.fetch_add(1, Ordering::Release);
        futex::wake(&self.ready.0, i32::MAX);
    }

    /// Sleeps until `count` children have reported.
    pub(crate) fn wait_ready(&self, count: u32) {
        loop {
            let ready = self.ready.0.load(Ordering::Acquire);
            if ready >= count {
                return;
            }
            futex::wait(&self.ready.0, ready, None);
        }
    }

    /// Lets the children that wait begin.
    pub(crate) fn start(&self) {
        self.go.0.store(1, Ordering::Release);
        futex::wake(&self.go.0, i32::MAX);
    }

    /// Asks everyone to end.
    pub(crate) fn stop(&self) {
        self.stop.0.store(1, Ordering::Release);
        futex::wake(&self.stop.0, i32::MAX);
    }

    /// Whether the end was asked for.
    #[inline]
    pub(crate) fn stopped(&self) -> bool {
        self.stop.0.load(Ordering::Relaxed) != 0
    }

    /// Sleeps until the end is asked for.
    pub(crate) fn wait_stop(&self) {
        while !self.stopped() {
            futex::wait(&self.stop.0, 0, Some(Duration::from_millis(100)));
        }
    }
}

impl std::ops::Deref for Memory {
    type Target = Layout;

    fn deref(&self) -> &Layout {
        // SAFETY: mapped, big enough and page-aligned for as long as `self` lives; `Layout` is made
        // of atomics and a cell, for which any bytes are valid and changes by others are expected.
        unsafe { self.at.as_ref() }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: this is the mapping that `map` made, and no reference outlives `self`.
        unsafe { libc::munmap(self.at.as_ptr().cast(), size_of::<Layout>()) };
    }
}
