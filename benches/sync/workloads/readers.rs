//! Locks that readers share: what a read or a write costs alone, whether more readers read more,
//! and what becomes of that when somebody writes now and then.

use super::{crowd, timing};
use crate::job::{Job, Role};
use crate::peers::{Peer, Prepared, SharedPair, UsesPair, with_pair};
use crate::support::child::Child;
use crate::support::cli::Plan;
use crate::support::compare::{Comparison, Heading, Metric, Part};
use crate::support::report::Report;
use crate::support::session::Session;
use crate::support::stats::Slice;
use crate::support::{Result, failed};

/// One operation of so many writes, where both are done.
const WRITES_ONE_IN: u64 = 64;

/// One read or write that nobody else disturbs.
pub(crate) fn uncontended(plan: &Plan, report: &mut Report) -> Result<()> {
    let workload = "rwlock-uncontended";
    for (mode, write) in [("read", false), ("write", true)] {
        let comparison = Comparison {
            heading: Heading { workload, mode: Some(mode), ..Heading::default() },
            yardstick: Metric::P50,
            contenders: &[(Peer::RwLock, Part::Judged(&[])), (Peer::GlibcRwLock, Part::Reference)],
        };
        comparison.run(plan, report, |peer| {
            let session = Session::new(format!("{workload}, {mode}, {peer}"))?;
            let prepared = Prepared::new(peer, &session.memory, 1)?;
            with_pair(peer, &session.memory, prepared.segment(), Alone { plan, write })
        })?;
    }
    Ok(())
}

/// Readers only: the rate is that of all together.
pub(crate) fn readers(plan: &Plan, report: &mut Report) -> Result<()> {
    crowds(plan, report, "rwlock-readers", Role::Reader, &[1, 2, 4, 8])
}

/// Readers that write now and then.
pub(crate) fn mixed(plan: &Plan, report: &mut Report) -> Result<()> {
    crowds(plan, report, "rwlock-mixed", Role::Mixer, &[2, 4, 8])
}

fn crowds(
    plan: &Plan,
    report: &mut Report,
    workload: &'static str,
    role: Role,
    sizes: &[usize],
) -> Result<()> {
    for &processes in sizes {
        let comparison = Comparison {
            heading: Heading { workload, processes: Some(processes), ..Heading::default() },
            yardstick: Metric::Period,
            contenders: &[(Peer::RwLock, Part::Judged(&[])), (Peer::GlibcRwLock, Part::Reference)],
        };
        comparison.run(plan, report, |peer| {
            crowd::slice(plan, workload, role, peer, processes, |_, _, _| Ok(()))
        })?;
    }
    Ok(())
}

struct Alone<'a> {
    plan: &'a Plan,
    write: bool,
}

impl UsesPair for Alone<'_> {
    type Outcome = Slice;

    fn with(self, pair: &impl SharedPair) -> Result<Slice> {
        let (latencies, count) = if self.write {
            timing::in_batches(self.plan, || pair.write())?
        } else {
            timing::in_batches(self.plan, || whole(pair))?
        };
        let expected = if self.write { count } else { 0 };
        let found = pair.read()?;
        if found != [expected; 2] {
            return failed(format!("{found:?} after {expected} writes"));
        }
        Ok(Slice::of_latencies(latencies))
    }
}

/// Reads what has to belong together.
#[inline]
fn whole(pair: &impl SharedPair) -> Result<()> {
    let [first, second] = pair.read()?;
    if first != second {
        return failed(format!("read {first} and {second} under one lock"));
    }
    Ok(())
}

struct Read<'a>(&'a Child<Job>);

impl UsesPair for Read<'_> {
    type Outcome = ();

    fn with(self, pair: &impl SharedPair) -> Result<()> {
        crowd::repeat(self.0, |_| whole(pair))
    }
}

pub(crate) fn read(child: &Child<Job>) -> Result<()> {
    with_pair(child.job.peer, &child.memory, &child.job.segment, Read(child))
}

struct Mix<'a>(&'a Child<Job>);

impl UsesPair for Mix<'_> {
    type Outcome = ();

    fn with(self, pair: &impl SharedPair) -> Result<()> {
        crowd::repeat(self.0, |number| match number % WRITES_ONE_IN {
            0 => pair.write(),
            _ => whole(pair),
        })
    }
}

pub(crate) fn mix(child: &Child<Job>) -> Result<()> {
    with_pair(child.job.peer, &child.memory, &child.job.segment, Mix(child))
}
