//! Operations on what processes meet at, by number. Those that wait for others do so for 50 µs at most.

use std::fmt::Debug;
use std::hint::black_box;
use std::time::Duration;

use outlive::{
    Barrier, Condvar, Latest, LockError, Mutex, MutexGuard, Once, OnceValue, ReentrantMutex,
    RwLock, RwLockReadGuard, RwLockWriteGuard, Semaphore, Shared, Waitable, wait_any, wait_some,
};

use crate::operations::{SHORT, tried};

/// What was locked, whether or not somebody died.
fn locked<G>(outcome: Result<G, LockError<G>>) -> Option<G> {
    match outcome {
        Ok(guard) | Err(LockError::OwnerDied(guard)) => Some(guard),
        Err(error) => {
            black_box(format!("{error} {error:?}"));
            None
        }
    }
}

fn look<T: Shared + Debug>(guard: RwLockReadGuard<'_, T>) {
    black_box(format!("{guard:?}"));
}

fn store<T: Shared + Debug>(mut guard: RwLockWriteGuard<'_, T>, new: T, mend: bool) {
    black_box(format!("{guard:?} {}", guard.is_inconsistent()));
    *guard = new;
    if mend {
        guard.mark_consistent();
    }
}

pub fn rwlock<T: Shared + Debug>(lock: &RwLock<T>, new: T, operation: u8, share: impl Fn()) {
    let mend = operation & 0x80 == 0;
    match operation % 10 {
        0 => drop(black_box((lock.readers(), lock.holder()))),
        1 => locked(lock.try_read()).map_or((), look),
        2 => locked(lock.read_timeout(SHORT)).map_or((), look),
        3 => drop(locked(lock.try_write()).map(|guard| store(guard, new, mend))),
        4 => drop(locked(lock.write_timeout(SHORT)).map(|guard| store(guard, new, mend))),
        5 => {
            // What this thread may have, and may not have, beside a share.
            let guard = locked(lock.read_timeout(SHORT));
            if let Some(second) = locked(lock.try_read()) {
                look(second);
            }
            drop(locked(lock.try_write()));
            drop(locked(lock.upgradable_read_timeout(SHORT)));
            drop(guard);
        }
        6 => {
            if let Some(guard) = locked(lock.try_upgradable_read()) {
                match guard.upgrade_timeout(SHORT) {
                    Ok(guard) => store(guard, new, mend),
                    Err(refused) => drop(black_box(refused.error)),
                }
            }
        }
        7 => {
            share();
            if let Some(guard) = locked(lock.upgradable_read_timeout(SHORT))
                && let Ok(guard) = guard.downgrade()
            {
                look(guard);
            }
        }
        8 => {
            share();
            if let Some(guard) = locked(lock.write_timeout(SHORT))
                && let Ok(guard) = guard.downgrade()
            {
                look(guard);
            }
        }
        _ => {
            if let Some(guard) = locked(lock.write_timeout(SHORT)) {
                let guard = guard.downgrade_to_upgradable();
                black_box(format!("{guard:?}"));
                if let Ok(guard) = guard.try_upgrade() {
                    store(guard, new, mend);
                }
            }
        }
    }
}

pub fn reentrant<T: Shared + Debug>(mutex: &ReentrantMutex<T>, new: T, operation: u8) {
    let first = locked(mutex.lock_timeout(SHORT));
    let second = if operation & 1 == 0 { locked(mutex.try_lock()) } else { None };
    black_box((mutex.depth(), mutex.holder()));
    for guard in first.iter().chain(&second) {
        black_box(format!("{guard:?} {}", guard.is_inconsistent()));
        guard.set(new);
        if operation & 2 == 0 {
            guard.mark_consistent();
        }
    }
    if operation & 4 == 0 {
        drop(first);
        drop(second);
    }
}

pub fn semaphore(semaphore: &Semaphore, operation: u8) {
    let count = u64::from(operation >> 5);
    match operation % 8 {
        0 => {
            black_box((semaphore.available(), semaphore.total(), semaphore.bound()));
            black_box(format!("{semaphore:?} {:?}", semaphore.holders()));
        }
        1 => tried(semaphore.try_acquire_many(count).map(drop)),
        2 => tried(semaphore.acquire_many_timeout(count, SHORT).map(drop)),
        3 => tried(semaphore.acquire_timeout(Duration::ZERO).and_then(|permit| permit.forget())),
        4 => tried(semaphore.release(count)),
        5 => tried(semaphore.release(u64::MAX - count)),
        6 => tried(semaphore.try_acquire_many(u64::MAX >> count).map(drop)),
        _ => {
            let permits = [(); 20].map(|()| semaphore.try_acquire());
            tried(semaphore.acquire_timeout(SHORT).map(drop));
            drop(permits);
        }
    }
}

pub fn barrier(barrier: &Barrier, operation: u8) {
    match operation % 7 {
        0 => drop(black_box((barrier.is_broken(), barrier.waiting(), barrier.parties()))),
        1 => tried(barrier.wait_timeout(SHORT)),
        2 => tried(barrier.wait_timeout_with(SHORT, || drop(format!("{barrier:?}")))),
        3 => tried(barrier.wait_timeout_with(SHORT, || tried(barrier.wait_timeout(SHORT)))),
        4 => tried(barrier.wait_timeout_with(SHORT, || tried(barrier.reset()))),
        5 => tried(barrier.abort()),
        _ => tried(barrier.reset()),
    }
}

pub fn condvar(condvar: &Condvar, mutex: &Mutex<u64>, operation: u8) {
    let lock = || -> Option<MutexGuard<'_, u64>> { locked(mutex.lock_timeout(SHORT)) };
    match operation % 6 {
        0 => tried(condvar.notify_one()),
        1 => tried(condvar.notify_all()),
        2 => tried(condvar.notify(u32::from(operation >> 5))),
        3 => drop(lock().map(|guard| locked(condvar.wait_timeout(guard, SHORT)).is_some())),
        4 => drop(
            lock()
                .map(|guard| locked(condvar.wait_timeout_while(guard, SHORT, |_| true)).is_some()),
        ),
        _ => drop(lock().map(|guard| locked(condvar.wait_while(guard, |_| false)).is_some())),
    }
}

pub fn once(once: &Once, operation: u8) {
    match operation % 5 {
        0 => drop(black_box((once.is_completed(), once.holder()))),
        1 => tried(once.try_call_once(|| tried(once.try_call_once(|| ())))),
        2 => tried(once.call_once_timeout(SHORT, || tried(once.wait_timeout(SHORT)))),
        3 => tried(once.call_once_timeout(Duration::ZERO, || ())),
        _ => tried(once.wait_timeout(SHORT)),
    }
}

pub fn once_value<T: Shared + Debug>(once: &OnceValue<T>, new: T, operation: u8) {
    match operation % 5 {
        0 => drop(black_box((once.get(), once.holder()))),
        1 => tried(once.set(new)),
        2 => tried(once.get_or_init_timeout(SHORT, || new)),
        3 => tried(once.get_or_try_init(|| Err(LockError::WouldBlock))),
        _ => tried(once.wait_timeout(SHORT)),
    }
}

pub fn latest<T: Shared + Debug>(latest: &Latest<T>, new: T, operation: u8) {
    match operation % 6 {
        0 => tried(latest.get()),
        1 => tried(latest.set(new)),
        2 => tried(latest.update(|value| *value = new)),
        3 => tried(latest.wait_changed_timeout(latest.version(), SHORT)),
        4 => tried(latest.update(|_| tried(latest.get_versioned()))),
        _ => {
            for _ in 0..4 {
                tried(latest.set(new));
            }
            black_box(format!("{latest:?} {:?}", latest.holder()));
        }
    }
}

pub fn several(things: &[&dyn Waitable]) {
    tried(wait_some(things, Some(Duration::ZERO)));
    tried(wait_any(things, Some(SHORT)));
}
