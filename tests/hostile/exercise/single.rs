//! Mutexes of both sorts, values, counters and events.

use std::fmt::Debug;
use std::hint::black_box;

use outlive::{
    AtomicCounter, Counter, Event, LockError, Mutex, MutexGuard, ReentrantMutex, Shared, Value,
};

use super::{Others, SHORT, outcome, tried};

type Locked<'a, T> = Result<MutexGuard<'a, T>, LockError<MutexGuard<'a, T>>>;

fn guarded<T: Shared + Debug>(locked: Locked<'_, T>, new: T, others: Others, mend: bool) {
    let mut guard = match locked {
        Ok(guard) | Err(LockError::OwnerDied(guard)) => guard,
        Err(error) => {
            black_box(format!("{error} {error:?}"));
            return;
        }
    };
    // A guard leads to the shared bytes themselves, which were checked when it was made: who writes
    // without the lock breaks what the lock is for. So only types without invalid bytes are looked
    // at beside such a writer.
    if others == Others::Quiet || T::ANY_PATTERN_IS_VALID {
        black_box(format!("{guard:?} {}", guard.is_inconsistent()));
        *guard = new;
    }
    if mend {
        guard.mark_consistent();
    }
}

pub(crate) fn mutex<T: Shared + Debug>(mutex: &Mutex<T>, new: T, others: Others) {
    guarded(mutex.try_lock(), new, others, true);
    guarded(mutex.lock_timeout(SHORT), new, others, true);
    guarded(mutex.lock(), new, others, true);
    guarded(mutex.lock(), new, others, false);
    black_box(mutex.lock().or_else(LockError::recover).is_ok());
    black_box(format!("{mutex:?} {:?}", mutex.clone()));
}

pub(crate) fn reentrant<T: Shared + Debug>(mutex: &ReentrantMutex<T>, new: T, others: Others) {
    for mend in [true, true, false] {
        let mut guards = Vec::new();
        for locked in [mutex.lock_timeout(SHORT), mutex.try_lock(), mutex.lock_timeout(SHORT)] {
            let guard = match locked {
                Ok(guard) | Err(LockError::OwnerDied(guard)) => guard,
                Err(error) => {
                    black_box(format!("{error} {error:?}"));
                    continue;
                }
            };
            // As in `guarded`.
            if others == Others::Quiet || T::ANY_PATTERN_IS_VALID {
                black_box(format!("{guard:?}"));
                guard.set(new);
            }
            if mend {
                guard.mark_consistent();
            }
            black_box((guard.is_inconsistent(), mutex.depth()));
            guards.push(guard);
        }
        // The one that locked first goes first.
        drop(guards);
    }
    black_box(format!("{mutex:?} {:?} {:?}", mutex.clone(), mutex.holder()));
}

pub(crate) fn value<T: Shared + Debug>(value: &Value<T>, new: T) {
    tried(value.get());
    tried(value.update(|value| *value = new));
    tried(value.set(new));
    if let Some(mut guard) = outcome(value.try_lock()) {
        *guard = new;
        guard.commit();
    }
    if let Some(mut guard) = outcome(value.lock_timeout(SHORT)) {
        *guard = new;
        guard.rollback();
    }
    drop(outcome(value.lock()));
    tried(value.get());
    black_box(format!("{value:?} {:?}", value.clone()));
}

pub(crate) fn counter(counter: &Counter) {
    tried(counter.add(i64::MAX));
    tried(counter.add(i64::MAX));
    tried(counter.set(-1));
    if let Some(mut guard) = outcome(counter.try_lock()) {
        *guard = i64::MIN;
        guard.commit();
    }
    if let Some(guard) = outcome(counter.lock_timeout(SHORT)) {
        guard.rollback();
    }
    drop(outcome(counter.lock()));
    black_box(format!("{counter:?} {}", counter.get()));
}

pub(crate) fn atomic_counter(counter: &AtomicCounter) {
    tried(counter.fetch_add(i64::MAX));
    tried(counter.fetch_max(i64::MAX));
    tried(counter.fetch_min(i64::MIN));
    tried(counter.swap(-1));
    tried(counter.compare_exchange(-1, -2));
    tried(counter.set(-1));
    black_box(format!("{counter:?} {}", counter.get()));
}

pub(crate) fn event(event: &Event, others: Others) {
    black_box(event.is_set());
    tried(event.wait_timeout(SHORT));
    tried(event.set());
    if others == Others::Quiet {
        tried(event.wait());
    }
    tried(event.wait_timeout(SHORT));
    tried(event.clear());
    black_box(format!("{event:?} {:?}", event.clone()));
}
