//! Timeouts, polls, and waiting beside other things.

use std::time::Duration;

use outlive::{PipeRecvError, PipeSendError, Reset, Waiting, wait_any, wait_some};

use super::driver::{Driver, pipe, received};
use crate::observe::not_before;

#[test]
fn a_poll_tells_whether_there_is_something() {
    let (_segment, pipe, name) = pipe("poll", 64);
    let first = pipe.first().expect("first");
    let mut second = Driver::with(&name, "second");
    assert_eq!(first.poll(Duration::ZERO), Ok(false));
    assert_eq!(
        not_before(Duration::from_millis(30), || first.poll(Duration::from_millis(30))),
        Ok(false)
    );
    second.does("send a", "sent");
    assert_eq!(first.poll(Duration::ZERO), Ok(true));
    assert_eq!(first.poll(Duration::MAX), Ok(true));
    assert_eq!(received(first.recv_bytes()), "a");
    assert_eq!(first.poll(Duration::ZERO), Ok(false));
    second.block("poll - 600000");
    first.send_bytes(b"b").expect("send");
    second.peer.expect("Ok(true)");
}

#[test]
fn a_timeout_is_never_early() {
    let (_segment, pipe, name) = pipe("timeout", 24);
    let first = pipe.first().expect("first");
    let _second = Driver::with(&name, "second");
    first.send_bytes(b"12345678").expect("send");
    first.send_bytes(b"").expect("send");
    for millis in [0, 1, 40, 130] {
        let limit = Duration::from_millis(millis);
        let received = not_before(limit, || first.recv_bytes_timeout(limit));
        assert_eq!(received, Err(PipeRecvError::TimedOut));
        let sent = not_before(limit, || first.send_bytes_timeout(b"more", limit));
        assert_eq!(sent, Err(PipeSendError::TimedOut));
    }
}

/// Nobody has had the other end: that is not the end of file.
#[test]
fn an_end_that_nobody_has_had_is_waited_for() {
    let (_segment, pipe, name) = pipe("awaited", 64);
    let first = pipe.first().expect("first");
    assert!(first.is_peer_awaited() && !first.is_peer_gone());
    assert_eq!(first.try_recv_bytes(), Err(PipeRecvError::Empty));
    assert_eq!(first.recv_bytes_timeout(Duration::from_millis(1)), Err(PipeRecvError::TimedOut));
    first.send_bytes(b"early").expect("send");
    drop(first);
    let mut waiting = Driver::with(&name, "first");
    waiting.block("recv");
    let mut late = Driver::with(&name, "second");
    late.does("recv", "early");
    late.does("send hello", "sent");
    waiting.peer.expect("hello");
}

/// One that came and went while somebody waits for it was there.
#[test]
fn who_waits_for_an_end_that_comes_and_dies_is_at_the_end_of_file() {
    let (_segment, _pipe, name) = pipe("came", 64);
    let mut waiting = Driver::with(&name, "first");
    waiting.block("recv");
    Driver::with(&name, "second").peer.kill();
    waiting.peer.expect("Eof");
}

#[test]
fn waiting_takes_no_processor_time() {
    let (_segment, _pipe, name) = pipe("idle", 24);
    let mut first = Driver::with(&name, "first");
    let _second = Driver::with(&name, "second");
    first.does("idle-recv - 300", "idle");
    first.does("idle-wait - 300", "idle");
    first.does("send 12345678", "sent");
    first.does("send ", "sent");
    first.does("idle-send 12345678 300", "idle");
}

#[test]
fn several_are_waited_for_at_once() {
    let (segment, pipe, name) = pipe("several", 64);
    let other = segment.pipe("other", 64).expect("pipe");
    let stop = segment.event("stop", Reset::Manual).expect("event");
    let (first, lone) = (pipe.first().expect("first"), other.first().expect("first"));
    let mut second = Driver::with(&name, "second");
    let moment = Some(Duration::from_millis(20));
    assert_eq!(wait_any(&[&first, &lone, &stop], moment), Ok(None));
    second.does("send a", "sent");
    assert_eq!(wait_any(&[&lone, &first, &stop], None), Ok(Some(1)));
    assert_eq!(received(first.recv_bytes()), "a");
    stop.set().expect("set");
    assert_eq!(wait_any(&[&lone, &first, &stop], None), Ok(Some(2)));
    second.peer.kill();
    assert_eq!(wait_some(&[&lone, &first, &first.writable(8)], None), Ok(vec![1, 2]));
    assert_eq!(wait_any(&[&lone.writable(8)], None), Ok(Some(0)));
}

#[test]
fn deaths_are_noticed_in_all_manners_of_waiting() {
    for waiting in [Waiting::Adaptive, Waiting::Park, Waiting::Yield, Waiting::Spin] {
        let (_segment, pipe, name) = pipe("manner", 64);
        let pipe = pipe.with_waiting(waiting);
        let first = pipe.first().expect("first");
        let second = Driver::with(&name, "second");
        let killer = std::thread::spawn(move || second.peer.kill());
        assert_eq!(first.recv_bytes(), Err(PipeRecvError::Eof), "{waiting:?}");
        killer.join().expect("join");
    }
}
