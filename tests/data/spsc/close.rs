//! Close, from either side.

use std::time::Duration;

use outlive::{PopError, PushError};

use super::driver::{Driver, ring};

#[test]
fn a_closed_ring_gives_what_is_left() {
    for from_producer in [true, false] {
        let (_segment, ring, _name) = ring("close", 4);
        let (mut producer, mut consumer) =
            (ring.producer().expect("producer"), ring.consumer().expect("consumer"));
        producer.push_slice(&[1, 2, 3]).expect("push");
        assert!(!ring.is_closed());
        for _again in 0..2 {
            if from_producer { producer.close() } else { consumer.close() }
        }
        assert!(ring.is_closed());
        assert_eq!(producer.push(9), Err(PushError::Closed(9)));
        assert_eq!(producer.try_push(9), Err(PushError::Closed(9)));
        assert_eq!(producer.push_timeout(9, Duration::MAX), Err(PushError::Closed(9)));
        assert_eq!(producer.try_push_slice(&[9]), Err(PushError::Closed(())));
        assert_eq!(ring.len(), 3);
        assert_eq!(consumer.try_pop(), Ok(1));
        assert_eq!(consumer.pop(), Ok(2));
        assert_eq!(consumer.pop_timeout(Duration::MAX), Ok(3));
        assert_eq!(consumer.pop(), Err(PopError::Closed));
        assert_eq!(consumer.try_pop(), Err(PopError::Closed));
        assert_eq!(consumer.pop_timeout(Duration::MAX), Err(PopError::Closed));
        drop((producer, consumer));
        let (mut producer, mut consumer) =
            (ring.producer().expect("producer"), ring.consumer().expect("consumer"));
        assert_eq!(producer.try_push(9), Err(PushError::Closed(9)), "it is final");
        assert_eq!(consumer.try_pop(), Err(PopError::Closed));
    }
}

#[test]
fn a_full_and_closed_ring_says_closed() {
    let (_segment, ring, _name) = ring("full-closed", 1);
    let mut producer = ring.producer().expect("producer");
    producer.push(1).expect("push");
    producer.close();
    assert_eq!(producer.try_push(2), Err(PushError::Closed(2)));
    assert_eq!(producer.push(2), Err(PushError::Closed(2)));
}

#[test]
fn close_wakes_the_other_side() {
    for command in ["pop", "pop-timeout 0 600000", "pop-slice", "wait-consumer 0 600000"] {
        let (_segment, ring, name) = ring("close-empty", 2);
        let mut consumer = Driver::with(&name, "consumer");
        consumer.block(command);
        ring.producer().expect("producer").close();
        let answer = if command.starts_with("wait") { "ready" } else { "Closed" };
        consumer.peer.expect(answer);
        consumer.peer.join();
    }
    for (command, answer) in [
        ("push 7", "Closed(..) 7"),
        ("push-timeout 7 600000", "Closed(..) 7"),
        ("push-slice 7", "Closed(..) 1"),
        ("wait-producer 0 600000", "ready"),
    ] {
        let (_segment, ring, name) = ring("close-full", 2);
        let slice = command.starts_with("push-slice");
        ring.producer().expect("producer").push_slice(&[1, 2][usize::from(slice)..]).expect("push");
        let mut producer = Driver::with(&name, "producer");
        producer.block(command);
        let mut consumer = ring.consumer().expect("consumer");
        consumer.close();
        producer.peer.expect(answer);
        let left = std::iter::from_fn(|| consumer.try_pop().ok()).collect::<Vec<_>>();
        assert_eq!(left, if slice { [2, 7] } else { [1, 2] });
        producer.peer.join();
    }
}
