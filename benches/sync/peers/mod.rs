//! The implementations that are compared, behind the few traits that the workloads drive.

pub(crate) mod bare;
pub(crate) mod glibc;
pub(crate) mod ours;

use std::fmt;

use outlive::Waiting;
use serde::{Deserialize, Serialize};

use crate::support::cpu::Patience;
use crate::support::memory::Memory;
use crate::support::{Result, failed};

/// Names each implementation.
macro_rules! peers {
    ($($(#[$meta:meta])* $peer:ident = $name:literal,)*) => {
        /// An implementation.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        pub(crate) enum Peer { $($(#[$meta])* $peer,)* }

        impl fmt::Display for Peer {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $(Self::$peer => $name,)* })
            }
        }
    };
}

peers! {
    Mutex = "outlive-mutex",
    ReentrantMutex = "outlive-reentrant",
    RwLock = "outlive-rwlock",
    Value = "outlive-value",
    Latest = "outlive-latest",
    Condvar = "outlive-condvar",
    Semaphore = "outlive-semaphore",
    Barrier = "outlive-barrier",
    Once = "outlive-once",
    OnceValue = "outlive-once-value",
    Event = "outlive-event",
    /// The same, never sleeping.
    EventSpinning = "outlive-event-spin",
    AnyOf1 = "outlive-any-of-1",
    AnyOf8 = "outlive-any-of-8",

    /// Process-shared all of them.
    GlibcPlain = "glibc-plain",
    GlibcRobust = "glibc-robust",
    GlibcRecursive = "glibc-recursive",
    GlibcRobustRecursive = "glibc-robust-rec",
    GlibcRwLock = "glibc-rwlock",
    GlibcSemaphore = "glibc-sem",
    GlibcCondvar = "glibc-cond",
    GlibcBarrier = "glibc-barrier",

    /// Sleeping and waking, and no bookkeeping of who sleeps.
    Futex = "futex",
    /// The same on several words at a time.
    FutexOf8 = "futex-waitv-8",
    /// A word that one side writes and the other one watches.
    CacheLine = "cache-line",
    /// One load.
    AtomicLoad = "atomic-load",
    /// The same bytes copied, with nothing that keeps them together.
    Memcpy = "memcpy",
}

impl Peer {
    /// Whether it lives in a segment of the library.
    pub(crate) fn is_ours(self) -> bool {
        self.to_string().starts_with("outlive")
    }
}

/// A counter in shared memory and the lock that protects it.
pub(crate) trait LockedCounter {
    /// One lock, increment, unlock.
    fn increment(&self) -> Result<()>;
    fn value(&self) -> Result<u64>;
}

/// Two words under a lock that readers share; equal unless somebody reads a half-made change.
pub(crate) trait SharedPair {
    fn read(&self) -> Result<[u64; 2]>;
    /// Adds one to both.
    fn write(&self) -> Result<()>;
}

/// One side of a ping-pong without a message.
pub(crate) trait Signals {
    fn signal(&mut self) -> Result<()>;
    fn wait(&mut self) -> Result<()>;
}

/// Where several meet.
pub(crate) trait Rounds {
    /// Waits for the others.
    fn meet(&mut self) -> Result<()>;
}

/// A value of `W` words that is read and written whole.
pub(crate) trait Cell<const W: usize> {
    fn get(&mut self) -> Result<[u64; W]>;
    fn set(&mut self, value: [u64; W]) -> Result<()>;
}

/// Which side of a ping-pong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Parent,
    Child,
}

/// What the parent keeps while a run lasts.
#[derive(Debug)]
pub(crate) struct Prepared {
    host: Option<ours::Host>,
}

impl Prepared {
    /// Creates what `peer` needs before its parties attach; a barrier is for `processes`.
    pub(crate) fn new(peer: Peer, memory: &Memory, processes: usize) -> Result<Self> {
        let host = if peer.is_ours() {
            Some(ours::Host::create()?)
        } else {
            glibc::create(peer, memory, processes)?;
            None
        };
        Ok(Self { host })
    }

    /// The name of the segment, if there is one.
    pub(crate) fn segment(&self) -> &str {
        self.host.as_ref().map_or("", ours::Host::name)
    }
}

/// A workload was asked for a peer that it does not know.
pub(crate) fn unsupported<T>(peer: Peer) -> Result<T> {
    failed(format!("{peer} cannot take part in this"))
}

/// Something that can be done with any counter.
pub(crate) trait UsesCounter {
    type Outcome;
    fn with(self, counter: &impl LockedCounter) -> Result<Self::Outcome>;
}

/// Opens the counter of `peer` and uses it.
pub(crate) fn with_counter<U: UsesCounter>(
    peer: Peer,
    memory: &Memory,
    segment: &str,
    user: U,
) -> Result<U::Outcome> {
    match peer {
        Peer::Mutex => user.with(&ours::MutexCounter::attach(segment)?),
        Peer::ReentrantMutex => user.with(&ours::ReentrantCounter::attach(segment)?),
        Peer::Value => user.with(&ours::ValueCounter::attach(segment)?),
        Peer::Semaphore => user.with(&ours::SemaphoreCounter::attach(segment, memory)?),
        Peer::GlibcPlain
        | Peer::GlibcRobust
        | Peer::GlibcRecursive
        | Peer::GlibcRobustRecursive => user.with(glibc::Mutex::attach(memory)),
        Peer::GlibcRwLock => user.with(glibc::RwLock::attach(memory)),
        Peer::GlibcSemaphore => user.with(glibc::Semaphore::attach(memory)),
        peer => unsupported(peer),
    }
}

/// Something that can be done with any lock that readers share.
pub(crate) trait UsesPair {
    type Outcome;
    fn with(self, pair: &impl SharedPair) -> Result<Self::Outcome>;
}

/// Opens the pair of `peer` and uses it.
pub(crate) fn with_pair<U: UsesPair>(
    peer: Peer,
    memory: &Memory,
    segment: &str,
    user: U,
) -> Result<U::Outcome> {
    match peer {
        Peer::RwLock => user.with(&ours::RwLockPair::attach(segment)?),
        Peer::GlibcRwLock => user.with(glibc::RwLock::attach(memory)),
        peer => unsupported(peer),
    }
}

/// Something that can be done with any way of signalling.
pub(crate) trait UsesSignals {
    type Outcome;
    fn with(self, signals: impl Signals) -> Result<Self::Outcome>;
}

/// Opens one side of the link of `peer` and uses it.
pub(crate) fn with_signals<U: UsesSignals>(
    peer: Peer,
    memory: &Memory,
    segment: &str,
    side: Side,
    patience: Patience,
    user: U,
) -> Result<U::Outcome> {
    match peer {
        Peer::Event => user.with(ours::Events::link(segment, side, Waiting::Adaptive)?),
        Peer::EventSpinning => user.with(ours::Events::link(segment, side, Waiting::Spin)?),
        Peer::AnyOf1 => user.with(ours::AnyOf::<1>::link(segment, side)?),
        Peer::AnyOf8 => user.with(ours::AnyOf::<8>::link(segment, side)?),
        Peer::Condvar => user.with(ours::Condvars::link(segment, side)?),
        Peer::GlibcSemaphore => user.with(glibc::Semaphores::link(memory, side)),
        Peer::GlibcCondvar => user.with(glibc::Condvars::link(memory, side)),
        Peer::Futex => user.with(bare::Futex::link(memory, side)),
        Peer::FutexOf8 => user.with(bare::AnyFutex::<8>::link(memory, side)),
        Peer::CacheLine => user.with(bare::CacheLine::link(memory, side, patience)),
        peer => unsupported(peer),
    }
}

/// Something that can be done with any barrier.
pub(crate) trait UsesRounds {
    type Outcome;
    fn with(self, rounds: impl Rounds) -> Result<Self::Outcome>;
}

/// Opens the barrier of `peer`, which is for `parties`, and uses it.
pub(crate) fn with_rounds<U: UsesRounds>(
    peer: Peer,
    memory: &Memory,
    segment: &str,
    parties: usize,
    user: U,
) -> Result<U::Outcome> {
    match peer {
        Peer::Barrier => user.with(ours::BarrierRounds::attach(segment, parties)?),
        Peer::GlibcBarrier => user.with(glibc::Barrier::attach(memory)),
        peer => unsupported(peer),
    }
}

/// Something that can be done with any value.
pub(crate) trait UsesCell {
    type Outcome;
    fn with<const W: usize>(self, cell: impl Cell<W>) -> Result<Self::Outcome>;
}

/// Opens the value of `peer` and uses it.
pub(crate) fn with_cell<const W: usize, U: UsesCell>(
    peer: Peer,
    memory: &Memory,
    segment: &str,
    user: U,
) -> Result<U::Outcome>
where
    [u64; W]: outlive::Shared,
{
    match peer {
        Peer::Value => user.with(ours::ValueCell::<W>::attach(segment)?),
        Peer::Latest => user.with(ours::LatestCell::<W>::attach(segment)?),
        Peer::Memcpy => user.with(bare::Words::<W>::attach(memory)),
        peer => unsupported(peer),
    }
}
