//! `outlive::Spsc`.

use std::time::Duration;

use outlive::{Consumer, Producer, Shared, Spsc};

use super::{Host, OBJECT, SLEEPS, SPINS, answer_spinning, manner, open};
use crate::message::{Inbox, Message, Outbox};
use crate::peers::{self, Address, Peer, by_size};
use crate::support::Result;
use crate::work::Setup;

pub(crate) const PEERS: &[Peer] = &[
    Peer {
        name: "outlive-spsc",
        what: "`Spsc<T>`; sleeps when it has to wait",
        package: Some("outlive"),
        answer: peers::answer::<Channel<1, SLEEPS>>,
        play: |call| by_size!(processes, call, Channel, SLEEPS),
    },
    Peer {
        name: "outlive-spsc-spin",
        what: "the same with `Waiting::Spin`",
        package: Some("outlive"),
        answer: answer_spinning::<Channel<1, SPINS>>,
        play: |call| by_size!(processes, call, Channel, SPINS),
    },
];

#[derive(Debug)]
struct Channel<const W: usize, const SPIN: bool>(Host);

/// The thread that had an end before may have it for a moment still.
const HANDOVER: Duration = Duration::from_secs(10);

fn ring<const W: usize>(address: &Address, setup: &Setup, spins: bool) -> Result<Spsc<[u64; W]>> {
    let ring: Spsc<[u64; W]> = open(address)?.spsc(OBJECT, setup.work.capacity())?;
    Ok(ring.with_waiting(manner(spins)))
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
        Ok(Sender(ring(address, setup, SPIN)?.producer_timeout(HANDOVER)?))
    }

    fn receiver(address: &Address, setup: &Setup) -> Result<Receiver<W>> {
        Ok(Receiver(ring(address, setup, SPIN)?.consumer_timeout(HANDOVER)?))
    }
}

#[derive(Debug)]
struct Sender<const W: usize>(Producer<[u64; W]>)
where
    [u64; W]: Shared;

impl<const W: usize> Outbox for Sender<W> {
    #[inline]
    fn send(&mut self, message: Message) -> Result<()> {
        self.0.push(message.words()).map_err(|error| format!("push: {error}").into())
    }
}

#[derive(Debug)]
struct Receiver<const W: usize>(Consumer<[u64; W]>)
where
    [u64; W]: Shared;

impl<const W: usize> Inbox for Receiver<W> {
    #[inline]
    fn receive(&mut self) -> Result<Message> {
        Message::read_words(&self.0.pop()?)
    }
}
