//! Many producers and consumers: nothing lost, nothing twice, each producer's messages in order.
//!
//! A message is the number of its producer and its own. Consumers count each in an array that all
//! share; producers note there how many they have pushed.

use std::collections::HashMap;

use outlive::{Array, PopError, Queue, Segment};

use crate::observe::Random;
use crate::support::{Peer, await_death, say, wait_for_go};

/// Producer, and number of the message.
type Message = [u32; 2];

/// What all share.
struct Board {
    queue: Queue<Message>,
    /// How often each message was popped, producer after producer.
    seen: Array<u8>,
    /// How many messages each producer knows that it has pushed.
    pushed: Array<u32>,
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
            queue: segment.queue("q", capacity).expect("queue"),
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
            self.queue.push([producer as u32, number]).expect("push");
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
        loop {
            let [producer, number] = match self.queue.pop() {
                Ok(message) => message,
                Err(PopError::Closed) => return,
                Err(other) => panic!("{other:?}"),
            };
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
            assert!(seen.iter().all(|count| *count <= 1), "producer {producer}: twice");
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

/// Four processes in that role, ready.
fn four(name: &str, role: &str, first: usize) -> Vec<Peer> {
    let spawn = |index: usize| Peer::spawn(role, &[name, &(first + index).to_string()]);
    let mut peers: Vec<Peer> = (0..4).map(spawn).collect();
    peers.iter_mut().for_each(|peer| peer.expect("ready"));
    peers
}

fn go(peers: &mut [Peer]) {
    peers.iter_mut().for_each(|peer| peer.tell("go"));
}

fn await_done(peers: Vec<Peer>) {
    for mut peer in peers {
        peer.expect("done");
        peer.kill();
    }
}

#[test]
fn four_producers_and_four_consumers_lose_and_double_nothing() {
    for capacity in [1, 2, 3, 1000] {
        let each = if capacity < 10 { 1_000 } else { 5_000 };
        let (_segment, board, name) = Board::create("stress", capacity, 4, each);
        let mut producers = four(&name, "queue produce", 0);
        let mut consumers = four(&name, "queue consume", 0);
        go(&mut producers);
        go(&mut consumers);
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
fn threads_and_processes_mix() {
    let (_segment, board, name) = Board::create("mixed", 8, 8, 1_000);
    let mut producers = four(&name, "queue produce", 0);
    let mut consumers = four(&name, "queue consume", 0);
    std::thread::scope(|scope| {
        let board = &board;
        let threads: Vec<_> =
            (4..8).map(|index| scope.spawn(move || board.produce(index))).collect();
        (0..3).for_each(|_| drop(scope.spawn(|| board.consume())));
        go(&mut producers);
        go(&mut consumers);
        await_done(producers);
        threads.into_iter().for_each(|thread| thread.join().expect("join"));
        board.queue.close().expect("close");
    });
    await_done(consumers);
    assert_eq!(board.lost(), 0);
    assert!(board.queue.is_empty());
}

#[test]
fn kills_of_producers_and_consumers_lose_at_most_what_they_held() {
    const ROUNDS: usize = 8;
    // More than any producer sends before it is killed.
    const EACH: usize = 200_000;
    for capacity in [1, 3, 64] {
        let (_segment, board, name) = Board::create("kills", capacity, 4 * ROUNDS, EACH);
        let mut random = Random::new(capacity as u64);
        // These stay, so that somebody always goes on.
        let mut consumers = four(&name, "queue consume", 0);
        go(&mut consumers);
        for round in 0..ROUNDS {
            let mut producers = four(&name, "queue produce", 4 * round);
            let mut victims = four(&name, "queue consume", 0);
            go(&mut producers);
            go(&mut victims);
            for (index, (producer, consumer)) in producers.into_iter().zip(victims).enumerate() {
                let index = 4 * round + index;
                board.await_pushes(index, random.below(500) as u32);
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
        let kills = 4 * ROUNDS;
        let lost = board.lost();
        assert!(lost <= kills, "{lost} lost with {kills} consumers");
        let stats = board.queue.stats();
        assert!(stats.dropped as usize <= kills, "{stats:?}");
        assert!(stats.redelivered as usize <= kills, "{stats:?}");
    }
}

#[test]
fn messages_of_the_dead_stay_in_order() {
    // Only producers are killed; whatever they had pushed comes out, each exactly once.
    const EACH: usize = 200_000;
    let (_segment, board, name) = Board::create("stay", 32, 20, EACH);
    let mut random = Random::new(77);
    let mut consumers = four(&name, "queue consume", 0);
    go(&mut consumers);
    for round in 0..5 {
        let mut producers = four(&name, "queue produce", 4 * round);
        go(&mut producers);
        for (index, producer) in producers.into_iter().enumerate() {
            let index = 4 * round + index;
            board.await_pushes(index, random.below(1_000) as u32);
            producer.kill();
        }
    }
    board.queue.close().expect("close");
    await_done(consumers);
    assert_eq!(board.lost(), 0);
    assert_eq!(board.queue.stats().redelivered, 0, "no consumer died");
}
