//! The implementations that are compared, behind the few traits that the workloads drive.

pub(crate) mod broadcast;
pub(crate) mod bytes;
pub(crate) mod cache_line;
pub(crate) mod copy_ring;
pub(crate) mod descriptors;
pub(crate) mod futex;
pub(crate) mod glibc;
pub(crate) mod loans;
pub(crate) mod mailbox;
pub(crate) mod ours;
#[cfg(all(feature = "shared_memory", feature = "raw_sync"))]
pub(crate) mod raw_sync;
pub(crate) mod rings;
pub(crate) mod shm;
pub(crate) mod spsc;
pub(crate) mod two_lines;

use std::fmt;
use std::os::fd::{OwnedFd, RawFd};

use serde::{Deserialize, Serialize};

use crate::support::memory::Memory;
use crate::support::{Result, failed};

/// An implementation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Peer {
    /// The library that is measured.
    Outlive,
    /// Its ring from one producer to one consumer.
    Spsc,
    /// The same, many messages at a time.
    SpscBatch,
    /// Its ring of bytes, copied in and out.
    Bytes,
    /// The same, written and read in place.
    BytesInPlace,
    /// Its channel to all subscribers.
    Broadcast,
    /// Its loans, of chunks of 64 bytes.
    LoanSmall,
    /// Of 4 MiB.
    LoanLarge,
    CacheLine,
    /// A line of message and a line that tells of it, for messages that fill their line.
    TwoLines,
    Futex,
    GlibcPlain,
    GlibcRobust,
    /// `raw_sync` over `shared_memory`.
    #[cfg(all(feature = "shared_memory", feature = "raw_sync"))]
    RawSync,
    Pipe,
    UnixSocket,
    /// A bare ring of messages in shared memory.
    CopyRing,
    /// The same copies by one process.
    Memcpy,
    /// `rtrb` between two threads.
    Rtrb,
    /// `crossbeam_queue::ArrayQueue` between threads.
    ArrayQueue,
    /// shm_open, ftruncate, mmap, close, unlink (and munmap).
    Shm,
    /// The same with a first byte written, as memory that is used needs at least one page.
    ShmTouched,
    /// shm_open, mmap, close (and munmap) of what exists.
    ShmOpen,
    /// The crate `shared_memory`.
    #[cfg(feature = "shared_memory")]
    SharedMemory,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Outlive => "outlive",
            Self::Spsc => "outlive-spsc",
            Self::SpscBatch => "outlive-spsc-64",
            Self::Bytes => "outlive-bytes",
            Self::BytesInPlace => "outlive-bytes-grant",
            Self::Broadcast => "outlive-broadcast",
            Self::LoanSmall => "outlive-loan-64B",
            Self::LoanLarge => "outlive-loan-4MiB",
            Self::CacheLine => "cache-line",
            Self::TwoLines => "two-cache-lines",
            Self::Futex => "futex",
            Self::GlibcPlain => "glibc-plain",
            Self::GlibcRobust => "glibc-robust",
            #[cfg(all(feature = "shared_memory", feature = "raw_sync"))]
            Self::RawSync => "raw_sync",
            Self::Pipe => "pipe",
            Self::UnixSocket => "unix-socket",
            Self::CopyRing => "copy-ring",
            Self::Memcpy => "memcpy",
            Self::Rtrb => "rtrb-threads",
            Self::ArrayQueue => "crossbeam-threads",
            Self::Shm => "shm",
            Self::ShmTouched => "shm-touched",
            Self::ShmOpen => "shm-open",
            #[cfg(feature = "shared_memory")]
            Self::SharedMemory => "shared_memory",
        })
    }
}

/// Sends messages of `W` words.
pub(crate) trait Outbox<const W: usize> {
    fn send(&mut self, message: [u64; W]) -> Result<()>;
}

/// Receives them.
pub(crate) trait Inbox<const W: usize> {
    fn receive(&mut self) -> Result<[u64; W]>;
}

/// A counter in shared memory and the lock that protects it.
pub(crate) trait LockedCounter {
    /// One lock, increment, unlock.
    fn increment(&self) -> Result<()>;
    fn value(&self) -> Result<u64>;
}

/// A lock that survives its holder.
pub(crate) trait RobustLock: LockedCounter {
    /// Takes the lock, increments, and never unlocks.
    fn hold_for_good(&self) -> Result<()>;
    /// Waits for a lock whose holder dies, repairs and unlocks it. Returns the clock at the moment
    /// it had the lock.
    fn lock_after_death(&self) -> Result<u64>;
}

/// Which side of a two-way link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Parent,
    Child,
}

/// How another process reaches what was prepared: whichever of these the peer uses.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Access {
    /// The name of a segment.
    pub(crate) segment: String,
    /// Descriptors to read from and to write to.
    pub(crate) descriptors: Option<(RawFd, RawFd)>,
}

/// What the parent keeps while a run lasts.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) parent: Access,
    pub(crate) child: Access,
    _segment: Option<ours::Host>,
    #[cfg(all(feature = "shared_memory", feature = "raw_sync"))]
    _raw_sync: Option<raw_sync::Counter>,
    _descriptors: Option<descriptors::Pairs>,
    _ring: Option<OwnedFd>,
}

impl Prepared {
    /// Creates what `peer` needs before its parties attach.
    pub(crate) fn new(peer: Peer, memory: &Memory) -> Result<Self> {
        let mut this = Self {
            parent: Access::default(),
            child: Access::default(),
            _segment: None,
            #[cfg(all(feature = "shared_memory", feature = "raw_sync"))]
            _raw_sync: None,
            _descriptors: None,
            _ring: None,
        };
        match peer {
            Peer::Outlive
            | Peer::Spsc
            | Peer::SpscBatch
            | Peer::Bytes
            | Peer::BytesInPlace
            | Peer::Broadcast
            | Peer::LoanSmall
            | Peer::LoanLarge => {
                let host = match peer {
                    Peer::LoanSmall | Peer::LoanLarge => {
                        ours::Host::with_capacity(loans::capacity(peer))?
                    }
                    _ => ours::Host::create()?,
                };
                host.name().clone_into(&mut this.parent.segment);
                host.name().clone_into(&mut this.child.segment);
                this._segment = Some(host);
            }
            Peer::GlibcPlain => glibc::Shared::create(memory, glibc::Kind::Plain)?,
            Peer::GlibcRobust => glibc::Shared::create(memory, glibc::Kind::Robust)?,
            #[cfg(all(feature = "shared_memory", feature = "raw_sync"))]
            Peer::RawSync => {
                let counter = raw_sync::Counter::create()?;
                counter.id().clone_into(&mut this.parent.segment);
                counter.id().clone_into(&mut this.child.segment);
                this._raw_sync = Some(counter);
            }
            Peer::Pipe | Peer::UnixSocket => {
                let pairs = match peer {
                    Peer::Pipe => descriptors::Pairs::pipes()?,
                    _ => descriptors::Pairs::sockets()?,
                };
                this.parent.descriptors = Some(pairs.parent());
                this.child.descriptors = Some(pairs.child());
                this._descriptors = Some(pairs);
            }
            Peer::CopyRing => {
                let ring = copy_ring::create()?;
                this.parent.descriptors = copy_ring::access(&ring);
                this.child.descriptors = copy_ring::access(&ring);
                this._ring = Some(ring);
            }
            // All-zero memory is what these begin with, or they need nothing.
            _ => {}
        }
        Ok(this)
    }
}

/// A workload was asked for a peer that it does not know.
pub(crate) fn unsupported<T>(peer: Peer) -> Result<T> {
    failed(format!("{peer} cannot take part in this"))
}
