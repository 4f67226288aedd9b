//! Tasks that were given to the pool in one call, and what became of them.
//!
//! Each task has a slot, which says where it is:
//!
//! | slot | the task | next |
//! |---|---|---|
//! | `Task` | waits, or is with a worker | `Done`; itself, when its worker died |
//! | `Done` | has a result or an error | `Taken` |
//! | `Taken` | was handed to the caller | gone, with all before it |
//!
//! Which tasks wait: those from `next` on, which nobody has had yet, and the ranges in `again`, which
//! came back. The argument stays in its slot until the task is done, so that it can be given to another
//! worker, and is serialised when a worker gets it: handles among the arguments need descriptors only
//! while they are on their way.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::wire;
use crate::error::{PoolError, TaskError};
use crate::process::letter::SEGMENTS;
use crate::process::parcel::{Parcel, explain};
use crate::segment::passing;

/// How long a chunk is to take, if its length is the pool's to choose. Its way there and back takes a
/// few microseconds.
const CHUNK_NANOS: f64 = 500_000.0;

/// Tasks for a worker.
#[derive(Debug)]
pub(super) struct Draw {
    pub(super) first: u64,
    pub(super) count: u32,
    pub(super) parcel: Parcel,
}

/// What a worker, or its death, says of a task.
#[derive(Debug)]
pub(super) enum Outcome<'a> {
    Bytes(&'a [u8]),
    Parcel(Parcel),
    Failed(TaskError),
}

/// A job, to the threads of the pool, which do not know its types.
pub(super) trait Job: Send + Sync {
    /// The function.
    fn entry(&self) -> u64;
    /// Takes up to so many tasks that wait, for one of so many workers. None: there are none.
    fn draw(&self, most: u32, workers: usize) -> Option<Draw>;
    /// Whether there are any.
    fn is_waiting(&self) -> bool;
    /// Of the tasks from this one on.
    fn settle(&self, first: u64, outcomes: Vec<Outcome<'_>>);
    /// Tasks that were drawn wait again: nobody has begun them.
    fn give_back(&self, first: u64, count: u32);
    /// One that was begun by a worker that died. True: it waits again.
    fn lost(&self, index: u64, error: TaskError) -> bool;
    /// So many tasks took so long.
    fn timed(&self, count: u32, nanos: u64);
    /// How many nanoseconds a task takes; 0 if nobody knows.
    fn estimate(&self) -> f64;
    /// What has no outcome gets this one.
    fn fail_all(&self, error: &TaskError);
}

pub(super) type Settled<R> = Result<R, Box<TaskError>>;

#[derive(Debug)]
enum Slot<A, R> {
    /// With the number of times that it was begun in vain.
    Task(A, u32),
    Done(Settled<R>),
    Taken,
}

pub(super) type OnResult<R> = Box<dyn FnMut(usize, Result<&R, &TaskError>) + Send>;

struct Callbacks<R> {
    result: Option<OnResult<R>>,
    progress: Option<Box<dyn FnMut(Progress) + Send>>,
    done: Option<Box<dyn FnOnce() + Send>>,
}

/// How far tasks have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// How many have a result or have failed.
    pub done: usize,
    /// How many there are.
    pub total: usize,
}

struct Tasks<A, R> {
    slots: VecDeque<Slot<A, R>>,
    /// The number of the first slot's task.
    base: u64,
    /// The first that nobody has had yet.
    next: u64,
    again: VecDeque<(u64, u32)>,
    /// How many slots are `Task`s.
    left: usize,
    /// In the order in which they were done, if the caller wants to know.
    order: Option<VecDeque<u64>>,
}

/// Tasks with arguments A and results R.
pub(super) struct Batch<A, R> {
    entry: u64,
    chunk: Option<u32>,
    retries: u32,
    tasks: Mutex<Tasks<A, R>>,
    /// With `tasks`: some are done.
    changed: Condvar,
    done: AtomicUsize,
    total: AtomicUsize,
    /// Nanoseconds a task, as bits.
    estimate: AtomicUsize,
    /// Locked before `tasks`.
    callbacks: Mutex<Callbacks<R>>,
    has_callbacks: AtomicBool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<A, R> Batch<A, R> {
    pub(super) fn new(
        entry: u64,
        items: Vec<A>,
        chunk: Option<usize>,
        retries: u32,
        unordered: bool,
    ) -> Arc<Self> {
        let left = items.len();
        let slots = items.into_iter().map(|item| Slot::Task(item, 0)).collect();
        let order = unordered.then(VecDeque::new);
        let tasks = Tasks { slots, base: 0, next: 0, again: VecDeque::new(), left, order };
        let chunk = chunk.map(|chunk| u32::try_from(chunk.max(1)).unwrap_or(u32::MAX));
        Arc::new(Self {
            entry,
            chunk,
            retries,
            tasks: Mutex::new(tasks),
            changed: Condvar::new(),
            done: AtomicUsize::new(0),
            total: AtomicUsize::new(left),
            estimate: AtomicUsize::new(0),
            callbacks: Mutex::new(Callbacks { result: None, progress: None, done: None }),
            has_callbacks: AtomicBool::new(false),
        })
    }

    pub(super) fn progress(&self) -> Progress {
        let done = self.done.load(Ordering::Relaxed);
        Progress { done, total: self.total.load(Ordering::Relaxed) }
    }

    pub(super) fn is_done(&self) -> bool {
        lock(&self.tasks).left == 0
    }

    /// Another task, which waits.
    pub(super) fn add(&self, item: A) {
        let mut tasks = lock(&self.tasks);
        tasks.slots.push_back(Slot::Task(item, 0));
        tasks.left += 1;
        self.total.fetch_add(1, Ordering::Relaxed);
    }

    /// Until none is left, or the deadline. False: it passed.
    pub(super) fn wait(&self, deadline: Option<Instant>) -> bool {
        self.wait_for(deadline, |tasks| (tasks.left == 0).then_some(())).is_some()
    }

    fn wait_for<T>(
        &self,
        deadline: Option<Instant>,
        mut look: impl FnMut(&mut Tasks<A, R>) -> Option<T>,
    ) -> Option<T> {
        let mut tasks = lock(&self.tasks);
        loop {
            if let Some(found) = look(&mut tasks) {
                return Some(found);
            }
            tasks = match deadline {
                None => self.changed.wait(tasks).unwrap_or_else(PoisonError::into_inner),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return None;
                    }
                    let woken = self.changed.wait_timeout(tasks, left);
                    woken.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    /// All outcomes, in order; those that were taken before are left out. With none left.
    pub(super) fn take_all(&self) -> Vec<Settled<R>> {
        let slots = std::mem::take(&mut lock(&self.tasks).slots);
        slots
            .into_iter()
            .filter_map(|slot| match slot {
                Slot::Done(outcome) => Some(outcome),
                Slot::Task(..) | Slot::Taken => None,
            })
            .collect()
    }

    /// The outcome of the first task that was not taken yet; of any, if this job keeps their order.
    /// None: there are no more tasks.
    pub(super) fn take_next(&self) -> Option<(u64, Settled<R>)> {
        self.wait_for(None, |tasks| {
            let index = match &mut tasks.order {
                Some(order) => order.pop_front(),
                None => matches!(tasks.slots.front(), Some(Slot::Done(_))).then_some(tasks.base),
            };
            let Some(index) = index else { return tasks.slots.is_empty().then_some(None) };
            let place = usize::try_from(index - tasks.base).ok()?;
            let taken = std::mem::replace(tasks.slots.get_mut(place)?, Slot::Taken);
            while let Some(Slot::Taken) = tasks.slots.front() {
                tasks.slots.pop_front();
                tasks.base += 1;
            }
            match taken {
                Slot::Done(outcome) => Some(Some((index, outcome))),
                Slot::Task(..) | Slot::Taken => None,
            }
        })
        .flatten()
    }

    fn slots_to_callbacks(
        tasks: &Tasks<A, R>,
        range: std::ops::Range<u64>,
        call: &mut OnResult<R>,
    ) {
        for index in range {
            let place = usize::try_from(index.wrapping_sub(tasks.base)).ok();
            if let Some(Slot::Done(outcome)) = place.and_then(|place| tasks.slots.get(place)) {
                call(index as usize, outcome.as_ref().map_err(|error| &**error));
            }
        }
    }

    pub(super) fn on_result(&self, mut call: OnResult<R>) {
        let mut callbacks = lock(&self.callbacks);
        self.has_callbacks.store(true, Ordering::SeqCst);
        // With the tasks' lock: what is done by now is told here, the rest there.
        let tasks = lock(&self.tasks);
        let range = tasks.base..tasks.base + tasks.slots.len() as u64;
        guarded(|| Self::slots_to_callbacks(&tasks, range, &mut call));
        callbacks.result = Some(call);
    }

    pub(super) fn on_progress(&self, call: Box<dyn FnMut(Progress) + Send>) {
        let mut callbacks = lock(&self.callbacks);
        self.has_callbacks.store(true, Ordering::SeqCst);
        let call = callbacks.progress.insert(call);
        guarded(|| call(self.progress()));
    }

    pub(super) fn on_done(&self, call: Box<dyn FnOnce() + Send>) {
        let mut callbacks = lock(&self.callbacks);
        self.has_callbacks.store(true, Ordering::SeqCst);
        if self.is_done() {
            drop(callbacks);
            guarded(call);
        } else {
            callbacks.done = Some(call);
        }
    }

    /// Notes outcomes of tasks, those that have none yet.
    fn conclude(&self, first: u64, outcomes: impl Iterator<Item = Settled<R>>) {
        // Before the tasks' lock. Whoever adds a callback later finds what is done.
        let mut callbacks = Some(lock(&self.callbacks));
        let mut tasks = lock(&self.tasks);
        let mut concluded = 0;
        let mut index = first;
        for outcome in outcomes {
            let tasks = &mut *tasks;
            let place = usize::try_from(index.wrapping_sub(tasks.base)).ok();
            let slot = place.and_then(|place| tasks.slots.get_mut(place));
            if let Some(slot @ Slot::Task(..)) = slot {
                *slot = Slot::Done(outcome);
                concluded += 1;
                if let Some(order) = &mut tasks.order {
                    order.push_back(index);
                }
            }
            index += 1;
        }
        tasks.left -= concluded;
        self.done.fetch_add(concluded, Ordering::Relaxed);
        let over = tasks.left == 0 && concluded > 0;
        if self.has_callbacks.load(Ordering::SeqCst)
            && let Some(callbacks) = &mut callbacks
        {
            if let Some(call) = &mut callbacks.result {
                guarded(|| Self::slots_to_callbacks(&tasks, first..index, call));
            }
            drop(tasks);
            if let Some(call) = &mut callbacks.progress {
                guarded(|| call(self.progress()));
            }
        } else {
            drop(tasks);
        }
        let done = if over { callbacks.as_mut().and_then(|all| all.done.take()) } else { None };
        drop(callbacks);
        self.changed.notify_all();
        if let Some(done) = done {
            guarded(done);
        }
    }
}

/// A callback that panics has said so itself; the pool goes on.
fn guarded(call: impl FnOnce()) {
    let _panicked = catch_unwind(AssertUnwindSafe(call));
}

impl<A: Serialize, R> Tasks<A, R> {
    /// Serialises tasks that are to go together. Err: of which one it cannot be done, and why.
    fn pack(&self, first: u64, count: u32) -> Result<(u32, Parcel), (u64, String)> {
        let mut bytes = Vec::new();
        let start = usize::try_from(first.wrapping_sub(self.base)).unwrap_or(usize::MAX);
        let (packed, segments) = passing::pack(|| {
            let mut packed = 0;
            for slot in self.slots.iter().skip(start).take(count as usize) {
                let Slot::Task(item, _) = slot else { break };
                let before = bytes.len();
                let written = catch_unwind(AssertUnwindSafe(|| {
                    wire::append_task(&mut bytes, |bytes| postcard::to_extend(item, bytes))
                }));
                let index = first + u64::from(packed);
                match written {
                    // What is long goes alone.
                    Ok(Ok(())) if packed > 0 && bytes.len() > wire::LONG => {
                        bytes.truncate(before);
                        break;
                    }
                    Ok(Ok(())) if u32::try_from(bytes.len() - before).is_ok() => {}
                    Ok(Ok(())) => return Err((index, "it is longer than 4 GiB".to_owned())),
                    Ok(Err(error)) => return Err((index, explain::<A>(&error))),
                    Err(_) => return Err((index, "its serialisation panicked".to_owned())),
                }
                packed += 1;
            }
            Ok(packed)
        });
        let packed = packed?;
        Ok((packed, Parcel { bytes, segments }))
    }
}

impl<A, R> Job for Batch<A, R>
where
    A: Serialize + Send,
    R: DeserializeOwned + Send,
{
    fn entry(&self) -> u64 {
        self.entry
    }

    fn draw(&self, most: u32, workers: usize) -> Option<Draw> {
        loop {
            let mut tasks = lock(&self.tasks);
            let (first, waiting) = match tasks.again.pop_front() {
                Some(range) => range,
                None => {
                    let end = tasks.base + tasks.slots.len() as u64;
                    let waiting = u32::try_from(end - tasks.next.min(end)).unwrap_or(u32::MAX);
                    (tasks.next, waiting)
                }
            };
            if waiting == 0 {
                return None;
            }
            let estimate = self.estimate();
            let even = waiting.div_ceil(u32::try_from(workers * 4).unwrap_or(u32::MAX));
            // A cast of a float stops at the type's limits.
            let long = if estimate > 0.0 { (CHUNK_NANOS / estimate) as u32 } else { 1 };
            let long = long.clamp(1, even.max(1));
            // Of short chunks, several go together.
            let chunk =
                self.chunk.map_or(long, |chunk| (long / chunk).max(1).saturating_mul(chunk));
            let mut count = chunk.min(waiting).min(most).max(1);
            let drawn = loop {
                match tasks.pack(first, count) {
                    Ok((_, parcel)) if parcel.segments.len() > SEGMENTS => match count {
                        1 => {
                            let count = parcel.segments.len();
                            let what = format!("it has handles of {count} segments");
                            break Err((first, format!("{what}, the most is {SEGMENTS}")));
                        }
                        _ => count /= 2,
                    },
                    Ok((0, _)) => break Err((first, "it is gone".to_owned())),
                    Ok((packed, parcel)) => break Ok(Draw { first, count: packed, parcel }),
                    // Those before it first.
                    Err((index, _)) if index > first => count = (index - first) as u32,
                    Err(error) => break Err(error),
                }
            };
            let gone = drawn.as_ref().map_or(1, |drawn| drawn.count);
            let next = first + u64::from(gone);
            if first == tasks.next {
                tasks.next = next;
            } else if waiting > gone {
                tasks.again.push_front((next, waiting - gone));
            }
            drop(tasks);
            match drawn {
                Ok(draw) => return Some(draw),
                Err((index, what)) => {
                    let error = Err(Box::new(TaskError::Arguments { what }));
                    self.conclude(index, std::iter::once(error));
                }
            }
        }
    }

    fn is_waiting(&self) -> bool {
        let tasks = lock(&self.tasks);
        !tasks.again.is_empty() || tasks.next < tasks.base + tasks.slots.len() as u64
    }

    fn settle(&self, first: u64, outcomes: Vec<Outcome<'_>>) {
        let result =
            |error: &postcard::Error| Box::new(TaskError::Result { what: explain::<R>(error) });
        let outcomes: Vec<Settled<R>> = outcomes
            .into_iter()
            .map(|outcome| {
                let read = catch_unwind(AssertUnwindSafe(|| match outcome {
                    Outcome::Bytes(bytes) => match postcard::take_from_bytes(bytes) {
                        Ok((value, [])) => Ok(value),
                        Ok((_, rest)) => {
                            let what = format!("{} bytes are left over", rest.len());
                            Err(Box::new(TaskError::Result { what }))
                        }
                        Err(error) => Err(result(&error)),
                    },
                    Outcome::Parcel(parcel) => {
                        parcel.unpack().map_err(|what| Box::new(TaskError::Result { what }))
                    }
                    Outcome::Failed(error) => Err(Box::new(error)),
                }));
                read.unwrap_or_else(|_| {
                    let what = "its deserialisation panicked".to_owned();
                    Err(Box::new(TaskError::Result { what }))
                })
            })
            .collect();
        self.conclude(first, outcomes.into_iter());
    }

    fn give_back(&self, first: u64, count: u32) {
        if count > 0 {
            lock(&self.tasks).again.push_back((first, count));
        }
    }

    fn lost(&self, index: u64, error: TaskError) -> bool {
        let mut tasks = lock(&self.tasks);
        let place = usize::try_from(index.wrapping_sub(tasks.base)).ok();
        let slot = place.and_then(|place| tasks.slots.get_mut(place));
        let Some(Slot::Task(_, attempts)) = slot else { return false };
        *attempts += 1;
        if *attempts <= self.retries {
            tasks.again.push_back((index, 1));
            return true;
        }
        let tried = *attempts;
        drop(tasks);
        let error = match error {
            TaskError::WorkerDied { worker, pid, end, .. } => {
                TaskError::WorkerDied { worker, pid, end, attempts: tried }
            }
            other => other,
        };
        self.conclude(index, std::iter::once(Err(Box::new(error))));
        false
    }

    fn timed(&self, count: u32, nanos: u64) {
        let each = nanos as f64 / f64::from(count.max(1));
        let before = self.estimate();
        let now = if before > 0.0 { f64::midpoint(before, each) } else { each };
        self.estimate.store(now.max(1.0).to_bits() as usize, Ordering::Relaxed);
    }

    fn estimate(&self) -> f64 {
        f64::from_bits(self.estimate.load(Ordering::Relaxed) as u64)
    }

    fn fail_all(&self, error: &TaskError) {
        let (first, count) = {
            let mut tasks = lock(&self.tasks);
            tasks.again.clear();
            tasks.next = tasks.base + tasks.slots.len() as u64;
            (tasks.base, tasks.slots.len())
        };
        let error = || Err(Box::new(error.clone()));
        self.conclude(first, std::iter::repeat_with(error).take(count));
    }
}

/// What a map returns: all results, or the first error.
pub(super) fn all<R>(outcomes: Vec<Settled<R>>) -> Result<Vec<R>, PoolError> {
    let outcomes = outcomes.into_iter().enumerate();
    outcomes.map(|(index, outcome)| outcome.map_err(|error| failed(index, *error))).collect()
}

/// The error of a call whose task failed.
pub(super) fn failed(index: usize, error: TaskError) -> PoolError {
    match error {
        TaskError::Terminated => PoolError::Terminated,
        TaskError::Stopped(why) => *why,
        error => PoolError::Task { index, error },
    }
}
