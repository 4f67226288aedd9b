//! The copy of an end that a forked child has is none.
#![allow(unsafe_code)] // fork, in a process whose other threads do nothing

use std::time::Duration;

use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};
use outlive::{LockError, Pipe, PipeRecvError, PipeSendError, Segment, wait_any};

use super::driver::pipe;
use crate::support::{Peer, say};

/// The role.
pub(crate) fn run(arguments: &[String]) {
    let pipe: Pipe = Segment::open(&arguments[0]).expect("open").find("p").expect("find");
    let mut first = pipe.first().expect("first");
    first.send_bytes(b"sent").expect("send");
    // SAFETY: the watchdog, the only other thread, holds no lock that the child needs, and the child
    // leaves without returning to the test runner.
    match unsafe { fork() }.expect("fork") {
        ForkResult::Child => {
            let inside = || {
                let refused = LockError::WouldBlock;
                assert_eq!(first.recv_bytes(), Err(PipeRecvError::Lock(refused.clone())));
                assert_eq!(first.try_recv_bytes(), Err(PipeRecvError::Lock(refused.clone())));
                assert_eq!(first.send_bytes(b"x"), Err(PipeSendError::Lock(refused.clone())));
                assert_eq!(first.poll(Duration::MAX), Err(refused));
                assert!(wait_any(&[&first], None).is_err());
                assert!(pipe.first().is_err(), "its parent has it");
                // SAFETY: dropped once in this process, which does not come back to it.
                unsafe { std::ptr::drop_in_place(&raw mut first) };
                // As another process it has the other end.
                let second = pipe.second().expect("second");
                assert!(!second.is_peer_gone());
                assert_eq!(second.recv_bytes().as_deref(), Ok(&b"sent"[..]));
                second.send_bytes(b"from the child").expect("send");
            };
            let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(inside));
            // SAFETY: ends the child at once.
            unsafe { nix::libc::_exit(i32::from(result.is_err())) }
        }
        ForkResult::Parent { child } => {
            assert_eq!(first.recv_bytes().as_deref(), Ok(&b"from the child"[..]));
            assert_eq!(first.recv_bytes(), Err(PipeRecvError::Eof));
            assert_eq!(waitpid(child, None).expect("wait"), WaitStatus::Exited(child, 0));
            say("done");
        }
    }
}

#[test]
fn a_childs_copy_is_refused_and_closes_nothing() {
    let (_segment, _pipe, name) = pipe("fork", 256);
    let mut peer = Peer::spawn("pipe fork", &[&name]);
    peer.expect("done");
    peer.join();
}
