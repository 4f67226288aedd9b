//! Bare cache-line ping-pong: the message is the line. Nothing that moves data between two cores
//! can be faster, and nothing here survives anything.

use super::mailbox::{self, Mailbox};
use super::{Inbox, Outbox, Side};
use crate::support::Result;
use crate::support::cpu::Patience;
use crate::support::memory::Memory;

/// A two-way link over two lines.
#[derive(Debug)]
pub(crate) struct Link<'a, const W: usize> {
    out: &'a Mailbox,
    inbound: &'a Mailbox,
    previous: u64,
    patience: Patience,
}

impl<'a, const W: usize> Link<'a, W> {
    pub(crate) fn attach(memory: &'a Memory, side: Side, patience: Patience) -> Self {
        let (out, inbound) = mailbox::pair(memory, side);
        Self { out, inbound, previous: 0, patience }
    }
}

impl<const W: usize> Outbox<W> for Link<'_, W> {
    #[inline]
    fn send(&mut self, message: [u64; W]) -> Result<()> {
        self.out.put(message);
        Ok(())
    }
}

impl<const W: usize> Inbox<W> for Link<'_, W> {
    #[inline]
    fn receive(&mut self) -> Result<[u64; W]> {
        let message = self.patience.until(|| self.inbound.take::<W>(self.previous));
        self.previous = message[W - 1];
        Ok(message)
    }
}
