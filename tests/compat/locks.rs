//! `lock_api`'s mutex on a robust one.
#![allow(unsafe_code)] // `raw` is unsafe

use std::time::{Duration, Instant};

use outlive::Segment;
use outlive::compat::RawMutex;

use crate::support::{Peer, await_death, say, unique, watchdog};

type Lock<T> = lock_api::Mutex<RawMutex, T>;

fn open(name: &str) -> Lock<u32> {
    let segment = Segment::open_or_create(name).expect("open");
    let mutex = segment.mutex("lock", 0_u8).expect("mutex");
    Lock::from_raw(RawMutex::new(&mutex).expect("writable"), 0)
}

/// Generic code, which knows nothing of processes.
fn count<R: lock_api::RawMutex + Sync>(counter: &lock_api::Mutex<R, u32>, times: u32) {
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..times).for_each(|_| *counter.lock() += 1));
        }
    });
    assert_eq!(*counter.lock(), 4 * times);
}

#[test]
fn generic_code_works() {
    static HERE: Lock<u32> = Lock::new(0);
    watchdog();
    count(&HERE, 10_000);
    let name = unique("lock-api");
    count(&open(&name), 10_000);
}

#[test]
fn try_lock_and_timeouts() {
    watchdog();
    let lock = Lock::new(());
    let guard = lock.lock();
    assert!(lock.is_locked() && lock.try_lock().is_none());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (start, timeout) = (Instant::now(), Duration::from_millis(20));
            assert!(lock.try_lock_for(timeout).is_none());
            assert!(start.elapsed() >= timeout, "early");
            assert!(lock.try_lock_until(Instant::now()).is_none());
        });
    });
    drop(guard);
    assert!(!lock.is_locked() && lock.try_lock_for(Duration::ZERO).is_some());
}

/// Holds the lock until it is killed.
pub(super) fn hold(arguments: &[String]) {
    let lock = open(&arguments[0]);
    let _guard = lock.lock();
    say("held");
    await_death();
}

#[test]
fn a_dead_holders_lock_goes_on() {
    watchdog();
    let name = unique("lock-api-dead");
    let lock = open(&name);
    let mut peer = Peer::spawn("lock-api-holder", &[&name]);
    peer.expect("held");
    assert!(lock.is_locked() && lock.try_lock().is_none());
    peer.kill();
    let guard = lock.lock();
    // SAFETY: nothing is unlocked or locked through it.
    assert!(unsafe { lock.raw() }.owner_died());
    drop(guard);
    drop(lock.lock());
    // SAFETY: as above.
    assert!(!unsafe { lock.raw() }.owner_died());
}
