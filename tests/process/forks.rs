//! A forked child has its parent's handles of processes that are not its children.
#![allow(unsafe_code)] // fork

use outlive::process::{JoinError, Process, active_children};
use outlive::{Event, Reset, Segment};

use crate::support::watchdog;

/// In a process of its own, which has one thread.
fn fork_with_a_child(_: ()) -> (bool, u64) {
    use nix::sys::wait::{WaitStatus, waitpid};
    use nix::unistd::{ForkResult, fork};
    let go = Segment::anonymous().unwrap().event("go", Reset::Manual).unwrap();
    let run = |go: Event| {
        go.wait().unwrap();
        5
    };
    let mut process =
        Process::options().daemon(true).kill_on_drop(true).start(run, go.clone()).unwrap();
    // SAFETY: the other thread, which starts daemons, holds no lock while nobody asks it.
    let forked = match unsafe { fork() }.unwrap() {
        ForkResult::Child => {
            let forked = matches!(process.join(), Err(JoinError::Forked { .. }));
            let none = active_children().is_empty() && process.is_alive();
            // Its own are its own; also one that another thread has to start.
            let mut own = Process::options().daemon(true).start(|n: u64| n, 6).unwrap();
            let joined = own.join() == Ok(6);
            drop(process); // kills nobody
            // SAFETY: ends the child at once.
            unsafe { nix::libc::_exit(i32::from(!(forked && none && joined))) }
        }
        ForkResult::Parent { child } => waitpid(child, None) == Ok(WaitStatus::Exited(child, 0)),
    };
    let alive = process.is_alive();
    go.set().unwrap();
    (forked && alive, process.join().unwrap())
}

#[test]
fn the_children_of_a_forked_process_are_its_own() {
    watchdog();
    assert_eq!(Process::start(fork_with_a_child, ()).unwrap().join(), Ok((true, 5)));
}
