//! The pool's side: a job whose tasks are runners.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::memory::{Counts, Field, Memory, Place};
use super::runner::Runner;
use crate::error::{PanicLocation, PoolError, StartError, TaskError};
use crate::process::entry::Entry;
use crate::process::parcel::{Parcel, explain};
use crate::process::pool::crew::{self, Shared as Crews};
use crate::process::pool::job::{self, Draw, Job, Outcome};
use crate::process::pool::wire;
use crate::segment::passing;
use crate::shared::Shared;

/// So many deaths of workers that had begun nothing are an accident.
const ACCIDENTS: u32 = 3;

/// An item that failed, and why.
type Failed = (usize, TaskError);

#[derive(Debug)]
struct State {
    /// None when the map is over.
    memory: Option<Memory>,
    /// Runners that wait for a worker.
    waiting: VecDeque<usize>,
    /// From where each goes on.
    places: Vec<Option<Place>>,
    /// How many have not ended.
    left: usize,
    /// How often items were begun in vain.
    attempts: HashMap<usize, u32>,
    accidents: u32,
    /// The first of those that failed by another reason than a panic.
    failed: Option<Failed>,
    /// Why the pool is over.
    over: Option<TaskError>,
}

struct Map<T, U> {
    entry: u64,
    counts: Counts,
    field: Field<T, U>,
    retries: u32,
    state: Mutex<State>,
    /// With `state`: no runner is left, or the pool is over.
    changed: Condvar,
}

/// Where the parts start: so many items each, or ever fewer.
fn starts(
    items: usize,
    workers: usize,
    chunk: Option<usize>,
) -> impl Iterator<Item = usize> + Clone {
    // Of what is left, each worker gets a quarter of its share.
    let shares = workers.saturating_mul(4).max(1);
    let next = move |start: &usize| {
        let length = chunk.unwrap_or((items - start) / shares).max(1);
        start.checked_add(length).filter(|start| *start < items)
    };
    std::iter::successors((items > 0).then_some(0), next)
}

/// Runs `function`, which runs a runner, in the pool's workers, until all items have results. `count` is
/// what an iterator says of itself.
pub(super) fn run<F, T, U, R>(
    crews: &Crews,
    function: F,
    mut items: impl Iterator<Item = T>,
    count: usize,
    chunk: Option<usize>,
    result: impl Fn(U) -> Option<R>,
) -> Result<Vec<R>, PoolError>
where
    F: Fn(Runner) -> Result<(), String> + Copy + Send + Sync + 'static,
    T: Shared,
    U: Shared,
{
    if crew::is_crew() {
        return Err(PoolError::InCallback);
    }
    // Before the memory, which is the pool's own process's.
    if crews.owner != std::process::id() {
        return Err(PoolError::Forked);
    }
    let entry = Entry::of(function);
    let number = entry.number();
    let entry = number.ok_or(StartError::NotInExecutable { function: entry.name() })?;
    let starts = starts(count, crews.workers, chunk);
    let parts = starts.clone().count();
    let counts = Counts { runners: crews.workers.min(parts), parts, items: count };
    // A size that cannot be is refused when memory is taken for it.
    let size = counts.size::<T, U>().unwrap_or(usize::MAX / 2);
    let memory = Memory::new(crews.take_memory(), size)?;
    let field = Field::new(&memory, counts)?.ok_or(PoolError::Broken)?;
    field.begin(starts);
    let mut written = 0;
    for place in field.items.row(0..count) {
        let Some(item) = items.next() else { break };
        place.write(&item);
        written += 1;
    }
    let more: Vec<T> = items.collect();
    if written < count || !more.is_empty() {
        // It was wrong.
        let before = (0..written).filter_map(|index| field.items.get(index)?.read().check());
        let all: Vec<T> = before.chain(more).collect();
        return if all.is_empty() {
            Ok(Vec::new())
        } else {
            let count = all.len();
            run(crews, function, all.into_iter(), count, chunk, result)
        };
    }
    let map = Arc::new(Map::<T, U> {
        entry,
        counts,
        field,
        retries: crews.options.retries,
        state: Mutex::new(State {
            memory: Some(memory),
            waiting: (0..counts.runners).collect(),
            places: vec![None; counts.runners],
            left: counts.runners,
            attempts: HashMap::new(),
            accidents: 0,
            failed: None,
            over: None,
        }),
        changed: Condvar::new(),
    });
    crews.submit(Arc::clone(&map) as Arc<dyn Job>, false)?;
    map.wait()?;
    let mut values = Vec::with_capacity(count);
    for place in map.field.results.row(0..count) {
        let Some(value) = place.read().check().and_then(&result) else { break };
        values.push(value);
    }
    if values.len() < count {
        let index = values.len();
        let what = format!("{}: its bytes are none", std::any::type_name::<R>());
        return Err(PoolError::Task { index, error: TaskError::Result { what } });
    }
    // All runners have ended: nobody writes there any more.
    let memory = map.state().memory.take();
    if let Some(memory) = memory.filter(Memory::is_kept) {
        crews.keep_memory(memory);
    }
    Ok(values)
}

impl<T: Shared, U: Shared> Map<T, U> {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Until all runners have ended. Err: what failed.
    fn wait(&self) -> Result<(), PoolError> {
        let mut state = self.state();
        while state.left > 0 && state.over.is_none() {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if let Some(why) = state.over.take() {
            return Err(job::failed(0, why));
        }
        let panics = (0..self.counts.runners).filter_map(|runner| self.panic_of(runner));
        match panics.chain(state.failed.take()).min_by_key(|(item, _)| *item) {
            Some((item, error)) => Err(job::failed(item, error)),
            None => Ok(()),
        }
    }

    fn panic_of(&self, runner: usize) -> Option<Failed> {
        let (item, text) = self.field.panic_of(runner)?;
        type Told = (String, u32, String, Option<PanicLocation>);
        let told: Told = postcard::from_bytes(&text).unwrap_or_default();
        let (worker, pid, message, location) = told;
        Some((item, TaskError::Panicked { worker, pid, message, location }))
    }

    /// Where a runner was last; an item that there is.
    fn item_of(&self, runner: usize) -> usize {
        let at = self.field.at(runner).map_or(0, |at| at.load(Ordering::Relaxed));
        usize::try_from(at / 2).unwrap_or(usize::MAX).min(self.counts.items - 1)
    }
}

impl State {
    fn fail(&mut self, item: usize, error: TaskError) {
        if self.failed.as_ref().is_none_or(|(first, _)| item < *first) {
            self.failed = Some((item, error));
        }
    }
}

impl<T: Shared, U: Shared> Job for Map<T, U> {
    fn entry(&self) -> u64 {
        self.entry
    }

    fn draw(&self, _most: u32, _workers: usize) -> Option<Draw> {
        let mut state = self.state();
        let number = state.waiting.pop_front()?;
        let place = state.places.get(number).copied().flatten();
        let memory = state.memory.as_ref()?;
        let runner = Runner { memory, counts: self.counts, number, place };
        let mut bytes = Vec::new();
        let (packed, segments) = passing::pack(|| {
            wire::append_task(&mut bytes, |bytes| postcard::to_extend(&runner, bytes))
        });
        match packed {
            Ok(()) => {
                Some(Draw { first: number as u64, count: 1, parcel: Parcel { bytes, segments } })
            }
            Err(error) => {
                let what = explain::<Memory>(&error);
                drop(state);
                self.settle(number as u64, vec![Outcome::Failed(TaskError::Arguments { what })]);
                None
            }
        }
    }

    fn is_waiting(&self) -> bool {
        !self.state().waiting.is_empty()
    }

    fn settle(&self, first: u64, outcomes: Vec<Outcome<'_>>) {
        let mut state = self.state();
        for (runner, outcome) in (first as usize..).zip(outcomes) {
            let broken = |what| Some(TaskError::Result { what });
            let error = match outcome {
                Outcome::Bytes(bytes) => match postcard::from_bytes::<Result<(), String>>(bytes) {
                    Ok(Ok(())) => None,
                    Ok(Err(what)) => broken(what),
                    Err(error) => broken(error.to_string()),
                },
                // It is too short for one.
                Outcome::Parcel(_) => broken("a runner sent a letter".to_owned()),
                Outcome::Failed(error) => Some(error),
            };
            if let Some(error) = error {
                let item = self.item_of(runner);
                state.fail(item, error);
            }
            state.left = state.left.saturating_sub(1);
        }
        self.changed.notify_all();
    }

    fn give_back(&self, first: u64, count: u32) {
        let mut state = self.state();
        if state.over.is_none() {
            state.waiting.extend((0..u64::from(count)).map(|more| (first + more) as usize));
        }
    }

    fn lost(&self, index: u64, error: TaskError) -> bool {
        let runner = index as usize;
        let mut state = self.state();
        if state.over.is_some() {
            return false;
        }
        let sent = state.places.get(runner).copied().flatten();
        let place = match self.field.left_at(runner, sent) {
            Some((mut place, true)) => {
                let attempts = state.attempts.entry(place.item).or_insert(0);
                *attempts += 1;
                let attempts = *attempts;
                if attempts > self.retries {
                    let error = match error {
                        TaskError::WorkerDied { worker, pid, end, .. } => {
                            TaskError::WorkerDied { worker, pid, end, attempts }
                        }
                        other => other,
                    };
                    state.fail(place.item, error);
                    place.item += 1;
                }
                Some(place)
            }
            other => {
                state.accidents += 1;
                if state.accidents > ACCIDENTS + self.retries {
                    // What nobody has begun by the end is this one's.
                    if let Some(item) = self.field.first_free() {
                        state.fail(item, error);
                    } else if let Some((place, _)) = other {
                        state.fail(place.item, error);
                    }
                    state.left = state.left.saturating_sub(1);
                    self.changed.notify_all();
                    return false;
                }
                other.map(|(place, _)| place)
            }
        };
        if let Some(place) = place
            && let Some(at) = self.field.at(runner)
        {
            // Relaxed: nobody runs there, and the next one is sent through the kernel.
            at.store(2 * place.item as u64, Ordering::Relaxed);
        }
        if let Some(known) = state.places.get_mut(runner) {
            *known = place;
        }
        state.waiting.push_back(runner);
        true
    }

    /// How long runners take is not known before they have ended: one at a time.
    fn timed(&self, _count: u32, _nanos: u64) {}

    fn estimate(&self) -> f64 {
        0.0
    }

    fn fail_all(&self, error: &TaskError) {
        let mut state = self.state();
        state.waiting.clear();
        state.over = Some(error.clone());
        self.changed.notify_all();
    }
}
