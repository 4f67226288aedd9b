//! Locks that name a thread which lives and has nothing to do with them: as good as held. What
//! takes a timeout keeps it, what only tries does not wait, and what needs no lock goes on.

use std::fs::File;
use std::os::unix::process::parent_id;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use outlive::{
    ArrayError, BarrierError, LockError, PopError, PushError, Segment, SemaphoreError, Waitable,
    wait_any,
};

use crate::image::{self, KEYS, PARTIES, PERMITS, Place, READERS, RECORD, Record, WIDE};
use crate::observe;
use crate::support::watchdog;

const SHORT: Duration = Duration::from_millis(20);

/// What takes as long is taken to hang.
const HANGS: Duration = Duration::from_secs(10);

/// A segment whose locks are as if the parent of this process held them, but for the directory's.
pub(crate) fn occupied(place: &Place) -> Segment {
    watchdog();
    let bytes = image::bytes();
    std::fs::write(place.file("s"), &bytes).expect("write the image");
    let file = File::options().write(true).open(place.file("s")).expect("open");
    for offset in image::lock_words(&bytes).into_iter().skip(1) {
        image::write(&file, offset, &(parent_id() | 0x8000_0000).to_ne_bytes());
    }
    place.options().open("s").expect("open")
}

#[track_caller]
fn times_out<T>(wait: impl FnOnce() -> Result<T, LockError>) {
    let start = Instant::now();
    assert!(matches!(wait().err(), Some(LockError::TimedOut { .. })));
    assert!(start.elapsed() >= SHORT);
}

#[test]
fn timeouts_hold_against_strangers() {
    let place = Place::new("strangers");
    let segment = occupied(&place);

    let mutex = segment.mutex("mutex number", 0_u64).expect("mutex");
    assert!(matches!(mutex.try_lock(), Err(LockError::WouldBlock)));
    assert!(matches!(mutex.lock_timeout(SHORT), Err(LockError::TimedOut { .. })));

    let value = segment.value("value number", 0_u32).expect("value");
    assert_eq!(value.get(), Ok(5));
    assert_eq!(value.try_lock().map(|_| ()), Err(LockError::WouldBlock));
    times_out(|| value.lock_timeout(SHORT));

    let counter = segment.counter("counter").expect("counter");
    assert_eq!(counter.get(), 0);
    assert_eq!(counter.try_lock().map(|_| ()), Err(LockError::WouldBlock));
    times_out(|| counter.lock_timeout(SHORT));

    let array = segment.array("array number", 20, 0_i64).expect("array");
    assert_eq!(array.to_vec(), Ok(vec![-1; 20]));
    assert_eq!(array.store(0, 3), Ok::<_, ArrayError>(()));
    assert_eq!(array.try_lock().map(|_| ()), Err(LockError::WouldBlock));
    times_out(|| array.lock_timeout(SHORT));

    let list = segment.list::<u16>("list number", 9).expect("list");
    assert_eq!((list.to_vec(), list.len()), (Ok(vec![5; 2]), 2));
    assert_eq!(list.try_lock().map(|_| ()), Err(LockError::WouldBlock));
    times_out(|| list.lock_timeout(SHORT));

    let map = segment.map::<u64, u64>("map number", 4).expect("map");
    assert_eq!((map.get(&KEYS[0]), map.iter().count()), (Ok(Some(5)), 2));
    assert_eq!(map.try_entry(KEYS[0]).map(|_| ()), Err(LockError::WouldBlock));
    times_out(|| map.entry_timeout(KEYS[0], SHORT));

    let space = segment.namespace::<16>("namespace", 3).expect("namespace");
    assert_eq!((space.get("number"), space.len()), (Ok(5_u64), 2));

    let queue = segment.queue::<u64>("queue number", 8).expect("queue");
    assert_eq!(queue.len(), 2);
    let start = Instant::now();
    assert_eq!(queue.pop_timeout(SHORT), Err(PopError::TimedOut));
    assert_eq!(queue.push_timeout(1, SHORT), Err(PushError::TimedOut(1)));
    assert!(start.elapsed() >= 2 * SHORT);
}

#[test]
fn timeouts_of_what_processes_meet_at_hold_against_strangers() {
    let place = Place::new("strangers-meet");
    let segment = occupied(&place);

    let lock = segment.rwlock_with("rwlock number", 0_u64, READERS).expect("rwlock");
    assert!(matches!(lock.try_read(), Err(LockError::WouldBlock)));
    assert!(matches!(lock.try_write(), Err(LockError::WouldBlock)));
    assert!(matches!(lock.try_upgradable_read(), Err(LockError::WouldBlock)));
    times_out(|| lock.read_timeout(SHORT).map(drop).map_err(without_guard));
    times_out(|| lock.write_timeout(SHORT).map(drop).map_err(without_guard));
    times_out(|| lock.upgradable_read_timeout(SHORT).map(drop).map_err(without_guard));

    let mutex = segment.reentrant_mutex("reentrant number", 0_u64).expect("mutex");
    assert!(matches!(mutex.try_lock(), Err(LockError::WouldBlock)));
    times_out(|| mutex.lock_timeout(SHORT).map(drop).map_err(without_guard));

    let once = segment.once("once").expect("once");
    assert_eq!(once.try_call_once(|| ()), Err(LockError::WouldBlock));
    times_out(|| once.call_once_timeout(SHORT, || ()));
    times_out(|| once.wait_timeout(SHORT));
    let value = segment.once_value::<Record>("once unset").expect("once value");
    times_out(|| value.get_or_init_timeout(SHORT, || RECORD));
    let value = segment.once_value::<Record>("once value").expect("once value");
    assert_eq!(value.get(), Some(RECORD));
    assert_eq!(value.wait(), Ok(RECORD));

    // With each share that a reader could use.
    let number = segment.latest_with("latest number", 0_u64, READERS).expect("latest");
    let wide = segment.latest_with("latest wide", WIDE, READERS).expect("latest");
    let (seen, version) = number.get_versioned().expect("get");
    assert_eq!((seen, wide.get()), (5, Ok(WIDE)));
    times_out(|| number.wait_changed_timeout(version, SHORT));

    segment.condvar("condvar").expect("condvar").notify_all().expect("notify");

    let semaphore = segment.semaphore("semaphore", PERMITS).expect("semaphore");
    assert_eq!((semaphore.total(), semaphore.available()), (PERMITS, PERMITS));
    let start = Instant::now();
    let error = semaphore.acquire_timeout(SHORT).expect_err("nobody can count them");
    assert!(matches!(error, SemaphoreError::TimedOut { .. }), "{error:?}");
    assert!(start.elapsed() >= SHORT);

    let start = Instant::now();
    let locks: [&dyn Waitable; 2] = [&mutex.available(), &number.changed(version)];
    assert_eq!(wait_any(&locks, Some(SHORT)).expect("wait"), None);
    assert!(start.elapsed() >= SHORT);
}

#[test]
fn a_barrier_keeps_its_timeout_against_strangers() {
    let place = Place::new("strangers-barrier");
    let segment = occupied(&place);
    let barrier = segment.barrier("barrier", PARTIES).expect("barrier");
    let (done, is_done) = channel();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let result = barrier.wait_timeout(SHORT);
            // Nobody listens any more, if it took for ever.
            let _heard = done.send(result);
        });
        let result = is_done.recv_timeout(HANGS);
        if result.is_err() {
            leave(&place);
        }
        let result = result.expect("wait_timeout still waits for the barrier's lock");
        assert!(result.is_err(), "{result:?}");
    });
}

/// Its time being up, it has to wait a moment for the lock all the same: others would wait for it else.
#[test]
fn a_barrier_whose_lock_is_held_for_a_moment_is_broken_by_a_timeout() {
    /// After so long without the lock a party gives up; says `Barrier::wait_timeout`.
    const GRACE: Duration = Duration::from_secs(1);
    let place = Place::new("strangers-moment");
    loop {
        let segment = occupied(&place);
        let barrier = segment.barrier("barrier", PARTIES).expect("barrier");
        let (begins, has_begun) = channel();
        let (result, taken) = std::thread::scope(|scope| {
            let party = scope.spawn(|| {
                begins.send(observe::thread_id()).expect("send");
                let start = Instant::now();
                (barrier.wait_timeout(Duration::ZERO).map(|_| ()), start.elapsed())
            });
            let thread = has_begun.recv().expect("thread id");
            while !observe::sleeps(thread) && !party.is_finished() {
                std::thread::yield_now();
            }
            leave(&place);
            party.join().expect("party")
        });
        if result == Err(BarrierError::TimedOut) {
            assert!(barrier.is_broken());
            break;
        }
        // On a busy machine the lock may have been freed too late; then again.
        assert!(taken >= GRACE, "{result:?} after {taken:?}");
        std::fs::remove_file(place.file("s")).expect("remove");
    }
}

/// Frees all locks, so that those who wait go on.
fn leave(place: &Place) {
    const DIED: u32 = 0xc000_0000;
    let bytes = std::fs::read(place.file("s")).expect("read");
    let file = File::options().write(true).open(place.file("s")).expect("open");
    // An object's shares, which come behind its lock, before that: who gets it takes one.
    for offset in image::lock_words(&bytes).into_iter().rev() {
        image::write(&file, offset, &DIED.to_ne_bytes());
    }
}

fn without_guard<G>(error: LockError<G>) -> LockError {
    error.into_guard().err().unwrap_or(LockError::NotRecoverable)
}
