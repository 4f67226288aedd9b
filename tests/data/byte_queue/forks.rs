//! The copy of a guard that a forked child has is none.
#![allow(unsafe_code)] // fork, in a process whose other threads do nothing

use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};
use outlive::{ByteQueue, Segment};

use super::driver::queue;
use crate::support::{Peer, say};

/// Forks with a guard: the child gives it up in one way, and then the parent in another.
fn with_guard<G>(guard: G, child: impl FnOnce(G), parent: impl FnOnce(G)) {
    // SAFETY: the watchdog, the only other thread, holds no lock that the child needs, and the child
    // leaves without returning to the test runner.
    match unsafe { fork() }.expect("fork") {
        ForkResult::Child => {
            child(guard);
            // SAFETY: ends the child at once.
            unsafe { nix::libc::_exit(0) }
        }
        ForkResult::Parent { child: id } => {
            assert_eq!(waitpid(id, None).expect("wait"), WaitStatus::Exited(id, 0));
            parent(guard);
        }
    }
}

/// The role.
pub(crate) fn run(arguments: &[String]) {
    let queue: ByteQueue = Segment::open(&arguments[0]).expect("open").find("q").expect("find");
    let check = |length| assert_eq!(queue.len(), length);
    let grant = || {
        let mut grant = queue.grant(5).expect("grant");
        grant.copy_from_slice(b"whole");
        grant
    };
    with_guard(grant(), |copy| copy.commit(), drop);
    check(0);
    with_guard(grant(), drop, |grant| {
        check(0);
        grant.commit();
    });
    check(1);
    let read = || queue.read().expect("read");
    with_guard(read(), drop, |message| {
        assert_eq!(&*message, b"whole");
        message.keep();
    });
    check(1);
    with_guard(read(), |copy| copy.keep(), |message| message.release());
    check(0);
    // The child is a producer and a consumer of its own.
    with_guard((), |()| queue.push(b"child").expect("push"), drop);
    assert_eq!(queue.pop().as_deref(), Ok(&b"child"[..]));
    let stats = queue.stats();
    assert_eq!((stats.dropped, stats.redelivered), (0, 0));
    say("done");
}

#[test]
fn a_childs_copy_of_a_guard_pushes_and_takes_nothing() {
    let (_segment, _queue, name) = queue("fork", 256);
    let mut peer = Peer::spawn("byte queue fork", &[&name]);
    peer.expect("done");
    peer.join();
}
