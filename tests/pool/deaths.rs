//! Workers that are killed, exit, panic or cannot begin, and the death of the pool's own process.

use std::sync::atomic::{AtomicBool, Ordering};

use outlive::process::{Pool, PoolError, Process, ProcessHandle, TaskError, WorkerEnd};
use outlive::{ChildProcess, Counter, Event, Queue, Reset, Segment, wait_any};

use serde::ser::SerializeTuple;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::support::{hush, watchdog};

fn event() -> Event {
    Segment::anonymous().unwrap().event("e", Reset::Manual).unwrap()
}

pub(crate) fn kill_self() {
    let this = nix::unistd::getpid();
    nix::sys::signal::kill(this, nix::sys::signal::Signal::SIGKILL).unwrap();
}

/// Waits until the pool has that many workers, of which none is one of these.
fn others(pool: &Pool, before: &[u32]) -> Vec<ProcessHandle> {
    loop {
        let now = pool.workers();
        if now.len() == pool.size() && now.iter().all(|worker| !before.contains(&worker.pid())) {
            return now;
        }
        std::thread::yield_now();
    }
}

fn pids(pool: &Pool) -> Vec<u32> {
    others(pool, &[]).iter().map(|worker| worker.pid()).collect()
}

#[test]
fn a_task_whose_worker_is_killed_fails_alone_wherever_it_stands() {
    watchdog();
    let pool = Pool::options().workers(2).name("killed").start().unwrap();
    for (chunk, victim) in [(1, 0), (1, 50), (7, 50), (100, 0), (100, 50), (100, 99)] {
        let run = |(n, victim): (u64, u64)| {
            if n == victim {
                kill_self();
            }
            n * n
        };
        let tasks = (0..100).map(|n| (n, victim));
        let results = pool.map_chunked(run, tasks.clone(), chunk);
        let Err(PoolError::Task { index, error }) = results else { panic!("{results:?}") };
        assert_eq!(index, victim as usize);
        let TaskError::WorkerDied { worker, pid, end, attempts } = &error else {
            panic!("{error}")
        };
        assert!(worker.starts_with("killed-") && *pid > 0, "{error}");
        assert_eq!((*end, *attempts), (WorkerEnd::Killed(9), 1));
        let text = format!("worker {worker:?} (pid {pid}) was killed (signal: 9 (SIGKILL))");
        assert!(error.to_string().starts_with(&text), "{error}");
        // All others, by themselves.
        let each = pool.map_async(run, tasks).unwrap().get_each().unwrap();
        for (n, outcome) in each.into_iter().enumerate() {
            assert_eq!(outcome.is_err(), n == victim as usize, "task {n}: {outcome:?}");
            assert!(outcome.is_err() || outcome == Ok((n * n) as u64));
        }
    }
    assert_eq!(pool.map(|n: u8| n, 0..100).unwrap().len(), 100);
}

#[test]
fn no_task_runs_twice_without_retries() {
    watchdog();
    let counts = Segment::anonymous().unwrap().array("counts", 200, 0_u32).unwrap();
    let pool = Pool::new(2).unwrap();
    let run = |(n, counts): (usize, outlive::Array<u32>)| {
        counts.fetch_add(n, 1).unwrap();
        if n % 50 == 25 {
            kill_self();
        }
    };
    let tasks: Vec<_> = (0..200).map(|n| (n, counts.clone())).collect();
    pool.map_async(run, tasks).unwrap().wait().unwrap();
    assert!(counts.to_vec().unwrap().iter().all(|count| *count == 1));
}

#[test]
fn exits_and_panics() {
    watchdog();
    let pool = Pool::new(2).unwrap();
    let error = pool.apply(|code: i32| -> u8 { std::process::exit(code) }, 7).unwrap_err();
    let PoolError::Task { error: TaskError::WorkerDied { end, .. }, .. } = error else { panic!() };
    assert_eq!(end, WorkerEnd::Exited(7));

    let pool = Pool::new(1).unwrap();
    let before = pids(&pool);
    let line = line!() + 3;
    let small = |n: u8| {
        hush();
        assert!(n > 3, "{n} is too little");
    };
    let error = pool.apply(small, 3).unwrap_err();
    let PoolError::Task { error: TaskError::Panicked { pid, message, location, .. }, .. } = error
    else {
        panic!()
    };
    assert_eq!((message.as_str(), location.unwrap().line), ("3 is too little", line));
    assert_eq!(pid, before[0]);
    assert_eq!(pids(&pool), before, "the worker goes on");
    assert_eq!(pool.apply(|()| std::process::id(), ()).unwrap(), pid);
}

#[test]
fn tasks_are_retried_as_configured() {
    watchdog();
    let segment = Segment::anonymous().unwrap();
    let tries = segment.counter("tries").unwrap();
    let pool = Pool::options().workers(2).retries(2).start().unwrap();
    let run = |(tries, fatal): (Counter, i64)| {
        if tries.add(1).unwrap() <= fatal {
            kill_self();
        }
        tries.get()
    };
    assert_eq!(pool.apply(run, (tries.clone(), 2)).unwrap(), 3);
    let always = segment.counter("always").unwrap();
    let error = pool.apply(run, (always.clone(), i64::MAX)).unwrap_err();
    assert!(matches!(
        error,
        PoolError::Task { error: TaskError::WorkerDied { attempts: 3, .. }, .. }
    ));
    assert_eq!(always.get(), 3);
}

#[test]
fn an_idle_worker_that_is_killed_is_replaced() {
    watchdog();
    let pool = Pool::new(2).unwrap();
    pool.map(|n: u8| n, 0..10).unwrap();
    let before = pids(&pool);
    for worker in pool.workers() {
        worker.kill().unwrap();
    }
    others(&pool, &before);
    assert_eq!(pool.map(|n: u8| n, 0..10).unwrap().len(), 10);
}

#[test]
fn a_worker_that_is_killed_while_it_runs_a_task() {
    watchdog();
    let arrived = event();
    let pool = Pool::new(1).unwrap();
    let stay = |arrived: Event| -> () {
        arrived.set().unwrap();
        loop {
            std::thread::park();
        }
    };
    let handle = pool.apply_async(stay, arrived.clone()).unwrap();
    // There is one worker, so it waits.
    let behind = pool.apply_async(|n: u8| n, 5).unwrap();
    arrived.wait().unwrap();
    assert!(!handle.is_ready());
    pool.workers()[0].kill().unwrap();
    let error = TaskError::WorkerDied {
        worker: String::new(),
        pid: 0,
        end: WorkerEnd::Killed(9),
        attempts: 1,
    };
    match handle.get() {
        Err(PoolError::Task { index: 0, error: found }) => {
            assert_eq!(std::mem::discriminant(&found), std::mem::discriminant(&error));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(behind.get().unwrap(), 5);
}

/// Calls `work` with a pool whose workers are killed meanwhile, one at a time, in whatever state they are.
pub(crate) fn with_kills(work: impl FnOnce(&Pool)) {
    let starts = Segment::anonymous().unwrap().counter("starts").unwrap();
    let begin = |starts: Counter| starts.add(1).unwrap();
    let options = Pool::options().workers(3).retries(1000).initializer(begin, starts.clone());
    let pool = options.start().unwrap();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for n in 0..60 {
                let begun = starts.get();
                if let Some(worker) = pool.workers().get(n % 3) {
                    worker.kill().unwrap();
                }
                // Several in a row that cannot begin would stop the pool.
                while starts.get() == begun {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    std::thread::yield_now();
                }
            }
        });
        work(&pool);
        stop.store(true, Ordering::Relaxed);
    });
}

#[test]
fn workers_that_are_killed_while_they_start_or_return_results() {
    watchdog();
    with_kills(|pool| {
        for _ in 0..5 {
            let long = pool.map(|n: u8| vec![n; 30_000], 0..40).unwrap();
            assert!(long.iter().enumerate().all(|(n, long)| *long == vec![n as u8; 30_000]));
            let short: Vec<(u64, u8)> = pool.map(|n: u64| (n + 1, 0), 0..5000).unwrap();
            assert!(short.into_iter().map(|(n, _)| n).eq(1..=5000));
        }
    });
}

#[test]
fn workers_vanish_with_a_pool_whose_process_is_killed() {
    watchdog();
    let segment = Segment::anonymous().unwrap();
    let ids: Queue<u64> = segment.queue("ids", 8).unwrap();
    let middle = Process::start(
        |ids: Queue<u64>| {
            let pool = Pool::new(2).unwrap();
            let stay = |ids: Queue<u64>| -> () {
                ids.push(std::process::id().into()).unwrap();
                loop {
                    std::thread::park();
                }
            };
            pool.map(stay, vec![ids.clone(), ids]).map(|_: Vec<()>| ()).unwrap();
        },
        ids.clone(),
    )
    .unwrap();
    let next = || ChildProcess::from_pid(ids.pop().unwrap().try_into().unwrap()).unwrap();
    let workers = [next(), next()];
    middle.kill().unwrap();
    for worker in &workers {
        wait_any(&[worker], None).unwrap();
    }
}

#[test]
fn an_initializer_that_fails_once_is_tried_again() {
    watchdog();
    let tries = Segment::anonymous().unwrap().counter("tries").unwrap();
    for way in 0..3_u8 {
        let begin = |(tries, way): (Counter, u8)| {
            if tries.add(1).unwrap() == 1 {
                match way {
                    0 => {
                        hush();
                        panic!("the first one")
                    }
                    1 => std::process::exit(3),
                    _ => kill_self(),
                }
            }
        };
        tries.set(0).unwrap();
        let pool =
            Pool::options().workers(2).initializer(begin, (tries.clone(), way)).start().unwrap();
        assert_eq!(pool.map(|n: u8| n, 0..10).unwrap().len(), 10);
        assert!(tries.get() >= 2);
    }
}

#[test]
fn an_initializer_that_always_fails_stops_the_pool() {
    watchdog();
    let begin = |what: String| -> () {
        hush();
        panic!("no {what}")
    };
    let pool =
        Pool::options().workers(2).initializer(begin, "database".to_owned()).start().unwrap();
    // Whether it is submitted before or after the pool has stopped.
    for _ in 0..2 {
        let error = pool.map(|n: u8| n, 0..10).unwrap_err();
        let PoolError::Initializer { times: 3, what, .. } = &error else { panic!("{error}") };
        assert!(what.contains("no database"), "{error}");
    }
    let mut pool = pool;
    assert!(matches!(pool.join(), Err(PoolError::Initializer { .. })));
    assert!(pool.workers().is_empty());

    let pool = Pool::options().workers(1).initializer(|()| kill_self(), ()).start().unwrap();
    let error = pool.apply(|n: u8| n, 0).unwrap_err();
    assert!(error.to_string().contains("was killed (signal: 9 (SIGKILL))"), "{error}");
}

#[test]
fn workers_are_renewed_after_their_share() {
    watchdog();
    let pool = Pool::options().workers(2).tasks_per_worker(5).start().unwrap();
    let ids = pool.map(|_: u8| std::process::id(), 0..40).unwrap();
    let mut counts = std::collections::BTreeMap::new();
    for id in ids {
        *counts.entry(id).or_insert(0) += 1;
    }
    assert!(counts.len() >= 8 && counts.values().all(|count| *count <= 5), "{counts:?}");
}

/// A result that kills its worker as it is returned.
#[derive(Debug, PartialEq)]
struct Fatal(u64);

impl Serialize for Fatal {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut pair = to.serialize_tuple(2)?;
        pair.serialize_element(&self.0)?;
        if self.0 == 50 {
            kill_self();
        }
        pair.serialize_element(&())?;
        pair.end()
    }
}

impl<'de> Deserialize<'de> for Fatal {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        <(u64, ())>::deserialize(from).map(|(n, ())| Self(n))
    }
}

#[test]
fn a_worker_that_is_killed_while_it_returns_a_result() {
    watchdog();
    let pool = Pool::new(2).unwrap();
    for chunk in [1, 7, 100] {
        let found = pool.map_chunked(Fatal, 0..100_u64, chunk);
        let Err(PoolError::Task { index: 50, error: TaskError::WorkerDied { end, .. } }) = found
        else {
            panic!("{found:?}")
        };
        assert_eq!(end, WorkerEnd::Killed(9));
        let each = pool.map_async(Fatal, 0..100_u64).unwrap().get_each().unwrap();
        assert!(
            (0..).zip(&each).all(|(n, outcome)| n == 50 || *outcome == Ok(Fatal(n))),
            "{each:?}"
        );
        assert!(each[50].is_err());
    }
}

#[test]
fn workers_that_cannot_be_started_stop_the_pool() {
    watchdog();
    let run = |()| {
        let pool = Pool::new(2).unwrap();
        pool.apply(|()| (), ()).unwrap();
        // No more descriptors, so no memory for the next worker.
        let resource = nix::sys::resource::Resource::RLIMIT_NOFILE;
        nix::sys::resource::setrlimit(resource, 3, 3).unwrap();
        for worker in others(&pool, &[]) {
            worker.kill().unwrap();
        }
        // Whoever asks gets the error, whether the pool has stopped by then or not.
        let errors = [pool.apply(|n: u8| n, 1).unwrap_err(), pool.apply(|n: u8| n, 1).unwrap_err()];
        errors.map(|error| error.to_string())
    };
    let errors = Process::start(run, ()).unwrap().join().unwrap();
    assert!(errors[0].contains("Too many open files"), "{errors:?}");
    assert_eq!(errors[0], errors[1]);
}
