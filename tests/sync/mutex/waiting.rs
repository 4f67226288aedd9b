//! Time limits, and what becomes of those who wait.

use std::time::Duration;

use outlive::LockError;

use super::driver::{Driver, LONG, segment};
use crate::observe::not_before;

#[test]
fn a_timeout_never_ends_early() {
    let (_segment, mutex, name) = segment("timeout");
    let mut holder = Driver::new(&name);
    holder.does("lock", "ok");
    for millis in [0, 1, 50, 130] {
        let timeout = Duration::from_millis(millis);
        let outcome = not_before(timeout, || mutex.lock_timeout(timeout).map(drop));
        assert!(matches!(outcome, Err(LockError::TimedOut { .. })));
    }
    holder.does("unlock", "done");
    drop(mutex.lock_timeout(Duration::ZERO).expect("free: no time is needed"));
    drop(mutex.lock_timeout(Duration::MAX).expect("longer than any clock"));
    holder.join();
}

#[test]
fn a_release_wakes_who_waits() {
    let (_segment, mutex, name) = segment("release");
    let mut waiter = Driver::new(&name);
    for wait in ["lock", &format!("timeout {LONG}")] {
        for _ in 0..20 {
            let guard = mutex.lock().expect("lock");
            waiter.block(wait);
            drop(guard);
            waiter.expect("ok");
            waiter.does("unlock", "done");
        }
    }
    waiter.join();
}

#[test]
fn waiting_does_not_use_the_processor() {
    let (_segment, mutex, name) = segment("cost");
    let mut waiters = [Driver::new(&name), Driver::new(&name)];
    let _guard = mutex.lock().expect("lock");
    waiters.iter_mut().for_each(|waiter| waiter.start("idle 300"));
    waiters.iter_mut().for_each(|waiter| waiter.expect("idle"));
    waiters.into_iter().for_each(Driver::join);
}

#[test]
fn a_waiter_killed_in_its_sleep_does_not_disturb() {
    let (_segment, mutex, name) = segment("killed-waiter");
    let mut survivor = Driver::new(&name);
    for _ in 0..10 {
        let guard = mutex.lock().expect("lock");
        let mut victims = [Driver::new(&name), Driver::new(&name)];
        victims[0].block("lock");
        survivor.block("lock");
        victims[1].block(&format!("timeout {LONG}"));
        victims.into_iter().for_each(Driver::kill);
        drop(guard);
        survivor.expect("ok");
        survivor.does("unlock", "done");
        drop(mutex.lock().expect("nobody held it at his death"));
    }
    survivor.join();
}

#[test]
fn a_stopped_holder_keeps_the_lock() {
    let (_segment, mutex, name) = segment("stopped");
    let mut holder = Driver::new(&name);
    holder.does("lock", "ok");
    holder.does("set 5", "done");
    holder.stop();
    let timeout = Duration::from_millis(250);
    let outcome = not_before(timeout, || mutex.lock_timeout(timeout).map(drop));
    assert!(matches!(outcome, Err(LockError::TimedOut { .. })));
    assert!(matches!(mutex.try_lock(), Err(LockError::WouldBlock)));
    holder.go_on();
    holder.does("set 6", "done");
    holder.does("unlock", "done");
    assert_eq!(*mutex.lock().expect("consistent"), [6; 4]);
    holder.join();
}

#[test]
fn a_stopped_waiter_keeps_nobody_else_from_the_lock() {
    let (_segment, mutex, name) = segment("stopped-waiter");
    let mut stopped = Driver::new(&name);
    let mut other = Driver::new(&name);
    let guard = mutex.lock().expect("lock");
    stopped.block("lock");
    stopped.stop();
    other.block("lock");
    drop(guard);
    other.expect("ok");
    other.does("unlock", "done");
    stopped.go_on();
    stopped.expect("ok");
    stopped.does("unlock", "done");
    stopped.join();
    other.join();
}
