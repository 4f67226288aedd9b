//! Killed producers and consumers: messages come once, in order, and what was lost is accounted for.

use outlive::{Array, PopError, Segment, Spsc};

use super::driver::{Driver, ring};
use crate::observe::Random;
use crate::support::{Peer, await_death, say, wait_for_go};

#[test]
fn what_a_killed_producer_was_writing_is_dropped_and_counted() {
    let (_segment, ring, name) = ring("dropped", 4);
    let mut consumer = ring.consumer().expect("consumer");
    for round in 1..=5 {
        let mut dying = Driver::with(&name, "producer");
        dying.does("push 1", "pushed");
        dying.does("write-chunk 900 3", "3");
        dying.peer.kill();
        assert_eq!(ring.len(), 1);
        let mut producer = ring.producer().expect("the role is free");
        assert_eq!(ring.stats().dropped, round, "counted once it was taken over");
        producer.push_slice(&[2, 3, 4]).expect("the slots are free");
        let all: Vec<u64> = std::iter::from_fn(|| consumer.try_pop().ok()).collect();
        assert_eq!(all, [1, 2, 3, 4]);
    }
    assert_eq!((ring.stats().dropped, ring.stats().redelivered), (5, 0));
}

#[test]
fn what_a_killed_consumer_was_reading_is_redelivered_and_counted() {
    let (_segment, ring, name) = ring("redelivered", 4);
    let mut producer = ring.producer().expect("producer");
    for round in 1..=5 {
        producer.push_slice(&[1, 2, 3, 4]).expect("push");
        let mut dying = Driver::with(&name, "consumer");
        dying.does("pop", "1");
        dying.start("read-chunk 0 3");
        let shown = dying.peer.hear();
        let digits: String = shown.chars().filter(char::is_ascii_digit).collect();
        assert_eq!(digits, "234", "{shown}");
        dying.peer.kill();
        producer.push(5).expect("room for one");
        let mut consumer = ring.consumer().expect("the role is free");
        assert_eq!(ring.stats().redelivered, round, "counted once it was taken over");
        let all: Vec<u64> = std::iter::from_fn(|| consumer.try_pop().ok()).collect();
        assert_eq!(all, [2, 3, 4, 5]);
    }
    assert_eq!((ring.stats().dropped, ring.stats().redelivered), (0, 5));
}

#[test]
fn what_a_killed_producer_had_pushed_is_there_and_the_other_side_works_on() {
    let (_segment, ring, name) = ring("stays", 3);
    let mut dying = Driver::with(&name, "producer");
    let mut consumer = Driver::with(&name, "consumer");
    dying.does("push-slice 1", "pushed");
    dying.block("push 4");
    dying.peer.kill();
    consumer.does("try-pop", "1");
    consumer.does("pop-slice", "[2, 3]");
    consumer.does("try-pop", "Empty");
    consumer.does("pop-timeout 0 1", "TimedOut");
    // And the other way round.
    let mut producer = Driver::with(&name, "producer");
    consumer.block("pop");
    consumer.peer.kill();
    producer.does("push-slice 5", "pushed");
    producer.does("try-push 8", "Full(..) 8");
    producer.does("push-timeout 8 1", "TimedOut(..) 8");
    assert_eq!(ring.consumer().expect("the role is free").pop(), Ok(5));
    producer.does("push 8", "pushed");
    let stats = ring.stats();
    assert_eq!((stats.dropped, stats.redelivered), (0, 0), "nobody died at work");
}

/// Where all write down how far they are. Each element has one writer at a time.
struct Board {
    ring: Spsc<u64>,
    numbers: Array<u64>,
}

/// The last number that a producer began to push, and of which it knows that it has done so.
const BEGUN: usize = 0;
const PUSHED: usize = 1;
/// The last number that a consumer knows that it has popped.
const POPPED: usize = 2;
/// How many times numbers were missing, as consumers saw.
const GAPS: usize = 3;

impl Board {
    fn of(segment: &Segment, capacity: usize) -> Self {
        Self {
            ring: segment.spsc("r", capacity).expect("ring"),
            numbers: segment.array("n", 4, 0).expect("array"),
        }
    }

    fn get(&self, which: usize) -> u64 {
        self.numbers.load(which).expect("load")
    }

    fn set(&self, which: usize, number: u64) {
        self.numbers.store(which, number).expect("store");
    }

    /// Pushes number after number until it is killed. What a predecessor began is not tried again.
    fn supply(&self) {
        let mut producer = self.ring.producer().expect("the producer's role is free");
        loop {
            let first = self.get(BEGUN) + 1;
            let several = [first, first + 1, first + 2];
            // By turns one, and several in one go or more.
            let messages = if first.is_multiple_of(4) { &several[..] } else { &several[..1] };
            self.set(BEGUN, first + messages.len() as u64 - 1);
            match messages {
                [message] => producer.push(*message).expect("push"),
                several => producer.push_slice(several).expect("push"),
            }
            self.set(PUSHED, self.get(BEGUN));
        }
    }

    /// Pops until the ring is closed.
    fn drain(&self) {
        let mut consumer = self.ring.consumer().expect("the consumer's role is free");
        let mut several = [0; 3];
        loop {
            let last = self.get(POPPED);
            let popped = if last.is_multiple_of(5) {
                consumer.pop_slice(&mut several)
            } else {
                consumer.pop().map(|message| {
                    several[0] = message;
                    1
                })
            };
            let numbers = match popped {
                Ok(count) => &several[..count],
                Err(PopError::Closed) => return,
                Err(other) => panic!("{other:?}"),
            };
            let mut before = last;
            for &number in numbers {
                assert!(number > before, "{numbers:?} after {last}");
                if number > before + 1 {
                    self.set(GAPS, self.get(GAPS) + 1);
                }
                before = number;
            }
            self.set(POPPED, before);
        }
    }

    /// Waits until so many more were noted.
    fn await_more(&self, which: usize, more: u64) {
        let target = self.get(which) + more + 1;
        while self.get(which) < target {
            std::thread::yield_now();
        }
    }
}

/// The role.
pub(crate) fn supply(arguments: &[String]) {
    let segment = Segment::open(&arguments[0]).expect("open");
    let board = Board::of(&segment, arguments[1].parse().expect("capacity"));
    say("ready");
    wait_for_go();
    board.supply();
}

/// The role.
pub(crate) fn drain(arguments: &[String]) {
    let segment = Segment::open(&arguments[0]).expect("open");
    let board = Board::of(&segment, arguments[1].parse().expect("capacity"));
    say("ready");
    wait_for_go();
    board.drain();
    say("done");
    await_death();
}

#[test]
fn kills_on_both_sides_lose_at_most_what_the_dead_held() {
    const KILLS: u64 = 30;
    for capacity in [1, 3, 64] {
        let (segment, name) = crate::segment("kills");
        let board = Board::of(&segment, capacity);
        let mut random = Random::new(capacity as u64);
        let start = |role| {
            let mut peer = Peer::spawn(role, &[&name, &capacity.to_string()]);
            peer.expect("ready");
            peer.tell("go");
            peer
        };
        let mut producer = start("spsc supply");
        let mut consumer = start("spsc drain");
        let mut dead_producers = 0;
        for _ in 0..KILLS {
            if random.below(2) == 0 {
                board.await_more(PUSHED, random.below(200));
                producer.kill();
                dead_producers += 1;
                producer = start("spsc supply");
            } else {
                board.await_more(POPPED, random.below(200));
                consumer.kill();
                consumer = start("spsc drain");
            }
            board.await_more(POPPED, 0);
        }
        producer.kill();
        dead_producers += 1;
        // It works as ever, without a repair: the survivor empties it.
        board.ring.producer().expect("the role is free").close();
        consumer.expect("done");
        consumer.kill();
        assert!(board.ring.is_empty(), "{} left", board.ring.len());
        let gaps = board.get(GAPS);
        assert!(gaps <= KILLS + 1, "{gaps} times messages lost by {KILLS} kills");
        let stats = board.ring.stats();
        assert!(u64::from(stats.dropped) <= dead_producers, "{stats:?} of {dead_producers}");
        assert!(u64::from(stats.redelivered) <= KILLS - (dead_producers - 1), "{stats:?}");
    }
}

/// Only producers are killed: whatever they had pushed comes out.
#[test]
fn messages_of_the_dead_stay() {
    let (segment, name) = crate::segment("dead");
    let board = Board::of(&segment, 32);
    let mut random = Random::new(78);
    let mut consumer = board.ring.consumer().expect("consumer");
    let (mut last, mut lost) = (0, 0);
    for _ in 0..20 {
        let before = board.get(BEGUN);
        let mut producer = Peer::spawn("spsc supply", &[&name, "32"]);
        producer.expect("ready");
        producer.tell("go");
        let target = before + 1 + random.below(300);
        while last < target {
            let number = consumer.pop().expect("pop");
            // A gap is of one turn of the dead one, which it did not know that it has pushed.
            assert!(number == last + 1 || number == before + 1, "{number} after {last}");
            lost += u64::from(number != last + 1);
            last = number;
        }
        producer.kill();
        let pushed = board.get(PUSHED);
        while let Ok(number) = consumer.try_pop() {
            assert_eq!(number, last + 1);
            last = number;
        }
        assert!(last >= pushed, "{pushed} was pushed, and {last} the last");
    }
    assert!(lost <= 20, "{lost}");
    assert_eq!(board.ring.stats().redelivered, 0, "no consumer died");
}
