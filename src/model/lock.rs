//! The robust lock: mutual exclusion, no lost wake-up, and who hears of a death.

use core::sync::atomic::Ordering;

use super::run::{
    Kernel, begin_with, check, in_time, model, mortal, pass_time, process, with_death,
};
use crate::error::LockError;
use crate::layout::Counter;
use crate::raw::deadline::Deadline;
use crate::raw::lock::{Acquired, Release};

/// A lock and two words that change together under it.
#[derive(Clone, Copy)]
struct Pair(&'static Counter);

impl Pair {
    fn new() -> Self {
        Self(begin_with::<Counter>(|counter| counter.lock.reset()))
    }

    fn read(self) -> (u64, u64) {
        let [first, second] = &self.0.spare;
        (first.load(Ordering::Relaxed), second.load(Ordering::Relaxed))
    }

    fn write(self, values: (u64, u64)) {
        let [first, second] = &self.0.spare;
        first.store(values.0, Ordering::Relaxed);
        second.store(values.1, Ordering::Relaxed);
    }

    /// Mends what a dead holder left.
    fn settle(self, acquired: Acquired) {
        let (first, second) = self.read();
        match acquired {
            Acquired::Clean => assert_eq!(first, second, "half a change, and nobody died"),
            Acquired::OwnerDied => {
                assert!(first - second <= 1, "{first}, {second}");
                self.write((first, first));
                self.0.lock.mark_consistent();
            }
        }
    }

    /// Adds one to both.
    fn add(self) {
        let acquired = self.0.lock.lock(Deadline::NEVER).expect("the lock");
        self.settle(acquired);
        let (first, second) = self.read();
        self.write((first + 1, second + 1));
        self.0.lock.unlock(Release::Clean);
    }

    /// What was added, of which there may be one more than was completed.
    fn holds(self, least: u64, most: u64) {
        let acquired = self.0.lock.try_lock().expect("a free lock");
        self.settle(acquired);
        let (first, _) = self.read();
        assert!((least..=most).contains(&first), "{first}, not {least} to {most}");
        self.0.lock.unlock(Release::Clean);
    }
}

#[test]
fn two_exclude_each_other() {
    check(3, || {
        let pair = Pair::new();
        let others = process(1, move || pair.add());
        pair.add();
        others.join().expect("a process");
        pair.holds(2, 2);
    });
}

#[test]
fn three_exclude_one_another_and_no_wake_is_lost() {
    model(|| {
        let pair = Pair::new();
        let others: Vec<_> = (1..3).map(|number| process(number, move || pair.add())).collect();
        pair.add();
        others.into_iter().for_each(|other| other.join().expect("a process"));
        pair.holds(3, 3);
    });
}

/// A word that looks the same was released and taken again.
#[test]
fn two_rounds_of_one_among_three() {
    check(1, || {
        let pair = Pair::new();
        let others: Vec<_> = (1..3).map(|number| process(number, move || pair.add())).collect();
        pair.add();
        pair.add();
        others.into_iter().for_each(|other| other.join().expect("a process"));
        pair.holds(4, 4);
    });
}

#[test]
fn two_rounds_each() {
    model(|| {
        let pair = Pair::new();
        let other = process(1, move || {
            pair.add();
            pair.add();
        });
        pair.add();
        pair.add();
        other.join().expect("a process");
        pair.holds(4, 4);
    });
}

#[test]
fn a_death_is_handed_on() {
    with_death(|mortality| {
        let pair = Pair::new();
        let dying = mortal(1, &mortality, Kernel::Reports, move || pair.add());
        pair.add();
        let lived = dying.join().expect("a process").is_some();
        pair.holds(if lived { 2 } else { 1 }, 2);
    });
}

/// The kernel's wake at a death finds the word taken by a third one, if it does at all: time helps.
#[test]
fn a_death_among_three() {
    with_death(|mortality| {
        let pair = Pair::new();
        let dying = mortal(1, &mortality, Kernel::Reports, move || pair.add());
        let other = in_time(2, move || pair.add());
        let lived = dying.join().expect("a process").is_some();
        pass_time(other);
        pair.holds(if lived { 2 } else { 1 }, 2);
    });
}

/// As with exec by a thread that is not the process's first.
#[test]
fn a_death_that_the_kernel_overlooks() {
    with_death(|mortality| {
        let pair = Pair::new();
        let dying = mortal(1, &mortality, Kernel::Overlooks, move || pair.add());
        let other = in_time(2, move || pair.add());
        let lived = dying.join().expect("a process").is_some();
        pass_time(other);
        pass_time(in_time(3, move || pair.add()));
        pair.holds(if lived { 3 } else { 2 }, 3);
    });
}

/// The one that finds out is not the one that goes on.
#[test]
fn a_death_that_one_of_two_finds_out() {
    with_death(|mortality| {
        let pair = Pair::new();
        let dying = mortal(1, &mortality, Kernel::Overlooks, move || pair.add());
        let other = in_time(2, move || pair.add());
        let lived = dying.join().expect("a process").is_some();
        // Between its finding out and its going on.
        if let Ok(acquired) = pair.0.lock.try_lock() {
            pair.settle(acquired);
            pair.0.lock.unlock(Release::Clean);
        }
        pass_time(other);
        pass_time(in_time(3, move || pair.add()));
        pair.holds(if lived { 3 } else { 2 }, 3);
    });
}

#[test]
fn giving_up_closes_for_all_who_wait() {
    model(|| {
        let pair = Pair::new();
        pair.0.lock.lock(Deadline::NEVER).expect("the lock");
        let others: Vec<_> = (1..3)
            .map(|number| {
                process(number, move || {
                    match pair.0.lock.lock(Deadline::NEVER) {
                        // The first one to come gives up on it.
                        Ok(Acquired::OwnerDied) => pair.0.lock.unlock(Release::Clean),
                        Err(LockError::NotRecoverable) => {}
                        other => panic!("{other:?}"),
                    }
                })
            })
            .collect();
        pair.0.lock.unlock(Release::Dirty);
        others.into_iter().for_each(|other| other.join().expect("a process"));
        assert!(matches!(pair.0.lock.try_lock(), Err(LockError::NotRecoverable)));
    });
}
