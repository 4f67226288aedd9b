//! What is refused, in which words, and what damage comes to.

use std::os::unix::fs::FileExt;
use std::time::Duration;

use outlive::{
    LockError, ObjectError, PopError, PushError, Queue, RoleError, Shared, Spsc, wait_any,
};

use super::driver::{Driver, ring};
use crate::observe::{Marked, file, overwrite};

#[test]
fn another_type_or_capacity_is_refused_by_name() {
    let (segment, _ring, _name) = ring("type", 3);
    let text = segment.find::<Spsc<i64>>("r").unwrap_err().to_string();
    assert!(text.contains("Spsc<u64>") && text.contains("Spsc<i64>"), "{text}");
    let text = segment.find::<Queue<u64>>("r").unwrap_err().to_string();
    assert!(text.contains("Spsc<u64>") && text.contains("Queue<u64>"), "{text}");
    let error = segment.spsc::<u64>("r", 4).unwrap_err();
    let ObjectError::ShapeMismatch { what: "capacity", found: 3, expected: 4, .. } = error else {
        panic!("{error:?}");
    };
    for impossible in [0, (1 << 31) + 1, usize::MAX] {
        let error = segment.spsc::<u8>("other", impossible).unwrap_err();
        assert!(matches!(error, ObjectError::InvalidShape { .. }), "{error:?}");
    }
}

#[test]
fn errors_say_what_happened() {
    let lock = LockError::ReadOnly;
    assert_eq!(RoleError::Lock(lock.clone()).to_string(), lock.to_string());
    for role in ["producer", "consumer"] {
        let text = RoleError::Taken { role, holder: None }.to_string();
        assert!(text.contains(role), "{text}");
    }
}

fn is_corrupt(error: &LockError) -> bool {
    matches!(error, LockError::Corrupt { .. })
}

#[track_caller]
fn corrupt_pop<R: std::fmt::Debug>(outcome: Result<R, PopError>) {
    assert!(matches!(&outcome, Err(PopError::Lock(error)) if is_corrupt(error)), "{outcome:?}");
}

#[track_caller]
fn corrupt_push<M>(outcome: Result<(), PushError<M>>) {
    assert!(matches!(&outcome, Err(PushError::Lock(_, error)) if is_corrupt(error)), "{outcome:?}");
}

const MARK: [u8; 8] = *b"\x01spscs\xed\x02";

#[test]
fn bytes_that_are_no_message_are_reported_once_and_passed_over() {
    for manner in ["pop", "try-pop", "slice", "chunk"] {
        let (segment, name) = crate::segment("invalid");
        let ring = segment.spsc::<Marked>("r", 4).expect("ring");
        let message = |number| Marked::new(if number == 2 { MARK } else { [number; 8] });
        let (mut producer, mut consumer) =
            (ring.producer().expect("producer"), ring.consumer().expect("consumer"));
        producer.push_slice(&[1, 2, 3, 4].map(message)).expect("push");
        overwrite(&name, &MARK, 8, &[7]);
        let mut pop = || match manner {
            "pop" => consumer.pop().map(|message| vec![message]),
            "try-pop" => consumer.try_pop().map(|message| vec![message]),
            "slice" => {
                let mut several = [message(9); 9];
                consumer.pop_slice(&mut several).map(|count| several[..count].to_vec())
            }
            _ => consumer.read_chunk(9).map(|chunk| {
                let several = [chunk.as_slices().0, chunk.as_slices().1].concat();
                chunk.commit_all();
                several
            }),
        };
        assert_eq!(pop(), Ok(vec![message(1)]), "{manner}");
        corrupt_pop(pop());
        let mut rest = pop().expect("the messages behind it");
        if rest.len() == 1 {
            rest.extend(pop().expect("the last message"));
        }
        assert_eq!(rest, [3, 4].map(message), "{manner}");
        assert_eq!(consumer.try_pop(), Err(PopError::Empty));
        producer.push_slice(&[5, 6, 7, 8].map(message)).expect("its slot is free");
    }
}

/// In the first cache lines of a ring: what the two sides have begun, how far the producer is and the
/// consumer, the copies of the two newest messages, and the messages.
const PRODUCER_BEGUN: u64 = 128 + 40;
const CONSUMER_BEGUN: u64 = 320 + 40;
const TAIL: u64 = 192;
const NEWEST: [u64; 2] = [TAIL + 8, TAIL + 32];
const HEAD: u64 = 384;
const SLOTS: u64 = 576;

/// Finds a ring by a message in its first slot, which is nowhere else, and overwrites words of it.
struct Damage {
    file: std::fs::File,
    start: u64,
}

impl Damage {
    fn find(segment: &str, first: &[u8]) -> Self {
        let bytes = std::fs::read(file(segment)).expect("read");
        let places: Vec<usize> =
            (0..bytes.len()).step_by(8).filter(|&at| bytes[at..].starts_with(first)).collect();
        let [place] = places[..] else { panic!("the message is there {} times", places.len()) };
        let file = std::fs::OpenOptions::new().write(true).open(file(segment)).expect("open");
        Self { file, start: place as u64 - SLOTS }
    }

    fn word(&self, offset: u64, word: u64) {
        self.file.write_all_at(&word.to_ne_bytes(), self.start + offset).expect("write");
    }
}

/// A message that is found in the segment, as long as it was not pushed on its own.
const FIRST: u64 = u64::from_ne_bytes(*b"\x03spsc\xed\x02\x01");

#[test]
fn positions_that_cannot_be_are_an_error_on_either_side() {
    // With two messages in three slots: more than the capacity, and less than none.
    for tail in [4, 1000, u64::MAX, u64::MAX / 2] {
        let (_segment, ring, name) = ring("tail", 3);
        let (mut producer, mut consumer) =
            (ring.producer().expect("producer"), ring.consumer().expect("consumer"));
        producer.push_slice(&[FIRST, 2]).expect("push");
        Damage::find(&name, &FIRST.to_ne_bytes()).word(TAIL, tail);
        corrupt_pop(consumer.try_pop());
        corrupt_pop(consumer.pop());
        corrupt_pop(consumer.pop_timeout(Duration::MAX));
        corrupt_pop(consumer.pop_slice(&mut [0; 3]));
        corrupt_pop(consumer.read_chunk(3).map(|chunk| chunk.len()));
        assert!(wait_any(&[&consumer], None).is_err());
        assert!(ring.len() <= 3 && !format!("{ring:?}").is_empty());
        // Who comes next finds the same.
        drop((producer, consumer));
        let (mut producer, mut consumer) =
            (ring.producer().expect("producer"), ring.consumer().expect("consumer"));
        corrupt_pop(consumer.pop());
        corrupt_push(producer.push(5));
    }
    for head in [4, 1000, u64::MAX - 2, u64::MAX / 2] {
        let (_segment, ring, name) = ring("head", 3);
        let (mut producer, mut consumer) =
            (ring.producer().expect("producer"), ring.consumer().expect("consumer"));
        producer.push_slice(&[FIRST, 2]).expect("push");
        Damage::find(&name, &FIRST.to_ne_bytes()).word(HEAD, head);
        producer.push(3).expect("there is room, as it knows");
        corrupt_push(producer.try_push(4));
        corrupt_push(producer.push(4));
        corrupt_push(producer.push_timeout(4, Duration::MAX));
        corrupt_push(producer.push_slice(&[4, 5]));
        corrupt_push(producer.try_push_slice(&[4, 5]).map(|_| ()));
        corrupt_push(producer.write_chunk(2).map(|_| ()));
        assert!(wait_any(&[&producer], None).is_err());
        assert!(ring.len() <= 3 && !format!("{ring:?}").is_empty());
        // The consumer's own position was not asked for until here.
        assert_eq!(consumer.pop(), Ok(FIRST));
    }
}

/// One that sleeps as the damage is done looks again by itself.
#[test]
fn positions_that_are_damaged_as_one_waits_end_the_wait() {
    let (_segment, ring, name) = ring("asleep", 2);
    ring.producer().expect("producer").push_slice(&[FIRST, 2]).expect("push");
    let mut waiting = Driver::with(&name, "producer");
    waiting.block("push 5");
    Damage::find(&name, &FIRST.to_ne_bytes()).word(HEAD, 1000);
    let heard = waiting.peer.hear();
    assert!(heard.contains("Corrupt") && heard.ends_with(" 5"), "{heard}");
    let mut waiting = Driver::with(&name, "consumer");
    Damage::find(&name, &FIRST.to_ne_bytes()).word(HEAD, 2);
    waiting.does("drop", "dropped");
    waiting.does("consumer", "taken");
    waiting.block("pop");
    Damage::find(&name, &FIRST.to_ne_bytes()).word(TAIL, 1000);
    let heard = waiting.peer.hear();
    assert!(heard.contains("Corrupt"), "{heard}");
    waiting.peer.join();
}

/// A death that is said to have interrupted something, and a copy beside the position that is none.
#[test]
fn other_words_that_are_damaged_do_no_more_than_harm_messages() {
    for word in [0, 1, 2, 3, u64::MAX, 1 << 32, FIRST] {
        for field in [PRODUCER_BEGUN, CONSUMER_BEGUN, NEWEST[0], NEWEST[1]] {
            let (_segment, ring, name) = ring("words", 3);
            {
                let mut producer = ring.producer().expect("producer");
                producer.push_slice(&[FIRST, 2]).expect("push");
                let damage = Damage::find(&name, &FIRST.to_ne_bytes());
                producer.push(3).expect("push");
                let mut consumer = ring.consumer().expect("consumer");
                damage.word(field, word);
                for _ in 0..3 {
                    consumer.try_pop().expect("a message, whichever");
                }
                assert_eq!(consumer.try_pop(), Err(PopError::Empty));
            }
            let mut producer = ring.producer().expect("producer");
            let mut consumer = ring.consumer().expect("consumer");
            for message in 0..10 {
                producer.try_push(message).expect("room");
                assert_eq!(consumer.try_pop(), Ok(message));
            }
        }
    }
}

/// Small enough for a place beside the position, and not any byte is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Shared)]
#[repr(C)]
struct Small {
    mark: [u8; 7],
    flag: bool,
}

#[test]
fn bytes_beside_the_position_that_are_no_message_are_passed_over() {
    let (segment, name) = crate::segment("beside");
    let ring = segment.spsc::<Small>("r", 3).expect("ring");
    let message = |byte| Small { mark: [byte; 7], flag: true };
    let (mut producer, mut consumer) =
        (ring.producer().expect("producer"), ring.consumer().expect("consumer"));
    producer.push_slice(&[message(0xe1), message(2)]).expect("push");
    let damage = Damage::find(&name, &[0xe1; 7]);
    assert_eq!(consumer.pop(), Ok(message(0xe1)));
    assert_eq!(consumer.pop(), Ok(message(2)));
    producer.push(message(3)).expect("push");
    damage.word(NEWEST[0], u64::MAX);
    assert_eq!(consumer.try_pop(), Ok(message(3)), "it is in its slot as well");
    assert_eq!(consumer.try_pop(), Err(PopError::Empty));
    for byte in 4..20 {
        producer.push(message(byte)).expect("push");
        assert_eq!(consumer.pop(), Ok(message(byte)));
    }
}
