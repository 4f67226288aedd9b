//! One lock that nobody else wants: lock, increment, unlock.

#[cfg(all(feature = "shared_memory", feature = "raw_sync"))]
use crate::peers::raw_sync;
use crate::peers::{LockedCounter, Peer, Prepared, glibc, ours, unsupported};
use crate::support::cli::Plan;
use crate::support::clock::now_ns;
use crate::support::compare::{Bar, Comparison, Heading, Metric, Part};
use crate::support::report::Report;
use crate::support::session::Session;
use crate::support::stats::{Latencies, Slice, interval_ps};
use crate::support::{Result, failed};

/// Operations timed together, so that what the clock costs is lost in them.
const BATCH: u64 = 64;

pub(crate) fn run(plan: &Plan, report: &mut Report) -> Result<()> {
    let comparison = Comparison {
        heading: Heading { workload: "lock-uncontended", ..Heading::default() },
        yardstick: Metric::P50,
        contenders: &[
            (Peer::Outlive, Part::Judged(&[Bar { metric: Metric::P50, limit: 0.75 }])),
            (Peer::GlibcRobust, Part::Reference),
            (Peer::GlibcPlain, Part::Beside),
            #[cfg(all(feature = "shared_memory", feature = "raw_sync"))]
            (Peer::RawSync, Part::Beside),
        ],
    };
    comparison.run(plan, report, |peer| slice(plan, peer))
}

fn slice(plan: &Plan, peer: Peer) -> Result<Slice> {
    let session = Session::new(format!("lock-uncontended, {peer}"))?;
    let prepared = Prepared::new(peer, &session.memory)?;
    match peer {
        Peer::Outlive => measure(plan, &ours::Counter::attach(&prepared.parent.segment)?),
        Peer::GlibcPlain | Peer::GlibcRobust => {
            measure(plan, glibc::Shared::attach(&session.memory))
        }
        #[cfg(all(feature = "shared_memory", feature = "raw_sync"))]
        Peer::RawSync => measure(plan, &raw_sync::Counter::attach(&prepared.parent.segment)?),
        _ => unsupported(peer),
    }
}

fn measure(plan: &Plan, counter: &impl LockedCounter) -> Result<Slice> {
    let mut latencies = Latencies::new(plan.clock.step_ps / BATCH);
    let mut batches = 0;
    let begin = now_ns();
    let warm = begin + plan.slice.as_nanos() as u64 / 10;
    let deadline = begin + plan.slice.as_nanos() as u64;
    loop {
        let start = now_ns();
        for _ in 0..BATCH {
            counter.increment()?;
        }
        let end = now_ns();
        batches += 1;
        if end > warm {
            latencies.record_ps(interval_ps(start, end, plan.clock) / BATCH);
        }
        if end > deadline {
            break;
        }
    }
    let value = counter.value()?;
    if value != batches * BATCH {
        return failed(format!("{value} increments are left of {}", batches * BATCH));
    }
    Ok(Slice::of_latencies(latencies))
}
