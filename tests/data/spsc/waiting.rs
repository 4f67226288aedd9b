//! Who waits is woken, in time and at no cost, whoever else is killed.

use std::time::Duration;

use outlive::{PopError, PushError, Reset, wait_any};

use super::driver::{Driver, ring};
use crate::observe::not_before;

#[test]
fn a_push_wakes_the_consumer_and_a_pop_the_producer() {
    for capacity in [1, 2, 3] {
        let (_segment, ring, name) = ring("wakes", capacity);
        {
            let mut producer = ring.producer().expect("producer");
            let mut peer = Driver::with(&name, "consumer");
            for command in ["pop", "pop-timeout 0 600000"] {
                for message in 0..20 {
                    peer.block(command);
                    producer.push(message).expect("push");
                    peer.peer.expect(&message.to_string());
                }
            }
            peer.block("pop-slice");
            producer.push_slice(&[5, 6][..capacity.min(2)]).expect("push");
            peer.peer.expect(&format!("{:?}", &[5, 6][..capacity.min(2)]));
            peer.block("wait-consumer 0 600000");
            producer.push(7).expect("push");
            peer.peer.expect("ready");
            peer.does("read-chunk 0 3", "[7] []");
            peer.commits(1);
            peer.start("read-chunk 0 3");
            producer.write_chunk(1).expect("a chunk").fill([8]);
            peer.peer.expect("[8] []");
            peer.commits(1);
            peer.peer.join();
        }
        let mut consumer = ring.consumer().expect("consumer");
        let mut peer = Driver::with(&name, "producer");
        (0..capacity).for_each(|_| peer.does("push 1", "pushed"));
        for command in ["push 5", "push-timeout 5 600000"] {
            for _ in 0..20 {
                peer.block(command);
                consumer.pop().expect("pop");
                peer.peer.expect("pushed");
                assert_eq!(ring.len(), capacity);
            }
        }
        peer.block("wait-producer 0 600000");
        consumer.pop().expect("pop");
        peer.peer.expect("ready");
        // It goes on with each pop, until all three are there.
        peer.start("push-slice 50");
        let popped = std::iter::from_fn(|| consumer.pop().ok());
        let new: Vec<u64> = popped.filter(|message| *message >= 50).take(3).collect();
        assert_eq!(new, [50, 51, 52]);
        peer.peer.expect("pushed");
        peer.peer.join();
    }
}

#[test]
fn a_timeout_never_ends_early() {
    let (_segment, ring, _name) = ring("timeout", 2);
    let (mut producer, mut consumer) =
        (ring.producer().expect("producer"), ring.consumer().expect("consumer"));
    for millis in [0, 1, 50, 130] {
        let timeout = Duration::from_millis(millis);
        let popped = not_before(timeout, || consumer.pop_timeout(timeout));
        assert_eq!(popped, Err(PopError::TimedOut));
        let popped = not_before(timeout, || consumer.pop_slice_timeout(&mut [0; 3], timeout));
        assert_eq!(popped, Err(PopError::TimedOut));
        let ready = not_before(timeout, || wait_any(&[&consumer], Some(timeout)));
        assert_eq!(ready.expect("wait"), None);
    }
    producer.push_timeout(1, Duration::ZERO).expect("there is room: no time is needed");
    producer.push_timeout(2, Duration::MAX).expect("longer than any clock");
    for millis in [0, 1, 50, 130] {
        let timeout = Duration::from_millis(millis);
        let pushed = not_before(timeout, || producer.push_timeout(9, timeout));
        assert_eq!(pushed, Err(PushError::TimedOut(9)));
        let pushed = not_before(timeout, || producer.push_slice_timeout(&[8, 9], timeout));
        assert_eq!(pushed, Err(PushError::TimedOut(0)));
        let ready = not_before(timeout, || wait_any(&[&producer], Some(timeout)));
        assert_eq!(ready.expect("wait"), None);
    }
    assert_eq!(consumer.pop_timeout(Duration::ZERO), Ok(1));
    assert_eq!(consumer.pop_timeout(Duration::MAX), Ok(2));
}

#[test]
fn waiting_does_not_use_the_processor() {
    let (_segment, _ring, name) = ring("cost", 1);
    let mut producer = Driver::with(&name, "producer");
    let mut consumer = Driver::with(&name, "consumer");
    consumer.does("idle-pop 0 300", "idle");
    consumer.does("idle-wait-consumer 0 300", "idle");
    producer.does("push 1", "pushed");
    producer.does("idle-push 0 300", "idle");
    // The other side died, and its role tells so: that is nothing to run for.
    producer.peer.kill();
    consumer.does("pop", "1");
    consumer.does("idle-pop 0 300", "idle");
    let mut producer = Driver::with(&name, "producer");
    producer.does("push 2", "pushed");
    consumer.peer.kill();
    producer.does("idle-push 0 300", "idle");
    producer.peer.join();
}

#[test]
fn ends_are_waited_for_together_with_other_things() {
    let (segment, ring, _name) = ring("any", 1);
    let event = segment.event("e", Reset::Manual).expect("event");
    let (mut producer, mut consumer) =
        (ring.producer().expect("producer"), ring.consumer().expect("consumer"));
    let now = Some(Duration::ZERO);
    for message in 0..3 {
        assert_eq!(wait_any(&[&event, &consumer], now).expect("wait"), None);
        assert_eq!(wait_any(&[&event, &consumer, &producer], now).expect("wait"), Some(2));
        producer.push(message).expect("push");
        assert_eq!(wait_any(&[&event, &producer, &consumer], now).expect("wait"), Some(2));
        assert_eq!(wait_any(&[&producer, &event], now).expect("wait"), None);
        assert_eq!(consumer.pop(), Ok(message), "a look took nothing");
    }
    producer.close();
    assert_eq!(wait_any(&[&event, &producer], now).expect("wait"), Some(1));
    assert_eq!(wait_any(&[&event, &consumer], now).expect("wait"), Some(1));
}

#[test]
fn who_sleeps_as_the_other_side_dies_goes_on_with_the_successor() {
    for command in ["pop", "pop-timeout 0 600000", "wait-consumer 0 600000"] {
        let (_segment, ring, name) = ring("successor", 1);
        let mut sleeper = Driver::with(&name, "consumer");
        for message in 0..5 {
            let dying = Driver::with(&name, "producer");
            sleeper.block(command);
            dying.peer.kill();
            ring.producer().expect("the role is free").push(message).expect("push");
            if command.starts_with("wait") {
                sleeper.peer.expect("ready");
                sleeper.start("pop");
            }
            sleeper.peer.expect(&message.to_string());
        }
        sleeper.peer.join();
    }
    for (command, woken) in [("push 7", "pushed"), ("wait-producer 0 600000", "ready")] {
        let (_segment, ring, name) = ring("successor", 1);
        let mut sleeper = Driver::with(&name, "producer");
        sleeper.does("push 7", "pushed");
        for _ in 0..5 {
            let dying = Driver::with(&name, "consumer");
            sleeper.block(command);
            dying.peer.kill();
            assert_eq!(ring.consumer().expect("the role is free").pop(), Ok(7));
            sleeper.peer.expect(woken);
            if woken == "ready" {
                sleeper.does("push 7", "pushed");
            }
        }
        sleeper.peer.join();
    }
}

/// The kernel wakes one of those who sleep on the role's word: it may be the wrong one.
#[test]
fn a_death_wakes_who_waits_for_the_role_beside_the_other_side() {
    for (dies, sleeps, command) in
        [("producer", "consumer", "pop"), ("consumer", "producer", "push 7")]
    {
        let (_segment, _ring, name) = ring("beside", 1);
        let mut sleeper = Driver::with(&name, sleeps);
        if dies == "consumer" {
            sleeper.does(command, "pushed");
        }
        for _ in 0..5 {
            let dying = Driver::with(&name, dies);
            let mut heir = Driver::new(&name);
            sleeper.block(command);
            heir.block(&format!("{dies}-timeout 0 600000"));
            dying.peer.kill();
            heir.peer.expect("taken");
            if dies == "producer" {
                heir.does("push 5", "pushed");
                sleeper.peer.expect("5");
            } else {
                heir.does("pop", "7");
                sleeper.peer.expect("pushed");
            }
            heir.peer.join();
        }
        sleeper.peer.join();
    }
}
