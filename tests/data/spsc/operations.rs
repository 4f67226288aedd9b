//! What each operation does when nobody interferes.

use std::time::Duration;

use outlive::{ObjectKind, PopError, PushError, Segment, Spsc};

use super::driver::ring;

#[test]
fn messages_come_out_in_the_order_they_went_in() {
    for capacity in [1, 2, 3, 8, 1000] {
        let (_segment, ring, name) = ring("order", capacity);
        let other: Spsc<u64> = Segment::open(&name).expect("open").find("r").expect("find");
        assert_eq!((ring.capacity(), other.capacity()), (capacity, capacity));
        let mut producer = ring.producer().expect("producer");
        let mut consumer = other.consumer().expect("consumer");
        let mut next = 0;
        // Fills and empties it at every place of the ring.
        for _ in 0..5 {
            assert!(ring.is_empty());
            let first = next;
            for _ in 0..capacity {
                producer.push(next).expect("room");
                next += 1;
            }
            assert_eq!((ring.len(), other.len()), (capacity, capacity));
            assert_eq!(producer.try_push(77), Err(PushError::Full(77)));
            assert_eq!(producer.try_push_slice(&[77]), Err(PushError::Full(())));
            assert_eq!(consumer.pop(), Ok(first));
            producer.push(next).expect("room for one");
            next += 1;
            assert_eq!(consumer.try_pop(), Ok(first + 1));
            let mut left = vec![0; capacity];
            if capacity > 1 {
                assert_eq!(consumer.try_pop_slice(&mut left), Ok(capacity - 1));
            }
            let all: Vec<u64> = (first + 2..next).collect();
            assert_eq!(left[..capacity - 1], all);
            assert_eq!(consumer.try_pop(), Err(PopError::Empty));
            assert_eq!(consumer.try_pop_slice(&mut left), Err(PopError::Empty));
        }
        let stats = ring.stats();
        assert_eq!((stats.dropped, stats.redelivered), (0, 0));
    }
}

#[test]
fn a_slice_goes_as_far_as_there_is_room() {
    let (_segment, ring, _name) = ring("slices", 3);
    let (mut producer, mut consumer) =
        (ring.producer().expect("producer"), ring.consumer().expect("consumer"));
    let mut all = [0; 9];
    for first in (0..).step_by(5).take(20) {
        let messages: [u64; 5] = std::array::from_fn(|index| first + index as u64);
        assert_eq!(producer.try_push_slice(&messages), Ok(3));
        assert_eq!(ring.len(), 3);
        let stuck = producer.push_slice_timeout(&messages[3..], Duration::ZERO);
        assert_eq!(stuck, Err(PushError::TimedOut(0)));
        assert_eq!(consumer.try_pop_slice(&mut all[..2]), Ok(2));
        assert_eq!(all[..2], messages[..2]);
        producer.push_slice(&messages[3..]).expect("room for two");
        assert_eq!(consumer.pop_slice(&mut all), Ok(3));
        assert_eq!(all[..3], messages[2..]);
        let stuck = producer.push_slice_timeout(&messages, Duration::ZERO);
        assert_eq!(stuck, Err(PushError::TimedOut(3)), "three of five went");
        assert_eq!(consumer.pop_slice_timeout(&mut all, Duration::ZERO), Ok(3));
        assert_eq!(all[..3], messages[..3]);
    }
    assert_eq!(producer.try_push_slice(&[]), Ok(0));
    assert_eq!(producer.push_slice(&[]), Ok(()));
    assert_eq!(consumer.try_pop_slice(&mut []), Ok(0));
    assert_eq!(consumer.pop_slice(&mut []), Ok(0));
}

#[test]
fn the_error_of_a_push_hands_the_message_back() {
    let (_segment, ring, _name) = ring("back", 1);
    let mut producer = ring.producer().expect("producer");
    producer.push(1).expect("push");
    assert_eq!(producer.try_push(2).unwrap_err().into_inner(), 2);
    let error = producer.push_timeout(3, Duration::ZERO).unwrap_err();
    assert_eq!(error, PushError::TimedOut(3));
    producer.close();
    assert_eq!(producer.push(4).unwrap_err().into_inner(), 4);
}

#[test]
fn ends_that_were_taken_again_go_on_where_the_last_were() {
    let (_segment, ring, _name) = ring("again", 2);
    for message in 0..10 {
        ring.producer().expect("producer").push(message).expect("push");
        ring.producer().expect("producer").push(message + 100).expect("push");
        assert_eq!(ring.consumer().expect("consumer").pop(), Ok(message));
        assert_eq!(ring.consumer().expect("consumer").pop(), Ok(message + 100));
    }
}

#[test]
fn it_is_listed_by_what_it_is() {
    let (segment, ring, _name) = ring("kind", 4);
    let info = segment.objects().expect("objects").pop().expect("one");
    assert_eq!((info.kind, info.type_name.as_str()), (Some(ObjectKind::Spsc), "Spsc<u64>"));
    ring.producer().expect("producer").push(1).expect("push");
    let text = format!("{ring:?}");
    assert!(text.contains("capacity: 4") && text.contains("length: 1"), "{text}");
}
