//! Several processes that do the same as fast as they can.

use std::sync::atomic::Ordering::Relaxed;

use crate::job::{Job, Role};
use crate::peers::{Peer, Prepared};
use crate::support::Result;
use crate::support::child::Child;
use crate::support::cli::Plan;
use crate::support::clock::{Clock, now_ns};
use crate::support::session::Session;
use crate::support::stats::{Latencies, Slice, interval_ps};

/// One operation of so many is timed by itself; timing each would slow down all.
const TIMED_ONE_IN: u64 = 32;

/// Has `processes` play `role` for one slice of time. `check` sees how many operations they say that
/// they did.
pub(crate) fn slice(
    plan: &Plan,
    name: &str,
    role: Role,
    peer: Peer,
    processes: usize,
    check: impl FnOnce(&Session, &Prepared, u64) -> Result<()>,
) -> Result<Slice> {
    let mut session = Session::new(format!("{name}, {processes} processes, {peer}"))?;
    let prepared = Prepared::new(peer, &session.memory, processes)?;
    for index in 0..processes {
        let job = Job {
            role,
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
    let count: u64 = slots.iter().map(|slot| slot.count.load(Relaxed)).sum();
    let begin = slots.iter().map(|slot| slot.start_ns.load(Relaxed)).min().unwrap_or(0);
    let end = slots.iter().map(|slot| slot.end_ns.load(Relaxed)).max().unwrap_or(0);
    check(&session, &prepared, count)?;
    let mut slice = Slice::of_rate(count, end - begin);
    let samples = slots.iter().flat_map(|slot| slot.samples());
    slice.latencies = Some(Latencies::of(samples, plan.clock.step_ps));
    Ok(slice)
}

/// A child's part: repeats `operation`, which is given its number, until told to stop.
#[inline]
pub(crate) fn repeat(
    child: &Child<Job>,
    mut operation: impl FnMut(u64) -> Result<()>,
) -> Result<()> {
    let clock = Clock::measure();
    let slot = child.slot();
    child.memory.ready_and_wait();
    let mut count = 0;
    slot.start_ns.store(now_ns(), Relaxed);
    while !child.memory.stopped() {
        for _ in 1..TIMED_ONE_IN {
            operation(count)?;
            count += 1;
        }
        let start = now_ns();
        operation(count)?;
        slot.sample(interval_ps(start, now_ns(), clock));
        count += 1;
    }
    slot.end_ns.store(now_ns(), Relaxed);
    slot.count.store(count, Relaxed);
    Ok(())
}
