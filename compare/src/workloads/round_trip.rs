//! A message to the other party and back.

use super::LAST;
use crate::message::{Inbox, Message, Outbox};
use crate::stage::Scene;
use crate::support::Result;
use crate::support::clock::now_ns;
use crate::support::memory::Memory;
use crate::support::stats::{Latencies, Slice};
use crate::work::Work;

fn message(work: Work, number: u64) -> Message {
    Message { number, length: work.length(number) }
}

/// Sends messages and times how long it is until they are back.
pub(crate) fn ping(
    out: &mut impl Outbox,
    inbound: &mut impl Inbox,
    scene: Scene<'_>,
) -> Result<Slice> {
    let Scene { plan, work, .. } = scene;
    let mut latencies = Latencies::new(plan.clock.step_ps);
    let begin = now_ns();
    let warm = begin + plan.slice.as_nanos() as u64 / 10;
    let deadline = begin + plan.slice.as_nanos() as u64;
    for number in 1.. {
        let sent = message(work, number);
        let start = now_ns();
        out.send(sent)?;
        let reply = inbound.receive()?;
        let end = now_ns();
        reply.expect(sent)?;
        if end > warm {
            latencies.record_interval(start, end, plan.clock);
        }
        if end > deadline {
            break;
        }
    }
    out.send(message(work, LAST))?;
    inbound.receive()?.expect(message(work, LAST))?;
    Ok(Slice::of_latencies(latencies))
}

/// Returns every message; the last one, too.
pub(crate) fn pong(
    out: &mut impl Outbox,
    inbound: &mut impl Inbox,
    work: Work,
    memory: &Memory,
) -> Result<()> {
    memory.ready_and_wait();
    for number in 1.. {
        let received = inbound.receive()?;
        out.send(received)?;
        if received.number == LAST {
            break;
        }
        received.expect(message(work, number))?;
    }
    Ok(())
}
