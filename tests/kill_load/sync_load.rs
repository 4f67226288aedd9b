//! The other primitives of `sync`, and `Latest`, under load.

use std::time::Duration;

use outlive::{
    Barrier, BarrierError, Condvar, Latest, LockError, Mutex, ObjectError, OnceValue,
    ReentrantMutex, RwLock, Segment, Semaphore, SemaphoreError,
};

use crate::load::{DEADLINE, Verdict, Words, hold, said, whole};

const PERMITS: u64 = 3;
/// How many objects this makes.
pub(crate) const OBJECTS: usize = 8;

pub(crate) struct SyncLoad {
    rwlock: RwLock<Words>,
    semaphore: Semaphore,
    reentrant: ReentrantMutex<[u64; 2]>,
    latest: Latest<Words>,
    once: OnceValue<Words>,
    mutex: Mutex<u64>,
    condvar: Condvar,
    barrier: Barrier,
}

impl SyncLoad {
    pub(crate) fn of(segment: &Segment) -> Result<Self, ObjectError> {
        Ok(Self {
            rwlock: segment.rwlock("rwlock", [0; 8])?,
            semaphore: segment.bounded_semaphore("semaphore", PERMITS)?,
            reentrant: segment.reentrant_mutex("reentrant", [0; 2])?,
            latest: segment.latest("latest", [0; 8])?,
            once: segment.once_value("once")?,
            mutex: segment.mutex("with-condvar", 0)?,
            condvar: segment.condvar("condvar")?,
            barrier: segment.barrier("barrier", 2)?,
        })
    }

    pub(crate) fn round(&self, round: u64) -> Verdict {
        self.write()?;
        self.read()?;
        self.permits(1 + round % 2)?;
        self.again()?;
        self.publish()?;
        let first = self.once.get_or_init_timeout(DEADLINE, || [9; 8]).map_err(said("once"))?;
        hold(first == [9; 8], || format!("once: {first:?}"))?;
        self.turn(round)?;
        if round.is_multiple_of(64) {
            self.meet()?;
        }
        Ok(())
    }

    fn write(&self) -> Verdict {
        let mut guard = match self.rwlock.write_timeout(DEADLINE) {
            Ok(guard) => {
                hold(whole(&guard), || format!("rwlock: torn, no OwnerDied: {:?}", *guard))?;
                guard
            }
            Err(LockError::OwnerDied(mut guard)) => {
                let most = guard[0];
                guard.fill(most);
                guard.mark_consistent();
                guard
            }
            Err(error) => return Err(format!("rwlock, write: {error}")),
        };
        guard.iter_mut().for_each(|word| *word += 1);
        Ok(())
    }

    fn read(&self) -> Verdict {
        match self.rwlock.read_timeout(DEADLINE) {
            Ok(guard) => hold(whole(&guard), || format!("rwlock: torn: {:?}", *guard)),
            // Perhaps half-changed, which the next writer mends.
            Err(LockError::OwnerDied(_)) => Ok(()),
            Err(error) => Err(format!("rwlock, read: {error}")),
        }
    }

    fn permits(&self, count: u64) -> Verdict {
        let permit = match self.semaphore.acquire_many_timeout(count, DEADLINE) {
            Ok(permit) => permit,
            Err(error) => return Err(format!("semaphore: {error}")),
        };
        let left = self.semaphore.available();
        hold(left <= PERMITS, || format!("semaphore: {left} of {PERMITS} permits left"))?;
        drop(permit);
        match self.semaphore.release(PERMITS) {
            Err(SemaphoreError::OverRelease { .. }) => Ok(()),
            other => Err(format!("semaphore: over-released: {other:?}")),
        }
    }

    fn again(&self) -> Verdict {
        let first = match self.reentrant.lock_timeout(DEADLINE) {
            Ok(guard) => {
                let [first, second] = guard.get();
                hold(first == second, || format!("reentrant: {first}, {second}, no OwnerDied"))?;
                guard
            }
            Err(LockError::OwnerDied(guard)) => {
                let [first, _] = guard.get();
                guard.set([first; 2]);
                guard.mark_consistent();
                guard
            }
            Err(error) => return Err(format!("reentrant: {error}")),
        };
        let [number, _] = first.get();
        first.set([number + 1, number]);
        let second = self.reentrant.lock_timeout(DEADLINE).map_err(said("reentrant, again"))?;
        second.set([number + 1; 2]);
        Ok(())
    }

    fn publish(&self) -> Verdict {
        self.latest
            .update(|words| words.iter_mut().for_each(|word| *word += 1))
            .map_err(said("latest"))?;
        let (first, version) = self.latest.get_versioned().map_err(said("latest"))?;
        let (second, later) = self.latest.get_versioned().map_err(said("latest"))?;
        hold(whole(&first) && whole(&second), || format!("latest: torn: {first:?}, {second:?}"))?;
        hold(later >= version && second[0] >= first[0], || {
            format!("latest: {first:?}, and then {second:?}")
        })
    }

    /// Hands the turn on, and waits for it for a moment.
    fn turn(&self, round: u64) -> Verdict {
        let vouch = |outcome: Result<_, LockError<_>>| outcome.or_else(LockError::recover);
        let mut guard = vouch(self.mutex.lock_timeout(DEADLINE)).map_err(said("condvar, lock"))?;
        *guard += 1;
        if round.is_multiple_of(64) {
            let moment = Duration::from_micros(100);
            match self.condvar.wait_timeout(guard, moment) {
                Ok((guard, _)) => drop(guard),
                Err(error) => match error.into_guard() {
                    Ok((mut guard, _)) => guard.mark_consistent(),
                    Err(error) => return Err(format!("condvar: {error}")),
                },
            }
        } else {
            drop(guard);
        }
        self.condvar.notify_one().map_err(said("condvar"))
    }

    fn meet(&self) -> Verdict {
        match self.barrier.wait_timeout(Duration::from_micros(100)) {
            Ok(_) => Ok(()),
            Err(BarrierError::Broken | BarrierError::TimedOut) => {
                self.barrier.reset().map_err(said("barrier"))
            }
            Err(error) => Err(format!("barrier: {error}")),
        }
    }

    /// What is true whoever does what at the moment.
    pub(crate) fn check(&self) -> Verdict {
        self.read()?;
        let read = self.latest.get().map_err(said("latest"))?;
        hold(whole(&read), || format!("latest: torn: {read:?}"))
    }

    /// What is true when nobody is left.
    pub(crate) fn check_at_rest(&self) -> Verdict {
        let available = self.semaphore.available();
        hold(available == PERMITS, || format!("semaphore: {available} of {PERMITS}: they leak"))?;
        let readers = self.rwlock.readers();
        hold(readers == 0, || format!("rwlock: {readers} readers, and nobody is left"))?;
        let waiting = self.barrier.waiting();
        hold(waiting == 0, || format!("barrier: {waiting} wait, and nobody is left"))
    }
}
