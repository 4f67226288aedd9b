//! `Value<T>`: changes as a whole or not at all.
#![allow(unsafe_code)] // fork

use std::time::Duration;

use nix::sys::signal::Signal;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};
use outlive::{AtomicCounter, LockError, Mutex, Segment, Shared, Value};

use crate::observe::{Marked, Random, await_stop, not_before, overwrite};
use crate::support::{Peer, await_death, say, wait_for_go};
use crate::{segment, unwind};

/// Equal in every committed value, and counting up.
type Words = [u64; 6];

fn value(what: &str) -> (Segment, Value<Words>, String) {
    let (segment, name) = segment(what);
    let value = segment.value("v", [0; 6]).expect("value");
    (segment, value, name)
}

fn open<T: Shared>(arguments: &[String]) -> (Segment, Value<T>) {
    let segment = Segment::open(&arguments[0]).expect("open");
    let value = segment.find("v").expect("find");
    (segment, value)
}

/// The one number that a whole value consists of.
#[track_caller]
fn whole(words: Words) -> u64 {
    assert!(words.iter().all(|word| *word == words[0]), "torn: {words:?}");
    words[0]
}

/// The role: holds a changed guard; a second argument has it committed when told so.
pub(crate) fn hold(arguments: &[String]) {
    let (_segment, value) = open::<Words>(arguments);
    let number = arguments[1].parse().expect("number");
    let mut guard = value.lock().expect("lock");
    guard[..3].fill(number);
    say(&format!("held {}", crate::observe::thread_id()));
    wait_for_go();
    guard.fill(number);
    guard.commit();
    say("committed");
    await_death();
}

fn holder(name: &str, number: u64) -> (Peer, u32) {
    let mut peer = Peer::spawn("value hold", &[name, &number.to_string()]);
    let heard = peer.hear();
    let thread = heard.strip_prefix("held ").expect("held").parse().expect("thread");
    (peer, thread)
}

#[test]
fn a_kill_in_the_middle_of_a_change_rolls_back_100_rounds() {
    let (_segment, value, name) = value("roll-back");
    for round in 1..=100 {
        let (victim, _) = holder(&name, 1_000_000 + round);
        assert_eq!(whole(value.get().expect("get")), round - 1);
        victim.kill();
        assert_eq!(whole(value.get().expect("get")), round - 1);
        let mut guard = value.try_lock().expect("free at once, and nothing to handle");
        assert_eq!(whole(*guard), round - 1);
        *guard = [round; 6];
    }
}

#[test]
fn what_was_committed_before_a_kill_stays() {
    let (_segment, value, name) = value("stays");
    for round in 1..=20 {
        let (mut victim, _) = holder(&name, round);
        victim.tell("commit");
        victim.expect("committed");
        victim.kill();
        assert_eq!(whole(value.get().expect("get")), round);
    }
}

/// One more, in one of the ways to say so. None if it was given up.
fn change(value: &Value<Words>, random: &mut Random) -> Option<u64> {
    let mut guard = match random.below(5) {
        0 => match value.try_lock() {
            Err(LockError::WouldBlock) => return None,
            other => other.expect("try_lock"),
        },
        1 => match value.lock_timeout(Duration::from_micros(random.below(200))) {
            Err(LockError::TimedOut { .. }) => return None,
            other => other.expect("lock_timeout"),
        },
        2 => {
            let mut guard = value.lock().expect("lock");
            guard[..4].fill(u64::MAX);
            guard.rollback();
            return None;
        }
        3 => {
            let new = value.update(|words| {
                words.iter_mut().for_each(|word| *word += 1);
                *words
            });
            return Some(whole(new.expect("update")));
        }
        _ => value.lock().expect("lock"),
    };
    let next = whole(*guard) + 1;
    for word in &mut *guard {
        *word = next;
    }
    Some(next)
}

/// The role: changes until killed.
pub(crate) fn write_for_ever(arguments: &[String]) {
    let (_segment, value) = open::<Words>(arguments);
    let mut random = Random::new(arguments[1].parse().expect("seed"));
    say("ready");
    loop {
        change(&value, &mut random);
    }
}

#[test]
fn kills_at_any_moment_leave_the_last_committed_value() {
    let (_segment, value, name) = value("hammered");
    let mut random = Random::new(11);
    let mut last = 0;
    for round in 0..25_u64 {
        let spawn =
            |index: u64| Peer::spawn("value write", &[&name, &(round * 4 + index).to_string()]);
        let mut victims: Vec<Peer> = (0..4).map(spawn).collect();
        victims.iter_mut().for_each(|victim| victim.expect("ready"));
        for victim in victims {
            let target = last + random.below(300);
            while last <= target {
                let now = whole(value.get().expect("get"));
                assert!(now >= last, "{now} after {last}");
                last = now;
            }
            victim.kill();
            let now = whole(value.get().expect("get"));
            assert!(now >= last, "{now} after {last}");
            last = now;
        }
        // All are dead: nobody holds it, and it works.
        assert_eq!(whole(*value.try_lock().expect("free")), last);
    }
}

const ROUNDS: u64 = 4_000;

/// The role: so many changes, while a thread of the same process reads.
pub(crate) fn count(arguments: &[String]) {
    let (segment, value) = open::<Words>(arguments);
    let finished: AtomicCounter = segment.find("finished").expect("find");
    let mut random = Random::new(arguments[1].parse().expect("seed"));
    say("ready");
    wait_for_go();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut last = 0;
            while finished.get() < 4 {
                let now = whole(value.get().expect("get"));
                assert!(now >= last, "{now} after {last}");
                last = now;
            }
        });
        let mut done = 0;
        while done < ROUNDS {
            done += u64::from(change(&value, &mut random).is_some());
        }
        finished.fetch_add(1).expect("add");
    });
}

#[test]
fn readers_never_see_a_mix_while_four_processes_write() {
    let (segment, value, name) = value("mix");
    segment.atomic_counter("finished").expect("counter");
    let spawn = |seed: u64| Peer::spawn("value count", &[&name, &seed.to_string()]);
    let mut peers: Vec<Peer> = (1..=4).map(spawn).collect();
    peers.iter_mut().for_each(|peer| peer.expect("ready"));
    peers.iter_mut().for_each(|peer| peer.tell("go"));
    peers.into_iter().for_each(Peer::join);
    assert_eq!(whole(value.get().expect("get")), 4 * ROUNDS);
}

type Large = [u64; 512];

/// The role: writes values of 4 KiB until killed.
pub(crate) fn write_large(arguments: &[String]) {
    let (_segment, value) = open::<Large>(arguments);
    say("ready");
    loop {
        let next = value.lock().expect("lock")[0] + 1;
        value.set([next; 512]).expect("set");
    }
}

#[test]
fn large_values_are_whole_too() {
    let (segment, name) = segment("large");
    let value = segment.value::<Large>("v", [0; 512]).expect("value");
    let mut random = Random::new(2);
    for _ in 0..10 {
        let mut victims = [0, 1].map(|_| Peer::spawn("value large", &[&name]));
        victims.iter_mut().for_each(|victim| victim.expect("ready"));
        for victim in victims {
            for _ in 0..random.below(200) {
                let words = value.get().expect("get");
                assert!(words.iter().all(|word| *word == words[0]), "torn");
            }
            victim.kill();
        }
        let words = *value.try_lock().expect("free");
        assert!(words.iter().all(|word| *word == words[0]), "torn");
    }
}

#[test]
fn a_panic_rolls_back() {
    let (_segment, value, _name) = value("panic");
    value.set([1; 6]).expect("set");
    unwind(|panic| {
        let mut guard = value.lock().expect("lock");
        guard[0] = 2;
        panic.now();
    });
    unwind(|panic| {
        let changed = value.update(|words| {
            words[0] = 3;
            panic.now();
        });
        changed.expect("update");
    });
    assert_eq!(value.get(), Ok([1; 6]));
    assert_eq!(*value.try_lock().expect("free"), [1; 6]);
}

#[test]
fn a_guard_commits_unless_it_is_rolled_back() {
    let (_segment, value, _name) = value("guard");
    let mut guard = value.lock().expect("lock");
    *guard = [1; 6];
    assert_eq!(*guard, [1; 6], "the holder sees its change");
    assert_eq!(value.get(), Ok([0; 6]), "others do not yet");
    drop(guard);
    assert_eq!(value.get(), Ok([1; 6]));
    let mut guard = value.lock().expect("lock");
    *guard = [2; 6];
    guard.rollback();
    assert_eq!(value.get(), Ok([1; 6]));
    let mut guard = value.lock().expect("lock");
    *guard = [3; 6];
    guard.commit();
    assert_eq!(value.update(|words| std::mem::replace(&mut words[0], 4)), Ok(3));
    assert_eq!(value.get(), Ok([4, 3, 3, 3, 3, 3]));
    assert_eq!(value.get(), Ok([4, 3, 3, 3, 3, 3]));
}

#[test]
fn reading_does_not_wait_for_a_stopped_holder() {
    let (_segment, value, name) = value("stopped");
    let (mut peer, thread) = holder(&name, 7);
    peer.signal(Signal::SIGSTOP);
    await_stop(thread);
    assert_eq!(value.get(), Ok([0; 6]));
    assert!(matches!(value.try_lock(), Err(LockError::WouldBlock)));
    for millis in [0, 50, 130] {
        let timeout = Duration::from_millis(millis);
        let outcome = not_before(timeout, || value.lock_timeout(timeout).map(drop));
        assert!(matches!(outcome, Err(LockError::TimedOut { .. })), "{outcome:?}");
    }
    peer.signal(Signal::SIGCONT);
    peer.tell("commit");
    peer.expect("committed");
    assert_eq!(value.get(), Ok([7; 6]));
    peer.kill();
}

#[test]
fn read_only_handles_read() {
    let (_segment, value, name) = value("read-only");
    let reader = Segment::options().read_only(true).open(&name).expect("open");
    let seen: Value<Words> = reader.find("v").expect("find");
    value.set([5; 6]).expect("set");
    assert_eq!(seen.get(), Ok([5; 6]));
    assert_eq!(seen.set([0; 6]), Err(LockError::ReadOnly));
    assert_eq!(seen.update(|words| words[0] = 0), Err(LockError::ReadOnly));
    assert!(matches!(seen.lock(), Err(LockError::ReadOnly)));
    assert!(matches!(seen.try_lock(), Err(LockError::ReadOnly)));
    assert!(matches!(seen.lock_timeout(Duration::ZERO), Err(LockError::ReadOnly)));
    // Also while somebody holds the lock.
    let _guard = value.lock().expect("lock");
    assert_eq!(seen.get(), Ok([5; 6]));
}

#[test]
fn locking_twice_is_a_deadlock() {
    let (_segment, value, _name) = value("deadlock");
    let guard = value.lock().expect("lock");
    assert!(matches!(value.lock(), Err(LockError::Deadlock)));
    assert!(matches!(value.try_lock(), Err(LockError::Deadlock)));
    assert_eq!(value.set([1; 6]), Err(LockError::Deadlock));
    assert_eq!(value.update(|words| words[0] = 1), Err(LockError::Deadlock));
    assert_eq!(value.get(), Ok([0; 6]));
    drop(guard);
    value.set([1; 6]).expect("set");
}

const MARK: [u8; 8] = *b"\x01value\xed\x02";

#[test]
fn bytes_that_are_no_value_are_an_error_until_they_are_replaced() {
    let (segment, name) = segment("corrupt");
    let init = Marked::new(MARK);
    let value = segment.value("v", init).expect("value");
    overwrite(&name, &MARK, 8, &[9]);
    let corrupt = |error: &LockError| matches!(error, LockError::Corrupt { .. });
    assert!(value.get().is_err_and(|error| corrupt(&error)));
    assert!(value.lock().is_err_and(|error| corrupt(&error)));
    assert!(value.update(|_| ()).is_err_and(|error| corrupt(&error)));
    value.set(init).expect("set asks for no old value");
    assert_eq!(value.get(), Ok(init));
}

#[test]
fn another_type_is_refused_by_name() {
    let (segment, _value, _name) = value("type");
    let text = segment.find::<Value<[u32; 6]>>("v").unwrap_err().to_string();
    assert!(text.contains("Value<[u64; 6]>") && text.contains("Value<[u32; 6]>"), "{text}");
    let text = segment.find::<Mutex<Words>>("v").unwrap_err().to_string();
    assert!(text.contains("Value<[u64; 6]>") && text.contains("Mutex<[u64; 6]>"), "{text}");
}

/// The role: a forked copy of a guard is dropped.
pub(crate) fn fork_while_held(arguments: &[String]) {
    let (_segment, value) = open::<Words>(arguments);
    let mut guard = value.lock().expect("lock");
    *guard = [9; 6];
    // SAFETY: the watchdog, the only other thread, holds no lock that the child needs.
    match unsafe { fork() }.expect("fork") {
        ForkResult::Child => {
            drop(guard);
            let committed = value.get() != Ok([0; 6]);
            // SAFETY: ends the child at once.
            unsafe { nix::libc::_exit(i32::from(committed)) }
        }
        ForkResult::Parent { child } => {
            let status = waitpid(child, None).expect("wait");
            assert!(matches!(status, WaitStatus::Exited(_, 0)), "{status:?}");
        }
    }
    assert_eq!(value.get(), Ok([0; 6]));
    drop(guard);
    assert_eq!(value.get(), Ok([9; 6]));
}

#[test]
fn a_forked_copy_of_a_guard_commits_nothing() {
    let (_segment, value, name) = value("fork");
    Peer::spawn("value fork", &[&name]).join();
    assert_eq!(whole(*value.try_lock().expect("free")), 9);
}
