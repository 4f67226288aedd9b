//! `Value`: readers see whole values, in order, and never one that was not committed.

use super::membarrier::nobody_sleeps;
use super::run::{Kernel, begin, model, mortal, process, with_death};
use crate::{Segment, Value};

type Twin = [u64; 2];

fn value() -> Value<Twin> {
    let segment = Segment::anonymous().expect("a segment");
    let value = segment.value("value", [0; 2]).expect("a value");
    begin(&segment);
    value
}

fn add(value: &Value<Twin>) {
    value.update(|twin| *twin = twin.map(|word| word + 1)).expect("update");
}

fn read(value: &Value<Twin>) -> u64 {
    let [first, second] = value.get().expect("get");
    assert_eq!(first, second, "torn");
    first
}

#[test]
fn reads_are_whole_and_in_order() {
    model(|| {
        let value = value();
        let writer = value.clone();
        let other = process(1, move || {
            add(&writer);
            add(&writer);
        });
        let first = read(&value);
        let second = read(&value);
        assert!(first <= second, "{first}, then {second}");
        other.join().expect("a process");
        assert_eq!(read(&value), 2);
    });
}

/// The reader has no fence but its own, and so has the writer: nobody sleeps.
#[test]
fn reads_are_whole_and_in_order_beside_one_who_only_writes() {
    model(|| {
        nobody_sleeps();
        let value = value();
        let reader = value.clone();
        // Without the lock, for which it would wait.
        let look = move || reader.read_committed().and_then(|bits| bits.check());
        let other = process(1, move || {
            let seen: Vec<Twin> = [look(), look()].into_iter().flatten().collect();
            assert!(seen.iter().all(|[first, second]| first == second), "torn: {seen:?}");
            assert!(seen.is_sorted(), "{seen:?}");
        });
        add(&value);
        add(&value);
        other.join().expect("a process");
    });
}

#[test]
fn what_was_written_before_a_commit_is_seen_after_a_read_of_it() {
    model(|| {
        nobody_sleeps();
        let segment = Segment::anonymous().expect("a segment");
        let first = segment.value("first", 0_u64).expect("a value");
        let second = segment.value("second", 0_u64).expect("a value");
        begin(&segment);
        let (before, after) = (first.clone(), second.clone());
        let other = process(1, move || {
            if after.get().expect("get") == 1 {
                assert_eq!(before.get().expect("get"), 1);
            }
        });
        first.set(1).expect("set");
        second.set(1).expect("set");
        other.join().expect("a process");
    });
}

#[test]
fn a_death_leaves_the_old_or_the_new() {
    with_death(|mortality| {
        let value = value();
        let (writer, reader) = (value.clone(), value.clone());
        let dying = mortal(1, &mortality, Kernel::Reports, move || add(&writer));
        let other = process(2, move || {
            let seen = read(&reader);
            add(&reader);
            assert!(read(&reader) > seen, "a commit is gone");
        });
        let lived = dying.join().expect("a process").is_some();
        other.join().expect("a process");
        let now = read(&value);
        assert!((1 + u64::from(lived)..=2).contains(&now), "{now}");
    });
}
