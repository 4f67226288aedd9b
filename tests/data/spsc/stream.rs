//! From one process to another: each message once, in order and whole, in whatever manner it goes.

use outlive::{Consumer, PopError, Producer, Segment, Shared, Spsc};

use crate::observe::Random;
use crate::support::{Peer, say};

/// A message of which every byte tells its number.
trait Message: Shared + PartialEq {
    fn new(number: u64) -> Self;
}

impl Message for u64 {
    fn new(number: u64) -> Self {
        number.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}

impl Message for u8 {
    fn new(number: u64) -> Self {
        u64::new(number).to_ne_bytes()[3]
    }
}

impl Message for [u64; 3] {
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

/// What is written to slots that are given up, or not committed.
const NEVER: u64 = u64::MAX / 2;

/// Sends messages up to a number, in all manners.
fn send<M: Message>(producer: &mut Producer<M>, end: u64, random: &mut Random) {
    let most = producer.ring().capacity().min(7) as u64 + 2;
    let mut next = 0;
    while next < end {
        let count = (1 + random.below(most)).min(end - next);
        match random.below(6) {
            0 | 1 => {
                producer.push(M::new(next)).expect("push");
                next += 1;
            }
            2 => next += u64::from(producer.try_push(M::new(next)).is_ok()),
            3 => {
                let messages: Vec<M> = (next..next + count).map(M::new).collect();
                producer.push_slice(&messages).expect("push");
                next += count;
            }
            4 => {
                let chunk = producer.write_chunk(count as usize).expect("a chunk");
                next += chunk.fill((next..next + count).map(M::new)) as u64;
            }
            _ => {
                let mut chunk = producer.write_chunk(count as usize).expect("a chunk");
                let commit = random.below(chunk.len() as u64 + 1);
                let (left, right) = chunk.as_mut_slices();
                for (slot, index) in left.iter_mut().chain(right).zip(0..) {
                    slot.write(M::new(if index < commit { next + index } else { NEVER }));
                }
                if commit == 0 && random.below(2) == 0 {
                    drop(chunk);
                } else {
                    chunk.commit(commit as usize);
                }
                next += commit;
            }
        }
    }
}

/// What was sent, up to the end.
fn receive<M: Message>(consumer: &mut Consumer<M>, random: &mut Random) -> u64 {
    let mut several: Vec<M> = (0..9).map(M::new).collect();
    let mut next = 0;
    let mut see = |found: &M| {
        assert!(*found == M::new(next), "message {next} is another one");
        next += 1;
    };
    loop {
        let count = 1 + random.below(9) as usize;
        let outcome = match random.below(5) {
            0 | 1 => consumer.pop().map(|message| see(&message)),
            2 => consumer.try_pop().map(|message| see(&message)),
            3 => consumer
                .pop_slice(&mut several[..count])
                .map(|count| several[..count].iter().for_each(&mut see)),
            _ => consumer.read_chunk(count).map(|chunk| {
                let commit = random.below(chunk.len() as u64 + 1) as usize;
                let (left, right) = chunk.as_slices();
                left.iter().chain(right).take(commit).for_each(&mut see);
                chunk.commit(commit);
            }),
        };
        match outcome {
            Ok(()) | Err(PopError::Empty) => {}
            Err(PopError::Closed) => return next,
            Err(other) => panic!("{other:?}"),
        }
    }
}

fn open<M: Shared>(name: &str) -> Spsc<M> {
    Segment::open(name).expect("open").find("r").expect("find")
}

fn run_receiver<M: Message>(name: &str, seed: u64) -> u64 {
    let mut consumer = open::<M>(name).consumer().expect("consumer");
    say("ready");
    receive(&mut consumer, &mut Random::new(seed))
}

/// The role: takes what comes until the ring is closed.
pub(crate) fn run(arguments: &[String]) {
    let (name, seed) = (arguments[0].as_str(), arguments[2].parse().expect("a seed"));
    let count = match arguments[1].as_str() {
        "u64" => run_receiver::<u64>(name, seed),
        "u8" => run_receiver::<u8>(name, seed),
        "words" => run_receiver::<[u64; 3]>(name, seed),
        "flagged" => run_receiver::<Flagged>(name, seed),
        other => panic!("no type {other:?}"),
    };
    say(&count.to_string());
}

fn stream<M: Message>(kind: &str) {
    for capacity in [1, 2, 3, 1000] {
        // Many times around, and so many that one who is in the way of the other is seen.
        let messages = if capacity < 10 { 5_000 } else { 50_000 };
        let (segment, name) = crate::segment("stream");
        let ring = segment.spsc::<M>("r", capacity).expect("ring");
        let mut receiver = Peer::spawn("spsc receive", &[&name, kind, &capacity.to_string()]);
        receiver.expect("ready");
        let mut producer = ring.producer().expect("producer");
        send(&mut producer, messages, &mut Random::new(77 + capacity as u64));
        producer.close();
        receiver.expect(&messages.to_string());
        receiver.join();
        assert!(ring.is_empty());
        let stats = ring.stats();
        assert_eq!((stats.dropped, stats.redelivered), (0, 0));
    }
}

#[test]
fn words_arrive_in_order() {
    stream::<u64>("u64");
}

#[test]
fn bytes_arrive_in_order() {
    stream::<u8>("u8");
}

#[test]
fn messages_of_three_words_arrive_whole_and_in_order() {
    stream::<[u64; 3]>("words");
}

#[test]
fn messages_that_are_checked_arrive_in_order() {
    stream::<Flagged>("flagged");
}
