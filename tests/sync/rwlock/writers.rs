//! One at a time, and not starved.

use std::thread;
use std::time::Duration;

use outlive::{LockError, RwLock, RwLockWriteGuard, Segment};

use super::driver::{Driver, LONG, Words, segment};
use crate::observe::{Random, not_before};
use crate::support::{Peer, await_death, say, wait_for_go};

const PROCESSES: u64 = 4;
const THREADS: u64 = 2;
const ROUNDS: u64 = 2_000;

/// Mends what a writer left that was killed within the statements of `change`.
fn mend<'a>(error: LockError<RwLockWriteGuard<'a, Words>>) -> Option<RwLockWriteGuard<'a, Words>> {
    match error {
        LockError::OwnerDied(mut guard) => {
            let most = guard.iter().copied().max().expect("four words");
            *guard = [most; 4];
            guard.mark_consistent();
            Some(guard)
        }
        LockError::WouldBlock | LockError::TimedOut { .. } => None,
        other => panic!("{:?}", other.into_guard().map(drop)),
    }
}

/// One of the ways to write.
fn acquire<'a>(lock: &'a RwLock<Words>, random: &mut Random) -> RwLockWriteGuard<'a, Words> {
    loop {
        let outcome = match random.below(4) {
            0 => lock.try_write(),
            1 => lock.write_timeout(Duration::from_micros(random.below(300))),
            2 => match lock.upgradable_read() {
                // A killed writer's data are mended by one that writes at once.
                Err(_) => continue,
                Ok(guard) => {
                    let before = *guard;
                    let Ok(guard) = guard.upgrade_timeout(Duration::from_micros(random.below(300)))
                    else {
                        continue;
                    };
                    assert_eq!(*guard, before, "somebody wrote in between");
                    Ok(guard)
                }
            },
            _ => lock.write(),
        };
        if let Ok(guard) = outcome.or_else(|error| mend(error).ok_or(())) {
            return guard;
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

/// Reads twice what must not change meanwhile.
fn look(lock: &RwLock<Words>, random: &mut Random) {
    let outcome = match random.below(3) {
        0 => lock.try_read(),
        1 => lock.read_timeout(Duration::from_micros(random.below(300))),
        _ => lock.read(),
    };
    match outcome {
        Ok(guard) => {
            let seen = std::hint::black_box(*guard);
            assert!(seen.iter().all(|word| *word == seen[0]), "torn: {seen:?}");
            if random.below(4) == 0 {
                drop(lock.read().expect("again"));
            }
            assert_eq!(*guard, seen);
        }
        Err(LockError::OwnerDied(guard)) => {
            let seen = std::hint::black_box(*guard);
            assert_eq!(*guard, seen, "nobody writes meanwhile");
        }
        Err(LockError::WouldBlock | LockError::TimedOut { .. }) => {}
        Err(error) => panic!("{:?}", error.into_guard().map(drop)),
    }
}

/// The role: arguments are the segment, a seed, and how often (0: until killed).
pub(crate) fn worker(arguments: &[String]) {
    let lock: RwLock<Words> = Segment::open(&arguments[0]).expect("open").find("l").expect("find");
    let seed: u64 = arguments[1].parse().expect("seed");
    let rounds: u64 = arguments[2].parse().expect("rounds");
    say("ready");
    wait_for_go();
    thread::scope(|scope| {
        for index in 0..THREADS {
            let lock = &lock;
            scope.spawn(move || {
                let mut random = Random::new(seed * THREADS + index);
                let mut done = 0;
                while rounds == 0 || done < rounds {
                    look(lock, &mut random);
                    let mut guard = acquire(lock, &mut random);
                    change(&mut guard);
                    if random.below(8) == 0 {
                        let after = *guard;
                        let guard = guard.downgrade().expect("downgrade");
                        assert_eq!(*guard, after, "somebody wrote in between");
                    }
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
        Peer::spawn("rwlock worker", &[name, &seed, &rounds.to_string()])
    };
    let mut workers: Vec<Peer> = (0..PROCESSES).map(start).collect();
    workers.iter_mut().for_each(|worker| worker.expect("ready"));
    workers.iter_mut().for_each(|worker| worker.tell("go"));
    workers
}

#[test]
fn four_processes_with_two_threads_each_exclude_one_another() {
    // With more threads than shares, too.
    for readers in [64, 3] {
        let (_segment, lock, name) = segment("exclusion", readers);
        let mut workers = workers(&name, 1, ROUNDS);
        workers.iter_mut().for_each(|worker| worker.expect("done"));
        assert_eq!(*lock.read().expect("read"), [PROCESSES * THREADS * ROUNDS; 4]);
        assert_eq!(lock.readers(), 0);
        workers.into_iter().for_each(Peer::kill);
    }
}

#[test]
fn survivors_go_on_while_others_are_killed_at_any_moment() {
    let (_segment, lock, name) = segment("hammered", 8);
    let mut random = Random::new(5);
    let mut last = 0;
    for round in 0..5 {
        for victim in workers(&name, round, 0) {
            // However far they got; then some more of our own.
            for _ in 0..random.below(200) {
                look(&lock, &mut random);
                change(&mut acquire(&lock, &mut random));
            }
            victim.kill();
            let now = acquire(&lock, &mut random)[0];
            assert!(now >= last, "{now} after {last}");
            last = now;
        }
        assert_eq!(lock.readers(), 0);
        drop(lock.try_write().or_else(LockError::recover).expect("nobody is left who holds it"));
    }
}

/// The role: reads without a pause, so that with others somebody always does, until the word that it
/// reads says that the writer is through.
pub(crate) fn read_in_a_loop(arguments: &[String]) {
    let lock: RwLock<Words> = Segment::open(&arguments[0]).expect("open").find("l").expect("find");
    let last: u64 = arguments[1].parse().expect("a number");
    say("ready");
    let mut guard = lock.read().expect("read");
    let mut times = 0_u64;
    while guard[0] < last {
        for _ in 0..std::hint::black_box(2_000) {
            std::hint::spin_loop();
        }
        drop(guard);
        guard = lock.read().expect("read");
        times += 1;
    }
    drop(guard);
    say(&times.to_string());
}

#[test]
fn readers_that_never_pause_do_not_keep_a_writer_out() {
    const WRITES: u64 = 200;
    let (_segment, lock, name) = segment("starvation", 64);
    let looper = |_| Peer::spawn("rwlock looper", &[&name, &WRITES.to_string()]);
    let mut readers: Vec<Peer> = (0..6).map(looper).collect();
    readers.iter_mut().for_each(|reader| reader.expect("ready"));
    for written in 1..=WRITES {
        *lock.write().expect("write") = [written; 4];
    }
    for mut reader in readers {
        let _times = reader.hear();
        reader.join();
    }
}

#[test]
fn a_timeout_never_ends_early_and_lets_readers_in_again() {
    let (_segment, lock, name) = segment("timeout", 64);
    let mut reader = Driver::with(&name, "read");
    let mut other = Driver::new(&name);
    for millis in [0, 1, 50, 130] {
        let timeout = Duration::from_millis(millis);
        let outcome = not_before(timeout, || lock.write_timeout(timeout).map(drop));
        let Err(LockError::TimedOut { holder: Some(holder) }) = outcome else { panic!() };
        assert_eq!(holder.thread_id, reader.thread());
        other.does("try-read", "ok");
        other.does("drop", "done");
        other.does("try-upgradable", "ok");
        other.does("drop", "done");
    }
    // Readers that came in vain while it waited are woken as well.
    let mut waiter = Driver::new(&name);
    waiter.start("write-timeout 300");
    other.start("read");
    assert!(waiter.hear().starts_with("TimedOut"));
    other.expect("ok");
    other.does("drop", "done");
    reader.does("drop", "done");
    drop(lock.write_timeout(Duration::ZERO).expect("free: no time is needed"));
    let guard = lock.write_timeout(Duration::MAX).expect("longer than any clock");
    for command in ["read-timeout 20", "upgradable", "write-timeout 20"] {
        if command == "upgradable" {
            other.does("try-upgradable", "WouldBlock");
        } else {
            other.start(command);
            assert!(other.hear().starts_with("TimedOut"));
        }
    }
    drop(guard);
    [reader, other, waiter].into_iter().for_each(Driver::join);
}

#[test]
fn a_release_wakes_everybody_who_waits() {
    let (_segment, lock, name) = segment("release", 64);
    let mut readers: Vec<Driver> = (0..4).map(|_| Driver::new(&name)).collect();
    let mut writer = Driver::new(&name);
    for _ in 0..10 {
        let guard = lock.write().expect("write");
        for (index, reader) in readers.iter_mut().enumerate() {
            reader.block(if index % 2 == 0 { "read" } else { "read-timeout 600000" });
        }
        drop(guard);
        readers.iter_mut().for_each(|reader| reader.expect("ok"));
        writer.block(&format!("write-timeout {LONG}"));
        readers.iter_mut().for_each(|reader| reader.does("drop", "done"));
        writer.expect("ok");
        writer.does("drop", "done");
    }
    readers.into_iter().for_each(Driver::join);
    writer.join();
}

#[test]
fn waiting_does_not_use_the_processor() {
    let (_segment, lock, name) = segment("cost", 64);
    let mut waiters = [Driver::new(&name), Driver::new(&name)];
    let _guard = lock.read().expect("read");
    waiters.iter_mut().for_each(|waiter| waiter.start("idle 300"));
    waiters.iter_mut().for_each(|waiter| waiter.expect("idle"));
    waiters.into_iter().for_each(Driver::join);
}
