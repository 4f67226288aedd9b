//! `Barrier`: all or nobody, whoever dies where, and without the 100 ms check.

use core::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

use super::futex;
use super::run::{
    Kernel, begin, check, in_time, model, mortal, pass_time, process, with_death_bounded,
};
use crate::{Barrier, BarrierError, Segment, Waiting};

fn barrier(parties: usize) -> Barrier {
    let segment = Segment::anonymous().expect("a segment");
    let barrier = segment.barrier("barrier", parties).expect("a barrier");
    begin(&segment);
    // Looking first multiplies the executions.
    barrier.with_waiting(Waiting::Park)
}

#[test]
fn two_meet_twice() {
    model(|| {
        let barrier = barrier(2);
        let theirs = barrier.clone();
        let arrived = Arc::new(core::sync::atomic::AtomicU32::new(0));
        let also = Arc::clone(&arrived);
        let other = process(1, move || {
            also.fetch_add(1, Ordering::Relaxed);
            let first = theirs.wait().expect("wait");
            also.fetch_add(1, Ordering::Relaxed);
            (first, theirs.wait().expect("wait"))
        });
        arrived.fetch_add(1, Ordering::Relaxed);
        let first = barrier.wait().expect("wait");
        assert!(arrived.load(Ordering::Relaxed) >= 2);
        arrived.fetch_add(1, Ordering::Relaxed);
        let second = barrier.wait().expect("wait");
        assert!(arrived.load(Ordering::Relaxed) == 4);
        let theirs = other.join().expect("a process");
        assert_eq!(theirs.0.index() + first.index(), 1);
        assert_eq!(theirs.1.index() + second.index(), 1);
    });
}

#[test]
fn three_meet() {
    check(1, || {
        let barrier = barrier(3);
        let others: Vec<_> = [1, 2]
            .map(|number| {
                let barrier = barrier.clone();
                process(number, move || barrier.wait().expect("wait").index())
            })
            .into();
        let mut indices = vec![barrier.wait().expect("wait").index()];
        indices.extend(others.into_iter().map(|other| other.join().expect("a process")));
        indices.sort_unstable();
        assert_eq!(indices, [0, 1, 2]);
    });
}

/// Whoever is let through is let through with one that came, and whoever came does not wait for
/// ever. Time helps only where the dead one never came, and somebody else has to end the wait.
#[test]
fn a_death_lets_all_through_or_nobody() {
    with_death_bounded(1, |mortality| {
        let barrier = barrier(2);
        let (theirs, mine) = (barrier.clone(), barrier.clone());
        let ended = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&ended);
        let dying = mortal(1, &mortality, Kernel::Reports, move || theirs.wait());
        let other = process(2, move || {
            let outcome = mine.wait();
            seen.store(true, Ordering::Relaxed);
            outcome
        });
        let lived = dying.join().expect("a process");
        if lived.is_none() && !barrier.is_broken() && barrier.generation() == 0 {
            let aborting = barrier.clone();
            pass_time(in_time(3, move || aborting.abort().expect("abort")));
            for _ in 0..8 {
                loom::thread::yield_now();
                if ended.load(Ordering::Relaxed) {
                    break;
                }
                futex::tick();
            }
        }
        let passed = other.join().expect("a process");
        match lived {
            Some(outcome) => assert!(outcome.is_ok() && passed.is_ok()),
            None => assert!(passed.is_ok() || passed == Err(BarrierError::Broken)),
        }
    });
}
