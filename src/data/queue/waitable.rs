//! The ends of a queue, for `wait_any`.

use super::Queue;
use crate::error::LockError;
use crate::shared::Shared;
use crate::sync::wait_any::{Wait, Words, pass_on};

/// A [`Queue`] that is waited for to hold a message, by [`wait_any`](crate::wait_any). Closed counts:
/// `try_pop` returns at once.
#[derive(Debug, Clone)]
pub struct Readable<T>(Queue<T>);

/// A [`Queue`] that is waited for to have room, by [`wait_any`](crate::wait_any). Closed counts:
/// `try_push` returns at once.
#[derive(Debug, Clone)]
pub struct Writable<T>(Queue<T>);

impl<T: Shared> Queue<T> {
    /// The queue, for [`wait_any`](crate::wait_any) to wait until it holds a message or is closed.
    #[must_use]
    pub fn readable(&self) -> Readable<T> {
        Readable(self.clone())
    }

    /// The queue, for [`wait_any`](crate::wait_any) to wait until it has room or is closed.
    #[must_use]
    pub fn writable(&self) -> Writable<T> {
        Writable(self.clone())
    }
}

#[allow(private_interfaces)] // sealed
impl<T: Shared> Wait for Readable<T> {
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
impl<T: Shared> Wait for Writable<T> {
    fn words(&self) -> usize {
        2
    }

    fn is_ready(&self) -> Result<bool, LockError> {
        self.0.inner.writable()?;
        Ok(self.0.has_room())
    }

    fn announce<'a>(&'a self, words: &mut Words<'a>) -> Result<(), LockError> {
        let queue = self.0.inner.writable()?;
        words.event(&queue.not_full.event);
        words.beside(&queue.head.lock);
        Ok(())
    }

    fn woken(&self) {
        let Ok(queue) = self.0.inner.writable() else { return };
        pass_on(&queue.not_full.event, self.0.has_room());
    }
}
