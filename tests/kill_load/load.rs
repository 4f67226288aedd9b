//! What is hammered, and what has to be true of it at any time.
//!
//! Each worker owns a place in `done`, which it raises before (begun) and after (completed) it
//! changes something: what a death interrupted is the difference between the two.

use std::time::Duration;

use outlive::{
    Array, AtomicCounter, Counter, Event, LockError, Mutex, ObjectError, PopError, PushError,
    Queue, Reset, Segment, Value,
};

use crate::broadcast_load::{self, BroadcastLoad};
use crate::ring_load::{self, RingLoad};
use crate::sync_load::{OBJECTS, SyncLoad};

pub(crate) const WORKERS: usize = 4;
const CAPACITY: usize = 8;
const LENGTH: usize = 32;
/// Longer than anything waits that does not hang.
pub(crate) const DEADLINE: Duration = Duration::from_secs(5);

pub(crate) type Words = [u64; 8];

/// How often something was begun and completed: `[begun, completed]`.
type Tally = Array<i64>;

pub(crate) type Verdict = Result<(), String>;

pub(crate) struct Load {
    segment: Segment,
    mutex: Mutex<Words>,
    value: Value<Words>,
    counter: Counter,
    atomic: AtomicCounter,
    array: Array<u64>,
    queue: Queue<[u64; 2]>,
    event: Event,
    ring: RingLoad,
    broadcast: BroadcastLoad,
    sync: SyncLoad,
    /// Serial number of the last message that the worker pushed, which outlives the worker.
    pushed: Array<u64>,
    /// Serial number of the last message of each worker that was popped.
    popped: Mutex<[u64; WORKERS]>,
    counts: Tally,
    bookings: Tally,
    /// How many numbers were skipped.
    missing: AtomicCounter,
    deaths: Counter,
    pub(crate) operations: AtomicCounter,
}

/// A contract that does not hold, in words.
pub(crate) fn said<E: std::fmt::Display>(what: &'static str) -> impl Fn(E) -> String {
    move |error| format!("{what}: {error}")
}

pub(crate) fn whole(words: &Words) -> bool {
    words.iter().all(|word| *word == words[0])
}

pub(crate) fn hold(condition: bool, what: impl FnOnce() -> String) -> Verdict {
    if condition { Ok(()) } else { Err(what()) }
}

impl Load {
    pub(crate) fn attach(name: &str) -> Result<Self, String> {
        let segment = Segment::open_or_create(name).map_err(said("open"))?;
        Self::of(segment).map_err(said("objects"))
    }

    fn of(segment: Segment) -> Result<Self, ObjectError> {
        Ok(Self {
            mutex: segment.mutex("mutex", [0; 8])?,
            value: segment.value("value", [0; 8])?,
            counter: segment.counter("counter")?,
            atomic: segment.atomic_counter("atomic")?,
            array: segment.array("array", LENGTH, 0)?,
            queue: segment.queue("queue", CAPACITY)?,
            event: segment.event("event", Reset::Auto)?,
            ring: RingLoad::of(&segment)?,
            broadcast: BroadcastLoad::of(&segment)?,
            sync: SyncLoad::of(&segment)?,
            pushed: segment.array("pushed", WORKERS, 0)?,
            popped: segment.mutex("popped", [0; WORKERS])?,
            counts: segment.array("counts", 2, 0)?,
            bookings: segment.array("bookings", 2, 0)?,
            missing: segment.atomic_counter("missing")?,
            deaths: segment.counter("deaths")?,
            operations: segment.atomic_counter("operations")?,
            segment,
        })
    }

    /// One round of everything.
    pub(crate) fn round(&self, worker: usize, round: u64) -> Verdict {
        self.lock()?;
        self.book()?;
        self.count()?;
        self.fill(round)?;
        self.push(worker)?;
        self.pop()?;
        self.notify()?;
        self.ring.round(round)?;
        self.broadcast.round(round)?;
        self.sync.round(round)?;
        if round % 16 == worker as u64 {
            self.objects(worker)?;
        }
        self.operations.fetch_add(16).map_err(said("operations"))?;
        Ok(())
    }

    fn lock(&self) -> Verdict {
        let mut guard = match self.mutex.lock_timeout(DEADLINE) {
            Ok(guard) => {
                hold(whole(&guard), || format!("mutex: torn without OwnerDied: {:?}", *guard))?;
                guard
            }
            Err(LockError::OwnerDied(mut guard)) => {
                let most = guard[0];
                hold(guard.iter().all(|w| *w == most || *w + 1 == most), || {
                    format!("mutex: more than one change: {:?}", *guard)
                })?;
                guard.fill(most);
                guard.mark_consistent();
                guard
            }
            Err(error) => return Err(format!("mutex: {error}")),
        };
        guard.iter_mut().for_each(|word| *word += 1);
        Ok(())
    }

    fn book(&self) -> Verdict {
        self.bookings.fetch_add(0, 1).map_err(said("bookings"))?;
        {
            let mut guard = self.value.lock_timeout(DEADLINE).map_err(said("value"))?;
            guard.iter_mut().for_each(|word| *word += 1);
        }
        self.bookings.fetch_add(1, 1).map_err(said("bookings"))?;
        let read = self.value.get().map_err(said("value"))?;
        hold(whole(&read), || format!("value: torn: {read:?}"))
    }

    fn count(&self) -> Verdict {
        self.counts.fetch_add(0, 1).map_err(said("counts"))?;
        *self.counter.lock_timeout(DEADLINE).map_err(said("counter"))? += 1;
        self.counts.fetch_add(1, 1).map_err(said("counts"))?;
        self.atomic.fetch_add(1).map_err(said("atomic"))?;
        Ok(())
    }

    fn fill(&self, round: u64) -> Verdict {
        {
            let mut all = self.array.lock_timeout(DEADLINE).map_err(said("array"))?;
            hold(all.iter().all(|word| *word == all[0]), || format!("array: torn: {all:?}"))?;
            all.fill(round);
        }
        self.array.write(0, &[round; LENGTH]).map_err(said("array"))?;
        let read = self.array.to_vec().map_err(said("array"))?;
        hold(read.iter().all(|word| *word == read[0]), || format!("array: torn: {read:?}"))
    }

    fn push(&self, worker: usize) -> Verdict {
        // Raised first: a number whose push a death interrupted is never used again.
        let serial = self.pushed.fetch_add(worker, 1).map_err(said("pushed"))? + 1;
        loop {
            match self.queue.try_push([worker as u64, serial]) {
                Ok(()) => return Ok(()),
                Err(PushError::Full(_)) => self.pop()?,
                Err(error) => return Err(format!("queue: {error}")),
            }
        }
    }

    fn pop(&self) -> Verdict {
        // One at a time, so that the order in which messages left is known.
        let mut popped = match self.popped.lock_timeout(DEADLINE) {
            Ok(guard) => guard,
            Err(LockError::OwnerDied(mut guard)) => {
                guard.mark_consistent(); // one store: it was made or not
                guard
            }
            Err(error) => return Err(format!("popped: {error}")),
        };
        let [from, serial] = match self.queue.try_pop() {
            Ok(message) => message,
            Err(PopError::Empty) => return Ok(()),
            Err(error) => return Err(format!("queue: {error}")),
        };
        let last = popped.get_mut(from as usize).ok_or("queue: a message of nobody")?;
        hold(serial > *last, || format!("queue: {serial} of {from} after {last}: doubled"))?;
        let missing = serial - *last - 1;
        *last = serial;
        if missing > 0 {
            self.missing.fetch_add(missing as i64).map_err(said("missing"))?;
        }
        Ok(())
    }

    fn notify(&self) -> Verdict {
        self.event.set().map_err(said("event"))?;
        self.event.wait_timeout(Duration::ZERO).map_err(said("event"))?;
        Ok(())
    }

    fn objects(&self, worker: usize) -> Verdict {
        let name = format!("temporary-{worker}");
        let made = self.segment.array::<u64>(&name, 512, 7).map_err(said("create"))?;
        let read = made.to_vec().map_err(said("object"))?;
        hold(read.iter().all(|word| *word == 7), || format!("object: half made: {read:?}"))?;
        self.segment.remove(&name).map_err(said("remove"))?;
        let again = Segment::open(self.segment.name().ok_or("no name")?).map_err(said("open"))?;
        drop(again);
        Ok(())
    }

    /// Told before the kill, so that the count is never too low.
    pub(crate) fn expect_death(&self) -> Verdict {
        self.deaths.add(1).map(drop).map_err(said("deaths"))
    }

    /// What is true whoever does what at the moment.
    pub(crate) fn check(&self) -> Verdict {
        let read = self.value.get().map_err(said("value"))?;
        hold(whole(&read), || format!("value: torn: {read:?}"))?;
        let read = self.array.to_vec().map_err(said("array"))?;
        hold(read.iter().all(|word| *word == read[0]), || format!("array: torn: {read:?}"))?;
        drop(self.counter.lock_timeout(DEADLINE).map_err(said("counter"))?);
        self.sync.check()?;
        // A death interrupts one push, or one pop after it took the message.
        let (missing, deaths) = (self.missing.get(), self.deaths.get());
        self.ring.check(deaths)?;
        self.broadcast.check(deaths)?;
        hold(missing <= deaths, || format!("queue: {missing} lost by {deaths} deaths"))?;
        self.within("counter", &self.counts, || Ok(self.counter.get()))?;
        self.within("value", &self.bookings, || {
            self.value.get().map(|words| words[0] as i64).map_err(said("value"))
        })
    }

    /// Between what was completed before and what was begun after; and no more was begun and not
    /// completed than died or is under way.
    fn within(&self, what: &str, tally: &Tally, read: impl Fn() -> Result<i64, String>) -> Verdict {
        let completed = tally.load(1).map_err(said("tally"))?;
        let found = read()?;
        let begun = tally.load(0).map_err(said("tally"))?;
        let slack = self.deaths.get() + WORKERS as i64;
        hold((completed..=begun).contains(&found), || {
            format!("{what}: {found}, completed {completed}, begun {begun}")
        })?;
        hold(tally.load(1).map_err(said("tally"))? + slack >= found, || {
            format!("{what}: {found}, completed {completed}, and {slack} may have died")
        })
    }

    /// What is true when nobody is left.
    pub(crate) fn check_at_rest(&self) -> Verdict {
        for round in 0..1000 {
            self.round(0, round)?;
        }
        self.check()?;
        self.ring.check_at_rest()?;
        self.broadcast.check_at_rest()?;
        self.sync.check_at_rest()?;
        for worker in 0..WORKERS {
            match self.segment.remove(&format!("temporary-{worker}")) {
                Ok(()) | Err(ObjectError::NotFound { .. }) => {}
                Err(error) => return Err(format!("remove: {error}")),
            }
        }
        let objects = self.segment.objects().map_err(said("objects"))?.len();
        let made = 14 + ring_load::OBJECTS + broadcast_load::OBJECTS + OBJECTS;
        hold(objects == made, || format!("{objects} objects, and not {made}"))?;
        while self.queue.try_pop().is_ok() {}
        for serial in 0..CAPACITY as u64 {
            self.queue.try_push([0, serial]).map_err(said("queue, room"))?;
        }
        let committed = self.segment.committed().map_err(said("committed"))?;
        hold(committed <= 1 << 20, || format!("{committed} bytes are in use: they leak"))
    }
}
