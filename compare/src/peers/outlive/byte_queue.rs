//! `outlive::ByteQueue`, copying and in place.

use outlive::ByteQueue;

use super::{Host, OBJECT, SLEEPS, SPINS, answer_spinning, manner, open};
use crate::message::{Inbox, Message, Outbox};
use crate::peers::{self, Address, Peer};
use crate::stage::processes;
use crate::support::Result;
use crate::work::Setup;

pub(crate) const PEERS: &[Peer] = &[
    Peer {
        name: "outlive-bytes",
        what: "`ByteQueue`, copied by `push` and `pop_into`; sleeps when it has to wait",
        package: Some("outlive"),
        answer: peers::answer::<Channel<Copied, SLEEPS>>,
        play: processes::play::<Channel<Copied, SLEEPS>>,
    },
    Peer {
        name: "outlive-bytes-spin",
        what: "the same with `Waiting::Spin`",
        package: Some("outlive"),
        answer: answer_spinning::<Channel<Copied, SPINS>>,
        play: processes::play::<Channel<Copied, SPINS>>,
    },
    Peer {
        name: "outlive-bytes-grant",
        what: "`ByteQueue`, written and read in place; sleeps when it has to wait",
        package: Some("outlive"),
        answer: peers::answer::<Channel<InPlace, SLEEPS>>,
        play: processes::play::<Channel<InPlace, SLEEPS>>,
    },
    Peer {
        name: "outlive-bytes-grant-spin",
        what: "the same with `Waiting::Spin`",
        package: Some("outlive"),
        answer: answer_spinning::<Channel<InPlace, SPINS>>,
        play: processes::play::<Channel<InPlace, SPINS>>,
    },
];

/// `U` is how the queue is used.
#[derive(Debug)]
struct Channel<U, const SPIN: bool>(Host, std::marker::PhantomData<U>);

/// A handle and how it is used.
trait End: Inbox + Outbox {
    fn new(queue: ByteQueue) -> Self;
}

fn attach<U: End>(address: &Address, setup: &Setup, spins: bool) -> Result<U> {
    let queue = open(address)?.byte_queue(OBJECT, setup.work.ring_bytes())?;
    Ok(U::new(queue.with_waiting(manner(spins))))
}

impl<U: End, const SPIN: bool> peers::Channel for Channel<U, SPIN> {
    const MANY: bool = true;
    const VARYING: bool = true;

    type Sender = U;
    type Receiver = U;

    fn create(setup: &Setup) -> Result<Self> {
        Ok(Self(Host::create(setup)?, std::marker::PhantomData))
    }

    fn address(&self) -> Address {
        self.0.address()
    }

    fn sender(address: &Address, setup: &Setup) -> Result<U> {
        attach(address, setup, SPIN)
    }

    fn receiver(address: &Address, setup: &Setup) -> Result<U> {
        attach(address, setup, SPIN)
    }
}

#[derive(Debug)]
struct Copied {
    queue: ByteQueue,
    buffer: Vec<u8>,
}

impl End for Copied {
    fn new(queue: ByteQueue) -> Self {
        Self { queue, buffer: Vec::new() }
    }
}

impl Outbox for Copied {
    #[inline]
    fn send(&mut self, message: Message) -> Result<()> {
        self.buffer.resize(message.length, 0);
        message.write(&mut self.buffer);
        Ok(self.queue.push(&self.buffer)?)
    }
}

impl Inbox for Copied {
    #[inline]
    fn receive(&mut self) -> Result<Message> {
        self.queue.pop_into(&mut self.buffer)?;
        Message::read(&self.buffer)
    }
}

#[derive(Debug)]
struct InPlace(ByteQueue);

impl End for InPlace {
    fn new(queue: ByteQueue) -> Self {
        Self(queue)
    }
}

impl Outbox for InPlace {
    #[inline]
    fn send(&mut self, message: Message) -> Result<()> {
        let mut grant = self.0.grant(message.length)?;
        message.write(&mut grant);
        grant.commit();
        Ok(())
    }
}

impl Inbox for InPlace {
    #[inline]
    fn receive(&mut self) -> Result<Message> {
        Message::read(&self.0.read()?)
    }
}
