//! Waiting in the kernel for a word in shared memory to change: futex(2), futex_waitv(2).
//!
//! All waits are of the shared kind (the kernel keys them by file and offset), so that processes
//! with differing mappings meet, and every one of them has an end.
#![allow(unsafe_code)] // raw system calls

use core::mem::MaybeUninit;
use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use core::time::Duration;

/// The longest sleep before the caller looks again. Where the kernel cannot promise a wake-up (the
/// waker was killed between its store and its wake), this bounds what a sleeper loses.
pub(crate) const RECHECK: Duration = Duration::from_millis(100);

/// The recheck interval where a lost wake-up is not exotic: kernels without futex_waitv, and
/// sandboxes that forbid membarrier.
pub(crate) const SHORT_RECHECK: Duration = Duration::from_millis(1);

fn timespec(duration: Duration) -> libc::timespec {
    libc::timespec {
        tv_sec: duration.as_secs().try_into().unwrap_or(libc::time_t::MAX),
        tv_nsec: libc::c_long::from(duration.subsec_nanos()),
    }
}

/// Sleeps while `word` holds `expected`, for at most `timeout`. Returns on a wake-up, on a changed
/// word, on a signal and on a timeout alike: the caller looks again.
pub(crate) fn wait(word: &AtomicU32, expected: u32, timeout: Duration) {
    let timeout = timespec(timeout.min(RECHECK));
    // SAFETY: `word` is a live aligned u32 and `timeout` outlives the call; the kernel only reads.
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            word.as_ptr(),
            libc::FUTEX_WAIT,
            expected,
            &raw const timeout,
            ptr::null::<u32>(),
            0,
        );
    }
}

/// Wakes at most `count` sleepers of `word` and returns how many there were.
pub(crate) fn wake(word: &AtomicU32, count: u32) -> usize {
    let count = i32::try_from(count).unwrap_or(i32::MAX);
    // SAFETY: FUTEX_WAKE uses the address as a key only.
    let woken = unsafe {
        libc::syscall(
            libc::SYS_futex,
            word.as_ptr(),
            libc::FUTEX_WAKE,
            count,
            ptr::null::<libc::timespec>(),
            ptr::null::<u32>(),
            0,
        )
    };
    usize::try_from(woken).unwrap_or(0)
}

/// Everybody.
pub(crate) const ALL: u32 = u32::MAX;

/// The most words that can be waited for at once: FUTEX_WAITV_MAX.
pub(crate) const MOST: usize = 128;

/// Sleeps while each word holds what it is given with, at most `timeout`. The words are queued on in
/// this order, at most [`MOST`]. Kernels before 5.16 have no futex_waitv: there only the first word
/// is waited for, and not for long.
pub(crate) fn wait_any(words: &[(&AtomicU32, u32)], timeout: Duration) {
    static MISSING: AtomicBool = AtomicBool::new(false);
    let Some(first) = words.first() else { return };
    if MISSING.load(Ordering::Relaxed) {
        return wait(first.0, first.1, timeout.min(SHORT_RECHECK));
    }
    let mut entries = [const { MaybeUninit::<libc::futex_waitv>::uninit() }; MOST];
    for (entry, (word, expected)) in entries.iter_mut().zip(words) {
        // SAFETY: futex_waitv is plain data, for which zero is valid.
        let mut words: libc::futex_waitv = unsafe { core::mem::zeroed() };
        words.val = u64::from(*expected);
        words.uaddr = word.as_ptr() as u64;
        words.flags = libc::FUTEX2_SIZE_U32 as u32; // not FUTEX2_PRIVATE: shared between processes
        entry.write(words);
    }
    // futex_waitv takes a point in time, not a span.
    let mut until = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `until` is a valid place for the time.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut until) };
    let span = timespec(timeout.min(RECHECK));
    until.tv_sec += span.tv_sec;
    until.tv_nsec += span.tv_nsec;
    if until.tv_nsec >= 1_000_000_000 {
        until.tv_nsec -= 1_000_000_000;
        until.tv_sec += 1;
    }
    // SAFETY: as many entries as are passed were written; they name live aligned words, and the
    // array outlives the call.
    let result = unsafe {
        libc::syscall(
            libc::SYS_futex_waitv,
            entries.as_ptr(),
            words.len().min(MOST),
            0,
            &raw const until,
            libc::CLOCK_MONOTONIC,
        )
    };
    if result == -1 {
        let errno = std::io::Error::last_os_error().raw_os_error();
        if matches!(errno, Some(libc::ENOSYS | libc::EPERM)) {
            MISSING.store(true, Ordering::Relaxed);
        }
    }
}
