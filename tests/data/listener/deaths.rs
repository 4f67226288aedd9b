//! Who connects, or accepts, is killed.

use super::driver::{connect, listener, server, start};

#[test]
fn a_client_that_dies_before_it_is_accepted_leaves_nothing_behind() {
    let (_segment, listener, name) = listener("client", 1);
    let mut server = server(&name);
    for _ in 0..3 {
        let mut dying = start(&name);
        dying.block("connect");
        assert_eq!(listener.connections(), 1);
        dying.peer.kill();
        assert_eq!(listener.connections(), 0);
        server.does("wait-accept - 0", "Ok(None)");
    }
    let mut client = start(&name);
    connect(&mut server, &mut client);
    client.does("send hello", "sent");
    server.does("recv", "hello");
}

/// The one behind it in the line is accepted.
#[test]
fn the_next_in_line_is_accepted_instead_of_the_dead() {
    let (_segment, _listener, name) = listener("line", 2);
    let mut server = server(&name);
    let (mut dying, mut next) = (start(&name), start(&name));
    dying.block("connect");
    next.block("connect");
    dying.peer.kill();
    server.does("accept", "accepted");
    next.peer.expect("connected");
    next.does("send next", "sent");
    server.does("recv", "next");
}

#[test]
fn a_client_that_waits_for_a_place_gets_that_of_the_dead() {
    let (_segment, _listener, name) = listener("place", 1);
    let mut server = server(&name);
    let (mut dying, mut next) = (start(&name), start(&name));
    dying.block("connect");
    next.block("connect");
    dying.peer.kill();
    server.does("accept", "accepted");
    next.peer.expect("connected");
}

#[test]
fn the_death_of_the_last_acceptor_is_told_to_who_waits() {
    let (_segment, listener, name) = listener("last", 2);
    let (one, two) = (server(&name), server(&name));
    let mut clients: Vec<_> = (0..2).map(|_| start(&name)).collect();
    clients.iter_mut().for_each(|client| client.block("connect"));
    // And one that waits for a place.
    let mut third = start(&name);
    third.block("connect");
    let mut patient = start(&name);
    patient.block("connect-timeout - 600000");
    one.peer.kill();
    two.peer.kill();
    for client in clients.iter_mut().chain([&mut third]) {
        client.peer.expect("NoListener");
    }
    let mut next = server(&name);
    next.does("accept", "accepted");
    patient.peer.expect("connected");
    assert_eq!(listener.connections(), 1);
}

#[test]
fn another_acceptor_takes_the_dead_ones_part() {
    let (_segment, _listener, name) = listener("other", 2);
    let dying = server(&name);
    let mut other = server(&name);
    let mut client = start(&name);
    client.block("connect");
    dying.peer.kill();
    other.does("accept", "accepted");
    client.peer.expect("connected");
}

#[test]
fn both_ends_hear_of_the_others_death() {
    let (_segment, listener, name) = listener("ends", 2);
    let mut dying = server(&name);
    let mut client = start(&name);
    connect(&mut dying, &mut client);
    dying.does("send last", "sent");
    client.does("recv", "last");
    client.block("recv");
    dying.peer.kill();
    client.peer.expect("Eof");
    client.does("send more", "BrokenPipe");
    assert_eq!(listener.connections(), 1);
    client.peer.kill();
    assert_eq!(listener.connections(), 0);
}
