//! What a process that waits for a message costs while none comes.

use std::sync::atomic::Ordering::Relaxed;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

use crate::job::{Job, Mode, Role};
use crate::peers::{Inbox, Outbox, Peer, Prepared, Side, futex, ours, unsupported};
use crate::support::child::Child;
use crate::support::cli::Plan;
use crate::support::clock::now_ns;
use crate::support::compare::Heading;
use crate::support::report::{Report, Row};
use crate::support::session::Session;
use crate::support::{Result, failed};

/// Below this share of a core, tools that show a tenth of a per cent show zero.
const MEASURABLE_NS_PER_S: f64 = 500_000.0;

pub(crate) fn run(plan: &Plan, report: &mut Report) -> Result<()> {
    let heading = Heading { workload: "idle", mode: Some("block"), ..Heading::default() };
    for peer in [Peer::Outlive, Peer::Futex].into_iter().filter(|peer| plan.wants(peer)) {
        let cpu = cpu_per_second(plan, peer)?;
        let mut row = Row::new(heading, peer.to_string());
        row.cpu_ns_per_s = Some(cpu);
        row.reference = peer == Peer::Futex;
        row.verdict =
            (peer == Peer::Outlive).then_some(("none measurable", cpu < MEASURABLE_NS_PER_S));
        report.add(row)?;
    }
    Ok(())
}

fn cpu_per_second(plan: &Plan, peer: Peer) -> Result<f64> {
    let mut session = Session::new(format!("idle, {peer}"))?;
    let prepared = Prepared::new(peer, &session.memory)?;
    let job = Job {
        role: Role::Idler,
        peer,
        mode: Mode::Block,
        bytes: 8,
        patience: plan.cores.patience(2),
        access: prepared.child.clone(),
    };
    session.spawn(plan.cores.of(1), job)?;
    session.wait_ready();
    let memory = &session.memory;
    match peer {
        Peer::Outlive => {
            let link = ours::Blocking::<1>::two_way(&prepared.parent.segment, Side::Parent)?;
            wake_after(plan, link)?;
        }
        Peer::Futex => wake_after(plan, futex::Link::<1>::attach(memory, Side::Parent))?,
        _ => return unsupported(peer),
    }
    session.finish(None)?;
    let slot = &session.memory.slots[0];
    let elapsed = slot.end_ns.load(Relaxed) - slot.start_ns.load(Relaxed);
    Ok(slot.count.load(Relaxed) as f64 * 1e9 / elapsed as f64)
}

fn wake_after(plan: &Plan, mut link: impl Outbox<1>) -> Result<()> {
    std::thread::sleep(plan.idle);
    link.send([WAKE])
}

const WAKE: u64 = 1;

pub(crate) fn wait(child: &Child<Job>) -> Result<()> {
    match child.job.peer {
        Peer::Outlive => {
            wait_on(child, ours::Blocking::<1>::two_way(&child.job.access.segment, Side::Child)?)
        }
        Peer::Futex => wait_on(child, futex::Link::<1>::attach(&child.memory, Side::Child)),
        peer => unsupported(peer),
    }
}

fn wait_on(child: &Child<Job>, mut link: impl Inbox<1>) -> Result<()> {
    let slot = child.slot();
    child.memory.report_ready();
    slot.start_ns.store(now_ns(), Relaxed);
    let before = cpu_ns()?;
    let [message] = link.receive()?;
    let used = cpu_ns()? - before;
    slot.end_ns.store(now_ns(), Relaxed);
    slot.count.store(used, Relaxed);
    if message != WAKE {
        return failed(format!("the message arrived as {message}"));
    }
    Ok(())
}

/// Processor time of this process so far, in user mode and in the kernel.
fn cpu_ns() -> Result<u64> {
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    let total = usage.user_time() + usage.system_time();
    Ok(total.num_microseconds() as u64 * 1000)
}
