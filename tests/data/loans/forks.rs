//! The copy of a loan that a forked child has is none.
#![allow(unsafe_code)] // fork, in a process whose other threads do nothing

use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};
use outlive::{LoanHandle, LoanPool, Queue, ReceiveError, Segment};

use super::driver::{chunks, pool};
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
    let segment = Segment::open(&arguments[0]).expect("open");
    let pool: LoanPool = segment.find("p").expect("find");
    let queue: Queue<LoanHandle> = segment.find("q").expect("find");
    let count = |held, sent| {
        let stats = pool.stats();
        assert_eq!((stats.held, stats.sent), (held, sent), "{stats:?}");
    };
    let loan = || pool.loan(7_u64).expect("loan");
    with_guard(loan(), drop, |loan| {
        count(1, 0);
        assert_eq!(*loan, 7);
    });
    count(0, 0);
    // What the child sends is stale.
    with_guard(
        loan(),
        |copy| copy.send_to(&queue).expect("send"),
        |loan| {
            count(1, 0);
            let handle = queue.pop().expect("pop");
            assert_eq!(pool.receive::<u64>(handle).err(), Some(ReceiveError::Stale));
            loan.send_to(&queue).expect("send");
        },
    );
    count(0, 1);
    let received = pool.receive_from::<u64>(&queue).expect("receive");
    with_guard(received, drop, |received| {
        count(1, 0);
        assert_eq!(*received, 7);
    });
    count(0, 0);
    // The child is a user of its own.
    with_guard((), |()| loan().send_to(&queue).expect("send"), drop);
    assert_eq!(*pool.receive_from::<u64>(&queue).expect("receive"), 7);
    count(0, 0);
    say("done");
}

#[test]
fn a_childs_copy_of_a_loan_gives_back_and_sends_nothing() {
    let (_segment, _pool, _queue, name) = pool("fork", &chunks(2, 64));
    let mut peer = Peer::spawn("loans fork", &[&name]);
    peer.expect("done");
    peer.join();
}
