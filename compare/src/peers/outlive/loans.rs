//! `outlive::LoanPool`: messages are written and read where they lie, and only their handles sent.

use outlive::{LoanHandle, LoanPool, PoolLayout, Queue};

use super::{Host, OBJECT, SLEEPS, SPINS, answer_spinning, manner, open};
use crate::message::{Inbox, Message, Outbox};
use crate::peers::{self, Address, Peer};
use crate::stage::processes;
use crate::support::Result;
use crate::work::Setup;

pub(crate) const PEERS: &[Peer] = &[
    Peer {
        name: "outlive-loans",
        what: "`LoanPool`, handles through a `Queue`; sleeps when it has to wait",
        package: Some("outlive"),
        answer: peers::answer::<Channel<SLEEPS>>,
        play: processes::play::<Channel<SLEEPS>>,
    },
    Peer {
        name: "outlive-loans-spin",
        what: "the same with `Waiting::Spin`",
        package: Some("outlive"),
        answer: answer_spinning::<Channel<SPINS>>,
        play: processes::play::<Channel<SPINS>>,
    },
];

#[derive(Debug)]
struct Channel<const SPIN: bool>(Host);

#[derive(Debug)]
struct End {
    pool: LoanPool,
    sent: Queue<LoanHandle>,
}

fn attach(address: &Address, setup: &Setup, spins: bool) -> Result<End> {
    let segment = open(address)?;
    let count = setup.work.capacity();
    let layout = PoolLayout::new().chunks(count, setup.work.bytes);
    let pool = segment.loan_pool(OBJECT, &layout)?.with_waiting(manner(spins));
    let sent: Queue<LoanHandle> = segment.queue("sent", count)?;
    Ok(End { pool, sent: sent.with_waiting(manner(spins)) })
}

impl<const SPIN: bool> peers::Channel for Channel<SPIN> {
    const MANY: bool = true;
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
        attach(address, setup, SPIN)
    }

    fn receiver(address: &Address, setup: &Setup) -> Result<End> {
        attach(address, setup, SPIN)
    }
}

impl Outbox for End {
    #[inline]
    fn send(&mut self, message: Message) -> Result<()> {
        let mut loan = self.pool.loan_bytes(message.length)?;
        message.write(&mut loan);
        loan.send_to(&self.sent).map_err(|error| format!("send_to: {error}").into())
    }
}

impl Inbox for End {
    #[inline]
    fn receive(&mut self) -> Result<Message> {
        Message::read(&self.pool.receive_from::<[u8]>(&self.sent)?)
    }
}
