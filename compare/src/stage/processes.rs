//! Real processes, on cores of their own: the parent is one party, a child the other; where there
//! are many, all are children.

use super::{Call, Job, Part, Scene};
use crate::peers::{Address, Channel};
use crate::support::child::Child;
use crate::support::session::Session;
use crate::support::stats::Slice;
use crate::support::{Result, failed};
use crate::work::Kind;
use crate::workloads::{mpmc, round_trip, startup, stream};

/// A turn, or a child's part in it.
pub(crate) fn play<C: Channel>(call: Call<'_>) -> Result<Slice> {
    match call {
        Call::Conduct(scene) => match scene.work.kind {
            Kind::RoundTrip => conduct_round_trip::<C>(scene),
            Kind::Stream | Kind::Bytes => conduct_stream::<C>(scene),
            Kind::Mpmc => conduct_mpmc::<C>(scene),
            Kind::Startup => conduct_startup::<C>(scene),
        },
        Call::TakePart(child) => take_part::<C>(child).map(|()| Slice::default()),
    }
}

fn job(scene: Scene<'_>, part: Part, channels: Vec<Address>) -> Job {
    Job { peer: scene.peer.to_owned(), part, setup: scene.setup(), channels }
}

fn conduct_round_trip<C: Channel>(scene: Scene<'_>) -> Result<Slice> {
    let mut session = Session::new(scene.name())?;
    let setup = scene.setup();
    let (mut there, mut back) = (C::create(&setup)?, C::create(&setup)?);
    let channels = vec![there.address(), back.address()];
    session.spawn(scene.plan.cores.of(1), job(scene, Part::Echo, channels))?;
    session.wait_ready();
    let (mut out, mut inbound) = (there.own_sender(&setup)?, back.own_receiver(&setup)?);
    session.memory.start();
    let slice = round_trip::ping(&mut out, &mut inbound, scene)?;
    session.finish(None)?;
    Ok(slice)
}

fn conduct_stream<C: Channel>(scene: Scene<'_>) -> Result<Slice> {
    let mut session = Session::new(scene.name())?;
    let setup = scene.setup();
    let mut channel = C::create(&setup)?;
    session.spawn(scene.plan.cores.of(1), job(scene, Part::Streamer, vec![channel.address()]))?;
    session.wait_ready();
    let mut inbound = channel.own_receiver(&setup)?;
    session.memory.start();
    let slice = stream::drain(&mut inbound, scene, &session.memory)?;
    session.finish(None)?;
    Ok(slice)
}

fn conduct_mpmc<C: Channel>(scene: Scene<'_>) -> Result<Slice> {
    let mut session = Session::new(scene.name())?;
    let channel = C::create(&scene.setup())?;
    for index in 0..2 * scene.work.pairs {
        let part = if index < scene.work.pairs { Part::Producer } else { Part::Consumer };
        session.spawn(scene.plan.cores.of(index), job(scene, part, vec![channel.address()]))?;
    }
    mpmc::conduct(scene, &session.memory);
    session.finish(None)?;
    mpmc::outcome(scene.work, &session.memory)
}

fn conduct_startup<C: Channel>(scene: Scene<'_>) -> Result<Slice> {
    let _session = Session::new(scene.name())?;
    let setup = scene.setup();
    startup::repeat(scene, || {
        let mut channel = C::create(&setup)?;
        let mut out = C::sender(&channel.address(), &setup)?;
        let mut inbound = channel.own_receiver(&setup)?;
        startup::pass_one(scene.work, &mut out, &mut inbound)
    })
}

fn take_part<C: Channel>(child: &Child<Job>) -> Result<()> {
    let Job { part, setup, channels, .. } = &child.job;
    let memory = &child.memory;
    match (part, channels.as_slice()) {
        (Part::Echo, [there, back]) => {
            let (mut inbound, mut out) = (C::receiver(there, setup)?, C::sender(back, setup)?);
            round_trip::pong(&mut out, &mut inbound, setup.work, memory)
        }
        (Part::Streamer, [channel]) => {
            stream::send(&mut C::sender(channel, setup)?, setup.work, memory)
        }
        (Part::Producer, [channel]) => {
            mpmc::produce(&mut C::sender(channel, setup)?, setup.work, memory, child.index)
        }
        (Part::Consumer, [channel]) => {
            mpmc::consume(&mut C::receiver(channel, setup)?, setup.work, memory, child.index)
        }
        (part, channels) => failed(format!("{part:?} with {} channels", channels.len())),
    }
}
