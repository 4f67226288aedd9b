//! `Service`: requests from many clients, replies from one or more servers.
//!
//! # Words
//!
//! A board (`data::board`), whose tasks are requests. A place has room for a request and its reply, and
//! is one call's from the request until the client has its reply: so a reply that comes late goes
//! nowhere, and never into a later call.
//!
//! | state | the place is | next |
//! |---|---|---|
//! | FREE | nobody's | READY, by a client that sends |
//! | READY | a request that waits | TAKEN by a server; FREE when its client gives up or dies |
//! | TAKEN | a request in a server's hands | ANSWERED, with `outcome`; FREE if `client` is 0; READY if its server dies and requests are redelivered |
//! | ANSWERED | what became of a request | FREE, by its client |
//!
//! `client` says whose request it is; a client that gives up a TAKEN one stores 0. Bytes of the request
//! are written by the client before READY, those of the reply by the server that has it TAKEN; all other
//! words under the board's lock.
//!
//! Each server and each client holds a hand of the board as long as it is one: the first ones are for
//! servers, the others for clients.
//!
//! # What a death leaves behind
//!
//! * of a server: a dead hand. Clients sleep on the words of the hands, too. The one that the kernel
//!   wakes goes through the dead one's requests: each waits again, or is ANSWERED with `DIED`, and its
//!   client is woken. If no server is left, all clients are.
//! * of a client: a dead hand. Whoever is short of a place, or finds nothing to do, frees its places; a
//!   server that takes a request looks whether its client lives. What a server has of it is freed when
//!   it replies.
//! * under the lock: see `data::board`. All clients are woken by who repairs.

mod client;
mod options;
mod place;
mod request;
mod server;
#[cfg(feature = "serde")]
mod typed;

use std::fmt;
use std::ops::Range;
use std::sync::atomic::Ordering;

use crate::data::board::{Board, Locked, Shape};
use crate::error::{LockError, ObjectError, ServiceError};
use crate::layout::{ServicePlace, Share};
use crate::raw::deadline::Deadline;
use crate::segment::Segment;
use crate::segment::object::{Mechanics, Misfit, ObjectKind};
use crate::segment::region::{Bytes, Extent, Series};
use crate::shared::Shared;

use place::Outcome;

pub use client::{Client, Pending};
pub use options::ServiceOptions;
pub use request::Request;
pub use server::Server;

/// Requests and replies, between any number of clients and one or more servers. Opened by name:
/// [`Segment::service`].
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use outlive::{Segment, ServiceOptions};
///
/// let service = Segment::anonymous()?.service("upper", ServiceOptions::new(100, 100))?;
/// std::thread::scope(|scope| {
///     // As a rule, another process.
///     scope.spawn(|| {
///         let server = service.server().unwrap();
///         while let Ok(mut request) = server.accept() {
///             let reply = request.to_ascii_uppercase();
///             // Fails if the client did not wait for it.
///             let _gone = request.reply(&reply);
///         }
///     });
///     let client = service.client()?;
///     assert_eq!(client.call(b"who is there?")?, b"WHO IS THERE?");
///     // Several at once:
///     let [first, second] = [client.send(b"one")?, client.send(b"two")?];
///     assert_eq!((second.wait()?, first.wait()?), (b"TWO".to_vec(), b"ONE".to_vec()));
///     service.close()?; // the server gets ServeError::Closed
///     Ok::<(), Box<dyn std::error::Error>>(())
/// })?;
/// # Ok(())
/// # }
/// ```
///
/// Requests are accepted in the order in which they were sent; several servers share them. A reply goes
/// to the call that asked, and to no other one, however late it comes.
///
/// # Room
///
/// Requests and replies are bytes, of any length up to what the service was created for. As many calls
/// can be under way at a time as there are [`requests`](ServiceOptions::requests); who sends one more
/// waits.
///
/// # Crash behaviour
///
/// A server killed with a request in its hands: the client gets
/// [`ServerDied`](crate::CallError::ServerDied) at once, woken by the kernel; or the request goes to
/// another server, as was chosen at the service's creation ([`ServiceOptions::redeliver`]). When all
/// servers have died or gone, calls that wait get [`NoServer`](crate::CallError::NoServer) at once.
/// Before there was the first one, they wait for it. A client killed while it waits leaves nothing
/// behind: its requests are dropped, or their replies are, and its places are free.
///
/// # Memory ordering
///
/// What was written before a request was sent is seen by who accepts it, and what was written before a
/// reply by who receives that.
pub struct Service {
    board: Board,
    calls: Series<ServicePlace>,
    bytes: Bytes,
    shape: Layout,
}

impl Clone for Service {
    fn clone(&self) -> Self {
        Self { board: self.board.clone(), ..*self }
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service")
            .field("place", &self.board.inner)
            .field("waiting", &self.waiting())
            .field("servers", &self.servers())
            .field("clients", &self.clients())
            .finish_non_exhaustive()
    }
}

/// How a service's memory is divided.
#[derive(Debug, Clone, Copy)]
struct Layout {
    servers: usize,
    clients: usize,
    /// Room for each, in bytes.
    request: usize,
    reply: usize,
}

/// The most bytes of a request or a reply: their numbers fit in half a word.
const MOST_BYTES: usize = u32::MAX as usize;

impl Layout {
    const fn reply_offset(self) -> usize {
        size_of::<ServicePlace>() + self.request.next_multiple_of(8)
    }

    /// From place to place, in bytes.
    const fn stride(self) -> usize {
        (self.reply_offset() + self.reply.next_multiple_of(8)).next_multiple_of(64)
    }

    fn server_hands(self) -> Range<usize> {
        0..self.servers
    }

    fn client_hands(self) -> Range<usize> {
        self.servers..self.servers + self.clients
    }
}

impl Service {
    fn forever(&self) -> Deadline {
        self.board.inner.forever()
    }

    fn take_hand(
        &self,
        role: &'static str,
        among: Range<usize>,
        then: impl Fn(&Locked<'_>),
    ) -> Result<usize, ServiceError> {
        let limit = among.len();
        let hand = self.board.locked(self.forever(), |locked| {
            let mut hand = locked.take_hand(among.clone())?;
            if hand.is_none() {
                self.reclaim(locked)?;
                hand = locked.take_hand(among)?;
            }
            if hand.is_some() {
                then(locked);
            }
            Ok::<_, LockError>(hand)
        })??;
        hand.ok_or(ServiceError::NoPlace { role, limit })
    }

    /// Makes this thread a client.
    ///
    /// # Errors
    ///
    /// [`NoPlace`](ServiceError::NoPlace): as many live clients as there are places;
    /// [`Lock`](ServiceError::Lock) with [`ReadOnly`](LockError::ReadOnly),
    /// [`TooManyLocks`](LockError::TooManyLocks).
    pub fn client(&self) -> Result<Client, ServiceError> {
        let hand = self.take_hand("client", self.shape.client_hands(), |_| {})?;
        Ok(Client::new(self.clone(), hand))
    }

    /// Makes this thread a server.
    ///
    /// # Errors
    ///
    /// Those of [`client`](Self::client).
    pub fn server(&self) -> Result<Server, ServiceError> {
        let hand = self.take_hand("server", self.shape.server_hands(), |locked| {
            locked.head.served.store(1, Ordering::Relaxed);
        })?;
        Ok(Server::new(self.clone(), hand))
    }

    /// Closes the service: nothing more can be sent, and servers get what is left and then
    /// [`ServeError::Closed`](crate::ServeError::Closed). Final, and without effect on a closed one.
    ///
    /// # Errors
    ///
    /// [`ReadOnly`](LockError::ReadOnly), [`TooManyLocks`](LockError::TooManyLocks).
    ///
    /// # Crash behaviour
    ///
    /// Closed or not.
    pub fn close(&self) -> Result<(), LockError> {
        self.board.close()
    }

    /// Whether the service was closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.board.is_closed()
    }

    /// How many requests wait for a server.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.board.ready()
    }

    fn live(&self, among: Range<usize>) -> usize {
        among.filter_map(|hand| self.board.hand(hand)).filter(|hand| hand.lock.is_held()).count()
    }

    /// How many servers there are.
    #[must_use]
    pub fn servers(&self) -> usize {
        self.live(self.shape.server_hands())
    }

    /// How many clients there are.
    #[must_use]
    pub fn clients(&self) -> usize {
        self.live(self.shape.client_hands())
    }

    /// The length in bytes of the longest request.
    #[must_use]
    pub fn max_request(&self) -> usize {
        self.shape.request
    }

    /// The length in bytes of the longest reply.
    #[must_use]
    pub fn max_reply(&self) -> usize {
        self.shape.reply
    }

    /// This handle, waiting in another manner. Clones of it, and clients and servers that it makes, wait
    /// as it does; other handles of the same object are not concerned.
    #[must_use]
    pub fn with_waiting(mut self, waiting: crate::Waiting) -> Self {
        self.board.inner.waiting = waiting;
        self
    }

    // ---- the dead, under the lock

    fn reclaim(&self, locked: &Locked<'_>) -> Result<(), LockError> {
        locked.reclaim(|index, hand| self.bury(locked, index, hand))
    }

    /// What a dead one had.
    fn bury(&self, locked: &Locked<'_>, index: usize, hand: &Share) {
        if index < self.shape.servers {
            self.give_up_all(locked, index, hand);
        } else {
            self.forget_client(locked, index);
        }
    }

    /// A server goes, or has died: so does what it has in its hands.
    fn give_up_all(&self, locked: &Locked<'_>, index: usize, hand: &Share) {
        locked.for_each_in(index, hand, |place| self.server_died(locked, place));
        let is_last =
            self.shape.server_hands().all(|other| other == index || !locked.is_used(other));
        if is_last {
            // Nobody is left to wait for.
            locked.wake_all();
        }
    }
}

#[cfg(feature = "process")]
crate::segment::passing::passes!(Service, board.inner);

impl Segment {
    /// The [`Service`] of that name, created with these options if there is none.
    ///
    /// # Errors
    ///
    /// See [`find_or_create`](Self::find_or_create).
    pub fn service(&self, name: &str, options: ServiceOptions) -> Result<Service, ObjectError> {
        self.find_or_create(name, options)
    }
}

const CONTRADICTORY: &str = "the numbers of its clients and servers contradict each other";

#[allow(private_interfaces)] // sealed
impl Mechanics for Service {
    type Init = ServiceOptions;

    const KIND: ObjectKind = ObjectKind::Service;
    const TYPE_TAG: u64 = u8::TYPE_TAG;

    fn describe(f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Service")
    }

    fn size(options: &ServiceOptions) -> Result<u64, &'static str> {
        let (shape, _) = options.shape()?;
        shape.size().ok_or("its requests take more room than can be addressed")
    }

    fn initialise(extent: &Extent, options: ServiceOptions) -> Option<()> {
        let (shape, layout) = options.shape().ok()?;
        Board::initialise(extent, &shape)?;
        let head = extent.head::<crate::layout::Board>()?;
        head.servers.store(layout.servers as u64, Ordering::Relaxed);
        head.served.store(0, Ordering::Relaxed);
        head.room.store(layout.request as u64 | (layout.reply as u64) << 32, Ordering::Relaxed);
        let calls = extent.series::<ServicePlace>(shape.places(), shape.stride, shape.capacity)?;
        for index in 0..shape.capacity {
            let call = calls.get(index)?;
            let words = [&call.client, &call.lengths, &call.outcome];
            words.iter().for_each(|word| word.store(0, Ordering::Relaxed));
            call.event.reset();
        }
        Some(())
    }

    fn attach(extent: &Extent) -> Result<Self, &'static str> {
        let head = extent.head::<crate::layout::Board>().ok_or("it is too small for a service")?;
        let room = head.room.load(Ordering::Relaxed);
        let servers = head.servers.load(Ordering::Relaxed);
        let (request, reply) = (room as u32 as usize, (room >> 32) as usize);
        let mut shape = Layout { servers: 0, clients: 0, request, reply };
        let board = Board::attach(extent, shape.stride())?;
        let hands = board.hand_count();
        shape.servers = usize::try_from(servers)
            .ok()
            .filter(|servers| (1..hands).contains(servers))
            .ok_or(CONTRADICTORY)?;
        shape.clients = hands - shape.servers;
        let (capacity, stride) = (board.capacity(), shape.stride());
        let places = Shape { capacity, hands, limit: 0, stride }.places();
        let calls = extent.series(places, stride, capacity).ok_or(CONTRADICTORY)?;
        let bytes = extent.bytes(places, stride * capacity).ok_or(CONTRADICTORY)?;
        Ok(Self { board: board.with_callers(calls), calls, bytes, shape })
    }

    fn fits(&self, options: &ServiceOptions) -> Result<(), Misfit> {
        options.compare(&self.board, self.shape)
    }
}
