//! Waiting for an acceptor, a place, to be accepted, and for somebody to connect.

use std::time::Duration;

use outlive::{AcceptError, ConnectError};

use super::driver::{connect, listener, server, start};
use crate::observe::not_before;

#[test]
fn without_an_acceptor_connections_are_refused() {
    let (_segment, listener, name) = listener("refused", 2);
    assert_eq!(listener.connect().map(drop), Err(ConnectError::NoListener));
    let limit = Duration::from_millis(40);
    let refused = not_before(limit, || listener.connect_timeout(limit));
    assert_eq!(refused.map(drop), Err(ConnectError::NoListener));
    let mut server = server(&name);
    server.does("hush", "hushed");
    assert_eq!(listener.connect().map(drop), Err(ConnectError::NoListener));
    assert_eq!(listener.connections(), 0);
}

#[test]
fn with_a_timeout_an_acceptor_is_waited_for() {
    let (_segment, _listener, name) = listener("early", 2);
    let mut client = start(&name);
    client.block("connect-timeout - 600000");
    let mut server = server(&name);
    server.does("accept", "accepted");
    client.peer.expect("connected");
}

#[test]
fn who_is_not_accepted_in_time_leaves_nothing_behind() {
    let (_segment, listener, name) = listener("late", 1);
    let mut server = server(&name);
    for _ in 0..3 {
        let limit = Duration::from_millis(30);
        let outcome = not_before(limit, || listener.connect_timeout(limit)).map(drop);
        assert!(matches!(outcome, Err(ConnectError::TimedOut { .. })), "{outcome:?}");
        assert_eq!(listener.connections(), 0);
    }
    let mut client = start(&name);
    connect(&mut server, &mut client);
    // All places taken.
    let outcome = listener.connect_timeout(Duration::from_millis(30)).map(drop);
    assert!(matches!(outcome, Err(ConnectError::TimedOut { .. })), "{outcome:?}");
    client.does("send hello", "sent");
    server.does("recv", "hello");
}

#[test]
fn an_acceptor_waits_as_long_as_it_is_told() {
    let (_segment, listener, _name) = listener("accept-timeout", 1);
    let acceptor = listener.acceptor().expect("acceptor");
    for millis in [0, 1, 60] {
        let limit = Duration::from_millis(millis);
        let outcome = not_before(limit, || acceptor.accept_timeout(limit));
        assert_eq!(outcome.map(drop), Err(AcceptError::TimedOut));
    }
}

/// With all places taken, who connects waits for one, however it becomes free.
#[test]
fn a_place_that_becomes_free_wakes_who_waits_for_one() {
    let (_segment, _listener, name) = listener("full", 1);
    let mut server = server(&name);
    for killed in [false, true] {
        let (mut one, mut two) = (start(&name), start(&name));
        connect(&mut server, &mut one);
        two.block("connect");
        server.does("drop", "dropped");
        if killed {
            one.peer.kill();
        } else {
            one.does("drop", "dropped");
        }
        server.does("accept", "accepted");
        two.peer.expect("connected");
        two.does("drop", "dropped");
        server.does("recv", "Eof");
        server.does("drop", "dropped");
    }
}

#[test]
fn an_acceptor_is_waited_for_beside_other_things() {
    let (_segment, listener, name) = listener("any", 2);
    let mut server = server(&name);
    server.does("wait-accept - 20", "Ok(None)");
    server.block("wait-accept - 600000");
    let mut client = start(&name);
    client.start("connect");
    server.peer.expect("Ok(Some(0))");
    server.does("accept", "accepted");
    client.peer.expect("connected");
    assert_eq!(listener.connections(), 1);
}

#[test]
fn waiting_takes_no_processor_time() {
    let (_segment, _listener, name) = listener("idle", 1);
    let mut server = server(&name);
    server.does("idle-accept - 300", "idle");
    let mut client = start(&name);
    client.does("idle-connect - 300", "idle");
    connect(&mut server, &mut client);
    let mut other = start(&name);
    other.does("idle-connect - 300", "idle");
}
