//! Bytes that cannot be are an error or harm calls, and nothing else: no panic, and no hang.

use std::os::unix::fs::FileExt;
use std::time::Duration;

use outlive::{CallError, Client, LockError, ObjectError, Redeliver, Segment, Server, Service};

use super::driver::{answer, service};
use crate::observe::file;

const HANDS: u64 = 256;
/// Two servers and three clients.
const PLACES: u64 = HANDS + 5 * 64;
/// Words of a place, and its bytes, of which a request is found.
const STATE: u64 = PLACES;
const CLIENT: u64 = PLACES + 32;
const LENGTHS: u64 = PLACES + 40;
const OUTCOME: u64 = PLACES + 48;
const REQUEST: u64 = 64;

const FIRST: [u8; 8] = *b"\x05call\xed\x02\x01";

struct Damage {
    file: std::fs::File,
    start: u64,
}

impl Damage {
    fn find(segment: &str) -> Self {
        let bytes = std::fs::read(file(segment)).expect("read");
        let places: Vec<usize> =
            (0..bytes.len()).step_by(8).filter(|&at| bytes[at..].starts_with(&FIRST)).collect();
        let [place] = places[..] else { panic!("the request is there {} times", places.len()) };
        let file = std::fs::OpenOptions::new().write(true).open(file(segment)).expect("open");
        Self { file, start: place as u64 - REQUEST - PLACES }
    }

    fn word(&self, offset: u64, word: u64) {
        self.file.write_all_at(&word.to_ne_bytes(), self.start + offset).expect("write");
    }
}

fn damaged() -> (Segment, Service, Server, Client, Damage) {
    let (segment, service, name) = service("damage", Redeliver::Always);
    let (server, client) = (service.server().expect("server"), service.client().expect("client"));
    let pending = client.send(&FIRST).expect("send");
    answer(&server, &FIRST, b"reply");
    let damage = Damage::find(&name);
    pending.wait().expect("wait");
    (segment, service, server, client, damage)
}

const WORDS: [u64; 11] = [0, 1, 2, 3, 4, 5, 1000, 1 << 32, u64::MAX / 2, u64::MAX - 1, u64::MAX];

/// Each call comes back, whatever with.
fn exercise(server: &Server, client: &Client, damage: &dyn Fn()) {
    let moment = Duration::from_millis(1);
    for _ in 0..2 {
        if let Ok(pending) = client.send_timeout(b"x", moment) {
            damage();
            if let Ok(mut request) = server.accept_timeout(moment) {
                damage();
                let _outcome = request.reply(b"y");
            }
            damage();
            let _outcome = pending.wait_timeout(moment);
        }
        if let Ok(pending) = client.send_timeout(b"x", moment) {
            let request = server.accept_timeout(moment);
            damage();
            drop(pending);
            drop(request);
        }
        let _outcome = outlive::wait_any(&[server], Some(moment));
        let service = client.service();
        let _counts = (service.waiting(), service.clients(), service.servers());
        match (service.client(), service.server()) {
            (Ok(other), Ok(server)) => assert!(!format!("{other:?}{server:?}").is_empty()),
            (other, server) => drop((other, server)),
        }
    }
}

#[test]
fn no_word_makes_a_call_panic_or_hang() {
    let head = (40..248).step_by(8);
    let place = (PLACES..PLACES + 64).step_by(8);
    for field in head.chain(place) {
        for word in WORDS {
            let (_segment, _service, server, client, damage) = damaged();
            damage.word(field, word);
            exercise(&server, &client, &|| damage.word(field, word));
        }
    }
}

#[test]
fn lengths_that_cannot_be_are_errors() {
    let (_segment, service, server, client, damage) = damaged();
    let pending = client.send(b"x").expect("send");
    damage.word(LENGTHS, 21);
    let corrupt = server.accept().expect_err("an error");
    assert_eq!(corrupt, LockError::Corrupt { what: "a request" }.into());
    assert_eq!(pending.wait(), Err(CallError::Unanswered));
    let pending = client.send(b"x").expect("send");
    answer(&server, b"x", b"y");
    damage.word(LENGTHS, 21 << 32);
    assert_eq!(pending.wait(), Err(LockError::Corrupt { what: "a reply" }.into()));
    assert_eq!(service.waiting(), 0);
}

/// A call whose place is another one's, or nobody's, by its bytes.
#[test]
fn a_call_that_is_not_there_any_more_is_an_error() {
    for (field, word) in [(CLIENT, 0), (CLIENT, u64::MAX), (STATE, 0), (OUTCOME, 99)] {
        let (_segment, _service, server, client, damage) = damaged();
        let pending = client.send(b"x").expect("send");
        answer(&server, b"x", b"y");
        damage.word(field, word);
        let outcome = pending.wait();
        let lost = CallError::Lock(LockError::Corrupt { what: "a call" });
        let wanted = if field == OUTCOME { CallError::ServerDied } else { lost };
        assert_eq!(outcome, Err(wanted), "{field}, {word}");
    }
}

#[test]
fn a_shape_that_cannot_be_is_refused() {
    const CAPACITY: u64 = 40;
    const ALL_HANDS: u64 = 160;
    const SERVERS: u64 = 224;
    const ROOM: u64 = 240;
    for (field, word) in [
        (CAPACITY, 0),
        (CAPACITY, 1 << 40),
        (ALL_HANDS, 0),
        (ALL_HANDS, 257),
        (SERVERS, 0),
        (SERVERS, 5),
        (SERVERS, u64::MAX),
        (ROOM, u64::MAX),
        (ROOM, 1 << 24),
    ] {
        let (segment, _service, _server, _client, damage) = damaged();
        damage.word(field, word);
        let found = segment.find::<Service>("s");
        assert!(matches!(found, Err(ObjectError::Corrupt { .. })), "{field}, {word}: {found:?}");
    }
}
