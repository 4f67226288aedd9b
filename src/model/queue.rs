//! `Queue`: each message once, in order, whole; full and empty; deaths on both sides.

use super::atomic::no_races;
use super::membarrier::nobody_sleeps;
use super::run::{
    Kernel, Mortality, begin, check, in_time, model, mortal, pass_time, process, with_death,
};
use crate::{OnDeath, PopError, PushError, Queue, Segment};

/// A message of two words, so that half of one would be seen.
type Twin = [u64; 2];

fn queue(capacity: usize, messages: u64) -> Queue<Twin> {
    queue_with(capacity, messages, OnDeath::Redeliver)
}

fn queue_with(capacity: usize, messages: u64, on_death: OnDeath) -> Queue<Twin> {
    let segment = Segment::anonymous().expect("a segment");
    let queue = segment.queue_with("queue", capacity, on_death).expect("a queue");
    (1..=messages).for_each(|message| queue.push([message; 2]).expect("push"));
    begin(&segment);
    queue.memory().for_each(no_races);
    queue
}

fn pop(queue: &Queue<Twin>) -> u64 {
    let [first, second] = queue.pop().expect("pop");
    assert_eq!(first, second, "torn");
    first
}

fn rest(queue: &Queue<Twin>) -> Vec<u64> {
    std::iter::from_fn(|| queue.try_pop().ok())
        .map(|[first, second]| {
            assert_eq!(first, second, "torn");
            first
        })
        .collect()
}

#[test]
fn one_to_one_through_a_full_and_an_empty_queue() {
    model(|| {
        let queue = queue(1, 0);
        let producer = queue.clone();
        let other = process(1, move || {
            producer.push([1; 2]).expect("push");
            producer.push([2; 2]).expect("push");
        });
        assert_eq!((pop(&queue), pop(&queue)), (1, 2));
        other.join().expect("a process");
    });
}

#[test]
fn two_producers() {
    // Three processes: two interruptions take minutes, and find no more.
    check(1, || {
        let queue = queue(2, 0);
        let others: Vec<_> = (1..3)
            .map(|number| {
                let queue = queue.clone();
                process(number, move || queue.push([u64::from(number); 2]).expect("push"))
            })
            .collect();
        let mut all = [pop(&queue), pop(&queue)];
        all.sort_unstable();
        assert_eq!(all, [1, 2]);
        others.into_iter().for_each(|other| other.join().expect("a process"));
    });
}

#[test]
fn two_consumers() {
    check(1, || {
        let queue = queue(2, 0);
        let others: Vec<_> = (1..3)
            .map(|number| {
                let queue = queue.clone();
                process(number, move || pop(&queue))
            })
            .collect();
        queue.push([1; 2]).expect("push");
        queue.push([2; 2]).expect("push");
        let mut all: Vec<_> =
            others.into_iter().map(|other| other.join().expect("a process")).collect();
        all.sort_unstable();
        assert_eq!(all, [1, 2]);
    });
}

/// A cell is filled again while its old message may be read still.
#[test]
fn around_the_ring() {
    model(|| {
        let queue = queue(1, 1);
        let producer = queue.clone();
        let other = process(1, move || producer.push([2; 2]).expect("push"));
        assert_eq!((pop(&queue), pop(&queue)), (1, 2));
        other.join().expect("a process");
        assert!(queue.is_empty());
    });
}

#[test]
fn the_end_is_seen_after_the_last_message() {
    model(|| {
        let queue = queue(2, 0);
        let producer = queue.clone();
        let other = process(1, move || {
            producer.push([1; 2]).expect("push");
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
        let queue = queue(2, 0);
        let consumer = queue.clone();
        let other = process(1, move || consumer.try_pop());
        queue.push([1; 2]).expect("push");
        queue.close().expect("close");
        assert_ne!(other.join().expect("a process"), Err(PopError::Closed));
    });
}

#[test]
fn a_close_wakes_who_waits_for_room() {
    model(|| {
        let queue = queue(1, 1);
        let producer = queue.clone();
        let other = process(1, move || {
            assert_eq!(producer.push([2; 2]), Err(PushError::Closed([2; 2])));
        });
        queue.close().expect("close");
        other.join().expect("a process");
    });
}

#[test]
fn the_length_is_one_that_there_was() {
    model(|| {
        let queue = queue(2, 1);
        let peer = queue.clone();
        let other = process(1, move || {
            assert_eq!(pop(&peer), 1);
            peer.push([2; 2]).expect("push");
        });
        assert!(queue.len() <= 1, "two at no time");
        other.join().expect("a process");
        assert_eq!(queue.len(), 1);
    });
}

#[test]
fn the_length_counts_what_is_there_all_the_time() {
    model(|| {
        let queue = queue(2, 1);
        let peer = queue.clone();
        let other = process(1, move || {
            peer.push([2; 2]).expect("push");
            assert_eq!(pop(&peer), 1);
        });
        assert!((1..=2).contains(&queue.len()), "never empty");
        other.join().expect("a process");
    });
}

#[test]
fn a_death_of_a_producer() {
    with_death(|mortality| {
        let queue = queue(2, 0);
        let dying = queue.clone();
        let dying =
            mortal(1, &mortality, Kernel::Reports, move || dying.push([1; 2]).expect("push"));
        queue.push([2; 2]).expect("push");
        let lived = dying.join().expect("a process").is_some();
        let mut all = rest(&queue);
        all.sort_unstable();
        assert!(all == [1, 2] || (!lived && all == [2]), "{all:?}");
    });
}

/// Its message is there or not; a consumer that waits gets it in time.
#[test]
fn a_death_of_a_producer_for_whom_a_consumer_waits() {
    with_death(|mortality| {
        let queue = queue(2, 0);
        let (dying, consumer) = (queue.clone(), queue.clone());
        let dying =
            mortal(1, &mortality, Kernel::Reports, move || dying.push([1; 2]).expect("push"));
        let other = in_time(2, move || pop(&consumer));
        let lived = dying.join().expect("a process").is_some();
        queue.push([2; 2]).expect("push");
        let first = pass_time(other);
        assert!(first == 1 || (!lived && first == 2), "{first}");
        assert_eq!(rest(&queue), if first == 1 { vec![2] } else { vec![] });
    });
}

#[test]
fn a_death_of_a_consumer() {
    with_death(|mortality| {
        let queue = queue(2, 2);
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
    });
}

/// One dies, one of those that repair dies: a message that was begun is redelivered, or dropped, and
/// counted once.
#[test]
fn two_deaths_of_consumers() {
    /// More than a pop takes.
    const STEPS: usize = 40;
    for on_death in [OnDeath::Redeliver, OnDeath::Drop] {
        for first in 0..STEPS {
            with_death(move |mortality| {
                let queue = queue_with(4, 3, on_death);
                let pops = [Mortality::after(first), mortality].map(|mortality| {
                    let dying = queue.clone();
                    mortal(1, &mortality, Kernel::Reports, move || pop(&dying))
                        .join()
                        .expect("a process")
                });
                let left = rest(&queue);
                let gone = 3 - left.len() as u64;
                assert_eq!(left, (gone + 1..=3).collect::<Vec<_>>());
                let [dropped, redelivered] =
                    [queue.stats().dropped, queue.stats().redelivered].map(u64::from);
                let (popped, died) = (pops.iter().flatten().count() as u64, pops.contains(&None));
                assert!(pops.iter().flatten().is_sorted(), "{pops:?}");
                assert!(dropped + redelivered == 0 || died, "{dropped}, {redelivered} of none");
                match on_death {
                    // What went with the dead had been taken.
                    OnDeath::Redeliver => assert!(dropped == 0 && (popped..=2).contains(&gone)),
                    OnDeath::Drop => {
                        assert!(redelivered == 0 && (popped + dropped..=2).contains(&gone));
                    }
                }
            });
        }
    }
}

#[test]
fn a_death_of_a_consumer_for_whom_a_producer_waits() {
    with_death(|mortality| {
        let queue = queue(1, 1);
        let (dying, producer) = (queue.clone(), queue.clone());
        let dying = mortal(1, &mortality, Kernel::Reports, move || pop(&dying));
        let other = in_time(2, move || producer.push([2; 2]).expect("push"));
        let taken = dying.join().expect("a process");
        let mut all = rest(&queue);
        pass_time(other);
        all.extend(rest(&queue));
        assert!(all == [2] || (taken.is_none() && all == [1, 2]), "{all:?} after {taken:?}");
    });
}

#[test]
fn a_death_while_closing() {
    with_death(|mortality| {
        let queue = queue(2, 0);
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
