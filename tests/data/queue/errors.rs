//! What is refused, and in which words.

use outlive::{Array, LockError, ObjectError, OnDeath, PopError, PushError, Queue, Segment};

use super::driver::queue;
use crate::observe::{Marked, overwrite};

#[test]
fn read_only_handles_can_only_look() {
    let (_segment, queue, name) = queue("read-only", 3);
    let reader = Segment::options().read_only(true).open(&name).expect("open");
    let seen: Queue<u64> = reader.find("q").expect("find");
    queue.push(1).expect("push");
    assert_eq!((seen.len(), seen.capacity(), seen.is_closed()), (1, 3, false));
    let refused = LockError::ReadOnly;
    assert_eq!(seen.push(2), Err(PushError::Lock(2, refused.clone())));
    assert_eq!(seen.try_push(2), Err(PushError::Lock(2, refused.clone())));
    assert_eq!(seen.pop(), Err(PopError::Lock(refused.clone())));
    assert_eq!(seen.try_pop(), Err(PopError::Lock(refused.clone())));
    assert_eq!(seen.peek_all(), Err(refused.clone()));
    assert_eq!(seen.close(), Err(refused));
    assert_eq!(queue.pop(), Ok(1));
}

#[test]
fn another_type_or_capacity_is_refused_by_name() {
    let (segment, _queue, _name) = queue("type", 3);
    let text = segment.find::<Queue<i64>>("q").unwrap_err().to_string();
    assert!(text.contains("Queue<u64>") && text.contains("Queue<i64>"), "{text}");
    let text = segment.find::<Array<u64>>("q").unwrap_err().to_string();
    assert!(text.contains("Queue<u64>") && text.contains("Array<u64>"), "{text}");
    let error = segment.queue::<u64>("q", 4).unwrap_err();
    let ObjectError::ShapeMismatch { what: "capacity", found: 3, expected: 4, .. } = error else {
        panic!("{error:?}");
    };
    let error = segment.queue_with::<u64>("q", 3, OnDeath::Drop).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("policy for dead consumers"), "{text}");
    for impossible in [0, usize::MAX] {
        let error = segment.queue::<u64>("r", impossible).unwrap_err();
        assert!(matches!(error, ObjectError::InvalidShape { .. }), "{error:?}");
    }
}

const MARK: [u8; 8] = *b"\x01queue\xed\x02";

#[test]
fn bytes_that_are_no_message_are_reported_once_and_do_not_block_the_rest() {
    let (segment, name) = crate::segment("corrupt");
    let queue = segment.queue::<Marked>("q", 3).expect("queue");
    let message = |mark| Marked::new(mark);
    for mark in [[1; 8], MARK, [3; 8]] {
        queue.push(message(mark)).expect("push");
    }
    overwrite(&name, &MARK, 8, &[7]);
    let corrupt = |error: &LockError| matches!(error, LockError::Corrupt { .. });
    assert!(queue.peek_all().is_err_and(|error| corrupt(&error)));
    assert_eq!(queue.pop(), Ok(message([1; 8])));
    let Err(PopError::Lock(error)) = queue.pop() else { panic!("bytes that are no message") };
    assert!(corrupt(&error), "{error:?}");
    assert_eq!(queue.pop(), Ok(message([3; 8])));
    assert!(queue.is_empty());
}

#[test]
fn errors_say_what_happened() {
    assert!(PushError::Full(1).to_string().contains("full"));
    assert!(PushError::Closed(1).to_string().contains("closed"));
    assert!(PushError::TimedOut(1).to_string().contains("full for the whole time"));
    assert!(PopError::Empty.to_string().contains("empty"));
    assert!(PopError::Closed.to_string().contains("closed"));
    assert!(PopError::TimedOut.to_string().contains("empty for the whole time"));
    let lock: LockError = LockError::ReadOnly;
    assert_eq!(PopError::Lock(lock.clone()).to_string(), lock.to_string());
}

#[test]
fn iterations_end_at_an_error_that_would_come_again() {
    let (segment, name) = crate::segment("iterate");
    segment.queue::<u64>("q", 3).expect("queue").push(1).expect("push");
    let reader = Segment::options().read_only(true).open(&name).expect("open");
    let queue: Queue<u64> = reader.find("q").expect("find");
    assert_eq!(queue.iter().collect::<Vec<_>>(), [Err(LockError::ReadOnly)]);
    assert_eq!(queue.drain().collect::<Vec<_>>(), [Err(LockError::ReadOnly)]);
}
