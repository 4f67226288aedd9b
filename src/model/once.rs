//! `OnceValue`, and with it `Once`: who sees it done sees all of the value, which never changes, and a
//! death leaves it to the next one.

use std::cell::Cell;
use std::rc::Rc;

use super::run::{Kernel, begin, in_time, model, mortal, pass_time, process, with_death_bounded};
use crate::{OnceValue, Segment};

type Twin = [u64; 2];

fn value() -> OnceValue<Twin> {
    let segment = Segment::anonymous().expect("a segment");
    let value = segment.once_value("value").expect("a once value");
    begin(&segment);
    value
}

fn whole([first, second]: Twin) -> u64 {
    assert_eq!(first, second, "torn");
    first
}

#[test]
fn one_of_two_makes_it() {
    model(|| {
        let value = value();
        let made = Rc::new(Cell::new(0));
        let (theirs, count) = (value.clone(), Rc::clone(&made));
        let make = |number: u64, count: &Cell<u32>| {
            count.set(count.get() + 1);
            [number; 2]
        };
        let other =
            process(1, move || whole(theirs.get_or_init(|| make(1, &count)).expect("get_or_init")));
        let mine = whole(value.get_or_init(|| make(2, &made)).expect("get_or_init"));
        assert_eq!(other.join().expect("a process"), mine);
        assert_eq!(made.get(), 1, "made more than once");
    });
}

#[test]
fn what_is_seen_is_whole() {
    model(|| {
        let value = value();
        let theirs = value.clone();
        let other = process(1, move || theirs.set([1; 2]).expect("set"));
        let seen = value.get().map(whole);
        assert!(seen.is_none_or(|seen| seen == 1));
        other.join().expect("a process");
        assert_eq!(value.get().map(whole), Some(1));
    });
}

#[test]
fn who_waits_is_woken() {
    model(|| {
        let value = value();
        let (theirs, setter) = (value.clone(), value.clone());
        let other = process(1, move || whole(theirs.wait().expect("wait")));
        // Or finds that it was made below.
        let setting = process(2, move || setter.set([1; 2]).map_or(false, |()| true));
        assert_eq!(whole(value.get_or_init(|| [1; 2]).expect("get_or_init")), 1);
        assert_eq!(other.join().expect("a process"), 1);
        setting.join().expect("a process");
    });
}

#[test]
fn a_death_leaves_it_whole_or_to_the_next_one() {
    with_death_bounded(1, |mortality| {
        let value = value();
        let (dying, reader) = (value.clone(), value.clone());
        let dying = mortal(1, &mortality, Kernel::Reports, move || {
            dying.get_or_init(|| [1; 2]).map(whole).expect("get_or_init")
        });
        let other = process(2, move || reader.get().map(whole));
        let mine = whole(value.get_or_init(|| [2; 2]).expect("get_or_init"));
        let theirs = dying.join().expect("a process");
        let seen = other.join().expect("a process");
        assert!(theirs.is_none_or(|theirs| theirs == mine), "{theirs:?} and {mine}");
        assert!(seen.is_none_or(|seen| seen == mine), "{seen:?} and {mine}");
    });
}

/// Wherever it died, one who waits is woken by its death or looks in time.
#[test]
fn a_death_for_whose_value_another_waits() {
    with_death_bounded(1, |mortality| {
        let value = value();
        let (dying, waiter) = (value.clone(), value.clone());
        let dying = mortal(1, &mortality, Kernel::Reports, move || {
            dying.get_or_init(|| [1; 2]).map(whole).expect("get_or_init")
        });
        let other = in_time(2, move || whole(waiter.wait().expect("wait")));
        let lived = dying.join().expect("a process").is_some();
        let now = whole(value.get_or_init(|| [2; 2]).expect("get_or_init"));
        assert!(!lived || now == 1);
        assert_eq!(pass_time(other), now);
    });
}
