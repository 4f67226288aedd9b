//! `List`: it is found as it was after one change or another, and the next change goes on from there,
//! whatever a death has left in the copy that does not count.
//!
//! Whoever writes comes first in the order in which the checker begins: it sees no race of a load with a
//! later store by a thread that has loaded the same word in between.

use super::membarrier::nobody_sleeps;
use super::run::{Kernel, begin, check, model, mortal, process, with_death_bounded};
use crate::{List, Segment};

type Twin = [u64; 2];

/// A list of these numbers, with room for three.
fn list(numbers: &[u64]) -> List<Twin> {
    let segment = Segment::anonymous().expect("a segment");
    let list = segment.list("list", 3).expect("a list");
    // All of its memory is used.
    list.extend([[9; 2]; 3]).expect("room");
    list.clear().expect("clear");
    list.extend(numbers.iter().map(|number| [*number; 2])).expect("room");
    begin(&segment);
    list
}

fn read(list: &List<Twin>) -> Vec<u64> {
    let all = list.to_vec().expect("to_vec");
    assert!(all.iter().all(|twin| twin[0] == twin[1]), "torn: {all:?}");
    all.iter().map(|twin| twin[0]).collect()
}

fn set(list: &List<Twin>, number: u64) {
    list.set(0, [number; 2]).expect("an element");
}

#[test]
fn changes_are_seen_whole_and_in_order() {
    model(|| {
        let list = list(&[0]);
        let reader = list.clone();
        let other = process(1, move || {
            let first = read(&reader);
            let second = read(&reader);
            assert!(first <= second, "{first:?}, then {second:?}");
        });
        set(&list, 1);
        set(&list, 2);
        other.join().expect("a process");
        assert_eq!(read(&list), [2]);
    });
}

/// Who reads what the next change puts into the copy that it has read sees that this one does not count
/// any more. Without interruptions, so that the reader, who may take the lock, finds it free.
#[test]
fn a_copy_that_is_written_again_is_recognised() {
    check(0, || {
        let list = list(&[0]);
        nobody_sleeps();
        let reader = list.clone();
        let other = process(1, move || drop(read(&reader)));
        set(&list, 1);
        set(&list, 2);
        other.join().expect("a process");
    });
}

/// The place of an element that was taken is used again.
#[test]
fn a_length_is_that_of_its_elements() {
    model(|| {
        let list = list(&[1, 2]);
        let reader = list.clone();
        let other = process(1, move || {
            let seen = read(&reader);
            assert!([&[1, 2][..], &[1], &[1, 3]].contains(&&seen[..]), "{seen:?}");
        });
        list.pop().expect("pop").expect("an element");
        list.push([3; 2]).expect("room");
        other.join().expect("a process");
        assert_eq!(read(&list), [1, 3]);
    });
}

#[test]
fn elements_are_moved_all_at_once() {
    model(|| {
        let list = list(&[1]);
        let reader = list.clone();
        let other = process(1, move || {
            let seen = read(&reader);
            assert!(seen == [1] || seen == [3, 1], "{seen:?}");
        });
        list.insert(0, [3; 2]).expect("room");
        other.join().expect("a process");
        assert_eq!(read(&list), [3, 1]);
    });
}

#[test]
fn what_was_written_before_an_element_is_seen_after_it() {
    model(|| {
        let segment = Segment::anonymous().expect("a segment");
        let list: List<Twin> = segment.list("list", 1).expect("a list");
        let number = segment.atomic_counter("number").expect("a counter");
        begin(&segment);
        let (reader, seen) = (list.clone(), number.clone());
        let other = process(1, move || {
            if reader.len() == 1 {
                assert_eq!(seen.get(), 7);
            }
        });
        number.set(7).expect("set");
        list.push([1; 2]).expect("room");
        other.join().expect("a process");
    });
}

#[test]
fn two_who_append() {
    check(1, || {
        let list = list(&[]);
        let there = list.clone();
        let other = process(1, move || there.push([2; 2]).expect("room"));
        list.push([1; 2]).expect("room");
        other.join().expect("a process");
        let mut all = read(&list);
        all.sort_unstable();
        assert_eq!(all, [1, 2]);
    });
}

/// Changes go on from the list as it is found.
fn assert_goes_on(list: &List<Twin>, mut now: Vec<u64>) {
    for number in [8, 9] {
        set(list, number);
        now[0] = number;
        assert_eq!(read(list), now);
    }
}

#[test]
fn a_death_in_an_insertion() {
    with_death_bounded(1, |mortality| {
        let list = list(&[1, 2]);
        let writer = list.clone();
        let dying = mortal(1, &mortality, Kernel::Reports, move || {
            writer.insert(0, [3; 2]).expect("room");
        });
        let reader = list.clone();
        let other = process(2, move || read(&reader));
        let lived = dying.join().expect("a process").is_some();
        let seen = other.join().expect("a process");
        let (old, new) = (vec![1, 2], vec![3, 1, 2]);
        assert!(seen == old || seen == new, "{seen:?}");
        let now = read(&list);
        assert!(now == new || now == old && !lived && seen == old, "{seen:?}, then {now:?}");
        assert_goes_on(&list, now);
    });
}

#[test]
fn a_death_in_a_removal() {
    with_death_bounded(1, |mortality| {
        let list = list(&[1, 2]);
        let writer = list.clone();
        let dying = mortal(1, &mortality, Kernel::Reports, move || {
            writer.remove(0).expect("an element");
        });
        let reader = list.clone();
        let other = process(2, move || read(&reader));
        let lived = dying.join().expect("a process").is_some();
        let seen = other.join().expect("a process");
        let now = read(&list);
        assert!(seen == [1, 2] || seen == [2], "{seen:?}");
        assert!(now == [2] || now == [1, 2] && !lived && seen == [1, 2], "{seen:?}, then {now:?}");
        assert_goes_on(&list, now);
    });
}

/// One who takes the dead one's lock goes on from what that one has committed.
#[test]
fn a_death_before_another_ones_change() {
    with_death_bounded(1, |mortality| {
        let list = list(&[1]);
        let writer = list.clone();
        let dying = mortal(1, &mortality, Kernel::Reports, move || {
            writer.push([2; 2]).expect("room");
        });
        set(&list, 5);
        let lived = dying.join().expect("a process").is_some();
        let now = read(&list);
        assert!(now == [5, 2] || now == [5] && !lived, "{now:?}");
    });
}
