//! `Spsc`: each message once, in order, whole, through the slots and beside the position; slices; deaths on
//! both sides, and who takes over. What is written in place is written by no model, but published as
//! slices are.

use super::atomic::no_races;
use super::membarrier::nobody_sleeps;
use super::run::{
    Kernel, begin, check, in_time, model, mortal, pass_time, process, with_death,
    with_death_bounded,
};
use crate::{PopError, PushError, RoleError, Segment, Shared, Spsc};

/// A message of two words, so that half of one would be seen. It lies in its slot only.
type Twin = [u64; 2];

fn ring<T: Shared>(capacity: usize) -> Spsc<T> {
    ring_with(capacity, &[])
}

fn ring_with<T: Shared>(capacity: usize, messages: &[T]) -> Spsc<T> {
    let segment = Segment::anonymous().expect("a segment");
    let ring = segment.spsc("ring", capacity).expect("a ring");
    ring.producer().expect("producer").push_slice(messages).expect("push");
    begin(&segment);
    no_races(ring.memory());
    ring
}

fn one([first, second]: Twin) -> u64 {
    assert_eq!(first, second, "torn");
    first
}

#[test]
fn one_to_one_through_a_full_and_an_empty_ring() {
    model(|| {
        let ring = ring::<Twin>(1);
        let there = ring.clone();
        let other = process(1, move || {
            let mut producer = there.producer().expect("producer");
            producer.push([1; 2]).expect("push");
            producer.push([2; 2]).expect("push");
        });
        let mut consumer = ring.consumer().expect("consumer");
        let popped = [1, 2].map(|_| one(consumer.pop().expect("pop")));
        assert_eq!(popped, [1, 2]);
        other.join().expect("a process");
    });
}

#[test]
fn the_length_counts_what_is_there_all_the_time() {
    model(|| {
        let ring = ring_with(2, &[[1; 2]]);
        let there = ring.clone();
        // The checker sees no race of a load with a thread that loads and then stores.
        let other = process(1, move || there.len());
        ring.producer().expect("producer").push([2; 2]).expect("push");
        assert_eq!(one(ring.consumer().expect("consumer").pop().expect("pop")), 1);
        assert!((1..=2).contains(&other.join().expect("a process")), "never empty");
    });
}

/// The copy beside the position is that of the newest message, or is not used.
#[test]
fn small_messages_around_the_ring() {
    check(1, || {
        let ring = ring::<u64>(2);
        let there = ring.clone();
        let other = process(1, move || {
            let mut producer = there.producer().expect("producer");
            (1..=3).for_each(|message| producer.push(message).expect("push"));
        });
        let mut consumer = ring.consumer().expect("consumer");
        let popped = [1, 2, 3].map(|_| consumer.pop().expect("pop"));
        assert_eq!(popped, [1, 2, 3]);
        other.join().expect("a process");
    });
}

/// A copy is written over by the message after the next one while somebody reads it.
#[test]
fn a_copy_that_is_written_over_is_not_taken() {
    model(|| {
        nobody_sleeps();
        let ring = ring::<u64>(4);
        let there = ring.clone();
        let other = process(1, move || there.consumer().expect("consumer").try_pop());
        let mut producer = ring.producer().expect("producer");
        (1..=3).for_each(|message| producer.push(message).expect("push"));
        let popped = other.join().expect("a process");
        assert!(matches!(popped, Ok(1) | Err(PopError::Empty)), "{popped:?}");
    });
}

/// The copy beside the position is not taken for a message that has none there.
#[test]
fn slices_of_small_messages_and_a_chunk_that_is_given_up() {
    check(1, || {
        let ring = ring::<u64>(2);
        let there = ring.clone();
        let other = process(1, move || {
            let mut producer = there.producer().expect("producer");
            producer.push(1).expect("push");
            drop(producer.write_chunk(2).expect("a chunk"));
            producer.push_slice(&[2, 3]).expect("push");
        });
        let mut consumer = ring.consumer().expect("consumer");
        let mut popped = vec![consumer.pop().expect("pop")];
        while popped.len() < 3 {
            let mut some = [0; 2];
            let count = consumer.pop_slice(&mut some).expect("pop");
            popped.extend(&some[..count]);
        }
        assert_eq!(popped, [1, 2, 3]);
        other.join().expect("a process");
    });
}

/// A consumer that goes on among messages that were published together finds the last of them alone,
/// and beside the position the copy of an earlier one.
#[test]
fn a_successor_among_messages_of_a_slice() {
    check(1, || {
        let ring = ring::<u64>(4);
        let mut producer = ring.producer().expect("producer");
        producer.push(1).expect("push");
        producer.push(2).expect("push");
        producer.push_slice(&[3, 4]).expect("push");
        let mut consumer = ring.consumer().expect("consumer");
        assert_eq!([1, 2, 3].map(|_| consumer.pop().expect("pop")), [1, 2, 3]);
        drop(consumer);
        let there = ring.clone();
        let other = process(1, move || there.consumer().expect("consumer").pop().expect("pop"));
        producer.push(5).expect("push");
        assert_eq!(other.join().expect("a process"), 4);
    });
}

/// Somebody who saw the position before does not take the copy of a later message for its own.
#[test]
fn a_chunk_that_is_given_up_beside_a_pop() {
    check(1, || {
        let ring = ring::<u64>(3);
        let there = ring.clone();
        let other = process(1, move || {
            let mut producer = there.producer().expect("producer");
            producer.push_slice(&[1]).expect("push");
            producer.push_slice(&[2]).expect("push");
            drop(producer.write_chunk(1).expect("a chunk"));
        });
        let mut consumer = ring.consumer().expect("consumer");
        assert_eq!((consumer.pop(), consumer.pop()), (Ok(1), Ok(2)));
        other.join().expect("a process");
    });
}

#[test]
fn the_end_is_seen_after_the_last_message() {
    model(|| {
        let ring = ring::<Twin>(2);
        let there = ring.clone();
        let other = process(1, move || {
            let mut producer = there.producer().expect("producer");
            producer.push([1; 2]).expect("push");
            producer.close();
        });
        let mut consumer = ring.consumer().expect("consumer");
        assert_eq!(one(consumer.pop().expect("pop")), 1);
        assert_eq!(consumer.pop(), Err(PopError::Closed));
        other.join().expect("a process");
    });
}

/// By one that only looks: no fence helps it.
#[test]
fn the_end_is_not_seen_before_the_last_message() {
    model(|| {
        nobody_sleeps();
        let ring = ring::<Twin>(2);
        let there = ring.clone();
        let other = process(1, move || there.consumer().expect("consumer").try_pop());
        let mut producer = ring.producer().expect("producer");
        producer.push([1; 2]).expect("push");
        producer.close();
        assert_ne!(other.join().expect("a process"), Err(PopError::Closed));
    });
}

#[test]
fn a_close_wakes_who_waits_for_room() {
    model(|| {
        let ring = ring_with::<Twin>(1, &[[1; 2]]);
        let there = ring.clone();
        let other = process(1, move || {
            let mut producer = there.producer().expect("producer");
            assert_eq!(producer.push([2; 2]), Err(PushError::Closed([2; 2])));
        });
        ring.consumer().expect("consumer").close();
        other.join().expect("a process");
    });
}

#[test]
fn one_of_two_gets_the_role() {
    model(|| {
        let ring = ring::<Twin>(2);
        let take = |ring: &Spsc<Twin>, message| match ring.producer() {
            Ok(mut producer) => {
                producer.push([message; 2]).expect("push");
                1
            }
            Err(RoleError::Taken { .. }) => 0,
            Err(error) => panic!("{error}"),
        };
        let there = ring.clone();
        let other = process(1, move || take(&there, 1));
        let mine = take(&ring, 2);
        let count = mine + other.join().expect("a process");
        assert!(count >= 1);
        let mut consumer = ring.consumer().expect("consumer");
        for _ in 0..count {
            one(consumer.try_pop().expect("pop"));
        }
        assert_eq!(consumer.try_pop(), Err(PopError::Empty));
    });
}

fn rest(ring: &Spsc<u64>) -> Vec<u64> {
    let mut consumer = ring.consumer().expect("the role is free");
    std::iter::from_fn(|| consumer.try_pop().ok()).collect()
}

/// Its message is there or not, and the successor's comes after it.
#[test]
fn a_death_of_a_producer() {
    with_death(|mortality| {
        let ring = ring_with::<u64>(2, &[1]);
        let (dying, there) = (ring.clone(), ring.clone());
        let dying = mortal(1, &mortality, Kernel::Reports, move || {
            let mut producer = dying.producer().expect("producer");
            producer.push(2).expect("push");
        });
        let other = process(2, move || there.consumer().expect("consumer").pop().expect("pop"));
        let lived = dying.join().expect("a process").is_some();
        assert_eq!(other.join().expect("a process"), 1);
        let mut producer = ring.producer().expect("the role is free");
        producer.push(3).expect("push");
        let all = rest(&ring);
        assert!(all == [2, 3] || (!lived && all == [3]), "{all:?}");
        assert!(ring.stats().dropped <= u32::from(!lived));
    });
}

/// A consumer that waits gets what the dead one pushed in time.
#[test]
fn a_death_of_a_producer_for_whom_the_consumer_waits() {
    with_death_bounded(1, |mortality| {
        let ring = ring::<u64>(2);
        let (dying, there) = (ring.clone(), ring.clone());
        let dying = mortal(1, &mortality, Kernel::Reports, move || {
            let mut producer = dying.producer().expect("producer");
            producer.push(1).expect("push");
        });
        let other = in_time(2, move || there.consumer().expect("consumer").pop().expect("pop"));
        let lived = dying.join().expect("a process").is_some();
        ring.producer().expect("the role is free").push(2).expect("push");
        let first = pass_time(other);
        assert!(first == 1 || (!lived && first == 2), "{first}");
        assert_eq!(rest(&ring), if first == 1 { vec![2] } else { vec![] });
    });
}

#[test]
fn a_death_of_a_consumer_for_whom_the_producer_waits() {
    with_death_bounded(1, |mortality| {
        let ring = ring_with::<u64>(1, &[1]);
        let (dying, there) = (ring.clone(), ring.clone());
        let dying = mortal(1, &mortality, Kernel::Reports, move || {
            dying.consumer().expect("consumer").pop().expect("pop")
        });
        let other = in_time(2, move || {
            let mut producer = there.producer().expect("producer");
            producer.push(2).expect("push");
        });
        let taken = dying.join().expect("a process");
        let mut all = rest(&ring);
        pass_time(other);
        all.extend(rest(&ring));
        assert!(all == [2] || (taken.is_none() && all == [1, 2]), "{all:?} after {taken:?}");
        assert!(ring.stats().redelivered <= u32::from(taken.is_none()));
    });
}

#[test]
fn a_death_with_a_slice() {
    with_death(|mortality| {
        let ring = ring::<u64>(3);
        let dying = ring.clone();
        let dying = mortal(1, &mortality, Kernel::Reports, move || {
            let mut producer = dying.producer().expect("producer");
            producer.push_slice(&[1, 2]).expect("push");
        });
        let lived = dying.join().expect("a process").is_some();
        ring.producer().expect("the role is free").push(3).expect("push");
        let all = rest(&ring);
        assert!(all == [1, 2, 3] || (!lived && all == [3]), "{all:?}");
    });
}
