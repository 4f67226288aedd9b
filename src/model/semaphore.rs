//! `Semaphore`: no more holders than permits, no lost wake-up, and permits that come back.

use core::sync::atomic::Ordering;
use std::sync::Arc;

use super::run::{
    Kernel, begin, check, in_time, model, mortal, pass_time, process, with_death_bounded,
};
use crate::{Segment, Semaphore, Waiting};

fn semaphore(permits: u64) -> Semaphore {
    let segment = Segment::anonymous().expect("a segment");
    let semaphore = segment.semaphore("semaphore", permits).expect("a semaphore");
    begin(&segment);
    // Looking first multiplies the executions.
    semaphore.with_waiting(Waiting::Park)
}

/// Who is within; not shared memory.
#[derive(Clone, Default)]
struct Within(Arc<core::sync::atomic::AtomicU64>);

impl Within {
    fn visit(&self, semaphore: &Semaphore, count: u64, most: u64) {
        let permit = semaphore.acquire_many(count).expect("acquire");
        let now = self.0.fetch_add(count, Ordering::Relaxed) + count;
        assert!(now <= most, "{now} of {most}");
        self.0.fetch_sub(count, Ordering::Relaxed);
        drop(permit);
    }
}

#[test]
fn no_more_holders_than_permits_and_no_wake_is_lost() {
    model(|| {
        let (semaphore, within) = (semaphore(1), Within::default());
        let (theirs, also) = (semaphore.clone(), within.clone());
        let other = process(1, move || also.visit(&theirs, 1, 1));
        within.visit(&semaphore, 1, 1);
        other.join().expect("a process");
        assert_eq!(semaphore.available(), 1);
    });
}

#[test]
fn a_release_reaches_who_waits() {
    check(1, || {
        let semaphore = semaphore(0);
        let others: Vec<_> = [1, 2]
            .map(|number| {
                let semaphore = semaphore.clone();
                process(number, move || {
                    semaphore.acquire().expect("acquire").forget().expect("forget");
                })
            })
            .into();
        semaphore.release(1).expect("release");
        semaphore.release(1).expect("release");
        others.into_iter().for_each(|other| other.join().expect("a process"));
        assert_eq!((semaphore.available(), semaphore.total()), (0, 0));
    });
}

/// One that waits for many may be woken for one that is enough for another.
#[test]
fn who_waits_for_more_keeps_no_wake_to_itself() {
    check(1, || {
        let semaphore = semaphore(0);
        let (single, both) = (semaphore.clone(), semaphore.clone());
        let other = process(1, move || drop(single.acquire().expect("acquire")));
        let another = process(2, move || drop(both.acquire_many(2).expect("acquire")));
        semaphore.release(1).expect("release");
        other.join().expect("a process");
        semaphore.release(1).expect("release");
        another.join().expect("a process");
        assert_eq!(semaphore.available(), 2);
    });
}

/// Whoever dies where: without the 100 ms check, as the kernel wakes who waits.
#[test]
fn a_holders_death_wakes_who_waits() {
    with_death_bounded(1, |mortality| {
        let semaphore = semaphore(1);
        let (theirs, mine) = (semaphore.clone(), semaphore.clone());
        let dying = mortal(1, &mortality, Kernel::Reports, move || {
            drop(theirs.acquire().expect("acquire"));
        });
        let other = process(2, move || drop(mine.acquire().expect("acquire")));
        dying.join().expect("a process");
        other.join().expect("a process");
        assert_eq!((semaphore.available(), semaphore.total()), (1, 1));
        drop(semaphore.try_acquire().expect("there is one"));
    });
}

#[test]
fn a_death_on_release_has_released_or_not() {
    with_death_bounded(1, |mortality| {
        let semaphore = semaphore(0);
        let (theirs, mine) = (semaphore.clone(), semaphore.clone());
        let dying = mortal(1, &mortality, Kernel::Reports, move || {
            theirs.release(1).expect("release");
        });
        let other = in_time(2, move || drop(mine.acquire().expect("acquire")));
        let lived = dying.join().expect("a process").is_some();
        let total = semaphore.total();
        assert!(total == 1 || (total == 0 && !lived), "{total}");
        if total == 0 {
            semaphore.release(1).expect("release");
        }
        pass_time(other);
        assert_eq!((semaphore.available(), semaphore.total()), (1, 1));
    });
}

#[test]
fn a_death_on_forgetting_has_forgotten_or_not() {
    with_death_bounded(1, |mortality| {
        let semaphore = semaphore(2);
        let theirs = semaphore.clone();
        let dying = mortal(1, &mortality, Kernel::Reports, move || {
            theirs.acquire().expect("acquire").forget().expect("forget");
        });
        let lived = dying.join().expect("a process").is_some();
        let total = semaphore.total();
        assert!(total == 1 || (total == 2 && !lived), "{total}");
        assert_eq!(semaphore.try_acquire_many(total).expect("all").count(), total);
    });
}
