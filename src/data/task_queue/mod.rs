//! `TaskQueue<T>`: messages that stay until somebody has finished them. How tasks are handed out and
//! come back: `data::board`.

mod options;
mod task;
mod waitable;

use std::fmt;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::data::board::{Board, Locked, Shape};
use crate::error::{LockError, ObjectError, PopError, PushError, TaskJoinError};
use crate::layout::{Share, TaskPlace};
use crate::raw::bytes::{self, Slot};
use crate::raw::deadline::Deadline;
use crate::segment::Segment;
use crate::segment::object::{Mechanics, Misfit, ObjectKind};
use crate::segment::region::Extent;
use crate::shared::Shared;

pub use options::{Redeliver, TaskQueueOptions};
pub use task::Task;
pub use waitable::ReadableTasks;

/// A bounded first-in, first-out queue of tasks, between any number of producers and consumers: each
/// task stays until somebody has finished it. Opened by name: [`Segment::task_queue`].
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use outlive::{PopError, Segment};
///
/// let pages = Segment::anonymous()?.task_queue::<u64>("pages", 100)?;
/// for page in 0..10 {
///     pages.push(page)?;
/// }
/// std::thread::scope(|scope| {
///     // As a rule, another process.
///     scope.spawn(|| -> Result<(), PopError> {
///         loop {
///             let page = pages.pop()?;
///             assert!(*page < 10);
///             page.done()?; // had this worker died before, the page would go to another one
///         }
///     });
///     pages.join()?; // every page was finished
///     pages.close()?; // the worker gets PopError::Closed
///     Ok::<(), Box<dyn std::error::Error>>(())
/// })?;
/// # Ok(())
/// # }
/// ```
///
/// # Tasks
///
/// [`pop`](Self::pop) puts a task into the thread's hands, as a [`Task`]. [`Task::done`] finishes it.
/// One that is dropped without that, as in a panic, or whose thread dies, is given to the next consumer,
/// before those that were pushed after it: [`Redeliver`] says how often. A task that may not be handed
/// out again has failed, as one given up with [`Task::fail`] has. Failed tasks are counted
/// ([`stats`](Self::stats)), and kept for [`pop_failed`](Self::pop_failed) until their places are
/// needed.
///
/// A task can be done by a thread that dies before it says so: it is handed out once more then. Where
/// that must not be, choose [`Redeliver::Never`].
///
/// # Room
///
/// The capacity counts unfinished tasks: those that wait, and those in somebody's hands. At most
/// [`holders`](TaskQueueOptions::holders) tasks, 64 if nothing else was asked for, are in hands at a
/// time; beyond that, a pop waits as if the queue were empty.
///
/// # The end
///
/// After [`close`](Self::close), consumers get what is left, and wait for tasks that others have in
/// their hands, because these may come back. [`PopError::Closed`] comes when every task is finished or
/// failed, but for those in the caller's own hands.
///
/// # Crash behaviour
///
/// A pushed task stays until it is done or failed. A producer killed while it writes a task drops it
/// whole. A consumer killed with a task in its hands loses it to the next one: the kernel wakes one of
/// those who wait for a task, for room or in [`join`](Self::join), who puts it back. In a queue that is
/// busy, whoever pops looks at one of the holders in turn, so that a dead one's task is handed on
/// within as many pops as there are holders.
///
/// # Memory ordering
///
/// What was written before a push is seen after the pop of that task; what was written before a task
/// was done is seen after the join that waited for it, and what a dead holder wrote by who gets its
/// task next.
pub struct TaskQueue<T> {
    board: Board,
    _task: std::marker::PhantomData<T>,
}

/// [`TaskQueue`] by the name that Python gives it.
pub type JoinableQueue<T> = TaskQueue<T>;

impl<T> Clone for TaskQueue<T> {
    fn clone(&self) -> Self {
        Self { board: self.board.clone(), ..*self }
    }
}

impl<T> fmt::Debug for TaskQueue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskQueue")
            .field("place", &self.board.inner)
            .field("capacity", &self.board.capacity())
            .field("waiting", &self.board.ready())
            .field("in_hands", &self.board.in_hands())
            .finish_non_exhaustive()
    }
}

/// What became of the tasks of a [`TaskQueue`] that were not done by the first who had them. A process
/// that dies while it counts may leave out one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct TaskQueueStats {
    /// How often a task was put back after its holder died or dropped it.
    pub redelivered: u64,
    /// Tasks that failed.
    pub failed: u64,
}

/// What a push came to.
enum Pushed {
    Done,
    Closed,
}

/// What a pop came to.
enum Popped {
    Task(crate::data::board::HandedOut),
    Closed,
}

/// From the start of a place to its task.
const fn task_offset<T>() -> usize {
    size_of::<TaskPlace>().next_multiple_of(bytes::alignment::<T>())
}

/// From place to place. No place lies on more cache lines than it needs.
const fn stride<T>() -> usize {
    const LINE: usize = 64;
    let size = task_offset::<T>() + bytes::stride::<T>();
    if size <= LINE { size.next_power_of_two() } else { size.next_multiple_of(LINE) }
}

/// What a dead one had in its hand.
fn give_up_all(locked: &Locked<'_>, index: usize, hand: &Share) {
    locked.for_each_in(index, hand, |place| give_up(locked, place));
}

/// The task in these hands was not done: it waits again, or has failed.
fn give_up(locked: &Locked<'_>, place: usize) {
    let Some(task) = locked.place(place) else { return };
    let (attempts, limit) = (task.attempts(), locked.board.limit());
    if limit == 0 || attempts < limit {
        locked.put_back(place, attempts);
        locked.count_redelivered();
    } else {
        locked.keep(place);
    }
}

impl<T: Shared> TaskQueue<T> {
    fn slot(&self, place: usize) -> Option<Slot<T>> {
        self.board.places().slot(place, task_offset::<T>())
    }

    fn forever(&self) -> Deadline {
        self.board.inner.forever()
    }

    // ---- producers

    fn attempt_push(&self, locked: &Locked<'_>, task: &T) -> Result<Option<Pushed>, LockError> {
        if locked.is_closed() {
            return Ok(Some(Pushed::Closed));
        }
        let fill = |place| {
            if let Some(slot) = self.slot(place) {
                slot.write(task);
            }
        };
        let mut pushed = locked.push(fill);
        if pushed.is_none() {
            // A dead one's task may have failed by that.
            locked.reclaim(|index, hand| give_up_all(locked, index, hand))?;
            if locked.ready() + (locked.used().count() as u64) < self.capacity() as u64 {
                // A damaged list has lost a place.
                locked.make_lists();
            }
            pushed = locked.push(fill);
        }
        Ok(pushed.map(|_| Pushed::Done))
    }

    /// Appends a task, sleeping while the queue is full.
    ///
    /// # Errors
    ///
    /// [`Closed`](PushError::Closed) and [`Lock`](PushError::Lock), with the task; the latter with
    /// [`Deadlock`](LockError::Deadlock) if all tasks are in this thread's own hands.
    pub fn push(&self, task: T) -> Result<(), PushError<T>> {
        self.push_until(task, self.forever())
    }

    /// Appends a task if there is room. Others at work are waited for (they take nanoseconds, or are
    /// dead).
    ///
    /// # Errors
    ///
    /// [`Full`](PushError::Full), [`Closed`](PushError::Closed) and [`Lock`](PushError::Lock), with
    /// the task.
    pub fn try_push(&self, task: T) -> Result<(), PushError<T>> {
        let attempt = |locked: &Locked<'_>| self.attempt_push(locked, &task);
        match self.board.locked(self.forever(), attempt).and_then(|attempted| attempted) {
            Ok(Some(Pushed::Done)) => Ok(()),
            Ok(Some(Pushed::Closed)) => Err(PushError::Closed(task)),
            Ok(None) => Err(PushError::Full(task)),
            Err(error) => Err(PushError::Lock(task, error)),
        }
    }

    /// Appends a task, sleeping for at most `timeout` while the queue is full.
    ///
    /// # Errors
    ///
    /// [`TimedOut`](PushError::TimedOut), never before the time is up, and those of
    /// [`push`](Self::push), with the task.
    pub fn push_timeout(&self, task: T, timeout: Duration) -> Result<(), PushError<T>> {
        self.push_until(task, self.board.inner.within(timeout))
    }

    fn push_until(&self, task: T, deadline: Deadline) -> Result<(), PushError<T>> {
        let outcome = self.board.settle(
            deadline,
            &self.board.inner.not_full,
            || self.board.is_closed() || self.unfinished() < self.capacity(),
            |locked| match self.attempt_push(locked, &task)? {
                None if has_the_rest(locked) => Err(LockError::Deadlock),
                attempted => Ok(attempted),
            },
        );
        match outcome {
            Ok(Some(Pushed::Done)) => Ok(()),
            Ok(Some(Pushed::Closed)) => Err(PushError::Closed(task)),
            Ok(None) => Err(PushError::TimedOut(task)),
            Err(error) => Err(PushError::Lock(task, error)),
        }
    }

    // ---- consumers

    fn attempt_pop(locked: &Locked<'_>) -> Result<Option<Popped>, LockError> {
        let give_up = |index, hand: &Share| give_up_all(locked, index, hand);
        locked.glance(give_up)?;
        let mut task = locked.take()?;
        if task.is_none() {
            // None waits, or all hands are full.
            locked.reclaim(give_up)?;
            task = locked.take()?;
        }
        Ok(match task {
            Some(task) => Some(Popped::Task(task)),
            None if locked.is_closed() && has_the_rest(locked) => Some(Popped::Closed),
            None => None,
        })
    }

    /// Takes the oldest task into this thread's hands, sleeping while there is none.
    ///
    /// # Errors
    ///
    /// [`Closed`](PopError::Closed) once the queue is closed and every task is finished or failed, but
    /// for those in this thread's own hands. [`Lock`](PopError::Lock): with
    /// [`TooManyLocks`](LockError::TooManyLocks), as each task counts as a lock of its thread; with
    /// [`Deadlock`](LockError::Deadlock) if this thread has as many tasks as can be in hands; with
    /// [`Corrupt`](LockError::Corrupt) for bytes that are no task, which has failed by that.
    pub fn pop(&self) -> Result<Task<'_, T>, PopError> {
        self.pop_until(self.forever())
    }

    /// Takes the oldest task if there is one. Others at work are waited for (they take nanoseconds, or
    /// are dead).
    ///
    /// # Errors
    ///
    /// [`Empty`](PopError::Empty), also while as many tasks are in hands as there can be; and those of
    /// [`pop`](Self::pop).
    pub fn try_pop(&self) -> Result<Task<'_, T>, PopError> {
        match self.board.locked(self.forever(), Self::attempt_pop)?? {
            Some(Popped::Task(task)) => Task::new(self, task),
            Some(Popped::Closed) => Err(PopError::Closed),
            None => Err(PopError::Empty),
        }
    }

    /// Takes the oldest task, sleeping for at most `timeout` while there is none.
    ///
    /// # Errors
    ///
    /// [`TimedOut`](PopError::TimedOut), never before the time is up, and those of
    /// [`pop`](Self::pop).
    pub fn pop_timeout(&self, timeout: Duration) -> Result<Task<'_, T>, PopError> {
        self.pop_until(self.board.inner.within(timeout))
    }

    fn pop_until(&self, deadline: Deadline) -> Result<Task<'_, T>, PopError> {
        let outcome = self.board.settle(
            deadline,
            &self.board.inner.not_empty,
            || self.board.ready() != 0 || self.board.is_closed(),
            |locked| match Self::attempt_pop(locked)? {
                None if locked.has_all_hands() => Err(LockError::Deadlock),
                attempted => Ok(attempted),
            },
        )?;
        match outcome {
            Some(Popped::Task(task)) => Task::new(self, task),
            Some(Popped::Closed) => Err(PopError::Closed),
            None => Err(PopError::TimedOut),
        }
    }

    /// Takes the oldest of the failed tasks that are still there: a copy, for whoever looks into why.
    ///
    /// # Errors
    ///
    /// [`ReadOnly`](LockError::ReadOnly), [`TooManyLocks`](LockError::TooManyLocks),
    /// [`Corrupt`](LockError::Corrupt).
    pub fn pop_failed(&self) -> Result<Option<T>, LockError> {
        let bits = self.board.locked(self.forever(), |locked| {
            locked.reclaim(|index, hand| give_up_all(locked, index, hand))?;
            let Some((place, _)) = locked.take_kept() else { return Ok(None) };
            let bits = self.slot(place).map(Slot::read);
            locked.release(place);
            Ok::<_, LockError>(bits)
        })??;
        let checked = bits.map(|bits| bits.check().ok_or(LockError::Corrupt { what: "a task" }));
        checked.transpose()
    }

    // ---- the end

    fn attempt_join(locked: &Locked<'_>, drained: u64) -> Result<Option<()>, LockError> {
        locked.reclaim(|index, hand| give_up_all(locked, index, hand))?;
        locked.recount_ready();
        if !locked.has_tasks() || locked.head.drained.load(Ordering::Relaxed) != drained {
            return Ok(Some(()));
        }
        if locked.used().any(|hand| locked.is_mine(hand)) {
            Err(LockError::Deadlock)
        } else {
            Ok(None)
        }
    }

    /// Sleeps until there was a moment at which every task that was pushed is done or failed.
    ///
    /// # Errors
    ///
    /// [`Lock`](TaskJoinError::Lock) with [`Deadlock`](LockError::Deadlock) if this thread has a task in
    /// its hands, [`ReadOnly`](LockError::ReadOnly), [`TooManyLocks`](LockError::TooManyLocks).
    ///
    /// # Crash behaviour
    ///
    /// A holder's death is noticed at once. Its task is put back, and waited for until another consumer
    /// has done it, or it has failed.
    pub fn join(&self) -> Result<(), TaskJoinError> {
        self.join_until(self.forever())
    }

    /// [`join`](Self::join), sleeping for at most `timeout`.
    ///
    /// # Errors
    ///
    /// [`TimedOut`](TaskJoinError::TimedOut), never before the time is up, and those of
    /// [`join`](Self::join).
    pub fn join_timeout(&self, timeout: Duration) -> Result<(), TaskJoinError> {
        self.join_until(self.board.inner.within(timeout))
    }

    fn join_until(&self, deadline: Deadline) -> Result<(), TaskJoinError> {
        let mut start = None;
        let outcome = self.board.settle(
            deadline,
            &self.board.inner.settled,
            || self.unfinished() == 0,
            |locked| {
                let drained = || locked.head.drained.load(Ordering::Relaxed);
                Self::attempt_join(locked, *start.get_or_insert_with(drained))
            },
        )?;
        outcome.ok_or_else(|| TaskJoinError::TimedOut { unfinished: self.unfinished() })
    }

    /// Closes the queue: nothing more can be pushed, and consumers get what is left and then
    /// [`PopError::Closed`]. Final, and without effect on a closed queue.
    ///
    /// # Errors
    ///
    /// [`ReadOnly`](LockError::ReadOnly), [`TooManyLocks`](LockError::TooManyLocks).
    ///
    /// # Crash behaviour
    ///
    /// Closed or not.
    pub fn close(&self) -> Result<(), LockError> {
        self.board.close()
    }
}

/// Whether every task is finished but those that this thread has.
fn has_the_rest(locked: &Locked<'_>) -> bool {
    locked.recount_ready() == 0 && locked.used().all(|hand| locked.is_mine(hand))
}

impl<T> TaskQueue<T> {
    /// Whether the queue was closed. Tasks may be left.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.board.is_closed()
    }

    /// How many tasks are neither done nor failed: they wait, or are in somebody's hands. While others
    /// are at work, and after a death until somebody has looked, it may be off by what they do.
    #[must_use]
    pub fn unfinished(&self) -> usize {
        (self.board.ready() + self.board.in_hands()).min(self.board.capacity())
    }

    /// How many tasks wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.board.ready()
    }

    /// Whether no task waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many unfinished tasks there is room for.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.board.capacity()
    }

    /// How many tasks can be in hands at a time.
    #[must_use]
    pub fn holders(&self) -> usize {
        self.board.hand_count()
    }

    /// What became of tasks that were not done by the first who had them.
    #[must_use]
    pub fn stats(&self) -> TaskQueueStats {
        let head = &self.board.inner;
        TaskQueueStats {
            redelivered: head.redelivered.load(Ordering::Relaxed),
            failed: head.failed.load(Ordering::Relaxed),
        }
    }

    /// This handle, waiting in another manner. Clones of it wait as it does; other handles of the same
    /// object are not concerned.
    #[must_use]
    pub fn with_waiting(mut self, waiting: crate::Waiting) -> Self {
        self.board.inner.waiting = waiting;
        self
    }
}

#[cfg(feature = "process")]
crate::segment::passing::passes!(TaskQueue<T>, board.inner);

impl Segment {
    /// The [`TaskQueue`] of that name, created for `capacity` unfinished tasks if there is none; with
    /// [`Redeliver::UpTo`] three times, and for 64 tasks in hands at a time (or the capacity, if that is
    /// less).
    ///
    /// # Errors
    ///
    /// See [`find_or_create`](Self::find_or_create).
    pub fn task_queue<T: Shared>(
        &self,
        name: &str,
        capacity: usize,
    ) -> Result<TaskQueue<T>, ObjectError> {
        self.task_queue_with(name, TaskQueueOptions::new(capacity))
    }

    /// [`task_queue`](Self::task_queue), created with these options if there is none.
    ///
    /// # Errors
    ///
    /// See [`find_or_create`](Self::find_or_create).
    pub fn task_queue_with<T: Shared>(
        &self,
        name: &str,
        options: TaskQueueOptions,
    ) -> Result<TaskQueue<T>, ObjectError> {
        self.find_or_create(name, options)
    }
}

#[allow(private_interfaces)] // sealed
impl<T: Shared> Mechanics for TaskQueue<T> {
    type Init = TaskQueueOptions;

    const KIND: ObjectKind = ObjectKind::TaskQueue;
    const TYPE_TAG: u64 = T::TYPE_TAG;

    fn describe(f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TaskQueue<")?;
        T::describe(f)?;
        f.write_str(">")
    }

    fn size(options: &TaskQueueOptions) -> Result<u64, &'static str> {
        bytes::check_alignment::<T>()?;
        options.shape(stride::<T>())?.size().ok_or("its capacity is too large to be addressed")
    }

    fn initialise(extent: &Extent, options: TaskQueueOptions) -> Option<()> {
        Board::initialise(extent, &options.shape(stride::<T>()).ok()?)
    }

    fn attach(extent: &Extent) -> Result<Self, &'static str> {
        let board = Board::attach(extent, stride::<T>())?;
        Ok(Self { board, _task: std::marker::PhantomData })
    }

    fn fits(&self, options: &TaskQueueOptions) -> Result<(), Misfit> {
        let Shape { capacity, hands, limit, .. } = options.numbers();
        let shape = [
            ("capacity", self.capacity() as u64, capacity as u64),
            ("number of holders", self.holders() as u64, hands as u64),
            ("limit of deliveries (0 is none)", self.board.limit(), limit),
        ];
        match shape.into_iter().find(|(_, found, wanted)| found != wanted) {
            Some(misfit) => Err(misfit),
            None => Ok(()),
        }
    }
}
