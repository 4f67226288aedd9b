//! Locks that are held across a fork.
#![allow(unsafe_code)] // fork

use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};
use outlive::{LockError, RwLock, Segment};

use super::driver::{Words, segment};
use crate::support::Peer;

/// Runs `child` in a forked copy of this process; it has to return true.
fn forked(child: impl FnOnce() -> bool) {
    // SAFETY: this process's other threads (the watchdog) hold no lock that the child needs.
    let status = match unsafe { fork() }.expect("fork") {
        // SAFETY: ends the child at once, without the parent's handlers.
        ForkResult::Child => unsafe { nix::libc::_exit(i32::from(!child())) },
        ForkResult::Parent { child } => waitpid(child, None).expect("wait"),
    };
    assert!(matches!(status, WaitStatus::Exited(_, 0)), "{status:?}");
}

/// The role.
pub(crate) fn fork_while_held(arguments: &[String]) {
    let segment = Segment::open(&arguments[0]).expect("open");
    let lock: RwLock<Words> = segment.find("l").expect("find");

    let mut guards: Vec<_> = (0..3).map(|_| lock.read().expect("read")).collect();
    forked(|| {
        // Copies: they give nothing back.
        guards.pop();
        guards.clear();
        lock.readers() == 1
            && lock.try_read().is_ok() // its own
            && matches!(lock.try_write(), Err(LockError::WouldBlock))
    });
    guards.pop();
    guards.pop();
    assert_eq!(lock.readers(), 1);
    drop(guards);

    let mut upgradable = Some(lock.upgradable_read().expect("upgradable"));
    forked(|| {
        drop(upgradable.take());
        matches!(lock.try_upgradable_read(), Err(LockError::WouldBlock))
    });
    let mut writer = Some(upgradable.take().expect("held").upgrade().expect("upgrade"));
    forked(|| {
        drop(writer.take());
        matches!(lock.try_read(), Err(LockError::WouldBlock))
            && matches!(lock.try_write(), Err(LockError::WouldBlock))
    });
    // Nor does the child's copy say that the data are whole.
    std::mem::forget(writer.take());
}

#[test]
fn what_is_held_across_a_fork_stays_the_parents() {
    let (_segment, lock, name) = segment("fork", 4);
    Peer::spawn("rwlock fork", &[&name]).join();
    assert!(matches!(lock.try_read(), Err(LockError::OwnerDied(_))));
    drop(lock.write().or_else(LockError::recover).expect("recover"));
    drop(lock.try_read().expect("consistent"));
}
