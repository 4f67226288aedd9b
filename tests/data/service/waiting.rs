//! Who waits is woken, in time and at no cost.

use std::time::Duration;

use outlive::{CallError, Redeliver, Reset, ServeError, wait_any};

use super::driver::{Driver, nothing, service};
use crate::observe::not_before;

#[test]
fn a_request_wakes_a_server_and_a_reply_its_client() {
    for call in ["call hello", "call-timeout hello 600000"] {
        let (_segment, _service, name) = service("wakes", Redeliver::Never);
        let mut server = Driver::server(&name);
        let mut clients = [Driver::client(&name), Driver::client(&name)];
        for _ in 0..10 {
            for (client, reply) in clients.iter_mut().zip(["one", "two"]) {
                server.block("accept");
                client.block(call);
                server.peer.expect("hello 1");
                server.ends(reply, "replied");
                client.peer.expect(reply);
            }
        }
    }
}

#[test]
fn room_wakes_who_waits_to_send() {
    let (_segment, service, name) = service("room", Redeliver::Never);
    let server = service.server().expect("server");
    let mut client = Driver::client(&name);
    let mine = service.client().expect("client");
    for _ in 0..5 {
        let mut all: Vec<_> = (0..3).map(|_| mine.send(b"x").expect("send")).collect();
        client.block("call y");
        drop(all.pop());
        let mut requests: Vec<_> = (0..3).map(|_| server.accept().expect("accept")).collect();
        assert_eq!(&*requests[2], b"y");
        requests[2].reply(b"z").expect("reply");
        client.peer.expect("z");
    }
}

#[test]
fn a_timeout_never_ends_early() {
    let (_segment, service, name) = service("timeout", Redeliver::Never);
    let (server, client) = (service.server().expect("server"), service.client().expect("client"));
    let mut other = Driver::server(&name);
    for millis in [0, 1, 50, 130] {
        let timeout = Duration::from_millis(millis);
        let accepted = not_before(timeout, || server.accept_timeout(timeout).err());
        assert_eq!(accepted, Some(ServeError::TimedOut));
        let called = not_before(timeout, || client.call_timeout(b"x", timeout));
        assert_eq!(called, Err(CallError::TimedOut));
        nothing(&server);
        let ready = not_before(timeout, || wait_any(&[&server], Some(timeout)));
        assert_eq!(ready.expect("wait"), None);
    }
    // One that a server has.
    let pending = client.send(b"x").expect("send");
    other.takes("x 1");
    let timeout = Duration::from_millis(50);
    assert_eq!(not_before(timeout, || pending.wait_timeout(timeout)), Err(CallError::TimedOut));
    other.ends("late", "ClientGone");
    let pending = client.send_timeout(b"y", Duration::MAX).expect("longer than any clock");
    other.takes("y 1");
    other.ends("z", "replied");
    assert_eq!(pending.wait_timeout(Duration::MAX), Ok(b"z".to_vec()));
}

#[test]
fn waiting_does_not_use_the_processor() {
    let (_segment, service, name) = service("cost", Redeliver::Never);
    let mut servers = [Driver::server(&name), Driver::server(&name)];
    let mut clients = [Driver::client(&name), Driver::client(&name)];
    servers[0].block("accept");
    servers[1].does("idle-accept - 300", "idle");
    clients[0].block("call x");
    servers[0].peer.expect("x 1");
    servers[1].block("accept");
    clients[1].start_idle();
    servers[1].peer.expect("idle 1");
    clients[1].peer.expect("idle");
    servers[0].ends("y", "replied");
    clients[0].peer.expect("y");
    drop(service);
}

impl Driver {
    fn start_idle(&mut self) {
        self.peer.tell("idle-call - 300");
        self.peer.expect("going");
    }
}

#[test]
fn requests_are_waited_for_together_with_other_things() {
    let (segment, service, _name) = service("any", Redeliver::Never);
    let event = segment.event("e", Reset::Manual).expect("event");
    let (server, client) = (service.server().expect("server"), service.client().expect("client"));
    let now = Some(Duration::ZERO);
    assert_eq!(wait_any(&[&event, &server], now).expect("wait"), None);
    let pending = client.send(b"x").expect("send");
    assert_eq!(wait_any(&[&event, &server], now).expect("wait"), Some(1));
    drop(server.try_accept().expect("a look took nothing"));
    assert_eq!(wait_any(&[&event, &server], now).expect("wait"), None);
    drop(pending);
    service.close().expect("close");
    assert_eq!(wait_any(&[&event, &server], now).expect("wait"), Some(1));
}
