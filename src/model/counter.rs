//! Counters: nothing is lost, and what was written before an addition is seen by who reads it.
//!
//! Who writes comes first, and nobody sleeps: see `model`.

use super::membarrier::nobody_sleeps;
use super::run::{begin, model, process};
use crate::{AtomicCounter, Counter, Segment};

/// Two counters that were changed one after the other.
fn counters() -> (Counter, Counter) {
    nobody_sleeps();
    let segment = Segment::anonymous().expect("a segment");
    let first = segment.counter("first").expect("a counter");
    let second = segment.counter("second").expect("a counter");
    begin(&segment);
    (first, second)
}

fn atomic_counters() -> (AtomicCounter, AtomicCounter) {
    nobody_sleeps();
    let segment = Segment::anonymous().expect("a segment");
    let first = segment.atomic_counter("first").expect("a counter");
    let second = segment.atomic_counter("second").expect("a counter");
    begin(&segment);
    (first, second)
}

#[test]
fn what_was_written_before_an_addition_is_seen_after_a_read_of_it() {
    model(|| {
        let (first, second) = counters();
        let (before, after) = (first.clone(), second.clone());
        let other = process(1, move || assert!(after.get() == 0 || before.get() == 1));
        first.add(1).expect("add");
        second.add(1).expect("add");
        other.join().expect("a process");
        assert_eq!((first.get(), second.get()), (1, 1));
    });
}

#[test]
fn a_guard_publishes_what_was_written_before() {
    model(|| {
        let (first, second) = counters();
        let (before, after) = (first.clone(), second.clone());
        let other = process(1, move || assert!(after.get() == 0 || before.get() == 1));
        *first.lock().expect("lock") += 1;
        *second.lock().expect("lock") += 1;
        other.join().expect("a process");
        assert_eq!((first.get(), second.get()), (1, 1));
    });
}

#[test]
fn atomic_additions_are_in_order() {
    model(|| {
        let (first, second) = atomic_counters();
        let (before, after) = (first.clone(), second.clone());
        let other = process(1, move || assert!(after.get() == 0 || before.get() == 1));
        first.fetch_add(1).expect("add");
        second.fetch_add(1).expect("add");
        other.join().expect("a process");
    });
}

#[test]
fn atomic_stores_are_in_order() {
    model(|| {
        let (first, second) = atomic_counters();
        let (before, after) = (first.clone(), second.clone());
        let other = process(1, move || assert!(after.get() == 0 || before.get() == 1));
        first.set(1).expect("set");
        second.set(1).expect("set");
        other.join().expect("a process");
    });
}
