//! `wait_any`: it is woken by each of the things, and takes no wake-up from those who need it.

use super::run::{Kernel, begin, in_time, model, mortal, pass_time, process, with_death};
use crate::{Event, Mutex, Reset, Segment, wait_any, wait_some};

fn things() -> (Event, Mutex<u64>) {
    let segment = Segment::anonymous().expect("a segment");
    let event = segment.event("event", Reset::Auto).expect("an event");
    let mutex = segment.mutex("mutex", 0).expect("a mutex");
    begin(&segment);
    (event, mutex)
}

#[test]
fn a_signal_and_a_release_wake() {
    model(|| {
        let (event, mutex) = things();
        let guard = mutex.lock().expect("lock");
        let (signal, available) = (event.clone(), mutex.available());
        let other = process(1, move || wait_any(&[&signal, &available], None));
        event.set().expect("set");
        drop(guard);
        assert!(matches!(other.join().expect("a process"), Ok(Some(0 | 1))));
        assert!(event.is_set(), "it was taken");
    });
}

#[test]
fn a_release_wakes_and_the_wake_is_passed_on() {
    model(|| {
        let (event, mutex) = things();
        let guard = mutex.lock().expect("lock");
        let (available, second) = (mutex.available(), mutex.clone());
        let watcher = process(1, move || wait_any(&[&event, &available], None));
        let locker = process(2, move || drop(second.lock().expect("lock")));
        drop(guard);
        assert!(matches!(watcher.join().expect("a process"), Ok(Some(1))));
        locker.join().expect("a process");
    });
}

#[test]
fn a_signal_for_one_is_passed_on() {
    model(|| {
        let (event, _mutex) = things();
        let (first, second) = (event.clone(), event.clone());
        let watcher = process(1, move || wait_any(&[&first], None));
        let waiter = process(2, move || {
            second.wait().expect("wait");
            // For the watcher, should it come only now.
            second.set().expect("set");
        });
        event.set().expect("set");
        waiter.join().expect("a process");
        assert!(matches!(watcher.join().expect("a process"), Ok(Some(0))));
    });
}

#[test]
fn a_holders_death_wakes() {
    with_death(|mortality| {
        let (event, mutex) = things();
        let (holder, available) = (mutex.clone(), mutex.available());
        let dying = mortal(1, &mortality, Kernel::Reports, move || {
            drop(holder.lock().expect("lock"));
        });
        let other = process(2, move || wait_some(&[&event, &available], None));
        dying.join().expect("a process");
        assert_eq!(other.join().expect("a process"), Ok(vec![1]));
    });
}

/// A wake-up that it dies with, others make up for when they look again.
#[test]
fn a_death_of_one_who_waits() {
    with_death(|mortality| {
        let (event, _mutex) = things();
        let (first, second) = (event.clone(), event.clone());
        let dying = mortal(1, &mortality, Kernel::Reports, move || {
            drop(wait_any(&[&first], None));
        });
        let other = in_time(2, move || second.wait().expect("wait"));
        event.set().expect("set");
        pass_time(other);
        // For the one that waits, if it lives.
        event.set().expect("set");
        dying.join().expect("a process");
    });
}
