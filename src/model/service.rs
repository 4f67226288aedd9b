//! `Service`: each reply to its own call, whole; a dead server is told, a dead client forgotten; at every
//! step.

use super::run::{Kernel, begin, check, model, mortal, process, with_death_bounded};
use crate::{CallError, Client, Redeliver, Segment, ServeError, Server, Service, ServiceOptions};

fn service(requests: usize, redeliver: Redeliver) -> Service {
    let segment = Segment::anonymous().expect("a segment");
    let options =
        ServiceOptions::new(16, 16).clients(1).servers(2).requests(requests).redeliver(redeliver);
    let service = segment.service("service", options).expect("a service");
    begin(&segment);
    service
}

/// Two words, so that half of one would be seen.
fn words(number: u8) -> [u8; 16] {
    [number; 16]
}

fn whole(bytes: &[u8]) -> u8 {
    assert_eq!(bytes, words(bytes[0]), "torn");
    bytes[0]
}

/// Accepts a request and replies with the next number. False if the client is gone.
fn serve(server: &Server) -> bool {
    let mut request = server.accept().expect("accept");
    let reply = words(whole(&request) + 1);
    request.reply(&reply).is_ok()
}

fn call(client: &Client, number: u8) -> Result<u8, CallError> {
    client.call(&words(number)).map(|reply| whole(&reply))
}

/// Everything is free again, and works.
fn is_whole(service: &Service) {
    let client = service.client().expect("client");
    let server = service.server().expect("server");
    assert_eq!(server.try_accept().err(), Some(ServeError::Empty));
    let pending = client.send(&words(7)).expect("a place is free");
    assert!(serve(&server));
    assert_eq!(whole(&pending.wait().expect("wait")), 8);
}

#[test]
fn a_call_and_its_reply() {
    check(1, || {
        let service = service(1, Redeliver::Never);
        let server = service.clone();
        let other = process(1, move || {
            let server = server.server().expect("server");
            serve(&server) && serve(&server)
        });
        let client = service.client().expect("client");
        assert_eq!(call(&client, 1), Ok(2));
        assert_eq!(call(&client, 5), Ok(6));
        assert!(other.join().expect("a process"));
    });
}

/// A call that was given up, and the next one, with one place: the late reply makes it free.
#[test]
fn a_late_reply_is_nobodys() {
    model(|| {
        let service = service(2, Redeliver::Never);
        let server = service.server().expect("server");
        let there = service.clone();
        let other = process(1, move || {
            let client = there.client().expect("client");
            drop(client.send(&words(1)).expect("send"));
            drop(client);
        });
        // Accepted or not, as it comes.
        if let Ok(mut request) = server.try_accept() {
            let reply = words(whole(&request) + 1);
            let _gone = request.reply(&reply);
        }
        other.join().expect("a process");
        drop(server);
        is_whole(&service);
    });
}

/// Its client is told without time passing: a reply, or that there is none.
#[test]
fn a_death_of_a_server() {
    with_death_bounded(0, |mortality| {
        let service = service(1, Redeliver::Never);
        let client = service.client().expect("client");
        let pending = client.send(&words(1)).expect("send");
        let dying = service.clone();
        let dying = mortal(1, &mortality, Kernel::Reports, move || {
            let server = dying.server().expect("server");
            serve(&server)
        });
        // One that died before it was a server is none.
        let there = service.clone();
        let other = process(2, move || drop(there.server().expect("server")));
        let outcome = pending.wait().map(|reply| whole(&reply));
        dying.join().expect("a process");
        other.join().expect("a process");
        assert!(
            matches!(outcome, Ok(2) | Err(CallError::ServerDied | CallError::NoServer)),
            "{outcome:?}"
        );
        drop(client);
        is_whole(&service);
    });
}

#[test]
fn a_death_of_a_server_whose_request_another_one_gets() {
    with_death_bounded(1, |mortality| {
        let service = service(1, Redeliver::Always);
        let client = service.client().expect("client");
        let pending = client.send(&words(1)).expect("send");
        let living = service.server().expect("server");
        let dying = service.clone();
        let dying = mortal(1, &mortality, Kernel::Reports, move || {
            let server = dying.server().expect("server");
            server.try_accept().is_ok_and(|mut request| request.reply(&words(2)).is_ok())
        });
        let replied = dying.join().expect("a process") == Some(true);
        if let Ok(mut request) = living.try_accept() {
            assert!(!replied, "answered twice");
            assert_eq!(whole(&request), 1);
            request.reply(&words(2)).expect("reply");
        }
        assert_eq!(pending.wait().map(|reply| whole(&reply)), Ok(2));
        drop((client, living));
        is_whole(&service);
    });
}

/// What it sent is served or not; its places are free.
#[test]
fn a_death_of_a_client() {
    with_death_bounded(1, |mortality| {
        let service = service(1, Redeliver::Never);
        let server = service.server().expect("server");
        let dying = service.clone();
        let dying = mortal(1, &mortality, Kernel::Reports, move || {
            let client = dying.client().expect("client");
            // The server may have left before.
            call(&client, 1)
        });
        while let Ok(mut request) = server.try_accept() {
            let reply = words(whole(&request) + 1);
            let _gone = request.reply(&reply);
        }
        drop(server);
        if let Some(outcome) = dying.join().expect("a process") {
            assert!(matches!(outcome, Ok(2) | Err(CallError::NoServer)), "{outcome:?}");
        }
        is_whole(&service);
    });
}
