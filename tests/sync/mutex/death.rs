//! What the others see when a holder is gone.

use std::mem;
use std::thread;

use outlive::{LockError, Mutex, Segment};

use super::driver::{Driver, LONG, Words, segment};
use crate::support::{Peer, await_death, say, unique, wait_for_go};

/// The next locker's part after a death: sees it, mends the data and vouches for them.
fn recover(mutex: &Mutex<Words>) -> Words {
    let Err(LockError::OwnerDied(mut guard)) = mutex.lock() else { panic!("expected OwnerDied") };
    assert!(guard.is_inconsistent());
    let found = *guard;
    *guard = [0; 4];
    guard.mark_consistent();
    assert!(!guard.is_inconsistent());
    found
}

#[test]
fn the_next_locker_learns_of_a_kill_and_the_one_after_does_not_100_rounds() {
    let (_segment, mutex, name) = segment("rounds");
    let mut bystander = Driver::new(&name);
    for round in 1..=100 {
        let mut victim = Driver::new(&name);
        victim.does("lock", "ok");
        victim.does(&format!("half {round}"), "done");
        assert!(matches!(mutex.try_lock(), Err(LockError::WouldBlock)));
        victim.kill();
        assert_eq!(recover(&mutex), [round, round, 0, 0], "round {round}");
        assert_eq!(*mutex.try_lock().expect("free and consistent"), [0; 4]);
        bystander.does("try", "ok");
        bystander.does("unlock", "done");
    }
    bystander.join();
}

#[test]
fn a_death_wakes_who_waits() {
    let (_segment, mutex, name) = segment("wakes");
    let mut waiter = Driver::new(&name);
    for wait in ["lock", &format!("timeout {LONG}")] {
        for _ in 0..10 {
            let mut victim = Driver::new(&name);
            victim.does("lock", "ok");
            waiter.block(wait);
            victim.kill();
            waiter.expect("OwnerDied");
            waiter.does("mark", "done");
            waiter.does("unlock", "done");
            drop(mutex.try_lock().expect("free and consistent"));
        }
    }
    waiter.join();
}

#[test]
fn of_several_waiters_one_learns_of_the_death_and_all_get_the_lock() {
    let (_segment, _mutex, name) = segment("several");
    let mut victim = Driver::new(&name);
    victim.does("lock", "ok");
    let mut waiters: Vec<Driver> = (0..4).map(|_| Driver::new(&name)).collect();
    for waiter in &mut waiters {
        waiter.block("lock");
    }
    victim.kill();
    // Whoever gets it first is not known: each lets go when it has the lock.
    let threads: Vec<_> = waiters
        .into_iter()
        .map(|mut waiter| {
            thread::spawn(move || {
                let got = waiter.hear();
                if got == "OwnerDied" {
                    waiter.does("mark", "done");
                }
                waiter.does("unlock", "done");
                got
            })
        })
        .collect();
    let mut got: Vec<String> = threads.into_iter().map(|t| t.join().expect("join")).collect();
    got.sort();
    assert_eq!(got, ["OwnerDied", "ok", "ok", "ok"]);
}

#[test]
fn a_killed_recoverer_leaves_the_death_to_be_seen_again() {
    let (_segment, mutex, name) = segment("again");
    let mut first = Driver::new(&name);
    first.does("lock", "ok");
    first.does("half 7", "done");
    first.kill();
    for _ in 0..3 {
        let mut recoverer = Driver::new(&name);
        recoverer.does("lock", "OwnerDied");
        recoverer.kill();
    }
    assert_eq!(recover(&mutex), [7, 7, 0, 0]);
    drop(mutex.lock().expect("consistent"));
}

#[test]
fn a_recoverer_killed_after_it_vouched_is_a_holder_like_any() {
    let (_segment, mutex, name) = segment("vouched");
    for _ in 0..2 {
        let mut victim = Driver::new(&name);
        victim.start("lock");
        if victim.hear() == "OwnerDied" {
            victim.does("mark", "done");
        }
        victim.kill();
    }
    recover(&mutex);
    drop(mutex.lock().expect("consistent"));
}

#[test]
fn a_lock_given_up_as_inconsistent_is_closed_to_everyone() {
    let (segment, mutex, name) = segment("closed");
    let mut victim = Driver::new(&name);
    victim.does("lock", "ok");
    victim.kill();
    let Err(LockError::OwnerDied(guard)) = mutex.lock() else { panic!("expected OwnerDied") };
    let mut waiters = [Driver::new(&name), Driver::new(&name), Driver::new(&name)];
    waiters[0].block("lock");
    waiters[1].block("lock");
    waiters[2].block(&format!("timeout {LONG}"));
    drop(guard);
    for waiter in &mut waiters {
        waiter.expect("NotRecoverable");
        for command in ["lock", "try", "timeout 0", &format!("timeout {LONG}")] {
            waiter.does(command, "NotRecoverable");
        }
    }
    let error = mutex.lock().unwrap_err();
    assert!(matches!(error, LockError::NotRecoverable));
    assert!(matches!(error.recover(), Err(LockError::NotRecoverable)));
    // The way out that the error's text names.
    segment.remove("m").expect("remove");
    drop(segment.mutex::<Words>("m", [0; 4]).expect("anew").lock().expect("lock"));
    waiters.into_iter().for_each(Driver::join);
}

#[test]
fn recover_goes_on_with_whole_data() {
    let (_segment, mutex, name) = segment("recover");
    let mut victim = Driver::new(&name);
    victim.does("lock", "ok");
    victim.kill();
    let mut guard = mutex.lock().or_else(LockError::recover).expect("recover");
    assert!(!guard.is_inconsistent());
    guard[0] = 1;
    drop(guard);
    drop(mutex.lock().or_else(LockError::recover).expect("as any lock"));
}

#[test]
fn the_end_of_a_thread_with_a_forgotten_guard_is_a_death() {
    let (_segment, mutex, name) = segment("thread");
    let mut peer = Driver::new(&name);
    peer.does("forget-in-thread", "done");
    recover(&mutex);
    peer.does("lock", "ok");
    // The guard is forgotten, but its thread lives.
    peer.does("forget", "done");
    assert!(matches!(mutex.try_lock(), Err(LockError::WouldBlock)));
    peer.join();
    recover(&mutex);
}

/// The role: leaks a guard in a thread, drops all else, and has the address space used again.
pub(crate) fn forget_in_a_thread_and_unmap(arguments: &[String]) {
    let name = arguments[0].clone();
    let (locked, unlocked) = std::sync::mpsc::channel();
    let (end, ended) = std::sync::mpsc::channel::<()>();
    let holder = thread::spawn(move || {
        let segment = Segment::open(&name).expect("open");
        let mutex: Mutex<Words> = segment.find("m").expect("find");
        mem::forget(mutex.lock().expect("lock"));
        drop((mutex, segment));
        locked.send(()).expect("send");
        ended.recv().expect("receive");
    });
    unlocked.recv().expect("receive");
    // Another thread unmaps what nobody leads to any more, and maps other memory there.
    for round in 0..20 {
        let other = Segment::options().capacity(64 << 10).create(&unique("other")).expect("create");
        other.mutex::<Words>("m", [round; 4]).expect("mutex");
    }
    say("unmapped");
    wait_for_go();
    end.send(()).expect("send");
    holder.join().expect("join");
    // After the holder's end the mapping may go.
    drop(Segment::options().capacity(64 << 10).create(&unique("other")).expect("create"));
    say("ended");
    await_death();
}

#[test]
fn memory_stays_mapped_while_a_thread_holds_a_lock_in_it() {
    let (_segment, mutex, name) = segment("graveyard");
    let mut peer = Peer::spawn("mutex graveyard", &[&name]);
    peer.expect("unmapped");
    assert!(matches!(mutex.try_lock(), Err(LockError::WouldBlock)));
    peer.tell("end");
    peer.expect("ended");
    recover(&mutex);
    peer.kill();

    // The same with the whole process killed.
    let mut peer = Peer::spawn("mutex graveyard", &[&name]);
    peer.expect("unmapped");
    peer.kill();
    recover(&mutex);
    drop(mutex.lock().expect("consistent"));
}
