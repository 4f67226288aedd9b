//! `outlive::Queue`.

use outlive::{Queue, Shared};

use super::{Host, OBJECT, SLEEPS, SPINS, answer_spinning, manner, open};
use crate::message::{Inbox, Message, Outbox};
use crate::peers::{self, Address, Peer, by_size};
use crate::support::Result;
use crate::work::Setup;

pub(crate) const PEERS: &[Peer] = &[
    Peer {
        name: "outlive-queue",
        what: "`Queue<T>`; sleeps when it has to wait",
        package: Some("outlive"),
        answer: peers::answer::<Channel<1, SLEEPS>>,
        play: |call| by_size!(processes, call, Channel, SLEEPS),
    },
    Peer {
        name: "outlive-queue-spin",
        what: "the same with `Waiting::Spin`",
        package: Some("outlive"),
        answer: answer_spinning::<Channel<1, SPINS>>,
        play: |call| by_size!(processes, call, Channel, SPINS),
    },
];

#[derive(Debug)]
struct Channel<const W: usize, const SPIN: bool>(Host);

/// Either end.
#[derive(Debug)]
struct End<const W: usize>(Queue<[u64; W]>)
where
    [u64; W]: Shared;

impl<const W: usize> End<W> {
    fn attach(address: &Address, setup: &Setup, spins: bool) -> Result<Self> {
        let queue = open(address)?.queue(OBJECT, setup.work.capacity())?;
        Ok(Self(queue.with_waiting(manner(spins))))
    }
}

impl<const W: usize, const SPIN: bool> peers::Channel for Channel<W, SPIN> {
    const MANY: bool = true;

    type Sender = End<W>;
    type Receiver = End<W>;

    fn create(setup: &Setup) -> Result<Self> {
        Ok(Self(Host::create(setup)?))
    }

    fn address(&self) -> Address {
        self.0.address()
    }

    fn sender(address: &Address, setup: &Setup) -> Result<End<W>> {
        End::attach(address, setup, SPIN)
    }

    fn receiver(address: &Address, setup: &Setup) -> Result<End<W>> {
        End::attach(address, setup, SPIN)
    }
}

impl<const W: usize> Outbox for End<W> {
    #[inline]
    fn send(&mut self, message: Message) -> Result<()> {
        self.0.push(message.words()).map_err(|error| format!("push: {error}").into())
    }
}

impl<const W: usize> Inbox for End<W> {
    #[inline]
    fn receive(&mut self) -> Result<Message> {
        Message::read_words(&self.0.pop()?)
    }
}
