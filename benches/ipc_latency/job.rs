//! What a child is asked to do.

use serde::{Deserialize, Serialize};

use crate::peers::{Access, Peer};
use crate::support::cpu::Patience;

/// A child's part in a workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Role {
    /// Increments a counter under a lock until told to stop.
    Incrementer,
    /// Returns every message.
    Echo,
    /// Sends numbered messages to one receiver.
    Streamer,
    /// The same with messages of bytes.
    ByteStreamer,
    /// One of several senders.
    Producer,
    /// One of several receivers.
    Consumer,
    /// Sends numbered messages to all subscribers.
    Publisher,
    /// Receives all of them.
    Subscriber,
    /// Keeps a segment open.
    SegmentKeeper,
    /// Takes a lock and is killed.
    Holder,
    /// Waits for that lock.
    Waiter,
    /// Waits for a message that does not come for long.
    Idler,
}

/// How a party waits for the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Mode {
    Spin,
    Block,
}

impl Mode {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Spin => "spin",
            Self::Block => "block",
        }
    }
}

/// The benchmark's own part of a child's ticket.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Job {
    pub(crate) role: Role,
    pub(crate) peer: Peer,
    pub(crate) mode: Mode,
    /// Bytes of a message.
    pub(crate) bytes: usize,
    pub(crate) patience: Patience,
    /// How the child reaches what the parent prepared.
    pub(crate) access: Access,
}
