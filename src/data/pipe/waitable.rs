//! The ends of a pipe, for `wait_any`.

use super::end::PipeEnd;
use crate::data::byte_queue::ByteQueue;
use crate::error::LockError;
use crate::layout::EventCount;
use crate::sync::wait_any::{Wait, Words, pass_on};

/// A [`PipeEnd`] that is waited for to have room for a message of a certain length, by
/// [`wait_any`](crate::wait_any). A broken pipe counts, and so does a length that never fits:
/// `try_send_bytes` returns at once.
#[derive(Debug)]
pub struct PipeWritable<'a> {
    end: &'a PipeEnd,
    length: usize,
}

impl PipeEnd {
    /// The end, for [`wait_any`](crate::wait_any) to wait until there is room for a message of `length`
    /// bytes, or the other end is gone.
    #[must_use]
    pub fn writable(&self, length: usize) -> PipeWritable<'_> {
        PipeWritable { end: self, length }
    }

    /// Where it is woken to receive; one that only sends, where the other end wakes it as it goes.
    fn wakes(&self) -> Option<&EventCount> {
        let receives = self.incoming().map(ByteQueue::not_empty);
        receives.or_else(|| self.outgoing().map(ByteQueue::not_full))
    }

    fn announce_beside<'a>(&'a self, event: Option<&'a EventCount>, words: &mut Words<'a>) {
        if let Some(event) = event {
            words.event(event);
        }
        words.beside(&self.other().lock);
    }

    /// After a sleep.
    fn look_after_other(&self) {
        // A death that the kernel does not report.
        self.other().lock.bury_if_dead();
    }
}

impl PipeWritable<'_> {
    fn has_room(&self) -> bool {
        self.end.outgoing().is_none_or(|queue| queue.takes(self.length)) || self.end.other_is_gone()
    }
}

#[allow(private_interfaces)] // sealed
impl Wait for PipeEnd {
    fn words(&self) -> usize {
        2
    }

    fn is_ready(&self) -> Result<bool, LockError> {
        self.check_mine()?;
        Ok(self.may_recv())
    }

    fn announce<'a>(&'a self, words: &mut Words<'a>) -> Result<(), LockError> {
        self.announce_beside(self.wakes(), words);
        Ok(())
    }

    fn woken(&self) {
        self.look_after_other();
        if let Some(queue) = self.incoming() {
            pass_on(queue.not_empty(), queue.has_message());
        }
    }
}

#[allow(private_interfaces)] // sealed
impl Wait for PipeWritable<'_> {
    fn words(&self) -> usize {
        2
    }

    fn is_ready(&self) -> Result<bool, LockError> {
        self.end.check_mine()?;
        Ok(self.has_room())
    }

    fn announce<'a>(&'a self, words: &mut Words<'a>) -> Result<(), LockError> {
        self.end.announce_beside(self.end.outgoing().map(ByteQueue::not_full), words);
        Ok(())
    }

    fn woken(&self) {
        self.end.look_after_other();
    }
}
