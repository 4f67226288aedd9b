//! The queues for threads of one process that ours are held against.

use crossbeam_queue::ArrayQueue;

use super::{Inbox, Outbox};
use crate::support::Result;
use crate::support::cpu::Patience;

/// The sending end of an `rtrb` ring.
#[derive(Debug)]
pub(crate) struct RtrbSender(pub(crate) rtrb::Producer<u64>, pub(crate) Patience);

/// The sending ends of several such rings, into each of which every message goes.
#[derive(Debug)]
pub(crate) struct RtrbToAll(pub(crate) Vec<RtrbSender>);

impl Outbox<1> for RtrbToAll {
    #[inline]
    fn send(&mut self, message: [u64; 1]) -> Result<()> {
        self.0.iter_mut().try_for_each(|ring| ring.send(message))
    }
}

/// The receiving end.
#[derive(Debug)]
pub(crate) struct RtrbReceiver(pub(crate) rtrb::Consumer<u64>, pub(crate) Patience);

impl Outbox<1> for RtrbSender {
    #[inline]
    fn send(&mut self, [word]: [u64; 1]) -> Result<()> {
        self.1.until(|| self.0.push(word).ok());
        Ok(())
    }
}

impl Inbox<1> for RtrbReceiver {
    #[inline]
    fn receive(&mut self) -> Result<[u64; 1]> {
        Ok([self.1.until(|| self.0.pop().ok())])
    }
}

/// One thread's use of a queue for many threads.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shared<'a>(pub(crate) &'a ArrayQueue<u64>, pub(crate) Patience);

impl Outbox<1> for Shared<'_> {
    #[inline]
    fn send(&mut self, [word]: [u64; 1]) -> Result<()> {
        self.1.until(|| self.0.push(word).ok());
        Ok(())
    }
}

impl Inbox<1> for Shared<'_> {
    #[inline]
    fn receive(&mut self) -> Result<[u64; 1]> {
        Ok([self.1.until(|| self.0.pop())])
    }
}
