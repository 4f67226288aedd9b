//! Pipes: one system call for each message on each side, and a word of length before each where
//! lengths vary.

// Adopts inherited descriptors by number.
#![allow(unsafe_code)]

use std::fs::File;
use std::io::{Read, Write};
use std::mem::ManuallyDrop;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use super::{Address, Peer};
use crate::message::{Inbox, Message, Outbox};
use crate::stage::processes;
use crate::support::{Result, failed};
use crate::work::{Kind, Setup};

pub(crate) const PEERS: &[Peer] = &[Peer {
    name: super::REFERENCE,
    what: "one `write` and one `read` for each message, of the kernel's usual capacity",
    package: None,
    answer: super::answer::<Channel>,
    play: processes::play::<Channel>,
}];

#[derive(Debug)]
struct Channel {
    reads: OwnedFd,
    writes: OwnedFd,
}

impl super::Channel for Channel {
    // A read or write of up to 4096 bytes is one step for the kernel.
    const MANY: bool = true;
    const VARYING: bool = true;

    type Sender = Stream;
    type Receiver = Stream;

    fn create(_: &Setup) -> Result<Self> {
        let (reads, writes) = nix::unistd::pipe()?;
        Ok(Self { reads, writes })
    }

    fn address(&self) -> Address {
        let descriptors = Some((self.reads.as_raw_fd(), self.writes.as_raw_fd()));
        Address { descriptors, ..Address::default() }
    }

    fn sender(address: &Address, setup: &Setup) -> Result<Stream> {
        Stream::attach(address, setup)
    }

    fn receiver(address: &Address, setup: &Setup) -> Result<Stream> {
        Stream::attach(address, setup)
    }
}

/// An end of a stream of bytes, which somebody else closes.
#[derive(Debug)]
pub(super) struct Stream {
    reads: ManuallyDrop<File>,
    writes: ManuallyDrop<File>,
    /// Of which the first word is for the length, used if lengths vary.
    buffer: Vec<u8>,
    varying: bool,
}

const HEADER: usize = size_of::<u64>();

impl Stream {
    pub(super) fn attach(address: &Address, setup: &Setup) -> Result<Self> {
        let (reads, writes) = address.descriptors.ok_or("no descriptors were passed")?;
        Ok(Self {
            reads: adopt(reads),
            writes: adopt(writes),
            buffer: vec![0; HEADER + setup.work.bytes],
            varying: setup.work.kind == Kind::Bytes,
        })
    }
}

/// A file of a descriptor that is open in this process for as long as the channel is used: its
/// creator keeps it so in one process, inheritance in the other.
pub(super) fn adopt(descriptor: RawFd) -> ManuallyDrop<File> {
    // SAFETY: open, as said above. ManuallyDrop leaves closing it to its owner.
    ManuallyDrop::new(unsafe { File::from_raw_fd(descriptor) })
}

impl Outbox for Stream {
    #[inline]
    fn send(&mut self, message: Message) -> Result<()> {
        let end = HEADER + message.length;
        message.write(&mut self.buffer[HEADER..end]);
        let start = if self.varying {
            self.buffer[..HEADER].copy_from_slice(&(message.length as u64).to_le_bytes());
            0
        } else {
            HEADER
        };
        Ok(self.writes.write_all(&self.buffer[start..end])?)
    }
}

impl Inbox for Stream {
    #[inline]
    fn receive(&mut self) -> Result<Message> {
        let mut end = self.buffer.len();
        if self.varying {
            self.reads.read_exact(&mut self.buffer[..HEADER])?;
            let mut header = [0; HEADER];
            header.copy_from_slice(&self.buffer[..HEADER]);
            end = HEADER + u64::from_le_bytes(header) as usize;
        }
        let Some(bytes) = self.buffer.get_mut(HEADER..end) else {
            return failed(format!("a message of {} bytes was announced", end - HEADER));
        };
        self.reads.read_exact(bytes)?;
        Message::read(bytes)
    }
}
