//! Bare futex ping-pong: the plain best form of sleeping and waking, one wake for each message and
//! no bookkeeping of who sleeps, as the other side always does.

use std::sync::atomic::Ordering;

use super::mailbox::{self, Mailbox};
use super::{Inbox, Outbox, Side};
use crate::support::memory::Memory;
use crate::support::{Result, futex};

/// A two-way link over two futex words.
#[derive(Debug)]
pub(crate) struct Link<'a, const W: usize> {
    out: &'a Mailbox,
    inbound: &'a Mailbox,
    received: u32,
    previous: u64,
}

impl<'a, const W: usize> Link<'a, W> {
    pub(crate) fn attach(memory: &'a Memory, side: Side) -> Self {
        let (out, inbound) = mailbox::pair(memory, side);
        Self { out, inbound, received: 0, previous: 0 }
    }
}

impl<const W: usize> Outbox<W> for Link<'_, W> {
    #[inline]
    fn send(&mut self, message: [u64; W]) -> Result<()> {
        self.out.put(message);
        // Only this side writes it. Release: pairs with the acquire in `receive`.
        let signal = &self.out.signal;
        signal.store(signal.load(Ordering::Relaxed).wrapping_add(1), Ordering::Release);
        futex::wake(signal, 1);
        Ok(())
    }
}

impl<const W: usize> Inbox<W> for Link<'_, W> {
    #[inline]
    fn receive(&mut self) -> Result<[u64; W]> {
        while self.inbound.signal.load(Ordering::Acquire) == self.received {
            futex::wait(&self.inbound.signal, self.received, None);
        }
        self.received = self.received.wrapping_add(1);
        let message = self.inbound.take::<W>(self.previous).ok_or("a signal without a message")?;
        self.previous = message[W - 1];
        Ok(message)
    }
}
