//! What the benchmarks share: peers that are real processes, pinned and watched; percentiles,
//! interleaved comparisons against a reference, and their report.

// Each benchmark uses its own part of this.
#![allow(dead_code)]

pub(crate) mod child;
pub(crate) mod cli;
pub(crate) mod clock;
pub(crate) mod compare;
pub(crate) mod cpu;
pub(crate) mod futex;
pub(crate) mod memory;
pub(crate) mod program;
pub(crate) mod report;
pub(crate) mod session;
pub(crate) mod stats;
pub(crate) mod watchdog;

/// What a failed check or call looks like; slowness is never one.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;
/// The result of anything here that can fail.
pub(crate) type Result<T> = std::result::Result<T, Failure>;

/// A failed check, kept out of the measured path.
#[cold]
pub(crate) fn failed<T>(what: impl Into<String>) -> Result<T> {
    Err(Failure::from(what.into()))
}
