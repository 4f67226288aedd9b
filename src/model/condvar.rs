//! `Condvar`: no notification is lost, whether the notifier holds the mutex or not, and a death is made
//! up for in time.

use std::cell::Cell;
use std::rc::Rc;

use super::run::{
    Kernel, begin, check, in_time, model, mortal, pass_time, process, with_death_bounded,
};
use crate::seam::futex;
use crate::{Condvar, LockError, Mutex, MutexGuard, Segment};

/// A mutex and a condvar are many steps: models with three or more processes have fewer preemptions.
const FEW: usize = 1;

/// A mutex with tokens.
#[derive(Clone)]
struct Tokens {
    mutex: Mutex<u64>,
    condvar: Condvar,
}

impl Tokens {
    fn new() -> Self {
        let segment = Segment::anonymous().expect("a segment");
        let mutex = segment.mutex("tokens", 0).expect("a mutex");
        let condvar = segment.condvar("changed").expect("a condvar");
        begin(&segment);
        Self { mutex, condvar }
    }

    fn lock(&self) -> MutexGuard<'_, u64> {
        self.mutex.lock().or_else(LockError::recover).expect("the lock")
    }

    /// As `wait_while`, but looks at the condition only when it was notified.
    fn take(&self) {
        let mut guard = self.lock();
        while *guard == 0 {
            guard = self.condvar.wait(guard).or_else(LockError::recover).expect("wait");
        }
        *guard -= 1;
    }

    /// Until there is one, which it leaves there.
    fn see(&self) {
        let mut guard = self.lock();
        while *guard == 0 {
            guard = self.condvar.wait(guard).or_else(LockError::recover).expect("wait");
        }
    }

    /// With the mutex held, or after it was released.
    fn give(&self, holding: bool, notify: impl FnOnce(&Condvar)) {
        let mut guard = self.lock();
        *guard += 1;
        if holding {
            notify(&self.condvar);
        } else {
            drop(guard);
            notify(&self.condvar);
        }
    }
}

fn one(condvar: &Condvar) {
    condvar.notify_one().expect("notify");
}

#[test]
fn no_notification_is_lost() {
    for holding in [true, false] {
        model(move || {
            let tokens = Tokens::new();
            let taker = tokens.clone();
            let other = process(1, move || taker.take());
            tokens.give(holding, one);
            other.join().expect("a process");
        });
    }
}

/// Also when one that is woken takes what two were notified of.
#[test]
fn two_at_once() {
    check(FEW, || {
        let tokens = Tokens::new();
        let others: Vec<_> = (1..3)
            .map(|number| {
                let taker = tokens.clone();
                process(number, move || taker.take())
            })
            .collect();
        *tokens.lock() += 2;
        tokens.condvar.notify(2).expect("notify");
        others.into_iter().for_each(|other| other.join().expect("a process"));
    });
}

#[test]
fn a_notification_among_others_that_meet_nobody() {
    model(|| {
        let tokens = Tokens::new();
        let taker = tokens.clone();
        let other = process(1, move || taker.take());
        let notifier = tokens.clone();
        let idle = process(2, move || notifier.condvar.notify_all().expect("notify"));
        tokens.give(false, one);
        other.join().expect("a process");
        idle.join().expect("a process");
    });
}

/// There is one notification, which it may take with it; the other one looks in time.
#[test]
fn a_death_of_one_who_waits() {
    with_death_bounded(FEW, |mortality| {
        let tokens = Tokens::new();
        let (first, second) = (tokens.clone(), tokens.clone());
        let dying = mortal(1, &mortality, Kernel::Reports, move || first.see());
        let other = in_time(2, move || second.see());
        // The lock may go to the dead one, and on from there in time.
        let mut guard = loop {
            match tokens.mutex.try_lock().or_else(LockError::recover) {
                Ok(guard) => break guard,
                Err(_) => {
                    futex::tick();
                    loom::thread::yield_now();
                }
            }
        };
        *guard = 1;
        drop(guard);
        one(&tokens.condvar);
        pass_time(other);
        futex::tick();
        dying.join().expect("a process");
    });
}

/// `wait_while` need not be told.
#[test]
fn a_death_of_the_one_who_notifies() {
    with_death_bounded(FEW, |mortality| {
        let tokens = Tokens::new();
        let (giver, taker, second) = (tokens.clone(), tokens.clone(), tokens.clone());
        let dying = mortal(1, &mortality, Kernel::Reports, move || giver.give(false, one));
        let other = in_time(2, move || {
            let mut guard = taker.lock();
            loop {
                match taker.condvar.wait_while(guard, |tokens| *tokens == 0) {
                    Ok(mut guard) => {
                        *guard -= 1;
                        return;
                    }
                    Err(error) => guard = error.recover().expect("OwnerDied"),
                }
            }
        });
        if dying.join().expect("a process").is_none() {
            // It died before it changed anything, or there is a token too many.
            pass_time(in_time(3, move || *second.lock() += 1));
        }
        pass_time(other);
    });
}

/// One who waits hears of it, though nobody does anything any more.
#[test]
fn a_death_of_the_mutexs_holder() {
    with_death_bounded(FEW, |mortality| {
        let tokens = Tokens::new();
        let (holder, taker, second) = (tokens.clone(), tokens.clone(), tokens.clone());
        let began = Rc::new(Cell::new(false));
        let begins = Rc::clone(&began);
        let dying = mortal(1, &mortality, Kernel::Reports, move || {
            let mut guard = holder.lock();
            *guard += 1;
            begins.set(true);
            one(&holder.condvar);
        });
        let other = in_time(2, move || taker.take());
        dying.join().expect("a process");
        if !began.get() {
            pass_time(in_time(3, move || second.give(true, one)));
        }
        pass_time(other);
        assert_eq!(*tokens.lock(), 0);
    });
}
