//! Semaphores, barriers and condition variables.

use std::hint::black_box;
use std::time::Duration;

use outlive::{Barrier, Condvar, LockError, Mutex, MutexGuard, Semaphore};

use super::{SHORT, outcome, tried};

pub(crate) fn read_semaphore(semaphore: &Semaphore) {
    black_box((semaphore.available(), semaphore.total(), semaphore.bound()));
    black_box(format!("{semaphore:?} {:?}", semaphore.holders()));
}

pub(crate) fn semaphore(semaphore: &Semaphore) {
    read_semaphore(semaphore);
    let permits = [
        semaphore.try_acquire(),
        semaphore.acquire_timeout(SHORT),
        semaphore.try_acquire_many(0),
        semaphore.try_acquire_many(u64::MAX),
        semaphore.acquire_many_timeout(2, SHORT),
        semaphore.acquire_many_timeout(2, Duration::ZERO),
    ]
    .map(outcome);
    read_semaphore(semaphore);
    for permit in permits.into_iter().flatten() {
        black_box(permit.count());
    }
    for permit in [semaphore.acquire_timeout(SHORT), semaphore.try_acquire_many(2)] {
        // Drops nothing that is not made up for, where all is well.
        if let Some(permit) = outcome(permit) {
            let count = permit.count();
            tried(permit.forget());
            tried(semaphore.release(count));
        }
    }
    tried(semaphore.release(0));
    tried(semaphore.release(u64::MAX));
    tried(semaphore.release(i64::MAX as u64 - 3));
    black_box(semaphore.clone());
}

pub(crate) fn read_barrier(barrier: &Barrier) {
    black_box((barrier.is_broken(), barrier.waiting(), barrier.parties()));
    black_box(format!("{barrier:?}"));
}

pub(crate) fn barrier(barrier: &Barrier) {
    read_barrier(barrier);
    for _ in 0..2 {
        tried(barrier.wait_timeout(SHORT));
        tried(barrier.wait_timeout_with(SHORT, || read_barrier(barrier)));
        tried(barrier.reset());
    }
    // From within the action.
    tried(barrier.wait_timeout_with(SHORT, || tried(barrier.wait_timeout(SHORT))));
    tried(barrier.wait_timeout_with(SHORT, || tried(barrier.reset())));
    tried(barrier.abort());
    tried(barrier.wait_timeout(Duration::ZERO));
    tried(barrier.reset());
    black_box(barrier.clone());
}

pub(crate) fn condvar(condvar: &Condvar, mutex: &Mutex<u64>) {
    fn locked<G>(outcome: Result<G, LockError<G>>) -> Option<G> {
        outcome.or_else(|error| error.into_guard().map_err(|error| drop(black_box(error)))).ok()
    }
    let lock = || -> Option<MutexGuard<'_, u64>> {
        let mut guard = locked(mutex.lock_timeout(SHORT))?;
        guard.mark_consistent();
        Some(guard)
    };
    tried(condvar.notify_one());
    if let Some(guard) = lock() {
        drop(locked(condvar.wait_timeout(guard, SHORT)));
    }
    if let Some(guard) = lock() {
        drop(locked(condvar.wait_timeout_while(guard, SHORT, |_| true)));
    }
    if let Some(guard) = lock() {
        // It does not hold: no wait.
        drop(locked(condvar.wait_while(guard, |_| false)));
    }
    tried(condvar.notify(3));
    tried(condvar.notify(0));
    tried(condvar.notify_all());
    black_box(format!("{condvar:?} {:?}", condvar.clone()));
}
