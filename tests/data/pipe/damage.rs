//! Bytes that cannot be are an error or harm messages, and nothing else: no panic, and no hang.

use std::os::unix::fs::FileExt;
use std::time::Duration;

use outlive::{ObjectError, Pipe, PipeEnd, Segment};

use super::driver::pipe;
use crate::observe::file;

/// In a pipe: its shape, the two shares (words and what they say), and the queues.
const FLOW: u64 = 0;
const CAPACITY: u64 = 8;
const FIRST: u64 = 64;
const SECOND: u64 = 128;
const COUNT: u64 = 40;
const QUEUE: u64 = 192;
const CLOSED: u64 = QUEUE + 8;
const TAIL: u64 = QUEUE + 128 + 40;
const HEAD: u64 = QUEUE + 256 + 40;
const RING: u64 = QUEUE + 448;

const MESSAGE: &[u8; 24] = b"a pipe's message, marked";

fn damaged() -> (Segment, Pipe, PipeEnd, PipeEnd, impl Fn(u64, u64)) {
    let (segment, pipe, name) = pipe("damage", 128);
    let (first, second) = (pipe.first().expect("first"), pipe.second().expect("second"));
    second.send_bytes(MESSAGE).expect("send");
    let bytes = std::fs::read(file(&name)).expect("read");
    let places: Vec<usize> =
        (0..bytes.len()).filter(|&at| bytes[at..].starts_with(MESSAGE)).collect();
    let [place] = places[..] else { panic!("the message is there {} times", places.len()) };
    let start = place as u64 - RING - 8;
    let target = std::fs::OpenOptions::new().write(true).open(file(&name)).expect("open");
    let word = move |offset: u64, word: u64| {
        target.write_all_at(&word.to_ne_bytes(), start + offset).expect("write");
    };
    (segment, pipe, first, second, word)
}

const WORDS: [u64; 10] = [0, 1, 2, 3, 8, 1000, 0x3fff_ffff, 1 << 32, u64::MAX / 2, u64::MAX];

fn exercise(first: &PipeEnd, second: &PipeEnd) {
    use std::io::Read;
    let moment = Duration::from_millis(1);
    for end in [first, second] {
        let _outcome = end.try_recv_bytes();
        let _outcome = end.recv_bytes_timeout(moment);
        let _outcome = end.poll(moment);
        let _outcome = end.try_send_bytes(MESSAGE);
        let _outcome = end.send_bytes_timeout(MESSAGE, moment);
        let _outcome = outlive::wait_any(&[end, &end.writable(8)], Some(moment));
        if end.poll(Duration::ZERO) == Ok(true) {
            let mut end = end;
            let _outcome = end.read(&mut [0; 5]);
        }
        let _outcome = (end.is_peer_gone(), end.is_peer_awaited(), format!("{end:?}").len());
    }
}

#[test]
fn no_word_makes_a_call_panic_or_hang() {
    for field in [FIRST + COUNT, SECOND + COUNT, CLOSED, TAIL, HEAD, RING, CAPACITY, FLOW] {
        for word in WORDS {
            let (_segment, pipe, first, second, damage) = damaged();
            damage(field, word);
            exercise(&first, &second);
            let _outcome = (pipe.stats(), pipe.capacity());
            // For the ends' drops: the words are theirs.
        }
    }
}

/// The words of the ends' own locks: who is there, and who is not.
#[test]
fn no_word_of_a_lock_makes_a_call_panic_or_hang() {
    for field in [FIRST, SECOND] {
        for word in WORDS {
            let (_segment, pipe, first, second, damage) = damaged();
            damage(field, word);
            exercise(&first, &second);
            let _outcome = (pipe.first().is_ok(), pipe.second().is_ok());
            // Locks that say they are nobody's are let go of by the threads that think they have them.
            damage(field, u64::from(crate::observe::thread_id()) | 0x8000_0000);
        }
    }
}

#[test]
fn a_shape_that_cannot_be_is_refused() {
    for (field, word) in [
        (FLOW, 2),
        (FLOW, u64::MAX),
        (CAPACITY, 0),
        (CAPACITY, 64),
        (CAPACITY, 1 << 40),
        (CAPACITY, u64::MAX),
        (QUEUE, 64),
        (QUEUE, u64::MAX),
    ] {
        let (segment, _pipe, _first, _second, damage) = damaged();
        damage(field, word);
        let found = segment.find::<Pipe>("p");
        assert!(matches!(found, Err(ObjectError::Corrupt { .. })), "{field}, {word}: {found:?}");
    }
}
