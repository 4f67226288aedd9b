//! What each operation does when nobody interferes.

use std::fmt::Debug;
use std::time::Duration;

use outlive::{
    LoanError, LoanHandle, LoanPool, PoolLayout, PopError, PushError, ReceiveError, Segment, Shared,
};

use super::driver::{chunks, pool};

#[test]
fn handles_are_owned_cloned_sent_and_shared() {
    fn is_handle<T: Clone + Debug + Send + Sync + 'static>() {}
    is_handle::<LoanPool>();
    is_handle::<LoanHandle>();
    assert_eq!(size_of::<LoanHandle>(), 16);
}

#[derive(Debug, Clone, Copy, PartialEq, Shared)]
#[repr(C)]
struct Header {
    number: u64,
    last: bool,
    kind: [u8; 7],
}

#[test]
fn a_value_a_slice_and_bytes_are_received_as_what_they_were_loaned_as() {
    let (_segment, pool, _queue, name) = pool("contents", &chunks(4, 1000));
    let other: LoanPool = Segment::open(&name).expect("open").find("p").expect("find");
    for round in 0..20 {
        let header = Header { number: round, last: true, kind: [7; 7] };
        let mut loan = pool.loan(header).expect("loan");
        assert_eq!(loan.number, round);
        loan.number += 1;
        let handle = loan.send();
        let received = other.receive::<Header>(handle).expect("receive");
        assert_eq!(*received, Header { number: round + 1, ..header });
        received.release();

        let handle = pool.loan_copy(&[true, false, true]).expect("loan").send();
        assert_eq!(&*other.receive::<[bool]>(handle).expect("receive"), [true, false, true]);

        let mut loan = pool.loan_slice::<f32>(250).expect("loan");
        assert_eq!((loan.len(), loan.as_ptr().addr() % 64), (250, 0));
        loan.iter_mut().zip(0_u16..).for_each(|(place, number)| *place = number.into());
        let handle = loan.send();
        let received = other.receive::<[f32]>(handle).expect("receive");
        assert_eq!(received.iter().sum::<f32>(), 31125.0);
        drop(received);

        let mut loan = pool.loan_bytes(1000).expect("loan");
        loan.fill(round as u8);
        loan.truncate(2000);
        loan.truncate(10);
        assert_eq!(loan.len(), 10);
        let handle = LoanHandle::from_bytes(loan.send().to_bytes());
        assert_eq!(&*other.receive::<[u8]>(handle).expect("receive"), [round as u8; 10]);

        let handle = pool.loan_bytes(0).expect("loan").send();
        assert!(other.receive::<[u8]>(handle).expect("receive").is_empty());
    }
    let stats = pool.stats();
    assert_eq!((stats.chunks, stats.free, stats.held, stats.sent), (4, 4, 0, 0));
    assert_eq!(stats.returned, 0, "nobody died");
}

#[test]
fn a_chunk_is_loaned_to_one_at_a_time_and_given_back_by_dropping() {
    let (_segment, pool, _queue, _name) = pool("count", &chunks(3, 64));
    for _ in 0..10 {
        let mut loans: Vec<_> = (0..3_u64).map(|n| pool.try_loan(n).expect("loan")).collect();
        assert_eq!(loans.iter().map(|loan| **loan).collect::<Vec<_>>(), [0, 1, 2]);
        let none = LoanError::Exhausted { length: 8, held: 3, sent: 0 };
        assert_eq!(pool.try_loan(4_u64).err(), Some(none));
        let sent = loans.pop().expect("one").send();
        let none = LoanError::Exhausted { length: 1, held: 2, sent: 1 };
        assert_eq!(pool.try_loan_bytes(1).err(), Some(none.clone()));
        assert_eq!(pool.try_loan_copy(&[1_u8]).err(), Some(none.clone()));
        assert_eq!(pool.try_loan_slice::<u8>(1).err(), Some(none));
        loans.pop();
        let again = pool.try_loan(5_u64).expect("it came back");
        drop(again);
        assert_eq!(*pool.receive::<u64>(sent).expect("receive"), 2);
        assert_eq!(pool.stats().free, 2);
    }
}

#[test]
fn a_content_goes_into_the_smallest_chunk_that_is_free() {
    let layout = PoolLayout::new().chunks(1, 4096).chunks(2, 100).chunks(1, 128);
    let (_segment, pool, _queue, _name) = pool("classes", &layout);
    assert_eq!(pool.max_len(), 4096);
    assert_eq!(pool.stats().chunks, 4);
    let small: Vec<_> = (0..3).map(|_| pool.try_loan_bytes(100).expect("loan")).collect();
    // In place of a small one.
    let large = pool.try_loan_bytes(1).expect("loan");
    assert!(pool.try_loan_bytes(1).is_err());
    drop(small);
    let none = LoanError::Exhausted { length: 129, held: 1, sent: 0 };
    assert_eq!(pool.try_loan_bytes(129).err(), Some(none));
    drop(large);
    let whole = pool.try_loan_bytes(4096).expect("loan");
    let large = LoanError::TooLarge { length: 4097, largest: 4096 };
    assert_eq!(pool.loan_bytes(4097).err(), Some(large));
    drop(whole);
    // None overlaps another one.
    let mut all: Vec<_> =
        [128, 128, 128, 4096].map(|length| pool.try_loan_bytes(length).expect("loan")).into();
    for (number, loan) in all.iter_mut().enumerate() {
        loan.fill(number as u8);
    }
    for (number, loan) in all.iter().enumerate() {
        assert!(loan.iter().all(|byte| *byte == number as u8), "chunk {number}");
    }
}

#[test]
fn what_is_left_in_a_chunk_shows_and_is_neither_cleared_nor_copied() {
    let (_segment, pool, _queue, _name) = pool("left", &chunks(1, 1 << 20));
    let mut loan = pool.loan_bytes(1 << 20).expect("loan");
    assert!(loan.iter().all(|byte| *byte == 0), "new memory");
    loan.fill(9);
    let place = loan.as_ptr();
    let handle = loan.send();
    let received = pool.receive::<[u8]>(handle).expect("receive");
    assert_eq!(received.as_ptr(), place, "where it was written");
    drop(received);
    assert!(pool.loan_bytes(1 << 20).expect("loan").iter().all(|byte| *byte == 9));
}

#[test]
fn what_was_received_is_changed_in_place_and_sent_on() {
    let (_segment, pool, queue, _name) = pool("on", &chunks(1, 64));
    pool.loan(1_u64).expect("loan").send_to(&queue).expect("send");
    for expected in 1..=10 {
        let mut loan = pool.receive_from::<u64>(&queue).expect("receive").into_loan();
        assert_eq!(*loan, expected);
        *loan += 1;
        loan.send_to(&queue).expect("send");
    }
    assert_eq!(*pool.receive_from::<u64>(&queue).expect("receive"), 11);
    assert_eq!(pool.stats().free, 1);
}

#[test]
fn a_queue_of_handles_hands_chunks_on_in_order() {
    let (_segment, pool, queue, _name) = pool("order", &chunks(6, 64));
    for round in 0..10_u64 {
        (0..4).for_each(|n| pool.loan(4 * round + n).expect("loan").send_to(&queue).expect("send"));
        let fifth = pool.loan(0_u64).expect("loan").try_send_to(&queue);
        let Err(PushError::Full(fifth)) = fifth else { panic!("{fifth:?}") };
        assert_eq!(*fifth, 0, "handed back");
        drop(fifth);
        for n in 0..4 {
            let received = pool.try_receive_from::<u64>(&queue).expect("receive");
            assert_eq!(*received, 4 * round + n);
        }
        let empty = pool.try_receive_from::<u64>(&queue);
        assert_eq!(empty.err(), Some(ReceiveError::Pop(PopError::Empty)));
        let empty = pool.receive_from_timeout::<u64>(&queue, Duration::ZERO);
        assert_eq!(empty.err(), Some(ReceiveError::Pop(PopError::TimedOut)));
    }
    queue.close().expect("close");
    let refused = pool.loan(7_u64).expect("loan").send_to(&queue);
    let Err(PushError::Closed(loan)) = refused else { panic!("{refused:?}") };
    assert_eq!(*pool.receive::<u64>(loan.send()).expect("receive"), 7);
    let end = pool.receive_from::<u64>(&queue);
    assert_eq!(end.err(), Some(ReceiveError::Pop(PopError::Closed)));
    assert_eq!(pool.stats().free, 6);
}

/// Each as its documentation has it: received in its place, and taken out afterwards.
#[test]
fn handles_go_through_other_queues_too() {
    let (segment, pool, _queue, _name) = pool("through", &chunks(2, 64));
    let ring = segment.spsc::<LoanHandle>("ring", 2).expect("ring");
    let (mut producer, mut consumer) =
        (ring.producer().expect("producer"), ring.consumer().expect("consumer"));
    let bytes = segment.byte_queue("bytes", 256).expect("queue");
    for number in 0..10_u64 {
        let loan = pool.loan(number).expect("loan");
        loan.send_with(|handle| producer.push(handle)).map_err(|(_, error)| error).expect("send");
        let chunk = consumer.read_chunk(1).expect("read");
        let received = pool.receive::<u64>(chunk.as_slices().0[0]).expect("receive");
        chunk.commit_all();
        assert_eq!(*received, number);

        let loan = received.into_loan();
        loan.send_with(|handle| bytes.push(&handle.to_bytes()))
            .map_err(|(_, error)| error)
            .expect("send");
        let message = bytes.read().expect("read");
        let handle = LoanHandle::from_bytes(message[..].try_into().expect("16 bytes"));
        assert_eq!(*pool.receive::<u64>(handle).expect("receive"), number);
        message.release();
    }
    assert_eq!(pool.stats().free, 2);
}

#[test]
fn pop_with_puts_a_message_to_use_before_it_is_taken() {
    let (segment, _name) = crate::segment("with");
    let queue = segment.queue::<u64>("q", 4).expect("queue");
    assert_eq!(queue.try_pop_with(|_| ()), Err(PopError::Empty));
    assert_eq!(queue.pop_with_timeout(Duration::ZERO, |_| ()), Err(PopError::TimedOut));
    (1..=3).for_each(|number| queue.push(number).expect("push"));
    let seen = queue.pop_with(|number| (*number, queue.len())).expect("pop");
    assert_eq!((seen, queue.len()), ((1, 3), 2));
    crate::unwind(|unwind| queue.pop_with(|_| unwind.now()).expect("pop"));
    assert_eq!(queue.pop_with_timeout(Duration::ZERO, |number| *number), Ok(2));
    assert_eq!(queue.try_pop_with(|number| *number), Ok(3));
    queue.close().expect("close");
    assert_eq!(queue.pop_with(|number| *number), Err(PopError::Closed));
    assert_eq!(queue.stats().redelivered, 0, "nobody died");
}
