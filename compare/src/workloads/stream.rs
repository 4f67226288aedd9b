//! One sender, one receiver, as fast as it goes.

use super::LAST;
use crate::message::{Inbox, Message, Outbox};
use crate::stage::Scene;
use crate::support::Result;
use crate::support::clock::now_ns;
use crate::support::memory::Memory;
use crate::support::stats::Slice;
use crate::work::Work;

/// Messages between two looks at the clock.
const BATCH: u64 = 64;

/// Sends until asked to stop, and then the last message.
pub(crate) fn send(out: &mut impl Outbox, work: Work, memory: &Memory) -> Result<()> {
    memory.ready_and_wait();
    for number in 0.. {
        out.send(Message { number, length: work.length(number) })?;
        if memory.stopped() {
            break;
        }
    }
    out.send(Message { number: LAST, length: work.length(LAST) })
}

/// Receives all that is sent, in order, and counts for the time of one turn.
pub(crate) fn drain(inbound: &mut impl Inbox, scene: Scene<'_>, memory: &Memory) -> Result<Slice> {
    let Scene { plan, work, .. } = scene;
    let slice_ns = plan.slice.as_nanos() as u64;
    let mut next = 0;
    let mut take = |count: u64| -> Result<()> {
        for _ in 0..count {
            inbound.receive()?.expect(Message { number: next, length: work.length(next) })?;
            next += 1;
        }
        Ok(())
    };
    let begin = now_ns();
    let mut start = begin;
    while start < begin + slice_ns / 10 {
        take(BATCH)?;
        start = now_ns();
    }
    // From here on for nine tenths, however late the first message came; some at least.
    let (mut count, mut now) = (0, start);
    while count == 0 || now < start + slice_ns / 10 * 9 {
        take(BATCH)?;
        count += BATCH;
        now = now_ns();
    }
    memory.stop();
    loop {
        let message = inbound.receive()?;
        if message.number == LAST {
            return Ok(Slice::of_rate(count, now - start));
        }
        message.expect(Message { number: next, length: work.length(next) })?;
        next += 1;
    }
}
