//! Killed publishers and subscribers: what was published stays, whole, and nobody waits for the dead.

use outlive::{Array, Broadcast, PushError, RecvError, Segment, Slow, Start, Subscriber};

use super::driver::{Driver, channel, rest};
use crate::observe::Random;
use crate::support::{Peer, await_death, say, wait_for_go};

#[test]
fn a_killed_subscriber_lets_a_sleeping_publisher_go_on() {
    for command in ["publish 9", "publish-timeout 9 600000"] {
        for capacity in [1, 3] {
            let (_segment, channel, name) = channel("gate", capacity, Slow::Block);
            let mut publishers = [Driver::new(&name), Driver::new(&name)];
            let mut living = channel.subscribe(Start::Newest).expect("subscribe");
            for _ in 0..5 {
                let dying = Driver::subscribed(&name);
                let all = 0..capacity as u64;
                all.clone().for_each(|message| channel.publish(message).expect("publish"));
                assert_eq!(rest(&mut living), all.collect::<Vec<_>>());
                publishers.iter_mut().for_each(|peer| peer.block(command));
                dying.peer.kill();
                assert_eq!(living.recv(), Ok(9));
                assert_eq!(living.recv(), Ok(9));
                publishers.iter_mut().for_each(|peer| peer.peer.expect("published"));
                assert_eq!(channel.subscribers(), 1);
            }
        }
    }
}

#[test]
fn a_killed_subscriber_gates_nobody_at_once() {
    let (_segment, channel, name) = channel("nobody", 2, Slow::Block);
    for _ in 0..5 {
        let dying = Driver::subscribed(&name);
        channel.try_publish(1).expect("publish");
        channel.try_publish(2).expect("publish");
        assert_eq!(channel.try_publish(3), Err(PushError::Full(3)));
        dying.peer.kill();
        channel.try_publish(3).expect("a dead one is not waited for");
    }
}

#[test]
fn the_living_are_waited_for_beside_the_dead() {
    let (_segment, channel, name) = channel("beside", 1, Slow::Block);
    let mut publisher = Driver::new(&name);
    for message in 1..5 {
        let dying = Driver::subscribed(&name);
        let mut living = channel.subscribe(Start::Newest).expect("subscribe");
        channel.publish(message).expect("publish");
        publisher.block("publish 9");
        dying.peer.kill();
        assert_eq!(channel.try_publish(8), Err(PushError::Full(8)));
        assert_eq!(living.recv(), Ok(message));
        publisher.peer.expect("published");
        assert_eq!(living.recv(), Ok(9));
    }
}

#[test]
fn what_a_killed_publisher_had_published_stays() {
    for slow in [Slow::Block, Slow::Overwrite] {
        let (_segment, channel, name) = channel("stays", 3, slow);
        let mut subscriber = channel.subscribe(Start::Newest).expect("subscribe");
        for _ in 0..5 {
            let mut dying = Driver::new(&name);
            dying.does("publish 1", "published");
            dying.does("publish 2", "published");
            dying.peer.kill();
            channel.try_publish(3).expect("publish");
            assert_eq!(rest(&mut subscriber), [1, 2, 3]);
        }
        assert_eq!(channel.stats().dropped, 0, "nobody died at work");
    }
}

/// One that waits for room holds nothing that others need.
#[test]
fn a_publisher_that_is_killed_as_it_waits_has_published_nothing() {
    let (_segment, channel, name) = channel("waits", 1, Slow::Block);
    let mut subscriber = channel.subscribe(Start::Newest).expect("subscribe");
    for message in 1..5 {
        channel.publish(message).expect("publish");
        let mut dying = Driver::new(&name);
        dying.block("publish 100");
        dying.peer.kill();
        assert_eq!(rest(&mut subscriber), [message]);
    }
    assert_eq!(channel.stats().dropped, 0);
}

/// Large enough that many kills hit the copy of one.
type Words = [u64; 64];

/// Where all write down how far they are. Each element has one writer at a time.
struct Board {
    channel: Broadcast<Words>,
    numbers: Array<u64>,
}

/// The last number that a publisher began to publish, and of which it knows that it has done so.
const BEGUN: usize = 0;
const PUBLISHED: usize = 1;
/// How many messages and misses subscribers have seen that are killed.
const SEEN: usize = 2;

impl Board {
    fn of(segment: &Segment, capacity: usize, slow: Slow) -> Self {
        Self {
            channel: segment.broadcast_with("b", capacity, slow, 2).expect("channel"),
            numbers: segment.array("n", 3, 0).expect("array"),
        }
    }

    fn open(arguments: &[String]) -> Self {
        let slow = if arguments[2] == "block" { Slow::Block } else { Slow::Overwrite };
        let segment = Segment::open(&arguments[0]).expect("open");
        Self::of(&segment, arguments[1].parse().expect("capacity"), slow)
    }

    fn get(&self, which: usize) -> u64 {
        self.numbers.load(which).expect("load")
    }

    fn set(&self, which: usize, number: u64) {
        self.numbers.store(which, number).expect("store");
    }
}

/// The role: publishes number after number until it is killed. What a predecessor began is not tried
/// again.
pub(crate) fn publish_for_ever(arguments: &[String]) {
    let board = Board::open(arguments);
    say("ready");
    wait_for_go();
    loop {
        let number = board.get(BEGUN) + 1;
        board.set(BEGUN, number);
        board.channel.publish([number; 64]).expect("publish");
        board.set(PUBLISHED, number);
    }
}

/// The role: receives until it is killed.
pub(crate) fn receive_for_ever(arguments: &[String]) {
    let board = Board::open(arguments);
    let mut seen = Reader::new(board.channel.subscribe(Start::Oldest).expect("subscribe"));
    say("ready");
    wait_for_go();
    while seen.next() {
        board.set(SEEN, board.get(SEEN) + 1);
    }
    await_death();
}

/// What a subscriber has seen, in order and whole.
struct Reader {
    subscriber: Subscriber<Words>,
    last: u64,
    received: u64,
    missed: u64,
    /// Numbers that were left out without its having missed a message.
    lost: u64,
}

impl Reader {
    fn new(subscriber: Subscriber<Words>) -> Self {
        Self { subscriber, last: 0, received: 0, missed: 0, lost: 0 }
    }

    fn see(&mut self, outcome: Result<Words, RecvError>) -> bool {
        match outcome {
            Ok(words) => {
                assert_eq!(words, [words[0]; 64], "torn");
                assert!(words[0] > self.last, "{} after {}", words[0], self.last);
                self.lost += u64::from(self.missed == 0) * (words[0] - self.last - 1);
                self.last = words[0];
                self.received += 1;
            }
            Err(RecvError::Lagged { missed }) => {
                assert!(missed > 0);
                self.missed += missed;
            }
            Err(RecvError::Closed | RecvError::Empty) => return false,
            Err(error) => panic!("{error:?}"),
        }
        true
    }

    /// False at the end.
    fn next(&mut self) -> bool {
        let outcome = self.subscriber.recv();
        self.see(outcome)
    }

    /// Whether there was something.
    fn try_next(&mut self) -> bool {
        let outcome = self.subscriber.try_recv();
        self.see(outcome)
    }
}

fn start(role: &str, name: &str, capacity: usize, slow: Slow) -> Peer {
    let policy = if slow == Slow::Block { "block" } else { "overwrite" };
    let mut peer = Peer::spawn(role, &[name, &capacity.to_string(), policy]);
    peer.expect("ready");
    peer.tell("go");
    peer
}

/// Publishers are killed at random moments: whatever they had published comes out, whole.
fn publishers_are_killed(slow: Slow) {
    const KILLS: u64 = 25;
    for capacity in [1, 3, 16] {
        let (segment, name) = crate::segment("publishers");
        let board = Board::of(&segment, capacity, slow);
        let mut reader = Reader::new(board.channel.subscribe(Start::Newest).expect("subscribe"));
        let mut random = Random::new(capacity as u64);
        for _ in 0..KILLS {
            let publisher = start("broadcast publish", &name, capacity, slow);
            // Both at work: a reader that falls behind waits for no more than it needs.
            let target = reader.received + 1 + random.below(200);
            while reader.received < target {
                assert!(reader.next());
            }
            // It may be anywhere now; where it waits for us, we have let it go on.
            publisher.kill();
            while reader.try_next() {}
            let (begun, published) = (board.get(BEGUN), board.get(PUBLISHED));
            // Who dies as it overwrites the only message takes that one along.
            let least = if slow == Slow::Overwrite && capacity == 1 { 0 } else { published };
            assert!(
                (least..=begun).contains(&reader.last),
                "{published} was published, {begun} begun, and {} the last",
                reader.last
            );
        }
        if slow == Slow::Block {
            assert_eq!(reader.missed, 0);
            assert!(reader.lost <= KILLS, "{} lost by {KILLS} kills", reader.lost);
        }
        // Works on, and each position was accounted for.
        let number = board.get(BEGUN) + 1;
        board.channel.try_publish([number; 64]).expect("publish");
        assert!(reader.next());
        assert_eq!(reader.last, number);
        assert_eq!(reader.received + reader.missed, board.channel.published());
        let dropped = u64::from(board.channel.stats().dropped);
        assert!(dropped <= KILLS, "{dropped} by {KILLS} kills");
        // What was begun was published, or its publisher died: one number for each death at most.
        let begun = number - board.channel.published();
        assert!((dropped..=KILLS).contains(&begun), "{begun} of {number}, {dropped} counted");
    }
}

#[test]
fn messages_of_killed_publishers_stay_where_subscribers_are_waited_for() {
    publishers_are_killed(Slow::Block);
}

#[test]
fn messages_of_killed_publishers_are_whole_where_they_are_overwritten() {
    publishers_are_killed(Slow::Overwrite);
}

/// Subscribers are killed at random moments: who lives gets everything, and the publisher goes on.
#[test]
fn kills_of_subscribers_take_nothing_from_the_others() {
    const KILLS: u64 = 25;
    for capacity in [1, 3, 16] {
        let (segment, name) = crate::segment("subscribers");
        let board = Board::of(&segment, capacity, Slow::Block);
        let mut reader = Reader::new(board.channel.subscribe(Start::Newest).expect("subscribe"));
        let publisher = start("broadcast publish", &name, capacity, Slow::Block);
        let mut random = Random::new(capacity as u64);
        for _ in 0..KILLS {
            let dying = start("broadcast receive for ever", &name, capacity, Slow::Block);
            let target = board.get(SEEN) + 1 + random.below(200);
            while board.get(SEEN) < target {
                assert!(reader.next());
            }
            dying.kill();
            assert!(board.channel.subscribers() == 1);
            // More than there is room for: it does not wait for the dead.
            for _ in 0..=capacity {
                assert!(reader.next());
            }
        }
        publisher.kill();
        while reader.try_next() {}
        assert_eq!((reader.missed, reader.lost), (0, 0));
        assert!(reader.last >= board.get(PUBLISHED), "{} is lost", board.get(PUBLISHED));
        assert!(board.channel.stats().dropped <= 1);
    }
}
