//! Unix sockets, as streams of bytes and as packets.

use std::fs::File;
use std::io::{Read, Write};
use std::mem::ManuallyDrop;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};

use super::pipe::{Stream, adopt};
use super::{Address, Peer};
use crate::message::{Inbox, Message, Outbox};
use crate::stage::processes;
use crate::support::Result;
use crate::work::Setup;

pub(crate) const PEERS: &[Peer] = &[
    Peer {
        name: "unix-stream",
        what: "a Unix socket, `SOCK_STREAM`",
        package: None,
        answer: super::answer::<Streams>,
        play: processes::play::<Streams>,
    },
    Peer {
        name: "unix-seqpacket",
        what: "a Unix socket, `SOCK_SEQPACKET`, which keeps messages apart",
        package: None,
        answer: super::answer::<Packets>,
        play: processes::play::<Packets>,
    },
];

#[derive(Debug)]
struct Pair {
    reads: OwnedFd,
    writes: OwnedFd,
}

impl Pair {
    fn create(kind: SockType) -> Result<Self> {
        let (reads, writes) = socketpair(AddressFamily::Unix, kind, None, SockFlag::empty())?;
        Ok(Self { reads, writes })
    }

    fn address(&self) -> Address {
        let descriptors = Some((self.reads.as_raw_fd(), self.writes.as_raw_fd()));
        Address { descriptors, ..Address::default() }
    }
}

#[derive(Debug)]
struct Streams(Pair);

impl super::Channel for Streams {
    const VARYING: bool = true;

    type Sender = Stream;
    type Receiver = Stream;

    fn create(_: &Setup) -> Result<Self> {
        Ok(Self(Pair::create(SockType::Stream)?))
    }

    fn address(&self) -> Address {
        self.0.address()
    }

    fn sender(address: &Address, setup: &Setup) -> Result<Stream> {
        Stream::attach(address, setup)
    }

    fn receiver(address: &Address, setup: &Setup) -> Result<Stream> {
        Stream::attach(address, setup)
    }
}

#[derive(Debug)]
struct Packets(Pair);

impl super::Channel for Packets {
    const MANY: bool = true;
    const VARYING: bool = true;

    type Sender = Packet;
    type Receiver = Packet;

    fn create(_: &Setup) -> Result<Self> {
        Ok(Self(Pair::create(SockType::SeqPacket)?))
    }

    fn address(&self) -> Address {
        self.0.address()
    }

    fn sender(address: &Address, setup: &Setup) -> Result<Packet> {
        Packet::attach(address, setup)
    }

    fn receiver(address: &Address, setup: &Setup) -> Result<Packet> {
        Packet::attach(address, setup)
    }
}

#[derive(Debug)]
struct Packet {
    reads: ManuallyDrop<File>,
    writes: ManuallyDrop<File>,
    buffer: Vec<u8>,
}

impl Packet {
    fn attach(address: &Address, setup: &Setup) -> Result<Self> {
        let (reads, writes) = address.descriptors.ok_or("no descriptors were passed")?;
        let buffer = vec![0; setup.work.bytes];
        Ok(Self { reads: adopt(reads), writes: adopt(writes), buffer })
    }
}

impl Outbox for Packet {
    #[inline]
    fn send(&mut self, message: Message) -> Result<()> {
        let bytes = &mut self.buffer[..message.length];
        message.write(bytes);
        // A packet is written whole or not at all.
        Ok(self.writes.write_all(bytes)?)
    }
}

impl Inbox for Packet {
    #[inline]
    fn receive(&mut self) -> Result<Message> {
        let length = self.reads.read(&mut self.buffer)?;
        Message::read(&self.buffer[..length])
    }
}
