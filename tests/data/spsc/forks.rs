//! The copy of an end that a forked child has is no end.
#![allow(unsafe_code)] // fork, in a process whose other threads do nothing

use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};
use outlive::{LockError, PopError, PushError, RoleError, Segment, Spsc, wait_any};

use super::driver::ring;
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

fn open(arguments: &[String]) -> Spsc<u64> {
    Segment::open(&arguments[0]).expect("open").find("r").expect("find")
}

/// The role: forks with both ends.
pub(crate) fn ends(arguments: &[String]) {
    let ring = open(arguments);
    let mut producer = ring.producer().expect("producer");
    let mut consumer = ring.consumer().expect("consumer");
    // So that each knows of a message or room without a look.
    producer.push_slice(&[1, 2, 3]).expect("push");
    assert_eq!(consumer.pop(), Ok(1));
    let (sender, receiver) = (&mut producer, &mut consumer);
    in_child(|| {
        let refused = LockError::WouldBlock;
        assert_eq!(sender.push(9), Err(PushError::Lock(9, refused.clone())));
        assert_eq!(sender.try_push(9), Err(PushError::Lock(9, refused.clone())));
        assert_eq!(sender.try_push_slice(&[9]), Err(PushError::Lock((), refused.clone())));
        assert_eq!(sender.push_slice(&[9]), Err(PushError::Lock(0, refused.clone())));
        let chunk = sender.write_chunk(1).map(|chunk| chunk.len());
        assert_eq!(chunk, Err(PushError::Lock((), refused.clone())));
        assert_eq!(receiver.pop(), Err(PopError::Lock(refused.clone())));
        assert_eq!(receiver.try_pop(), Err(PopError::Lock(refused.clone())));
        assert_eq!(receiver.pop_slice(&mut [0]), Err(PopError::Lock(refused.clone())));
        let chunk = receiver.read_chunk(1).map(|chunk| chunk.len());
        assert_eq!(chunk, Err(PopError::Lock(refused)));
        assert!(wait_any(&[&*receiver], None).is_err());
        sender.close();
        receiver.close();
        assert!(!ring.is_closed());
        assert!(matches!(ring.producer(), Err(RoleError::Taken { .. })));
        assert!(matches!(ring.consumer(), Err(RoleError::Taken { .. })));
    });
    in_child(|| {
        // SAFETY: each is dropped once in this process, which does not come back to them.
        unsafe {
            std::ptr::drop_in_place(&raw mut producer);
            std::ptr::drop_in_place(&raw mut consumer);
        }
        assert!(ring.producer_holder().is_some(), "the child let go of its parent's role");
        assert!(ring.consumer_holder().is_some(), "the child let go of its parent's role");
    });
    assert!(matches!(ring.producer(), Err(RoleError::Taken { .. })));
    producer.push(4).expect("push");
    let left: Vec<u64> = std::iter::from_fn(|| consumer.try_pop().ok()).collect();
    assert_eq!(left, [2, 3, 4]);
    // The child can have what the parent gave back.
    drop((producer, consumer));
    in_child(|| ring.producer().expect("producer").push(5).expect("push"));
    assert_eq!(ring.consumer().expect("consumer").pop(), Ok(5));
    say("done");
}

/// The role: forks with a chunk of free slots.
pub(crate) fn write_chunk(arguments: &[String]) {
    let ring = open(arguments);
    let mut producer = ring.producer().expect("producer");
    let mut chunk = producer.write_chunk(3).expect("a chunk");
    for slot in chunk.as_mut_slices().0 {
        slot.write(7);
    }
    // SAFETY: as in `in_child`.
    match unsafe { fork() }.expect("fork") {
        ForkResult::Child => {
            chunk.commit(2);
            // SAFETY: ends the child at once.
            unsafe { nix::libc::_exit(0) }
        }
        ForkResult::Parent { child } => {
            assert_eq!(waitpid(child, None).expect("wait"), WaitStatus::Exited(child, 0));
        }
    }
    assert_eq!(ring.len(), 0, "the child committed what its parent was writing");
    chunk.commit(3);
    assert_eq!(ring.len(), 3);
    say("done");
}

/// The role: forks with a chunk of messages.
pub(crate) fn read_chunk(arguments: &[String]) {
    let ring = open(arguments);
    ring.producer().expect("producer").push_slice(&[1, 2, 3]).expect("push");
    let mut consumer = ring.consumer().expect("consumer");
    let chunk = consumer.read_chunk(3).expect("a chunk");
    // SAFETY: as in `in_child`.
    match unsafe { fork() }.expect("fork") {
        ForkResult::Child => {
            chunk.commit(2);
            // SAFETY: ends the child at once.
            unsafe { nix::libc::_exit(0) }
        }
        ForkResult::Parent { child } => {
            assert_eq!(waitpid(child, None).expect("wait"), WaitStatus::Exited(child, 0));
        }
    }
    assert_eq!(ring.len(), 3, "the child took what its parent reads");
    assert_eq!(chunk.as_slices().0, [1, 2, 3]);
    chunk.commit(1);
    assert_eq!(consumer.pop(), Ok(2));
    say("done");
}

fn run(role: &str) {
    let (_segment, _ring, name) = ring("fork", 4);
    let mut peer = Peer::spawn(role, &[&name]);
    peer.expect("done");
    peer.join();
}

#[test]
fn a_childs_copy_of_an_end_is_refused_and_takes_nothing_from_its_parent() {
    run("spsc fork");
}

#[test]
fn a_childs_copy_of_a_chunk_to_write_commits_nothing() {
    run("spsc fork write");
}

#[test]
fn a_childs_copy_of_a_chunk_to_read_takes_nothing() {
    run("spsc fork read");
}
