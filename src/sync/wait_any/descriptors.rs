//! Descriptors beside words: a thread that polls them, and has a word to sleep on.
//!
//! The thread lives as long as the call that started it, so a fork, which leaves the child without it,
//! leaves it without the call as well.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::Ordering;
use std::thread::{self, Scope, ScopedJoinHandle};

use crate::error::{OsError, WaitError};
use crate::os::descriptor::{self, Flag};
use crate::seam::atomic::AtomicU32;
use crate::seam::futex;

/// `word` while nothing is known to be readable, and after that.
const WATCHING: u32 = 0;
const READABLE: u32 = 1;

/// What the two threads share.
struct Watch<'a> {
    descriptors: &'a [BorrowedFd<'a>],
    word: AtomicU32,
    /// Raised to end the thread.
    end: Flag,
}

impl Watch<'_> {
    /// The thread: ends when something is readable, or it is told to.
    fn poll(&self) {
        // Should it fail, a handler runs in this thread instead of another one.
        let _unblocked = descriptor::block_signals();
        let mut all = self.descriptors.to_vec();
        all.push(self.end.as_fd());
        loop {
            match descriptor::readable(&all, None) {
                Ok(ready) if ready.last() == Some(&true) => return,
                Ok(ready) if ready.iter().all(|ready| !ready) => {}
                // The error as well: the caller finds it when it looks itself.
                _ => break,
            }
        }
        // Release: pairs with the Acquire in `start`.
        self.word.store(READABLE, Ordering::Release);
        futex::wake(&self.word, futex::ALL);
    }
}

/// Starts the thread when it is needed.
pub(super) struct Poller<'scope, 'env> {
    watch: &'scope Watch<'env>,
    scope: &'scope Scope<'scope, 'env>,
    thread: Option<ScopedJoinHandle<'scope, ()>>,
}

impl<'scope> Poller<'scope, '_> {
    /// Makes sure that the descriptors are polled. Returns the word that changes when one of them is
    /// readable, and what it is until then.
    pub(super) fn start(&mut self) -> Result<(&'scope AtomicU32, u32), WaitError> {
        // Acquire: pairs with the Release in `poll`.
        if self.watch.word.load(Ordering::Acquire) == READABLE
            && let Some(ended) = self.thread.take()
        {
            // What was readable is not any more: somebody else was faster. Once more.
            let _poll_does_not_panic = ended.join();
            self.watch.word.store(WATCHING, Ordering::Relaxed);
        }
        if self.thread.is_none() {
            let watch = self.watch;
            let thread = thread::Builder::new()
                .name("outlive-poll".to_owned())
                .spawn_scoped(self.scope, || watch.poll());
            self.thread = Some(thread.map_err(|error| {
                OsError::new("pthread_create", error.raw_os_error().unwrap_or(0))
            })?);
        }
        Ok((&self.watch.word, WATCHING))
    }
}

impl Drop for Poller<'_, '_> {
    fn drop(&mut self) {
        self.watch.end.raise();
    }
}

/// Runs `wait` with somebody who polls the descriptors meanwhile.
pub(super) fn watch<R>(
    descriptors: &[BorrowedFd<'_>],
    wait: impl FnOnce(&mut Poller<'_, '_>) -> R,
) -> Result<R, WaitError> {
    let watch = Watch { descriptors, word: AtomicU32::new(WATCHING), end: Flag::new()? };
    Ok(thread::scope(|scope| wait(&mut Poller { watch: &watch, scope, thread: None })))
}
