//! Monotonic time in plain nanoseconds, which processes can compare with each other.

// `clock_gettime` has no safe form in the crates at hand that returns bare numbers this cheaply.
#![allow(unsafe_code)]

use std::hint::black_box;

/// Nanoseconds of `CLOCK_MONOTONIC`: the same scale in every process.
#[inline]
pub(crate) fn now_ns() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a writable timespec; CLOCK_MONOTONIC always exists on Linux.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// What a timed interval owes to the clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    /// What one reading costs: the part of an interval that is the clock itself.
    pub(crate) cost_ps: u64,
    /// The clock advances in steps of so much.
    pub(crate) step_ps: u64,
}

impl Clock {
    pub(crate) fn measure() -> Self {
        Self { cost_ps: cost_ps(), step_ps: step_ps() }
    }
}

fn cost_ps() -> u64 {
    const READS: u64 = 1000;
    let batch = || {
        let start = now_ns();
        for _ in 0..READS {
            black_box(now_ns());
        }
        (now_ns() - start) * 1000 / READS
    };
    let mut batches: Vec<u64> = (0..101).map(|_| batch()).collect();
    batches.sort_unstable();
    batches[batches.len() / 2]
}

/// Some processors count time in steps far longer than the nanosecond that the interface has: then
/// the differences of successive readings form clusters, which lie one step apart.
fn step_ps() -> u64 {
    const READS: usize = 20_000;
    const COMMON: usize = READS / 100;
    let mut differences: Vec<u64> = Vec::with_capacity(READS);
    let mut last = now_ns();
    for _ in 0..READS {
        let now = now_ns();
        differences.push(now - last);
        last = now;
    }
    differences.sort_unstable();
    let mut values = differences.chunk_by(|a, b| a == b).filter(|same| same.len() > COMMON);
    let Some(first) = values.next() else { return 1000 };
    // A conversion to nanoseconds rounds, so that neighbours within a cluster differ by one or two.
    let mut within = first[0];
    for same in values {
        if same[0] > within + 2 {
            return (same[0] - first[0]) * 1000;
        }
        within = same[0];
    }
    1000
}
