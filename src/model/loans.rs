//! `LoanPool`: a chunk is one's at a time, a handle is good once, contents are seen as they were sent,
//! the chunks of the dead come back, and no wake-up is lost. What is written and read in place is seen
//! by no model, but its length is published as the content is, and stands for it.

use super::run::{
    Kernel, begin, check, in_time, model, mortal, pass_time, process, with_death,
    with_death_bounded,
};
use crate::{LoanError, LoanHandle, LoanPool, PoolLayout, Queue, ReceiveError, Segment, Waiting};

/// A pool of so many chunks, and a queue for two handles.
fn pool(chunks: usize) -> (LoanPool, Queue<LoanHandle>) {
    let segment = Segment::anonymous().expect("a segment");
    let pool = segment
        .loan_pool("pool", &PoolLayout::new().chunks(chunks, 64))
        .expect("a pool")
        .with_waiting(Waiting::Park);
    let queue = segment.queue("queue", 2).expect("a queue").with_waiting(Waiting::Park);
    begin(&segment);
    (pool, queue)
}

/// The length is the content.
fn send((pool, queue): &(LoanPool, Queue<LoanHandle>), length: usize) {
    pool.loan_bytes(length).expect("a chunk").send_to(queue).expect("room");
}

fn receive((pool, queue): &(LoanPool, Queue<LoanHandle>)) -> usize {
    pool.receive_from::<[u8]>(queue).expect("a handle").len()
}

/// What is left in the queue.
fn rest((pool, queue): &(LoanPool, Queue<LoanHandle>)) -> Vec<usize> {
    std::iter::from_fn(|| Some(pool.try_receive_from::<[u8]>(queue).ok()?.len())).collect()
}

/// How many chunks can be loaned at once.
fn free(pool: &LoanPool) -> usize {
    let loans: Vec<_> = std::iter::from_fn(|| pool.try_loan_bytes(0).ok()).collect();
    loans.len()
}

#[test]
fn a_chunk_is_loaned_to_one_at_a_time() {
    model(|| {
        let (pool, _) = pool(1);
        let theirs = pool.clone();
        let other = process(1, move || theirs.try_loan_bytes(1).map(std::mem::forget).is_ok());
        let mine = pool.try_loan_bytes(2).map(std::mem::forget).is_ok();
        assert!(mine ^ other.join().expect("a process"), "one of them");
    });
}

/// Neither is woken by anything but the other's giving back.
#[test]
fn who_waits_for_a_chunk_is_woken() {
    model(|| {
        let (pool, _) = pool(1);
        let theirs = pool.clone();
        let other = process(1, move || drop(theirs.loan_bytes(1).expect("a chunk")));
        drop(pool.loan_bytes(2).expect("a chunk"));
        other.join().expect("a process");
        assert_eq!(free(&pool), 1);
    });
}

#[test]
fn a_content_is_received_as_it_was_sent() {
    check(1, || {
        let both = pool(1);
        let theirs = both.clone();
        let other = process(1, move || {
            send(&theirs, 3);
            // Only when it is back.
            send(&theirs, 5);
        });
        assert_eq!([receive(&both), receive(&both)], [3, 5]);
        other.join().expect("a process");
        assert_eq!(free(&both.0), 1);
    });
}

#[test]
fn a_handle_is_good_once() {
    model(|| {
        let (pool, _) = pool(1);
        let handle = pool.loan_bytes(3).expect("a chunk").send();
        let theirs = pool.clone();
        let receive = move |pool: &LoanPool| match pool.receive::<[u8]>(handle) {
            Ok(content) => {
                assert_eq!(content.len(), 3);
                true
            }
            Err(ReceiveError::Stale) => false,
            Err(error) => panic!("{error}"),
        };
        let other = process(1, move || receive(&theirs));
        let mine = receive(&pool);
        assert!(mine ^ other.join().expect("a process"), "one of them");
        assert_eq!(free(&pool), 1);
    });
}

#[test]
fn a_reclaim_takes_what_is_lost_and_nothing_that_is_in_a_queue() {
    check(1, || {
        let both = pool(2);
        let lost = both.0.loan_bytes(9).expect("a chunk").send();
        send(&both, 3);
        let theirs = both.clone();
        let other = process(1, move || receive(&theirs));
        assert_eq!(both.0.reclaim(), Ok(1));
        assert_eq!(other.join().expect("a process"), 3);
        assert!(matches!(both.0.receive::<[u8]>(lost), Err(ReceiveError::Stale)));
        assert_eq!(free(&both.0), 2);
    });
}

#[test]
fn a_death_of_a_holder_wakes_who_waits() {
    with_death(|mortality| {
        let (pool, _) = pool(1);
        let (dying, waiting) = (pool.clone(), pool.clone());
        let dying = mortal(1, &mortality, Kernel::Reports, move || {
            drop(dying.loan_bytes(1).expect("a chunk"));
        });
        let other = in_time(2, move || drop(waiting.loan_bytes(2).expect("a chunk")));
        dying.join().expect("a process");
        pass_time(other);
        assert_eq!(free(&pool), 1);
    });
}

#[test]
fn a_death_of_a_holder_that_the_kernel_overlooks() {
    with_death_bounded(1, |mortality| {
        let (pool, _) = pool(1);
        let (dying, waiting) = (pool.clone(), pool.clone());
        let dying = mortal(1, &mortality, Kernel::Overlooks, move || {
            drop(dying.loan_bytes(1).expect("a chunk"));
        });
        let other = in_time(2, move || drop(waiting.loan_bytes(2).expect("a chunk")));
        dying.join().expect("a process");
        pass_time(other);
    });
}

/// Sent, or the chunk is free: while others look for a free one, and receive.
#[test]
fn a_death_of_a_sender() {
    with_death_bounded(0, |mortality| {
        let both = pool(1);
        let (dying, looking) = (both.clone(), both.clone());
        let dying = mortal(1, &mortality, Kernel::Reports, move || send(&dying, 3));
        let other = process(2, move || match looking.0.try_loan_bytes(1) {
            Ok(_) | Err(LoanError::Exhausted { .. }) => {}
            Err(error) => panic!("{error}"),
        });
        let early = rest(&both);
        other.join().expect("a process");
        let lived = dying.join().expect("a process").is_some();
        let length = both.1.len();
        assert_eq!(free(&both.0), 1 - length, "after {early:?}");
        let all = [early, rest(&both)].concat();
        assert!(all == [3] || (!lived && all.is_empty()), "{all:?}");
        assert_eq!(free(&both.0), 1);
    });
}

/// The next one receives what it has not received, and the chunk comes back of what it has.
#[test]
fn a_death_of_a_receiver() {
    with_death_bounded(0, |mortality| {
        let both = pool(1);
        send(&both, 3);
        let (dying, waiting) = (both.clone(), both.0.clone());
        let dying = mortal(1, &mortality, Kernel::Reports, move || rest(&dying));
        let other = process(2, move || drop(waiting.try_loan_bytes(1)));
        let mut all = rest(&both);
        let received = dying.join().expect("a process");
        other.join().expect("a process");
        all.extend(rest(&both));
        all.extend(received.iter().flatten());
        assert!(all == [3] || (received.is_none() && all.is_empty()), "{all:?} and {received:?}");
        assert_eq!(free(&both.0), 1);
    });
}

#[test]
fn a_death_while_reclaiming() {
    with_death_bounded(1, |mortality| {
        let both = pool(2);
        let _lost = both.0.loan_bytes(9).expect("a chunk").send();
        send(&both, 3);
        let (dying, theirs) = (both.0.clone(), both.clone());
        let dying = mortal(1, &mortality, Kernel::Reports, move || {
            dying.reclaim().expect("reclaim");
        });
        let other = process(2, move || receive(&theirs));
        assert_eq!(other.join().expect("a process"), 3);
        dying.join().expect("a process");
        assert!(both.0.reclaim().expect("reclaim") <= 1);
        assert_eq!(free(&both.0), 2);
    });
}
