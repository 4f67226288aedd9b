//! One chunk: its lock, its state, and what holds it.

use std::marker::PhantomData;
use std::sync::atomic::Ordering;

use super::LoanPool;
use super::handle::LoanHandle;
use crate::error::LockError;
use crate::layout::LoanChunk;
use crate::raw::event_count::Notify;
use crate::raw::lock::{Acquired, Release};

/// Generation, and whether the chunk is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct State(u64);

const SENT: u64 = 1;

/// The generations that there are.
pub(super) const GENERATIONS: u64 = u64::MAX >> 1;

impl State {
    pub(super) fn sent(generation: u64) -> Self {
        Self(generation << 1 | SENT)
    }

    pub(super) fn free(generation: u64) -> Self {
        Self(generation << 1)
    }

    pub(super) fn is_sent(self) -> bool {
        self.0 & SENT != 0
    }

    pub(super) fn generation(self) -> u64 {
        self.0 >> 1
    }

    /// That of a chunk which is not sent any more, and whose handle is stale.
    pub(super) fn received(self) -> Self {
        Self::free(self.generation().wrapping_add(1))
    }
}

impl LoanChunk {
    pub(super) fn prepare(&self, generation: u64) {
        self.lock.reset();
        // Those who wait for a chunk sleep on it.
        self.lock.expect_company();
        self.state.store(State::free(generation).0, Ordering::Relaxed);
        self.length.store(0, Ordering::Relaxed);
        self.tag.store(0, Ordering::Relaxed);
    }

    /// Without the lock, what may be another one by now.
    #[inline]
    pub(super) fn state(&self) -> State {
        // Relaxed: what is decided by it is decided under the lock.
        State(self.state.load(Ordering::Relaxed))
    }

    /// With the lock held.
    #[inline]
    pub(super) fn set(&self, state: State) {
        // Relaxed: whoever acts on it has the lock, or got a handle of this generation, which was
        // published after it.
        self.state.store(state.0, Ordering::Relaxed);
    }

    /// Takes the lock if nobody has it. Dead holders are not forgotten yet.
    pub(super) fn try_take(&self) -> Result<Option<(Acquired, State)>, LockError> {
        match self.lock.try_lock() {
            Ok(acquired) => Ok(Some((acquired, self.state()))),
            // The last is a damaged one.
            Err(LockError::WouldBlock | LockError::Deadlock | LockError::NotRecoverable) => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Releases the lock of a chunk that is as it was found.
    pub(super) fn let_go(&self, acquired: Acquired) {
        self.lock.unlock(match acquired {
            Acquired::Clean => Release::Clean,
            Acquired::OwnerDied => Release::Dirty,
        });
    }
}

/// A chunk that this thread has. Dropping it gives it back.
pub(super) struct Held<'a> {
    pub(super) pool: &'a LoanPool,
    pub(super) chunk: &'a LoanChunk,
    pub(super) index: usize,
    /// The lock is the thread's: not Send.
    _thread: PhantomData<*mut ()>,
}

impl<'a> Held<'a> {
    /// With the lock held, of a consistent chunk.
    #[inline]
    pub(super) fn new(pool: &'a LoanPool, chunk: &'a LoanChunk, index: usize) -> Self {
        Self { pool, chunk, index, _thread: PhantomData }
    }

    /// Whether this is no copy that a fork made.
    #[inline]
    pub(super) fn is_mine(&self) -> bool {
        self.chunk.lock.names_this_thread()
    }

    /// The handle by which the chunk can be received in that generation.
    pub(super) fn handle(&self, generation: u64) -> LoanHandle {
        LoanHandle { place: self.pool.tag | self.index as u64, generation }
    }
}

impl Drop for Held<'_> {
    #[inline]
    fn drop(&mut self) {
        if self.is_mine() {
            self.pool.hint(self.index);
            self.chunk.lock.unlock(Release::Clean);
            self.pool.tell(Notify::One);
        }
    }
}
