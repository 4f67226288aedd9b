//! Locks that are held across a fork or an exec.
#![allow(unsafe_code)] // fork

use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};
use outlive::{LockError, Mutex, MutexGuard, Segment};

use super::driver::{Driver, Words, segment};
use crate::support::{Peer, await_death, say, wait_for_go};

/// Runs `child` in a forked copy of this process; how that ended.
fn forked(child: impl FnOnce() -> i32) -> WaitStatus {
    // SAFETY: this process's other threads (the watchdog) hold no lock that the child needs.
    match unsafe { fork() }.expect("fork") {
        // SAFETY: ends the child at once, without the parent's handlers.
        ForkResult::Child => unsafe { nix::libc::_exit(child()) },
        ForkResult::Parent { child } => waitpid(child, None).expect("wait"),
    }
}

fn assert_exit(status: WaitStatus) {
    assert!(matches!(status, WaitStatus::Exited(_, 0)), "{status:?}");
}

/// The role.
pub(crate) fn fork_while_held(arguments: &[String]) {
    let segment = Segment::open(&arguments[0]).expect("open");
    let mutex: Mutex<Words> = segment.find("m").expect("find");

    let guard = mutex.lock().expect("lock");
    let mut copied: Option<MutexGuard<'_, Words>> = Some(guard);
    // The child's copy of the guard releases nothing.
    assert_exit(forked(|| {
        drop(copied.take());
        i32::from(!matches!(mutex.try_lock(), Err(LockError::WouldBlock)))
    }));
    // Nor does its end, of whatever kind.
    let status = forked(|| {
        nix::sys::signal::raise(Signal::SIGKILL).expect("raise");
        1
    });
    assert!(matches!(status, WaitStatus::Signaled(_, Signal::SIGKILL, _)), "{status:?}");
    say("held");
    wait_for_go();
    drop(copied.take());

    // Its own locks are the child's.
    assert_exit(forked(|| {
        drop(mutex.lock().expect("lock"));
        drop(mutex.try_lock().expect("again"));
        0
    }));
    drop(mutex.try_lock().expect("released by the child"));
    let status = forked(|| {
        std::mem::forget(mutex.lock().expect("lock"));
        nix::sys::signal::raise(Signal::SIGKILL).expect("raise");
        1
    });
    assert!(matches!(status, WaitStatus::Signaled(..)), "{status:?}");
    drop(mutex.lock().or_else(LockError::recover).expect("recover"));
    say("free");
    await_death();
}

#[test]
fn a_lock_held_across_a_fork_stays_the_parents() {
    let (_segment, mutex, name) = segment("fork");
    let mut waiter = Driver::new(&name);
    let mut forker = Peer::spawn("mutex fork", &[&name]);
    forker.expect("held");
    assert!(matches!(mutex.try_lock(), Err(LockError::WouldBlock)));
    forker.tell("go");
    forker.expect("free");
    waiter.does("lock", "ok");
    forker.kill();
    waiter.does("unlock", "done");
    waiter.join();
    drop(mutex.lock().expect("consistent"));
}

/// The role: a forked child vouches for what its parent holds.
pub(crate) fn vouch_in_child(arguments: &[String]) {
    let segment = Segment::open(&arguments[0]).expect("open");
    let mutex: Mutex<Words> = segment.find("m").expect("find");
    let Err(LockError::OwnerDied(mut guard)) = mutex.lock() else { panic!("expected OwnerDied") };
    assert_exit(forked(|| {
        guard.mark_consistent();
        0
    }));
    assert!(guard.is_inconsistent(), "the child vouched for data that the parent holds");
    guard.mark_consistent();
}

#[test]
fn a_forked_child_cannot_vouch_for_what_its_parent_holds() {
    let (_segment, mutex, name) = segment("vouch");
    let mut victim = Driver::new(&name);
    victim.does("lock", "ok");
    victim.kill();
    Peer::spawn("mutex vouch", &[&name]).join();
    drop(mutex.lock().expect("consistent"));
}

/// Locks, waits for the parent's word, and becomes another program.
fn exec_while_held(mutex: &Mutex<Words>) -> ! {
    let _guard = mutex.lock().expect("lock");
    say("held");
    wait_for_go();
    panic!("exec: {}", Command::new("true").exec());
}

/// The role: exec by a process's first thread, or by another one.
pub(crate) fn exec(arguments: &[String]) {
    let segment = Segment::open(&arguments[0]).expect("open");
    let mutex: Mutex<Words> = segment.find("m").expect("find");
    match arguments[1].as_str() {
        // The only thread of a forked process is its first one.
        "first" => assert_exit(forked(|| exec_while_held(&mutex))),
        _ => std::thread::scope(|scope| {
            scope.spawn(|| exec_while_held(&mutex));
        }),
    }
}

#[test]
fn exec_is_a_death() {
    let (_segment, mutex, name) = segment("exec");
    let mut waiter = Driver::new(&name);
    let mut peer = Peer::spawn("mutex exec", &[&name, "first"]);
    peer.expect("held");
    waiter.block("lock");
    peer.tell("go");
    waiter.expect("OwnerDied");
    waiter.does("mark", "done");
    waiter.does("unlock", "done");
    peer.join();
    drop(mutex.lock().expect("consistent"));
    waiter.join();
}

#[test]
fn exec_by_another_thread_is_a_death_too() {
    let (_segment, mutex, name) = segment("exec-thread");
    let mut peer = Peer::spawn("mutex exec", &[&name, "other"]);
    peer.expect("held");
    peer.tell("go");
    peer.join();
    // With a limit, so that the test ends: the dead one's lock is free at once or never.
    match mutex.lock_timeout(Duration::from_secs(10)) {
        Err(LockError::OwnerDied(mut guard)) => guard.mark_consistent(),
        other => panic!("{:?}", other.map(drop).err()),
    }
    drop(mutex.lock().expect("consistent"));
}
