//! What the others see when a reader or a writer is gone.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use outlive::{LockError, RwLock};

use super::driver::{Driver, LONG, Words, segment};

/// The next writer's part after a death: sees it, mends the data and vouches for them.
fn recover(lock: &RwLock<Words>) -> Words {
    let Err(LockError::OwnerDied(mut guard)) = lock.write() else { panic!("expected OwnerDied") };
    assert!(guard.is_inconsistent());
    let found = *guard;
    *guard = [0; 4];
    guard.mark_consistent();
    assert!(!guard.is_inconsistent());
    found
}

#[test]
fn a_killed_readers_share_goes_back_and_wakes_a_writer() {
    let (_segment, lock, name) = segment("reader", 2);
    let mut writer = Driver::new(&name);
    for wait in ["write", &format!("write-timeout {LONG}")] {
        for _ in 0..10 {
            let victims = [Driver::with(&name, "read"), Driver::with(&name, "read")];
            writer.block(wait);
            victims.into_iter().for_each(Driver::kill);
            writer.expect("ok");
            writer.does("drop", "done");
            // The dead ones' shares are used again.
            let again = [Driver::with(&name, "try-read"), Driver::with(&name, "try-read")];
            assert_eq!(lock.readers(), 2);
            again.into_iter().for_each(Driver::kill);
            assert_eq!(lock.readers(), 0);
            drop(lock.try_write().expect("nobody is told"));
        }
    }
    writer.join();
}

#[test]
fn a_killed_reader_that_had_several_guards_leaves_none() {
    let (_segment, lock, name) = segment("recursion", 1);
    let mut victim = Driver::with(&name, "read");
    victim.does("read", "ok");
    victim.does("read", "ok");
    victim.kill();
    drop(lock.try_read().expect("read"));
    drop(lock.try_write().expect("one guard was all"));
}

#[test]
fn a_killed_reader_makes_room_for_one_that_waits_for_a_share() {
    let (_segment, _lock, name) = segment("room-death", 1);
    let victim = Driver::with(&name, "read");
    let mut reader = Driver::new(&name);
    reader.block("read");
    victim.kill();
    reader.expect("ok");
    reader.join();
}

#[test]
fn everybody_learns_of_a_killed_writer_until_somebody_vouches_30_rounds() {
    let (_segment, lock, name) = segment("rounds", 64);
    for round in 1..=30 {
        let mut victim = Driver::with(&name, "write");
        victim.does(&format!("half {round}"), "done");
        assert!(matches!(lock.try_read(), Err(LockError::WouldBlock)));
        victim.kill();
        for _ in 0..2 {
            let Err(LockError::OwnerDied(guard)) = lock.try_read() else { panic!("not told") };
            assert_eq!(*guard, [round, round, 0, 0]);
            let Err(LockError::OwnerDied(again)) = lock.read() else { panic!("not told again") };
            drop((guard, again));
            let Err(LockError::OwnerDied(guard)) = lock.try_upgradable_read() else {
                panic!("not told")
            };
            assert_eq!(*guard, [round, round, 0, 0]);
        }
        assert_eq!(recover(&lock), [round, round, 0, 0]);
        assert_eq!(*lock.try_read().expect("consistent"), [0; 4]);
        drop(lock.try_write().expect("consistent"));
    }
}

#[test]
fn a_death_of_a_writer_wakes_who_waits() {
    let (_segment, lock, name) = segment("wakes", 64);
    let (mut reader, mut other) = (Driver::new(&name), Driver::new(&name));
    for wait in ["read", "upgradable", &format!("read-timeout {LONG}")] {
        let victim = Driver::with(&name, "write");
        reader.block(wait);
        other.block("read");
        victim.kill();
        for told in [&mut reader, &mut other] {
            told.expect("OwnerDied");
            told.does("drop", "done");
        }
        recover(&lock);
    }
    for wait in ["write", &format!("write-timeout {LONG}")] {
        let victim = Driver::with(&name, "write");
        other.block(wait);
        victim.kill();
        other.expect("OwnerDied");
        other.does("mark", "done");
        other.does("drop", "done");
    }
    reader.join();
    other.join();
}

#[test]
fn a_lock_given_up_as_inconsistent_is_closed_to_everyone() {
    let (segment, lock, name) = segment("closed", 64);
    Driver::with(&name, "write").kill();
    let Err(LockError::OwnerDied(guard)) = lock.write() else { panic!("expected OwnerDied") };
    let waits = ["read", "write", "upgradable", &format!("read-timeout {LONG}")];
    let mut waiters: Vec<Driver> = waits.iter().map(|_| Driver::new(&name)).collect();
    for (waiter, wait) in waiters.iter_mut().zip(&waits) {
        waiter.block(wait);
    }
    drop(guard);
    for waiter in &mut waiters {
        waiter.expect("NotRecoverable");
        for command in ["read", "try-read", "write", "try-write", "upgradable", "try-upgradable"] {
            waiter.does(command, "NotRecoverable");
        }
    }
    assert_eq!(lock.readers(), 0);
    segment.remove("l").expect("remove");
    drop(segment.rwlock::<Words>("l", [0; 4]).expect("anew").write().expect("write"));
    waiters.into_iter().for_each(Driver::join);
}

#[test]
fn a_killed_recoverer_leaves_the_death_to_be_seen_again() {
    let (_segment, lock, name) = segment("again", 64);
    let mut first = Driver::with(&name, "write");
    first.does("half 7", "done");
    first.kill();
    for how in ["write", "upgradable", "write"] {
        let mut recoverer = Driver::new(&name);
        recoverer.does(how, "OwnerDied");
        if how == "upgradable" {
            recoverer.does("convert-upgrade", "ok");
        }
        recoverer.kill();
    }
    // One that vouched is a writer like any.
    let mut vouched = Driver::new(&name);
    vouched.does("write", "OwnerDied");
    vouched.does("mark", "done");
    vouched.kill();
    assert_eq!(recover(&lock), [7, 7, 0, 0]);
    drop(lock.write().expect("consistent"));
}

#[test]
fn a_writer_killed_while_it_waits_is_not_told() {
    let (_segment, lock, name) = segment("waiting-writer", 64);
    for _ in 0..10 {
        let guard = lock.read().expect("read");
        let mut upgrader = Driver::with(&name, "upgradable");
        upgrader.block("convert-upgrade");
        upgrader.kill();
        let mut victims = [Driver::new(&name), Driver::new(&name)];
        victims[0].block("write"); // for this reader
        victims[1].block("write"); // for the other one
        let mut reader = Driver::new(&name);
        reader.block("read");
        victims.into_iter().for_each(Driver::kill);
        reader.expect("ok");
        reader.does("drop", "done");
        drop(guard);
        drop(lock.try_write().expect("nothing was written"));
        reader.join();
    }
}

#[test]
fn a_writer_that_gave_way_to_readers_is_not_told() {
    let (_segment, lock, name) = segment("gave-way", 64);
    for convert in ["convert-downgrade", "convert-upgradable"] {
        let mut victim = Driver::with(&name, "write");
        victim.does("set 3", "done");
        victim.does(convert, "ok");
        victim.kill();
        assert_eq!(*lock.try_read().expect("what it wrote is whole"), [3; 4]);
        drop(lock.try_write().expect("nobody is told"));
    }
}

#[test]
fn data_that_nobody_vouched_for_stay_so_through_a_downgrade() {
    let (_segment, lock, name) = segment("downgrade-dirty", 64);
    let mut victim = Driver::with(&name, "write");
    victim.does("half 2", "done");
    victim.kill();
    let Err(LockError::OwnerDied(guard)) = lock.write() else { panic!("expected OwnerDied") };
    let guard = guard.downgrade_to_upgradable();
    assert!(matches!(lock.try_read(), Err(LockError::OwnerDied(_))));
    let guard = guard.upgrade().expect("upgrade");
    assert!(guard.is_inconsistent());
    drop(guard.downgrade().expect("downgrade"));
    assert!(matches!(lock.try_read(), Err(LockError::OwnerDied(_))));
    assert_eq!(recover(&lock), [2, 2, 0, 0]);
    drop(lock.try_read().expect("consistent"));
}

#[test]
fn a_panic_of_a_writer_is_seen_as_a_death() {
    let (_segment, lock, name) = segment("panic", 64);
    let mut reader = Driver::new(&name);
    for upgraded in [false, true] {
        catch_unwind(AssertUnwindSafe(|| {
            let mut guard = if upgraded {
                lock.upgradable_read().expect("upgradable").upgrade().expect("upgrade")
            } else {
                lock.write().expect("write")
            };
            reader.block("read");
            guard[0] = 1;
            resume_unwind(Box::new("on purpose"));
        }))
        .expect_err("it unwinds");
        reader.expect("OwnerDied");
        reader.does("drop", "done");
        assert_eq!(recover(&lock), [1, 0, 0, 0]);
        reader.does("try-read", "ok");
        reader.does("drop", "done");
    }
    // One elsewhere is nothing.
    let guard = lock.write().expect("write");
    catch_unwind(|| resume_unwind(Box::new("on purpose"))).expect_err("it unwinds");
    drop(guard);
    drop(lock.try_write().expect("consistent"));
    reader.join();
}

#[test]
fn recover_goes_on_with_whole_data() {
    let (_segment, lock, name) = segment("recover", 64);
    Driver::with(&name, "write").kill();
    let mut guard = lock.write().or_else(LockError::recover).expect("recover");
    assert!(!guard.is_inconsistent());
    guard[0] = 1;
    drop(guard);
    drop(lock.write().or_else(LockError::recover).expect("as any lock"));
}

#[test]
fn the_end_of_a_thread_with_a_forgotten_guard_is_a_death() {
    let (_segment, lock, _name) = segment("thread", 64);
    std::thread::scope(|scope| {
        scope.spawn(|| std::mem::forget(lock.read().expect("read")));
    });
    drop(lock.write_timeout(std::time::Duration::from_secs(10)).expect("nobody is told"));
    std::thread::scope(|scope| {
        scope.spawn(|| std::mem::forget(lock.write().expect("write")));
    });
    assert_eq!(recover(&lock), [0; 4]);
}
