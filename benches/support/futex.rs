//! The futex calls, on words shared between processes.

// The system call has no wrapper in the crates at hand.
#![allow(unsafe_code)]

use std::sync::atomic::AtomicU32;
use std::time::Duration;

/// Sleeps while `word` holds `expected`; may return early for any reason.
#[inline]
pub(crate) fn wait(word: &AtomicU32, expected: u32, timeout: Option<Duration>) {
    let limit = timeout.map(|t| libc::timespec {
        tv_sec: t.as_secs() as libc::time_t,
        tv_nsec: libc::c_long::from(t.subsec_nanos()),
    });
    let limit = limit.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    // SAFETY: `word` is a live aligned u32, `limit` null or a live timespec. The kernel only reads.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAIT, expected, limit) };
}

/// Sleeps while each of the words holds what it is given with; may return early for any reason.
#[inline]
pub(crate) fn wait_any<const N: usize>(words: [(&AtomicU32, u32); N]) {
    /// `struct futex_waitv`.
    #[repr(C)]
    struct Waiter {
        value: u64,
        address: u64,
        flags: u32,
        reserved: u32,
    }
    const FUTEX2_SIZE_U32: u32 = 2;
    let waiters = words.map(|(word, expected)| Waiter {
        value: expected.into(),
        address: word.as_ptr().addr() as u64,
        flags: FUTEX2_SIZE_U32,
        reserved: 0,
    });
    let (no_flags, no_limit, no_clock) = (0, std::ptr::null::<libc::timespec>(), 0);
    // SAFETY: `waiters` are N descriptions of live aligned words. The kernel only reads.
    unsafe {
        libc::syscall(libc::SYS_futex_waitv, waiters.as_ptr(), N, no_flags, no_limit, no_clock)
    };
}

/// Wakes up to `count` sleepers of `word`.
#[inline]
pub(crate) fn wake(word: &AtomicU32, count: i32) {
    // SAFETY: FUTEX_WAKE only uses the address as a key.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAKE, count) };
}
