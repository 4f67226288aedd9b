//! The end: what was sent is answered, and nothing more is.

use outlive::{CallError, Redeliver, ServeError};

use super::driver::{Driver, answer, service};

#[test]
fn what_was_sent_before_is_accepted_after() {
    let (_segment, service, _name) = service("after", Redeliver::Never);
    let (server, client) = (service.server().expect("server"), service.client().expect("client"));
    let pending = client.send(b"before").expect("send");
    service.close().expect("close");
    service.close().expect("a second time");
    assert!(service.is_closed());
    assert_eq!(client.call(b"after"), Err(CallError::Closed));
    answer(&server, b"before", b"done");
    assert_eq!(pending.wait(), Ok(b"done".to_vec()));
    assert_eq!(server.accept().err(), Some(ServeError::Closed));
    assert_eq!(server.try_accept().err(), Some(ServeError::Closed));
}

#[test]
fn a_close_wakes_all_who_wait() {
    let (_segment, service, name) = service("wakes", Redeliver::Never);
    let mut servers = [Driver::server(&name), Driver::server(&name)];
    servers[0].block("accept");
    servers[1].block("accept-timeout - 600000");
    service.close().expect("close");
    servers.iter_mut().for_each(|server| server.peer.expect("Closed"));
}

/// Nobody can come to answer it.
#[test]
fn a_call_that_waits_for_the_first_server_ends_with_the_close() {
    let (_segment, service, name) = service("first", Redeliver::Never);
    let mut client = Driver::client(&name);
    client.block("call x");
    service.close().expect("close");
    client.peer.expect("NoServer");
}

#[test]
fn a_request_that_may_come_back_is_waited_for() {
    let (_segment, service, name) = service("back", Redeliver::Always);
    let mut client = Driver::client(&name);
    let mut servers = [Driver::server(&name), Driver::server(&name)];
    client.block("call x");
    let [dying, living] = &mut servers;
    dying.takes("x 1");
    service.close().expect("close");
    living.block("accept");
    let [dying, mut living] = servers;
    dying.peer.kill();
    living.peer.expect("x 2");
    living.ends("y", "replied");
    client.peer.expect("y");
    living.does("accept", "Closed");
}
