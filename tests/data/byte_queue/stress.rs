//! Many producers and consumers: nothing lost, nothing twice, each producer's messages in order and
//! whole.
//!
//! A message is the number of its producer and its own, and bytes that follow from both. Consumers
//! count each in an array that all share; producers note there how many they have pushed.

use std::collections::HashMap;

use outlive::{Array, ByteQueue, PopError, Segment};

use super::driver::message;
use crate::observe::Random;
use crate::support::{Peer, await_death, say, wait_for_go};

/// What all share.
struct Board {
    queue: ByteQueue,
    /// How often each message was popped, producer after producer.
    seen: Array<u8>,
    /// How many messages each producer knows that it has pushed.
    pushed: Array<u32>,
}

/// The bytes of a message, of up to 110 or so.
fn bytes(producer: u32, number: u32) -> Vec<u8> {
    let key = u64::from(producer) << 32 | u64::from(number);
    let length = (key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) % 100;
    let mut bytes = key.to_ne_bytes().to_vec();
    bytes.extend(message(key, length as usize));
    bytes
}

impl Board {
    fn create(
        what: &str,
        capacity: usize,
        producers: usize,
        each: usize,
    ) -> (Segment, Self, String) {
        let (segment, name) = crate::large_segment(what, 32 << 20);
        let board = Self {
            queue: segment.byte_queue("q", capacity).expect("queue"),
            seen: segment.array("seen", producers * each, 0).expect("array"),
            pushed: segment.array("pushed", producers, 0).expect("array"),
        };
        (segment, board, name)
    }

    fn open(segment: &Segment) -> Self {
        Self {
            queue: segment.find("q").expect("find"),
            seen: segment.find("seen").expect("find"),
            pushed: segment.find("pushed").expect("find"),
        }
    }

    /// How many messages a producer has to send.
    fn each(&self) -> usize {
        self.seen.len() / self.pushed.len()
    }

    fn produce(&self, producer: usize) {
        for number in 0..self.each() as u32 {
            let bytes = bytes(producer as u32, number);
            if number.is_multiple_of(3) {
                let mut grant = self.queue.grant(bytes.len() + 5).expect("grant");
                grant[..bytes.len()].copy_from_slice(&bytes);
                grant.commit_part(bytes.len());
            } else {
                self.queue.push(&bytes).expect("push");
            }
            self.pushed.store(producer, number + 1).expect("note");
        }
    }

    /// Waits until a producer has pushed so many more, or all.
    fn await_pushes(&self, producer: usize, more: u32) {
        let pushed = || self.pushed.load(producer).expect("load");
        let target = (pushed() + more + 1).min(self.each() as u32);
        while pushed() < target {
            std::thread::yield_now();
        }
    }

    fn consume(&self) {
        let mut last: HashMap<u32, u32> = HashMap::new();
        let mut buffer = Vec::new();
        for turn in 0.. {
            let outcome = if turn % 3 == 0 {
                self.queue.read().map(|message| {
                    buffer.clear();
                    buffer.extend_from_slice(&message);
                })
            } else {
                self.queue.pop_into(&mut buffer)
            };
            match outcome {
                Ok(()) => {}
                Err(PopError::Closed) => return,
                Err(other) => panic!("{other:?}"),
            }
            let key = u64::from_ne_bytes(buffer[..8].try_into().expect("a key"));
            let (producer, number) = ((key >> 32) as u32, key as u32);
            assert!(buffer == bytes(producer, number), "torn: {buffer:x?}");
            if let Some(before) = last.insert(producer, number) {
                assert!(before < number, "{number} after {before} of producer {producer}");
            }
            let index = producer as usize * self.each() + number as usize;
            let before = self.seen.fetch_add(index, 1).expect("note");
            assert_eq!(before, 0, "message {number} of producer {producer} came twice");
        }
    }

    /// How many messages were pushed for certain, but never seen; that none came out that cannot
    /// have gone in.
    fn lost(&self) -> usize {
        let seen = self.seen.to_vec().expect("read");
        let mut lost = 0;
        for (producer, seen) in seen.chunks(self.each()).enumerate() {
            let pushed = self.pushed.load(producer).expect("load") as usize;
            lost += seen[..pushed].iter().filter(|count| **count == 0).count();
            // A producer killed between push and note has pushed one more.
            let beyond = seen[pushed..].iter().skip(1).filter(|count| **count > 0).count();
            assert_eq!(beyond, 0, "producer {producer}: more than it pushed");
        }
        lost
    }
}

/// The role.
pub(crate) fn produce(arguments: &[String]) {
    let segment = Segment::open(&arguments[0]).expect("open");
    let board = Board::open(&segment);
    say("ready");
    wait_for_go();
    board.produce(arguments[1].parse().expect("producer"));
    say("done");
    await_death();
}

/// The role.
pub(crate) fn consume(arguments: &[String]) {
    let segment = Segment::open(&arguments[0]).expect("open");
    let board = Board::open(&segment);
    say("ready");
    wait_for_go();
    board.consume();
    say("done");
    await_death();
}

/// Some processes in that role, at work.
fn several(name: &str, role: &str, first: usize, count: usize) -> Vec<Peer> {
    let spawn = |index: usize| Peer::spawn(role, &[name, &(first + index).to_string()]);
    let mut peers: Vec<Peer> = (0..count).map(spawn).collect();
    peers.iter_mut().for_each(|peer| peer.expect("ready"));
    peers.iter_mut().for_each(|peer| peer.tell("go"));
    peers
}

fn await_done(peers: Vec<Peer>) {
    for mut peer in peers {
        peer.expect("done");
        peer.kill();
    }
}

#[test]
fn four_producers_and_four_consumers_lose_and_double_nothing() {
    for capacity in [256, 1000, 64 << 10] {
        let each = 2_000;
        let (_segment, board, name) = Board::create("stress", capacity, 4, each);
        let consumers = several(&name, "byte queue consume", 0, 4);
        let producers = several(&name, "byte queue produce", 0, 4);
        await_done(producers);
        board.queue.close().expect("close");
        await_done(consumers);
        assert!(board.queue.is_empty());
        assert_eq!(board.pushed.to_vec(), Ok(vec![each as u32; 4]));
        assert_eq!(board.lost(), 0);
        let stats = board.queue.stats();
        assert_eq!((stats.dropped, stats.redelivered), (0, 0));
    }
}

#[test]
fn kills_of_producers_and_consumers_lose_at_most_what_they_held() {
    const ROUNDS: usize = 8;
    // More than any producer sends before it is killed.
    const EACH: usize = 200_000;
    for capacity in [300, 5000] {
        let (_segment, board, name) = Board::create("kills", capacity, 2 * ROUNDS, EACH);
        let mut random = Random::new(capacity as u64);
        // These stay, so that somebody always goes on.
        let consumers = several(&name, "byte queue consume", 0, 2);
        for round in 0..ROUNDS {
            let producers = several(&name, "byte queue produce", 2 * round, 2);
            let victims = several(&name, "byte queue consume", 0, 2);
            for (index, (producer, consumer)) in producers.into_iter().zip(victims).enumerate() {
                board.await_pushes(2 * round + index, random.below(300) as u32);
                if random.below(2) == 0 {
                    producer.kill();
                    consumer.kill();
                } else {
                    consumer.kill();
                    producer.kill();
                }
            }
        }
        // It works as ever, without a repair: the survivors empty it.
        board.queue.close().expect("close");
        await_done(consumers);
        assert!(board.queue.is_empty(), "{} left", board.queue.len());
        let kills = 2 * ROUNDS;
        let lost = board.lost();
        assert!(lost <= kills, "{lost} lost with {kills} consumers");
        let stats = board.queue.stats();
        assert!(stats.dropped as usize <= kills, "{stats:?}");
        assert!(stats.redelivered as usize <= kills, "{stats:?}");
    }
}
