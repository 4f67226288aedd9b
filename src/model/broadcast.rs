//! `Broadcast`: each message once for each subscriber, whole, in order, or told to be missed; deaths
//! of publishers and subscribers.

use super::atomic::no_races;
use super::membarrier::nobody_sleeps;
use super::run::{
    Kernel, begin, check, in_time, model, mortal, pass_time, process, with_death,
    with_death_bounded,
};
use crate::{Broadcast, RecvError, Segment, Slow, Start, Subscriber};

/// A message of two words, so that half of one would be seen.
type Twin = [u64; 2];

fn channel(capacity: usize, slow: Slow, messages: u64) -> Broadcast<Twin> {
    let segment = Segment::anonymous().expect("a segment");
    let channel = segment.broadcast_with("channel", capacity, slow, 2).expect("a channel");
    (1..=messages).for_each(|message| publish(&channel, message));
    begin(&segment);
    channel
}

fn publish(channel: &Broadcast<Twin>, message: u64) {
    channel.publish([message; 2]).expect("publish");
}

fn one(received: Result<Twin, RecvError>) -> Result<u64, RecvError> {
    received.map(|[first, second]| {
        assert_eq!(first, second, "torn");
        first
    })
}

fn recv(subscriber: &mut Subscriber<Twin>) -> u64 {
    one(subscriber.recv()).expect("recv")
}

/// What is there: messages, and 0 for each that was missed.
fn rest(subscriber: &mut Subscriber<Twin>) -> Vec<u64> {
    let mut all = Vec::new();
    loop {
        match one(subscriber.try_recv()) {
            Ok(message) => all.push(message),
            Err(RecvError::Lagged { missed }) => all.extend((0..missed).map(|_| 0)),
            Err(RecvError::Empty | RecvError::Closed) => return all,
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn both_subscribers_get_it() {
    check(1, || {
        let channel = channel(2, Slow::Block, 1);
        let there = channel.clone();
        let other = process(1, move || {
            let mut subscriber = there.subscribe(Start::Oldest).expect("subscribe");
            (recv(&mut subscriber), recv(&mut subscriber))
        });
        let mut subscriber = channel.subscribe(Start::Oldest).expect("subscribe");
        publish(&channel, 2);
        assert_eq!((recv(&mut subscriber), recv(&mut subscriber)), (1, 2));
        assert_eq!(other.join().expect("a process"), (1, 2));
    });
}

#[test]
fn a_slow_subscriber_is_waited_for() {
    check(1, || {
        let channel = channel(1, Slow::Block, 0);
        let mut subscriber = channel.subscribe(Start::Newest).expect("subscribe");
        let there = channel.clone();
        let other = process(1, move || {
            publish(&there, 1);
            publish(&there, 2);
        });
        assert_eq!((recv(&mut subscriber), recv(&mut subscriber)), (1, 2));
        other.join().expect("a process");
    });
}

#[test]
fn a_slow_subscriber_is_told_what_it_missed() {
    model(|| {
        let channel = channel(1, Slow::Overwrite, 1);
        let mut subscriber = channel.subscribe(Start::Oldest).expect("subscribe");
        let there = channel.clone();
        let other = process(1, move || publish(&there, 2));
        let mut all = rest(&mut subscriber);
        other.join().expect("a process");
        all.extend(rest(&mut subscriber));
        assert!(all == [1, 2] || all == [0, 2], "{all:?}");
    });
}

#[test]
fn the_end_is_seen_after_the_last_message() {
    model(|| {
        let channel = channel(2, Slow::Overwrite, 0);
        let mut subscriber = channel.subscribe(Start::Newest).expect("subscribe");
        let there = channel.clone();
        let other = process(1, move || {
            publish(&there, 1);
            there.close().expect("close");
        });
        assert_eq!(recv(&mut subscriber), 1);
        assert_eq!(subscriber.recv(), Err(RecvError::Closed));
        other.join().expect("a process");
    });
}

/// By one that only looks: no fence helps it.
#[test]
fn the_end_is_not_seen_before_the_last_message() {
    model(|| {
        nobody_sleeps();
        let channel = channel(2, Slow::Block, 0);
        let there = channel.clone();
        let (tell, told) = loom::sync::mpsc::channel();
        let other = process(1, move || {
            let mut subscriber = there.subscribe(Start::Oldest).expect("subscribe");
            tell.send(()).expect("somebody listens");
            loom::thread::yield_now();
            one(subscriber.try_recv())
        });
        told.recv().expect("a subscriber");
        publish(&channel, 1);
        channel.close().expect("close");
        assert_ne!(other.join().expect("a process"), Err(RecvError::Closed));
    });
}

/// Who is waited for has read what is written over.
#[test]
fn nothing_is_written_over_while_it_is_read() {
    check(1, || {
        let channel = channel(1, Slow::Block, 1);
        channel.memory().for_each(no_races);
        let there = channel.clone();
        let mut subscriber = channel.subscribe(Start::Oldest).expect("subscribe");
        let other = process(1, move || publish(&there, 2));
        assert_eq!((recv(&mut subscriber), recv(&mut subscriber)), (1, 2));
        other.join().expect("a process");
    });
}

#[test]
fn who_subscribes_is_waited_for() {
    model(|| {
        let channel = channel(1, Slow::Block, 1);
        let there = channel.clone();
        let other = process(1, move || there.try_publish([2; 2]).is_ok());
        let mut subscriber = channel.subscribe(Start::Oldest).expect("subscribe");
        let published = other.join().expect("a process");
        let all = rest(&mut subscriber);
        // It came before or after: it overwrote the message, or found it waited for.
        assert_eq!(all, if published { [2] } else { [1] });
    });
}

/// Its message is there or not; the others' are, and nobody waits for time to pass.
#[test]
fn a_death_of_a_publisher() {
    with_death_bounded(1, |mortality| {
        let channel = channel(2, Slow::Overwrite, 0);
        let (dying, there) = (channel.clone(), channel.clone());
        let dying = mortal(1, &mortality, Kernel::Reports, move || publish(&dying, 1));
        let other = in_time(2, move || {
            let mut subscriber = there.subscribe(Start::Oldest).expect("subscribe");
            recv(&mut subscriber)
        });
        let lived = dying.join().expect("a process").is_some();
        publish(&channel, 2);
        let first = pass_time(other);
        assert!(first == 1 || first == 2, "{first}");
        let all = rest(&mut channel.subscribe(Start::Oldest).expect("subscribe"));
        assert!(all == [1, 2] || (!lived && all == [2]), "{all:?}");
    });
}

/// What it was overwriting counts as missed.
#[test]
fn a_death_of_a_publisher_that_overwrites() {
    with_death(|mortality| {
        let channel = channel(1, Slow::Overwrite, 1);
        let mut subscriber = channel.subscribe(Start::Oldest).expect("subscribe");
        let dying = channel.clone();
        let dying = mortal(1, &mortality, Kernel::Reports, move || publish(&dying, 2));
        let mut all = rest(&mut subscriber);
        let lived = dying.join().expect("a process").is_some();
        all.extend(rest(&mut subscriber));
        publish(&channel, 3);
        all.extend(rest(&mut subscriber));
        let right: &[&[u64]] = if lived {
            &[&[1, 2, 3], &[0, 2, 3]]
        } else {
            &[&[1, 2, 3], &[0, 2, 3], &[1, 3], &[0, 3]]
        };
        assert!(right.contains(&all.as_slice()), "{all:?}");
    });
}

/// A publisher that waits for it goes on at once.
#[test]
fn a_death_of_a_subscriber_that_is_waited_for() {
    with_death_bounded(1, |mortality| {
        let channel = channel(1, Slow::Block, 1);
        let (dying, there) = (channel.clone(), channel.clone());
        let dying = mortal(1, &mortality, Kernel::Reports, move || {
            let mut subscriber = dying.subscribe(Start::Oldest).expect("subscribe");
            recv(&mut subscriber)
        });
        let other = process(2, move || publish(&there, 2));
        if let Some(first) = dying.join().expect("a process") {
            assert!(first == 1 || first == 2);
        }
        other.join().expect("a process");
        assert_eq!(channel.subscribers(), 0, "its place is free");
        let mut subscriber = channel.subscribe(Start::Oldest).expect("subscribe");
        assert_eq!(rest(&mut subscriber), [2]);
    });
}
