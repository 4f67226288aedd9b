//! Waiting for a chunk, for a content, and for a sender.

use std::time::Duration;

use super::driver::{Driver, chunks, pool};
use outlive::{PoolLayout, Waiting};

#[test]
fn who_waits_for_a_chunk_gets_the_one_that_is_given_back() {
    let (_segment, pool, queue, name) = pool("back", &chunks(2, 64));
    let mut waiter = Driver::new(&name);
    for _ in 0..3 {
        let mut loans: Vec<_> = (0..2).map(|_| pool.loan_bytes(9).expect("loan")).collect();
        waiter.block("loan 9");
        loans.pop();
        waiter.peer.expect("loaned");
        // Given back by who has received it.
        loans.pop().expect("one").send_to(&queue).expect("send");
        waiter.block("loan 9");
        drop(pool.receive_from::<[u8]>(&queue).expect("receive"));
        waiter.peer.expect("loaned");
        (0..2).for_each(|_| waiter.does("drop", "dropped"));
    }
    waiter.peer.join();
    assert_eq!(pool.stats().free, 2);
}

#[test]
fn all_who_wait_are_served_one_after_the_other() {
    let (_segment, pool, _queue, name) = pool("all", &chunks(1, 64));
    let mut waiters = [(); 4].map(|()| Driver::new(&name));
    for killed in [false, true] {
        let (mut loan, mut dying) = (None, None);
        if killed {
            dying.insert(Driver::new(&name)).does("loan 1", "loaned");
        } else {
            loan = Some(pool.loan_bytes(9).expect("loan"));
        }
        waiters.iter_mut().for_each(|waiter| waiter.block("visit 9"));
        drop(loan);
        dying.into_iter().for_each(|dying| dying.peer.kill());
        waiters.iter_mut().for_each(|waiter| waiter.peer.expect("visited"));
    }
    waiters.into_iter().for_each(|waiter| waiter.peer.join());
    assert_eq!(pool.stats().free, 1);
}

#[test]
fn a_chunk_that_is_too_small_does_not_use_up_the_wake_of_another_one() {
    let layout = PoolLayout::new().chunks(1, 64).chunks(1, 128);
    let (_segment, pool, _queue, name) = pool("sizes", &layout);
    let (small, large) = (pool.loan_bytes(64).expect("loan"), pool.loan_bytes(128).expect("loan"));
    let [mut big, mut little] = [(); 2].map(|()| Driver::new(&name));
    big.block("loan 100");
    little.block("loan 10");
    drop(small);
    little.peer.expect("loaned");
    drop(large);
    big.peer.expect("loaned");
    [big, little].into_iter().for_each(|driver| driver.peer.join());
}

#[test]
fn a_killed_holder_wakes_who_waits_in_each_manner() {
    for waiting in [Waiting::Adaptive, Waiting::Park, Waiting::Yield, Waiting::Spin] {
        let (_segment, pool, _queue, name) = pool("manner", &chunks(1, 64));
        let pool = pool.with_waiting(waiting);
        let mut dying = Driver::new(&name);
        dying.does("loan 1", "loaned");
        let mine = std::thread::spawn(move || drop(pool.loan_bytes(1).expect("loan")));
        dying.peer.kill();
        mine.join().expect("the waiter");
    }
}

#[test]
fn waiting_in_vain_ends_in_time_and_is_idle() {
    let (_segment, pool, _queue, name) = pool("vain", &chunks(1, 64));
    let _all = pool.loan_bytes(1).expect("loan");
    let mut waiter = Driver::new(&name);
    waiter.does("loan-timeout 0", "timed out");
    waiter.does("loan-timeout 30", "timed out");
    waiter.does("try-loan 1", "exhausted");
    waiter.does("idle-loan 500", "idle");
    waiter.peer.join();
}

#[test]
fn who_has_the_handle_waits_for_a_sender_that_is_stopped() {
    let (_segment, pool, queue, name) = pool("stopped", &chunks(1, 64));
    let mut sender = Driver::new(&name);
    sender.does("loan 3", "loaned");
    sender.does("vanish-sent", "sending");
    let mut receiver = Driver::new(&name);
    receiver.block("receive");
    assert_eq!(queue.len(), 1, "it is not taken yet");
    sender.peer.kill();
    receiver.peer.expect("0");
    receiver.peer.join();
    assert_eq!(pool.stats().free, 1);
}

#[test]
fn a_content_that_is_sent_wakes_who_waits_for_it() {
    let (_segment, pool, queue, name) = pool("content", &chunks(2, 64));
    let mut receiver = Driver::new(&name);
    for number in 1..=5_u8 {
        receiver.block("receive");
        pool.loan_copy(&[number]).expect("loan").send_to(&queue).expect("send");
        receiver.peer.expect(&number.to_string());
        receiver.does("drop", "dropped");
    }
    receiver.peer.join();
    let late = pool.receive_from_timeout::<[u8]>(&queue, Duration::from_millis(20));
    assert!(late.is_err());
}
