//! `Listener`: who connects, who accepts, who comes to accept, and who frees a place.

use std::thread::JoinHandle;

use outlive::{Acceptor, ConnectError, Listener, ListenerOptions, PipeRecvError, Segment};

use super::deadline;
use crate::case::{By, Case, Operation, Seen, Verdict, WaitFrom, Waiter, World, hold};

/// What a waiter says.
const REFUSED: u64 = 1;

const PLACES: usize = 2;

fn listener(world: &World) -> Listener {
    shape(&world.warm(), PLACES)
}

fn shape(segment: &Segment, connections: usize) -> Listener {
    let options = ListenerOptions { connections, capacity: 64, acceptors: PLACES };
    segment.find("listener").or_else(|_| segment.listener("listener", options)).expect("listener")
}

/// The survivor accepts.
fn setup<const CONNECTIONS: usize>(world: &World) {
    let acceptor = shape(&world.create(), CONNECTIONS).acceptor().expect("acceptor");
    *world.held.borrow_mut() = Some(Box::new(acceptor));
}

/// Nobody accepts.
fn setup_alone(world: &World) {
    drop(shape(&world.create(), PLACES));
}

fn connect(world: &World) -> Operation {
    let listener = listener(world);
    Box::new(move || {
        let end = listener.connect_timeout(deadline()).expect("connect");
        let _broken = end.send_bytes(b"hello");
        std::mem::forget(end);
    })
}

fn connect_repair(world: &World) -> Operation {
    let listener = listener(world);
    Box::new(move || drop(listener.connect_timeout(std::time::Duration::ZERO)))
}

fn accept(world: &World) -> Operation {
    let acceptor: &'static Acceptor =
        Box::leak(Box::new(listener(world).acceptor().expect("acceptor")));
    Box::new(move || std::mem::forget(acceptor.accept().expect("accept")))
}

fn listen(world: &World) -> Operation {
    let listener = listener(world);
    Box::new(move || std::mem::forget(listener.acceptor()))
}

/// Gives up the only place, whose other end is gone.
fn close(world: &World) -> Operation {
    let listener = listener(world);
    let acceptor = listener.acceptor().expect("acceptor");
    let theirs = listener.clone();
    let client = std::thread::spawn(move || drop(theirs.connect().expect("connect")));
    let mut end = Some(acceptor.accept().expect("accept"));
    client.join().expect("join");
    std::mem::forget(acceptor);
    Box::new(move || drop(end.take()))
}

/// Accepts whoever is the first in line.
fn let_in(world: &World) {
    let held = world.held.borrow();
    let acceptor = held.as_ref().and_then(|held| held.downcast_ref::<Acceptor>());
    drop(acceptor.expect("an acceptor").accept_timeout(deadline()));
}

type Connecting = JoinHandle<Result<(), ConnectError>>;

/// Somebody who connects, and hears when nobody accepts any more.
fn come(world: &World) {
    let listener = listener(world);
    let theirs = listener.clone();
    let client: Connecting = std::thread::spawn(move || {
        let end = theirs.connect()?;
        let end_of_file = end.recv_bytes_timeout(deadline());
        assert_eq!(end_of_file, Err(PipeRecvError::Eof));
        Ok(())
    });
    // Who comes later than that would meet another acceptor, which expects somebody else.
    let coming = std::time::Instant::now();
    while !client.is_finished() && listener.connections() == 0 && coming.elapsed() < deadline() {
        std::thread::yield_now();
    }
    Box::leak(Box::new(client));
}

/// Whoever waits for the place hears of the death of the only acceptor, which the operation's process has.
fn wait_for_place(world: &World) -> u64 {
    match listener(world).connect() {
        Err(ConnectError::NoListener) => REFUSED,
        other => panic!("the waiter: {other:?}"),
    }
}

/// Nobody has a place or accepts any more.
fn free(world: &World, _seen: &Seen) -> Verdict {
    let listener = listener(world);
    let waiting = std::time::Instant::now();
    // A thread of this process's may be about to hear of the death.
    while listener.connections() > 0 && waiting.elapsed() < deadline() {
        std::thread::yield_now();
    }
    let (connections, acceptors) = (listener.connections(), listener.acceptors());
    hold!(Leaked, connections == 0, "{connections} connections are left");
    hold!(Leaked, acceptors == 0, "{acceptors} acceptors are left");
    Ok(())
}

/// Connections, in all places.
fn usage(world: &World, rounds: usize) -> Verdict {
    let listener = listener(world);
    let acceptor = listener.acceptor()?;
    let places = listener.options().connections;
    let rounds = rounds / 20;
    let theirs = listener.clone();
    let client = std::thread::spawn(move || -> Result<(), String> {
        for round in 0..rounds {
            let mut ends = Vec::new();
            for _ in 0..places {
                let end = theirs.connect_timeout(deadline()).map_err(|error| error.to_string())?;
                end.send_bytes(&round.to_ne_bytes()).map_err(|error| error.to_string())?;
                ends.push(end);
            }
        }
        Ok(())
    });
    for round in 0..rounds {
        let mut ends = Vec::new();
        for _ in 0..places {
            let end = acceptor.accept_timeout(deadline())?;
            let received = end.recv_bytes_timeout(deadline())?;
            hold!(Lost, received == round.to_ne_bytes(), "{received:?} in round {round}");
            ends.push(end);
        }
        for end in ends {
            let received = end.recv_bytes_timeout(deadline());
            hold!(Lost, received == Err(PipeRecvError::Eof), "{received:?} in round {round}");
        }
    }
    let outcome = client.join().expect("a client");
    hold!(Hung, outcome.is_ok(), "{outcome:?}");
    hold!(Leaked, listener.connections() == 0, "{} connections", listener.connections());
    Ok(())
}

pub(super) fn cases() -> Vec<Case> {
    let connects = || Case {
        name: "listener-connect",
        heavy: true,
        setup: setup::<PLACES>,
        by: By::FirstThread,
        operation: connect,
        unblock: Some(let_in),
        waiter: None,
        peer: false,
        repair: Some(connect_repair),
        contract: free,
        usage,
    };
    vec![
        connects(),
        Case {
            name: "listener-accept",
            setup: setup_alone,
            operation: accept,
            unblock: Some(come),
            repair: None,
            ..connects()
        },
        Case {
            name: "listener-acceptor",
            setup: setup_alone,
            operation: listen,
            unblock: None,
            peer: true,
            repair: Some(listen),
            ..connects()
        },
        Case {
            name: "listener-close",
            setup: |world| drop(shape(&world.create(), 1)),
            operation: close,
            unblock: None,
            waiter: Some(Waiter { from: WaitFrom::Start, wait: wait_for_place, release: |_| () }),
            repair: None,
            ..connects()
        },
    ]
}
