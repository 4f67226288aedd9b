//! One call's place: whose it is, its bytes, and what becomes of it.

use std::sync::atomic::Ordering;

use super::Service;
use crate::data::board::{Kind, Locked};
use crate::layout::ServicePlace;
use crate::raw::bytes::Run;
use crate::raw::event_count::Notify;

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u64)]
pub(super) enum Outcome {
    Reply = 1,
    Unanswered = 2,
    /// So is any other word: something else wrote it.
    Died = 3,
}

/// The half of `lengths` that says how long a reply is.
const REPLY: u32 = 32;

impl ServicePlace {
    /// Whose request it is.
    pub(super) fn client(&self) -> Option<usize> {
        let client = self.client.load(Ordering::Relaxed).checked_sub(1)?;
        usize::try_from(client).ok()
    }

    pub(super) fn outcome(&self) -> Outcome {
        match self.outcome.load(Ordering::Relaxed) {
            1 => Outcome::Reply,
            2 => Outcome::Unanswered,
            _ => Outcome::Died,
        }
    }
}

impl Service {
    pub(super) fn call(&self, place: usize) -> Option<&ServicePlace> {
        self.calls.get(place)
    }

    fn run(&self, place: usize, offset: usize, length: usize) -> Option<Run> {
        self.bytes.run(place.checked_mul(self.shape.stride())?.checked_add(offset)?, length)
    }

    /// Before READY: by the client.
    pub(super) fn write_request(&self, place: usize, client: usize, request: &[u8]) {
        let Some(call) = self.call(place) else { return };
        call.client.store(client as u64 + 1, Ordering::Relaxed);
        call.lengths.store(request.len() as u64, Ordering::Relaxed);
        call.outcome.store(0, Ordering::Relaxed);
        if let Some(run) = self.run(place, size_of::<ServicePlace>(), request.len()) {
            run.write(request);
        }
    }

    /// While it is TAKEN: by its server.
    pub(super) fn read_request(&self, place: usize) -> Option<Vec<u8>> {
        let length = self.call(place)?.lengths.load(Ordering::Relaxed) as u32 as usize;
        if length > self.shape.request {
            return None;
        }
        let mut request = Vec::new();
        self.run(place, size_of::<ServicePlace>(), length)?.append_to(&mut request);
        Some(request)
    }

    /// While it is TAKEN: by its server.
    pub(super) fn write_reply(&self, place: usize, reply: &[u8]) {
        let Some(call) = self.call(place) else { return };
        let request = call.lengths.load(Ordering::Relaxed) & u64::from(u32::MAX);
        call.lengths.store(request | (reply.len() as u64) << REPLY, Ordering::Relaxed);
        if let Some(run) = self.run(place, self.shape.reply_offset(), reply.len()) {
            run.write(reply);
        }
    }

    /// While it is ANSWERED: by its client.
    pub(super) fn read_reply(&self, place: usize) -> Option<Vec<u8>> {
        let length = (self.call(place)?.lengths.load(Ordering::Relaxed) >> REPLY) as usize;
        if length > self.shape.reply {
            return None;
        }
        let mut reply = Vec::new();
        self.run(place, self.shape.reply_offset(), length)?.append_to(&mut reply);
        Some(reply)
    }

    // ---- under the lock

    /// A request that a server has is over. False if nobody waits for that.
    pub(super) fn answer(&self, locked: &Locked<'_>, place: usize, outcome: Outcome) -> bool {
        let Some(call) = self.call(place) else { return false };
        if call.client().is_none_or(|client| !locked.is_used(client)) {
            locked.release(place);
            return false;
        }
        call.outcome.store(outcome as u64, Ordering::Relaxed);
        // This answers it.
        locked.answer(place);
        call.event.notify(Notify::All);
        true
    }

    /// The server that has a request died.
    pub(super) fn server_died(&self, locked: &Locked<'_>, place: usize) {
        let Some(call) = self.call(place) else { return };
        let (attempts, limit) = (call.task.attempts(), self.board.limit());
        if call.client().is_some() && (limit == 0 || attempts < limit) {
            locked.put_back(place, attempts);
            locked.count_redelivered();
        } else {
            self.answer(locked, place, Outcome::Died);
        }
    }

    /// A client does not wait for a request any more.
    pub(super) fn abandon(&self, locked: &Locked<'_>, place: usize) {
        let Some(call) = self.call(place) else { return };
        match call.task.kind() {
            Kind::Ready => locked.withdraw(place),
            Kind::Answered => locked.release(place),
            // Its server frees the place.
            Kind::Taken => call.client.store(0, Ordering::Relaxed),
            Kind::Free | Kind::Kept => {}
        }
    }

    /// A client goes, or has died.
    pub(super) fn forget_client(&self, locked: &Locked<'_>, client: usize) {
        let is_its = |place: &usize| {
            let call = self.call(*place);
            call.is_some_and(|call| call.task.kind() != Kind::Free && call.client() == Some(client))
        };
        (0..self.board.capacity()).filter(is_its).for_each(|place| self.abandon(locked, place));
    }
}
