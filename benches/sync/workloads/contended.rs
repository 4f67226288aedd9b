//! Several processes increment one counter under its lock, as fast as they can.

use super::crowd;
use crate::job::{Job, Role};
use crate::peers::{LockedCounter, Peer, UsesCounter, with_counter};
use crate::support::child::Child;
use crate::support::cli::Plan;
use crate::support::compare::{Bar, Comparison, Heading, Metric, Part};
use crate::support::report::Report;
use crate::support::{Result, failed};

pub(crate) fn mutex(plan: &Plan, report: &mut Report) -> Result<()> {
    let contenders = &[
        (Peer::Mutex, Part::Judged(&[Bar { metric: Metric::Period, limit: 1.0 }])),
        (Peer::Value, Part::Beside),
        (Peer::GlibcPlain, Part::Reference),
        (Peer::GlibcRobust, Part::Reference),
    ];
    run(plan, report, "mutex-contended", contenders)
}

pub(crate) fn reentrant(plan: &Plan, report: &mut Report) -> Result<()> {
    let contenders = &[
        (Peer::ReentrantMutex, Part::Judged(&[])),
        (Peer::GlibcRecursive, Part::Reference),
        (Peer::GlibcRobustRecursive, Part::Reference),
    ];
    run(plan, report, "reentrant-contended", contenders)
}

/// A semaphore with one permit.
pub(crate) fn semaphore(plan: &Plan, report: &mut Report) -> Result<()> {
    let contenders =
        &[(Peer::Semaphore, Part::Judged(&[])), (Peer::GlibcSemaphore, Part::Reference)];
    run(plan, report, "semaphore-contended", contenders)
}

fn run(
    plan: &Plan,
    report: &mut Report,
    workload: &'static str,
    contenders: &[(Peer, Part)],
) -> Result<()> {
    for processes in [2, 4, 8] {
        let comparison = Comparison {
            heading: Heading { workload, processes: Some(processes), ..Heading::default() },
            yardstick: Metric::Period,
            contenders,
        };
        comparison.run(plan, report, |peer| {
            let role = Role::Incrementer;
            crowd::slice(plan, workload, role, peer, processes, |session, prepared, count| {
                let value = with_counter(peer, &session.memory, prepared.segment(), Total)?;
                if value != count {
                    return failed(format!("{peer}: {value} after {count} increments"));
                }
                Ok(())
            })
        })?;
    }
    Ok(())
}

struct Total;

impl UsesCounter for Total {
    type Outcome = u64;

    fn with(self, counter: &impl LockedCounter) -> Result<u64> {
        counter.value()
    }
}

struct Compete<'a>(&'a Child<Job>);

impl UsesCounter for Compete<'_> {
    type Outcome = ();

    fn with(self, counter: &impl LockedCounter) -> Result<()> {
        crowd::repeat(self.0, |_| counter.increment())
    }
}

pub(crate) fn increment(child: &Child<Job>) -> Result<()> {
    with_counter(child.job.peer, &child.memory, &child.job.segment, Compete(child))
}
