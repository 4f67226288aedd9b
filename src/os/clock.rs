//! Time that all processes agree on: clock_gettime(2).
#![allow(unsafe_code)] // calls into libc

/// Milliseconds of CLOCK_MONOTONIC_COARSE, which counts from the same moment in every process.
pub(crate) fn milliseconds() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` is a valid place for the time.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC_COARSE, &raw mut now) };
    (now.tv_sec * 1000 + now.tv_nsec / 1_000_000).cast_unsigned()
}
