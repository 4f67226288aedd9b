//! What is compared. Each file has a list of its peers; a new one takes a line in [`all`].

mod crossbeam;
mod iceoryx2;
mod ipc_channel;
mod mqueue;
mod outlive;
mod pipe;
pub(crate) mod python;
mod raw_sync;
mod rtrb;
mod socket;

use std::os::fd::RawFd;

use serde::{Deserialize, Serialize};

use crate::message::{Inbox, Outbox};
use crate::stage::Call;
use crate::support::Result;
use crate::support::stats::Slice;
use crate::work::{Kind, Setup, Work};

/// What the others are related to: it is everywhere, and does all of the work.
pub(crate) const REFERENCE: &str = "pipe";

/// Every peer, in the order of the tables.
pub(crate) fn all() -> impl Iterator<Item = &'static Peer> {
    [
        outlive::queue::PEERS,
        outlive::spsc::PEERS,
        outlive::byte_queue::PEERS,
        outlive::broadcast::PEERS,
        outlive::pipe::PEERS,
        outlive::loans::PEERS,
        iceoryx2::PEERS,
        ipc_channel::PEERS,
        raw_sync::PEERS,
        pipe::PEERS,
        socket::PEERS,
        mqueue::PEERS,
        python::PEERS,
        rtrb::PEERS,
        crossbeam::PEERS,
    ]
    .into_iter()
    .flatten()
}

/// Their names.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    all().map(|peer| peer.name)
}

/// One means of communication, used in one manner.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    /// How it is used here, for readers of the tables.
    pub(crate) what: &'static str,
    /// The crate whose version counts.
    pub(crate) package: Option<&'static str>,
    pub(crate) answer: fn(&Work) -> Answer,
    pub(crate) play: fn(Call<'_>) -> Result<Slice>,
}

/// Whether a peer does a piece of work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Yes,
    /// It is not made for this.
    No,
    /// It is, but here it cannot, for this reason.
    NotHere(String),
}

/// How another process reaches a channel: whichever of these its peer uses.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Address {
    pub(crate) name: String,
    /// Descriptors to read from and to write to.
    pub(crate) descriptors: Option<(RawFd, RawFd)>,
}

impl Address {
    fn named(name: &str) -> Self {
        Self { name: name.to_owned(), descriptors: None }
    }
}

/// A way for messages from one process to another, of which its creator keeps this until it ends.
pub(crate) trait Channel: Sized {
    /// Whether it takes several senders and several receivers, and each message goes to one of them.
    const MANY: bool = false;
    /// Whether messages may differ in length.
    const VARYING: bool = false;

    type Sender: Outbox;
    type Receiver: Inbox;

    /// The longest message in bytes, or why it cannot be used on this machine.
    fn longest() -> std::result::Result<usize, String> {
        Ok(usize::MAX)
    }

    fn create(setup: &Setup) -> Result<Self>;

    fn address(&self) -> Address;

    /// Attaches the sending end, in whatever process.
    fn sender(address: &Address, setup: &Setup) -> Result<Self::Sender>;

    /// Attaches the receiving end, in whatever process.
    fn receiver(address: &Address, setup: &Setup) -> Result<Self::Receiver>;

    /// The creator's own sending end, when the receiver has attached.
    fn own_sender(&mut self, setup: &Setup) -> Result<Self::Sender> {
        Self::sender(&self.address(), setup)
    }

    /// The creator's own receiving end, when the sender has attached.
    fn own_receiver(&mut self, setup: &Setup) -> Result<Self::Receiver> {
        Self::receiver(&self.address(), setup)
    }
}

/// [`Peer::answer`] of a channel between processes.
fn answer<C: Channel>(work: &Work) -> Answer {
    match work.kind {
        Kind::Mpmc if !C::MANY => return Answer::No,
        Kind::Bytes if !C::VARYING => return Answer::No,
        _ => {}
    }
    match C::longest() {
        Err(reason) => Answer::NotHere(reason),
        Ok(longest) if longest < work.bytes => {
            Answer::NotHere(format!("no longer than {longest} bytes"))
        }
        Ok(_) => Answer::Yes,
    }
}

/// A way for messages between threads of one process.
pub(crate) trait ThreadChannel {
    /// As [`Channel::MANY`].
    const MANY: bool = false;

    type Sender: Outbox + Send;
    type Receiver: Inbox + Send;

    /// So many ends of each kind: one, unless `MANY`.
    fn create(setup: &Setup) -> (Vec<Self::Sender>, Vec<Self::Receiver>);
}

/// [`Peer::answer`] of a channel between threads, whose messages have one length.
fn answer_of_threads<C: ThreadChannel>(work: &Work) -> Answer {
    match work.kind {
        Kind::Mpmc if !C::MANY => Answer::No,
        Kind::Bytes => Answer::No,
        _ => Answer::Yes,
    }
}

/// Plays `$call` on stage `$stage` with `$channel<W, ...>`, a channel of messages of `W` words.
macro_rules! by_size {
    ($stage:ident, $call:expr, $channel:ident $(, $manner:ident)?) => {{
        let call = $call;
        match call.work().bytes {
            8 => $crate::stage::$stage::play::<$channel<1 $(, $manner)?>>(call),
            64 => $crate::stage::$stage::play::<$channel<8 $(, $manner)?>>(call),
            1024 => $crate::stage::$stage::play::<$channel<128 $(, $manner)?>>(call),
            65536 => $crate::stage::$stage::play::<$channel<8192 $(, $manner)?>>(call),
            bytes => $crate::support::failed(format!("no type for messages of {bytes} bytes")),
        }
    }};
}
use by_size;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::work;

    #[test]
    fn names_are_unique_and_the_reference_does_everything() {
        let mut names: Vec<&str> = names().collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
        let reference = all().find(|peer| peer.name == REFERENCE).unwrap();
        for work in work::all(false) {
            assert_eq!((reference.answer)(&work), Answer::Yes, "{work:?}");
        }
    }
}
