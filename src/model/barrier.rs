//! `Barrier`: all or nobody, whoever dies where, and without the 100 ms check.

use core::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

use super::{Arrival, Barrier, BarrierError, Deadline, State, Verdict, shares};
use crate::model::futex;
use crate::model::membarrier::nobody_sleeps;
use crate::model::run::{
    Kernel, begin, check, in_time, let_others_go_first, model, mortal, pass_time, process,
    with_death, with_death_bounded,
};
use crate::{Segment, Waiting};

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

/// A word that nothing but what is modelled orders.
type Word = Arc<loom::sync::atomic::AtomicU32>;

fn word() -> Word {
    Arc::new(loom::sync::atomic::AtomicU32::new(0))
}

/// Of parties that do not sleep: no fence helps.
fn restless(parties: usize) -> Barrier {
    let barrier = barrier(parties).with_waiting(Waiting::Spin);
    nobody_sleeps();
    barrier
}

/// Of two parties, this one has come: what it finds as long as the other one does `work`. It takes no
/// lock meanwhile.
fn while_waiting(work: impl FnOnce(Barrier) + 'static, look: impl FnOnce(Verdict)) {
    let barrier = restless(2);
    let theirs = barrier.clone();
    let Ok(Arrival::Here(mut party)) = barrier.enter(true, Deadline::NEVER) else {
        panic!("it is the first one");
    };
    let other = process(1, move || work(theirs));
    let_others_go_first();
    look(barrier.verdict(&party));
    other.join().expect("a process");
    assert_eq!(barrier.verdict(&party), Some(Ok(())));
    party.released = true;
}

#[test]
fn what_was_done_before_is_seen_by_who_is_let_through() {
    model(|| {
        let done = word();
        let also = done.clone();
        let work = move |barrier: Barrier| {
            // Twice: after it has let others run, loom shows no thread what that one saw before.
            also.store(1, Ordering::Relaxed);
            also.store(2, Ordering::Relaxed);
            barrier.wait().expect("wait");
        };
        while_waiting(work, |verdict| {
            if verdict.is_some() {
                assert_eq!(done.load(Ordering::Relaxed), 2);
            }
        });
    });
}

#[test]
fn who_was_let_through_is_not_held_up_by_what_comes_after() {
    model(|| {
        let work = |barrier: Barrier| {
            barrier.wait().expect("wait");
            barrier.abort().expect("abort");
        };
        while_waiting(work, |verdict| assert_ne!(verdict, Some(Err(BarrierError::Broken))));
    });
}

#[test]
fn what_was_done_before_it_was_aborted_is_seen() {
    model(|| {
        let barrier = restless(2);
        let (theirs, done) = (barrier.clone(), word());
        let also = done.clone();
        let other = process(1, move || {
            also.store(1, Ordering::Relaxed);
            theirs.abort().expect("abort");
        });
        if barrier.is_broken() {
            assert_eq!(done.load(Ordering::Relaxed), 1);
        }
        other.join().expect("a process");
    });
}

/// Who finds a party dead finds out as well whether that broke the barrier.
#[test]
fn a_death_that_is_seen_is_judged_at_once() {
    with_death(|mortality| {
        let barrier = restless(2);
        let theirs = barrier.clone();
        let dying = mortal(1, &mortality, Kernel::Reports, move || {
            theirs.wait_timeout(core::time::Duration::ZERO).map(drop)
        });
        let_others_go_first();
        let died = barrier.shares().any(|share| shares::state(share) == State::Dead);
        let broken = barrier.is_broken();
        dying.join().expect("a process");
        if died {
            assert_eq!(broken, barrier.is_broken());
        }
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
