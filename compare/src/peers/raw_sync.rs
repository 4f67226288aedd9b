//! The crates `shared_memory` and `raw_sync`: one place for a message, and two of `raw_sync`'s events
//! that tell whose turn it is.

// Both crates hand out raw pointers.
#![allow(unsafe_code)]

use nix::sys::mman::shm_unlink;
use raw_sync::Timeout;
use raw_sync::events::{BusyEvent, Event, EventImpl, EventInit, EventState};
use shared_memory::{Shmem, ShmemConf};

use super::{Address, Peer};
use crate::message::{Inbox, Message, Outbox};
use crate::stage::processes;
use crate::support::{Failure, Result, failed, watchdog};
use crate::work::Setup;

pub(crate) const PEERS: &[Peer] = &[
    Peer {
        name: "raw_sync",
        what: "a place for one message in `shared_memory`, and two of `raw_sync`'s events; sleeps",
        package: Some("raw_sync"),
        answer: super::answer::<Channel<Event>>,
        play: processes::play::<Channel<Event>>,
    },
    Peer {
        name: "raw_sync-busy",
        what: "the same with `BusyEvent`, which spins",
        package: Some("raw_sync"),
        answer: super::answer::<Channel<BusyEvent>>,
        play: processes::play::<Channel<BusyEvent>>,
    },
];

/// Where things are from the start of the memory on; the message comes last.
const FULL: usize = 0;
const FREE: usize = 512;
const LENGTH: usize = 1024;
const BYTES: usize = 1088;

/// One side's mapping, with the events in it.
struct Channel<E> {
    // Before the memory that they are in.
    full: Box<dyn EventImpl>,
    free: Box<dyn EventImpl>,
    memory: Shmem,
    room: usize,
    kind: std::marker::PhantomData<E>,
}

fn error(what: &str, error: impl std::fmt::Display) -> Failure {
    format!("{what}: {error}").into()
}

/// Best effort: usually it is gone already.
fn remove(name: &str) {
    let _ = shm_unlink(name);
}

impl<E: EventInit> Channel<E> {
    fn open(address: &Address, setup: &Setup) -> Result<Self> {
        let conf = ShmemConf::new().os_id(&address.name);
        let memory = conf.open().map_err(|e| error("shared_memory: open", e))?;
        let room = setup.work.bytes;
        if memory.len() < BYTES + room {
            return failed("shared_memory: opened less than was created");
        }
        // SAFETY: both events were made at these places before anybody was told of the memory,
        // which stays mapped as long as they are used.
        let (full, free) = unsafe {
            (
                E::from_existing(memory.as_ptr().add(FULL)),
                E::from_existing(memory.as_ptr().add(FREE)),
            )
        };
        let (full, _) = full.map_err(|e| error("raw_sync: from_existing", e))?;
        let (free, _) = free.map_err(|e| error("raw_sync: from_existing", e))?;
        Ok(Self { full, free, memory, room, kind: std::marker::PhantomData })
    }

    /// The bytes for a message of this length.
    fn bytes(&self, length: usize) -> Result<*mut u8> {
        if length > self.room {
            return failed(format!("a message of {length} bytes where {} fit", self.room));
        }
        // SAFETY: within the memory, which is `BYTES + room` long.
        Ok(unsafe { self.memory.as_ptr().add(BYTES) })
    }

    fn length(&self) -> *mut usize {
        // SAFETY: within the memory, and aligned as that begins at a page.
        unsafe { self.memory.as_ptr().add(LENGTH).cast() }
    }
}

impl<E: EventInit> super::Channel for Channel<E> {
    const VARYING: bool = true;

    type Sender = Self;
    type Receiver = Self;

    fn create(setup: &Setup) -> Result<Self> {
        let room = setup.work.bytes;
        let conf = ShmemConf::new().size(BYTES + room);
        let memory = conf.create().map_err(|e| error("shared_memory: create", e))?;
        watchdog::on_abort(memory.get_os_id(), remove);
        let at = memory.as_ptr();
        assert!(E::size_of(Some(at)) <= FREE - FULL, "an event is larger than the room for it");
        // SAFETY: new memory with room for both, of which nobody else knows.
        let (full, free) = unsafe { (E::new(at.add(FULL), true), E::new(at.add(FREE), true)) };
        let (full, _) = full.map_err(|e| error("raw_sync: new", e))?;
        let (free, _) = free.map_err(|e| error("raw_sync: new", e))?;
        free.set(EventState::Signaled).map_err(|e| error("raw_sync: set", e))?;
        Ok(Self { full, free, memory, room, kind: std::marker::PhantomData })
    }

    fn address(&self) -> Address {
        Address::named(self.memory.get_os_id())
    }

    fn sender(address: &Address, setup: &Setup) -> Result<Self> {
        Self::open(address, setup)
    }

    fn receiver(address: &Address, setup: &Setup) -> Result<Self> {
        Self::open(address, setup)
    }
}

impl<E> Drop for Channel<E> {
    fn drop(&mut self) {
        if self.memory.is_owner() {
            watchdog::removed(self.memory.get_os_id());
        }
    }
}

impl<E: EventInit> Outbox for Channel<E> {
    #[inline]
    fn send(&mut self, message: Message) -> Result<()> {
        let at = self.bytes(message.length)?;
        self.free.wait(Timeout::Infinite).map_err(|e| error("raw_sync: wait", e))?;
        // SAFETY: the event says that nobody else uses the length and the bytes now; any bytes are
        // valid for both.
        unsafe {
            self.length().write(message.length);
            message.write(std::slice::from_raw_parts_mut(at, message.length));
        }
        self.full.set(EventState::Signaled).map_err(|e| error("raw_sync: set", e))
    }
}

impl<E: EventInit> Inbox for Channel<E> {
    #[inline]
    fn receive(&mut self) -> Result<Message> {
        self.full.wait(Timeout::Infinite).map_err(|e| error("raw_sync: wait", e))?;
        // SAFETY: as in `send`, of the sender.
        let length = unsafe { self.length().read() };
        let at = self.bytes(length)?;
        // SAFETY: as above, and `bytes` checked the length.
        let message = Message::read(unsafe { std::slice::from_raw_parts(at, length) });
        self.free.set(EventState::Signaled).map_err(|e| error("raw_sync: set", e))?;
        message
    }
}
