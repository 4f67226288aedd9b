//! `Listener`: who connects and who accepts find each other, once; deaths of either.

use super::run::{Kernel, begin, check, in_time, mortal, pass_time, process, with_death_bounded};
use crate::{AcceptError, ConnectError, Listener, ListenerOptions, PipeRecvError, Segment};

fn listener(connections: usize) -> Listener {
    let segment = Segment::anonymous().expect("a segment");
    let options = ListenerOptions { connections, capacity: 24, acceptors: 1 };
    let listener = segment.listener("listener", options).expect("a listener");
    begin(&segment);
    listener
}

#[test]
fn they_find_each_other() {
    check(1, || {
        let listener = listener(1);
        let acceptor = listener.acceptor().expect("an acceptor");
        let there = listener.clone();
        let other = process(1, move || {
            let end = there.connect().expect("connect");
            assert!(!end.is_peer_awaited());
            end.send_bytes(b"a").expect("send");
        });
        let end = acceptor.accept().expect("accept");
        assert_eq!(end.recv_bytes().as_deref(), Ok(&b"a"[..]));
        assert_eq!(end.recv_bytes(), Err(PipeRecvError::Eof));
        other.join().expect("a process");
        drop(end);
        assert_eq!(listener.connections(), 0);
    });
}

/// The last acceptor goes as somebody connects.
#[test]
fn who_waits_hears_that_nobody_listens() {
    check(1, || {
        let listener = listener(1);
        let acceptor = listener.acceptor().expect("an acceptor");
        let there = listener.clone();
        let other = process(1, move || there.connect().map(drop));
        drop(acceptor);
        assert_eq!(other.join().expect("a process"), Err(ConnectError::NoListener));
        assert_eq!(listener.connections(), 0);
    });
}

#[test]
fn a_death_of_who_connects() {
    with_death_bounded(1, |mortality| {
        let listener = listener(1);
        let acceptor = listener.acceptor().expect("an acceptor");
        let there = listener.clone();
        let dying = mortal(1, &mortality, Kernel::Reports, move || match there.connect() {
            Ok(end) => end.send_bytes(b"a").expect("send"),
            Err(error) => assert_eq!(error, ConnectError::NoListener),
        });
        // It may come, or never.
        let mut end = None;
        for _ in 0..3 {
            match acceptor.try_accept() {
                Ok(accepted) => end = Some(accepted),
                Err(AcceptError::Empty) => loom::thread::yield_now(),
                Err(error) => panic!("{error}"),
            }
        }
        drop(acceptor);
        if let Some(end) = &end {
            let first = end.recv_bytes();
            assert!(first == Ok(b"a".to_vec()) || first == Err(PipeRecvError::Eof), "{first:?}");
            assert_eq!(end.recv_bytes(), Err(PipeRecvError::Eof));
        }
        let _lived = dying.join();
        drop(end);
        assert_eq!(listener.connections(), 0, "the place is free");
    });
}

#[test]
fn a_death_of_who_accepts() {
    with_death_bounded(1, |mortality| {
        let listener = listener(1);
        let (dying, there) = (listener.clone(), listener.clone());
        let other = in_time(2, move || match there.connect() {
            Ok(end) => {
                assert_eq!(end.recv_bytes(), Err(PipeRecvError::Eof));
                true
            }
            Err(ConnectError::NoListener) => false,
            Err(error) => panic!("{error}"),
        });
        let dying = mortal(1, &mortality, Kernel::Reports, move || {
            let acceptor = dying.acceptor().expect("an acceptor");
            acceptor.try_accept().is_ok()
        });
        let accepted = dying.join().expect("a process");
        let connected = pass_time(other);
        assert!(accepted.is_none_or(|accepted| accepted == connected));
        assert_eq!(listener.connections(), 0);
    });
}
