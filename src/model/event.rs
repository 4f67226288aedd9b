//! `Event`, and with it the event count: no signal is lost, and what happened before it is seen.

use core::sync::atomic::Ordering;

use super::run::{
    Kernel, begin, begin_with, in_time, model, mortal, pass_time, process, with_death,
};
use crate::layout;
use crate::raw::deadline::Deadline;
use crate::{Event, Reset, Segment};

fn event(reset: Reset) -> Event {
    let segment = Segment::anonymous().expect("a segment");
    let event = segment.event("event", reset).expect("an event");
    begin(&segment);
    event
}

#[test]
fn a_signal_lets_all_through() {
    model(|| {
        let event = event(Reset::Manual);
        let others: Vec<_> = (1..3)
            .map(|number| {
                let event = event.clone();
                process(number, move || event.wait().expect("wait"))
            })
            .collect();
        event.set().expect("set");
        others.into_iter().for_each(|other| other.join().expect("a process"));
    });
}

#[test]
fn each_signal_lets_one_through() {
    model(|| {
        let event = event(Reset::Auto);
        let others: Vec<_> = (1..3)
            .map(|number| {
                let event = event.clone();
                process(number, move || {
                    event.wait().expect("wait");
                    // On to the next one.
                    event.set().expect("set");
                })
            })
            .collect();
        event.set().expect("set");
        others.into_iter().for_each(|other| other.join().expect("a process"));
        assert!(event.is_set());
    });
}

#[test]
fn what_happened_before_is_seen() {
    model(|| {
        let event = begin_with::<layout::Event>(|event| event.reset_to(Reset::Manual));
        let [word, ..] = &event.spare;
        let other = process(1, move || {
            event.await_signal(Deadline::NEVER);
            assert_eq!(word.load(Ordering::Relaxed), 1);
        });
        word.store(1, Ordering::Relaxed);
        event.signal();
        other.join().expect("a process");
    });
}

#[test]
fn what_happened_before_is_seen_by_the_one_let_through() {
    model(|| {
        let event = begin_with::<layout::Event>(|event| event.reset_to(Reset::Auto));
        let [word, ..] = &event.spare;
        let other = process(1, move || {
            event.await_signal(Deadline::NEVER);
            assert_eq!(word.load(Ordering::Relaxed), 1);
        });
        word.store(1, Ordering::Relaxed);
        event.signal();
        other.join().expect("a process");
    });
}

/// A signal that was given is made up for in time, wherever the giver died.
#[test]
fn a_death_of_the_one_who_signals() {
    with_death(|mortality| {
        let event = event(Reset::Manual);
        let (signaller, waiter) = (event.clone(), event.clone());
        let dying = mortal(1, &mortality, Kernel::Reports, move || signaller.set().expect("set"));
        let other = in_time(2, move || waiter.wait().expect("wait"));
        let lived = dying.join().expect("a process").is_some();
        if !lived && !event.is_set() {
            event.set().expect("set");
        }
        pass_time(other);
    });
}

/// One that waits and dies takes no wake-up of others with it for longer than they take to look.
#[test]
fn a_death_of_one_who_waits() {
    with_death(|mortality| {
        let event = event(Reset::Manual);
        let (first, second) = (event.clone(), event.clone());
        let dying = mortal(1, &mortality, Kernel::Reports, move || first.wait().expect("wait"));
        let other = process(2, move || second.wait().expect("wait"));
        event.set().expect("set");
        dying.join().expect("a process");
        other.join().expect("a process");
    });
}
