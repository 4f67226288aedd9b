//! One lock that nobody else wants: lock, increment, unlock.

use super::timing;
use crate::peers::{LockedCounter, Peer, Prepared, UsesCounter, with_counter};
use crate::support::cli::Plan;
use crate::support::compare::{Bar, Comparison, Heading, Metric, Part};
use crate::support::report::Report;
use crate::support::session::Session;
use crate::support::stats::Slice;
use crate::support::{Result, failed};

pub(crate) fn mutex(plan: &Plan, report: &mut Report) -> Result<()> {
    let contenders = &[
        (Peer::Mutex, Part::Judged(&[Bar { metric: Metric::P50, limit: 0.75 }])),
        (Peer::Value, Part::Beside),
        (Peer::GlibcRobust, Part::Reference),
        (Peer::GlibcPlain, Part::Beside),
    ];
    run(plan, report, "mutex-uncontended", contenders)
}

pub(crate) fn reentrant(plan: &Plan, report: &mut Report) -> Result<()> {
    let contenders = &[
        (Peer::ReentrantMutex, Part::Judged(&[])),
        (Peer::GlibcRobustRecursive, Part::Reference),
        (Peer::GlibcRecursive, Part::Beside),
    ];
    run(plan, report, "reentrant-uncontended", contenders)
}

pub(crate) fn semaphore(plan: &Plan, report: &mut Report) -> Result<()> {
    let contenders =
        &[(Peer::Semaphore, Part::Judged(&[])), (Peer::GlibcSemaphore, Part::Reference)];
    run(plan, report, "semaphore-uncontended", contenders)
}

fn run(
    plan: &Plan,
    report: &mut Report,
    workload: &'static str,
    contenders: &[(Peer, Part)],
) -> Result<()> {
    let comparison = Comparison {
        heading: Heading { workload, ..Heading::default() },
        yardstick: Metric::P50,
        contenders,
    };
    comparison.run(plan, report, |peer| {
        let session = Session::new(format!("{workload}, {peer}"))?;
        let prepared = Prepared::new(peer, &session.memory, 1)?;
        with_counter(peer, &session.memory, prepared.segment(), Measure { plan })
    })
}

struct Measure<'a> {
    plan: &'a Plan,
}

impl UsesCounter for Measure<'_> {
    type Outcome = Slice;

    fn with(self, counter: &impl LockedCounter) -> Result<Slice> {
        let (latencies, count) = timing::in_batches(self.plan, || counter.increment())?;
        let value = counter.value()?;
        if value != count {
            return failed(format!("{value} increments are left of {count}"));
        }
        Ok(Slice::of_latencies(latencies))
    }
}
