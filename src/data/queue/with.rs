//! Messages that are put to use before they are taken.

use std::cell::Cell;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Queue;
use crate::data::attempt::{Attempt, popped, popped_in_time, settle};
use crate::data::cells::filled;
use crate::error::{LockError, PopError};
use crate::layout;
use crate::raw::deadline::Deadline;
use crate::raw::event_count::Notify;
use crate::raw::lock::{Acquired, Release};
use crate::shared::Shared;

/// The head's lock, held; a message that was not taken, as after a panic, is left to the next one.
struct Head<'a> {
    queue: &'a layout::Queue,
    taken: bool,
}

impl Drop for Head<'_> {
    fn drop(&mut self) {
        // Not in a child that was forked meanwhile.
        if !self.queue.head.lock.names_this_thread() {
            return;
        }
        if self.taken {
            self.queue.not_full.event.notify(Notify::One);
        } else {
            self.queue.head.stop();
            // It may be this one that was woken for it.
            self.queue.not_empty.event.notify(Notify::One);
        }
        self.queue.head.lock.unlock(Release::Clean);
    }
}

impl<T: Shared> Queue<T> {
    fn attempt_with<R>(
        &self,
        deadline: Deadline,
        work: &Cell<Option<impl FnOnce(&T) -> R>>,
    ) -> Result<Attempt<R>, LockError> {
        let queue = self.inner.writable()?;
        if !self.has_message() {
            return Ok(Attempt::Unready);
        }
        if queue.head.lock.lock(deadline)? == Acquired::OwnerDied {
            self.recover_head(queue);
        }
        let mut head = Head { queue, taken: false };
        // Before the message: what was pushed before the close is there then.
        // Acquire: pairs with the Release in `close`.
        let closed = queue.closed.load(Ordering::Acquire) != 0;
        let position = queue.head.position.load(Ordering::Relaxed);
        let found = self
            .cells
            .cell(position)
            // Acquire: pairs with the Release in `put`.
            .filter(|(stamp, _)| stamp.load(Ordering::Acquire) == filled(position));
        let Some((_, slot)) = found else {
            return Ok(if closed { Attempt::Closed } else { Attempt::Unready });
        };
        queue.head.begin(position);
        let Some(message) = slot.read().check() else {
            // Taken as well, or it would block the queue for ever.
            queue.head.advance(position);
            head.taken = true;
            return Err(LockError::Corrupt { what: "a message" });
        };
        let Some(work) = work.take() else { return Ok(Attempt::Unready) };
        let result = work(&message);
        // This takes the message.
        queue.head.advance(position);
        head.taken = true;
        Ok(Attempt::Done(result))
    }

    fn pop_with_until<R>(
        &self,
        deadline: Deadline,
        work: impl FnOnce(&T) -> R,
    ) -> Result<R, PopError> {
        let work = Cell::new(Some(work));
        let producers = (&self.inner.not_empty.event, &self.inner.tail.lock);
        let attempt = || self.attempt_with(deadline, &work);
        popped_in_time(settle(producers, deadline, || self.has_message(), attempt))
    }

    /// Puts the oldest message to use and takes it then; sleeps while the queue is empty. Other
    /// consumers wait until `work` returns.
    ///
    /// A process that is killed in `work` has not taken the message: the next consumer gets it, unless
    /// the queue is one that drops it then ([`OnDeath::Drop`](crate::OnDeath::Drop)). After a panic the
    /// next one gets it always.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let segment = outlive::Segment::anonymous()?;
    /// let (jobs, done) = (segment.queue::<u64>("jobs", 10)?, segment.counter("done")?);
    /// jobs.push(7)?;
    /// // Whenever this process is killed: what was not done is still in the queue.
    /// jobs.pop_with(|job| done.add(*job as i64))??;
    /// assert_eq!((done.get(), jobs.len()), (7, 0));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`pop`](Self::pop); `work` was not called then.
    pub fn pop_with<R>(&self, work: impl FnOnce(&T) -> R) -> Result<R, PopError> {
        self.pop_with_until(self.inner.forever(), work)
    }

    /// [`pop_with`](Self::pop_with), if there is a message. Other consumers are waited for.
    ///
    /// # Errors
    ///
    /// Those of [`try_pop`](Self::try_pop).
    pub fn try_pop_with<R>(&self, work: impl FnOnce(&T) -> R) -> Result<R, PopError> {
        let work = Cell::new(Some(work));
        popped(self.attempt_with(self.inner.forever(), &work))
    }

    /// [`pop_with`](Self::pop_with), sleeping for at most `timeout`.
    ///
    /// # Errors
    ///
    /// Those of [`pop_timeout`](Self::pop_timeout).
    pub fn pop_with_timeout<R>(
        &self,
        timeout: Duration,
        work: impl FnOnce(&T) -> R,
    ) -> Result<R, PopError> {
        self.pop_with_until(self.inner.within(timeout), work)
    }
}
