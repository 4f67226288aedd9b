//! A signal to the other process and one back.

use crate::job::{Job, Role};
use crate::peers::{Peer, Prepared, Side, Signals, UsesSignals, with_signals};
use crate::support::Result;
use crate::support::child::Child;
use crate::support::cli::Plan;
use crate::support::clock::now_ns;
use crate::support::compare::{Comparison, Heading, Metric, Part};
use crate::support::memory::Memory;
use crate::support::report::Report;
use crate::support::session::Session;
use crate::support::stats::{Latencies, Slice};

pub(crate) fn event(plan: &Plan, report: &mut Report) -> Result<()> {
    let sleeping = &[
        (Peer::Event, Part::Judged(&[])),
        (Peer::Futex, Part::Reference),
        (Peer::GlibcSemaphore, Part::Beside),
    ];
    run(plan, report, "event-ping-pong", "block", sleeping)?;
    let spinning = &[(Peer::EventSpinning, Part::Judged(&[])), (Peer::CacheLine, Part::Reference)];
    run(plan, report, "event-ping-pong", "spin", spinning)
}

pub(crate) fn condvar(plan: &Plan, report: &mut Report) -> Result<()> {
    let contenders = &[
        (Peer::Condvar, Part::Judged(&[])),
        (Peer::GlibcCondvar, Part::Reference),
        (Peer::Futex, Part::Beside),
    ];
    run(plan, report, "condvar-ping-pong", "block", contenders)
}

/// Waiting for several things costs more the more they are, with the bare call too.
pub(crate) fn wait_any(plan: &Plan, report: &mut Report) -> Result<()> {
    let contenders = &[
        (Peer::AnyOf1, Part::Judged(&[])),
        (Peer::AnyOf8, Part::Judged(&[])),
        (Peer::Event, Part::Beside),
        (Peer::Futex, Part::Reference),
        (Peer::FutexOf8, Part::Beside),
    ];
    run(plan, report, "wait-any-ping-pong", "block", contenders)
}

fn run(
    plan: &Plan,
    report: &mut Report,
    workload: &'static str,
    mode: &'static str,
    contenders: &[(Peer, Part)],
) -> Result<()> {
    let comparison = Comparison {
        heading: Heading { workload, mode: Some(mode), ..Heading::default() },
        yardstick: Metric::P50,
        contenders,
    };
    comparison.run(plan, report, |peer| slice(plan, workload, peer))
}

fn slice(plan: &Plan, workload: &str, peer: Peer) -> Result<Slice> {
    let mut session = Session::new(format!("{workload}, {peer}"))?;
    let prepared = Prepared::new(peer, &session.memory, 2)?;
    let patience = plan.cores.patience(2);
    let segment = prepared.segment();
    let job = Job {
        role: Role::Echo,
        peer,
        patience,
        segment: segment.to_owned(),
        processes: 2,
        words: 0,
    };
    session.spawn(plan.cores.of(1), job)?;
    session.wait_ready();
    let memory = &session.memory;
    memory.start();
    let ping = Ping { plan, memory };
    let slice = with_signals(peer, memory, segment, Side::Parent, patience, ping)?;
    session.finish(None)?;
    Ok(slice)
}

struct Ping<'a> {
    plan: &'a Plan,
    memory: &'a Memory,
}

impl UsesSignals for Ping<'_> {
    type Outcome = Slice;

    fn with(self, mut signals: impl Signals) -> Result<Slice> {
        let mut latencies = Latencies::new(self.plan.clock.step_ps);
        let begin = now_ns();
        let warm = begin + self.plan.slice.as_nanos() as u64 / 10;
        let deadline = begin + self.plan.slice.as_nanos() as u64;
        loop {
            let start = now_ns();
            signals.signal()?;
            signals.wait()?;
            let end = now_ns();
            if end > warm {
                latencies.record_interval(start, end, self.plan.clock);
            }
            if end > deadline {
                break;
            }
        }
        // The signal that follows tells the other side to look.
        self.memory.stop();
        signals.signal()?;
        Ok(Slice::of_latencies(latencies))
    }
}

struct Pong<'a>(&'a Memory);

impl UsesSignals for Pong<'_> {
    type Outcome = ();

    fn with(self, mut signals: impl Signals) -> Result<()> {
        self.0.ready_and_wait();
        loop {
            signals.wait()?;
            if self.0.stopped() {
                return Ok(());
            }
            signals.signal()?;
        }
    }
}

pub(crate) fn echo(child: &Child<Job>) -> Result<()> {
    let Job { peer, patience, segment, .. } = &child.job;
    let pong = Pong(&child.memory);
    with_signals(*peer, &child.memory, segment, Side::Child, *patience, pong)
}
