//! Several senders and as many receivers on one queue: each message arrives once, each sender's in
//! order. Two of each, and four of each, which is more processes than many machines have cores; and
//! how much of the rate of two is left to four.

use std::fmt;
use std::sync::atomic::Ordering::Relaxed;

use crossbeam_queue::ArrayQueue;

use crate::job::{Job, Mode, Role};
use crate::peers::{Inbox, Outbox, Peer, Prepared, ours, rings, unsupported};
use crate::support::child::Child;
use crate::support::cli::Plan;
use crate::support::clock::now_ns;
use crate::support::compare::{Bar, Comparison, Heading, Metric, Part};
use crate::support::memory::{Memory, SLOTS, Slot};
use crate::support::report::Report;
use crate::support::session::Session;
use crate::support::stats::Slice;
use crate::support::{Failure, Result, cpu, failed};

const CAPACITY: usize = 1024;

/// Most senders, and most receivers.
const MOST: usize = 4;
const _: () = assert!(2 * MOST <= SLOTS);

/// Ours, with so many of each kind.
#[derive(Clone, Copy, Debug)]
struct Pairs(usize);

impl fmt::Display for Pairs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{1}x{1}", Peer::Outlive, self.0)
    }
}

pub(crate) fn run(plan: &Plan, report: &mut Report) -> Result<()> {
    let heading = |mode, pairs| Heading {
        workload: "mpmc",
        mode: Some(mode),
        bytes: Some(8),
        processes: Some(2 * pairs),
    };
    for (mode, pairs) in [("2x2", 2), ("4x4", MOST)] {
        let comparison = Comparison {
            heading: heading(mode, pairs),
            yardstick: Metric::Rate,
            contenders: &[
                (Peer::Outlive, Part::Judged(&[Bar { metric: Metric::Rate, limit: 1.0 }])),
                (Peer::ArrayQueue, Part::Reference),
            ],
        };
        comparison.run(plan, report, |peer| slice(plan, peer, pairs))?;
    }
    let comparison = Comparison {
        heading: heading("4x4 to 2x2", MOST),
        yardstick: Metric::Rate,
        contenders: &[
            (Pairs(MOST), Part::Judged(&[Bar { metric: Metric::Rate, limit: 0.5 }])),
            (Pairs(2), Part::Reference),
        ],
    };
    comparison.run(plan, report, |Pairs(pairs)| slice(plan, Peer::Outlive, pairs))
}

fn slice(plan: &Plan, peer: Peer, pairs: usize) -> Result<Slice> {
    let mut session = Session::new(format!("mpmc, {pairs}x{pairs}, {peer}"))?;
    match peer {
        Peer::Outlive => between_processes(plan, &mut session, pairs)?,
        Peer::ArrayQueue => between_threads(plan, &session.memory, pairs)?,
        _ => return unsupported(peer),
    }
    outcome(&session.memory, pairs)
}

fn between_processes(plan: &Plan, session: &mut Session, pairs: usize) -> Result<()> {
    let prepared = Prepared::new(Peer::Outlive, &session.memory)?;
    for index in 0..2 * pairs {
        let job = Job {
            role: if index < pairs { Role::Producer } else { Role::Consumer },
            peer: Peer::Outlive,
            mode: Mode::Spin,
            bytes: 8,
            patience: plan.cores.patience(2 * pairs),
            access: prepared.child.clone(),
        };
        session.spawn(plan.cores.of(index), job)?;
    }
    conduct(plan, &session.memory, pairs);
    session.finish(None)
}

fn between_threads(plan: &Plan, memory: &Memory, pairs: usize) -> Result<()> {
    let queue = ArrayQueue::new(CAPACITY);
    let patience = plan.cores.patience(2 * pairs);
    let party = |index: usize| -> Result<()> {
        cpu::pin(plan.cores.of(index))?;
        let link = rings::Shared(&queue, patience);
        if index < pairs {
            produce(link, memory, index)
        } else {
            consume(link, memory, &memory.slots[index])
        }
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..2 * pairs).map(|index| scope.spawn(move || party(index))).collect();
        conduct(plan, memory, pairs);
        threads.into_iter().try_for_each(|thread| {
            thread.join().map_err(|_| Failure::from("a thread of the queue panicked"))?
        })
    })
}

fn conduct(plan: &Plan, memory: &Memory, pairs: usize) {
    memory.wait_ready(2 * pairs as u32);
    memory.start();
    std::thread::sleep(plan.slice);
    memory.stop();
}

pub(crate) fn produce_in_child(child: &Child<Job>) -> Result<()> {
    produce(link(child)?, &child.memory, child.index)
}

pub(crate) fn consume_in_child(child: &Child<Job>) -> Result<()> {
    consume(link(child)?, &child.memory, child.slot())
}

fn link(child: &Child<Job>) -> Result<ours::Spinning<1>> {
    ours::Spinning::one_way(&child.job.access.segment, CAPACITY, child.job.patience)
}

/// Follows a sender's last message; each receiver takes one.
const END: u64 = u64::MAX;

/// The sender's number is in the bits above.
const NUMBER_BITS: u32 = 56;

fn produce(mut link: impl Outbox<1>, memory: &Memory, sender: usize) -> Result<()> {
    let slot = &memory.slots[sender];
    memory.ready_and_wait();
    slot.start_ns.store(now_ns(), Relaxed);
    let (mut count, mut sum) = (0_u64, 0_u64);
    while !memory.stopped() {
        let message = (sender as u64) << NUMBER_BITS | count;
        link.send([message])?;
        count += 1;
        sum = sum.wrapping_add(message);
    }
    link.send([END])?;
    report(slot, count, sum);
    Ok(())
}

fn consume(mut link: impl Inbox<1>, memory: &Memory, slot: &Slot) -> Result<()> {
    memory.ready_and_wait();
    slot.start_ns.store(now_ns(), Relaxed);
    let mut next = [0_u64; MOST];
    let (mut count, mut sum) = (0_u64, 0_u64);
    loop {
        let [message] = link.receive()?;
        if message == END {
            break;
        }
        let (sender, number) =
            ((message >> NUMBER_BITS) as usize, message & ((1 << NUMBER_BITS) - 1));
        let Some(expected) = next.get_mut(sender) else {
            return failed(format!("message {message:#x} has no sender"));
        };
        // The other receiver has what is missing, or the sums will tell.
        if number < *expected {
            return failed(format!("message {number} of sender {sender} came after {expected}"));
        }
        *expected = number + 1;
        count += 1;
        sum = sum.wrapping_add(message);
    }
    report(slot, count, sum);
    Ok(())
}

fn report(slot: &Slot, count: u64, sum: u64) {
    slot.end_ns.store(now_ns(), Relaxed);
    slot.count.store(count, Relaxed);
    slot.sum.store(sum, Relaxed);
}

/// What arrived against what was sent, and how fast.
fn outcome(memory: &Memory, pairs: usize) -> Result<Slice> {
    let (senders, rest) = memory.slots.split_at(pairs);
    let receivers = &rest[..pairs];
    let total = |slots: &[Slot]| {
        slots.iter().fold((0_u64, 0_u64), |(count, sum), slot| {
            (count + slot.count.load(Relaxed), sum.wrapping_add(slot.sum.load(Relaxed)))
        })
    };
    let (sent, received) = (total(senders), total(receivers));
    if sent != received {
        return failed(format!(
            "sent {} messages and received {} (or others: the sums are {:#x} and {:#x})",
            sent.0, received.0, sent.1, received.1
        ));
    }
    let start = senders.iter().map(|slot| slot.start_ns.load(Relaxed)).min().unwrap_or(0);
    let end = receivers.iter().map(|slot| slot.end_ns.load(Relaxed)).max().unwrap_or(0);
    Ok(Slice::of_rate(received.0, end - start))
}
