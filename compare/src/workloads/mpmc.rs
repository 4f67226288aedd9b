//! Several senders and several receivers on one channel: each message arrives once, each sender's in
//! order.

use std::sync::atomic::Ordering::Relaxed;

use super::LAST;
use crate::message::{Inbox, Message, Outbox};
use crate::stage::Scene;
use crate::support::clock::now_ns;
use crate::support::memory::{Memory, Slot};
use crate::support::stats::Slice;
use crate::support::{Result, failed};
use crate::work::Work;

/// The sender's number is in the bits above.
const NUMBER_BITS: u32 = 56;

/// Lets all of them work for the time of one turn.
pub(crate) fn conduct(scene: Scene<'_>, memory: &Memory) {
    memory.wait_ready(2 * scene.work.pairs as u32);
    memory.start();
    std::thread::sleep(scene.plan.slice);
    memory.stop();
}

/// A sender, which ends with a last message; each receiver takes one of those.
pub(crate) fn produce(
    out: &mut impl Outbox,
    work: Work,
    memory: &Memory,
    sender: usize,
) -> Result<()> {
    let slot = &memory.slots[sender];
    memory.ready_and_wait();
    slot.start_ns.store(now_ns(), Relaxed);
    let (mut count, mut sum) = (0_u64, 0_u64);
    while !memory.stopped() {
        let number = (sender as u64) << NUMBER_BITS | count;
        out.send(Message { number, length: work.bytes })?;
        count += 1;
        sum = sum.wrapping_add(number);
    }
    out.send(Message { number: LAST, length: work.bytes })?;
    report(slot, count, sum);
    Ok(())
}

/// A receiver, whose slot is that of party `index`.
pub(crate) fn consume(
    inbound: &mut impl Inbox,
    work: Work,
    memory: &Memory,
    index: usize,
) -> Result<()> {
    let slot = &memory.slots[index];
    memory.ready_and_wait();
    slot.start_ns.store(now_ns(), Relaxed);
    let mut next = vec![0_u64; work.pairs];
    let (mut count, mut sum) = (0_u64, 0_u64);
    loop {
        let message = inbound.receive()?.number;
        if message == LAST {
            break;
        }
        let (sender, number) =
            ((message >> NUMBER_BITS) as usize, message & ((1 << NUMBER_BITS) - 1));
        let Some(expected) = next.get_mut(sender) else {
            return failed(format!("message {message:#x} has no sender"));
        };
        // Another receiver has what is missing, or the sums will tell.
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
pub(crate) fn outcome(work: Work, memory: &Memory) -> Result<Slice> {
    let (senders, rest) = memory.slots.split_at(work.pairs);
    let receivers = &rest[..work.pairs];
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
