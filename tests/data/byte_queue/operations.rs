//! What each operation does when nobody interferes.

use std::fmt::Debug;
use std::time::Duration;

use outlive::{BytePushError, ByteQueue, PopError, ReadableBytes, Segment, WritableBytes};

use super::driver::{message, queue};

#[test]
fn handles_are_owned_cloned_sent_and_shared() {
    fn is_handle<T: Clone + Debug + Send + Sync + 'static>() {}
    is_handle::<ByteQueue>();
    is_handle::<ReadableBytes>();
    is_handle::<WritableBytes>();
}

#[test]
fn messages_of_any_length_come_out_in_the_order_they_went_in() {
    let (_segment, queue, name) = queue("order", 4096);
    let other: ByteQueue = Segment::open(&name).expect("open").find("q").expect("find");
    assert_eq!((queue.capacity(), other.capacity()), (4096, 4096));
    let lengths = [0, 1, 7, 8, 9, 64, 100, 1000, queue.max_message(), 3, 0, 2];
    for round in 0..50 {
        for (number, length) in lengths.into_iter().enumerate() {
            queue.push(&message(round + number as u64, length)).expect("room");
            if length > 100 {
                // So that there is room for the next long one.
                while queue.len() > 1 {
                    other.pop().expect("pop");
                }
                assert_eq!(other.pop(), Ok(message(round + number as u64, length)));
            }
        }
        assert_eq!(other.len(), 3);
        for (number, length) in [(9, 3), (10, 0), (11, 2)] {
            assert_eq!(other.try_pop(), Ok(message(round + number, length)));
        }
        assert_eq!(other.try_pop(), Err(PopError::Empty));
    }
    let stats = queue.stats();
    assert_eq!((stats.dropped, stats.redelivered), (0, 0));
}

#[test]
fn empty_messages_are_messages() {
    let (_segment, queue, _name) = queue("empty", 64);
    for _ in 0..3 {
        (0..8).for_each(|_| queue.try_push(&[]).expect("room"));
        assert_eq!(queue.try_push(&[]), Err(BytePushError::Full));
        assert_eq!(queue.len(), 8);
        (0..8).for_each(|_| assert_eq!(queue.pop(), Ok(vec![])));
        assert!(queue.is_empty());
        queue.grant(5).expect("grant").commit_part(0);
        assert_eq!(queue.try_read().expect("read").len(), 0);
    }
}

#[test]
fn the_longest_message_finds_room_in_an_empty_queue_wherever_that_begins() {
    for words in 3..40 {
        let (_segment, queue, _name) = queue("longest", words * 8);
        let most = queue.max_message();
        assert!(most + 8 >= words * 4, "{most} of {}", words * 8);
        for shift in 0..2 * words {
            let sent = message(shift as u64, most);
            queue.try_push(&sent).expect("it is empty");
            assert_eq!(queue.pop(), Ok(sent));
            let tall = vec![0; most + 1];
            let refused = BytePushError::TooLong { length: most + 1, largest: most };
            assert_eq!(queue.try_push(&tall), Err(refused.clone()));
            assert_eq!(queue.push(&tall), Err(refused.clone()));
            assert_eq!(queue.push_timeout(&tall, Duration::ZERO), Err(refused.clone()));
            assert_eq!(queue.grant(most + 1).err(), Some(refused));
            // One word further.
            queue.push(&[]).expect("push");
            queue.pop().expect("pop");
        }
    }
}

#[test]
fn popping_into_a_vector_replaces_what_is_in_it_and_uses_its_memory() {
    let (_segment, queue, _name) = queue("into", 256);
    let mut buffer = Vec::with_capacity(100);
    let place = buffer.as_ptr();
    for text in ["first", "", "a longer one"] {
        (0..3).for_each(|_| queue.push(text.as_bytes()).expect("push"));
        queue.pop_into(&mut buffer).expect("pop");
        assert_eq!(buffer, text.as_bytes());
        queue.try_pop_into(&mut buffer).expect("pop");
        assert_eq!(buffer, text.as_bytes());
        queue.pop_into_timeout(&mut buffer, Duration::ZERO).expect("pop");
        assert_eq!(buffer, text.as_bytes());
        assert_eq!(buffer.as_ptr(), place);
    }
    assert_eq!(queue.try_pop_into(&mut buffer), Err(PopError::Empty));
    let timed_out = queue.pop_into_timeout(&mut buffer, Duration::ZERO);
    assert_eq!(timed_out, Err(PopError::TimedOut));
    assert_eq!(buffer, b"a longer one", "an error leaves it alone");
}

#[test]
fn a_closed_queue_gives_what_is_left() {
    let (_segment, queue, name) = queue("close", 256);
    let other: ByteQueue = Segment::open(&name).expect("open").find("q").expect("find");
    (1..=3_u8).for_each(|number| queue.push(&[number]).expect("push"));
    assert!(!queue.is_closed());
    other.close().expect("close");
    other.close().expect("again, without effect");
    assert!(queue.is_closed());
    let closed = Err(BytePushError::Closed);
    assert_eq!(queue.push(&[9]), closed);
    assert_eq!(queue.try_push(&[9]), closed);
    assert_eq!(queue.push_timeout(&[9], Duration::MAX), closed);
    assert_eq!(queue.try_grant(1).map(drop), closed);
    assert_eq!(queue.len(), 3);
    (1..=3).for_each(|number| assert_eq!(queue.pop(), Ok(vec![number])));
    assert_eq!(queue.pop(), Err(PopError::Closed));
    assert_eq!(queue.try_pop(), Err(PopError::Closed));
    assert_eq!(queue.pop_timeout(Duration::MAX), Err(PopError::Closed));
    assert_eq!(queue.read().map(drop), Err(PopError::Closed));
}

#[test]
fn a_full_and_closed_queue_says_closed() {
    let (_segment, queue, _name) = queue("full-closed", 32);
    queue.push(&[1; 8]).expect("push");
    queue.push(&[2; 8]).expect("push");
    assert_eq!(queue.try_push(&[3; 8]), Err(BytePushError::Full));
    queue.close().expect("close");
    assert_eq!(queue.try_push(&[3; 8]), Err(BytePushError::Closed));
    assert_eq!(queue.push(&[3; 8]), Err(BytePushError::Closed));
}
