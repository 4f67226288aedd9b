//! `Map`: entries are found whole or not at all, whatever becomes of the cells that hold them.
//!
//! Whoever writes comes first in the order in which the checker begins: it sees no race of a load with a
//! later store by a thread that has loaded the same word in between.

use super::membarrier::nobody_sleeps;
use super::run::{Kernel, begin, check, model, mortal, process, with_death_bounded};
use crate::{Map, Segment};

type Twin = [u64; 2];

/// A map with the keys 1 to `keys`, and room for no more than two: one stripe, and cells that are used
/// again at once.
fn map(keys: u64) -> Map<u64, Twin> {
    let segment = Segment::anonymous().expect("a segment");
    let map = segment.map("map", 2).expect("a map");
    (1..=2).for_each(|key| drop(map.insert(key, [0; 2])));
    (keys + 1..=2).for_each(|key| drop(map.remove(&key)));
    begin(&segment);
    map
}

fn get(map: &Map<u64, Twin>, key: u64) -> Option<u64> {
    let found = map.get(&key).expect("get")?;
    assert_eq!(found[0], found[1], "torn");
    Some(found[0])
}

fn set(map: &Map<u64, Twin>, key: u64, number: u64) {
    map.insert(key, [number; 2]).expect("insert");
}

fn remove(map: &Map<u64, Twin>, key: u64) {
    map.remove(&key).expect("remove").expect("an entry");
}

#[test]
fn changes_are_seen_whole_and_in_order() {
    model(|| {
        let map = map(1);
        let reader = map.clone();
        let other = process(1, move || {
            let first = get(&reader, 1).expect("an entry");
            let second = get(&reader, 1).expect("an entry");
            assert!(first <= second, "{first}, then {second}");
        });
        set(&map, 1, 1);
        set(&map, 1, 2);
        other.join().expect("a process");
        assert_eq!(get(&map, 1), Some(2));
    });
}

/// A cell that is removed and filled again with another key while a reader is on it.
#[test]
fn a_cell_that_is_used_again_misleads_nobody() {
    model(|| {
        let map = map(2);
        let reader = map.clone();
        let other = process(1, move || {
            assert!(matches!(get(&reader, 1), None | Some(0)), "another key's value");
            assert!(matches!(get(&reader, 3), None | Some(3)), "another key's value");
            assert_eq!(get(&reader, 2), Some(0), "an entry that stays is missed");
        });
        remove(&map, 1);
        set(&map, 3, 3);
        other.join().expect("a process");
        assert_eq!((get(&map, 1), get(&map, 3)), (None, Some(3)));
    });
}

/// The cell goes to the pool, or to another key, while a reader is on it, which takes no lock.
#[test]
fn what_lies_behind_a_cell_that_is_used_again_is_found() {
    // Of three keys, two are in the same one of two chains; the one that came last is in front.
    for [stays, goes, comes] in [[1, 2, 3], [2, 1, 3], [1, 3, 2], [3, 1, 2], [2, 3, 1], [3, 2, 1]] {
        model(move || {
            nobody_sleeps();
            let segment = Segment::anonymous().expect("a segment");
            let map: Map<u64, Twin> = segment.map("map", 2).expect("a map");
            set(&map, stays, 0);
            set(&map, goes, 1);
            begin(&segment);
            let reader = map.clone();
            let other = process(1, move || {
                let seen = reader.look(&stays);
                assert!(seen.is_none_or(|seen| seen == Some([0; 2])), "{seen:?} stays");
                let seen = reader.look(&comes).flatten();
                assert!(seen.is_none_or(|seen| seen == [3; 2]), "{seen:?} came");
            });
            remove(&map, goes);
            // By one whose stores no fence of the remover's orders.
            let third = process(2, move || set(&map, comes, 3));
            third.join().expect("a process");
            other.join().expect("a process");
        });
    }
}

#[test]
fn values_are_whole_and_in_order_beside_one_who_only_writes() {
    model(|| {
        nobody_sleeps();
        let segment = Segment::anonymous().expect("a segment");
        let map: Map<u64, Twin> = segment.map("map", 2).expect("a map");
        set(&map, 1, 0);
        begin(&segment);
        let reader = map.clone();
        let other = process(1, move || {
            let seen: Vec<Twin> = (0..2).filter_map(|_| reader.look(&1).flatten()).collect();
            assert!(seen.iter().all(|[first, second]| first == second), "torn: {seen:?}");
            assert!(seen.is_sorted(), "{seen:?}");
        });
        set(&map, 1, 1);
        set(&map, 1, 2);
        other.join().expect("a process");
    });
}

#[test]
fn what_was_written_before_an_insertion_is_seen_after_it() {
    model(|| {
        let map = map(0);
        let reader = map.clone();
        let other = process(1, move || {
            if get(&reader, 2) == Some(1) {
                assert_eq!(get(&reader, 1), Some(1));
            }
        });
        set(&map, 1, 1);
        set(&map, 2, 1);
        other.join().expect("a process");
    });
}

#[test]
fn two_who_change_one_entry() {
    check(1, || {
        let map = map(1);
        let there = map.clone();
        let add = |map: &Map<u64, Twin>| {
            map.update(&1, |twin| *twin = twin.map(|word| word + 1)).expect("update");
        };
        let other = process(1, move || add(&there));
        add(&map);
        other.join().expect("a process");
        assert_eq!(get(&map, 1), Some(2));
    });
}

/// All cells can be used, and hold what was put in.
fn assert_complete(map: &Map<u64, Twin>) {
    for key in 1..=3 {
        map.remove(&key).expect("remove");
    }
    assert_eq!(map.len(), 0);
    set(map, 8, 8);
    set(map, 9, 9);
    assert!(map.insert(10, [10; 2]).is_err(), "more room than there was");
    assert_eq!((get(map, 8), get(map, 9)), (Some(8), Some(9)));
}

#[test]
fn a_death_in_an_insertion() {
    with_death_bounded(1, |mortality| {
        let map = map(1);
        let writer = map.clone();
        let dying = mortal(1, &mortality, Kernel::Reports, move || set(&writer, 2, 2));
        let reader = map.clone();
        let other = process(2, move || get(&reader, 2));
        let lived = dying.join().expect("a process").is_some();
        let seen = other.join().expect("a process");
        assert!(matches!(seen, None | Some(2)), "{seen:?}");
        let now = get(&map, 2);
        assert!((seen.is_none() && !lived) || now == Some(2), "{seen:?}, then {now:?}");
        assert_eq!(map.len(), 1 + usize::from(now.is_some()));
        assert_complete(&map);
    });
}

#[test]
fn a_death_in_a_removal() {
    with_death_bounded(1, |mortality| {
        let map = map(2);
        let writer = map.clone();
        let dying = mortal(1, &mortality, Kernel::Reports, move || remove(&writer, 1));
        let reader = map.clone();
        let other = process(2, move || {
            assert_eq!(get(&reader, 2), Some(0), "an entry that stays is missed");
            get(&reader, 1)
        });
        let lived = dying.join().expect("a process").is_some();
        let seen = other.join().expect("a process");
        let now = get(&map, 1);
        assert!(seen.is_some() || now.is_none(), "a removal was undone");
        assert!(!lived || now.is_none());
        assert_eq!(map.len(), 1 + usize::from(now.is_some()));
        assert_complete(&map);
    });
}

#[test]
fn a_death_in_a_change() {
    with_death_bounded(1, |mortality| {
        let map = map(1);
        let writer = map.clone();
        let dying = mortal(1, &mortality, Kernel::Reports, move || set(&writer, 1, 7));
        let reader = map.clone();
        let other = process(2, move || get(&reader, 1).expect("an entry"));
        let lived = dying.join().expect("a process").is_some();
        let seen = other.join().expect("a process");
        let now = get(&map, 1).expect("an entry");
        assert!(now >= seen, "a change was undone");
        assert!(!lived || now == 7);
        assert_complete(&map);
    });
}
