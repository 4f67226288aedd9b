//! A line of message and another that tells of its arrival: what it takes bare if any 64 bytes may
//! be a message, so that none of them can tell.

use std::sync::atomic::Ordering;

use super::mailbox::{self, Mailbox};
use super::{Inbox, Outbox, Side};
use crate::support::Result;
use crate::support::cpu::Patience;
use crate::support::memory::Memory;

/// A two-way link over two lines each way.
#[derive(Debug)]
pub(crate) struct Link<'a, const W: usize> {
    out: &'a Mailbox,
    inbound: &'a Mailbox,
    sent: u32,
    received: u32,
    previous: u64,
    patience: Patience,
}

impl<'a, const W: usize> Link<'a, W> {
    pub(crate) fn attach(memory: &'a Memory, side: Side, patience: Patience) -> Self {
        let (out, inbound) = mailbox::pair(memory, side);
        Self { out, inbound, sent: 0, received: 0, previous: 0, patience }
    }
}

impl<const W: usize> Outbox<W> for Link<'_, W> {
    #[inline]
    fn send(&mut self, message: [u64; W]) -> Result<()> {
        self.out.put(message);
        self.sent = self.sent.wrapping_add(1);
        // Release: pairs with the acquire in `receive`.
        self.out.signal.store(self.sent, Ordering::Release);
        Ok(())
    }
}

impl<const W: usize> Inbox<W> for Link<'_, W> {
    #[inline]
    fn receive(&mut self) -> Result<[u64; W]> {
        let (signal, before) = (&self.inbound.signal, self.received);
        self.patience.until(|| (signal.load(Ordering::Acquire) != before).then_some(()));
        self.received = self.received.wrapping_add(1);
        let message = self.inbound.take::<W>(self.previous).ok_or("a signal without a message")?;
        self.previous = message[W - 1];
        Ok(message)
    }
}
