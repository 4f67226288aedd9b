//! What each operation does when nobody interferes.

use std::time::Duration;

use outlive::{PopError, PushError, Queue, Segment};

use super::driver::queue;

#[test]
fn messages_come_out_in_the_order_they_went_in() {
    for capacity in [1, 2, 3, 8, 1000] {
        let (_segment, queue, name) = queue("order", capacity);
        let other: Queue<u64> = Segment::open(&name).expect("open").find("q").expect("find");
        assert_eq!((queue.capacity(), other.capacity()), (capacity, capacity));
        let mut next = 0;
        // Fills and empties it at every place of the ring.
        for _ in 0..5 {
            assert!(queue.is_empty());
            let first = next;
            for _ in 0..capacity {
                queue.push(next).expect("room");
                next += 1;
            }
            assert_eq!((queue.len(), other.len()), (capacity, capacity));
            assert_eq!(queue.try_push(77), Err(PushError::Full(77)));
            let all: Vec<u64> = (first..next).collect();
            assert_eq!(other.peek_all().expect("peek"), all);
            assert_eq!(other.len(), capacity, "a look takes nothing");
            assert_eq!(other.pop(), Ok(first));
            queue.push(next).expect("room for one");
            next += 1;
            assert_eq!(other.try_pop(), Ok(first + 1));
            let left: Vec<u64> = queue.drain().collect::<Result<_, _>>().expect("drain");
            assert_eq!(left, (first + 2..next).collect::<Vec<u64>>());
            assert_eq!(queue.try_pop(), Err(PopError::Empty));
            assert_eq!(queue.peek_all(), Ok(vec![]));
        }
        let stats = queue.stats();
        assert_eq!((stats.dropped, stats.redelivered), (0, 0));
    }
}

#[test]
fn a_closed_queue_gives_what_is_left() {
    let (_segment, queue, name) = queue("close", 4);
    let other: Queue<u64> = Segment::open(&name).expect("open").find("q").expect("find");
    for message in 1..=3 {
        queue.push(message).expect("push");
    }
    assert!(!queue.is_closed());
    other.close().expect("close");
    other.close().expect("again, without effect");
    assert!(queue.is_closed());
    assert_eq!(queue.push(9), Err(PushError::Closed(9)));
    assert_eq!(queue.try_push(9), Err(PushError::Closed(9)));
    assert_eq!(queue.push_timeout(9, Duration::MAX), Err(PushError::Closed(9)));
    assert_eq!(queue.len(), 3);
    assert_eq!(queue.try_pop(), Ok(1));
    assert_eq!(queue.iter().collect::<Result<Vec<_>, _>>(), Ok(vec![2, 3]));
    assert_eq!(queue.pop(), Err(PopError::Closed));
    assert_eq!(queue.try_pop(), Err(PopError::Closed));
    assert_eq!(queue.pop_timeout(Duration::MAX), Err(PopError::Closed));
    assert_eq!((&queue).into_iter().count(), 0);
    assert_eq!(queue.drain().count(), 0);
}

#[test]
fn a_full_and_closed_queue_says_closed() {
    let (_segment, queue, _name) = queue("full-closed", 1);
    queue.push(1).expect("push");
    queue.close().expect("close");
    assert_eq!(queue.try_push(2), Err(PushError::Closed(2)));
    assert_eq!(queue.push(2), Err(PushError::Closed(2)));
}

#[test]
fn the_error_of_a_push_hands_the_message_back() {
    let (_segment, queue, _name) = queue("back", 1);
    queue.push(1).expect("push");
    assert_eq!(queue.try_push(2).unwrap_err().into_inner(), 2);
    let error = queue.push_timeout(3, Duration::ZERO).unwrap_err();
    assert_eq!(error, PushError::TimedOut(3));
    assert_eq!(error.into_inner(), 3);
    queue.close().expect("close");
    assert_eq!(queue.push(4).unwrap_err().into_inner(), 4);
}
