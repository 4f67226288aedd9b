//! Processes that are joined where they were started.

use std::time::Duration;

use outlive::process::{JoinError, ScopeError, active_children, scope};
use outlive::{ChildProcess, Queue, Segment, wait_any};

use crate::support::{hush, watchdog};

#[test]
fn results_come_in_the_order_of_the_starts() {
    watchdog();
    // The first one ends last.
    let order: Queue<u64> = Segment::anonymous().unwrap().queue("order", 4).unwrap();
    let results = scope(|scope| {
        let first = |order: Queue<u64>| order.pop().unwrap();
        let second = |order: Queue<u64>| order.push(100).map(|()| 2).unwrap();
        scope.start(first, order.clone())?;
        scope.start(second, order.clone())?;
        assert_eq!(scope.processes().len(), 2);
        assert!(scope.processes().iter().all(|process| process.is_daemon()));
        Ok(())
    });
    assert_eq!(results, Ok(vec![100, 2]));
    assert_eq!(scope::<u8>(|_| Ok(())), Ok(vec![]));
}

fn wait_for_ever(pids: Queue<u64>) {
    pids.push(std::process::id().into()).unwrap();
    loop {
        std::thread::park();
    }
}

fn pids() -> Queue<u64> {
    Segment::anonymous().unwrap().queue("pids", 4).unwrap()
}

#[test]
fn the_first_failure_ends_the_others() {
    watchdog();
    let pids = pids();
    let results = scope(|scope| {
        scope.start(wait_for_ever, pids.clone())?;
        let fail = |pids: Queue<u64>| {
            let first = pids.pop().unwrap();
            pids.push(first).unwrap();
            hush();
            panic!("no good")
        };
        scope.start(fail, pids.clone())?;
        Ok(())
    });
    let Err(ScopeError::Join(JoinError::Panicked { message, .. })) = results else {
        panic!("{results:?}")
    };
    assert_eq!(message, "no good");
    assert_gone(&pids);
}

/// The process that told its id has ended, and its status was fetched.
fn assert_gone(pids: &Queue<u64>) {
    let pid = u32::try_from(pids.pop().unwrap()).unwrap();
    assert!(active_children().iter().all(|child| child.pid() != pid));
    if let Ok(process) = ChildProcess::from_pid(pid) {
        assert_eq!(wait_any(&[&process], Some(Duration::ZERO)), Ok(Some(0)));
    }
}

#[test]
fn a_body_that_panics_leaves_no_process() {
    watchdog();
    let pids = pids();
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        scope(|scope| {
            scope.start(wait_for_ever, pids.clone())?;
            let first = pids.pop().unwrap();
            pids.push(first).unwrap();
            panic!("in the body")
        })
    }));
    assert!(panicked.is_err());
    assert_gone(&pids);
}
