//! A task queue, for `wait_any`.

use super::TaskQueue;
use crate::error::LockError;
use crate::shared::Shared;
use crate::sync::wait_any::{Wait, Words, pass_on};

/// A [`TaskQueue`] that is waited for to have a task, by [`wait_any`](crate::wait_any). The end counts:
/// `try_pop` returns at once.
#[derive(Debug, Clone)]
pub struct ReadableTasks<T>(TaskQueue<T>);

impl<T: Shared> TaskQueue<T> {
    /// The queue, for [`wait_any`](crate::wait_any) to wait until it has a task, a dead holder's
    /// included, or until it is closed and every task is finished.
    #[must_use]
    pub fn readable(&self) -> ReadableTasks<T> {
        ReadableTasks(self.clone())
    }

    fn is_readable(&self) -> bool {
        let board = &self.board;
        board.ready() != 0 || board.has_dead() || (board.is_closed() && self.unfinished() == 0)
    }
}

#[allow(private_interfaces)] // sealed
impl<T: Shared> Wait for ReadableTasks<T> {
    fn words(&self) -> usize {
        self.0.board.watched_words()
    }

    fn is_ready(&self) -> Result<bool, LockError> {
        self.0.board.inner.writable()?;
        Ok(self.0.is_readable())
    }

    fn announce<'a>(&'a self, words: &mut Words<'a>) -> Result<(), LockError> {
        words.event(&self.0.board.inner.writable()?.not_empty);
        self.0.board.watch_deaths(words);
        Ok(())
    }

    fn woken(&self) {
        self.0.board.bury_watched();
        pass_on(&self.0.board.inner.not_empty, self.0.is_readable());
    }
}
