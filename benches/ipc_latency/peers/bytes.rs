//! `outlive::ByteQueue`, used without ever sleeping.

use outlive::{BytePushError, ByteQueue, PopError, Segment};

use super::{Inbox, Outbox};
use crate::support::cpu::Patience;
use crate::support::{Result, failed};

/// A queue with room for so many messages of `W` words, each behind a word of header.
fn attach<const W: usize>(segment: &str, capacity: usize) -> Result<ByteQueue> {
    let bytes = capacity * size_of::<[u64; W]>() + capacity * size_of::<u64>();
    Ok(Segment::open(segment)?.byte_queue("bytes", bytes)?)
}

/// Messages are copied in and out.
#[derive(Debug)]
pub(crate) struct Copied<const W: usize> {
    queue: ByteQueue,
    buffer: Vec<u8>,
    patience: Patience,
}

impl<const W: usize> Copied<W> {
    pub(crate) fn attach(segment: &str, capacity: usize, patience: Patience) -> Result<Self> {
        Ok(Self { queue: attach::<W>(segment, capacity)?, buffer: Vec::new(), patience })
    }
}

impl<const W: usize> Outbox<W> for Copied<W> {
    #[inline]
    fn send(&mut self, message: [u64; W]) -> Result<()> {
        let bytes = bytemuck::bytes_of(&message);
        self.patience.until(|| match self.queue.try_push(bytes) {
            Ok(()) => Some(Ok(())),
            Err(BytePushError::Full) => None,
            Err(error) => Some(failed(format!("try_push: {error}"))),
        })
    }
}

impl<const W: usize> Inbox<W> for Copied<W> {
    #[inline]
    fn receive(&mut self) -> Result<[u64; W]> {
        let Self { queue, buffer, patience } = self;
        patience.until(|| match queue.try_pop_into(buffer) {
            Ok(()) => Some(Ok(())),
            Err(PopError::Empty) => None,
            Err(error) => Some(failed(format!("try_pop_into: {error}"))),
        })?;
        words(buffer)
    }
}

/// Messages are written and read where they are.
#[derive(Debug)]
pub(crate) struct InPlace<const W: usize> {
    queue: ByteQueue,
    patience: Patience,
}

impl<const W: usize> InPlace<W> {
    pub(crate) fn attach(segment: &str, capacity: usize, patience: Patience) -> Result<Self> {
        Ok(Self { queue: attach::<W>(segment, capacity)?, patience })
    }
}

impl<const W: usize> Outbox<W> for InPlace<W> {
    #[inline]
    fn send(&mut self, message: [u64; W]) -> Result<()> {
        let bytes = bytemuck::bytes_of(&message);
        let mut grant = self.patience.until(|| match self.queue.try_grant(bytes.len()) {
            Ok(grant) => Some(Ok(grant)),
            Err(BytePushError::Full) => None,
            Err(error) => Some(failed(format!("try_grant: {error}"))),
        })?;
        grant.copy_from_slice(bytes);
        grant.commit();
        Ok(())
    }
}

impl<const W: usize> Inbox<W> for InPlace<W> {
    #[inline]
    fn receive(&mut self) -> Result<[u64; W]> {
        let message = self.patience.until(|| match self.queue.try_read() {
            Ok(message) => Some(Ok(message)),
            Err(PopError::Empty) => None,
            Err(error) => Some(failed(format!("try_read: {error}"))),
        })?;
        words(&message)
    }
}

#[inline]
fn words<const W: usize>(bytes: &[u8]) -> Result<[u64; W]> {
    match bytemuck::try_pod_read_unaligned(bytes) {
        Ok(words) => Ok(words),
        Err(_) => failed(format!("a message of {} bytes arrived", bytes.len())),
    }
}
