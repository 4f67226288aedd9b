//! One producer and one consumer at a time, and who comes after them.

use std::time::Duration;

use outlive::{Holder, LockError, RoleError, Segment, Spsc};

use super::driver::{Driver, ring};
use crate::observe::not_before;
use crate::support::{Peer, say};

/// The holder that a refusal names.
#[track_caller]
fn refused<E: std::fmt::Debug>(outcome: Result<E, RoleError>, expected: &str) -> Holder {
    match outcome {
        Err(RoleError::Taken { role, holder: Some(holder) }) if role == expected => *holder,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_role_that_is_held_is_refused_and_names_its_holder() {
    let (_segment, ring, name) = ring("taken", 3);
    assert_eq!((ring.producer_holder(), ring.consumer_holder()), (None, None));
    let mut producer = Driver::with(&name, "producer");
    let mut consumer = Driver::with(&name, "consumer");
    for _again in 0..3 {
        let holder = refused(ring.producer(), "producer");
        assert_eq!((holder.thread_id, holder.process_id), {
            (producer.thread, Some(producer.peer.pid()))
        });
        assert_eq!(refused(ring.consumer(), "consumer").thread_id, consumer.thread);
    }
    let text = ring.producer().unwrap_err().to_string();
    assert!(text.contains("producer") && text.contains(&producer.thread.to_string()), "{text}");
    let holders = [ring.producer_holder(), ring.consumer_holder()];
    let holders = holders.map(|holder| holder.expect("a holder").thread_id);
    assert_eq!(holders, [producer.thread, consumer.thread]);
    producer.does("consumer", "no consumer");
    // Both go on as if nobody had asked.
    producer.does("push 1", "pushed");
    consumer.does("pop", "1");
}

#[test]
fn one_thread_gets_an_end_once() {
    let (_segment, ring, name) = ring("twice", 3);
    let other: Spsc<u64> = Segment::open(&name).expect("open").find("r").expect("find");
    let _producer = ring.producer().expect("producer");
    for handle in [&ring, &ring.clone(), &other] {
        let holder = refused(handle.producer(), "producer");
        assert_eq!(holder.process_id, Some(std::process::id()));
        drop(handle.consumer().expect("the other role is free"));
    }
}

#[test]
fn the_time_to_wait_for_a_role_never_ends_early() {
    let (_segment, ring, name) = ring("role-timeout", 3);
    let _producer = Driver::with(&name, "producer");
    let _consumer = Driver::with(&name, "consumer");
    for millis in [0, 1, 50, 130] {
        let timeout = Duration::from_millis(millis);
        refused(not_before(timeout, || ring.producer_timeout(timeout)), "producer");
        refused(not_before(timeout, || ring.consumer_timeout(timeout)), "consumer");
    }
}

#[test]
fn a_dropped_end_goes_to_who_waits_for_it() {
    let (_segment, ring, name) = ring("handed", 3);
    for role in ["producer", "consumer"] {
        let mut first = Driver::with(&name, role);
        let mut second = Driver::new(&name);
        second.block(&format!("{role}-timeout 0 600000"));
        first.does("drop", "dropped");
        second.peer.expect("taken");
        first.does(role, &format!("no {role}"));
        first.peer.join();
        second.peer.join();
    }
    assert!(ring.producer().is_ok() && ring.consumer().is_ok());
}

#[test]
fn an_end_of_a_killed_process_can_be_taken_at_once_and_by_who_waits() {
    let (_segment, ring, name) = ring("killed", 3);
    for role in ["producer", "consumer"] {
        for _ in 0..5 {
            Driver::with(&name, role).peer.kill();
            let taken = match role {
                "producer" => ring.producer().map(drop),
                _ => ring.consumer().map(drop),
            };
            taken.expect("the dead have no role");
            let first = Driver::with(&name, role);
            let mut second = Driver::new(&name);
            second.block(&format!("{role}-timeout 0 600000"));
            first.peer.kill();
            second.peer.expect("taken");
            second.peer.join();
        }
    }
    let stats = ring.stats();
    assert_eq!((stats.dropped, stats.redelivered), (0, 0), "nobody died at work");
}

/// The role: threads end with both ends.
pub(crate) fn end_threads(arguments: &[String]) {
    let ring: Spsc<u64> = Segment::open(&arguments[0]).expect("open").find("r").expect("find");
    for round in 1..=5 {
        std::thread::scope(|scope| {
            let leave = scope.spawn(|| {
                let mut producer = ring.producer().expect("producer");
                producer.push(round).expect("push");
                std::mem::forget(producer);
                std::mem::forget(ring.consumer().expect("consumer"));
            });
            leave.join().expect("join");
        });
        let mut consumer = ring.consumer().expect("the consumer's end is free");
        assert_eq!(consumer.try_pop(), Ok(round));
        drop(ring.producer().expect("the producer's end is free"));
    }
    say("done");
}

#[test]
fn an_end_of_a_thread_that_ended_can_be_taken() {
    let (_segment, ring, name) = ring("thread", 3);
    let mut peer = Peer::spawn("spsc end threads", &[&name]);
    peer.expect("done");
    peer.join();
    assert!(ring.producer().is_ok() && ring.consumer().is_ok());
}

#[test]
fn read_only_handles_get_no_role() {
    let (_segment, ring, name) = ring("read-only", 3);
    let reader = Segment::options().read_only(true).open(&name).expect("open");
    let seen: Spsc<u64> = reader.find("r").expect("find");
    let mut producer = ring.producer().expect("producer");
    producer.push(1).expect("push");
    assert_eq!((seen.len(), seen.capacity(), seen.is_closed()), (1, 3, false));
    assert_eq!(seen.producer_holder().map(|holder| holder.process_id), {
        Some(Some(std::process::id()))
    });
    let refused = RoleError::Lock(LockError::ReadOnly);
    assert_eq!(seen.producer().unwrap_err(), refused);
    assert_eq!(seen.producer_timeout(Duration::MAX).unwrap_err(), refused);
    assert_eq!(seen.consumer().unwrap_err(), refused);
    assert_eq!(seen.consumer_timeout(Duration::MAX).unwrap_err(), refused);
    assert_eq!(ring.consumer().expect("consumer").pop(), Ok(1));
}
