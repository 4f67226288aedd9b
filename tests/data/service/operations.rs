//! What each call does, with one process.

use std::time::Duration;

use outlive::{CallError, LockError, Redeliver, ReplyError, Segment, ServiceError, ServiceOptions};

use super::driver::{answer, nothing, service};
use crate::{Unwind, unwind};

#[test]
fn replies_go_to_the_calls_that_asked() {
    let (_segment, service, _name) = service("asked", Redeliver::Never);
    let (server, client, other) = (
        service.server().expect("server"),
        service.client().expect("client"),
        service.client().expect("client"),
    );
    for round in 0..20_u8 {
        let first = client.send(&[round, 1]).expect("send");
        let second = other.send(&[round, 2]).expect("send");
        let third = client.send(&[round, 3]).expect("send");
        assert!(!first.is_over() && service.waiting() == 3);
        let mut requests: Vec<_> = (0..3).map(|_| server.accept().expect("accept")).collect();
        requests.reverse();
        for mut request in requests {
            let reply = [request[0], request[1] + 10];
            request.reply(&reply).expect("reply");
            assert_eq!(request.reply(&reply), Err(ReplyError::Answered));
        }
        assert!(first.is_over());
        assert_eq!(third.wait(), Ok(vec![round, 13]));
        assert_eq!(first.wait(), Ok(vec![round, 11]));
        assert_eq!(second.wait_timeout(Duration::ZERO), Ok(vec![round, 12]));
    }
    nothing(&server);
}

#[test]
fn requests_are_accepted_in_order_by_all_servers() {
    let (_segment, service, _name) = service("order", Redeliver::Never);
    let servers = [service.server().expect("server"), service.server().expect("server")];
    let client = service.client().expect("client");
    let mut pending = Vec::new();
    for round in 0..20_u8 {
        pending.push(client.send(&[round]).expect("send"));
        if pending.len() == 3 {
            answer(&servers[usize::from(round) % 2], &[round - 2], &[round - 2]);
            assert_eq!(pending.remove(0).wait(), Ok(vec![round - 2]));
        }
    }
}

#[test]
fn bytes_of_any_length_up_to_what_was_said_are_whole() {
    for (request, reply) in [(0, 0), (1, 9), (8, 8), (20, 3), (1000, 4000)] {
        let (segment, _name) = crate::segment("lengths");
        let options = ServiceOptions::new(request, reply).requests(2);
        let service = segment.service("s", options).expect("service");
        let (server, client) =
            (service.server().expect("server"), service.client().expect("client"));
        for length in [0, 1, 7, 8, 9, 100, 999, 1000, 4000] {
            let bytes: Vec<u8> = (0..length).map(|i: usize| (i * 7) as u8).collect();
            let asked = &bytes[..length.min(request)];
            let pending = client.send(asked).expect("send");
            let mut accepted = server.accept().expect("accept");
            assert_eq!(&*accepted, asked);
            let replied = &bytes[..length.min(reply)];
            accepted.reply(replied).expect("reply");
            assert_eq!(pending.wait().expect("wait"), replied);
        }
        let long = vec![1; request + 1];
        let refused = client.call(&long);
        assert_eq!(refused, Err(CallError::TooLong { length: request + 1, largest: request }));
        let pending = client.send(&[]).expect("send");
        let mut accepted = server.accept().expect("accept");
        let refused = accepted.reply(&vec![1; reply + 1]);
        assert_eq!(refused, Err(ReplyError::TooLong { length: reply + 1, largest: reply }));
        accepted.reply(&[]).expect("it can be answered still");
        assert_eq!(pending.wait(), Ok(Vec::new()));
    }
}

#[test]
fn a_request_that_is_dropped_is_unanswered() {
    let (_segment, service, _name) = service("dropped", Redeliver::Always);
    let (server, client) = (service.server().expect("server"), service.client().expect("client"));
    let pending = client.send(b"x").expect("send");
    drop(server.accept().expect("accept"));
    assert_eq!(pending.wait(), Err(CallError::Unanswered));
    let pending = client.send(b"y").expect("send");
    unwind(|wanted: Unwind| {
        let _request = server.accept().expect("accept");
        wanted.now();
    });
    assert_eq!(pending.wait(), Err(CallError::Unanswered));
    nothing(&server);
}

/// The place of a call is its own until its server lets go of it, too.
#[test]
fn a_late_reply_reaches_no_later_call() {
    let (_segment, service, _name) = service("late", Redeliver::Never);
    let (server, client) = (service.server().expect("server"), service.client().expect("client"));
    for _ in 0..10 {
        let slow = client.send(b"slow").expect("send");
        let mut late = server.accept().expect("accept");
        assert_eq!(late.client_process(), Some(std::process::id()));
        drop(slow);
        assert_eq!(late.client_process(), None);
        let next = client.send(b"next").expect("send");
        let last = client.send(b"last").expect("send");
        assert_eq!(late.reply(b"late"), Err(ReplyError::ClientGone));
        answer(&server, b"next", b"right");
        answer(&server, b"last", b"also right");
        assert_eq!(next.wait(), Ok(b"right".to_vec()));
        assert_eq!(last.wait(), Ok(b"also right".to_vec()));
    }
    // Each place is free again.
    let all: Vec<_> = (0..3).map(|_| client.send(b"x").expect("send")).collect();
    assert_eq!(client.send_timeout(b"x", Duration::ZERO).err(), Some(CallError::TimedOut));
    drop(all);
    assert_eq!(service.waiting(), 0);
    nothing(&server);
}

#[test]
fn a_request_that_nobody_has_accepted_is_taken_back() {
    let (_segment, service, _name) = service("back", Redeliver::Never);
    let (server, client) = (service.server().expect("server"), service.client().expect("client"));
    let [first, second, third] = [b"1", b"2", b"3"].map(|text| client.send(text).expect("send"));
    drop(second);
    answer(&server, b"1", b"a");
    answer(&server, b"3", b"c");
    nothing(&server);
    assert_eq!((first.wait(), third.wait()), (Ok(b"a".to_vec()), Ok(b"c".to_vec())));
}

#[test]
fn a_client_that_leaves_takes_its_requests_along() {
    let (_segment, service, _name) = service("leaves", Redeliver::Never);
    let server = service.server().expect("server");
    for _ in 0..5 {
        let client = service.client().expect("client");
        for text in [b"1", b"2", b"3"] {
            std::mem::forget(client.send(text).expect("send"));
        }
        let mut request = server.accept().expect("accept");
        answer(&server, b"2", b"read by nobody");
        drop(client);
        nothing(&server);
        assert_eq!(request.reply(b"x"), Err(ReplyError::ClientGone));
        assert_eq!((service.waiting(), service.clients()), (0, 0));
    }
}

#[test]
fn calls_wait_for_the_first_server_but_not_for_the_next_one() {
    let (_segment, service, _name) = service("first", Redeliver::Never);
    let client = service.client().expect("client");
    let early = client.send(b"early").expect("send");
    assert_eq!(client.call_timeout(b"x", Duration::from_millis(1)), Err(CallError::TimedOut));
    let server = service.server().expect("server");
    answer(&server, b"early", b"done");
    assert_eq!(early.wait(), Ok(b"done".to_vec()));
    let waiting = client.send(b"late").expect("send");
    drop(server);
    assert_eq!(waiting.wait(), Err(CallError::NoServer));
    assert_eq!(client.call(b"x"), Err(CallError::NoServer));
    assert_eq!((service.servers(), service.waiting()), (0, 0));
    let server = service.server().expect("the next one");
    nothing(&server);
}

#[test]
fn who_would_wait_for_itself_is_told() {
    let (_segment, service, _name) = service("itself", Redeliver::Never);
    let (server, client) = (service.server().expect("server"), service.client().expect("client"));
    let refused = Err(CallError::Lock(LockError::Deadlock));
    assert_eq!(client.call(b"x"), refused);
    nothing(&server);
    let pending = client.send(b"x").expect("send");
    let request = server.accept().expect("accept");
    assert_eq!(pending.wait(), refused);
    drop(request);
}

#[test]
fn there_are_as_many_places_as_was_said() {
    let (_segment, service, _name) = service("places", Redeliver::Never);
    let clients: Vec<_> = (0..3).map(|_| service.client().expect("client")).collect();
    let refused = service.client().err();
    assert_eq!(refused, Some(ServiceError::NoPlace { role: "client", limit: 3 }));
    let servers: Vec<_> = (0..2).map(|_| service.server().expect("server")).collect();
    let refused = service.server().err();
    assert_eq!(refused, Some(ServiceError::NoPlace { role: "server", limit: 2 }));
    assert_eq!((service.clients(), service.servers()), (3, 2));
    drop((clients, servers));
    assert_eq!((service.clients(), service.servers()), (0, 0));
    service.client().expect("a place is free");
    let segment = Segment::anonymous().expect("a segment");
    let most = ServiceOptions::new(1, 1).clients(200).servers(56);
    let service = segment.service("most", most).expect("service");
    let all: Vec<_> = (0..200).map(|_| service.client().expect("client")).collect();
    assert!(service.client().is_err() && all.len() == 200);
    service.server().expect("server");
}
