//! Bytes that cannot be are an error or harm tasks, and nothing else: no panic, and no hang.

use std::os::unix::fs::FileExt;
use std::time::Duration;

use outlive::{LockError, ObjectError, PopError, Redeliver, Segment, TaskQueue};

use super::driver::{queue, rest};
use crate::observe::{Marked, file, overwrite};

const MARK: [u8; 8] = *b"\x01tasks\xed\x02";

#[test]
fn bytes_that_are_no_task_are_reported_once_and_have_failed() {
    let (segment, name) = crate::segment("invalid");
    let queue = segment.task_queue::<Marked>("t", 4).expect("queue");
    let task = |number| Marked::new(if number == 2 { MARK } else { [number; 8] });
    (1..=4).for_each(|number| queue.push(task(number)).expect("push"));
    overwrite(&name, &MARK, 8, &[7]);
    let corrupt = LockError::Corrupt { what: "a task" };
    for number in 1..=4 {
        match queue.try_pop() {
            Ok(popped) if number != 2 => {
                assert_eq!(*popped, task(number));
                popped.done().expect("done");
            }
            Err(error) if number == 2 => assert_eq!(error, PopError::Lock(corrupt.clone())),
            other => panic!("{number}: {other:?}"),
        }
    }
    assert_eq!((queue.unfinished(), queue.stats().failed), (0, 1));
    queue.join().expect("join");
    assert_eq!(queue.pop_failed(), Err(corrupt));
    assert_eq!(queue.pop_failed(), Ok(None));
}

/// Offsets of the words of a queue's head, of its first hand, and of its first place.
const HEAD: [u64; 23] = [
    40, 48, 56, 64, 72, 80, 88, 96, 104, 112, 120, 128, 136, 144, 152, 160, 168, 176, 184, 192,
    200, 208, 216,
];
const CAPACITY: u64 = 40;
const HOLDERS: u64 = 160;
const FIRST_READY: u64 = 72;
const READY: u64 = 88;
const FIRST_FREE: u64 = 96;
const USED: u64 = 128;
const HAND: u64 = 256;
/// The places, of which the first one's task is found by its bytes.
const PLACES: u64 = HAND + 4 * 64;
const TASK: u64 = 32;
const PLACE: u64 = 64;

const FIRST: u64 = u64::from_ne_bytes(*b"\x03task\xed\x02\x01");

struct Damage {
    file: std::fs::File,
    start: u64,
}

impl Damage {
    fn find(segment: &str) -> Self {
        let (bytes, first) = (std::fs::read(file(segment)).expect("read"), FIRST.to_ne_bytes());
        let places: Vec<usize> =
            (0..bytes.len()).step_by(8).filter(|&at| bytes[at..].starts_with(&first)).collect();
        let [place] = places[..] else { panic!("the task is there {} times", places.len()) };
        let file = std::fs::OpenOptions::new().write(true).open(file(segment)).expect("open");
        Self { file, start: place as u64 - TASK - PLACES }
    }

    fn word(&self, offset: u64, word: u64) {
        self.file.write_all_at(&word.to_ne_bytes(), self.start + offset).expect("write");
    }
}

/// A queue of three with two tasks that wait and one that failed, and the bytes.
fn damaged() -> (Segment, TaskQueue<u64>, Damage) {
    let (segment, queue, name) = queue("damage", 4, Redeliver::UpTo(2));
    queue.push(FIRST).expect("push");
    queue.push(2).expect("push");
    queue.push(3).expect("push");
    let [first, second] = [(); 2].map(|()| queue.pop().expect("pop"));
    second.fail().expect("fail");
    drop(first);
    let damage = Damage::find(&name);
    (segment, queue, damage)
}

/// Words that are near what is right, and far from it.
const WORDS: [u64; 13] =
    [0, 1, 2, 3, 4, 5, 6, 1000, 1 << 32, u64::MAX / 2, u64::MAX / 2 + 1, u64::MAX - 1, u64::MAX];

/// Each call comes back, whatever with.
fn exercise(queue: &TaskQueue<u64>) {
    let moment = Duration::from_millis(1);
    for task in 0..2 {
        let _outcome = queue.try_push(task);
        let _outcome = queue.push_timeout(task, moment);
        for end in 0..4 {
            match queue.pop_timeout(moment) {
                Ok(task) => match end {
                    0 => task.done().expect("done"),
                    1 => task.fail().expect("fail"),
                    2 => task.put_back().expect("put back"),
                    _ => drop(task),
                },
                Err(error) => assert!(!error.to_string().is_empty()),
            }
        }
        let _outcome = queue.join_timeout(moment);
        let _outcome = queue.pop_failed();
        let _outcome = outlive::wait_any(&[&queue.readable()], Some(moment));
        assert!(queue.unfinished() <= 4 && queue.len() <= 4 && !format!("{queue:?}").is_empty());
    }
}

#[test]
fn no_word_makes_a_call_panic_or_hang() {
    let hand = (HAND..HAND + 64).step_by(8);
    let places = (PLACES..PLACES + 2 * PLACE).step_by(8);
    for field in HEAD.into_iter().chain(hand).chain(places) {
        for word in WORDS {
            let (_segment, queue, damage) = damaged();
            damage.word(field, word);
            exercise(&queue);
            // In the midst of work, too.
            let held = queue.try_pop();
            damage.word(field, word);
            drop(held);
            exercise(&queue);
        }
    }
}

/// What is kept so that nobody has to search is found anew.
#[test]
fn damaged_lists_are_mended() {
    for field in [FIRST_READY, FIRST_READY + 8, FIRST_FREE, FIRST_FREE + 8, FIRST_FREE + 16] {
        for word in WORDS.into_iter().filter(|word| field > FIRST_READY || *word != 0) {
            let (_segment, queue, damage) = damaged();
            damage.word(field, word);
            let mut numbers: Vec<u64> = rest(&queue).iter().map(|(task, _)| *task).collect();
            numbers.sort_unstable();
            let both = numbers == [3, FIRST];
            assert!(both, "{numbers:?} after {word} in {field}");
            for task in 0..4 {
                queue.try_push(task).expect("every place is found");
            }
            assert_eq!(rest(&queue).len(), 4);
            queue.join().expect("join");
        }
    }
}

/// Nobody has a hand of which the bits say so, and no task waits of which the count says so.
#[test]
fn who_joins_does_not_wait_for_what_is_not_there() {
    for (field, word) in
        [(READY, 1), (READY, u64::MAX), (USED, 1), (USED, u64::MAX), (USED + 24, 1)]
    {
        let (_segment, queue, damage) = damaged();
        assert_eq!(rest(&queue).len(), 2);
        damage.word(field, word);
        queue.join().expect("join");
        queue.close().expect("close");
        assert_eq!(queue.pop().unwrap_err(), PopError::Closed);
    }
}

#[test]
fn a_shape_that_cannot_be_is_refused() {
    for (field, word) in [
        (CAPACITY, 0),
        (CAPACITY, 1 << 40),
        (CAPACITY, u64::MAX),
        (HOLDERS, 0),
        (HOLDERS, 257),
        (HOLDERS, 256),
        (HOLDERS, u64::MAX),
    ] {
        let (segment, _queue, damage) = damaged();
        damage.word(field, word);
        let found = segment.find::<TaskQueue<u64>>("t");
        assert!(matches!(found, Err(ObjectError::Corrupt { .. })), "{field}, {word}: {found:?}");
    }
}
