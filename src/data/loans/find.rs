//! Finding a chunk that is free, and waiting for one.

use std::hint::spin_loop;
use std::sync::atomic::Ordering;

use super::LoanPool;
use super::chunk::{Held, State};
use super::search;
use crate::error::{LoanError, LockError};
use crate::layout::LoanChunk;
use crate::raw::deadline::Deadline;
use crate::raw::event_count::Notify;
use crate::raw::lock::{Acquired, Release};
use crate::seam::atomic::AtomicU32;
use crate::seam::looks;
use crate::sync::shares::WATCHED;

/// Whether nobody holds the lock of a chunk, and it works.
fn is_abandoned(chunk: &LoanChunk) -> bool {
    let seen = chunk.lock.look();
    !seen.is_held() && !seen.is_closed()
}

impl LoanPool {
    /// The chunk of its class to look at first is this one.
    #[inline]
    pub(super) fn hint(&self, index: usize) {
        if let Some((number, class, _)) = self.shape.place(index)
            && let Some(hint) = self.inner.hints.get(number)
        {
            hint.store((index - class.first) as u64, Ordering::Relaxed);
        }
    }

    /// To be called after a chunk came back. Where sizes differ, the first who waits may not be the
    /// one whom it serves.
    #[inline]
    pub(super) fn tell(&self, whom: Notify) {
        let whom = if self.shape.classes.len() > 1 { Notify::All } else { whom };
        self.inner.returns.event.notify(whom);
    }

    pub(super) fn chunk(&self, index: usize) -> Option<&LoanChunk> {
        self.headers.get(index)
    }

    fn fitting(&self, length: usize) -> impl Iterator<Item = (usize, &LoanChunk)> {
        let indices = self.shape.fitting(length);
        indices.filter_map(|index| Some((index, self.chunk(index)?)))
    }

    /// With the lock of a dead holder's chunk, which is free now.
    #[cold]
    pub(super) fn count_returned(&self, chunk: &LoanChunk) {
        self.inner.returned.fetch_add(1, Ordering::Relaxed);
        chunk.lock.mark_consistent();
    }

    /// A chunk that is free, the dead ones' included.
    #[inline]
    fn take_free(&self, length: usize) -> Result<Option<Held<'_>>, LockError> {
        let classes = self.shape.classes.iter().zip(&self.inner.hints);
        for (class, hint) in classes.filter(|(class, _)| class.size >= length) {
            let start = hint.load(Ordering::Relaxed) as usize % class.count;
            for nth in (start..class.count).chain(0..start) {
                let index = class.first + nth;
                let Some(chunk) = self.chunk(index) else { break };
                if chunk.state().is_sent() || !is_abandoned(chunk) {
                    continue;
                }
                let Some((acquired, state)) = chunk.try_take()? else { continue };
                if state.is_sent() {
                    chunk.let_go(acquired);
                    continue;
                }
                if acquired == Acquired::OwnerDied {
                    self.count_returned(chunk);
                }
                hint.store(nth as u64 + 1, Ordering::Relaxed);
                return Ok(Some(Held::new(self, chunk, index)));
            }
        }
        Ok(None)
    }

    /// A chunk whose sender died before its handle was anywhere. One whose handle is somewhere is
    /// nobody's but its receiver's.
    #[cold]
    fn take_lost(&self, length: usize) -> Result<Option<Held<'_>>, LockError> {
        for (index, chunk) in self.fitting(length) {
            let seen = chunk.lock.look();
            if !chunk.state().is_sent() || seen.is_held() || !seen.is_inconsistent() {
                continue;
            }
            let Some((acquired, state)) = chunk.try_take()? else { continue };
            if acquired == Acquired::Clean {
                // Somebody else has found out.
                chunk.let_go(acquired);
                continue;
            }
            if state.is_sent() {
                match search::is_lost(self, index, state) {
                    Ok(true) => chunk.set(state.received()),
                    Ok(false) => {
                        chunk.lock.mark_consistent();
                        chunk.lock.unlock(Release::Clean);
                        continue;
                    }
                    Err(what) => {
                        chunk.let_go(acquired);
                        return Err(LockError::Corrupt { what });
                    }
                }
            }
            self.count_returned(chunk);
            return Ok(Some(Held::new(self, chunk, index)));
        }
        Ok(None)
    }

    fn take(&self, length: usize) -> Result<Option<Held<'_>>, LockError> {
        match self.take_free(length)? {
            Some(held) => Ok(Some(held)),
            None => self.take_lost(length),
        }
    }

    /// None for a deadline is an attempt.
    #[inline]
    pub(super) fn find(
        &self,
        length: usize,
        deadline: Option<Deadline>,
    ) -> Result<Held<'_>, LoanError> {
        let largest = self.shape.largest();
        if length > largest {
            return Err(LoanError::TooLarge { length, largest });
        }
        self.inner.writable()?;
        match self.take_free(length)? {
            Some(held) => Ok(held),
            None => self.find_slowly(length, deadline),
        }
    }

    #[cold]
    fn find_slowly(
        &self,
        length: usize,
        deadline: Option<Deadline>,
    ) -> Result<Held<'_>, LoanError> {
        if let Some(held) = self.take_lost(length)? {
            return Ok(held);
        }
        let Some(deadline) = deadline else {
            let (held, sent) = self.in_use(length);
            return Err(LoanError::Exhausted { length, held, sent });
        };
        let outcome = if deadline.waiting.sleeps() {
            self.sleep_until(length, deadline)
        } else {
            self.watch_until(length, deadline)
        };
        match outcome {
            Ok(Some(held)) => Ok(held),
            failed => {
                // It may have used up a wake-up that was meant for another one.
                self.tell(Notify::One);
                failed?;
                let (held, sent) = self.in_use(length);
                Err(LoanError::TimedOut { length, held, sent })
            }
        }
    }

    /// How many chunks that are large enough are held, and how many sent.
    fn in_use(&self, length: usize) -> (usize, usize) {
        let held = self.fitting(length).filter(|(_, chunk)| chunk.lock.is_held()).count();
        let sent = |chunk: &LoanChunk| !chunk.lock.is_held() && chunk.state().is_sent();
        (held, self.fitting(length).filter(|(_, chunk)| sent(chunk)).count())
    }

    /// Nobody else can give one back.
    fn check_deadlock(&self, length: usize, deadline: Deadline) -> Result<(), LockError> {
        let mut all = self.fitting(length);
        if deadline.is_endless() && all.all(|(_, chunk)| chunk.lock.names_this_thread()) {
            return Err(LockError::Deadlock);
        }
        Ok(())
    }

    /// Chunks are given back soon, as a rule: looks for some microseconds.
    fn spin(&self, length: usize) -> Result<Option<Held<'_>>, LockError> {
        for round in (5..=8).take(looks(usize::MAX)) {
            if let Some(held) = self.take_free(length)? {
                return Ok(Some(held));
            }
            for _ in 0..1_u32 << round {
                spin_loop();
            }
        }
        Ok(None)
    }

    /// None when the time is up.
    fn sleep_until(
        &self,
        length: usize,
        deadline: Deadline,
    ) -> Result<Option<Held<'_>>, LockError> {
        let event = &self.inner.returns.event;
        if deadline.waiting.looks_first()
            && let Some(held) = self.spin(length)?
        {
            return Ok(Some(held));
        }
        loop {
            self.check_deadlock(length, deadline)?;
            let announced = event.announce();
            // Before the look: a holder that dies after it wakes whoever sleeps on its word.
            let watched: Vec<(&LoanChunk, u32)> = self
                .fitting(length)
                .take(WATCHED)
                .map(|(_, chunk)| (chunk, chunk.lock.word.load(Ordering::Relaxed)))
                .collect();
            if let Some(held) = self.take(length)? {
                return Ok(Some(held));
            }
            let Some(patience) = deadline.remaining() else { return Ok(None) };
            let words: Vec<(&AtomicU32, u32)> =
                watched.iter().map(|(chunk, word)| (&chunk.lock.word, *word)).collect();
            event.sleep(announced, &words, patience);
            for (chunk, word) in watched {
                chunk.lock.pass_death_on(word);
            }
            if !event.has_moved_on(announced) {
                self.fitting(length).for_each(|(_, chunk)| chunk.lock.bury_if_dead());
            }
        }
    }

    /// [`sleep_until`](Self::sleep_until) without ever sleeping.
    fn watch_until(
        &self,
        length: usize,
        deadline: Deadline,
    ) -> Result<Option<Held<'_>>, LockError> {
        /// Looks between questions for threads that are gone.
        const SELDOM: u32 = 1 << 14;
        self.check_deadlock(length, deadline)?;
        let mut count = 0_u32;
        let outcome = self.inner.returns.event.wait_until(deadline, || {
            count = count.wrapping_add(1);
            if count.is_multiple_of(SELDOM) {
                self.fitting(length).for_each(|(_, chunk)| chunk.lock.bury_if_dead());
            }
            self.take(length).transpose()
        });
        outcome.transpose()
    }

    /// Takes the chunks back whose handles are in no object of the segment any more, and returns how
    /// many. For handles that were thrown away, went down with a process that had popped them and not
    /// received yet, or were in a queue that was removed.
    ///
    /// To be called when nobody is between popping a handle and receiving it, or between
    /// [`Loan::send`](super::Loan::send) and handing the handle on, as by a supervisor after a worker's
    /// death: who is gets [`Stale`](crate::ReceiveError::Stale). Not concerned are
    /// [`receive_from`](Self::receive_from), [`Queue::pop_with`](crate::Queue::pop_with) and the like,
    /// which leave the handle where it is until its chunk was received,
    /// [`Loan::send_to`](super::Loan::send_to) and [`Loan::send_with`](super::Loan::send_with).
    ///
    /// Takes as long as reading the segment's other objects. Handles in the memory of other processes,
    /// in files, in sockets or in chunks of a pool are not looked for. What a [`Queue`](crate::Queue),
    /// [`Spsc`](crate::Spsc) or [`ByteQueue`](crate::ByteQueue) has handed out is gone; other objects
    /// keep a handle until it is overwritten.
    ///
    /// # Errors
    ///
    /// [`ReadOnly`](LockError::ReadOnly), [`TooManyLocks`](LockError::TooManyLocks), and
    /// [`Corrupt`](LockError::Corrupt) if the segment cannot be searched.
    pub fn reclaim(&self) -> Result<usize, LockError> {
        self.inner.writable()?;
        let sent: Vec<(usize, State)> = (0..self.shape.count)
            .filter_map(|index| {
                let chunk = self.chunk(index).filter(|chunk| is_abandoned(chunk))?;
                Some((index, chunk.state())).filter(|(_, state)| state.is_sent())
            })
            .collect();
        let lost = search::lost(self, &sent).map_err(|what| LockError::Corrupt { what })?;
        let mut count = 0;
        for (index, found) in lost {
            let Some(chunk) = self.chunk(index) else { continue };
            let Some((acquired, state)) = chunk.try_take()? else { continue };
            if state != found {
                chunk.let_go(acquired);
                continue;
            }
            chunk.set(state.received());
            self.count_returned(chunk);
            drop(Held::new(self, chunk, index));
            count += 1;
        }
        Ok(count)
    }
}
