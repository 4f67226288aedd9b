//! `Counter` and `AtomicCounter`.

use std::time::Duration;

use outlive::{Array, AtomicCounter, Counter, LockError, Segment, Value};

use crate::observe::{Random, not_before};
use crate::support::{Peer, await_death, say, wait_for_go};
use crate::{segment, unwind};

/// One, by each way to add.
fn add_one(how: usize, counter: &Counter, atomic: &AtomicCounter) {
    match how {
        0 => drop(counter.add(1).expect("add")),
        1 => *counter.lock().expect("lock") += 1,
        2 => drop(atomic.fetch_add(1).expect("fetch_add")),
        _ => {
            let mut seen = atomic.get();
            while let Err(now) = atomic.compare_exchange(seen, seen + 1).expect("writable") {
                seen = now;
            }
        }
    }
}

/// The role: adds, and notes in the array how often; for ever if the number of rounds is 0.
pub(crate) fn add(arguments: &[String]) {
    let segment = Segment::open(&arguments[0]).expect("open");
    let counter: Counter = segment.find("counter").expect("find");
    let atomic: AtomicCounter = segment.find("atomic").expect("find");
    let done: Array<i64> = segment.find("done").expect("find");
    let numbers: Vec<usize> =
        arguments[1..].iter().map(|number| number.parse().expect("number")).collect();
    let [index, how, rounds] = numbers[..] else { panic!("three numbers") };
    say("ready");
    wait_for_go();
    let mut count = 0;
    while rounds == 0 || count < rounds {
        add_one(how, &counter, &atomic);
        done.fetch_add(index, 1).expect("note");
        count += 1;
    }
}

fn objects(what: &str) -> (Segment, Counter, AtomicCounter, Array<i64>, String) {
    let (segment, name) = segment(what);
    let counter = segment.counter("counter").expect("counter");
    let atomic = segment.atomic_counter("atomic").expect("atomic");
    let done = segment.array("done", 4, 0).expect("array");
    (segment, counter, atomic, done, name)
}

fn workers(name: &str, rounds: usize) -> Vec<Peer> {
    let spawn = |how: usize| {
        let how = how.to_string();
        Peer::spawn("counter add", &[name, &how, &how, &rounds.to_string()])
    };
    let mut workers: Vec<Peer> = (0..4).map(spawn).collect();
    workers.iter_mut().for_each(|worker| worker.expect("ready"));
    workers.iter_mut().for_each(|worker| worker.tell("go"));
    workers
}

#[test]
fn no_addition_of_four_processes_and_their_parents_threads_is_lost() {
    const ROUNDS: i64 = 20_000;
    let (_segment, counter, atomic, _done, name) = objects("sum");
    let workers = workers(&name, ROUNDS as usize);
    std::thread::scope(|scope| {
        for how in 0..4 {
            let (counter, atomic) = (&counter, &atomic);
            scope.spawn(move || (0..ROUNDS).for_each(|_| add_one(how, counter, atomic)));
        }
    });
    workers.into_iter().for_each(Peer::join);
    assert_eq!(counter.get(), 4 * ROUNDS);
    assert_eq!(atomic.get(), 4 * ROUNDS);
}

#[test]
fn a_kill_loses_no_addition_and_makes_none_twice() {
    const ROUNDS: i64 = 25;
    let (_segment, counter, atomic, done, name) = objects("kills");
    let mut random = Random::new(4);
    for round in 1..=ROUNDS {
        for (index, victim) in workers(&name, 0).into_iter().enumerate() {
            let target = done.load(index).expect("load") + random.below(2_000) as i64;
            while done.load(index).expect("load") <= target {
                std::thread::yield_now();
            }
            victim.kill();
        }
        // Of the two ways per counter, each victim noted all that it did, or all but the last.
        let noted = done.to_vec().expect("read");
        let certain = noted[0] + noted[1];
        let sum = counter.get();
        assert!((certain..=certain + 2 * round).contains(&sum), "{sum}, noted {certain}");
        assert_eq!(*counter.try_lock().expect("free"), sum);
        let certain = noted[2] + noted[3];
        let sum = atomic.get();
        assert!((certain..=certain + 2 * round).contains(&sum), "{sum}, noted {certain}");
    }
}

/// The role: holds a changed guard.
pub(crate) fn hold(arguments: &[String]) {
    let segment = Segment::open(&arguments[0]).expect("open");
    let counter: Counter = segment.find("counter").expect("find");
    let mut guard = counter.lock().expect("lock");
    *guard = -1;
    say("held");
    wait_for_go();
    drop(guard);
    say("committed");
    await_death();
}

#[test]
fn a_killed_holder_is_rolled_back_100_rounds() {
    let (_segment, counter, _atomic, _done, name) = objects("roll-back");
    for round in 0..100 {
        let mut victim = Peer::spawn("counter hold", &[&name]);
        victim.expect("held");
        assert_eq!(counter.get(), round);
        victim.kill();
        assert_eq!(counter.get(), round);
        assert_eq!(counter.add(1), Ok(round + 1));
    }
}

#[test]
fn a_held_counter_times_others_out_and_can_be_read() {
    let (_segment, counter, _atomic, _done, name) = objects("held");
    let mut holder = Peer::spawn("counter hold", &[&name]);
    holder.expect("held");
    assert_eq!(counter.get(), 0);
    assert!(matches!(counter.try_lock(), Err(LockError::WouldBlock)));
    for millis in [0, 50, 130] {
        let timeout = Duration::from_millis(millis);
        let outcome = not_before(timeout, || counter.lock_timeout(timeout).map(drop));
        assert!(matches!(outcome, Err(LockError::TimedOut { .. })), "{outcome:?}");
    }
    holder.tell("commit");
    holder.expect("committed");
    assert_eq!(counter.get(), -1);
    holder.kill();
}

#[test]
fn a_guard_commits_unless_it_panics_or_is_rolled_back() {
    let (_segment, counter, _atomic, _done, _name) = objects("guard");
    *counter.lock().expect("lock") = 5;
    assert_eq!(counter.get(), 5);
    let mut guard = counter.lock().expect("lock");
    *guard += 1;
    assert_eq!((*guard, counter.get()), (6, 5));
    guard.rollback();
    assert_eq!(counter.get(), 5);
    unwind(|panic| {
        let mut guard = counter.lock().expect("lock");
        *guard = 7;
        panic.now();
    });
    assert_eq!(counter.get(), 5);
    let guard = counter.lock().expect("free");
    assert_eq!(counter.add(1), Err(LockError::Deadlock));
    assert_eq!(counter.set(1), Err(LockError::Deadlock));
    assert!(matches!(counter.try_lock(), Err(LockError::Deadlock)));
    drop(guard);
    counter.set(i64::MAX).expect("set");
    assert_eq!(counter.add(1), Ok(i64::MIN), "wraps around");
}

#[test]
fn atomic_operations_return_what_was() {
    let (_segment, _counter, atomic, _done, _name) = objects("atomic");
    assert_eq!(atomic.fetch_add(3), Ok(0));
    assert_eq!(atomic.fetch_add(-1), Ok(3));
    assert_eq!(atomic.swap(10), Ok(2));
    assert_eq!(atomic.compare_exchange(9, 11), Ok(Err(10)));
    assert_eq!(atomic.compare_exchange(10, 11), Ok(Ok(10)));
    atomic.set(i64::MAX).expect("set");
    assert_eq!(atomic.fetch_add(1), Ok(i64::MAX));
    assert_eq!(atomic.get(), i64::MIN, "wraps around");
}

#[test]
fn read_only_handles_read() {
    let (_segment, counter, atomic, _done, name) = objects("read-only");
    let reader = Segment::options().read_only(true).open(&name).expect("open");
    counter.set(3).expect("set");
    atomic.set(4).expect("set");
    let seen: Counter = reader.find("counter").expect("find");
    assert_eq!(seen.get(), 3);
    assert_eq!(seen.add(1), Err(LockError::ReadOnly));
    assert_eq!(seen.set(1), Err(LockError::ReadOnly));
    assert!(matches!(seen.lock(), Err(LockError::ReadOnly)));
    assert!(matches!(seen.try_lock(), Err(LockError::ReadOnly)));
    assert!(matches!(seen.lock_timeout(Duration::ZERO), Err(LockError::ReadOnly)));
    let seen: AtomicCounter = reader.find("atomic").expect("find");
    assert_eq!(seen.get(), 4);
    assert_eq!(seen.fetch_add(1), Err(LockError::ReadOnly));
    assert_eq!(seen.set(1), Err(LockError::ReadOnly));
    assert_eq!(seen.swap(1), Err(LockError::ReadOnly));
    assert_eq!(seen.compare_exchange(4, 5), Err(LockError::ReadOnly));
}

#[test]
fn another_kind_is_refused_by_name() {
    let (segment, ..) = objects("type");
    let text = segment.find::<AtomicCounter>("counter").unwrap_err().to_string();
    assert!(text.contains("type Counter,") && text.contains("AtomicCounter"), "{text}");
    let text = segment.find::<Value<i64>>("atomic").unwrap_err().to_string();
    assert!(text.contains("AtomicCounter") && text.contains("Value<i64>"), "{text}");
}
