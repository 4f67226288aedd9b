//! The ends of a byte queue, for `wait_any`.

use super::ByteQueue;
use crate::error::LockError;
use crate::sync::wait_any::{Wait, Words, pass_on};

/// A [`ByteQueue`] that is waited for to hold a message, by [`wait_any`](crate::wait_any). Closed
/// counts: `try_pop` returns at once. So does a message that another consumer has in its hands, whoever
/// takes it in the end.
#[derive(Debug, Clone)]
pub struct ReadableBytes(ByteQueue);

/// A [`ByteQueue`] that is waited for to have room for a message of a certain length, by
/// [`wait_any`](crate::wait_any). Closed counts, and so does a length that never fits: `try_push`
/// returns at once.
#[derive(Debug, Clone)]
pub struct WritableBytes {
    queue: ByteQueue,
    length: usize,
}

impl ByteQueue {
    /// The queue, for [`wait_any`](crate::wait_any) to wait until it holds a message or is closed.
    #[must_use]
    pub fn readable(&self) -> ReadableBytes {
        ReadableBytes(self.clone())
    }

    /// The queue, for [`wait_any`](crate::wait_any) to wait until it has room for a message of
    /// `length` bytes or is closed.
    #[must_use]
    pub fn writable(&self, length: usize) -> WritableBytes {
        WritableBytes { queue: self.clone(), length }
    }
}

impl WritableBytes {
    fn has_room(&self) -> bool {
        self.queue.takes(self.length)
    }
}

#[allow(private_interfaces)] // sealed
impl Wait for ReadableBytes {
    fn words(&self) -> usize {
        2
    }

    fn is_ready(&self) -> Result<bool, LockError> {
        self.0.inner.writable()?;
        Ok(self.0.has_message())
    }

    fn announce<'a>(&'a self, words: &mut Words<'a>) -> Result<(), LockError> {
        let queue = self.0.inner.writable()?;
        words.event(&queue.not_empty.event);
        words.beside(&queue.tail.lock);
        Ok(())
    }

    fn woken(&self) {
        let Ok(queue) = self.0.inner.writable() else { return };
        pass_on(&queue.not_empty.event, self.0.has_message());
    }
}

#[allow(private_interfaces)] // sealed
impl Wait for WritableBytes {
    fn words(&self) -> usize {
        2
    }

    fn is_ready(&self) -> Result<bool, LockError> {
        self.queue.inner.writable()?;
        Ok(self.has_room())
    }

    fn announce<'a>(&'a self, words: &mut Words<'a>) -> Result<(), LockError> {
        let queue = self.queue.inner.writable()?;
        words.event(&queue.not_full.event);
        words.beside(&queue.head.lock);
        Ok(())
    }

    // Nothing to pass on: all who wait for room are woken.
}
