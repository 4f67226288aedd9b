//! `Array`: bulk writes are seen as a whole, and completed by others after a death.

use super::membarrier::nobody_sleeps;
use super::run::{Kernel, begin, model, mortal, process, with_death};
use crate::{Array, Segment};

fn array() -> Array<u64> {
    let segment = Segment::anonymous().expect("a segment");
    let array = segment.array("array", 2, 0).expect("an array");
    begin(&segment);
    array
}

fn read(array: &Array<u64>) -> u64 {
    let all = array.to_vec().expect("to_vec");
    assert_eq!(all[0], all[1], "torn");
    all[0]
}

#[test]
fn bulk_writes_are_seen_whole_and_in_order() {
    model(|| {
        let array = array();
        let writer = array.clone();
        let other = process(1, move || {
            writer.write(0, &[2; 2]).expect("write");
        });
        let first = read(&array);
        let second = read(&array);
        assert!(first <= second, "{first}, then {second}");
        other.join().expect("a process");
        assert_eq!(read(&array), 2);
    });
}

#[test]
fn bulk_writes_are_whole_beside_one_who_only_writes() {
    model(|| {
        nobody_sleeps();
        let array = array();
        let reader = array.clone();
        // Without the lock, for which it would wait.
        let other = process(1, move || {
            let all = || [0, 1].map(|index| reader.element(index).expect("an element"));
            let look = || reader.read_between_changes(&all);
            let seen: Vec<[u64; 2]> = [look(), look()].into_iter().flatten().collect();
            assert!(seen.iter().all(|[first, second]| first == second), "torn: {seen:?}");
            assert!(seen.is_sorted(), "{seen:?}");
        });
        array.write(0, &[2; 2]).expect("write");
        array.write(0, &[4; 2]).expect("write");
        other.join().expect("a process");
    });
}

/// An element that is a word has its own way in and out.
#[test]
fn what_was_written_before_an_element_is_seen_after_a_read_of_it() {
    model(|| {
        nobody_sleeps();
        let array = array();
        let reader = array.clone();
        let other = process(1, move || {
            if reader.get(1).expect("get") == 1 {
                assert_eq!(reader.get(0).expect("get"), 1);
            }
        });
        array.set(0, 1).expect("set");
        array.set(1, 1).expect("set");
        other.join().expect("a process");
    });
}

#[test]
fn a_death_is_completed_by_the_next_one_that_locks() {
    with_death(|mortality| {
        let array = array();
        let writer = array.clone();
        let dying = mortal(1, &mortality, Kernel::Reports, move || {
            writer.write(0, &[7; 2]).expect("write");
        });
        let guard = array.lock().expect("lock");
        assert_eq!(guard[0], guard[1], "torn under the lock");
        guard.rollback();
        let lived = dying.join().expect("a process").is_some();
        assert!(!lived || read(&array) == 7);
    });
}

#[test]
fn a_death_leaves_readers_the_old_or_the_new() {
    with_death(|mortality| {
        let array = array();
        let writer = array.clone();
        let dying = mortal(1, &mortality, Kernel::Reports, move || {
            writer.write(0, &[7; 2]).expect("write");
        });
        let seen = read(&array);
        let lived = dying.join().expect("a process").is_some();
        let now = read(&array);
        assert!(now >= seen, "a write was undone");
        assert!(!lived || now == 7);
    });
}
