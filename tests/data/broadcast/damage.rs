//! Bytes that cannot be are an error or harm messages, and nothing else: no panic, and no hang.

use std::os::unix::fs::FileExt;
use std::time::Duration;

use outlive::{
    Broadcast, LockError, ObjectError, RecvError, Segment, Slow, Start, SubscribeError, Subscriber,
};

use super::driver::{Driver, PLACES, channel};
use crate::observe::{Marked, file, overwrite};

fn is_corrupt<R>(outcome: &Result<R, RecvError>) -> bool {
    matches!(outcome, Err(RecvError::Lock(LockError::Corrupt { .. })))
}

const MARK: [u8; 8] = *b"\x01bcast\xed\x02";

#[test]
fn bytes_that_are_no_message_are_reported_once_and_passed_over() {
    for slow in [Slow::Block, Slow::Overwrite] {
        let (segment, name) = crate::segment("invalid");
        let channel = segment.broadcast::<Marked>("b", 4, slow).expect("channel");
        let message = |number| Marked::new(if number == 2 { MARK } else { [number; 8] });
        let mut subscriber = channel.subscribe(Start::Newest).expect("subscribe");
        (1..=4).for_each(|number| channel.publish(message(number)).expect("publish"));
        overwrite(&name, &MARK, 8, &[7]);
        assert_eq!(subscriber.recv(), Ok(message(1)));
        let outcome = subscriber.recv();
        assert!(is_corrupt(&outcome), "{outcome:?}");
        assert_eq!(subscriber.recv(), Ok(message(3)));
        assert_eq!(subscriber.recv(), Ok(message(4)));
        assert_eq!(subscriber.try_recv(), Err(RecvError::Empty));
        (5..=8).for_each(|number| channel.try_publish(message(number)).expect("its cell is free"));
    }
}

/// In a channel's head: its shape, and the publishers' side.
const CAPACITY: u64 = 0;
const CLOSED: u64 = 8;
const PLACE_COUNT: u64 = 16;
const POLICY: u64 = 24;
const TAIL_POSITION: u64 = 128 + 40;
const TAIL_INTERRUPTED: u64 = 128 + 48;
const TAIL_LIMIT: u64 = 128 + 56;
/// In the first share: its position.
const SHARE_POSITION: u64 = 320 + 40;
/// The first cell, which is the stamp, and its message.
const STAMP: u64 = 320 + 64 * PLACES as u64;
const MESSAGE: u64 = STAMP + 8;

/// A message that is found in the segment.
const FIRST: u64 = u64::from_ne_bytes(*b"\x03bcas\xed\x02\x01");

/// Finds a channel by the message in its first cell, and overwrites words of it.
struct Damage {
    file: std::fs::File,
    start: u64,
}

impl Damage {
    fn find(segment: &str) -> Self {
        let (bytes, first) = (std::fs::read(file(segment)).expect("read"), FIRST.to_ne_bytes());
        let places: Vec<usize> =
            (0..bytes.len()).step_by(8).filter(|&at| bytes[at..].starts_with(&first)).collect();
        let [place] = places[..] else { panic!("the message is there {} times", places.len()) };
        let file = std::fs::OpenOptions::new().write(true).open(file(segment)).expect("open");
        Self { file, start: place as u64 - MESSAGE }
    }

    fn word(&self, offset: u64, word: u64) {
        self.file.write_all_at(&word.to_ne_bytes(), self.start + offset).expect("write");
    }
}

/// A channel of three with two messages, one who has received none, and the bytes.
fn damaged(slow: Slow) -> (Segment, Broadcast<u64>, Subscriber<u64>, Damage, String) {
    let (segment, channel, name) = channel("damage", 3, slow);
    let subscriber = channel.subscribe(Start::Newest).expect("subscribe");
    channel.publish(FIRST).expect("publish");
    channel.publish(2).expect("publish");
    let damage = Damage::find(&name);
    (segment, channel, subscriber, damage, name)
}

/// Words that are near what is right, and far from it.
const WORDS: [u64; 12] =
    [0, 1, 2, 3, 4, 5, 1000, 1 << 32, u64::MAX / 2, u64::MAX / 2 + 1, u64::MAX - 1, u64::MAX];

/// Each call comes back, whatever with.
fn exercise(channel: &Broadcast<u64>, subscriber: &mut Subscriber<u64>) {
    let moment = Duration::from_millis(1);
    for message in 0..8 {
        let _outcome = channel.try_publish(message);
        let _outcome = channel.publish_timeout(message, moment);
        let _outcome = subscriber.try_recv();
        let _outcome = subscriber.recv_timeout(moment);
        let _outcome = outlive::wait_any(&[&*subscriber], Some(moment));
        for from in [Start::Oldest, Start::Newest] {
            match channel.subscribe(from) {
                Ok(mut other) => {
                    let _outcome = other.try_recv();
                    let _outcome = other.recv_timeout(moment);
                    assert!(!format!("{other:?}").is_empty());
                }
                Err(error) => assert!(matches!(error, SubscribeError::Lock(_)), "{error:?}"),
            }
        }
        let _count = (subscriber.pending(), channel.published(), channel.stats());
        assert!(channel.subscribers() <= PLACES && !format!("{channel:?}").is_empty());
    }
}

#[test]
fn no_word_makes_a_call_panic_or_hang() {
    let fields =
        [CLOSED, TAIL_POSITION, TAIL_INTERRUPTED, TAIL_LIMIT, SHARE_POSITION, STAMP, MESSAGE];
    for slow in [Slow::Block, Slow::Overwrite] {
        for field in fields {
            for word in WORDS {
                let (_segment, channel, mut subscriber, damage, _name) = damaged(slow);
                damage.word(field, word);
                exercise(&channel, &mut subscriber);
            }
        }
    }
}

/// Positions behind those that a subscriber has seen cannot be.
#[test]
fn a_position_that_goes_back_is_an_error() {
    let (_segment, channel, mut subscriber, damage, _name) = damaged(Slow::Overwrite);
    assert_eq!(subscriber.recv(), Ok(FIRST));
    assert_eq!(subscriber.recv(), Ok(2));
    for position in [0, u64::MAX, u64::MAX / 2 + 4] {
        damage.word(TAIL_POSITION, position);
        for outcome in
            [subscriber.try_recv(), subscriber.recv(), subscriber.recv_timeout(Duration::MAX)]
        {
            assert!(is_corrupt(&outcome), "{outcome:?} at {position}");
        }
    }
    // As it was, it goes on.
    damage.word(TAIL_POSITION, 2);
    channel.publish(3).expect("publish");
    assert_eq!(subscriber.recv(), Ok(3));
}

/// Positions that are far ahead are messages that were missed.
#[test]
fn a_position_that_leaps_is_told_as_missed_messages() {
    for ahead in [10, 1 << 40, u64::MAX / 2] {
        let (_segment, channel, mut subscriber, damage, _name) = damaged(Slow::Overwrite);
        assert_eq!(subscriber.recv(), Ok(FIRST));
        assert_eq!(subscriber.recv(), Ok(2));
        damage.word(TAIL_POSITION, ahead);
        let mut missed = 0;
        while let Err(RecvError::Lagged { missed: more }) = subscriber.try_recv() {
            missed += more;
        }
        assert_eq!(missed, ahead - 2);
        channel.publish(7).expect("publish");
        assert_eq!(subscriber.recv(), Ok(7));
    }
}

/// One that sleeps as the damage is done looks again by itself.
#[test]
fn positions_that_are_damaged_as_one_waits_end_the_wait() {
    let (_segment, channel, name) = channel("asleep", 3, Slow::Overwrite);
    let mut waiting = Driver::subscribed(&name);
    channel.publish(FIRST).expect("publish");
    let damage = Damage::find(&name);
    waiting.does("recv", &FIRST.to_string());
    waiting.block("recv");
    damage.word(TAIL_POSITION, u64::MAX / 2 + 4);
    let heard = waiting.peer.hear();
    assert!(heard.contains("Corrupt"), "{heard}");
    damage.word(TAIL_POSITION, 1);
    waiting.block("recv");
    damage.word(TAIL_POSITION, 1000);
    let heard = waiting.peer.hear();
    assert!(heard.contains("Lagged"), "{heard}");
}

/// A subscriber's position that cannot be is not waited for.
#[test]
fn publishers_do_not_wait_for_positions_that_cannot_be() {
    for position in [100, u64::MAX, u64::MAX / 2] {
        let (_segment, channel, mut subscriber, damage, _name) = damaged(Slow::Block);
        damage.word(SHARE_POSITION, position);
        (0..10).for_each(|message| channel.try_publish(message).expect("publish"));
        // Its own position is not read from there.
        assert_eq!(subscriber.try_recv(), Err(RecvError::Lagged { missed: 9 }));
        assert_eq!(subscriber.try_recv(), Ok(7));
    }
}

#[test]
fn a_shape_that_cannot_be_is_refused() {
    for (field, word) in [
        (CAPACITY, 0),
        (CAPACITY, 1 << 40),
        (CAPACITY, u64::MAX),
        (PLACE_COUNT, 0),
        (PLACE_COUNT, 1001),
        (PLACE_COUNT, 1000),
        (PLACE_COUNT, u64::MAX),
        (POLICY, 2),
        (POLICY, u64::MAX),
    ] {
        let (segment, _channel, _subscriber, damage, _name) = damaged(Slow::Block);
        damage.word(field, word);
        let found = segment.find::<Broadcast<u64>>("b");
        assert!(matches!(found, Err(ObjectError::Corrupt { .. })), "{field}, {word}: {found:?}");
    }
}
