//! One publisher whose messages go to each of one or two subscribers, beside a ring to each of them
//! between threads.

use std::sync::atomic::Ordering::Relaxed;

use crate::job::{Job, Mode, Role};
use crate::peers::{Inbox, Outbox, Peer, Prepared, broadcast, rings, unsupported};
use crate::support::child::Child;
use crate::support::cli::Plan;
use crate::support::clock::now_ns;
use crate::support::compare::{Comparison, Heading, Metric, Part};
use crate::support::memory::Memory;
use crate::support::report::Report;
use crate::support::session::Session;
use crate::support::stats::Slice;
use crate::support::{Failure, Result, cpu, failed};

const CAPACITY: usize = 1024;

pub(crate) fn run(plan: &Plan, report: &mut Report) -> Result<()> {
    for (mode, subscribers) in [("1 to 1", 1), ("1 to 2", 2)] {
        let heading = Heading {
            workload: "broadcast",
            mode: Some(mode),
            bytes: Some(8),
            processes: Some(1 + subscribers),
        };
        let comparison = Comparison {
            heading,
            yardstick: Metric::Rate,
            contenders: &[(Peer::Broadcast, Part::Judged(&[])), (Peer::Rtrb, Part::Reference)],
        };
        comparison.run(plan, report, |peer| slice(plan, peer, subscribers))?;
    }
    Ok(())
}

fn slice(plan: &Plan, peer: Peer, subscribers: usize) -> Result<Slice> {
    let mut session = Session::new(format!("broadcast, {subscribers} subscribers, {peer}"))?;
    match peer {
        Peer::Broadcast => between_processes(plan, &mut session, subscribers)?,
        Peer::Rtrb => between_threads(plan, &session.memory, subscribers)?,
        _ => return unsupported(peer),
    }
    outcome(&session.memory, subscribers)
}

fn between_processes(plan: &Plan, session: &mut Session, subscribers: usize) -> Result<()> {
    let prepared = Prepared::new(Peer::Broadcast, &session.memory)?;
    for index in 0..=subscribers {
        let job = Job {
            role: if index == 0 { Role::Publisher } else { Role::Subscriber },
            peer: Peer::Broadcast,
            mode: Mode::Spin,
            bytes: 8,
            patience: plan.cores.patience(1 + subscribers),
            access: prepared.child.clone(),
        };
        session.spawn(plan.cores.of(index), job)?;
    }
    conduct(plan, &session.memory, subscribers);
    session.finish(None)
}

fn between_threads(plan: &Plan, memory: &Memory, subscribers: usize) -> Result<()> {
    let patience = plan.cores.patience(1 + subscribers);
    let rings = (0..subscribers).map(|_| rtrb::RingBuffer::new(CAPACITY));
    let (producers, consumers): (Vec<_>, Vec<_>) = rings
        .map(|(producer, consumer)| {
            (rings::RtrbSender(producer, patience), rings::RtrbReceiver(consumer, patience))
        })
        .unzip();
    std::thread::scope(|scope| {
        let publisher = scope.spawn(|| {
            cpu::pin(plan.cores.of(0))?;
            publish(rings::RtrbToAll(producers), memory)
        });
        let mut threads = vec![publisher];
        for (index, link) in (1..).zip(consumers) {
            threads.push(scope.spawn(move || {
                cpu::pin(plan.cores.of(index))?;
                receive(link, memory, index)
            }));
        }
        conduct(plan, memory, subscribers);
        threads.into_iter().try_for_each(|thread| {
            thread.join().map_err(|_| Failure::from("a thread of the broadcast panicked"))?
        })
    })
}

fn conduct(plan: &Plan, memory: &Memory, subscribers: usize) {
    memory.wait_ready(1 + subscribers as u32);
    memory.start();
    std::thread::sleep(plan.slice);
    memory.stop();
}

pub(crate) fn publish_in_child(child: &Child<Job>) -> Result<()> {
    let Job { access, patience, .. } = &child.job;
    let link = broadcast::Publisher::attach(&access.segment, CAPACITY, *patience)?;
    publish(link, &child.memory)
}

pub(crate) fn receive_in_child(child: &Child<Job>) -> Result<()> {
    let Job { access, patience, .. } = &child.job;
    let link = broadcast::Receiver::attach(&access.segment, CAPACITY, *patience)?;
    receive(link, &child.memory, child.index)
}

/// What follows the last message.
const END: u64 = u64::MAX;

fn publish(mut link: impl Outbox<1>, memory: &Memory) -> Result<()> {
    memory.ready_and_wait();
    memory.slots[0].start_ns.store(now_ns(), Relaxed);
    let mut count = 0;
    while !memory.stopped() {
        link.send([count])?;
        count += 1;
    }
    memory.slots[0].count.store(count, Relaxed);
    link.send([END])
}

fn receive(mut link: impl Inbox<1>, memory: &Memory, index: usize) -> Result<()> {
    memory.ready_and_wait();
    let mut next = 0;
    loop {
        match link.receive()? {
            [END] => break,
            [number] if number == next => next += 1,
            [number] => return failed(format!("message {next} arrived as {number}")),
        }
    }
    memory.slots[index].end_ns.store(now_ns(), Relaxed);
    memory.slots[index].count.store(next, Relaxed);
    Ok(())
}

/// Whether all arrived everywhere, and how fast they were published until the last one had.
fn outcome(memory: &Memory, subscribers: usize) -> Result<Slice> {
    let (publisher, rest) = (&memory.slots[0], &memory.slots[1..]);
    let published = publisher.count.load(Relaxed);
    let mut end = 0;
    for slot in &rest[..subscribers] {
        let received = slot.count.load(Relaxed);
        if received != published {
            return failed(format!("of {published} messages, a subscriber received {received}"));
        }
        end = end.max(slot.end_ns.load(Relaxed));
    }
    Ok(Slice::of_rate(published, end - publisher.start_ns.load(Relaxed)))
}
