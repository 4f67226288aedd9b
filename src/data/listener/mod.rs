//! `Listener`: private pipes for whoever connects by name.
//!
//! # Words
//!
//! So many places, each a pipe (`data::pipe`): the first end is that of who accepted, the second that
//! of who connected. A place is free when neither end is held; that is all that says so, and a death
//! frees it without anybody's doing. Acceptors have shares (`sync::shares`), so that it is known whether
//! anybody listens.
//!
//! A place's `ticket` says what its second end's holder waits for. Tickets are drawn from
//! `Listener.ticket`, which counts them, so those who connect are accepted in order:
//!
//! | `ticket` | meaning | next |
//! |---|---|---|
//! | `0` | nobody waits | who connects: `2t` |
//! | `2t` | the holder of the second end waits to be accepted | an acceptor: `2t + 1` |
//! | `2t + 1` | accepted | who connects, once the place is free: `0`, and `2t'` |
//!
//! All of these are written under the listener's lock. With it
//!
//! * who connects looks for a free place, clears its queues (under their own locks, so that one who is
//!   just dying with them has left), takes the second end, and stores the ticket (Release), which
//!   publishes the rest. Then it waits, without the lock, for the ticket to change.
//! * an acceptor looks for the lowest ticket that waits and whose second end is held, takes the first
//!   end, and stores that it is accepted (Release).
//!
//! Who gives up while it waits lets go of its end, and that is all: a ticket whose second end is not
//! held is nobody's.
//!
//! # What a death leaves behind
//!
//! * who connects, before the ticket is stored or while it waits: a place that is free.
//! * who connects, once it was accepted: a pipe whose other end is gone, as at any later time.
//! * an acceptor, between taking the first end and accepting: a ticket that waits; the next acceptor
//!   takes the first end over. If there is none, who connected hears that nobody listens: it sleeps on
//!   the words of the acceptors' shares.
//! * an acceptor after that, before it wakes who connected: as above, and that one finds itself
//!   accepted, with the other end gone.
//! * any end of a connection: its place may be free. Who waits for one sleeps on a word of each place.

mod accept;
mod connect;

use std::fmt;
use std::sync::atomic::Ordering;

use crate::data::pipe::{Flow, Pipe};
use crate::error::{LockError, ObjectError};
use crate::layout::{self, Share};
use crate::raw::deadline::Deadline;
use crate::raw::event_count::Notify;
use crate::raw::lock::{Acquired, Release};
use crate::segment::Segment;
use crate::segment::object::{Mechanics, Misfit, ObjectKind};
use crate::segment::region::{Extent, Located, Series};
use crate::shared::Shared;
use crate::sync::shares;

pub use accept::Acceptor;

/// Gives each process that connects by name a private duplex pipe with one that accepts. Opened by
/// name: [`Segment::listener`].
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use outlive::{ListenerOptions, Segment};
///
/// # let name = format!("doc-listener-{}", std::process::id());
/// # let name = name.as_str();
/// let segment = Segment::create(name)?;
/// // In the server:
/// let acceptor = segment.listener("front desk", ListenerOptions::default())?.acceptor()?;
/// # let theirs = name.to_owned();
/// # let client = std::thread::spawn(move || {
/// #     let name = theirs.as_str();
/// #     let run = || -> Result<(), Box<dyn std::error::Error>> {
/// // In any number of clients:
/// let end = Segment::open(name)?.connect("front desk")?;
/// end.send_bytes(b"how late is it?")?;
/// assert_eq!(end.recv_bytes()?, b"too late");
/// #         Ok(())
/// #     };
/// #     run().expect("a client");
/// # });
/// // In the server:
/// let end = acceptor.accept()?;
/// assert_eq!(end.recv_bytes()?, b"how late is it?");
/// end.send_bytes(b"too late")?;
/// # client.join().expect("join");
/// # Ok(())
/// # }
/// ```
///
/// Several threads and processes may accept, each with an [`Acceptor`] of its own: a connection's end
/// belongs to the thread that accepted it. Those who connect are accepted in the order in which they
/// found a place. There are [`connections`](ListenerOptions::connections) places, for those who wait and
/// for connections; one is free again when both its ends are gone.
///
/// # Crash behaviour
///
/// Connections are [`Pipe`]s, and each end hears of the other's death as theirs do. A process that
/// dies while it connects leaves nothing behind; an acceptor that dies before it has accepted leaves
/// who waits to the others, and if it was the last one, they are told that nobody listens
/// ([`NoListener`](crate::ConnectError::NoListener)). A place whose ends died is free at once, and wakes
/// who waits for one (beyond the sixty first connections, within 100 ms).
///
/// # Memory ordering
///
/// What was written before a connection was asked for is seen by who accepted it, and the other way
/// round.
#[derive(Clone)]
pub struct Listener {
    inner: Located<layout::Listener>,
    acceptors: Series<Share>,
    /// The heads of the pipes.
    places: Series<layout::Pipe>,
    /// All of it, to make pipes of.
    extent: Extent,
    options: ListenerOptions,
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener")
            .field("place", &self.inner)
            .field("options", &self.options)
            .field("acceptors", &self.acceptors())
            .finish_non_exhaustive()
    }
}

/// The shape of a new [`Listener`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ListenerOptions {
    /// How many connections there can be at a time, those included that wait to be accepted: from 1 to
    /// 1000.
    pub connections: usize,
    /// The bytes of room of each connection in each direction: see [`Pipe`](crate::Pipe#room). Twice as
    /// many are taken for each, at once.
    pub capacity: usize,
    /// How many [`Acceptor`]s there can be at a time: from 1 to 60.
    pub acceptors: usize,
}

impl Default for ListenerOptions {
    /// 16 connections of 16 KiB each way, and 16 acceptors.
    fn default() -> Self {
        Self { connections: 16, capacity: 16 << 10, acceptors: 16 }
    }
}

const MOST_CONNECTIONS: usize = 1000;
/// Who connects sleeps on all of their words, and as many of others.
const MOST_ACCEPTORS: usize = 60;

/// What a place's ticket says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ticket {
    None,
    Waits(u64),
    Accepted(u64),
}

impl Ticket {
    fn from_word(word: u64) -> Self {
        match (word, word & 1) {
            (0, _) => Self::None,
            (_, 0) => Self::Waits(word >> 1),
            _ => Self::Accepted(word >> 1),
        }
    }

    fn word(self) -> u64 {
        match self {
            Self::None => 0,
            Self::Waits(number) => number << 1,
            Self::Accepted(number) => number << 1 | 1,
        }
    }
}

fn ticket(place: &layout::Pipe) -> Ticket {
    // Acquire: pairs with the Release in `set_ticket`.
    Ticket::from_word(place.ticket.load(Ordering::Acquire))
}

/// With the listener's lock held.
fn set_ticket(place: &layout::Pipe, ticket: Ticket) {
    // Release: pairs with the Acquire in `ticket`: the ends and queues are as they are to be.
    place.ticket.store(ticket.word(), Ordering::Release);
}

impl Listener {
    fn locked<R>(
        &self,
        deadline: Deadline,
        work: impl FnOnce(&layout::Listener) -> R,
    ) -> Result<R, LockError> {
        let node = self.inner.writable()?;
        if node.lock.lock(deadline)? == Acquired::OwnerDied {
            // It may not have come to it. Nothing else is half-done.
            node.arrivals.event.notify(Notify::All);
            node.changes.event.notify(Notify::All);
            node.lock.mark_consistent();
        }
        let result = work(node);
        node.lock.unlock(Release::Clean);
        Ok(result)
    }

    fn places(&self) -> impl Iterator<Item = (usize, &layout::Pipe)> {
        (0..self.options.connections).filter_map(|index| Some((index, self.places.get(index)?)))
    }

    fn acceptor_shares(&self) -> impl Iterator<Item = &Share> {
        (0..self.options.acceptors).map_while(|index| self.acceptors.get(index))
    }

    /// The pipe of a place.
    fn pipe(&self, index: usize) -> Result<Pipe, LockError> {
        let corrupt = |what| LockError::Corrupt { what };
        let stride = stride(self.options.capacity).map_err(corrupt)?;
        let part = self.extent.part(self.offset() + index * stride, stride);
        let part = part.ok_or(corrupt("a listener's connections"))?;
        Pipe::of_listener(&part, self.inner.clone()).map_err(corrupt)
    }

    /// Where the pipes begin.
    fn offset(&self) -> usize {
        places_offset(self.options.acceptors)
    }

    /// How many live threads accept connections.
    #[must_use]
    pub fn acceptors(&self) -> usize {
        self.acceptor_shares().filter(|share| is_held(share)).count()
    }

    /// How many places are taken: by connections with an end that is not gone, and by those who wait to
    /// be accepted.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.places().filter(|(_, place)| is_taken(place)).count()
    }

    /// The shape that it was created with.
    #[must_use]
    pub fn options(&self) -> ListenerOptions {
        self.options
    }
}

/// Whether a live thread holds a share. What it did before it let go, or died, is seen then.
fn is_held(share: &Share) -> bool {
    share.lock.look().is_held()
}

/// Whether an end of a place is held.
fn is_taken(place: &layout::Pipe) -> bool {
    is_held(&place.first) || is_held(&place.second)
}

/// Does the kernel's part where it did not do it, for a few at each turn, since that is a system call
/// for each.
fn bury_some<'a>(shares: impl Iterator<Item = &'a Share> + Clone, turn: usize) {
    const FEW: usize = 8;
    let count = shares.clone().count().max(1);
    shares.skip(turn.wrapping_mul(FEW) % count).take(FEW).for_each(shares::bury_if_gone);
}

const SHARES: usize = size_of::<layout::Listener>();

const fn places_offset(acceptors: usize) -> usize {
    SHARES + acceptors * size_of::<Share>()
}

/// From one place to the next.
fn stride(capacity: usize) -> Result<usize, &'static str> {
    let size = Pipe::size(&(capacity, Flow::Duplex))?;
    usize::try_from(size).map_err(|_| "its capacity is too large to be addressed")
}

impl ListenerOptions {
    fn check(&self) -> Result<(), &'static str> {
        if !(1..=MOST_CONNECTIONS).contains(&self.connections) {
            return Err("the number of its connections has to be from 1 to 1000");
        }
        if !(1..=MOST_ACCEPTORS).contains(&self.acceptors) {
            return Err("the number of its acceptors has to be from 1 to 60");
        }
        Ok(())
    }
}

#[cfg(feature = "process")]
crate::segment::passing::passes!(Listener, inner);

impl Segment {
    /// The [`Listener`] of that name, created if there is none.
    ///
    /// # Errors
    ///
    /// See [`find_or_create`](Self::find_or_create).
    pub fn listener(&self, name: &str, options: ListenerOptions) -> Result<Listener, ObjectError> {
        self.find_or_create(name, options)
    }
}

#[allow(private_interfaces)] // sealed
impl Mechanics for Listener {
    type Init = ListenerOptions;

    const KIND: ObjectKind = ObjectKind::Listener;
    const TYPE_TAG: u64 = u8::TYPE_TAG;

    fn describe(f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Listener")
    }

    fn size(options: &ListenerOptions) -> Result<u64, &'static str> {
        options.check()?;
        // No overflow: a capacity is at most 8 GiB.
        Ok((places_offset(options.acceptors) + options.connections * stride(options.capacity)?)
            as u64)
    }

    fn initialise(extent: &Extent, options: ListenerOptions) -> Option<()> {
        let head = extent.head::<layout::Listener>()?;
        head.lock.reset();
        head.connections.store(options.connections as u64, Ordering::Relaxed);
        head.capacity.store(options.capacity as u64, Ordering::Relaxed);
        head.acceptors.store(options.acceptors as u64, Ordering::Relaxed);
        head.ticket.store(0, Ordering::Relaxed);
        head.arrivals.event.reset();
        head.changes.event.reset();
        let shares = extent.series::<Share>(SHARES, size_of::<Share>(), options.acceptors)?;
        for index in 0..options.acceptors {
            let share = shares.get(index)?;
            share.lock.reset();
            // Those who connect sleep on it.
            share.lock.expect_company();
            share.count.store(0, Ordering::Relaxed);
        }
        let (offset, stride) = (places_offset(options.acceptors), stride(options.capacity).ok()?);
        for index in 0..options.connections {
            let part = extent.part(offset + index * stride, stride)?;
            Pipe::initialise(&part, (options.capacity, Flow::Duplex))?;
        }
        Some(())
    }

    fn attach(extent: &Extent) -> Result<Self, &'static str> {
        let inner: Located<layout::Listener> =
            extent.head().ok_or("it is too small for a listener")?;
        let number = |word: u64| usize::try_from(word).map_err(|_| "its shape cannot be");
        let options = ListenerOptions {
            connections: number(inner.connections.load(Ordering::Relaxed))?,
            capacity: number(inner.capacity.load(Ordering::Relaxed))?,
            acceptors: number(inner.acceptors.load(Ordering::Relaxed))?,
        };
        options.check()?;
        let acceptors = extent
            .series(SHARES, size_of::<Share>(), options.acceptors)
            .ok_or("it is too small for its acceptors")?;
        let places = extent
            .series(
                places_offset(options.acceptors),
                stride(options.capacity)?,
                options.connections,
            )
            .ok_or("it is too small for its connections")?;
        Ok(Self { inner, acceptors, places, extent: extent.clone(), options })
    }

    fn fits(&self, options: &ListenerOptions) -> Result<(), Misfit> {
        let shape = [
            ("number of connections", self.options.connections, options.connections),
            ("capacity", self.options.capacity, options.capacity),
            ("number of acceptors", self.options.acceptors, options.acceptors),
        ];
        match shape.into_iter().find(|(_, found, wanted)| found != wanted) {
            Some((what, found, wanted)) => Err((what, found as u64, wanted as u64)),
            None => Ok(()),
        }
    }
}
