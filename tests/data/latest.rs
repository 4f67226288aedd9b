//! `Latest<T>`: the last committed value, whoever is slow or dead.
#![allow(unsafe_code)] // fork

use std::time::Duration;

use nix::sys::signal::Signal;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};
use outlive::{
    AtomicCounter, Latest, LockError, Object, ObjectError, ObjectKind, Segment, Shared, Version,
};

use crate::observe::{
    Marked, Random, await_sleep, await_stop, idle, not_before, overwrite, thread_id,
};
use crate::support::{Peer, await_death, listen, say, wait_for_go};
use crate::{segment, unwind};

/// Equal words, counting up. Small ones are read without a share as a rule, large ones with one.
type Small = [u64; 6];
type Large = [u64; 64];

fn open<K: Object>(arguments: &[String]) -> K {
    Segment::open(&arguments[0]).expect("open").find("l").expect("find")
}

/// The one number that a whole value consists of.
#[track_caller]
fn whole<const N: usize>(words: [u64; N]) -> u64 {
    assert!(words.iter().all(|word| *word == words[0]), "torn: {words:?}");
    words[0]
}

fn add<const N: usize>(latest: &Latest<[u64; N]>) -> u64
where
    [u64; N]: Shared,
{
    let add = |words: &mut [u64; N]| {
        words.iter_mut().for_each(|word| *word += 1);
        *words
    };
    whole(latest.update(add).expect("update"))
}

fn read<const N: usize>(latest: &Latest<[u64; N]>) -> (u64, Version)
where
    [u64; N]: Shared,
{
    let (words, version) = latest.get_versioned().expect("get");
    (whole(words), version)
}

#[test]
fn it_holds_what_was_set_last() {
    let (segment, _name) = segment("basics");
    let latest = segment.latest("l", 5_u32).expect("latest");
    let (value, first) = latest.get_versioned().expect("get");
    assert_eq!((value, latest.version()), (5, first));
    for number in 0..100 {
        latest.set(number).expect("set");
        assert_eq!(latest.get(), Ok(number));
    }
    assert_eq!(latest.update(|number| std::mem::replace(number, 7)), Ok(99));
    let (value, last) = latest.get_versioned().expect("get");
    assert!(value == 7 && last > first && last == latest.version());
    let info = segment.objects().expect("objects").pop().expect("one");
    assert_eq!((info.kind, info.type_name.as_str()), (Some(ObjectKind::Latest), "Latest<u32>"));
}

#[test]
fn a_panic_changes_nothing() {
    let (segment, _name) = segment("panic");
    let latest = segment.latest::<Large>("l", [1; 64]).expect("latest");
    unwind(|panic| {
        let changed = latest.update(|words| {
            words[0] = 3;
            panic.now();
        });
        changed.expect("update");
    });
    assert_eq!(read(&latest).0, 1);
    latest.set([2; 64]).expect("the lock is free");
    assert_eq!(read(&latest).0, 2);
}

#[test]
fn within_an_update_reading_works_and_writing_is_a_deadlock() {
    let (segment, _name) = segment("nested");
    let latest = segment.latest::<Large>("l", [1; 64]).expect("latest");
    let nested = latest.update(|words| {
        *words = [2; 64];
        (read(&latest).0, latest.set([3; 64]))
    });
    assert_eq!(nested, Ok((1, Err(LockError::Deadlock))));
    assert_eq!(read(&latest).0, 2);
}

/// The role: adds until killed.
pub(crate) fn write_for_ever(arguments: &[String]) {
    let small: Latest<Small> = open(arguments);
    let large: Latest<Large> =
        Segment::open(&arguments[0]).expect("open").find("large").expect("find");
    say("ready");
    loop {
        add(&small);
        add(&large);
    }
}

#[test]
fn kills_of_writers_at_any_moment_leave_the_last_committed_value() {
    let (segment, name) = segment("writers");
    let small = segment.latest::<Small>("l", [0; 6]).expect("latest");
    let large = segment.latest_with::<Large>("large", [0; 64], 2).expect("latest");
    let mut random = Random::new(3);
    let (mut last, mut seen) = (0, (0, large.version()));
    for _ in 0..15 {
        let mut victims: Vec<Peer> =
            (0..3).map(|_| Peer::spawn("latest write", &[&name])).collect();
        victims.iter_mut().for_each(|victim| victim.expect("ready"));
        for victim in victims {
            let target = last + random.below(300);
            while last <= target {
                let now = read(&small).0;
                assert!(now >= last, "{now} after {last}");
                last = now;
                let now = read(&large);
                assert!(now.0 >= seen.0 && now.1 >= seen.1, "{now:?} after {seen:?}");
                seen = now;
            }
            victim.kill();
        }
        // Nobody writes any more, and nobody holds the lock.
        let before = read(&large).0;
        assert!(large.holder().is_none());
        assert_eq!(add(&large), before + 1);
        assert_eq!(read(&large).0, before + 1);
    }
}

/// The role: reads until killed.
pub(crate) fn read_for_ever(arguments: &[String]) {
    let latest: Latest<Large> = open(arguments);
    say(&thread_id().to_string());
    let mut last = read(&latest);
    loop {
        let now = read(&latest);
        assert!(now.0 >= last.0 && now.1 >= last.1, "{now:?} after {last:?}");
        last = now;
    }
}

fn reader(name: &str) -> (Peer, u32) {
    let mut peer = Peer::spawn("latest read", &[name]);
    let thread = peer.hear().parse().expect("thread");
    (peer, thread)
}

#[test]
fn kills_of_readers_at_any_moment_hold_up_nobody() {
    let (segment, name) = segment("readers");
    // Each share is left by a dead reader many times.
    let latest = segment.latest_with::<Large>("l", [0; 64], 2).expect("latest");
    let mut random = Random::new(5);
    for _ in 0..25 {
        let readers = [(); 3].map(|()| reader(&name).0);
        for reader in readers {
            for _ in 0..random.below(2000) {
                add(&latest);
            }
            reader.kill();
            let number = add(&latest);
            assert_eq!(read(&latest).0, number);
        }
    }
}

#[test]
fn stopped_readers_hold_up_nobody() {
    let (segment, name) = segment("stopped");
    let latest = segment.latest_with::<Large>("l", [0; 64], 2).expect("latest");
    let mut stopped = Vec::new();
    for _ in 0..6 {
        let (reader, thread) = reader(&name);
        reader.signal(Signal::SIGSTOP);
        await_stop(thread);
        stopped.push(reader);
        for _ in 0..500 {
            let number = add(&latest);
            assert_eq!(read(&latest).0, number);
        }
    }
    for reader in stopped {
        reader.signal(Signal::SIGCONT);
        reader.kill();
    }
}

const ROUNDS: u64 = 4_000;

/// The role: so many changes, while a thread of the same process reads.
pub(crate) fn count(arguments: &[String]) {
    let latest: Latest<Large> = open(arguments);
    let segment = Segment::open(&arguments[0]).expect("open");
    let finished: AtomicCounter = segment.find("finished").expect("find");
    say("ready");
    wait_for_go();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut last = read(&latest);
            while finished.get() < 4 {
                let now = read(&latest);
                assert!(now.0 >= last.0 && now.1 >= last.1, "{now:?} after {last:?}");
                last = now;
            }
        });
        (0..ROUNDS).for_each(|_| {
            add(&latest);
        });
        finished.fetch_add(1).expect("add");
    });
}

#[test]
fn readers_never_see_a_mix_while_four_processes_write() {
    // With a share for each, and with one for all.
    for readers in [16, 1] {
        let (segment, name) = segment("mix");
        let latest = segment.latest_with::<Large>("l", [0; 64], readers).expect("latest");
        segment.atomic_counter("finished").expect("counter");
        let mut peers: Vec<Peer> = (0..4).map(|_| Peer::spawn("latest count", &[&name])).collect();
        peers.iter_mut().for_each(|peer| peer.expect("ready"));
        peers.iter_mut().for_each(|peer| peer.tell("go"));
        peers.into_iter().for_each(Peer::join);
        assert_eq!(read(&latest).0, 4 * ROUNDS);
    }
}

#[test]
fn read_only_handles_read() {
    let (segment, name) = segment("read-only");
    let latest = segment.latest::<Large>("l", [0; 64]).expect("latest");
    let reader = Segment::options().read_only(true).open(&name).expect("open");
    let seen: Latest<Large> = reader.find("l").expect("find");
    let mut writer = Peer::spawn("latest tick", &[&name]);
    writer.expect("ready");
    let mut last = read(&seen);
    while last.0 < 10_000 {
        let now = read(&seen);
        assert!(now.0 >= last.0 && now.1 >= last.1, "{now:?} after {last:?}");
        last = now;
    }
    writer.kill();
    assert_eq!(read(&seen), read(&latest));
    assert_eq!(seen.set([0; 64]), Err(LockError::ReadOnly));
    assert_eq!(seen.update(|words| words[0] = 0), Err(LockError::ReadOnly));
    assert_eq!(seen.wait_changed(last.1), Err(LockError::ReadOnly));
    assert_eq!(seen.wait_changed_timeout(last.1, Duration::ZERO), Err(LockError::ReadOnly));
}

/// The role: adds to the large one until killed.
pub(crate) fn tick(arguments: &[String]) {
    let latest: Latest<Large> = open(arguments);
    say("ready");
    loop {
        add(&latest);
    }
}

/// The role: waits as it is told.
pub(crate) fn waiter(arguments: &[String]) {
    let latest: Latest<Large> = open(arguments);
    say(&thread_id().to_string());
    let mut since = latest.version();
    while let Some(command) = listen() {
        say("going");
        if let Some(millis) = command.strip_prefix("idle ") {
            let timeout = Duration::from_millis(millis.parse().expect("a number"));
            say(&idle(|| {
                let result = latest.wait_changed_timeout(latest.version(), timeout);
                assert!(matches!(result, Err(LockError::TimedOut { .. })), "{result:?}");
            }));
        } else {
            let (words, version) = latest.wait_changed(since).expect("wait");
            assert!(version > since);
            since = version;
            say(&whole(words).to_string());
        }
    }
}

#[test]
fn a_commit_wakes_all_who_wait_and_killed_waiters_do_not_disturb() {
    let (segment, name) = segment("wait");
    let latest = segment.latest::<Large>("l", [0; 64]).expect("latest");
    let waiter = || {
        let mut peer = Peer::spawn("latest wait", &[&name]);
        let thread: u32 = peer.hear().parse().expect("thread");
        (peer, thread)
    };
    let mut survivors = [waiter(), waiter()];
    for round in 1..=10 {
        let mut victim = waiter();
        let all = survivors.iter_mut().chain([&mut victim]);
        for (peer, thread) in all {
            peer.tell("wait");
            peer.expect("going");
            await_sleep(*thread);
        }
        victim.0.kill();
        latest.set([round; 64]).expect("set");
        survivors.iter_mut().for_each(|(peer, _)| peer.expect(&round.to_string()));
    }
    for (peer, _) in &mut survivors {
        peer.tell("idle 300");
        peer.expect("going");
    }
    survivors.iter_mut().for_each(|(peer, _)| peer.expect("idle"));
}

#[test]
fn waiting_for_what_has_happened_returns_at_once_and_a_timeout_never_early() {
    let (segment, _name) = segment("timeout");
    let latest = segment.latest("l", 0_u64).expect("latest");
    let start = latest.version();
    latest.set(1).expect("set");
    latest.set(2).expect("set");
    let (value, now) = latest.wait_changed(start).expect("wait");
    assert_eq!((value, now), (2, latest.version()));
    assert_eq!(latest.wait_changed_timeout(start, Duration::ZERO), Ok((2, now)));
    for millis in [0, 1, 50, 130] {
        let timeout = Duration::from_millis(millis);
        let outcome = not_before(timeout, || latest.wait_changed_timeout(now, timeout));
        assert!(matches!(outcome, Err(LockError::TimedOut { .. })), "{outcome:?}");
    }
}

const MARK: [u8; 8] = *b"\x01latest\xed";

#[test]
fn bytes_that_are_no_value_are_an_error_until_they_are_replaced() {
    let (segment, name) = segment("corrupt");
    let init = Marked::new(MARK);
    let latest = segment.latest("l", init).expect("latest");
    overwrite(&name, &MARK, 8, &[9]);
    let corrupt = |error: &LockError| matches!(error, LockError::Corrupt { .. });
    assert!(latest.get().is_err_and(|error| corrupt(&error)));
    assert!(latest.update(|_| ()).is_err_and(|error| corrupt(&error)));
    latest.set(init).expect("set asks for no old value");
    assert_eq!(latest.get(), Ok(init));
}

#[test]
fn the_number_of_readers_is_part_of_its_shape() {
    let (segment, _name) = segment("shape");
    let latest = segment.latest_with("l", 1_u64, 1).expect("latest");
    assert_eq!(latest.get(), Ok(1));
    let error = segment.latest("l", 1_u64).unwrap_err();
    assert!(matches!(error, ObjectError::ShapeMismatch { what: "readers", .. }), "{error:?}");
    for readers in [0, 1001, usize::MAX] {
        assert!(segment.latest_with("other", 1_u64, readers).is_err(), "{readers}");
    }
    segment.latest_with("most", 1_u64, 1000).expect("the most");
    let text = segment.find::<Latest<u32>>("l").unwrap_err().to_string();
    assert!(text.contains("Latest<u64>") && text.contains("Latest<u32>"), "{text}");
}

/// The role: forks within an update.
pub(crate) fn fork_in_update(arguments: &[String]) {
    let latest: Latest<Large> = open(arguments);
    let child = latest.update(|words| {
        *words = [9; 64];
        // SAFETY: the watchdog, the only other thread, holds no lock that the child needs.
        unsafe { fork() }.expect("fork")
    });
    match child.expect("update") {
        ForkResult::Child => {
            // SAFETY: ends the child at once.
            unsafe { nix::libc::_exit(0) }
        }
        ForkResult::Parent { child } => {
            let status = waitpid(child, None).expect("wait");
            assert!(matches!(status, WaitStatus::Exited(_, 0)), "{status:?}");
        }
    }
    say(&whole(latest.get().expect("get")).to_string());
    await_death();
}

#[test]
fn a_child_that_was_forked_in_an_update_commits_nothing() {
    let (segment, name) = segment("fork");
    let latest = segment.latest::<Large>("l", [0; 64]).expect("latest");
    let start = latest.version();
    let mut peer = Peer::spawn("latest fork", &[&name]);
    peer.expect("9");
    let (value, version) = read(&latest);
    latest.set([10; 64]).expect("the lock is free");
    let (_, next) = read(&latest);
    assert_eq!(value, 9);
    // One commit each.
    let number = |version: Version| version.to_string().parse::<u64>().expect("a number");
    assert_eq!(number(version), number(start) + 1);
    assert_eq!(number(next), number(version) + 1);
    peer.kill();
}
