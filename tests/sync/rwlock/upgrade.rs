//! Readers that become writers, and the other way round.

use std::time::Duration;

use outlive::{LockError, RwLockUpgradableGuard};

use super::driver::{Driver, LONG, Words, segment};
use crate::observe::not_before;

#[test]
fn an_upgradable_reader_is_beside_readers_and_alone_of_its_kind() {
    let (_segment, lock, name) = segment("beside", 64);
    let before = Driver::with(&name, "read");
    let mine = lock.upgradable_read().expect("upgradable");
    assert_eq!(*mine, [0; 4]);
    let mut other = Driver::with(&name, "read");
    assert_eq!(lock.readers(), 2);
    other.does("drop", "done");
    other.does("try-upgradable", "WouldBlock");
    other.does("try-write", "WouldBlock");
    other.block("upgradable");
    drop(mine);
    other.expect("ok");
    let mut third = Driver::new(&name);
    third.block("write");
    other.does("drop", "done");
    // It waits for the first reader now, and lets nobody else in.
    while lock.holder().is_none() {
        std::thread::yield_now();
    }
    assert!(matches!(lock.try_read(), Err(LockError::WouldBlock)));
    before.join();
    third.expect("ok");
    other.join();
    third.join();
}

#[test]
fn an_upgrade_waits_for_the_readers_and_nobody_writes_in_between() {
    let (_segment, lock, name) = segment("upgrade", 64);
    let mut upgrader = Driver::with(&name, "upgradable");
    let mut writer = Driver::new(&name);
    writer.block("write");
    let reader = lock.read().expect("read");
    upgrader.block("convert-upgrade");
    // Nobody enters any more, and who is in stays.
    std::thread::scope(|scope| {
        scope.spawn(|| assert!(matches!(lock.try_read(), Err(LockError::WouldBlock))));
    });
    assert_eq!(*lock.read().expect("again"), [0; 4]);
    drop(reader);
    upgrader.expect("ok");
    upgrader.does("set 5", "done");
    upgrader.does("drop", "done");
    writer.expect("ok");
    writer.does("get", "[5, 5, 5, 5]");
    upgrader.join();
    writer.join();
}

#[test]
fn a_failed_upgrade_gives_the_guard_back() {
    let (_segment, lock, name) = segment("refused", 64);
    let mut reader = Driver::with(&name, "read");
    let mut guard: RwLockUpgradableGuard<'_, Words> = lock.upgradable_read().expect("upgradable");
    for millis in [0, 40] {
        let refused = guard.try_upgrade().map(drop).expect_err("there is a reader");
        assert_eq!(refused.error, LockError::WouldBlock);
        let limit = Duration::from_millis(millis);
        let refused = not_before(limit, || refused.guard.upgrade_timeout(limit).map(drop));
        let refused = refused.expect_err("there is a reader");
        let text = refused.to_string();
        assert!(text.contains("in time") && text.contains(&reader.thread().to_string()), "{text}");
        guard = refused.guard;
        // Readers come in again.
        assert_eq!(*guard, [0; 4]);
        let mut other = Driver::with(&name, "read");
        other.does("drop", "done");
        other.does("try-upgradable", "WouldBlock");
        other.join();
    }
    reader.does("drop", "done");
    guard.try_upgrade().expect("nobody reads")[0] = 1;
    assert_eq!(lock.read().expect("read")[0], 1);
    reader.join();
}

#[test]
fn one_that_reads_besides_cannot_upgrade() {
    let (_segment, lock, _name) = segment("besides", 64);
    let guard = lock.upgradable_read().expect("upgradable");
    let plain = lock.read().expect("read");
    let refused = guard.upgrade().map(drop).expect_err("it would wait for itself");
    assert_eq!(refused.error, LockError::Deadlock);
    drop(plain);
    let guard = refused.guard.upgrade().expect("upgrade");
    assert!(!guard.is_inconsistent());
    let error: LockError = {
        drop(guard);
        let guard = lock.upgradable_read().expect("upgradable");
        let _plain = lock.read().expect("read");
        guard.try_upgrade().map(drop).expect_err("it would wait for itself").into()
    };
    assert_eq!(error, LockError::Deadlock);
    drop(lock.try_write().expect("the guard went with the error"));
}

#[test]
fn a_downgrade_lets_readers_in_and_no_writer_between() {
    let (_segment, lock, name) = segment("downgrade", 64);
    let (mut writer, mut reader) = (Driver::new(&name), Driver::new(&name));
    let mut guard = lock.write().expect("write");
    reader.block("read");
    writer.block("write");
    guard.fill(4);
    let guard = guard.downgrade_to_upgradable();
    reader.expect("ok");
    reader.does("get", "[4, 4, 4, 4]");
    let guard = guard.downgrade().expect("downgrade");
    assert_eq!(*guard, [4; 4]);
    reader.does("drop", "done");
    drop(guard);
    writer.expect("ok");
    writer.does("get", "[4, 4, 4, 4]");
    // At once.
    writer.does("convert-downgrade", "ok");
    drop(lock.try_read().expect("read"));
    drop(lock.try_upgradable_read().expect("upgradable"));
    assert!(matches!(lock.try_write(), Err(LockError::WouldBlock)));
    writer.does("drop", "done");
    let mut guard = lock.write().expect("write");
    guard[0] = 9;
    let guard = guard.downgrade_to_upgradable();
    assert_eq!(guard[0], 9);
    drop(guard.upgrade().expect("nobody reads"));
    writer.join();
    reader.join();
}

#[test]
fn a_killed_upgradable_reader_is_nothing() {
    let (_segment, lock, name) = segment("killed-upgradable", 64);
    let mut waiter = Driver::new(&name);
    for wait in ["write", &format!("write-timeout {LONG}"), "upgradable"] {
        let victim = Driver::with(&name, "upgradable");
        waiter.block(wait);
        victim.kill();
        waiter.expect("ok");
        waiter.does("drop", "done");
        drop(lock.try_write().expect("nobody wrote"));
    }
    waiter.join();
}
