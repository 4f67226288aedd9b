//! What a task queue is created with.

use crate::data::board::{MOST_HANDS, MOST_PLACES, Shape};

/// Whether a task is handed out again after who had it died, panicked or dropped it without
/// [`done`](crate::Task::done).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Redeliver {
    /// It is not: it has failed. No task is begun twice.
    Never,
    /// So often at the most: a task that kills whoever takes it does not do so for ever. Then it has
    /// failed. 0 is [`Never`](Self::Never).
    UpTo(u32),
    /// Always.
    Always,
}

impl Redeliver {
    /// How often a task is handed out at the most; 0 is no limit.
    pub(in crate::data) fn limit(self) -> u64 {
        match self {
            Self::Never => 1,
            Self::UpTo(times) => u64::from(times) + 1,
            Self::Always => 0,
        }
    }
}

/// What a [`TaskQueue`](crate::TaskQueue) is created with:
/// [`Segment::task_queue_with`](crate::Segment::task_queue_with).
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use outlive::{PopError, Redeliver, Segment, TaskQueueOptions};
///
/// let options = TaskQueueOptions::new(100).redeliver(Redeliver::UpTo(1)).holders(4);
/// let tasks = Segment::anonymous()?.task_queue_with::<u64>("tasks", options)?;
/// tasks.push(7)?;
/// for attempt in 1..=2 {
///     let task = tasks.pop()?;
///     assert_eq!((*task, task.attempt()), (7, attempt));
///     drop(task); // not done
/// }
/// assert_eq!(tasks.try_pop().unwrap_err(), PopError::Empty);
/// assert_eq!(tasks.stats().failed, 1);
/// assert_eq!(tasks.pop_failed()?, Some(7));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TaskQueueOptions {
    capacity: usize,
    redeliver: Redeliver,
    holders: Option<usize>,
}

/// How many tasks are in hands at a time, where nothing else was asked for.
const HOLDERS: usize = 64;

impl TaskQueueOptions {
    /// For so many unfinished tasks.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self { capacity, redeliver: Redeliver::UpTo(3), holders: None }
    }

    /// Whether a task is handed out again after who had it died: up to three times, if this is not
    /// called.
    #[must_use]
    pub fn redeliver(self, redeliver: Redeliver) -> Self {
        Self { redeliver, ..self }
    }

    /// How many tasks can be in hands at a time, up to 256; each takes 64 bytes.
    #[must_use]
    pub fn holders(self, holders: usize) -> Self {
        Self { holders: Some(holders), ..self }
    }

    /// Unchecked, and without the stride.
    pub(super) fn numbers(&self) -> Shape {
        let hands = self.holders.unwrap_or(self.capacity.min(HOLDERS));
        Shape { capacity: self.capacity, hands, limit: self.redeliver.limit(), stride: 0 }
    }

    pub(super) fn shape(&self, stride: usize) -> Result<Shape, &'static str> {
        let numbers = self.numbers();
        if numbers.capacity == 0 {
            return Err("a queue needs room for at least one task");
        }
        if numbers.capacity > MOST_PLACES {
            return Err("its capacity is too large to be addressed");
        }
        if !(1..=MOST_HANDS).contains(&numbers.hands) {
            return Err("the number of holders has to be from 1 to 256");
        }
        Ok(Shape { stride, ..numbers })
    }
}
