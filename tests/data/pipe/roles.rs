//! One has an end at a time.

use std::time::Duration;

use outlive::{LockError, RoleError, Segment, Side};

use super::driver::{Driver, pipe};
use crate::observe::not_before;

#[test]
fn an_end_that_is_held_is_refused_and_names_its_holder() {
    let (_segment, pipe, name) = pipe("held", 64);
    assert_eq!(pipe.holder(Side::First), None);
    let mut first = Driver::with(&name, "first");
    match pipe.first() {
        Err(RoleError::Taken { role: "first end", holder: Some(holder) }) => {
            assert_eq!(holder.thread_id, first.thread);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(pipe.holder(Side::First).expect("a holder").thread_id, first.thread);
    let limit = Duration::from_millis(30);
    assert!(not_before(limit, || pipe.take_timeout(Side::First, limit)).is_err());
    let _mine = pipe.second().expect("second");
    assert!(pipe.second().is_err(), "this thread has it already");
    first.does("second", "no second end");
}

#[test]
fn an_end_goes_to_who_waits_for_it() {
    let (_segment, _pipe, name) = pipe("waits", 64);
    for killed in [true, false] {
        let mut first = Driver::with(&name, "first");
        let mut waiting = Driver::new(&name);
        waiting.block("first-timeout - 600000");
        if killed {
            first.peer.kill();
        } else {
            first.does("drop", "dropped");
        }
        waiting.peer.expect("taken");
        waiting.peer.kill();
    }
}

/// The handle goes where the end is to be.
#[test]
fn the_handle_goes_to_another_thread_and_takes_the_end_there() {
    crate::support::watchdog();
    let pipe = outlive::pipe(256).expect("pipe");
    let first = pipe.first().expect("first");
    let theirs = pipe.clone();
    let other = std::thread::spawn(move || {
        let second = theirs.second().expect("second");
        while let Ok(message) = second.recv_bytes() {
            second.send_bytes(&message).expect("send");
        }
    });
    for number in 0..100_u8 {
        first.send_bytes(&[number]).expect("send");
        assert_eq!(first.recv_bytes().expect("recv"), [number]);
    }
    drop(first);
    other.join().expect("join");
}

/// A thread that ends with an end that it leaked is dead as well.
#[test]
fn a_thread_that_ends_is_gone() {
    crate::support::watchdog();
    let pipe = outlive::pipe(256).expect("pipe");
    let first = pipe.first().expect("first");
    let theirs = pipe.clone();
    std::thread::spawn(move || {
        let second = theirs.second().expect("second");
        second.send_bytes(b"last").expect("send");
        std::mem::forget(second);
    });
    assert_eq!(first.recv_bytes().as_deref(), Ok(&b"last"[..]));
    assert_eq!(first.recv_bytes(), Err(outlive::PipeRecvError::Eof));
}

#[test]
fn a_reader_of_the_segment_gets_no_end() {
    let (_segment, _pipe, name) = pipe("read-only", 64);
    let reader = Segment::options().read_only(true).open(&name).expect("open");
    let pipe: outlive::Pipe = reader.find("p").expect("find");
    let refused = pipe.first();
    assert!(matches!(refused, Err(RoleError::Lock(LockError::ReadOnly))), "{refused:?}");
    assert!(pipe.take_timeout(Side::Second, Duration::ZERO).is_err());
}
