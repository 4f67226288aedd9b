//! The copy of a subscriber that a forked child has is none.
#![allow(unsafe_code)] // fork, in a process whose other threads do nothing

use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};
use outlive::{Broadcast, LockError, RecvError, Segment, Slow, Start, wait_any};

use super::driver::{channel, rest};
use crate::support::{Peer, say};

/// Runs `inside` in a forked child and waits for it: it is not to panic.
fn in_child(inside: impl FnOnce()) {
    // SAFETY: the watchdog, the only other thread, holds no lock that the child needs, and the child
    // leaves without returning to the test runner.
    match unsafe { fork() }.expect("fork") {
        ForkResult::Child => {
            let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(inside));
            // SAFETY: ends the child at once.
            unsafe { nix::libc::_exit(i32::from(result.is_err())) }
        }
        ForkResult::Parent { child } => {
            assert_eq!(waitpid(child, None).expect("wait"), WaitStatus::Exited(child, 0));
        }
    }
}

/// The role: forks with a subscriber that has messages to receive.
pub(crate) fn run(arguments: &[String]) {
    let segment = Segment::open(&arguments[0]).expect("open");
    let channel: Broadcast<u64> = segment.find("b").expect("find");
    let mut subscriber = channel.subscribe(Start::Newest).expect("subscribe");
    channel.publish(1).expect("publish");
    channel.publish(2).expect("publish");
    let copy = &mut subscriber;
    in_child(|| {
        let refused = RecvError::Lock(LockError::WouldBlock);
        assert_eq!(copy.try_recv(), Err(refused.clone()));
        assert_eq!(copy.recv(), Err(refused.clone()));
        assert_eq!(copy.recv_timeout(std::time::Duration::MAX), Err(refused));
        assert!(wait_any(&[&*copy], None).is_err());
        // As another process it subscribes and publishes.
        let mut mine = channel.subscribe(Start::Oldest).expect("subscribe");
        assert_eq!(rest(&mut mine), [1, 2]);
        channel.publish(3).expect("publish");
        assert_eq!(mine.recv(), Ok(3));
        assert_eq!(copy.try_recv(), Err(RecvError::Lock(LockError::WouldBlock)));
    });
    assert_eq!(channel.subscribers(), 1, "the child's own one ended with it");
    in_child(|| {
        // SAFETY: dropped once in this process, which does not come back to it.
        unsafe { std::ptr::drop_in_place(&raw mut subscriber) };
        assert_eq!(channel.subscribers(), 1, "the child let go of its parent's place");
    });
    assert_eq!(rest(&mut subscriber), [1, 2, 3]);
    say("done");
}

#[test]
fn a_childs_copy_is_refused_and_takes_nothing_from_its_parent() {
    for slow in [Slow::Block, Slow::Overwrite] {
        let (_segment, _channel, name) = channel("fork", 4, slow);
        let mut peer = Peer::spawn("broadcast fork", &[&name]);
        peer.expect("done");
        peer.join();
    }
}
