//! Readers and writers.

use std::fmt::Debug;
use std::hint::black_box;

use outlive::{LockError, RwLock, RwLockReadGuard, RwLockWriteGuard, Shared};

use super::{Others, SHORT};

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

/// Whether the data may be looked at: see `single::guarded`.
fn may_look<T: Shared>(others: Others) -> bool {
    others == Others::Quiet || T::ANY_PATTERN_IS_VALID
}

fn look<T: Shared + Debug>(guard: &RwLockReadGuard<'_, T>, others: Others) {
    if may_look::<T>(others) {
        black_box(format!("{guard:?}"));
    }
}

fn store<T: Shared + Debug>(guard: &mut RwLockWriteGuard<'_, T>, new: T, others: Others) {
    if may_look::<T>(others) {
        black_box(format!("{guard:?} {}", guard.is_inconsistent()));
        **guard = new;
    }
}

pub(crate) fn read<T: Shared>(lock: &RwLock<T>) {
    black_box((lock.readers(), lock.holder()));
    black_box(format!("{lock:?} {:?}", lock.clone()));
}

pub(crate) fn any<T: Shared + Debug>(lock: &RwLock<T>, new: T, others: Others) {
    read(lock);
    if let Some(guard) = locked(lock.read_timeout(SHORT)) {
        look(&guard, others);
        // A second time, and what this thread may not have beside it.
        drop(locked(lock.try_read()).inspect(|guard| look(guard, others)));
        drop(locked(lock.write_timeout(SHORT)));
        drop(locked(lock.try_upgradable_read()));
    }
    for mend in [true, false, true] {
        if let Some(mut guard) = locked(lock.write_timeout(SHORT)) {
            store(&mut guard, new, others);
            drop(locked(lock.try_read()));
            if mend {
                guard.mark_consistent();
            }
        }
    }
    change_ways(lock, new, others);
    drop(locked(lock.try_read()).inspect(|guard| look(guard, others)));
    drop(locked(lock.try_write()));
    read(lock);
}

/// From each sort of guard to the others.
fn change_ways<T: Shared + Debug>(lock: &RwLock<T>, new: T, others: Others) {
    if let Some(guard) = locked(lock.upgradable_read_timeout(SHORT)) {
        match guard.upgrade_timeout(SHORT) {
            Ok(mut guard) => {
                store(&mut guard, new, others);
                guard.mark_consistent();
                match guard.downgrade_to_upgradable().downgrade() {
                    Ok(guard) => look(&guard, others),
                    Err(refused) => drop(black_box(refused.error)),
                }
            }
            Err(refused) => drop(black_box(refused.error)),
        }
    }
    if let Some(guard) = locked(lock.try_upgradable_read()) {
        match guard.try_upgrade() {
            Ok(guard) => match guard.downgrade() {
                Ok(guard) => look(&guard, others),
                Err(refused) => drop(black_box(refused.error)),
            },
            Err(refused) => drop(black_box(refused.error)),
        }
    }
}
