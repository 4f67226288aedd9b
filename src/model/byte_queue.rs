//! `ByteQueue`: each message once, in order, whole, around the ring's end; too full and empty; guards
//! that are given back; deaths on both sides. What is written and read in place is seen by no model,
//! but published and taken as copies are.

use super::atomic::no_races;
use super::membarrier::nobody_sleeps;
use super::run::{
    Kernel, begin, check, in_time, let_others_go_first, model, mortal, pass_time, process,
    with_death, with_death_bounded,
};
use crate::{BytePushError, ByteQueue, PopError, Segment};

/// Room for one message of two words: the next one is behind a padding, or before the ring's end.
const ONE: usize = 5 * 8;
/// Room for two of them.
const TWO: usize = 6 * 8;

fn queue(capacity: usize, messages: u64) -> ByteQueue {
    let segment = Segment::anonymous().expect("a segment");
    let queue = segment.byte_queue("queue", capacity).expect("a queue");
    (1..=messages).for_each(|number| push(&queue, number));
    begin(&segment);
    no_races(queue.memory());
    queue
}

/// Two words, so that half of a message would be seen.
fn message(number: u64) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes.chunks_mut(8).for_each(|half| half.copy_from_slice(&number.to_ne_bytes()));
    bytes
}

fn number(bytes: &[u8]) -> u64 {
    let (first, second) = bytes.split_at(8);
    assert_eq!(first, second, "torn");
    u64::from_ne_bytes(first.try_into().expect("a word"))
}

fn push(queue: &ByteQueue, number: u64) {
    queue.push(&message(number)).expect("push");
}

fn pop(queue: &ByteQueue) -> u64 {
    number(&queue.pop().expect("pop"))
}

fn rest(queue: &ByteQueue) -> Vec<u64> {
    std::iter::from_fn(|| queue.try_pop().ok()).map(|bytes| number(&bytes)).collect()
}

#[test]
fn one_to_one_around_the_end_of_the_ring() {
    model(|| {
        let queue = queue(ONE, 1);
        let producer = queue.clone();
        let other = process(1, move || push(&producer, 2));
        assert_eq!([pop(&queue), pop(&queue)], [1, 2]);
        other.join().expect("a process");
        assert!(queue.is_empty());
    });
}

#[test]
fn one_to_one_through_a_full_and_an_empty_queue() {
    check(1, || {
        let queue = queue(ONE, 0);
        let producer = queue.clone();
        let other = process(1, move || {
            push(&producer, 1);
            push(&producer, 2);
        });
        assert_eq!([pop(&queue), pop(&queue)], [1, 2]);
        other.join().expect("a process");
    });
}

#[test]
fn two_producers() {
    model(|| {
        let queue = queue(TWO, 0);
        let there = queue.clone();
        let other = process(1, move || push(&there, 1));
        push(&queue, 2);
        other.join().expect("a process");
        let mut all = rest(&queue);
        all.sort_unstable();
        assert_eq!(all, [1, 2]);
    });
}

#[test]
fn two_consumers() {
    model(|| {
        let queue = queue(TWO, 2);
        let there = queue.clone();
        let other = process(1, move || pop(&there));
        let mut all = [pop(&queue), other.join().expect("a process")];
        all.sort_unstable();
        assert_eq!(all, [1, 2]);
        assert!(queue.is_empty());
    });
}

/// One message makes room for two short ones: both of their producers are woken.
#[test]
fn room_for_several() {
    check(1, || {
        let segment = Segment::anonymous().expect("a segment");
        // Full, and its first message takes as much as two empty ones.
        let queue = segment.byte_queue("queue", 24).expect("a queue");
        queue.push(&[1; 8]).expect("push");
        queue.push(&[]).expect("push");
        begin(&segment);
        let others = [1, 2].map(|number| {
            let queue = queue.clone();
            process(number, move || queue.push(&[]).expect("push"))
        });
        let_others_go_first();
        assert_eq!(queue.pop(), Ok(vec![1; 8]));
        others.into_iter().for_each(|other| other.join().expect("a process"));
        assert_eq!(queue.len(), 3);
    });
}

#[test]
fn the_end_is_seen_after_the_last_message() {
    model(|| {
        let queue = queue(TWO, 0);
        let producer = queue.clone();
        let other = process(1, move || {
            push(&producer, 1);
            producer.close().expect("close");
        });
        assert_eq!(pop(&queue), 1);
        assert_eq!(queue.pop(), Err(PopError::Closed));
        other.join().expect("a process");
    });
}

/// By one that only looks: no fence helps it.
#[test]
fn the_end_is_not_seen_before_the_last_message() {
    model(|| {
        nobody_sleeps();
        let queue = queue(TWO, 0);
        let consumer = queue.clone();
        let other = process(1, move || consumer.try_pop());
        push(&queue, 1);
        queue.close().expect("close");
        assert_ne!(other.join().expect("a process"), Err(PopError::Closed));
    });
}

#[test]
fn a_close_wakes_who_waits_for_room() {
    model(|| {
        let queue = queue(ONE, 1);
        let producer = queue.clone();
        let other = process(1, move || {
            assert_eq!(producer.push(&message(2)), Err(BytePushError::Closed));
        });
        queue.close().expect("close");
        other.join().expect("a process");
    });
}

#[test]
fn the_length_is_one_that_there_was() {
    model(|| {
        let queue = queue(TWO, 1);
        let peer = queue.clone();
        let other = process(1, move || peer.len());
        assert_eq!(pop(&queue), 1);
        push(&queue, 2);
        assert!(other.join().expect("a process") <= 1, "two at no time");
        assert_eq!(queue.len(), 1);
    });
}

#[test]
fn the_length_counts_what_is_there_all_the_time() {
    model(|| {
        let queue = queue(TWO, 1);
        let peer = queue.clone();
        let other = process(1, move || {
            assert!(!peer.is_empty(), "never empty");
            assert!((1..=2).contains(&peer.len()), "never empty");
        });
        push(&queue, 2);
        assert_eq!(pop(&queue), 1);
        other.join().expect("a process");
    });
}

/// Beside one that pushes as many as a position's count has room for. Which stores a load may see is
/// all that matters: nobody is interrupted.
#[test]
fn the_length_is_one_that_there_was_beside_many() {
    check(0, || {
        nobody_sleeps();
        let queue = queue(2 * TWO, 2);
        let peer = queue.clone();
        let other = process(1, move || peer.len());
        push(&queue, 3);
        assert_eq!(pop(&queue), 1);
        push(&queue, 4);
        assert!(other.join().expect("a process") <= 3, "four at no time");
    });
}

#[test]
fn a_message_that_is_kept_goes_to_the_next_consumer() {
    model(|| {
        let queue = queue(TWO, 0);
        let there = queue.clone();
        let other = process(1, move || pop(&there));
        push(&queue, 1);
        push(&queue, 2);
        queue.read().expect("read").keep();
        assert_eq!(other.join().expect("a process"), 1);
        assert_eq!(rest(&queue), [2]);
    });
}

/// Also where the one that keeps it was woken for it.
#[test]
fn a_message_that_is_kept_wakes_the_next_consumer() {
    check(0, || {
        let queue = queue(TWO, 0);
        let [keeping, popping] = [queue.clone(), queue.clone()];
        let keeper = process(1, move || match keeping.read() {
            Ok(message) => message.keep(),
            Err(error) => assert_eq!(error, PopError::Closed),
        });
        let other = process(2, move || pop(&popping));
        let_others_go_first();
        push(&queue, 1);
        assert_eq!(other.join().expect("a process"), 1);
        queue.close().expect("close");
        keeper.join().expect("a process");
    });
}

#[test]
fn a_grant_that_is_dropped_leaves_its_room() {
    model(|| {
        let queue = queue(TWO, 0);
        let there = queue.clone();
        let other = process(1, move || drop(there.grant(16).expect("a grant")));
        push(&queue, 1);
        assert_eq!(queue.len(), 1);
        other.join().expect("a process");
        assert_eq!(pop(&queue), 1);
        assert_eq!(queue.stats().dropped, 0);
    });
}

#[test]
fn a_death_of_a_producer() {
    with_death(|mortality| {
        let queue = queue(TWO, 0);
        let dying = queue.clone();
        let dying = mortal(1, &mortality, Kernel::Reports, move || push(&dying, 1));
        push(&queue, 2);
        let lived = dying.join().expect("a process").is_some();
        let length = queue.len();
        let mut all = rest(&queue);
        assert_eq!(length, all.len());
        all.sort_unstable();
        assert!(all == [1, 2] || (!lived && all == [2]), "{all:?}");
    });
}

/// What it dropped is counted, once, and what it pushed is not.
#[test]
fn a_death_of_a_producer_is_counted() {
    with_death(|mortality| {
        let queue = queue(TWO, 0);
        let dying = queue.clone();
        let dying = mortal(1, &mortality, Kernel::Reports, move || {
            push(&dying, 1);
            drop(dying.grant(16));
        });
        let lived = dying.join().expect("a process").is_some();
        let length = queue.len();
        let mut all = rest(&queue);
        assert_eq!(length, all.len());
        push(&queue, 2);
        all.extend(rest(&queue));
        assert!(all == [1, 2] || (!lived && all == [2]), "{all:?}");
        assert!(queue.stats().dropped <= u32::from(!lived));
    });
}

/// Its message is there or not; a consumer that waits gets it in time.
#[test]
fn a_death_of_a_producer_for_whom_a_consumer_waits() {
    with_death_bounded(1, |mortality| {
        let queue = queue(TWO, 0);
        let (dying, consumer) = (queue.clone(), queue.clone());
        let dying = mortal(1, &mortality, Kernel::Reports, move || push(&dying, 1));
        let other = in_time(2, move || pop(&consumer));
        let lived = dying.join().expect("a process").is_some();
        push(&queue, 2);
        let first = pass_time(other);
        assert!(first == 1 || (!lived && first == 2), "{first}");
        assert_eq!(rest(&queue), if first == 1 { vec![2] } else { vec![] });
    });
}

#[test]
fn a_death_of_a_consumer() {
    with_death_bounded(1, |mortality| {
        let queue = queue(TWO, 2);
        let (dying, consumer) = (queue.clone(), queue.clone());
        let dying = mortal(1, &mortality, Kernel::Reports, move || pop(&dying));
        let other = process(2, move || pop(&consumer));
        let taken = dying.join().expect("a process");
        let mut all = vec![other.join().expect("a process")];
        all.extend(taken);
        all.extend(rest(&queue));
        all.sort_unstable();
        // One that died after it had taken a message took it along.
        assert!(all == [1, 2] || (taken.is_none() && all.len() == 1), "{all:?}");
        assert!(queue.stats().redelivered <= u32::from(taken.is_none()));
    });
}

#[test]
fn a_death_of_a_consumer_for_whom_a_producer_waits() {
    with_death_bounded(1, |mortality| {
        let queue = queue(ONE, 1);
        let (dying, producer) = (queue.clone(), queue.clone());
        let dying = mortal(1, &mortality, Kernel::Reports, move || pop(&dying));
        let other = in_time(2, move || push(&producer, 2));
        let taken = dying.join().expect("a process");
        let mut all = rest(&queue);
        pass_time(other);
        all.extend(rest(&queue));
        assert!(all == [2] || (taken.is_none() && all == [1, 2]), "{all:?} after {taken:?}");
    });
}

/// Its message goes to the consumer that waits.
#[test]
fn a_death_of_a_reader() {
    with_death_bounded(1, |mortality| {
        let queue = queue(TWO, 2);
        let (dying, consumer) = (queue.clone(), queue.clone());
        let dying = mortal(1, &mortality, Kernel::Reports, move || {
            dying.read().expect("read").keep();
        });
        let other = in_time(2, move || pop(&consumer));
        let lived = dying.join().expect("a process").is_some();
        assert_eq!(pass_time(other), 1);
        assert_eq!(rest(&queue), [2]);
        assert!(queue.stats().redelivered <= u32::from(!lived));
    });
}

#[test]
fn a_death_while_closing() {
    with_death_bounded(1, |mortality| {
        let queue = queue(TWO, 0);
        let (dying, consumer) = (queue.clone(), queue.clone());
        let dying = mortal(1, &mortality, Kernel::Reports, move || dying.close().expect("close"));
        let other = in_time(2, move || consumer.pop());
        let lived = dying.join().expect("a process").is_some();
        if !lived {
            queue.close().expect("close");
        }
        assert_eq!(pass_time(other), Err(PopError::Closed));
    });
}
