//! A message to the other process and back.

use crate::job::{Job, Mode, Role};
use crate::peers::{
    Inbox, Outbox, Peer, Prepared, Side, cache_line, descriptors, futex, loans, ours, spsc,
    two_lines, unsupported,
};
use crate::support::child::Child;
use crate::support::cli::Plan;
use crate::support::clock::now_ns;
use crate::support::compare::{Bar, Comparison, Heading, Metric, Part};
use crate::support::cpu::Patience;
use crate::support::memory::Memory;
use crate::support::report::Report;
use crate::support::session::Session;
use crate::support::stats::{Latencies, Slice};
use crate::support::{Result, failed};

const SPINNING: &[(Peer, Part)] = &[
    (Peer::Spsc, Part::Judged(&[Bar { metric: Metric::P50, limit: 1.25 }])),
    (Peer::Outlive, Part::Beside),
    (Peer::CacheLine, Part::Reference),
    (Peer::TwoLines, Part::Beside),
];

const BLOCKING: &[(Peer, Part)] = &[
    (
        Peer::Spsc,
        Part::Judged(&[
            Bar { metric: Metric::P50, limit: 1.1 },
            Bar { metric: Metric::P99, limit: 1.25 },
        ]),
    ),
    (Peer::Outlive, Part::Beside),
    (Peer::Futex, Part::Reference),
    (Peer::Pipe, Part::Beside),
    (Peer::UnixSocket, Part::Beside),
];

/// What a chunk's size costs.
const LOANS: &[(Peer, Part)] = &[
    (Peer::LoanLarge, Part::Judged(&[Bar { metric: Metric::P50, limit: 1.1 }])),
    (Peer::LoanSmall, Part::Reference),
];

pub(crate) fn run(plan: &Plan, report: &mut Report) -> Result<()> {
    for (mode, contenders) in [(Mode::Spin, SPINNING), (Mode::Block, BLOCKING)] {
        for bytes in [8, 64] {
            let heading = Heading {
                workload: "round-trip",
                mode: Some(mode.name()),
                bytes: Some(bytes),
                processes: None,
            };
            let comparison = Comparison { heading, yardstick: Metric::P50, contenders };
            comparison.run(plan, report, |peer| slice(plan, peer, mode, bytes))?;
        }
    }
    let heading =
        Heading { workload: "round-trip", mode: Some("loans"), bytes: Some(8), processes: None };
    let comparison = Comparison { heading, yardstick: Metric::P50, contenders: LOANS };
    comparison.run(plan, report, |peer| slice(plan, peer, Mode::Spin, 8))
}

fn slice(plan: &Plan, peer: Peer, mode: Mode, bytes: usize) -> Result<Slice> {
    let mut session = Session::new(format!("round-trip, {}, {bytes} bytes, {peer}", mode.name()))?;
    let prepared = Prepared::new(peer, &session.memory)?;
    let mut job = Job {
        role: Role::Echo,
        peer,
        mode,
        bytes,
        patience: plan.cores.patience(2),
        access: prepared.child.clone(),
    };
    session.spawn(plan.cores.of(1), job.clone())?;
    session.wait_ready();
    session.memory.start();
    job.access = prepared.parent.clone();
    let slice = with_link(&session.memory, &job, Side::Parent, Ping { plan })?;
    session.finish(None)?;
    Ok(slice)
}

pub(crate) fn echo(child: &Child<Job>) -> Result<()> {
    with_link(&child.memory, &child.job, Side::Child, Pong { memory: &child.memory })
}

/// One side's part, for whatever link carries it.
trait Party {
    type Outcome;
    fn play<const W: usize>(self, link: impl Inbox<W> + Outbox<W>) -> Result<Self::Outcome>;
}

/// Opens the link that `job` names and plays over it.
fn with_link<P: Party>(memory: &Memory, job: &Job, side: Side, party: P) -> Result<P::Outcome> {
    match job.bytes {
        8 if matches!(job.peer, Peer::LoanSmall | Peer::LoanLarge) => {
            party.play::<1>(loans::Link::attach(&job.access.segment, side, job.peer)?)
        }
        8 => sized::<1, P>(memory, job, side, party),
        64 => sized::<8, P>(memory, job, side, party),
        bytes => failed(format!("no message of {bytes} bytes")),
    }
}

fn sized<const W: usize, P: Party>(
    memory: &Memory,
    job: &Job,
    side: Side,
    party: P,
) -> Result<P::Outcome>
where
    [u64; W]: outlive::Shared,
{
    let segment = &job.access.segment;
    let patience: Patience = job.patience;
    match (job.peer, job.mode) {
        (Peer::Outlive, Mode::Spin) => {
            party.play(ours::Spinning::<W>::two_way(segment, side, patience)?)
        }
        (Peer::Outlive, Mode::Block) => party.play(ours::Blocking::<W>::two_way(segment, side)?),
        (Peer::Spsc, Mode::Spin) => {
            party.play(spsc::Spinning::<W>::two_way(segment, side, patience)?)
        }
        (Peer::Spsc, Mode::Block) => party.play(spsc::Blocking::<W>::two_way(segment, side)?),
        (Peer::CacheLine, _) => party.play(cache_line::Link::<W>::attach(memory, side, patience)),
        (Peer::TwoLines, _) => party.play(two_lines::Link::<W>::attach(memory, side, patience)),
        (Peer::Futex, _) => party.play(futex::Link::<W>::attach(memory, side)),
        (Peer::Pipe | Peer::UnixSocket, _) => {
            party.play::<W>(descriptors::Link::attach(job.access.descriptors)?)
        }
        (peer, _) => unsupported(peer),
    }
}

/// The number of the message after which the other side may go.
const LAST: u64 = u64::MAX;

/// What message `number` consists of: every word differs, and from one message to the next.
#[inline]
pub(super) fn message<const W: usize>(number: u64) -> [u64; W] {
    std::array::from_fn(|word| number.wrapping_add(word as u64))
}

#[inline]
pub(super) fn check<const W: usize>(received: [u64; W], number: u64) -> Result<()> {
    if received != message(number) {
        return failed(format!("message {number} arrived as {received:?}"));
    }
    Ok(())
}

struct Ping<'a> {
    plan: &'a Plan,
}

impl Party for Ping<'_> {
    type Outcome = Slice;

    fn play<const W: usize>(self, mut link: impl Inbox<W> + Outbox<W>) -> Result<Slice> {
        let mut latencies = Latencies::new(self.plan.clock.step_ps);
        let begin = now_ns();
        let warm = begin + self.plan.slice.as_nanos() as u64 / 10;
        let deadline = begin + self.plan.slice.as_nanos() as u64;
        for number in 1.. {
            let start = now_ns();
            link.send(message(number))?;
            let reply = link.receive()?;
            let end = now_ns();
            check(reply, number)?;
            if end > warm {
                latencies.record_interval(start, end, self.plan.clock);
            }
            if end > deadline {
                break;
            }
        }
        link.send(message(LAST))?;
        Ok(Slice::of_latencies(latencies))
    }
}

struct Pong<'a> {
    memory: &'a Memory,
}

impl Party for Pong<'_> {
    type Outcome = ();

    fn play<const W: usize>(self, mut link: impl Inbox<W> + Outbox<W>) -> Result<()> {
        self.memory.ready_and_wait();
        for number in 1.. {
            let received = link.receive()?;
            if received[0] == LAST {
                break;
            }
            check(received, number)?;
            link.send(received)?;
        }
        Ok(())
    }
}
