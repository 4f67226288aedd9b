//! `outlive::Broadcast`, which waits for slow subscribers, used without ever sleeping.

use outlive::{Broadcast, PushError, RecvError, Segment, Slow, Start, Subscriber};

use super::{Inbox, Outbox};
use crate::support::cpu::Patience;
use crate::support::{Result, failed};

fn attach(segment: &str, capacity: usize) -> Result<Broadcast<[u64; 1]>> {
    Ok(Segment::open(segment)?.broadcast("broadcast", capacity, Slow::Block)?)
}

/// Who sends to all.
#[derive(Debug)]
pub(crate) struct Publisher(Broadcast<[u64; 1]>, Patience);

impl Publisher {
    pub(crate) fn attach(segment: &str, capacity: usize, patience: Patience) -> Result<Self> {
        Ok(Self(attach(segment, capacity)?, patience))
    }
}

impl Outbox<1> for Publisher {
    #[inline]
    fn send(&mut self, message: [u64; 1]) -> Result<()> {
        self.1.until(|| match self.0.try_publish(message) {
            Ok(()) => Some(Ok(())),
            Err(PushError::Full(_)) => None,
            Err(error) => Some(failed(format!("try_publish: {error}"))),
        })
    }
}

/// One of those who receive all.
#[derive(Debug)]
pub(crate) struct Receiver(Subscriber<[u64; 1]>, Patience);

impl Receiver {
    pub(crate) fn attach(segment: &str, capacity: usize, patience: Patience) -> Result<Self> {
        Ok(Self(attach(segment, capacity)?.subscribe(Start::Newest)?, patience))
    }
}

impl Inbox<1> for Receiver {
    #[inline]
    fn receive(&mut self) -> Result<[u64; 1]> {
        self.1.until(|| match self.0.try_recv() {
            Ok(message) => Some(Ok(message)),
            Err(RecvError::Empty) => None,
            Err(error) => Some(failed(format!("try_recv: {error}"))),
        })
    }
}
