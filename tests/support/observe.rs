//! What can be seen of a process or a segment from outside.
#![allow(dead_code)] // each test binary uses its own part of this

use std::path::PathBuf;
use std::time::{Duration, Instant};

use nix::sys::resource::{Usage, UsageWho, getrusage};
use nix::sys::time::TimeValLike;

/// Waits until a thread sleeps in the kernel. Its process has said that it is about to block, and
/// does nothing else that sleeps.
pub(crate) fn await_sleep(thread: u32) {
    while !sleeps(thread) {
        std::thread::yield_now();
    }
}

/// Whether a thread sleeps in the kernel.
pub(crate) fn sleeps(thread: u32) -> bool {
    state(thread) == Some('S')
}

/// Waits until a thread was stopped by a signal.
pub(crate) fn await_stop(thread: u32) {
    while state(thread) != Some('T') {
        std::thread::yield_now();
    }
}

/// The letter that proc(5) gives a thread's state.
fn state(thread: u32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{thread}/stat")).ok()?;
    // The name, in parentheses, may hold anything.
    stat.rsplit_once(')')?.1.trim_start().chars().next()
}

/// The calling thread's id.
pub(crate) fn thread_id() -> u32 {
    nix::unistd::gettid().as_raw().cast_unsigned()
}

/// Runs a wait in vain, of some hundreds of milliseconds: "idle", or what it did instead of sleeping.
pub(crate) fn idle(wait: impl FnOnce()) -> String {
    /// One who sleeps looks again every 100 ms. Two who wake each other do that thousands of times.
    const SLEEPS: i64 = 100;
    let usage = || getrusage(UsageWho::RUSAGE_THREAD).expect("getrusage");
    let processor = |usage: &Usage| {
        let micros = (usage.user_time() + usage.system_time()).num_microseconds();
        Duration::from_micros(micros.cast_unsigned())
    };
    let (before, start) = (usage(), Instant::now());
    wait();
    let (after, taken) = (usage(), start.elapsed());
    let used = processor(&after) - processor(&before);
    let slept = after.voluntary_context_switches() - before.voluntary_context_switches();
    if used < taken / 2 && slept < SLEEPS {
        "idle".to_owned()
    } else {
        format!("used the processor for {used:?} of {taken:?}, and slept {slept} times")
    }
}

/// Runs something that is to give up no earlier than after `timeout`.
pub(crate) fn not_before<R>(timeout: Duration, wait: impl FnOnce() -> R) -> R {
    let start = Instant::now();
    let result = wait();
    let taken = start.elapsed();
    assert!(taken >= timeout, "gave up after {taken:?} of {timeout:?}");
    result
}

/// The file of a segment.
pub(crate) fn file(segment: &str) -> PathBuf {
    PathBuf::from("/dev/shm").join(segment)
}

/// What can be found in a segment's bytes, and has bytes that cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, outlive::Shared)]
#[repr(C)]
pub(crate) struct Marked {
    pub(crate) mark: [u8; 8],
    pub(crate) flag: bool,
    pub(crate) rest: [u8; 7],
}

impl Marked {
    pub(crate) fn new(mark: [u8; 8]) -> Self {
        Self { mark, flag: true, rest: [0; 7] }
    }
}

/// Overwrites the bytes that start `skip` bytes after the only occurrence of `mark` in a segment.
pub(crate) fn overwrite(segment: &str, mark: &[u8], skip: usize, bytes: &[u8]) {
    use std::os::unix::fs::FileExt;
    let content = std::fs::read(file(segment)).expect("read the segment");
    let found: Vec<usize> = content
        .windows(mark.len())
        .enumerate()
        .filter(|(_, w)| *w == mark)
        .map(|(i, _)| i)
        .collect();
    let [place] = found[..] else { panic!("the mark is there {} times", found.len()) };
    let target = std::fs::OpenOptions::new().write(true).open(file(segment)).expect("open");
    target.write_all_at(bytes, (place + skip) as u64).expect("write");
}

/// Numbers that look random, the same in every run.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// Less than `limit`.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        // xorshift64*
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % limit
    }
}
