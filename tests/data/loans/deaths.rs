//! Killed with a chunk, and killed at each stage between two processes.

use outlive::{LoanHandle, LoanPool, PopError, Queue, ReceiveError, Segment};

use super::driver::{Driver, chunks, pool};
use crate::observe::Random;
use crate::support::{Peer, await_death, say};

/// All chunks can be loaned.
fn assert_free(pool: &LoanPool) {
    let count = pool.stats().chunks;
    let loans: Vec<_> = (0..count).map(|_| pool.try_loan_bytes(1).expect("it came back")).collect();
    assert_eq!(loans.len(), count);
}

#[test]
fn what_a_killed_process_was_writing_and_reading_comes_back() {
    let (_segment, pool, queue, name) = pool("held", &chunks(3, 64));
    for round in 1..=5 {
        let mut dying = Driver::new(&name);
        pool.loan_copy(&[7_u8]).expect("loan").send_to(&queue).expect("send");
        dying.does("receive", "7");
        (0..2).for_each(|_| dying.does("loan 64", "loaned"));
        assert_eq!(pool.stats().held, 3);
        assert!(pool.try_loan_bytes(1).is_err());
        dying.peer.kill();
        assert_eq!((pool.stats().free, pool.stats().held), (3, 0));
        assert_free(&pool);
        assert_eq!(pool.stats().returned, 3 * round);
    }
}

#[test]
fn what_a_killed_process_had_sent_stays_sent() {
    let (_segment, pool, queue, name) = pool("sent", &chunks(2, 64));
    let mut dying = Driver::new(&name);
    dying.does("loan 10", "loaned");
    dying.does("send 5", "sent");
    dying.does("loan 10", "loaned");
    dying.peer.kill();
    let other = pool.try_loan_bytes(1).expect("what it held");
    assert!(pool.try_loan_bytes(1).is_err());
    assert_eq!(pool.reclaim(), Ok(0));
    assert_eq!(&*pool.receive_from::<[u8]>(&queue).expect("receive"), [5; 10]);
    drop(other);
    assert_free(&pool);
}

/// Its handle is nowhere: found out by who needs a chunk, or waits for one.
#[test]
fn a_chunk_whose_sender_was_killed_before_it_handed_it_over_comes_back() {
    let (_segment, pool, queue, name) = pool("before", &chunks(1, 64));
    for round in 1..=3 {
        let mut dying = Driver::new(&name);
        dying.does("loan 10", "loaned");
        dying.does("vanish", "sending");
        assert!(pool.try_loan_bytes(1).is_err(), "it may hand it over still");
        assert_eq!(pool.reclaim(), Ok(0), "nor is it taken by force");
        let mut waiter = Driver::new(&name);
        waiter.block("loan 1");
        dying.peer.kill();
        waiter.peer.expect("loaned");
        waiter.does("drop", "dropped");
        waiter.peer.join();
        assert_eq!(pool.stats().returned, round);
        assert!(queue.is_empty());
    }
}

#[test]
fn a_chunk_whose_sender_was_killed_after_it_handed_it_over_is_received() {
    let (_segment, pool, queue, name) = pool("after", &chunks(1, 64));
    for looked_for in [false, true] {
        let mut dying = Driver::new(&name);
        dying.does("loan 10", "loaned");
        dying.does("vanish-sent", "sending");
        let mut waiter = Driver::new(&name);
        waiter.block("receive");
        dying.peer.kill();
        if looked_for {
            waiter.peer.expect("0");
            waiter.does("drop", "dropped");
        } else {
            waiter.peer.kill();
            // It died as a receiver, or had received it by then.
            if let Ok(content) = pool.try_receive_from::<[u8]>(&queue) {
                assert_eq!(content.len(), 10);
            }
        }
        assert_free(&pool);
    }
    let mut dying = Driver::new(&name);
    dying.does("loan 10", "loaned");
    dying.does("vanish-sent", "sending");
    dying.peer.kill();
    assert!(pool.try_loan_bytes(1).is_err(), "it is in the queue");
    assert_eq!(pool.receive_from::<[u8]>(&queue).expect("receive").len(), 10);
    assert_free(&pool);
}

#[test]
fn a_chunk_whose_receiver_was_killed_before_it_took_the_handle_comes_back() {
    let (_segment, pool, queue, name) = pool("receiving", &chunks(2, 64));
    for _ in 0..3 {
        pool.loan_copy(&[1_u8]).expect("loan").send_to(&queue).expect("send");
        pool.loan_copy(&[2_u8]).expect("loan").send_to(&queue).expect("send");
        let mut dying = Driver::new(&name);
        dying.does("vanish-receiving", "receiving");
        dying.peer.kill();
        // It had received the first one, and that went with it; its handle is passed over.
        assert_eq!(queue.len(), 2);
        assert_eq!(&*pool.receive_from::<[u8]>(&queue).expect("receive"), [2]);
        let empty = pool.try_receive_from::<[u8]>(&queue);
        assert_eq!(empty.err(), Some(ReceiveError::Pop(PopError::Empty)));
        assert_free(&pool);
    }
}

/// What a popped handle leads to is nobody's but its owner's: only who knows takes it back.
#[test]
fn a_handle_that_went_down_with_its_process_is_reclaimed() {
    let (_segment, pool, queue, name) = pool("popped", &chunks(2, 64));
    for round in 1..=3 {
        pool.loan(1_u64).expect("loan").send_to(&queue).expect("send");
        pool.loan(2_u64).expect("loan").send_to(&queue).expect("send");
        let mut dying = Driver::new(&name);
        dying.does("vanish-popped", "popped");
        dying.peer.kill();
        assert!(pool.try_loan(1_u64).is_err());
        assert_eq!(pool.reclaim(), Ok(1), "its bytes are still in the queue's cell");
        assert_eq!(pool.stats().returned, round);
        assert_eq!(*pool.receive_from::<u64>(&queue).expect("receive"), 2);
        assert_free(&pool);
    }
}

const LENGTH: usize = 100_000;

/// The role: sends contents of one byte each, until it is killed.
pub(crate) fn send_for_ever(arguments: &[String]) {
    let segment = Segment::open(&arguments[0]).expect("open");
    let pool: LoanPool = segment.find("p").expect("find");
    let queue: Queue<LoanHandle> = segment.find("q").expect("find");
    let mut random = Random::new(u64::from(std::process::id()));
    say("ready");
    loop {
        let mut loan = pool.loan_bytes(random.below(LENGTH as u64) as usize).expect("loan");
        loan.fill(random.below(256) as u8);
        if random.below(10) > 0 {
            loan.send_to(&queue).expect("send");
        }
    }
}

/// The role: receives, until the queue is closed.
pub(crate) fn receive_for_ever(arguments: &[String]) {
    let segment = Segment::open(&arguments[0]).expect("open");
    let pool: LoanPool = segment.find("p").expect("find");
    let queue: Queue<LoanHandle> = segment.find("q").expect("find");
    say("ready");
    while let Ok(content) = pool.receive_from::<[u8]>(&queue) {
        assert!(content.iter().all(|byte| *byte == content[0]), "torn");
    }
    await_death();
}

#[test]
fn kills_at_any_moment_tear_and_leak_nothing() {
    const KILLS: u32 = 24;
    let (_segment, pool, queue, name) = pool("tear", &chunks(6, LENGTH));
    let start = |role| {
        let mut peer = Peer::spawn(role, &[&name]);
        peer.expect("ready");
        peer
    };
    let mut random = Random::new(5);
    let (mut sender, mut receiver) = (start("loans send"), start("loans receive"));
    for _ in 0..KILLS / 2 {
        for _ in 0..random.below(200) {
            let content = pool.receive_from::<[u8]>(&queue).expect("receive");
            assert!(content.iter().all(|byte| *byte == content[0]), "torn");
        }
        sender.kill();
        sender = start("loans send");
        for _ in 0..random.below(200) {
            let mut loan = pool.loan_bytes(LENGTH).expect("loan");
            loan.fill(3);
            loan.send_to(&queue).expect("send");
        }
        receiver.kill();
        receiver = start("loans receive");
    }
    sender.kill();
    queue.close().expect("close");
    while pool.receive_from::<[u8]>(&queue).is_ok() {}
    receiver.kill();
    assert_free(&pool);
}
