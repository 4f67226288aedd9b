//! Timing operations that are as short as a reading of the clock.

use crate::support::Result;
use crate::support::cli::Plan;
use crate::support::clock::now_ns;
use crate::support::stats::{Latencies, interval_ps};

/// Operations timed together, so that what the clock costs is lost in them even if they are single
/// loads.
const BATCH: u64 = 512;

/// Repeats an operation for one slice of time; the latencies, and how often it was done.
#[inline]
pub(crate) fn in_batches(
    plan: &Plan,
    mut operation: impl FnMut() -> Result<()>,
) -> Result<(Latencies, u64)> {
    let mut latencies = Latencies::new(plan.clock.step_ps / BATCH);
    let mut batches = 0;
    let begin = now_ns();
    let warm = begin + plan.slice.as_nanos() as u64 / 10;
    let deadline = begin + plan.slice.as_nanos() as u64;
    loop {
        let start = now_ns();
        for _ in 0..BATCH {
            operation()?;
        }
        let end = now_ns();
        batches += 1;
        if end > warm {
            latencies.record_ps(interval_ps(start, end, plan.clock) / BATCH);
        }
        if end > deadline {
            return Ok((latencies, batches * BATCH));
        }
    }
}
