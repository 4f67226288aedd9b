//! Rounds of a barrier: everybody waits for the last one, again and again.

use std::sync::atomic::Ordering::Relaxed;

use crate::job::{Job, Role};
use crate::peers::{Peer, Prepared, Rounds, UsesRounds, with_rounds};
use crate::support::child::Child;
use crate::support::cli::Plan;
use crate::support::clock::now_ns;
use crate::support::compare::{Comparison, Heading, Metric, Part};
use crate::support::report::Report;
use crate::support::session::Session;
use crate::support::stats::Slice;
use crate::support::{Result, failed};

pub(crate) fn run(plan: &Plan, report: &mut Report) -> Result<()> {
    for processes in [2, 4, 8] {
        let comparison = Comparison {
            heading: Heading {
                workload: "barrier",
                processes: Some(processes),
                ..Heading::default()
            },
            yardstick: Metric::Period,
            contenders: &[
                (Peer::Barrier, Part::Judged(&[])),
                (Peer::GlibcBarrier, Part::Reference),
            ],
        };
        comparison.run(plan, report, |peer| slice(plan, peer, processes))?;
    }
    Ok(())
}

fn slice(plan: &Plan, peer: Peer, processes: usize) -> Result<Slice> {
    let mut session = Session::new(format!("barrier, {processes} processes, {peer}"))?;
    let prepared = Prepared::new(peer, &session.memory, processes)?;
    for index in 0..processes {
        let job = Job {
            role: Role::Party,
            peer,
            patience: plan.cores.patience(processes),
            segment: prepared.segment().to_owned(),
            processes,
            words: 0,
        };
        session.spawn(plan.cores.of(index), job)?;
    }
    session.wait_ready();
    session.memory.start();
    std::thread::sleep(plan.slice);
    session.memory.stop();
    session.finish(None)?;
    let slots = &session.memory.slots[..processes];
    let rounds = slots[0].count.load(Relaxed);
    if slots.iter().any(|slot| slot.count.load(Relaxed) != rounds) {
        return failed(format!("{peer}: not everybody was there in all of {rounds} rounds"));
    }
    let begin = slots.iter().map(|slot| slot.start_ns.load(Relaxed)).max().unwrap_or(0);
    let end = slots.iter().map(|slot| slot.end_ns.load(Relaxed)).max().unwrap_or(0);
    Ok(Slice::of_rate(rounds, end - begin))
}

struct Meet<'a>(&'a Child<Job>);

impl UsesRounds for Meet<'_> {
    type Outcome = ();

    fn with(self, mut barrier: impl Rounds) -> Result<()> {
        let Self(child) = self;
        let slot = child.slot();
        child.memory.ready_and_wait();
        // Everybody has started.
        barrier.meet()?;
        slot.start_ns.store(now_ns(), Relaxed);
        let mut rounds = 0;
        loop {
            // The first one decides before it meets the others, so that all end in the same round.
            if child.index == 0 && child.memory.stopped() {
                slot.sum.store(1, Relaxed);
            }
            barrier.meet()?;
            rounds += 1;
            // What the first one decided before this meeting it cannot change before the next one.
            if child.memory.slots[0].sum.load(Relaxed) != 0 {
                break;
            }
            barrier.meet()?;
            rounds += 1;
        }
        slot.end_ns.store(now_ns(), Relaxed);
        slot.count.store(rounds, Relaxed);
        Ok(())
    }
}

/// A child's part.
pub(crate) fn meet(child: &Child<Job>) -> Result<()> {
    let Job { peer, segment, processes, .. } = &child.job;
    with_rounds(*peer, &child.memory, segment, *processes, Meet(child))
}
