//! `Latest`: reads are whole and in order, whoever is slow or dead, and no change is slept through.

use super::atomic::no_races;
use super::membarrier::nobody_sleeps;
use super::run::{Kernel, begin, in_time, model, mortal, pass_time, process, with_death};
use crate::error::LockError;
use crate::{Latest, Segment, Version};

type Twin = [u64; 2];

/// With `readers` shares.
fn latest(readers: usize) -> Latest<Twin> {
    let segment = Segment::anonymous().expect("a segment");
    let latest = segment.latest_with("latest", [0; 2], readers).expect("a latest value");
    begin(&segment);
    latest
}

fn write(latest: &Latest<Twin>, number: u64) {
    latest.set([number; 2]).expect("set");
}

fn whole((twin, version): (Twin, Version)) -> (u64, Version) {
    assert_eq!(twin[0], twin[1], "torn");
    (twin[0], version)
}

/// With a share, as large values are read.
fn read(latest: &Latest<Twin>) -> (u64, Version) {
    whole(latest.get_shared().expect("get"))
}

#[test]
fn reads_are_whole_and_in_order() {
    model(|| {
        let latest = latest(1);
        let writer = latest.clone();
        let other = process(1, move || {
            // The third one needs the copy of the first.
            (1..=3).for_each(|number| write(&writer, number));
        });
        let (first, before) = read(&latest);
        let (second, after) = read(&latest);
        assert!(first <= second && before <= after, "{first}, then {second}");
        assert_eq!(first == second, before == after);
        other.join().expect("a process");
        assert_eq!(read(&latest).0, 3);
    });
}

/// Nothing is written over while it is read with a share.
#[test]
fn readers_with_a_share_beside_one_who_only_writes() {
    model(|| {
        nobody_sleeps();
        let latest = latest(1);
        latest.memory().for_each(no_races);
        let reader = latest.clone();
        let other = process(1, move || {
            let (first, before) = read(&reader);
            let (second, after) = read(&reader);
            assert!(first <= second && before <= after, "{first}, then {second}");
        });
        // So that one interruption shows a reader that writers have to help.
        loom::thread::yield_now();
        (1..=3).for_each(|number| write(&latest, number));
        other.join().expect("a process");
    });
}

#[test]
fn what_was_written_before_a_commit_is_seen_after_its_version() {
    model(|| {
        nobody_sleeps();
        let segment = Segment::anonymous().expect("a segment");
        let first = segment.latest_with("first", 0_u64, 1).expect("a latest value");
        let second = segment.latest_with("second", 0_u64, 1).expect("a latest value");
        begin(&segment);
        let (before, after, start) = (first.clone(), second.clone(), second.version());
        let other = process(1, move || {
            if after.version() > start {
                assert_eq!(before.get().expect("get"), 1);
            }
        });
        first.set(1).expect("set");
        second.set(1).expect("set");
        other.join().expect("a process");
    });
}

#[test]
fn two_readers_have_a_share_each() {
    model(|| {
        let latest = latest(2);
        let reader = latest.clone();
        let other = process(1, move || read(&reader));
        write(&latest, 1);
        write(&latest, 2);
        let (now, _) = read(&latest);
        assert_eq!(now, 2);
        assert!(other.join().expect("a process").0 <= 2);
    });
}

#[test]
fn reads_without_a_share_are_whole_or_none() {
    model(|| {
        let latest = latest(1);
        nobody_sleeps();
        let reader = latest.clone();
        let other = process(1, move || {
            if let Some((bits, _)) = reader.read_validated().expect("a copy") {
                let twin = bits.check().expect("any bytes are numbers");
                assert_eq!(twin[0], twin[1], "torn");
            }
        });
        (1..=3).for_each(|number| write(&latest, number));
        other.join().expect("a process");
    });
}

#[test]
fn what_was_written_before_a_commit_is_seen_after_a_read_of_it() {
    model(|| {
        let segment = Segment::anonymous().expect("a segment");
        let first = segment.latest_with("first", 0_u64, 1).expect("a latest value");
        let second = segment.latest_with("second", 0_u64, 1).expect("a latest value");
        begin(&segment);
        nobody_sleeps();
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
fn writers_exclude_each_other() {
    model(|| {
        let latest = latest(1);
        let writer = latest.clone();
        let add = |latest: &Latest<Twin>| {
            latest.update(|twin| *twin = twin.map(|word| word + 1)).expect("update");
        };
        let other = process(1, move || add(&writer));
        add(&latest);
        other.join().expect("a process");
        assert_eq!(read(&latest).0, 2);
    });
}

#[test]
fn a_change_is_not_slept_through() {
    model(|| {
        let latest = latest(1);
        let (writer, start) = (latest.clone(), latest.version());
        let other = process(1, move || write(&writer, 1));
        let (now, version) = whole(latest.wait_changed(start).expect("wait"));
        assert!(now == 1 && version > start);
        other.join().expect("a process");
    });
}

/// The copies that it was about are used again while a reader reads.
#[test]
fn a_writers_death_leaves_the_old_or_the_new() {
    with_death(|mortality| {
        let latest = latest(1);
        let (writer, reader) = (latest.clone(), latest.clone());
        let dying = mortal(1, &mortality, Kernel::Reports, move || write(&writer, 1));
        let other = process(2, move || {
            let (first, before) = read(&reader);
            let (second, after) = read(&reader);
            assert!(first <= second && before <= after, "{first}, then {second}");
        });
        let lived = dying.join().expect("a process").is_some();
        let now = read(&latest).0;
        assert!((u64::from(lived)..=1).contains(&now), "{now}");
        write(&latest, 2);
        write(&latest, 3);
        other.join().expect("a process");
        assert_eq!(read(&latest).0, 3);
    });
}

#[test]
fn a_readers_death_holds_up_nobody() {
    with_death(|mortality| {
        let latest = latest(1);
        let (reader, second) = (latest.clone(), latest.clone());
        let dying = mortal(1, &mortality, Kernel::Reports, move || read(&reader));
        let other = process(2, move || read(&second));
        write(&latest, 1);
        write(&latest, 2);
        dying.join().expect("a process");
        other.join().expect("a process");
        // Its share, and a copy for each of these.
        (3..6).for_each(|number| write(&latest, number));
        assert_eq!(read(&latest).0, 5);
    });
}

#[test]
fn a_writers_death_delays_nobody_who_waits_for_its_commit() {
    with_death(|mortality| {
        let latest = latest(1);
        let start = latest.version();
        let (writer, waiter) = (latest.clone(), latest.clone());
        let dying = mortal(1, &mortality, Kernel::Reports, move || write(&writer, 1));
        let other = in_time(2, move || waiter.wait_changed(start).expect("wait"));
        let lived = dying.join().expect("a process").is_some();
        if !lived && latest.version() == start {
            write(&latest, 1);
        }
        assert_eq!(whole(pass_time(other)).0, 1);
    });
}

#[test]
fn a_nested_write_is_an_error() {
    model(|| {
        let latest = latest(1);
        let nested = latest.update(|_| latest.set([9; 2])).expect("update");
        assert_eq!(nested, Err(LockError::Deadlock));
        assert_eq!(read(&latest).0, 0);
    });
}
