//! Forked children: they have no thread that waits, and perhaps a lock that one held.
#![allow(unsafe_code)] // fork

use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};

use crate::driver::things;
use crate::runtime::{block_on, many, poll_once};
use crate::support::{Peer, say, watchdog};

/// The role: forks again and again while tasks of its own wait and are woken.
pub(crate) fn child_waits(_: &[String]) {
    let things = things("fork");
    let back = things.bytes.clone();
    let runtime = many();
    // Keeps the thread that waits, and its locks, busy.
    let busy = runtime.spawn({
        let event = things.event.clone();
        async move {
            loop {
                event.wait_async().await.expect("wait");
            }
        }
    });
    for round in 0..30_u64 {
        let mut popping = Box::pin(things.queue.pop_async());
        assert!(poll_once(&mut popping).is_pending());
        things.event.set().expect("set");
        // SAFETY: the child uses nothing but this library and what it is documented to need.
        match unsafe { fork() }.expect("fork") {
            ForkResult::Child => {
                watchdog();
                // What its parent had begun, it goes on with by itself.
                let popped = block_on(popping).expect("pop");
                block_on(back.push_async(&popped.to_ne_bytes())).expect("push");
                // SAFETY: ends the process at once.
                unsafe { nix::libc::_exit(0) };
            }
            ForkResult::Parent { child } => {
                drop(popping);
                things.queue.push(round).expect("push");
                let answer = block_on(things.bytes.pop_async()).expect("pop");
                assert_eq!(answer, round.to_ne_bytes());
                assert_eq!(waitpid(child, None), Ok(WaitStatus::Exited(child, 0)));
            }
        }
    }
    busy.abort();
    say("done");
}

#[test]
fn a_forked_child_waits_by_itself() {
    let mut peer = Peer::spawn("async fork", &[]);
    peer.expect("done");
    peer.join();
}
