//! The holder of a lock is SIGKILLed while another process waits for it: from just before the kill
//! to the moment the waiter has the lock.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use nix::unistd::Pid;

use crate::job::{Job, Mode, Role};
use crate::peers::{Peer, Prepared, RobustLock, glibc, ours, unsupported};
use crate::support::child::Child;
use crate::support::cli::Plan;
use crate::support::clock::now_ns;
use crate::support::compare::{Bar, Comparison, Heading, Metric, Part};
use crate::support::report::Report;
use crate::support::session::Session;
use crate::support::stats::{Latencies, Slice};
use crate::support::{Result, failed};

pub(crate) fn run(plan: &Plan, report: &mut Report) -> Result<()> {
    let comparison = Comparison {
        heading: Heading { workload: "recovery", ..Heading::default() },
        yardstick: Metric::P50,
        contenders: &[
            (Peer::Outlive, Part::Judged(&[Bar { metric: Metric::P50, limit: 1.0 }])),
            (Peer::GlibcRobust, Part::Reference),
        ],
    };
    comparison.run(plan, report, |peer| {
        let mut latencies = Latencies::new(plan.clock.step_ps);
        for _ in 0..plan.kills {
            let (killed, recovered) = trial(plan, peer)?;
            latencies.record_interval(killed, recovered, plan.clock);
        }
        Ok(Slice::of_latencies(latencies))
    })
}

/// One death: when it was ordered and when the waiter had the lock.
fn trial(plan: &Plan, peer: Peer) -> Result<(u64, u64)> {
    let mut session = Session::new(format!("recovery, {peer}"))?;
    let prepared = Prepared::new(peer, &session.memory)?;
    let job = |role| Job {
        role,
        peer,
        mode: Mode::Block,
        bytes: 8,
        patience: plan.cores.patience(2),
        access: prepared.child.clone(),
    };
    let holder = session.spawn(plan.cores.of(1), job(Role::Holder))?;
    session.wait_ready();
    let waiter = session.spawn(plan.cores.of(0), job(Role::Waiter))?;
    session.wait_ready();
    wait_until_asleep(waiter)?;
    let killed = now_ns();
    session.kill(holder)?;
    session.finish(Some(holder))?;
    Ok((killed, session.memory.slots[1].end_ns.load(Relaxed)))
}

/// Returns when `pid` has been seen sleeping several times in a row, that is, in its lock.
fn wait_until_asleep(pid: Pid) -> Result<()> {
    let mut seen = 0;
    while seen < 3 {
        std::thread::sleep(Duration::from_micros(300));
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
        // The name before it may contain anything, even brackets and spaces.
        let (_, rest) = stat.rsplit_once(") ").ok_or("unknown form of /proc/PID/stat")?;
        seen = if rest.starts_with('S') { seen + 1 } else { 0 };
    }
    Ok(())
}

pub(crate) fn hold(child: &Child<Job>) -> Result<()> {
    fn hold(child: &Child<Job>, lock: &impl RobustLock) -> Result<()> {
        lock.hold_for_good()?;
        // Nobody says so: it is killed here.
        child.memory.ready_and_wait();
        failed("told to go on instead of being killed")
    }
    match child.job.peer {
        Peer::Outlive => hold(child, &ours::Counter::attach(&child.job.access.segment)?),
        Peer::GlibcRobust => hold(child, glibc::Shared::attach(&child.memory)),
        peer => unsupported(peer),
    }
}

pub(crate) fn wait(child: &Child<Job>) -> Result<()> {
    fn wait(child: &Child<Job>, lock: &impl RobustLock) -> Result<()> {
        child.memory.report_ready();
        let had_it = lock.lock_after_death()?;
        child.slot().end_ns.store(had_it, Relaxed);
        // The dead holder's increment, and nothing else.
        match lock.value()? {
            1 => Ok(()),
            value => failed(format!("the counter is {value} after the holder's death, not 1")),
        }
    }
    match child.job.peer {
        Peer::Outlive => wait(child, &ours::Counter::attach(&child.job.access.segment)?),
        Peer::GlibcRobust => wait(child, glibc::Shared::attach(&child.memory)),
        peer => unsupported(peer),
    }
}
