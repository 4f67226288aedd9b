//! The crate `rtrb`: a ring between two threads, the bound for what a ring between processes can do.

use super::{Peer, ThreadChannel, by_size};
use crate::message::{Inbox, Message, Outbox};
use crate::support::Result;
use crate::support::cpu::Patience;
use crate::work::Setup;

pub(crate) const PEERS: &[Peer] = &[Peer {
    name: "rtrb-threads",
    what: "a ring between two threads; asks again and again",
    package: Some("rtrb"),
    answer: super::answer_of_threads::<Channel<1>>,
    play: |call| by_size!(threads, call, Channel),
}];

#[derive(Debug)]
struct Channel<const W: usize>;

impl<const W: usize> ThreadChannel for Channel<W> {
    type Sender = Sender<W>;
    type Receiver = Receiver<W>;

    fn create(setup: &Setup) -> (Vec<Sender<W>>, Vec<Receiver<W>>) {
        let (producer, consumer) = rtrb::RingBuffer::new(setup.work.capacity());
        let patience = setup.patience;
        (vec![Sender { producer, patience }], vec![Receiver { consumer, patience }])
    }
}

#[derive(Debug)]
struct Sender<const W: usize> {
    producer: rtrb::Producer<[u64; W]>,
    patience: Patience,
}

impl<const W: usize> Outbox for Sender<W> {
    #[inline]
    fn send(&mut self, message: Message) -> Result<()> {
        let words = message.words();
        self.patience.until(|| self.producer.push(words).ok());
        Ok(())
    }
}

#[derive(Debug)]
struct Receiver<const W: usize> {
    consumer: rtrb::Consumer<[u64; W]>,
    patience: Patience,
}

impl<const W: usize> Inbox for Receiver<W> {
    #[inline]
    fn receive(&mut self) -> Result<Message> {
        Message::read_words(&self.patience.until(|| self.consumer.pop().ok()))
    }
}
