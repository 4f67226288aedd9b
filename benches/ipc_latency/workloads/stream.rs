//! One sender, one receiver, messages of 8 bytes as fast as they go.

use super::round_trip::{check, message};
use crate::job::{Job, Mode, Role};
use crate::peers::{Inbox, Outbox, Peer, Prepared, descriptors, ours, rings, spsc, unsupported};
use crate::support::child::Child;
use crate::support::cli::Plan;
use crate::support::clock::now_ns;
use crate::support::compare::{Bar, Comparison, Heading, Metric, Part};
use crate::support::memory::Memory;
use crate::support::report::Report;
use crate::support::session::Session;
use crate::support::stats::Slice;
use crate::support::{Failure, Result, cpu};

/// Messages that a queue keeps, for every peer that lets one choose.
const CAPACITY: usize = 1024;

const SPINNING: &[(Peer, Part)] = &[
    (Peer::Spsc, Part::Judged(&[Bar { metric: Metric::Rate, limit: 1.0 }])),
    (Peer::SpscBatch, Part::Judged(&[Bar { metric: Metric::Rate, limit: 1.0 }])),
    (Peer::Outlive, Part::Beside),
    (Peer::Rtrb, Part::Reference),
];

/// What taking many messages at a time gains.
const BATCHES: &[(Peer, Part)] =
    &[(Peer::SpscBatch, Part::Judged(&[])), (Peer::Spsc, Part::Reference)];

const BLOCKING: &[(Peer, Part)] = &[
    (Peer::Spsc, Part::Judged(&[])),
    (Peer::Outlive, Part::Beside),
    (Peer::Pipe, Part::Reference),
    (Peer::UnixSocket, Part::Beside),
];

pub(crate) fn run(plan: &Plan, report: &mut Report) -> Result<()> {
    for (name, mode, contenders) in [
        (Mode::Spin.name(), Mode::Spin, SPINNING),
        ("batches", Mode::Spin, BATCHES),
        (Mode::Block.name(), Mode::Block, BLOCKING),
    ] {
        let heading =
            Heading { workload: "stream", mode: Some(name), bytes: Some(8), processes: None };
        let comparison = Comparison { heading, yardstick: Metric::Rate, contenders };
        comparison.run(plan, report, |peer| slice(plan, peer, mode))?;
    }
    Ok(())
}

fn slice(plan: &Plan, peer: Peer, mode: Mode) -> Result<Slice> {
    let mut session = Session::new(format!("stream, {}, {peer}", mode.name()))?;
    if peer == Peer::Rtrb {
        return between_threads(plan, &session.memory);
    }
    let prepared = Prepared::new(peer, &session.memory)?;
    let mut job = Job {
        role: Role::Streamer,
        peer,
        mode,
        bytes: 8,
        patience: plan.cores.patience(2),
        access: prepared.child.clone(),
    };
    session.spawn(plan.cores.of(1), job.clone())?;
    session.wait_ready();
    session.memory.start();
    job.access = prepared.parent.clone();
    let slice = with_link(&job, Receiver { plan, memory: &session.memory })?;
    session.finish(None)?;
    Ok(slice)
}

pub(crate) fn send(child: &Child<Job>) -> Result<()> {
    with_link(&child.job, Sender { memory: &child.memory })
}

fn between_threads(plan: &Plan, memory: &Memory) -> Result<Slice> {
    let patience = plan.cores.patience(2);
    let (producer, consumer) = rtrb::RingBuffer::new(CAPACITY);
    std::thread::scope(|scope| {
        let sender = scope.spawn(|| -> Result<()> {
            cpu::pin(plan.cores.of(1))?;
            stream(rings::RtrbSender(producer, patience), memory)
        });
        memory.wait_ready(1);
        memory.start();
        let slice = drain(rings::RtrbReceiver(consumer, patience), plan, memory);
        sender.join().map_err(|_| Failure::from("the sending thread panicked"))??;
        slice
    })
}

/// One side's part, for whatever link carries it.
pub(super) trait Party {
    /// Whether it is the sender.
    const SENDS: bool;
    type Outcome;
    fn play<const W: usize>(self, link: impl Inbox<W> + Outbox<W>) -> Result<Self::Outcome>;
}

fn with_link<P: Party>(job: &Job, party: P) -> Result<P::Outcome> {
    let segment = &job.access.segment;
    match (job.peer, job.mode) {
        (Peer::Outlive, Mode::Spin) => {
            party.play(ours::Spinning::<1>::one_way(segment, CAPACITY, job.patience)?)
        }
        (Peer::Outlive, Mode::Block) => {
            party.play(ours::Blocking::<1>::one_way(segment, CAPACITY)?)
        }
        (Peer::Spsc, Mode::Spin) => {
            party.play(spsc::Spinning::<1>::one_way(segment, CAPACITY, P::SENDS, job.patience)?)
        }
        (Peer::Spsc, Mode::Block) => {
            party.play(spsc::Blocking::<1>::one_way(segment, CAPACITY, P::SENDS)?)
        }
        (Peer::SpscBatch, _) => {
            party.play(spsc::Batched::one_way(segment, CAPACITY, P::SENDS, job.patience)?)
        }
        (Peer::Pipe | Peer::UnixSocket, _) => {
            party.play::<1>(descriptors::Link::attach(job.access.descriptors)?)
        }
        (peer, _) => unsupported(peer),
    }
}

pub(super) struct Sender<'a> {
    pub(super) memory: &'a Memory,
}

impl Party for Sender<'_> {
    const SENDS: bool = true;
    type Outcome = ();

    fn play<const W: usize>(self, link: impl Inbox<W> + Outbox<W>) -> Result<()> {
        stream(link, self.memory)
    }
}

pub(super) struct Receiver<'a> {
    pub(super) plan: &'a Plan,
    pub(super) memory: &'a Memory,
}

impl Party for Receiver<'_> {
    const SENDS: bool = false;
    type Outcome = Slice;

    fn play<const W: usize>(self, link: impl Inbox<W> + Outbox<W>) -> Result<Slice> {
        drain(link, self.plan, self.memory)
    }
}

/// What follows the last message.
const END: u64 = u64::MAX;

fn stream<const W: usize>(mut link: impl Outbox<W>, memory: &Memory) -> Result<()> {
    memory.ready_and_wait();
    for number in 0.. {
        link.send(message(number))?;
        if memory.stopped() {
            break;
        }
    }
    link.send(message(END))
}

fn drain<const W: usize>(mut link: impl Inbox<W>, plan: &Plan, memory: &Memory) -> Result<Slice> {
    /// Messages between two looks at the clock.
    const BATCH: u64 = 256;
    let begin = now_ns();
    let warm = begin + plan.slice.as_nanos() as u64 / 10;
    let deadline = begin + plan.slice.as_nanos() as u64;
    let mut next = 0;
    let mut take = |count: u64| -> Result<()> {
        for _ in 0..count {
            check(link.receive()?, next)?;
            next += 1;
        }
        Ok(())
    };
    let mut now = now_ns();
    while now < warm {
        take(BATCH)?;
        now = now_ns();
    }
    let start = now;
    let mut count = 0;
    while now < deadline {
        take(BATCH)?;
        count += BATCH;
        now = now_ns();
    }
    memory.stop();
    loop {
        let received = link.receive()?;
        if received[0] == END {
            return Ok(Slice::of_rate(count, now - start));
        }
        check(received, next)?;
        next += 1;
    }
}
