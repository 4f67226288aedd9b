//! Counters: nothing is lost, and what was written before an addition is seen by who reads it.

use super::run::{begin, model, process};
use crate::Segment;

#[test]
fn what_was_written_before_an_addition_is_seen_after_a_read_of_it() {
    model(|| {
        let segment = Segment::anonymous().expect("a segment");
        let first = segment.counter("first").expect("a counter");
        let second = segment.counter("second").expect("a counter");
        begin(&segment);
        let (before, after) = (first.clone(), second.clone());
        let other = process(1, move || {
            before.add(1).expect("add");
            after.add(1).expect("add");
        });
        if second.get() == 1 {
            assert_eq!(first.get(), 1);
        }
        other.join().expect("a process");
        assert_eq!((first.get(), second.get()), (1, 1));
    });
}

#[test]
fn a_guard_publishes_what_was_written_before() {
    model(|| {
        let segment = Segment::anonymous().expect("a segment");
        let first = segment.counter("first").expect("a counter");
        let second = segment.counter("second").expect("a counter");
        begin(&segment);
        let (before, after) = (first.clone(), second.clone());
        let other = process(1, move || {
            *before.lock().expect("lock") += 1;
            *after.lock().expect("lock") += 1;
        });
        if second.get() == 1 {
            assert_eq!(first.get(), 1);
        }
        other.join().expect("a process");
        assert_eq!((first.get(), second.get()), (1, 1));
    });
}

#[test]
fn atomic_additions_are_in_order() {
    model(|| {
        let segment = Segment::anonymous().expect("a segment");
        let first = segment.atomic_counter("first").expect("a counter");
        let second = segment.atomic_counter("second").expect("a counter");
        begin(&segment);
        let (before, after) = (first.clone(), second.clone());
        let other = process(1, move || {
            before.fetch_add(1).expect("add");
            after.fetch_add(1).expect("add");
        });
        if second.get() == 1 {
            assert_eq!(first.get(), 1);
        }
        other.join().expect("a process");
    });
}
