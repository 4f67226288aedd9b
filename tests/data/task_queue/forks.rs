//! The copy of a task that a forked child has is none.
#![allow(unsafe_code)] // fork, in a process whose other threads do nothing

use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};
use outlive::{LockError, Redeliver, Segment, TaskQueue};

use super::driver::{queue, rest};
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

/// The role: forks with a task in its hands.
pub(crate) fn run(arguments: &[String]) {
    let segment = Segment::open(&arguments[0]).expect("open");
    let queue: TaskQueue<u64> = segment.find("t").expect("find");
    (1..=3).for_each(|task| queue.push(task).expect("push"));
    let mut task = Some(queue.pop().expect("pop"));
    in_child(|| {
        assert_eq!(task.take().expect("the copy").done(), Err(LockError::WouldBlock));
        assert_eq!(queue.unfinished(), 3, "the child ended its parent's task");
        // As another process it works.
        let mine = queue.pop().expect("pop");
        assert_eq!((*mine, queue.len()), (2, 1));
        mine.done().expect("done");
    });
    in_child(|| {
        task = None;
        assert_eq!(queue.unfinished(), 2, "the child dropped its parent's task");
        std::mem::forget(queue.pop().expect("pop"));
    });
    // What the child died with came back, and what the parent has did not.
    let again = queue.pop().expect("pop");
    assert_eq!((*again, again.attempt()), (3, 2));
    again.done().expect("done");
    task.take().expect("the task").done().expect("done");
    assert_eq!(rest(&queue), []);
    say("done");
}

#[test]
fn a_childs_copy_is_refused_and_takes_nothing_from_its_parent() {
    let (_segment, queue, name) = queue("fork", 4, Redeliver::Always);
    let mut peer = Peer::spawn("task queue fork", &[&name]);
    peer.expect("done");
    peer.join();
    assert_eq!(queue.unfinished(), 0);
}
