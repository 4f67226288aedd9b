//! Connections between live processes.

use std::time::Duration;

use outlive::{
    AcceptError, ConnectError, ListenError, Listener, ListenerOptions, LockError, ObjectError,
    Segment,
};

use super::driver::{connect, listener, server, start};

#[test]
fn each_connection_is_private() {
    let (_segment, listener, name) = listener("private", 4);
    let (mut one, mut two) = (server(&name), server(&name));
    let (mut first, mut second) = (start(&name), start(&name));
    connect(&mut one, &mut first);
    connect(&mut two, &mut second);
    first.does("send first", "sent");
    second.does("send second", "sent");
    two.does("recv", "second");
    one.does("recv", "first");
    one.does("send one", "sent");
    two.does("send two", "sent");
    second.does("recv", "two");
    first.does("recv", "one");
    first.does("try-recv", "Empty");
    assert_eq!((listener.connections(), listener.acceptors()), (2, 2));
    first.does("drop", "dropped");
    one.does("recv", "Eof");
    second.does("send more", "sent");
    two.does("recv", "more");
}

#[test]
fn a_place_is_used_again_and_empty() {
    let (_segment, listener, name) = listener("again", 1);
    let mut server = server(&name);
    for round in 0..5 {
        let mut client = start(&name);
        connect(&mut server, &mut client);
        assert_eq!(listener.connections(), 1);
        server.does("try-recv", "Empty");
        client.does("try-recv", "Empty");
        // Left unread, in both directions.
        server.does("send left", "sent");
        client.does("send behind", "sent");
        if round % 2 == 0 {
            client.does("drop", "dropped");
            server.does("drop", "dropped");
        } else {
            client.peer.kill();
            server.does("recv", "behind");
            server.does("recv", "Eof");
            server.does("drop", "dropped");
        }
        assert_eq!(listener.connections(), 0);
    }
}

#[test]
fn those_who_connect_are_accepted_in_order() {
    let (_segment, listener, name) = listener("order", 4);
    let mut server = server(&name);
    let mut clients: Vec<_> = (0..3).map(|_| start(&name)).collect();
    for client in &mut clients {
        client.block("connect");
    }
    assert_eq!(listener.connections(), 3);
    for (number, client) in clients.iter_mut().enumerate() {
        server.does("accept", "accepted");
        client.peer.expect("connected");
        client.does(&format!("send {number}"), "sent");
        server.does("recv", &number.to_string());
    }
}

#[test]
fn in_two_threads_of_one_process() {
    let (segment, _listener, name) = listener("threads", 2);
    let acceptor = segment.find::<Listener>("l").expect("find").acceptor().expect("acceptor");
    assert_eq!(acceptor.try_accept().map(drop), Err(AcceptError::Empty));
    let client = std::thread::spawn(move || {
        let end = Segment::open(&name).expect("open").connect("l").expect("connect");
        end.send_bytes(b"hello").expect("send");
        end.recv_bytes().expect("recv")
    });
    let end = acceptor.accept().expect("accept");
    assert_eq!(end.recv_bytes().as_deref(), Ok(&b"hello"[..]));
    end.send_bytes(b"good bye").expect("send");
    assert_eq!(client.join().expect("join"), b"good bye");
    assert_eq!(acceptor.listener().options().connections, 2);
}

#[test]
fn a_thread_does_not_wait_for_itself_to_accept() {
    let (_segment, listener, _name) = listener("self", 2);
    let _acceptor = listener.acceptor().expect("acceptor");
    let refused = listener.connect().map(drop);
    assert_eq!(refused, Err(ConnectError::Lock(LockError::Deadlock)));
    assert_eq!(listener.connections(), 0);
}

#[test]
fn there_are_so_many_acceptors() {
    let (_segment, listener, name) = listener("acceptors", 2);
    let (one, two) = (server(&name), server(&name));
    let refused = listener.acceptor().map(drop);
    assert_eq!(refused, Err(ListenError::NoPlace { limit: 2 }));
    one.peer.kill();
    let mine = listener.acceptor().expect("the dead one's place");
    assert_eq!(listener.acceptors(), 2);
    drop(mine);
    assert_eq!(listener.acceptors(), 1);
    two.peer.kill();
    assert_eq!(listener.acceptors(), 0);
}

#[test]
fn shapes_and_names() {
    let (segment, listener, name) = listener("shapes", 3);
    assert_eq!(listener.options().capacity, 256);
    let options = listener.options();
    for other in [
        ListenerOptions { connections: 4, ..options },
        ListenerOptions { capacity: 512, ..options },
        ListenerOptions { acceptors: 3, ..options },
    ] {
        let outcome = segment.listener("l", other);
        assert!(matches!(outcome, Err(ObjectError::ShapeMismatch { .. })), "{outcome:?}");
    }
    for wrong in [
        ListenerOptions { connections: 0, ..options },
        ListenerOptions { connections: 1001, ..options },
        ListenerOptions { capacity: 8, ..options },
        ListenerOptions { capacity: usize::MAX, ..options },
        ListenerOptions { acceptors: 0, ..options },
        ListenerOptions { acceptors: 61, ..options },
    ] {
        let outcome = segment.listener("other", wrong);
        assert!(matches!(outcome, Err(ObjectError::InvalidShape { .. })), "{outcome:?}");
    }
    let missing = segment.connect("nobody").map(drop);
    assert!(matches!(missing, Err(ConnectError::Object(ObjectError::NotFound { .. }))));
    let reader = Segment::options().read_only(true).open(&name).expect("open");
    let refused = reader.connect("l").map(drop);
    assert_eq!(refused, Err(ConnectError::Lock(LockError::ReadOnly)));
    let refused = reader.find::<Listener>("l").expect("find").acceptor().map(drop);
    assert_eq!(refused, Err(ListenError::Lock(LockError::ReadOnly)));
    assert!(listener.connect_timeout(Duration::ZERO).is_err());
}
