//! A task in a thread's hands.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use super::{TaskQueue, give_up};
use crate::data::board::{HandedOut, Locked};
use crate::error::{LockError, PopError};
use crate::layout::Share;
use crate::raw::event_count::Notify;
use crate::raw::lock::Release;
use crate::shared::Shared;
use crate::sync::shares;

/// A task in this thread's hands: [`TaskQueue::pop`]. It dereferences to a copy.
///
/// [`done`](Self::done) finishes it. Dropped without that, as in a panic, it is handed to the next
/// consumer, or has failed, as the queue was told at its creation ([`Redeliver`](crate::Redeliver)).
/// The same happens when the thread dies. `std::mem::forget` leaves it in the thread's hands until that
/// ends.
///
/// It belongs to the thread that popped it, since the kernel watches that thread:
///
/// ```compile_fail,E0277
/// # let tasks = outlive::Segment::anonymous().unwrap().task_queue::<u64>("t", 1).unwrap();
/// # tasks.push(1).unwrap();
/// let task = tasks.pop().unwrap();
/// std::thread::scope(|scope| {
///     scope.spawn(move || task.done()); // not Send
/// });
/// ```
#[must_use = "a task that is dropped without `done` comes back"]
pub struct Task<'a, T: Shared> {
    queue: &'a TaskQueue<T>,
    hand: &'a Share,
    place: HandedOut,
    task: T,
    _thread: PhantomData<*mut ()>,
}

/// What becomes of a task.
#[derive(Clone, Copy)]
enum End {
    Done,
    Failed,
    /// As the queue was told.
    GivenUp,
    /// As if it had not been handed out.
    PutBack,
}

impl<'a, T: Shared> Task<'a, T> {
    /// What was handed out to this thread.
    pub(super) fn new(queue: &'a TaskQueue<T>, place: HandedOut) -> Result<Self, PopError> {
        const CORRUPT: LockError = LockError::Corrupt { what: "a task" };
        let hand = queue.board.hand(place.hand).ok_or(CORRUPT)?;
        let Some(task) = queue.slot(place.place).and_then(|slot| slot.read().check()) else {
            end(queue, hand, place, End::Failed)?;
            return Err(CORRUPT.into());
        };
        Ok(Self { queue, hand, place, task, _thread: PhantomData })
    }

    fn end(self, end_as: End) -> Result<(), LockError> {
        let ended = end(self.queue, self.hand, self.place, end_as);
        std::mem::forget(self);
        ended
    }

    /// The task is finished.
    ///
    /// # Errors
    ///
    /// [`TooManyLocks`](LockError::TooManyLocks): it was given up, as if this thread had died.
    /// [`WouldBlock`](LockError::WouldBlock), and no effect, in a process that was forked from the one
    /// that has the task.
    pub fn done(self) -> Result<(), LockError> {
        self.end(End::Done)
    }

    /// The task has failed, and is not handed out again. It is counted, and kept for
    /// [`TaskQueue::pop_failed`].
    ///
    /// # Errors
    ///
    /// Those of [`done`](Self::done).
    pub fn fail(self) -> Result<(), LockError> {
        self.end(End::Failed)
    }

    /// Puts the task back, for the next consumer, as if it had not been popped.
    ///
    /// # Errors
    ///
    /// Those of [`done`](Self::done).
    pub fn put_back(self) -> Result<(), LockError> {
        self.end(End::PutBack)
    }

    /// How often the task was handed out, this time included: 1, unless somebody had it before and did
    /// not finish it.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        u32::try_from(self.place.attempt).unwrap_or(u32::MAX)
    }

    /// Whether somebody had the task before, and died or dropped it.
    #[must_use]
    pub fn is_redelivered(&self) -> bool {
        self.attempt() > 1
    }
}

fn end<T: Shared>(
    queue: &TaskQueue<T>,
    hand: &Share,
    task: HandedOut,
    end: End,
) -> Result<(), LockError> {
    // Not through a copy that a fork made.
    if !shares::is_mine(hand) {
        return Err(LockError::WouldBlock);
    }
    let ended = queue.board.locked(queue.forever(), |locked| {
        // A damaged place may say otherwise.
        if locked.place(task.place).is_some_and(|place| place.is_in(task.hand)) {
            settle(locked, task, end);
        }
        locked.give_hand_back(task.hand, hand);
    });
    if ended.is_err() {
        // This thread has no room for one more lock: as if it had died.
        hand.lock.unlock(Release::Dirty);
        let head = &queue.board.inner;
        [&head.not_empty, &head.not_full, &head.settled].iter().for_each(|e| e.notify(Notify::All));
    }
    ended
}

fn settle(locked: &Locked<'_>, task: HandedOut, end: End) {
    match end {
        End::Done => locked.release(task.place),
        End::Failed => locked.keep(task.place),
        End::GivenUp => give_up(locked, task.place),
        End::PutBack => locked.put_back(task.place, task.attempt.saturating_sub(1)),
    }
}

impl<T: Shared> Deref for Task<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.task
    }
}

impl<T: Shared> Drop for Task<'_, T> {
    fn drop(&mut self) {
        // Fails for a copy that a fork made, which gives nothing up; otherwise it is given up.
        let _given_up = end(self.queue, self.hand, self.place, End::GivenUp);
    }
}

impl<T: Shared + fmt::Debug> fmt::Debug for Task<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task")
            .field("task", &self.task)
            .field("attempt", &self.attempt())
            .finish_non_exhaustive()
    }
}
