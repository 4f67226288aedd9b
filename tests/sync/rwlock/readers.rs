//! Many at a time.

use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use outlive::{LockError, RwLockReadGuard};

use super::driver::{Driver, LONG, Words, segment};
use crate::observe::not_before;

type Outcome<'a> = Result<RwLockReadGuard<'a, Words>, LockError<RwLockReadGuard<'a, Words>>>;

fn would_block(outcome: Outcome<'_>) -> bool {
    matches!(outcome, Err(LockError::WouldBlock))
}

#[test]
fn readers_read_at_the_same_time_and_keep_writers_out() {
    let (_segment, lock, name) = segment("together", 64);
    let mut readers: Vec<Driver> = (0..3).map(|_| Driver::with(&name, "read")).collect();
    let mine = lock.try_read().expect("read");
    assert_eq!(lock.readers(), 4);
    assert!(lock.holder().is_none());
    let mut writer = Driver::new(&name);
    writer.does("try-write", "WouldBlock");
    for reader in &mut readers {
        reader.does("get", "[0, 0, 0, 0]");
    }
    drop(mine);
    writer.block("write");
    readers.into_iter().for_each(Driver::join);
    writer.expect("ok");
    writer.does("set 7", "done");
    assert_eq!(lock.holder().expect("a writer").thread_id, writer.thread());
    assert!(would_block(lock.try_read()));
    writer.does("drop", "done");
    assert_eq!(*lock.read().expect("read"), [7; 4]);
    assert_eq!(lock.readers(), 0);
    writer.join();
}

#[test]
fn one_that_reads_reads_again_though_a_writer_waits() {
    let (_segment, lock, name) = segment("again", 64);
    let mut writer = Driver::new(&name);
    for limit in ["write", &format!("write-timeout {LONG}")] {
        let first = lock.read().expect("read");
        writer.block(limit);
        let again: Vec<_> = (0..5).map(|_| lock.read().expect("again")).collect();
        let at_once = lock.try_read().expect("again");
        assert_eq!(lock.readers(), 1, "one thread");
        thread::scope(|scope| {
            scope.spawn(|| assert!(would_block(lock.try_read()), "another thread"));
        });
        // In whichever order they go.
        drop(first);
        drop(again);
        assert_eq!(lock.readers(), 1);
        drop(at_once);
        writer.expect("ok");
        writer.does("drop", "done");
    }
    writer.join();
}

#[test]
fn one_that_reads_reads_again_through_another_mapping() {
    let (_segment, lock, name) = segment("again-mapping", 4);
    let elsewhere: outlive::RwLock<Words> =
        outlive::Segment::open(&name).expect("open").find("l").expect("find");
    let mut writer = Driver::new(&name);
    let first = lock.read().expect("read");
    writer.block("write");
    let again = elsewhere.try_read().expect("again");
    assert!(matches!(elsewhere.try_write(), Err(LockError::Deadlock)));
    drop(first);
    assert_eq!(lock.readers(), 1);
    drop(again);
    writer.expect("ok");
    writer.join();
}

#[test]
fn a_waiting_writer_keeps_new_readers_out() {
    let (_segment, lock, name) = segment("preference", 64);
    let (mut writer, mut reader) = (Driver::new(&name), Driver::new(&name));
    let mine = lock.read().expect("read");
    writer.block("write");
    reader.does("try-read", "WouldBlock");
    reader.start("read-timeout 20");
    let heard = reader.hear();
    let holder = format!("thread_id: {}", writer.thread());
    assert!(heard.starts_with("TimedOut") && heard.contains(&holder), "{heard}");
    reader.block("read");
    drop(mine);
    writer.expect("ok");
    writer.does("set 3", "done");
    writer.does("drop", "done");
    reader.expect("ok");
    reader.does("get", "[3, 3, 3, 3]");
    writer.join();
    reader.join();
}

#[test]
fn more_readers_than_there_is_room_for_wait() {
    let (_segment, lock, name) = segment("room", 2);
    let first = Driver::with(&name, "read");
    let second = Driver::with(&name, "read");
    assert!(would_block(lock.try_read()));
    for millis in [0, 30] {
        let limit = Duration::from_millis(millis);
        let outcome = not_before(limit, || lock.read_timeout(limit).map(drop));
        assert!(matches!(outcome, Err(LockError::TimedOut { .. })));
    }
    let mut third = Driver::new(&name);
    third.block("read");
    first.join();
    second.kill();
    third.expect("ok");
    // There is room for one more, whichever share that is.
    drop(lock.try_read().expect("read"));
    third.join();
    drop(lock.try_write().expect("write"));
}

#[test]
fn sixty_four_threads_read_at_a_time_and_no_more() {
    let (segment, _lock, _name) = segment("full", 64);
    let lock = segment.rwlock("many", [0_u64; 4]).expect("lock");
    let (inside, looked) = (Barrier::new(65), Barrier::new(65));
    thread::scope(|scope| {
        for _ in 0..64 {
            scope.spawn(|| {
                let _guard = lock.read().expect("read");
                inside.wait();
                looked.wait();
            });
        }
        inside.wait();
        assert_eq!(lock.readers(), 64);
        assert!(would_block(lock.try_read()));
        looked.wait();
    });
    assert_eq!(lock.readers(), 0);
    drop(lock.try_write().expect("write"));
}

#[test]
fn a_panic_of_a_reader_is_nothing() {
    let (_segment, lock, _name) = segment("panic-reader", 1);
    for upgradable in [false, true] {
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _plain = (!upgradable).then(|| lock.read().expect("read"));
            let _upgradable = upgradable.then(|| lock.upgradable_read().expect("read"));
            std::panic::resume_unwind(Box::new("on purpose"));
        }))
        .expect_err("it unwinds");
        drop(lock.try_write().expect("nobody changed anything"));
    }
}
