//! Bytes that cannot be are an error, and nothing else: no panic, and no hang.

use std::os::unix::fs::FileExt;
use std::time::Duration;

use outlive::{ConnectError, Listener, ObjectError, Segment};

use super::driver::listener;
use crate::observe::file;

const CONNECTIONS: u64 = 40;
const CAPACITY: u64 = 48;
const ACCEPTORS: u64 = 56;
const TICKET: u64 = 64;
/// Two acceptors' shares, and the first pipe.
const PLACE: u64 = 256 + 2 * 64;
const FLOW: u64 = PLACE;
const PLACE_CAPACITY: u64 = PLACE + 8;
const PLACE_TICKET: u64 = PLACE + 16;
const FIRST: u64 = PLACE + 64;
const SECOND: u64 = PLACE + 128;
const TAIL: u64 = PLACE + 192 + 128 + 40;

/// A listener of two connections, and its bytes.
fn damaged() -> (Segment, Listener, impl Fn(u64, u64)) {
    let (segment, listener, name) = listener("damage", 2);
    let text = format!("{listener:?}");
    let (_, hex) = text.split_once(" at 0x").expect("its place");
    let end = hex.find(|c: char| !c.is_ascii_hexdigit()).expect("an end");
    let start = u64::from_str_radix(&hex[..end], 16).expect("a number");
    let target = std::fs::OpenOptions::new().write(true).open(file(&name)).expect("open");
    let word = move |offset: u64, word: u64| {
        target.write_all_at(&word.to_ne_bytes(), start + offset).expect("write");
    };
    (segment, listener, word)
}

const WORDS: [u64; 9] = [0, 1, 2, 3, 1000, 0x3fff_ffff, 1 << 32, u64::MAX / 2, u64::MAX];

#[test]
fn no_word_makes_a_call_panic_or_hang() {
    let moment = Duration::from_millis(2);
    for field in
        [TICKET, FLOW, PLACE_CAPACITY, PLACE_TICKET, FIRST, FIRST + 40, SECOND, SECOND + 40, TAIL]
    {
        for word in WORDS {
            let (_segment, listener, damage) = damaged();
            let acceptor = listener.acceptor().expect("acceptor");
            damage(field, word);
            let _outcome = acceptor.try_accept().map(drop);
            let theirs = listener.clone();
            let client = std::thread::spawn(move || theirs.connect_timeout(moment).map(drop));
            for _ in 0..3 {
                if let Ok(end) = acceptor.accept_timeout(moment) {
                    let _outcome = end.try_recv_bytes();
                    let _outcome = end.try_send_bytes(b"x");
                }
            }
            let _outcome = client.join().expect("no panic");
            let _outcome = outlive::wait_any(&[&acceptor], Some(moment));
            assert!(listener.connections() <= 2 && listener.acceptors() == 1);
        }
    }
}

/// A place that cannot be used is none; the others are.
#[test]
fn a_place_that_cannot_be_used_is_passed_over() {
    for (field, word) in [(FLOW, 0), (FLOW, 7), (PLACE_CAPACITY, 1 << 40)] {
        let (_segment, listener, damage) = damaged();
        let acceptor = listener.acceptor().expect("acceptor");
        damage(field, word);
        let theirs = listener.clone();
        let client = std::thread::spawn(move || theirs.connect().map(drop));
        let end = acceptor.accept().expect("accept");
        assert_eq!(client.join().expect("join"), Ok(()));
        assert_eq!(end.recv_bytes(), Err(outlive::PipeRecvError::Eof));
    }
}

/// Who waits is told that its ticket is gone.
#[test]
fn a_ticket_that_is_not_its_own_is_an_error() {
    let (_segment, listener, damage) = damaged();
    let acceptor = listener.acceptor().expect("acceptor");
    let theirs = listener.clone();
    let client = std::thread::spawn(move || theirs.connect().map(drop));
    while listener.connections() == 0 {
        std::thread::yield_now();
    }
    assert_eq!(outlive::wait_any(&[&acceptor], None), Ok(Some(0)));
    damage(PLACE_TICKET, 77);
    let outcome = client.join().expect("join");
    assert!(matches!(outcome, Err(ConnectError::Lock(_))), "{outcome:?}");
    assert_eq!(listener.connections(), 0);
}

#[test]
fn a_shape_that_cannot_be_is_refused() {
    for (field, word) in [
        (CONNECTIONS, 0),
        (CONNECTIONS, 1000),
        (CONNECTIONS, u64::MAX),
        (CAPACITY, 0),
        (CAPACITY, 1 << 32),
        (CAPACITY, u64::MAX),
        (ACCEPTORS, 0),
        (ACCEPTORS, 61),
    ] {
        let (segment, _listener, damage) = damaged();
        damage(field, word);
        let found = segment.find::<Listener>("l");
        assert!(matches!(found, Err(ObjectError::Corrupt { .. })), "{field}, {word}: {found:?}");
    }
}
