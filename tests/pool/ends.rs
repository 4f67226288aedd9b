//! How pools end.

use outlive::process::{Pool, PoolError, Process, TaskError};
use outlive::{ChildProcess, Event, Reset, Segment, wait_any};

use crate::support::watchdog;

fn stay(arrived: Event) {
    arrived.set().unwrap();
    loop {
        std::thread::park();
    }
}

fn event() -> Event {
    Segment::anonymous().unwrap().event("e", Reset::Manual).unwrap()
}

fn has_ended(process: &ChildProcess) -> bool {
    wait_any(&[process], Some(std::time::Duration::ZERO)).unwrap().is_some()
}

/// Its workers, as soon as there are as many as there are to be.
fn sentinels(pool: &Pool) -> Vec<ChildProcess> {
    while pool.workers().len() < pool.size() {
        std::thread::yield_now();
    }
    let workers = pool.workers();
    workers.iter().map(|worker| ChildProcess::from_pid(worker.pid()).unwrap()).collect()
}

#[test]
fn close_and_join_let_everything_be_done() {
    watchdog();
    let mut pool = Pool::new(2).unwrap();
    assert_eq!(pool.join(), Err(PoolError::NotClosed));
    let workers = sentinels(&pool);
    let handle = pool.map_async(|n: u64| n * 2, 0..10_000).unwrap();
    pool.close();
    assert_eq!(pool.apply(|n: u8| n, 1), Err(PoolError::Closed));
    assert_eq!(pool.imap(|n: u8| n, 0..3).unwrap_err(), PoolError::Closed);
    pool.join().unwrap();
    assert!(workers.iter().all(has_ended));
    assert!(handle.is_ready());
    assert!(handle.get().unwrap().into_iter().eq((0..10_000).map(|n| n * 2)));
    pool.join().unwrap();
}

#[test]
fn a_closed_pool_still_replaces_workers_that_it_needs() {
    watchdog();
    let mut pool = Pool::options().workers(1).tasks_per_worker(1).start().unwrap();
    let handle = pool.map_async(|_: u8| std::process::id(), 0..4).unwrap();
    pool.close();
    pool.join().unwrap();
    let ids = std::collections::BTreeSet::from_iter(handle.get().unwrap());
    assert_eq!(ids.len(), 4);
}

#[test]
fn terminate_ends_everything_at_once() {
    watchdog();
    let (mut pool, arrived) = (Pool::new(2).unwrap(), event());
    let running = pool.apply_async(stay, arrived.clone()).unwrap();
    let waiting = pool.map_async(stay, vec![arrived.clone(); 10]).unwrap();
    arrived.wait().unwrap();
    let workers = sentinels(&pool);
    pool.terminate();
    assert!(workers.iter().all(has_ended));
    assert_eq!(running.get(), Err(PoolError::Terminated));
    let each = waiting.get_each().unwrap();
    assert!(each.len() == 10 && each.iter().all(|one| *one == Err(TaskError::Terminated)));
    assert_eq!(pool.apply(|n: u8| n, 1), Err(PoolError::Terminated));
    pool.terminate();
    pool.join().unwrap();
}

#[test]
fn dropping_a_pool_terminates_it_in_any_state() {
    watchdog();
    drop(Pool::new(3).unwrap());
    let (pool, arrived) = (Pool::new(2).unwrap(), event());
    let handle = pool.apply_async(stay, arrived.clone()).unwrap();
    arrived.wait().unwrap();
    let workers = sentinels(&pool);
    drop(pool);
    assert!(workers.iter().all(has_ended));
    assert_eq!(handle.get(), Err(PoolError::Terminated));

    // Closed, with a worker that does not end by itself.
    let (pool, arrived) = (Pool::new(1).unwrap(), event());
    let begun = pool.apply_async(stay, arrived.clone()).unwrap();
    arrived.wait().unwrap();
    pool.close();
    drop(pool);
    assert_eq!(begun.get(), Err(PoolError::Terminated));
}

#[test]
fn an_imap_under_way_ends_with_its_pool() {
    watchdog();
    let (pool, arrived) = (Pool::new(1).unwrap(), event());
    let tasks = vec![arrived.clone(); 3];
    let mut results = pool.imap(stay, tasks).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            arrived.wait().unwrap();
            pool.terminate();
        });
        assert_eq!(results.next(), Some(Err(PoolError::Terminated)));
    });
    assert_eq!(results.count(), 2);
}

#[test]
fn a_pool_needs_workers_and_may_have_many() {
    watchdog();
    assert_eq!(Pool::new(0).unwrap_err(), PoolError::NoWorkers);
    // More than one thread of the pool can look after.
    let pool = Pool::new(40).unwrap();
    assert_eq!(pool.map(|n: u64| n, 0..500).unwrap().len(), 500);
}

#[test]
fn pools_in_workers_of_processes() {
    watchdog();
    let run = |n: u64| Pool::new(2).unwrap().map(|n: u64| n * n, 0..n).unwrap();
    assert_eq!(Process::start(run, 4).unwrap().join(), Ok(vec![0, 1, 4, 9]));
    let pool = Pool::new(1).unwrap();
    assert_eq!(pool.apply(run, 3).unwrap(), [0, 1, 4]);
}

/// In a process of its own, so that little runs while it forks.
#[allow(unsafe_code)] // fork
fn fork_with_a_pool(_: ()) -> bool {
    use nix::sys::wait::{WaitStatus, waitpid};
    use nix::unistd::{ForkResult, fork};
    let mut pool = Pool::new(2).unwrap();
    let numbers = |pool: &Pool| pool.map(|n: u64| n + 1, 0..1000);
    let right = |found: Result<Vec<u64>, PoolError>| found.unwrap().into_iter().eq(1..=1000);
    assert!(right(numbers(&pool)));
    // SAFETY: the child calls nothing that waits for a lock of the pool's threads.
    let forked = match unsafe { fork() }.unwrap() {
        ForkResult::Child => {
            let refused = numbers(&pool) == Err(PoolError::Forked)
                && pool.apply(|n: u8| n, 1) == Err(PoolError::Forked)
                && pool.map_slice(|n: u8| n, &[1]) == Err(PoolError::Forked)
                && pool.join() == Err(PoolError::Forked);
            drop(pool); // kills nobody
            // SAFETY: ends the child at once.
            unsafe { nix::libc::_exit(i32::from(!refused)) }
        }
        ForkResult::Parent { child } => waitpid(child, None) == Ok(WaitStatus::Exited(child, 0)),
    };
    forked && right(numbers(&pool))
}

#[test]
fn a_forked_child_has_no_part_in_its_parents_pool() {
    watchdog();
    assert_eq!(Process::start(fork_with_a_pool, ()).unwrap().join(), Ok(true));
}
