//! Killed servers and clients: an error and not silence, and nothing stays behind.

use outlive::{CallError, Redeliver, ReplyError, Segment, Service};

use super::driver::{Driver, nothing, options, service};
use crate::observe::Random;
use crate::support::{Peer, await_death, say, wait_for_go};

#[test]
fn a_killed_servers_clients_are_told_at_once() {
    let (_segment, _service, name) = service("told", Redeliver::Never);
    let mut clients = [Driver::client(&name), Driver::client(&name)];
    let mut living = Driver::server(&name);
    for _ in 0..5 {
        let mut dying = Driver::server(&name);
        clients[0].block("call one");
        dying.takes("one 1");
        clients[1].block("call-timeout two 600000");
        living.takes("two 1");
        dying.peer.kill();
        clients[0].peer.expect("ServerDied");
        living.ends("fine", "replied");
        clients[1].peer.expect("fine");
    }
}

#[test]
fn a_killed_servers_request_goes_to_another_one() {
    let (_segment, _service, name) = service("another", Redeliver::UpTo(1));
    let mut client = Driver::client(&name);
    for _ in 0..5 {
        let mut dying = [Driver::server(&name), Driver::server(&name)];
        client.block("call x");
        dying[0].takes("x 1");
        dying[1].block("accept");
        let [first, mut second] = dying;
        first.peer.kill();
        second.peer.expect("x 2");
        second.peer.kill();
        client.peer.expect("ServerDied");
    }
}

#[test]
fn when_the_last_server_is_killed_all_who_wait_are_told() {
    for redeliver in [Redeliver::Never, Redeliver::Always] {
        let (_segment, service, name) = service("last", redeliver);
        let mut clients = [(); 3].map(|()| Driver::client(&name));
        for _ in 0..3 {
            let mut dying = Driver::server(&name);
            clients.iter_mut().for_each(|client| client.block("call x"));
            dying.takes("x 1");
            dying.peer.kill();
            let mut heard: Vec<_> = clients.iter_mut().map(|client| client.peer.hear()).collect();
            heard.sort();
            let died = if redeliver == Redeliver::Never { "ServerDied" } else { "NoServer" };
            assert_eq!(heard, ["NoServer", "NoServer", died]);
            clients[0].does("call x", "NoServer");
            assert_eq!((service.servers(), service.waiting()), (0, 0));
        }
    }
}

/// Those included who wait for a place.
#[test]
fn who_waits_to_send_hears_of_the_last_servers_death() {
    let (_segment, service, name) = service("send", Redeliver::Never);
    let mine = service.client().expect("client");
    let mut clients = [Driver::client(&name), Driver::client(&name)];
    for _ in 0..5 {
        let mut dying = Driver::server(&name);
        let all: Vec<_> = (0..3).map(|_| mine.send(b"x").expect("send")).collect();
        dying.takes("x 1");
        clients.iter_mut().for_each(|client| client.block("call y"));
        dying.peer.kill();
        clients.iter_mut().for_each(|client| client.peer.expect("NoServer"));
        let outcomes: Vec<_> = all.into_iter().map(|pending| pending.wait()).collect();
        let died = Err(CallError::ServerDied);
        assert_eq!(outcomes, [died, Err(CallError::NoServer), Err(CallError::NoServer)]);
    }
}

#[test]
fn a_server_that_is_killed_as_it_waits_takes_nothing_along() {
    let (_segment, service, name) = service("waits", Redeliver::Never);
    let server = service.server().expect("server");
    let mut client = Driver::client(&name);
    for _ in 0..5 {
        let mut dying = Driver::server(&name);
        dying.block("accept");
        dying.peer.kill();
        client.block("call x");
        super::driver::answer(&server, b"x", b"y");
        client.peer.expect("y");
    }
}

#[test]
fn a_killed_clients_requests_are_dropped_and_its_places_free() {
    let (_segment, service, name) = service("client", Redeliver::Always);
    let server = service.server().expect("server");
    for _ in 0..5 {
        let mut dying = Driver::client(&name);
        dying.does("send-and-leak one", "sent");
        dying.does("send-and-leak two", "sent");
        let mut request = server.accept().expect("accept");
        dying.block("call three");
        dying.peer.kill();
        nothing(&server);
        assert_eq!(request.reply(b"x"), Err(ReplyError::ClientGone));
        assert_eq!((service.waiting(), service.clients()), (0, 0));
        let client = service.client().expect("its place is free");
        let all: Vec<_> = (0..3).map(|_| client.send(b"x").expect("send")).collect();
        assert_eq!(all.len(), 3);
    }
}

#[test]
fn a_reply_that_a_killed_client_did_not_fetch_makes_room() {
    let (_segment, service, name) = service("unread", Redeliver::Never);
    let server = service.server().expect("server");
    let client = service.client().expect("client");
    for _ in 0..5 {
        let mut dying = Driver::client(&name);
        (0..3).for_each(|_| dying.does("send-and-leak x", "sent"));
        (0..3).for_each(|_| super::driver::answer(&server, b"x", b"y"));
        dying.peer.kill();
        drop(client.send(b"z").expect("send"));
    }
}

fn open(arguments: &[String]) -> Service {
    let segment = Segment::open(&arguments[0]).expect("open");
    segment.service("s", options(Redeliver::Never)).expect("service")
}

/// The role: replies with the request, turned round.
pub(crate) fn serve_for_ever(arguments: &[String]) {
    let server = open(arguments).server().expect("server");
    say("ready");
    while let Ok(mut request) = server.accept() {
        let reply: Vec<u8> = request.iter().rev().copied().collect();
        match request.reply(&reply) {
            Ok(()) | Err(ReplyError::ClientGone) => {}
            Err(error) => panic!("{error:?}"),
        }
    }
    await_death();
}

/// The role: calls until it is killed, and finds every reply to be its own.
pub(crate) fn call_for_ever(arguments: &[String]) {
    let client = open(arguments).client().expect("client");
    say("ready");
    wait_for_go();
    for round in 0_u64.. {
        let mut request = round.to_le_bytes().to_vec();
        request.extend(std::process::id().to_le_bytes());
        match client.call(&request) {
            Ok(reply) => {
                request.reverse();
                assert_eq!(reply, request, "another one's reply");
            }
            Err(CallError::ServerDied | CallError::NoServer) => {}
            Err(error) => panic!("{error:?}"),
        }
    }
}

/// Both sides are killed at random moments: no reply is another call's, and all go on.
#[test]
fn every_reply_is_the_calls_own_whoever_is_killed() {
    const KILLS: usize = 40;
    let (segment, name) = crate::segment("everybody");
    let service = segment.service("s", options(Redeliver::Never)).expect("service");
    let start = |role: &str| {
        let mut peer = Peer::spawn(role, &[&name]);
        peer.expect("ready");
        peer.tell("go");
        peer
    };
    let mut random = Random::new(5);
    let mut servers = vec![start("service serve"), start("service serve")];
    let mut other = start("service call");
    let mine = service.client().expect("client");
    let mut died = 0;
    for kill in 0..KILLS as u64 {
        let calls = 1 + random.below(50);
        for round in 0..calls {
            let request = [kill as u8, round as u8, 3];
            match mine.call(&request) {
                Ok(reply) => assert_eq!(reply, [3, round as u8, kill as u8]),
                Err(CallError::ServerDied) => died += 1,
                Err(error) => panic!("{error:?}"),
            }
        }
        if random.below(2) == 0 {
            other.kill();
            other = start("service call");
        } else {
            servers.remove(random.below(2) as usize).kill();
            servers.push(start("service serve"));
        }
    }
    assert!(died <= KILLS, "{died} of {KILLS}");
    other.kill();
    let all: Vec<_> = (0..3).map(|_| mine.send(b"ab").expect("send")).collect();
    all.into_iter().for_each(|pending| assert_eq!(pending.wait(), Ok(b"ba".to_vec())));
    assert_eq!((service.clients(), service.servers(), service.waiting()), (1, 2, 0));
}
