//! `Service`: send, call, accept, reply; becoming a client or a server, and leaving; close.

use std::cell::RefCell;
use std::thread::JoinHandle;
use std::time::Duration;

use outlive::{
    CallError, Client, Pending, Redeliver, Request, ServeError, Server, Service, ServiceError,
    ServiceOptions,
};

use super::deadline;
use crate::case::{By, Case, Operation, Seen, Verdict, WaitFrom, Waiter, World, hold};

const CLIENTS: usize = 4;
const SERVERS: usize = 4;
const REQUESTS: usize = 4;

/// What a waiter returns whose call failed, by how.
const DIED: u64 = 1000;
const NO_SERVER: u64 = 1001;
const UNANSWERED: u64 = 1002;
/// What a waiting server returns that found the end.
const CLOSED: u64 = 1003;

fn bytes(number: u8) -> [u8; 24] {
    [number; 24]
}

/// The number in a request or a reply, if it is whole.
fn number(found: &[u8]) -> Option<u8> {
    let first = *found.first()?;
    (found == bytes(first)).then_some(first)
}

thread_local! {
    /// The survivor's own server, so that there is one all the time.
    static SERVER: RefCell<Option<Server>> = const { RefCell::new(None) };
    /// Who asks until it is answered, or there is no server.
    static ASKING: RefCell<Option<JoinHandle<()>>> = const { RefCell::new(None) };
}

fn service(world: &World) -> &'static Service {
    let options = ServiceOptions::new(24, 24)
        .clients(CLIENTS)
        .servers(SERVERS)
        .requests(REQUESTS)
        .redeliver(Redeliver::Never);
    Box::leak(Box::new(world.warm().service("service", options).expect("service")))
}

/// Without a server of the survivor's.
fn setup_alone(world: &World) {
    world.create();
    service(world);
}

fn setup(world: &World) {
    setup_alone(world);
    let server = service(world).server().expect("server");
    SERVER.with_borrow_mut(|place| *place = Some(server));
}

fn client(world: &World) -> &'static Client {
    Box::leak(Box::new(service(world).client().expect("client")))
}

fn server(world: &World) -> &'static Server {
    Box::leak(Box::new(service(world).server().expect("server")))
}

// Operations.

fn send(world: &World) -> Operation {
    let client = client(world);
    let mut kept: Vec<Pending<'static>> = Vec::with_capacity(1);
    Box::new(move || kept.push(client.send(&bytes(1)).expect("send")))
}

fn call(world: &World) -> Operation {
    let client = client(world);
    Box::new(move || {
        let reply = client.call(&bytes(1)).expect("call");
        assert_eq!(number(&reply), Some(2));
    })
}

fn take_back(world: &World) -> Operation {
    let mut pending = Some(client(world).send(&bytes(1)).expect("send"));
    Box::new(move || drop(pending.take()))
}

/// Sends a request to itself before the first instruction.
fn accept(world: &World) -> Operation {
    let server = server(world);
    std::mem::forget(client(world).send(&bytes(1)).expect("send"));
    Box::new(move || std::mem::forget(server.accept().expect("accept")))
}

fn accepted(world: &World) -> Option<Request<'static>> {
    let server = server(world);
    std::mem::forget(client(world).send(&bytes(1)).expect("send"));
    Some(server.accept().expect("accept"))
}

fn reply(world: &World) -> Operation {
    let mut request = accepted(world);
    Box::new(move || request.as_mut().expect("request").reply(&bytes(2)).expect("reply"))
}

fn drop_request(world: &World) -> Operation {
    let mut request = accepted(world);
    Box::new(move || drop(request.take()))
}

/// Serves the waiter's request.
fn serve(world: &World) -> Operation {
    let server = server(world);
    Box::new(move || {
        let mut request = server.accept().expect("accept");
        request.reply(&bytes(2)).expect("reply");
    })
}

fn become_server(world: &World) -> Operation {
    let service = service(world);
    let mut kept = Vec::with_capacity(1);
    Box::new(move || kept.push(service.server().expect("server")))
}

fn leave(world: &World) -> Operation {
    let mut server = Some(service(world).server().expect("server"));
    Box::new(move || drop(server.take()))
}

fn close(world: &World) -> Operation {
    let service = service(world);
    Box::new(move || service.close().expect("close"))
}

/// Whoever it is, it takes the lock, and looks after the dead.
fn repair(world: &World) -> Operation {
    let service = service(world);
    Box::new(move || drop(service.client().expect("client")))
}

// What the survivor does so that others can go on.

/// Serves what there is to serve.
fn serve_all(_world: &World) {
    SERVER.with_borrow(|server| {
        let server = server.as_ref().expect("a server");
        // Who is served here has sent its request by now.
        while let Ok(mut request) = server.try_accept() {
            let reply = bytes(number(&request).expect("whole") + 1);
            // The client may be dead.
            let _gone = request.reply(&reply);
        }
    });
}

fn nothing(_world: &World) {}

/// Calls, as one of those who wait.
fn wait_for_reply(world: &World) -> u64 {
    match client(world).call(&bytes(1)) {
        Ok(reply) => u64::from(number(&reply).expect("whole")),
        Err(CallError::ServerDied) => DIED,
        Err(CallError::NoServer) => NO_SERVER,
        Err(CallError::Unanswered) => UNANSWERED,
        Err(error) => panic!("the waiter's call: {error}"),
    }
}

fn wait_for_request(world: &World) -> u64 {
    match server(world).accept() {
        Ok(mut request) => {
            let found = number(&request).expect("whole");
            let _gone = request.reply(&bytes(found + 1));
            u64::from(found)
        }
        Err(ServeError::Closed) => CLOSED,
        Err(error) => panic!("the waiter's accept: {error}"),
    }
}

fn ask(world: &World) {
    let service = service(world);
    let client = service.client().expect("client");
    // Served by the waiter, or taken back.
    let _outcome = client.call_timeout(&bytes(1), Duration::from_millis(500));
}

/// Asks one that is stepped, and takes its time.
fn ask_patiently(world: &World) {
    let service = service(world);
    let asking = std::thread::spawn(|| {
        let client = service.client().expect("client");
        let outcome = client.call(&bytes(1));
        let right = matches!(outcome, Err(CallError::ServerDied | CallError::NoServer));
        assert!(right || outcome.is_ok_and(|reply| number(&reply) == Some(2)));
    });
    ASKING.set(Some(asking));
}

fn end(world: &World) {
    service(world).close().expect("close");
}

const fn waits(from: WaitFrom, wait: fn(&World) -> u64, release: fn(&World)) -> Option<Waiter> {
    Some(Waiter { from, wait, release })
}

// Contracts.

/// All places are free, for clients, servers and requests, and a call works.
fn is_whole(world: &World) -> Verdict {
    drop(SERVER.take());
    if let Some(asking) = ASKING.take() {
        hold!(Lost, asking.join().is_ok(), "another reply, or another error");
    }
    let service = service(world);
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        clients.push(service.client()?);
    }
    let refused = service.client().err();
    let none = Some(ServiceError::NoPlace { role: "client", limit: CLIENTS });
    hold!(Leaked, refused == none, "{refused:?}");
    let mut servers = Vec::new();
    for _ in 0..SERVERS {
        servers.push(service.server()?);
    }
    let refused = service.server().err();
    let none = Some(ServiceError::NoPlace { role: "server", limit: SERVERS });
    hold!(Leaked, refused == none, "{refused:?}");
    let left = servers[0].try_accept().err();
    if service.is_closed() {
        hold!(Leaked, left == Some(ServeError::Closed), "{left:?}");
        let refused = clients[0].call(&bytes(1));
        hold!(Lost, refused == Err(CallError::Closed), "{refused:?}");
        return Ok(());
    }
    hold!(Leaked, left == Some(ServeError::Empty), "{left:?}");
    let mut pending = Vec::new();
    for request in 0..REQUESTS as u8 {
        pending.push(clients[usize::from(request)].send_timeout(&bytes(request), Duration::ZERO)?);
    }
    let more = clients[0].send_timeout(&bytes(9), Duration::ZERO).err();
    hold!(Leaked, more == Some(CallError::TimedOut), "{more:?}: more than there can be");
    for request in 0..REQUESTS as u8 {
        let mut accepted = servers[usize::from(request)].accept_timeout(Duration::ZERO)?;
        hold!(Lost, number(&accepted) == Some(request), "{:?}, not {request}", &*accepted);
        accepted.reply(&bytes(request + 100))?;
    }
    for (request, pending) in (0..).zip(pending) {
        let reply = pending.wait_timeout(Duration::ZERO)?;
        hold!(Lost, number(&reply) == Some(request + 100), "{reply:?} to {request}");
    }
    Ok(())
}

/// Whoever waited for a reply has got the right one, or one of the right errors.
fn contract(world: &World, seen: &Seen) -> Verdict {
    let right = seen.waited.is_none_or(|waited| matches!(waited, 1 | 2 | DIED | NO_SERVER));
    hold!(Lost, right, "{:?}", seen.waited);
    is_whole(world)
}

/// There is another server all the time.
fn served(world: &World, seen: &Seen) -> Verdict {
    hold!(Lost, seen.waited.is_none_or(|waited| matches!(waited, 2 | DIED)), "{:?}", seen.waited);
    let died = seen.waited == Some(DIED);
    hold!(Lost, !died || seen.begun > seen.completed, "no server died");
    is_whole(world)
}

fn closed(world: &World, seen: &Seen) -> Verdict {
    let service = service(world);
    hold!(Lost, service.is_closed() || seen.completed == 0, "open after a complete close");
    hold!(Lost, seen.waited.is_none_or(|waited| waited == CLOSED), "{:?}", seen.waited);
    is_whole(world)?;
    service.close()?;
    Ok(())
}

fn usage(world: &World, rounds: usize) -> Verdict {
    let service = service(world);
    let (server, client) = (service.server()?, service.client()?);
    for round in 0..rounds {
        let asked = (round % 100) as u8;
        let pending = client.send_timeout(&bytes(asked), deadline())?;
        let mut request = server.accept_timeout(deadline())?;
        hold!(Lost, number(&request) == Some(asked), "{:?} in round {round}", &*request);
        request.reply(&bytes(asked + 1))?;
        let reply = pending.wait_timeout(deadline())?;
        hold!(Lost, number(&reply) == Some(asked + 1), "{reply:?} in round {round}");
    }
    drop((server, client));
    is_whole(world)
}

fn usage_closed(world: &World, rounds: usize) -> Verdict {
    for _ in 0..rounds {
        is_whole(world)?;
    }
    Ok(())
}

pub(super) fn cases() -> Vec<Case> {
    let base = || Case {
        name: "service-send",
        heavy: false,
        setup,
        by: By::FirstThread,
        operation: send,
        unblock: None,
        waiter: waits(WaitFrom::Start, wait_for_request, ask),
        peer: true,
        repair: Some(repair),
        contract,
        usage,
    };
    let calls = waits(WaitFrom::Start, wait_for_reply, serve_all);
    vec![
        base(),
        Case {
            name: "service-call",
            heavy: true,
            operation: call,
            unblock: Some(serve_all),
            waiter: None,
            peer: false,
            repair: None,
            ..base()
        },
        Case { name: "service-take-back", operation: take_back, ..base() },
        Case { name: "service-accept", operation: accept, waiter: calls, peer: false, ..base() },
        Case { name: "service-reply", operation: reply, waiter: calls, peer: false, ..base() },
        Case {
            name: "service-drop",
            operation: drop_request,
            waiter: calls,
            peer: false,
            ..base()
        },
        Case {
            name: "service-serve",
            heavy: true,
            operation: serve,
            unblock: Some(ask_patiently),
            waiter: calls,
            peer: false,
            repair: None,
            contract: served,
            ..base()
        },
        Case {
            name: "service-server",
            operation: become_server,
            waiter: calls,
            peer: false,
            ..base()
        },
        // It was the only one, and others hear of its end.
        Case {
            name: "service-leave",
            setup: setup_alone,
            operation: leave,
            waiter: waits(WaitFrom::Start, wait_for_reply, nothing),
            peer: false,
            repair: None,
            ..base()
        },
        Case {
            name: "service-close",
            operation: close,
            waiter: waits(WaitFrom::Start, wait_for_request, end),
            repair: Some(close),
            contract: closed,
            usage: usage_closed,
            ..base()
        },
    ]
}
