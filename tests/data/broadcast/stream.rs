//! From process to process: each message once for each subscriber, in order and whole, or counted as
//! missed.

use std::time::Duration;

use outlive::{Broadcast, PushError, RecvError, Segment, Shared, Slow, Start, Subscriber};

use crate::observe::Random;
use crate::support::{Peer, say, wait_for_go};

/// A message of which every byte tells its number.
trait Message: Shared + PartialEq {
    fn new(number: u64) -> Self;
}

impl Message for u64 {
    fn new(number: u64) -> Self {
        number.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}

impl Message for [u64; 9] {
    fn new(number: u64) -> Self {
        std::array::from_fn(|index| u64::new(number + index as u64))
    }
}

/// Not any bytes are one.
#[derive(Clone, Copy, PartialEq, Eq, Shared)]
#[repr(C)]
struct Flagged {
    number: u32,
    odd: bool,
    rest: [u8; 3],
}

impl Message for Flagged {
    fn new(number: u64) -> Self {
        Self { number: number as u32, odd: number % 2 == 1, rest: [number as u8; 3] }
    }
}

const LONG: Duration = Duration::from_secs(600);

/// Publishes messages up to a number, in all manners.
fn publish<M: Message>(channel: &Broadcast<M>, end: u64, random: &mut Random) {
    let mut next = 0;
    while next < end {
        let message = M::new(next);
        let outcome = match random.below(3) {
            0 => channel.publish(message),
            1 => channel.try_publish(message),
            _ => channel.publish_timeout(message, LONG),
        };
        match outcome {
            Ok(()) => next += 1,
            Err(PushError::Full(_)) => assert_eq!(channel.slow(), Slow::Block),
            Err(error) => panic!("{error}"),
        }
    }
}

/// How many messages came until the end, and how many were missed.
fn receive<M: Message>(subscriber: &mut Subscriber<M>, random: &mut Random) -> (u64, u64) {
    let (mut received, mut missed) = (0, 0);
    loop {
        let outcome = match random.below(3) {
            0 => subscriber.recv(),
            1 => subscriber.try_recv(),
            _ => subscriber.recv_timeout(LONG),
        };
        match outcome {
            Ok(message) => {
                let number = received + missed;
                assert!(message == M::new(number), "message {number} is another one");
                received += 1;
            }
            Err(RecvError::Lagged { missed: more }) => missed += more,
            Err(RecvError::Empty) => {}
            Err(RecvError::Closed) => return (received, missed),
            Err(error) => panic!("{error:?}"),
        }
    }
}

fn open<M: Shared>(name: &str) -> Broadcast<M> {
    Segment::open(name).expect("open").find("b").expect("find")
}

fn run_receiver<M: Message>(name: &str, seed: u64) -> (u64, u64) {
    let mut subscriber = open::<M>(name).subscribe(Start::Oldest).expect("subscribe");
    say("ready");
    receive(&mut subscriber, &mut Random::new(seed))
}

/// The role: receives until the channel is closed.
pub(crate) fn run(arguments: &[String]) {
    let (name, seed) = (arguments[0].as_str(), arguments[2].parse().expect("a seed"));
    let (received, missed) = match arguments[1].as_str() {
        "u64" => run_receiver::<u64>(name, seed),
        "words" => run_receiver::<[u64; 9]>(name, seed),
        "flagged" => run_receiver::<Flagged>(name, seed),
        other => panic!("no type {other:?}"),
    };
    say(&format!("{received} {missed}"));
}

/// The role: publishes so many messages as fast as it can, and closes the channel.
pub(crate) fn supply(arguments: &[String]) {
    fn run<M: Message>(name: &str, end: u64) {
        let channel = open::<M>(name);
        say("ready");
        wait_for_go();
        publish(&channel, end, &mut Random::new(end));
        channel.close().expect("close");
    }
    let (name, end) = (arguments[0].as_str(), arguments[2].parse().expect("a count"));
    match arguments[1].as_str() {
        "u64" => run::<u64>(name, end),
        "words" => run::<[u64; 9]>(name, end),
        "flagged" => run::<Flagged>(name, end),
        other => panic!("no type {other:?}"),
    }
}

fn receivers(name: &str, kind: &str) -> [Peer; 2] {
    ["1", "2"].map(|seed| {
        let mut peer = Peer::spawn("broadcast receive", &[name, kind, seed]);
        peer.expect("ready");
        peer
    })
}

fn everybody_gets_everything<M: Message>(kind: &str) {
    for capacity in [1, 2, 3, 100] {
        let messages = if capacity < 10 { 3_000 } else { 30_000 };
        let (segment, name) = crate::segment("stream");
        let channel = segment.broadcast_with::<M>("b", capacity, Slow::Block, 2).expect("channel");
        let peers = receivers(&name, kind);
        publish(&channel, messages, &mut Random::new(77 + capacity as u64));
        channel.close().expect("close");
        for mut peer in peers {
            peer.expect(&format!("{messages} 0"));
            peer.join();
        }
        assert_eq!(channel.published(), messages);
        assert_eq!(channel.stats().dropped, 0);
    }
}

#[test]
fn words_arrive_in_order_everywhere() {
    everybody_gets_everything::<u64>("u64");
}

#[test]
fn messages_of_nine_words_arrive_whole_and_in_order_everywhere() {
    everybody_gets_everything::<[u64; 9]>("words");
}

#[test]
fn messages_that_are_checked_arrive_in_order_everywhere() {
    everybody_gets_everything::<Flagged>("flagged");
}

fn what_is_missed_is_counted<M: Message>(kind: &str) {
    const MESSAGES: u64 = 30_000;
    for capacity in [1, 3, 100] {
        let (segment, name) = crate::segment("overwrite");
        let channel =
            segment.broadcast_with::<M>("b", capacity, Slow::Overwrite, 4).expect("channel");
        let mut peers = receivers(&name, kind);
        let mut sleeper = channel.subscribe(Start::Oldest).expect("subscribe");
        let mut here = channel.subscribe(Start::Oldest).expect("subscribe");
        let mut publisher = Peer::spawn("broadcast supply", &[&name, kind, &MESSAGES.to_string()]);
        publisher.expect("ready");
        publisher.tell("go");
        let (received, missed) = receive(&mut here, &mut Random::new(3));
        assert_eq!(received + missed, MESSAGES);
        for peer in &mut peers {
            let heard = peer.hear();
            let numbers = heard.split(' ').map(|word| word.parse::<u64>().expect("a number"));
            assert_eq!(numbers.sum::<u64>(), MESSAGES, "{heard}");
        }
        // Who does not look until all is over has missed all but the last ones.
        let (received, missed) = receive(&mut sleeper, &mut Random::new(4));
        assert_eq!((received, missed), (capacity as u64, MESSAGES - capacity as u64));
        publisher.join();
        peers.into_iter().for_each(Peer::join);
    }
}

#[test]
fn words_are_never_others_under_a_fast_publisher() {
    what_is_missed_is_counted::<u64>("u64");
}

#[test]
fn messages_of_nine_words_are_never_torn_under_a_fast_publisher() {
    what_is_missed_is_counted::<[u64; 9]>("words");
}

#[test]
fn messages_that_are_checked_are_whole_under_a_fast_publisher() {
    what_is_missed_is_counted::<Flagged>("flagged");
}

/// The role: publishes its number and a serial number.
pub(crate) fn compete(arguments: &[String]) {
    let channel = open::<[u64; 2]>(&arguments[0]);
    let [number, end] = [1, 2].map(|index| arguments[index].parse().expect("a number"));
    say("ready");
    wait_for_go();
    for serial in 0..end {
        channel.publish([number, serial]).expect("publish");
    }
    say("done");
}

#[test]
fn all_see_the_messages_of_several_publishers_in_the_same_order() {
    const MESSAGES: u64 = 3_000;
    for capacity in [1, 3, 64] {
        let (segment, name) = crate::segment("compete");
        let channel =
            segment.broadcast_with::<[u64; 2]>("b", capacity, Slow::Block, 2).expect("channel");
        let mut first = channel.subscribe(Start::Newest).expect("subscribe");
        let mut second = channel.subscribe(Start::Newest).expect("subscribe");
        let mut peers = ["0", "1"].map(|number| {
            Peer::spawn("broadcast compete", &[&name, number, &MESSAGES.to_string()])
        });
        peers.iter_mut().for_each(|peer| peer.expect("ready"));
        peers.iter_mut().for_each(|peer| peer.tell("go"));
        let mut next = [0, 0];
        for _ in 0..2 * MESSAGES {
            let message = first.recv().expect("recv");
            assert_eq!(second.recv(), Ok(message));
            let [number, serial] = message;
            assert_eq!(serial, next[number as usize]);
            next[number as usize] += 1;
        }
        assert_eq!(first.try_recv(), Err(RecvError::Empty));
        for mut peer in peers {
            peer.expect("done");
            peer.join();
        }
    }
}
