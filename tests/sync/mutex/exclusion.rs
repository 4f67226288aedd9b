//! Never two at a time, whoever locks how.

use std::thread;
use std::time::Duration;

use outlive::{LockError, Mutex, MutexGuard, Segment};

use super::driver::{Words, segment};
use crate::observe::Random;
use crate::support::{Peer, await_death, say, wait_for_go};

const PROCESSES: u64 = 4;
const THREADS: u64 = 2;
const ROUNDS: u64 = 3_000;

/// One of the three ways to lock.
fn acquire<'a>(mutex: &'a Mutex<Words>, random: &mut Random) -> MutexGuard<'a, Words> {
    loop {
        let outcome = match random.below(4) {
            0 => mutex.try_lock(),
            1 => mutex.lock_timeout(Duration::from_micros(random.below(200))),
            _ => mutex.lock(),
        };
        match outcome {
            Ok(guard) => return guard,
            Err(LockError::OwnerDied(mut guard)) => {
                // Somebody was killed within the three statements of `change`.
                let most = guard.iter().copied().max().expect("four words");
                *guard = [most; 4];
                guard.mark_consistent();
                return guard;
            }
            Err(LockError::WouldBlock | LockError::TimedOut { .. }) => {}
            Err(other) => panic!("{other:?}"),
        }
    }
}

/// Adds to each word in steps that others would see, were they let in.
fn change(words: &mut Words) {
    let seen = words[0];
    assert!(words.iter().all(|word| *word == seen), "torn: {words:?}");
    for word in words {
        // Not as one vector: each is read and written by itself.
        *word = std::hint::black_box(*word) + 1;
    }
}

/// The role: arguments are the segment, a seed, and how often (0: until killed).
pub(crate) fn worker(arguments: &[String]) {
    let mutex: Mutex<Words> = Segment::open(&arguments[0]).expect("open").find("m").expect("find");
    let seed: u64 = arguments[1].parse().expect("seed");
    let rounds: u64 = arguments[2].parse().expect("rounds");
    say("ready");
    wait_for_go();
    thread::scope(|scope| {
        for index in 0..THREADS {
            let mutex = &mutex;
            scope.spawn(move || {
                let mut random = Random::new(seed * THREADS + index);
                let mut done = 0;
                while rounds == 0 || done < rounds {
                    change(&mut acquire(mutex, &mut random));
                    done += 1;
                }
            });
        }
    });
    say("done");
    await_death();
}

fn workers(name: &str, seed: u64, rounds: u64) -> Vec<Peer> {
    let start = |index: u64| {
        let seed = (seed * PROCESSES + index).to_string();
        Peer::spawn("mutex worker", &[name, &seed, &rounds.to_string()])
    };
    let mut workers: Vec<Peer> = (0..PROCESSES).map(start).collect();
    workers.iter_mut().for_each(|worker| worker.expect("ready"));
    workers.iter_mut().for_each(|worker| worker.tell("go"));
    workers
}

#[test]
fn four_processes_with_two_threads_each_exclude_one_another() {
    let (_segment, mutex, name) = segment("exclusion");
    let mut workers = workers(&name, 1, ROUNDS);
    workers.iter_mut().for_each(|worker| worker.expect("done"));
    assert_eq!(*mutex.lock().expect("lock"), [PROCESSES * THREADS * ROUNDS; 4]);
    workers.into_iter().for_each(Peer::kill);
}

#[test]
fn survivors_go_on_while_others_are_killed_at_any_moment() {
    let (_segment, mutex, name) = segment("hammered");
    let mut random = Random::new(5);
    let mut last = 0;
    for round in 0..5 {
        for victim in workers(&name, round, 0) {
            // However far they got; then some more locking of our own.
            for _ in 0..random.below(400) {
                change(&mut acquire(&mutex, &mut random));
            }
            victim.kill();
            let now = acquire(&mutex, &mut random)[0];
            assert!(now >= last, "{now} after {last}");
            last = now;
        }
        drop(mutex.lock().or_else(LockError::recover).expect("nobody is left who holds it"));
    }
}
