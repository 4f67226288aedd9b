//! Threads of this process, on cores of their own: the bound for what processes can reach.

use std::thread::{self, ScopedJoinHandle};

use super::{Call, Scene};
use crate::peers::ThreadChannel;
use crate::support::memory::Memory;
use crate::support::session::Session;
use crate::support::stats::Slice;
use crate::support::{Failure, Result, cpu, failed};
use crate::work::Kind;
use crate::workloads::{mpmc, round_trip, startup, stream};

/// A turn.
pub(crate) fn play<C: ThreadChannel>(call: Call<'_>) -> Result<Slice> {
    let Call::Conduct(scene) = call else {
        return failed("threads have no child processes");
    };
    let session = Session::new(scene.name())?;
    let memory = &session.memory;
    match scene.work.kind {
        Kind::RoundTrip => play_round_trip::<C>(scene, memory),
        Kind::Stream | Kind::Bytes => play_stream::<C>(scene, memory),
        Kind::Mpmc => play_mpmc::<C>(scene, memory),
        Kind::Startup => startup::repeat(scene, || {
            let (mut out, mut inbound) = pair::<C>(scene)?;
            startup::pass_one(scene.work, &mut out, &mut inbound)
        }),
    }
}

fn pair<C: ThreadChannel>(scene: Scene<'_>) -> Result<(C::Sender, C::Receiver)> {
    let (mut senders, mut receivers) = C::create(&scene.setup());
    let ends = senders.pop().zip(receivers.pop());
    ends.ok_or_else(|| "a channel without ends".into())
}

fn join(thread: ScopedJoinHandle<'_, Result<()>>) -> Result<()> {
    thread.join().map_err(|_| Failure::from("a thread panicked"))?
}

fn play_round_trip<C: ThreadChannel>(scene: Scene<'_>, memory: &Memory) -> Result<Slice> {
    let ((mut out, mut there), (mut back, mut inbound)) = (pair::<C>(scene)?, pair::<C>(scene)?);
    thread::scope(|scope| {
        let echo = scope.spawn(move || {
            cpu::pin(scene.plan.cores.of(1))?;
            round_trip::pong(&mut back, &mut there, scene.work, memory)
        });
        memory.wait_ready(1);
        memory.start();
        let slice = round_trip::ping(&mut out, &mut inbound, scene);
        join(echo)?;
        slice
    })
}

fn play_stream<C: ThreadChannel>(scene: Scene<'_>, memory: &Memory) -> Result<Slice> {
    let (mut out, mut inbound) = pair::<C>(scene)?;
    thread::scope(|scope| {
        let sender = scope.spawn(move || {
            cpu::pin(scene.plan.cores.of(1))?;
            stream::send(&mut out, scene.work, memory)
        });
        memory.wait_ready(1);
        memory.start();
        let slice = stream::drain(&mut inbound, scene, memory);
        join(sender)?;
        slice
    })
}

fn play_mpmc<C: ThreadChannel>(scene: Scene<'_>, memory: &Memory) -> Result<Slice> {
    let (senders, receivers) = C::create(&scene.setup());
    let work = scene.work;
    thread::scope(|scope| {
        let senders = senders.into_iter().enumerate().map(|(index, mut out)| {
            scope.spawn(move || {
                cpu::pin(scene.plan.cores.of(index))?;
                mpmc::produce(&mut out, work, memory, index)
            })
        });
        let receivers = receivers.into_iter().enumerate().map(|(index, mut inbound)| {
            let index = work.pairs + index;
            scope.spawn(move || {
                cpu::pin(scene.plan.cores.of(index))?;
                mpmc::consume(&mut inbound, work, memory, index)
            })
        });
        let threads: Vec<_> = senders.chain(receivers).collect();
        mpmc::conduct(scene, memory);
        threads.into_iter().try_for_each(join)
    })?;
    mpmc::outcome(work, memory)
}
