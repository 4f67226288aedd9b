//! The crate `crossbeam-channel`: a bounded channel between threads, the bound for what channels
//! between processes can do.

use crossbeam_channel::{Receiver, Sender};

use super::{Peer, ThreadChannel, by_size};
use crate::message::{Inbox, Message, Outbox};
use crate::support::Result;
use crate::work::Setup;

pub(crate) const PEERS: &[Peer] = &[Peer {
    name: "crossbeam-threads",
    what: "`crossbeam_channel::bounded` between threads; sleeps when it has to wait",
    package: Some("crossbeam-channel"),
    answer: super::answer_of_threads::<Channel<1>>,
    play: |call| by_size!(threads, call, Channel),
}];

#[derive(Debug)]
struct Channel<const W: usize>;

impl<const W: usize> ThreadChannel for Channel<W> {
    const MANY: bool = true;

    type Sender = Sender<[u64; W]>;
    type Receiver = Receiver<[u64; W]>;

    fn create(setup: &Setup) -> (Vec<Self::Sender>, Vec<Self::Receiver>) {
        let (sender, receiver) = crossbeam_channel::bounded(setup.work.capacity());
        let pairs = setup.work.pairs;
        (vec![sender; pairs], vec![receiver; pairs])
    }
}

impl<const W: usize> Outbox for Sender<[u64; W]> {
    #[inline]
    fn send(&mut self, message: Message) -> Result<()> {
        let words: [u64; W] = message.words();
        Sender::send(self, words).map_err(|_| "every receiver is gone".into())
    }
}

impl<const W: usize> Inbox for Receiver<[u64; W]> {
    #[inline]
    fn receive(&mut self) -> Result<Message> {
        Message::read_words(&self.recv()?)
    }
}
