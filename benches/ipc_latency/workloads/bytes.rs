//! One sender, one receiver, messages of 1 KiB as fast as they go, beside what memory does with the
//! same bytes: a bare ring of the same size between two processes, and copying in one.

use std::hint::black_box;

use super::round_trip::{check, message};
use super::stream::{Party, Receiver, Sender};
use crate::job::{Job, Mode, Role};
use crate::peers::copy_ring::{self, CAPACITY};
use crate::peers::{Peer, Prepared, bytes, unsupported};
use crate::support::Result;
use crate::support::child::Child;
use crate::support::cli::Plan;
use crate::support::clock::now_ns;
use crate::support::compare::{Bar, Comparison, Heading, Metric, Part};
use crate::support::report::Report;
use crate::support::session::Session;
use crate::support::stats::Slice;

/// Of a message.
const WORDS: usize = 128;
const BYTES: usize = size_of::<[u64; WORDS]>();

pub(crate) fn run(plan: &Plan, report: &mut Report) -> Result<()> {
    let heading = Heading {
        workload: "bytes",
        mode: Some(Mode::Spin.name()),
        bytes: Some(BYTES),
        processes: None,
    };
    let comparison = Comparison {
        heading,
        yardstick: Metric::Rate,
        contenders: &[
            (Peer::Bytes, Part::Judged(&[Bar { metric: Metric::Rate, limit: 0.8 }])),
            (Peer::BytesInPlace, Part::Beside),
            (Peer::CopyRing, Part::Reference),
            (Peer::Memcpy, Part::Beside),
        ],
    };
    comparison.run(plan, report, |peer| slice(plan, peer))
}

fn slice(plan: &Plan, peer: Peer) -> Result<Slice> {
    let mut session = Session::new(format!("bytes, {peer}"))?;
    if peer == Peer::Memcpy {
        return copy_alone(plan);
    }
    let prepared = Prepared::new(peer, &session.memory)?;
    let mut job = Job {
        role: Role::ByteStreamer,
        peer,
        mode: Mode::Spin,
        bytes: BYTES,
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

fn with_link<P: Party>(job: &Job, party: P) -> Result<P::Outcome> {
    let segment = &job.access.segment;
    match job.peer {
        Peer::Bytes => party.play(bytes::Copied::<WORDS>::attach(segment, CAPACITY, job.patience)?),
        Peer::BytesInPlace => {
            party.play(bytes::InPlace::<WORDS>::attach(segment, CAPACITY, job.patience)?)
        }
        Peer::CopyRing => {
            party.play(copy_ring::Link::<WORDS>::attach(job.access.descriptors, job.patience)?)
        }
        peer => unsupported(peer),
    }
}

/// The same bytes copied into a ring and out of it by one process, which nobody waits for.
fn copy_alone(plan: &Plan) -> Result<Slice> {
    let mut ring = vec![[0; WORDS]; CAPACITY];
    let start = now_ns();
    let deadline = start + plan.slice.as_nanos() as u64;
    let mut count = 0;
    loop {
        for number in count..count + CAPACITY as u64 {
            let slot = &mut ring[number as usize % CAPACITY];
            *slot = message(number);
            check(*black_box(slot), number)?;
        }
        count += CAPACITY as u64;
        let now = now_ns();
        if now > deadline {
            return Ok(Slice::of_rate(count, now - start));
        }
    }
}
