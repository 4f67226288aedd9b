//! Killed with a guard: nothing of a grant is pushed, and a message goes to the next consumer.

use outlive::{ByteQueue, Segment};

use super::driver::{Driver, queue};
use crate::observe::Random;
use crate::support::{Peer, await_death, say};

#[test]
fn a_grant_of_a_killed_producer_is_dropped_whole_and_counted() {
    let (_segment, queue, name) = queue("dropped", 256);
    for round in 1..=5 {
        let mut dying = Driver::new(&name);
        dying.does("push before", "pushed");
        dying.does("grant half-way", "granted");
        let mut waiter = Driver::new(&name);
        waiter.block("push after");
        assert_eq!(queue.len(), 1);
        dying.peer.kill();
        waiter.peer.expect("pushed");
        assert_eq!(queue.stats().dropped, round);
        assert_eq!(queue.len(), 2);
        assert_eq!(queue.pop().as_deref(), Ok(&b"before"[..]));
        assert_eq!(queue.pop().as_deref(), Ok(&b"after"[..]));
        waiter.peer.join();
    }
    assert_eq!((queue.stats().dropped, queue.stats().redelivered), (5, 0));
}

#[test]
fn a_message_in_the_hands_of_a_killed_consumer_goes_to_the_next_and_is_counted() {
    let (_segment, queue, name) = queue("redelivered", 256);
    for round in 1..=5 {
        queue.push(b"first").expect("push");
        queue.push(b"second").expect("push");
        let mut dying = Driver::new(&name);
        dying.does("read", "first");
        let mut waiter = Driver::new(&name);
        waiter.block("pop");
        assert_eq!(queue.len(), 2);
        dying.peer.kill();
        waiter.peer.expect("first");
        assert_eq!(queue.stats().redelivered, round);
        assert_eq!(queue.pop().as_deref(), Ok(&b"second"[..]));
        waiter.peer.join();
    }
    assert_eq!((queue.stats().dropped, queue.stats().redelivered), (0, 5));
}

/// Both sleep when the message comes: one reads it and is killed.
#[test]
fn a_consumer_that_slept_gets_the_message_of_the_dead() {
    let (_segment, queue, name) = queue("slept", 256);
    for _ in 0..5 {
        let mut sleeper = Driver::new(&name);
        sleeper.block("pop");
        let mut dying = Driver::new(&name);
        dying.block("read");
        // So that it cannot get the message, whichever of the two is woken for it.
        sleeper.stop();
        queue.push(b"it is").expect("push");
        dying.peer.expect("it is");
        dying.peer.kill();
        sleeper.go_on();
        sleeper.peer.expect("it is");
        sleeper.peer.join();
    }
    assert_eq!(queue.stats().redelivered, 5);
}

#[test]
fn what_a_killed_producer_had_pushed_is_there() {
    let (_segment, queue, name) = queue("stays", 40);
    let mut dying = Driver::new(&name);
    dying.does("push 1234567890123456", "pushed");
    dying.block("push 1234567890123456");
    dying.peer.kill();
    assert_eq!(queue.pop().as_deref(), Ok(&b"1234567890123456"[..]));
    queue.push(b"next").expect("push");
    assert_eq!(queue.pop().as_deref(), Ok(&b"next"[..]));
    let stats = queue.stats();
    assert_eq!((stats.dropped, stats.redelivered), (0, 0), "nobody died at work");
}

const LENGTH: usize = 3000;

/// The role: pushes, by turns copied and in place, until it is killed.
pub(crate) fn write_for_ever(arguments: &[String]) {
    let segment = Segment::open(&arguments[0]).expect("open");
    let queue: ByteQueue = segment.find("q").expect("find");
    let mut random = Random::new(u64::from(std::process::id()));
    say("ready");
    loop {
        let mut grant = queue.grant(random.below(LENGTH as u64) as usize).expect("grant");
        let length = grant.len();
        let mark = random.below(256) as u8;
        grant.fill(mark);
        if mark.is_multiple_of(2) {
            grant.commit();
            queue.push(&vec![mark; length]).expect("push");
        } else {
            grant.commit_part(length / 2);
        }
    }
}

/// The role: takes messages, by turns copied and in place, until the queue is closed.
pub(crate) fn read_for_ever(arguments: &[String]) {
    let segment = Segment::open(&arguments[0]).expect("open");
    let queue: ByteQueue = segment.find("q").expect("find");
    let mut buffer = Vec::new();
    say("ready");
    while queue.pop_into(&mut buffer).is_ok() {
        assert!(buffer.iter().all(|byte| *byte == buffer[0]), "torn: {buffer:?}");
        let Ok(message) = queue.read() else { break };
        assert!(message.iter().all(|byte| *byte == message[0]), "torn: {message:?}");
        if message.len().is_multiple_of(3) { message.keep() } else { message.release() }
    }
    await_death();
}

#[test]
fn kills_in_the_middle_of_long_copies_tear_nothing() {
    const KILLS: u32 = 24;
    let (_segment, queue, name) = queue("tear", 2 * LENGTH + 100);
    let start = |role| {
        let mut peer = Peer::spawn(role, &[&name]);
        peer.expect("ready");
        peer
    };
    let mut random = Random::new(5);
    let (mut writer, mut reader) = (start("byte queue write"), start("byte queue read"));
    for _ in 0..KILLS / 2 {
        for _ in 0..random.below(500) {
            let message = queue.pop().expect("pop");
            assert!(message.iter().all(|byte| *byte == message[0]), "torn: {message:?}");
        }
        writer.kill();
        writer = start("byte queue write");
        for _ in 0..random.below(500) {
            queue.push(&[7; LENGTH]).expect("push");
        }
        reader.kill();
        reader = start("byte queue read");
    }
    writer.kill();
    queue.close().expect("close");
    while queue.pop().is_ok() {}
    assert!(queue.is_empty());
    let stats = queue.stats();
    assert!(stats.dropped <= KILLS / 2 + 1 && stats.redelivered <= KILLS / 2, "{stats:?}");
    reader.kill();
}
