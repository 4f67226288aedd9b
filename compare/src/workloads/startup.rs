//! From nothing to a message that has arrived, and back to nothing, in one process.

use crate::message::{Inbox, Message, Outbox};
use crate::stage::Scene;
use crate::support::Result;
use crate::support::clock::now_ns;
use crate::support::stats::{Latencies, Slice};
use crate::work::Work;

/// Times `life` again and again for one turn.
pub(crate) fn repeat(scene: Scene<'_>, mut life: impl FnMut() -> Result<()>) -> Result<Slice> {
    let plan = scene.plan;
    let mut latencies = Latencies::new(plan.clock.step_ps);
    let deadline = now_ns() + plan.slice.as_nanos() as u64;
    // The first one loads pages and reads files that the next ones find.
    life()?;
    loop {
        let start = now_ns();
        life()?;
        let end = now_ns();
        latencies.record_interval(start, end, plan.clock);
        if end > deadline {
            return Ok(Slice::of_latencies(latencies));
        }
    }
}

/// That both ends are of one channel.
pub(crate) fn pass_one(work: Work, out: &mut impl Outbox, inbound: &mut impl Inbox) -> Result<()> {
    let message = Message { number: 1, length: work.length(1) };
    out.send(message)?;
    inbound.receive()?.expect(message)
}
