//! `outlive::Pipe`: two ends, each of which hears of the other's.

use std::time::Duration;

use outlive::{Pipe, PipeEnd, Side};

use super::{Host, OBJECT, SLEEPS, SPINS, answer_spinning, manner, open};
use crate::message::{Inbox, Message, Outbox};
use crate::peers::{self, Address, Peer};
use crate::stage::processes;
use crate::support::Result;
use crate::work::Setup;

pub(crate) const PEERS: &[Peer] = &[
    Peer {
        name: "outlive-pipe",
        what: "a one-way `Pipe`, copied by `send_bytes` and `recv_bytes_into`; sleeps when it has to wait",
        package: Some("outlive"),
        answer: peers::answer::<Channel<SLEEPS>>,
        play: processes::play::<Channel<SLEEPS>>,
    },
    Peer {
        name: "outlive-pipe-spin",
        what: "the same with `Waiting::Spin`",
        package: Some("outlive"),
        answer: answer_spinning::<Channel<SPINS>>,
        play: processes::play::<Channel<SPINS>>,
    },
];

#[derive(Debug)]
struct Channel<const SPIN: bool>(Host);

/// The thread that had an end before may have it for a moment still.
const HANDOVER: Duration = Duration::from_secs(10);

#[derive(Debug)]
struct End {
    end: PipeEnd,
    buffer: Vec<u8>,
}

fn attach(address: &Address, setup: &Setup, side: Side, spins: bool) -> Result<End> {
    let pipe: Pipe = open(address)?.one_way_pipe(OBJECT, setup.work.ring_bytes())?;
    let end = pipe.with_waiting(manner(spins)).take_timeout(side, HANDOVER)?;
    Ok(End { end, buffer: Vec::new() })
}

impl<const SPIN: bool> peers::Channel for Channel<SPIN> {
    const VARYING: bool = true;

    type Sender = End;
    type Receiver = End;

    fn create(setup: &Setup) -> Result<Self> {
        Ok(Self(Host::create(setup)?))
    }

    fn address(&self) -> Address {
        self.0.address()
    }

    fn sender(address: &Address, setup: &Setup) -> Result<End> {
        attach(address, setup, Side::Second, SPIN)
    }

    fn receiver(address: &Address, setup: &Setup) -> Result<End> {
        attach(address, setup, Side::First, SPIN)
    }
}

impl Outbox for End {
    #[inline]
    fn send(&mut self, message: Message) -> Result<()> {
        self.buffer.resize(message.length, 0);
        message.write(&mut self.buffer);
        Ok(self.end.send_bytes(&self.buffer)?)
    }
}

impl Inbox for End {
    #[inline]
    fn receive(&mut self) -> Result<Message> {
        self.end.recv_bytes_into(&mut self.buffer)?;
        Message::read(&self.buffer)
    }
}
