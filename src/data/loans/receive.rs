//! From a handle to its chunk.
#![allow(unsafe_code)] // bytes that are checked before they become values

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::LoanPool;
use super::chunk::{GENERATIONS, Held, State};
use super::content::{self, Content};
use super::guard::Loaned;
use super::handle::LoanHandle;
use super::search::INDEX;
use crate::data::Queue;
use crate::error::{LockError, PopError, ReceiveError};
use crate::raw::deadline::Deadline;
use crate::raw::lock::Acquired;

/// How long to wait for a chunk's lock before looking whether the handle is still good: who received
/// it first may keep it. Under the model, time does not pass.
const MOMENT: Duration = if cfg!(loom) { Duration::MAX } else { Duration::from_millis(10) };

impl LoanPool {
    /// The chunk of a handle, still as it was sent.
    #[inline]
    fn take_sent(&self, handle: LoanHandle) -> Result<Held<'_>, ReceiveError> {
        self.inner.writable()?;
        let index = (handle.place & INDEX) as usize;
        let chunk = self
            .chunk(index)
            .filter(|_| handle.place & !INDEX == self.tag && handle.generation & !GENERATIONS == 0);
        let Some(chunk) = chunk else { return Err(ReceiveError::NotOfThisPool) };
        let sent = State::sent(handle.generation);
        if chunk.state() != sent {
            return Err(ReceiveError::Stale);
        }
        let mut acquired = chunk.lock.try_lock();
        while let Err(LockError::WouldBlock | LockError::TimedOut { .. }) = acquired {
            // Its sender is handing it over still, or somebody has received it.
            acquired = chunk.lock.lock(Deadline::after(MOMENT).with(self.inner.waiting));
            if acquired.is_err() && chunk.state() != sent {
                return Err(ReceiveError::Stale);
            }
        }
        let acquired = acquired?;
        let state = chunk.state();
        if state != sent {
            if state.is_sent() {
                chunk.let_go(acquired);
            } else {
                if acquired == Acquired::OwnerDied {
                    self.count_returned(chunk);
                }
                drop(Held::new(self, chunk, index));
            }
            return Err(ReceiveError::Stale);
        }
        if acquired == Acquired::OwnerDied {
            // Its sender died, after it had handed it over; or another receiver, before it was one.
            chunk.lock.mark_consistent();
        }
        Ok(Held::new(self, chunk, index))
    }

    /// The chunk that a handle was sent for, to be read in place. If its sender is handing it over
    /// still ([`Loan::send_with`](super::Loan::send_with)), waits until it has done so.
    ///
    /// A handle is good once. To receive it while it is still in its queue
    /// ([`receive_from`](Self::receive_from), [`Queue::pop_with`](crate::Queue::pop_with),
    /// [`ByteQueue::read`](crate::ByteQueue::read), [`Consumer::read_chunk`](crate::Consumer)) has no
    /// death lose the chunk: a process that is killed with a handle that it has popped takes it along,
    /// until [`reclaim`](Self::reclaim).
    ///
    /// # Errors
    ///
    /// [`Stale`](ReceiveError::Stale), [`NotOfThisPool`](ReceiveError::NotOfThisPool),
    /// [`WrongType`](ReceiveError::WrongType); [`Lock`](ReceiveError::Lock), with
    /// [`Corrupt`](LockError::Corrupt) if the content is none of its type,
    /// [`TooManyLocks`](LockError::TooManyLocks), [`ReadOnly`](LockError::ReadOnly).
    #[inline]
    pub fn receive<C: Content + ?Sized>(
        &self,
        handle: LoanHandle,
    ) -> Result<Loaned<'_, C>, ReceiveError> {
        let held = self.take_sent(handle)?;
        let chunk = held.chunk;
        // Relaxed: under the lock.
        let length = chunk.length.load(Ordering::Relaxed);
        if chunk.tag.load(Ordering::Relaxed) != C::TAG {
            // It stays sent.
            chunk.let_go(Acquired::Clean);
            std::mem::forget(held);
            let length = usize::try_from(length).unwrap_or(usize::MAX);
            return Err(ReceiveError::WrongType { expected: content::name::<C>(), length });
        }
        let received = chunk.state().received();
        // From here on it is this thread's, and no handle leads to it.
        chunk.set(received);
        let place = usize::try_from(length)
            .ok()
            .and_then(|length| self.run(held.index, length))
            .and_then(C::locate)
            // SAFETY: within the chunk, which its lock keeps to this thread.
            .filter(|place| unsafe { C::is_valid(*place) });
        let Some(place) = place else {
            return Err(LockError::Corrupt { what: "a chunk's content" }.into());
        };
        Ok(Loaned::new(held, received.generation(), place))
    }

    /// Gives the chunk of a handle back to the pool, whatever it holds.
    ///
    /// # Errors
    ///
    /// Those of [`receive`](Self::receive) but for what concerns the content.
    ///
    /// # Crash behaviour
    ///
    /// Discarded or not. With [`Queue::pop_with`], a process that is killed in between leaves the handle
    /// in the queue: for the next consumer it is [`Stale`](ReceiveError::Stale).
    pub fn discard(&self, handle: LoanHandle) -> Result<(), ReceiveError> {
        let held = self.take_sent(handle)?;
        held.chunk.set(held.chunk.state().received());
        Ok(())
    }

    /// Receives the chunk of the oldest handle in a queue; sleeps while the queue is empty.
    ///
    /// The handle is taken out of the queue when the chunk was received. Handles that are stale, as of
    /// a consumer that died in between, are passed over.
    ///
    /// # Errors
    ///
    /// Those of [`receive`](Self::receive), but for [`Stale`](ReceiveError::Stale);
    /// [`Pop`](ReceiveError::Pop) with those of [`Queue::pop`].
    ///
    /// # Crash behaviour
    ///
    /// A process that is killed meanwhile has received it or not: the chunk goes back to the pool, or
    /// the handle is still in the queue, for the next consumer.
    pub fn receive_from<C: Content + ?Sized>(
        &self,
        queue: &Queue<LoanHandle>,
    ) -> Result<Loaned<'_, C>, ReceiveError> {
        self.receive_by(|| queue.pop_with(|handle| self.receive(*handle)))
    }

    /// [`receive_from`](Self::receive_from), if there is a handle.
    ///
    /// # Errors
    ///
    /// Those of [`receive_from`](Self::receive_from) and [`Queue::try_pop`].
    pub fn try_receive_from<C: Content + ?Sized>(
        &self,
        queue: &Queue<LoanHandle>,
    ) -> Result<Loaned<'_, C>, ReceiveError> {
        self.receive_by(|| queue.try_pop_with(|handle| self.receive(*handle)))
    }

    /// [`receive_from`](Self::receive_from), sleeping for at most `timeout` while there is no handle.
    ///
    /// # Errors
    ///
    /// Those of [`receive_from`](Self::receive_from) and [`Queue::pop_timeout`].
    pub fn receive_from_timeout<C: Content + ?Sized>(
        &self,
        queue: &Queue<LoanHandle>,
        timeout: Duration,
    ) -> Result<Loaned<'_, C>, ReceiveError> {
        let until = Instant::now().checked_add(timeout);
        self.receive_by(|| {
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            queue.pop_with_timeout(left.unwrap_or(timeout), |handle| self.receive(*handle))
        })
    }

    /// Each attempt takes a handle out of a queue.
    fn receive_by<'a, C: Content + ?Sized>(
        &'a self,
        attempt: impl Fn() -> Result<Result<Loaned<'a, C>, ReceiveError>, PopError>,
    ) -> Result<Loaned<'a, C>, ReceiveError> {
        loop {
            match attempt()? {
                Err(ReceiveError::Stale) => {}
                outcome => return outcome,
            }
        }
    }
}
