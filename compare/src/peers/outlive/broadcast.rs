//! `outlive::Broadcast`, of which one subscriber receives everything.

use outlive::{Broadcast, Shared, Slow, Start, Subscriber};

use super::{Host, OBJECT, SLEEPS, SPINS, answer_spinning, manner, open};
use crate::message::{Inbox, Message, Outbox};
use crate::peers::{self, Address, Peer, by_size};
use crate::support::Result;
use crate::work::Setup;

pub(crate) const PEERS: &[Peer] = &[
    Peer {
        name: "outlive-broadcast",
        what: "`Broadcast<T>`, which waits for its one subscriber; sleeps when it has to wait",
        package: Some("outlive"),
        answer: peers::answer::<Channel<1, SLEEPS>>,
        play: |call| by_size!(processes, call, Channel, SLEEPS),
    },
    Peer {
        name: "outlive-broadcast-spin",
        what: "the same with `Waiting::Spin`",
        package: Some("outlive"),
        answer: answer_spinning::<Channel<1, SPINS>>,
        play: |call| by_size!(processes, call, Channel, SPINS),
    },
];

#[derive(Debug)]
struct Channel<const W: usize, const SPIN: bool>(Host);

fn attach<T: Shared>(address: &Address, setup: &Setup, spins: bool) -> Result<Broadcast<T>> {
    let channel = open(address)?.broadcast(OBJECT, setup.work.capacity(), Slow::Block)?;
    Ok(channel.with_waiting(manner(spins)))
}

impl<const W: usize, const SPIN: bool> peers::Channel for Channel<W, SPIN> {
    type Sender = Sender<W>;
    type Receiver = Receiver<W>;

    fn create(setup: &Setup) -> Result<Self> {
        Ok(Self(Host::create(setup)?))
    }

    fn address(&self) -> Address {
        self.0.address()
    }

    fn sender(address: &Address, setup: &Setup) -> Result<Sender<W>> {
        Ok(Sender(attach(address, setup, SPIN)?))
    }

    fn receiver(address: &Address, setup: &Setup) -> Result<Receiver<W>> {
        Ok(Receiver(attach(address, setup, SPIN)?.subscribe(Start::Newest)?))
    }
}

#[derive(Debug)]
struct Sender<const W: usize>(Broadcast<[u64; W]>)
where
    [u64; W]: Shared;

impl<const W: usize> Outbox for Sender<W> {
    #[inline]
    fn send(&mut self, message: Message) -> Result<()> {
        self.0.publish(message.words()).map_err(|error| format!("publish: {error}").into())
    }
}

#[derive(Debug)]
struct Receiver<const W: usize>(Subscriber<[u64; W]>)
where
    [u64; W]: Shared;

impl<const W: usize> Inbox for Receiver<W> {
    #[inline]
    fn receive(&mut self) -> Result<Message> {
        Message::read_words(&self.0.recv()?)
    }
}
