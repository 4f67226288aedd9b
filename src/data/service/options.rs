//! What a service is created with.

use super::{Layout, MOST_BYTES};
use crate::data::Redeliver;
use crate::data::board::{Board, MOST_HANDS, Shape};
use crate::segment::object::Misfit;

/// What a [`Service`](crate::Service) is created with: [`Segment::service`](crate::Segment::service).
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use outlive::{Redeliver, Segment, ServiceOptions};
///
/// // Requests of up to 64 bytes, replies of up to 4096.
/// let options = ServiceOptions::new(64, 4096).clients(8).servers(2).requests(16);
/// // Requests that may be carried out twice go to another server if theirs dies.
/// let options = options.redeliver(Redeliver::UpTo(1));
/// let service = Segment::anonymous()?.service("lookup", options)?;
/// assert_eq!((service.max_request(), service.max_reply()), (64, 4096));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServiceOptions {
    layout: Numbers,
    requests: usize,
    redeliver: Redeliver,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Numbers {
    servers: usize,
    clients: usize,
    request: usize,
    reply: usize,
}

impl ServiceOptions {
    /// For requests and replies of at most so many bytes. For 32 clients, 16 servers and 32 requests at
    /// a time, if nothing else is said; a request fails when its server dies.
    #[must_use]
    pub fn new(request_bytes: usize, reply_bytes: usize) -> Self {
        let layout =
            Numbers { servers: 16, clients: 32, request: request_bytes, reply: reply_bytes };
        Self { layout, requests: 32, redeliver: Redeliver::Never }
    }

    /// How many clients there can be at a time: one for each thread that calls. With the servers, up to
    /// 256.
    #[must_use]
    pub fn clients(mut self, clients: usize) -> Self {
        self.layout.clients = clients;
        self
    }

    /// How many servers there can be at a time: one for each thread that serves.
    #[must_use]
    pub fn servers(mut self, servers: usize) -> Self {
        self.layout.servers = servers;
        self
    }

    /// How many requests can be under way at a time, of all clients together. Each takes the room for
    /// a request and a reply, and 64 bytes.
    #[must_use]
    pub fn requests(self, requests: usize) -> Self {
        Self { requests, ..self }
    }

    /// Whether a request goes to another server when the one that has it dies:
    /// [`Never`](Redeliver::Never), if this is not called. Then its client gets
    /// [`ServerDied`](crate::CallError::ServerDied).
    #[must_use]
    pub fn redeliver(self, redeliver: Redeliver) -> Self {
        Self { redeliver, ..self }
    }

    fn numbers(&self) -> Layout {
        let Numbers { servers, clients, request, reply } = self.layout;
        Layout { servers, clients, request, reply }
    }

    pub(super) fn shape(&self) -> Result<(Shape, Layout), &'static str> {
        let layout = self.numbers();
        if layout.servers == 0 || layout.clients == 0 {
            return Err("a service needs places for at least one client and one server");
        }
        let hands = layout.servers.saturating_add(layout.clients);
        if hands > MOST_HANDS {
            return Err("a service has places for at most 256 clients and servers together");
        }
        if self.requests == 0 || self.requests > MOST_BYTES / 64 {
            return Err("the number of requests at a time has to be from 1 to 2^26 - 1");
        }
        if layout.request > MOST_BYTES || layout.reply > MOST_BYTES {
            return Err("requests and replies have less than 4 GiB");
        }
        let (capacity, limit) = (self.requests, self.redeliver.limit());
        Ok((Shape { capacity, hands, limit, stride: layout.stride() }, layout))
    }

    pub(super) fn compare(&self, board: &Board, found: Layout) -> Result<(), Misfit> {
        let wanted = self.numbers();
        let shape = [
            ("length of requests", found.request, wanted.request),
            ("length of replies", found.reply, wanted.reply),
            ("number of clients", found.clients, wanted.clients),
            ("number of servers", found.servers, wanted.servers),
            ("number of requests", board.capacity(), self.requests),
        ];
        if let Some((what, found, wanted)) = shape.into_iter().find(|(_, f, w)| f != w) {
            return Err((what, found as u64, wanted as u64));
        }
        match (board.limit(), self.redeliver.limit()) {
            (found, wanted) if found != wanted => {
                Err(("limit of deliveries (0 is none)", found, wanted))
            }
            _ => Ok(()),
        }
    }
}
