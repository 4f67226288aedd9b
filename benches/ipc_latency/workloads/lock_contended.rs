//! Several processes increment one counter under its lock, as fast as they can.

use std::sync::atomic::Ordering::Relaxed;

use crate::job::{Job, Mode, Role};
#[cfg(all(feature = "shared_memory", feature = "raw_sync"))]
use crate::peers::raw_sync;
use crate::peers::{LockedCounter, Peer, Prepared, glibc, ours, unsupported};
use crate::support::child::Child;
use crate::support::cli::Plan;
use crate::support::clock::{Clock, now_ns};
use crate::support::compare::{Bar, Comparison, Heading, Metric, Part};
use crate::support::report::Report;
use crate::support::session::Session;
use crate::support::stats::{Latencies, Slice, interval_ps};
use crate::support::{Result, failed};

/// One operation of so many is timed by itself; timing each would slow down all.
const TIMED_ONE_IN: u64 = 32;

pub(crate) fn run(plan: &Plan, report: &mut Report) -> Result<()> {
    for processes in [2, 4, 8] {
        let heading = Heading {
            workload: "lock-contended",
            processes: Some(processes),
            ..Heading::default()
        };
        let comparison = Comparison {
            heading,
            yardstick: Metric::Period,
            contenders: &[
                (Peer::Outlive, Part::Judged(&[Bar { metric: Metric::Period, limit: 1.0 }])),
                (Peer::GlibcPlain, Part::Reference),
                (Peer::GlibcRobust, Part::Reference),
                #[cfg(all(feature = "shared_memory", feature = "raw_sync"))]
                (Peer::RawSync, Part::Beside),
            ],
        };
        comparison.run(plan, report, |peer| slice(plan, peer, processes))?;
    }
    Ok(())
}

fn slice(plan: &Plan, peer: Peer, processes: usize) -> Result<Slice> {
    let mut session = Session::new(format!("lock-contended, {processes} processes, {peer}"))?;
    let prepared = Prepared::new(peer, &session.memory)?;
    for index in 0..processes {
        let job = Job {
            role: Role::Incrementer,
            peer,
            mode: Mode::Block,
            bytes: 8,
            patience: plan.cores.patience(processes),
            access: prepared.child.clone(),
        };
        session.spawn(plan.cores.of(index), job)?;
    }
    session.wait_ready();
    session.memory.start();
    std::thread::sleep(plan.slice);
    session.memory.stop();
    session.finish(None)?;

    let slots = &session.memory.slots[..processes];
    let count: u64 = slots.iter().map(|slot| slot.count.load(Relaxed)).sum();
    let begin = slots.iter().map(|slot| slot.start_ns.load(Relaxed)).min().unwrap_or(0);
    let end = slots.iter().map(|slot| slot.end_ns.load(Relaxed)).max().unwrap_or(0);
    let value = match peer {
        Peer::Outlive => ours::Counter::attach(&prepared.parent.segment)?.value()?,
        #[cfg(all(feature = "shared_memory", feature = "raw_sync"))]
        Peer::RawSync => raw_sync::Counter::attach(&prepared.parent.segment)?.value()?,
        _ => glibc::Shared::attach(&session.memory).value()?,
    };
    if value != count {
        return failed(format!("{peer}: the counter is {value} after {count} increments"));
    }
    let mut slice = Slice::of_rate(count, end - begin);
    let samples = slots.iter().flat_map(|slot| slot.samples());
    slice.latencies = Some(Latencies::of(samples, plan.clock.step_ps));
    Ok(slice)
}

pub(crate) fn increment_until_stopped(child: &Child<Job>) -> Result<()> {
    match child.job.peer {
        Peer::Outlive => compete(child, &ours::Counter::attach(&child.job.access.segment)?),
        Peer::GlibcPlain | Peer::GlibcRobust => {
            compete(child, glibc::Shared::attach(&child.memory))
        }
        #[cfg(all(feature = "shared_memory", feature = "raw_sync"))]
        Peer::RawSync => compete(child, &raw_sync::Counter::attach(&child.job.access.segment)?),
        peer => unsupported(peer),
    }
}

fn compete(child: &Child<Job>, counter: &impl LockedCounter) -> Result<()> {
    let clock = Clock::measure();
    let slot = child.slot();
    child.memory.ready_and_wait();
    let mut count = 0;
    slot.start_ns.store(now_ns(), Relaxed);
    while !child.memory.stopped() {
        for _ in 1..TIMED_ONE_IN {
            counter.increment()?;
        }
        let start = now_ns();
        counter.increment()?;
        slot.sample(interval_ps(start, now_ns(), clock));
        count += TIMED_ONE_IN;
    }
    slot.end_ns.store(now_ns(), Relaxed);
    slot.count.store(count, Relaxed);
    Ok(())
}
