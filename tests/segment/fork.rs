//! Fork without exec: the child goes on with the handles, and neither loses by the other's end.
#![allow(unsafe_code)] // fork, in processes with one thread of ours

use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};
use outlive::{Array, ObjectError, Segment};

use crate::support::{self, Peer, say, unique};

/// Runs `inside` in a forked child and waits for it; its exit status is `inside`'s success.
fn in_child(inside: impl FnOnce()) {
    // SAFETY: the child runs `inside` and leaves without returning to the test runner.
    match unsafe { fork() }.unwrap() {
        ForkResult::Child => {
            let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(inside));
            // SAFETY: ends the child at once.
            unsafe { nix::libc::_exit(i32::from(result.is_err())) }
        }
        ForkResult::Parent { child } => {
            assert_eq!(waitpid(child, None).unwrap(), WaitStatus::Exited(child, 0));
        }
    }
}

/// `fork-handles`: shared objects on both sides of a fork.
pub(crate) fn handles(_arguments: &[String]) {
    let segment = Segment::create(&unique("fork")).unwrap();
    let mutex = segment.mutex("m", 0_u64).unwrap();
    let value = segment.value("v", 0_u64).unwrap();
    let queue = segment.queue::<u64>("q", 10).unwrap();

    // Locked before the fork: the parent's. The child's copy of the guard does nothing.
    let guard = mutex.lock().unwrap();
    in_child(|| {
        assert!(mutex.try_lock().is_err());
        value.update(|v| *v += 1).unwrap();
        queue.push(5).unwrap();
        segment.value("new", 7_u8).unwrap();
    });
    assert!(mutex.try_lock().is_err(), "the parent still holds it");
    drop(guard);
    assert!(mutex.try_lock().is_ok());
    assert_eq!(value.get().unwrap(), 1);
    assert_eq!(queue.pop().unwrap(), 5);
    assert_eq!(segment.value("new", 0_u8).unwrap().get().unwrap(), 7);

    // A guard whose copy the child drops, of a lock and of a transaction.
    let mut guard = mutex.lock().unwrap();
    let mut draft = value.lock().unwrap();
    *draft = 100;
    // SAFETY: as in `in_child`.
    match unsafe { fork() }.unwrap() {
        ForkResult::Child => {
            *draft = 200;
            drop(draft);
            drop(guard);
            // SAFETY: ends the child at once.
            unsafe { nix::libc::_exit(0) }
        }
        ForkResult::Parent { child } => {
            assert_eq!(waitpid(child, None).unwrap(), WaitStatus::Exited(child, 0));
        }
    }
    *guard += 1;
    assert_eq!(value.get().unwrap(), 1, "the child committed nothing");
    assert!(mutex.try_lock().is_err(), "the child released nothing");
    drop(draft);
    drop(guard);
    assert_eq!(value.get().unwrap(), 100);

    // Locked in the child, which dies with it: the parent is told.
    in_child(|| std::mem::forget(mutex.lock().unwrap()));
    assert!(matches!(mutex.lock(), Err(outlive::LockError::OwnerDied(_))));
    say("done");
}

/// `fork-detach`: what the one lets go of, the other keeps.
pub(crate) fn detach(_arguments: &[String]) {
    let name = unique("fork-detach");
    let path = std::path::Path::new("/dev/shm").join(&name);
    let segment = Segment::options().capacity(4 << 20).create(&name).unwrap();
    let array = segment.array("a", 1 << 20, 7_u8).unwrap();

    // The child drops everything: the parent is still attached.
    let (child_segment, child_array) = (segment.clone(), array.clone());
    // SAFETY: as in `in_child`.
    match unsafe { fork() }.unwrap() {
        ForkResult::Child => {
            drop((segment, array, child_segment, child_array));
            // SAFETY: ends the child at once.
            unsafe { nix::libc::_exit(0) }
        }
        ForkResult::Parent { child } => {
            assert_eq!(waitpid(child, None).unwrap(), WaitStatus::Exited(child, 0));
        }
    }
    drop((child_segment, child_array));
    assert!(path.exists(), "a child's leaving is not the last one's");
    assert!(Segment::open(&name).is_ok());
    assert!(!Segment::gc().unwrap().contains(&name));
    let other = Segment::open(&name).unwrap();
    other.remove("a").unwrap();
    let full = other.array("b", 1 << 20, 0_u8).unwrap_err();
    assert!(matches!(full, ObjectError::SegmentFull { .. }), "the parent's handle still counts");
    assert_eq!(array.get(9).unwrap(), 7);

    // The parent drops its handle: the child's counts.
    let (mut to_child, mut from_parent) = (os_pipe(), os_pipe());
    // SAFETY: as in `in_child`.
    match unsafe { fork() }.unwrap() {
        ForkResult::Child => {
            to_child.1.write("forked");
            from_parent.0.read();
            let whole = array.get(9).is_ok_and(|element| element == 7);
            // SAFETY: ends the child at once.
            unsafe { nix::libc::_exit(i32::from(!whole)) }
        }
        ForkResult::Parent { child } => {
            to_child.0.read();
            drop(array);
            let full = other.array("b", 1 << 20, 0_u8).unwrap_err();
            assert!(matches!(full, ObjectError::SegmentFull { .. }), "the child's handle counts");
            from_parent.1.write("go");
            assert_eq!(waitpid(child, None).unwrap(), WaitStatus::Exited(child, 0));
        }
    }
    assert!(other.array("b", 1 << 20, 0_u8).is_ok());
    assert!(matches!(other.find::<Array<u8>>("a"), Err(ObjectError::NotFound { .. })));
    drop((segment, other));
    assert!(!path.exists());
    say("done");
}

struct End(std::fs::File);

impl End {
    fn write(&mut self, text: &str) {
        std::io::Write::write_all(&mut self.0, text.as_bytes()).unwrap();
    }

    fn read(&mut self) {
        let read = std::io::Read::read(&mut self.0, &mut [0; 16]).unwrap();
        assert!(read > 0);
    }
}

fn os_pipe() -> (End, End) {
    let (read, write) = nix::unistd::pipe().unwrap();
    (End(read.into()), End(write.into()))
}

fn run(role: &str) {
    support::watchdog();
    let mut peer = Peer::spawn(role, &[]);
    peer.expect("done");
    peer.join();
}

#[test]
fn handles_work_on_both_sides() {
    run("fork-handles");
}

#[test]
fn neither_side_loses_by_the_others_leaving() {
    run("fork-detach");
}
