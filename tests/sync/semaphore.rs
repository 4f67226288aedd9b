//! `Semaphore`.
#![allow(unsafe_code)] // fork

use std::time::Duration;

use nix::sys::signal::Signal;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};
use outlive::{LockError, ObjectError, Permit, Segment, Semaphore, SemaphoreError, Waiting};

use crate::observe::{await_sleep, await_stop, idle, not_before, thread_id};
use crate::support::{Peer, listen, say, unique, watchdog};

fn segment(what: &str) -> (Segment, String) {
    watchdog();
    let name = unique(what);
    let segment = Segment::options().capacity(4 << 20).create(&name).expect("create");
    (segment, name)
}

fn bounded(what: &str, permits: u64) -> (Segment, Semaphore, String) {
    let (segment, name) = segment(what);
    let semaphore = segment.bounded_semaphore("s", permits).expect("semaphore");
    (segment, semaphore, name)
}

fn unbounded(what: &str, permits: u64) -> (Segment, Semaphore, String) {
    let (segment, name) = segment(what);
    let semaphore = segment.semaphore("s", permits).expect("semaphore");
    (segment, semaphore, name)
}

/// The role: uses the semaphore as it is told.
pub(crate) fn driver(arguments: &[String]) {
    let segment = Segment::open(&arguments[0]).expect("open");
    let waiting = match arguments.get(1).map(String::as_str) {
        Some("park") => Waiting::Park,
        Some("yield") => Waiting::Yield,
        Some("spin") => Waiting::Spin,
        _ => Waiting::Adaptive,
    };
    let semaphore: Semaphore = segment.find("s").expect("find");
    let semaphore: &'static Semaphore = Box::leak(Box::new(semaphore.with_waiting(waiting)));
    let mut held: Vec<Permit<'static>> = Vec::new();
    say(&thread_id().to_string());
    while let Some(line) = listen() {
        let (command, number) = line.split_once(' ').unwrap_or((&line, "1"));
        let number: u64 = number.parse().expect("a number");
        let limit = Duration::from_millis(number);
        say("going");
        let outcome = match command {
            "acquire" => semaphore.acquire_many(number).map(|permit| held.push(permit)),
            "try" => semaphore.try_acquire_many(number).map(|permit| held.push(permit)),
            "timeout" => semaphore.acquire_timeout(limit).map(|permit| held.push(permit)),
            "drop" => {
                drop(held.pop().expect("held"));
                Ok(())
            }
            "forget" => held.pop().expect("held").forget(),
            "leak" => {
                let acquire = || std::mem::forget(semaphore.acquire().expect("acquire"));
                std::thread::spawn(acquire).join().expect("join");
                Ok(())
            }
            "release" => semaphore.release(number),
            "rounds" => {
                for _ in 0..number {
                    drop(semaphore.acquire().expect("acquire"));
                }
                Ok(())
            }
            "idle" => {
                say(&idle(|| assert!(semaphore.acquire_timeout(limit).is_err())));
                continue;
            }
            other => panic!("no command {other:?}"),
        };
        match outcome {
            Ok(()) => say("ok"),
            Err(error) => say(&format!("{error:?}")),
        }
    }
}

struct Driver {
    peer: Peer,
    thread: u32,
}

impl Driver {
    fn new(segment: &str) -> Self {
        Self::waiting(segment, "adaptive")
    }

    fn waiting(segment: &str, waiting: &str) -> Self {
        let mut peer = Peer::spawn("semaphore", &[segment, waiting]);
        let thread = peer.hear().parse().expect("a thread id");
        Self { peer, thread }
    }

    fn start(&mut self, command: &str) {
        self.peer.tell(command);
        self.peer.expect("going");
    }

    fn block(&mut self, command: &str) {
        self.start(command);
        await_sleep(self.thread);
    }

    #[track_caller]
    fn does(&mut self, command: &str, answer: &str) {
        self.start(command);
        assert_eq!(self.peer.hear(), answer, "{command}");
    }
}

const LONG: &str = "timeout 600000";

/// Whether a try finds too few permits, and how many there are.
fn short(outcome: Result<Permit<'_>, SemaphoreError>) -> Option<u64> {
    match outcome {
        Err(SemaphoreError::NoPermits { available, .. }) => Some(available),
        _ => None,
    }
}

#[test]
fn so_many_hold_permits_at_a_time_and_no_more() {
    let (_segment, semaphore, name) = bounded("number", 3);
    let mut others: Vec<Driver> = (0..3).map(|_| Driver::new(&name)).collect();
    for other in &mut others {
        other.does("acquire", "ok");
    }
    assert_eq!((semaphore.available(), semaphore.total(), semaphore.bound()), (0, 3, Some(3)));
    assert_eq!(short(semaphore.try_acquire()), Some(0));
    let mut waiter = Driver::new(&name);
    waiter.block("acquire");
    others[1].does("drop", "ok");
    assert_eq!(waiter.peer.hear(), "ok");
    waiter.does("drop", "ok");
    let permit = semaphore.acquire().expect("acquire");
    assert_eq!((permit.count(), semaphore.available()), (1, 0));
    drop(permit);
    others.into_iter().for_each(|other| other.peer.join());
    assert_eq!(semaphore.available(), 3, "they have ended, and given nothing back themselves");
    assert_eq!(semaphore.try_acquire_many(3).expect("all").count(), 3);
}

#[test]
fn counts_hold_under_contention() {
    for waiting in ["adaptive", "park", "yield"] {
        let (_segment, semaphore, name) = bounded("contention", 2);
        let mut others: Vec<Driver> = (0..4).map(|_| Driver::waiting(&name, waiting)).collect();
        for other in &mut others {
            other.start("rounds 2000");
        }
        for other in &mut others {
            other.peer.expect("ok");
        }
        assert_eq!((semaphore.available(), semaphore.total()), (2, 2));
        others.into_iter().for_each(|other| other.peer.join());
    }
}

#[test]
fn many_at_once_wait_until_there_are_as_many() {
    let (_segment, semaphore, name) = bounded("many", 5);
    let one = semaphore.acquire().expect("acquire");
    let two = semaphore.acquire_many(2).expect("acquire");
    assert_eq!(short(semaphore.try_acquire_many(3)), Some(2));
    let mut all = Driver::new(&name);
    let mut three = Driver::new(&name);
    all.block("acquire 5");
    three.block("acquire 3");
    drop(one);
    assert_eq!(three.peer.hear(), "ok", "overtakes who waits for more");
    drop(two);
    three.does("drop", "ok");
    assert_eq!(all.peer.hear(), "ok");
    assert_eq!(semaphore.available(), 0);
    all.peer.join();
    three.peer.join();
    assert_eq!(semaphore.acquire_many(0).expect("none").count(), 0);
}

#[test]
fn one_given_back_reaches_the_waiter_whom_it_is_enough_for() {
    let (_segment, semaphore, name) = bounded("reaches", 2);
    let (first, second) = (semaphore.acquire().expect("one"), semaphore.acquire().expect("two"));
    let mut both = Driver::new(&name);
    let mut single = Driver::new(&name);
    // The one that asks for more sleeps first, and is woken first.
    both.block("acquire 2");
    single.block("acquire");
    drop(first);
    assert_eq!(single.peer.hear(), "ok");
    drop(second);
    single.does("drop", "ok");
    assert_eq!(both.peer.hear(), "ok");
    both.peer.join();
    single.peer.join();
}

#[test]
fn what_can_never_be_had_is_refused_at_once() {
    let (_segment, semaphore, _name) = bounded("never", 2);
    let refused = |outcome: Result<Permit<'_>, SemaphoreError>| {
        matches!(outcome, Err(SemaphoreError::TooMany { asked: 3, bound: 2 }))
    };
    assert!(refused(semaphore.acquire_many(3)));
    assert!(refused(semaphore.try_acquire_many(3)));
    assert!(refused(semaphore.acquire_many_timeout(3, Duration::from_secs(600))));
    let text = semaphore.acquire_many(3).unwrap_err().to_string();
    assert!(text.contains("never has more than 2"), "{text}");
}

#[test]
fn an_unbounded_one_takes_releases_without_acquisitions() {
    let (_segment, semaphore, name) = unbounded("unbounded", 0);
    assert_eq!((semaphore.available(), semaphore.bound()), (0, None));
    assert_eq!(short(semaphore.try_acquire()), Some(0));
    let mut waiter = Driver::new(&name);
    waiter.block("acquire 3");
    semaphore.release(2).expect("release");
    await_sleep(waiter.thread);
    semaphore.release(1).expect("release");
    assert_eq!(waiter.peer.hear(), "ok");
    assert_eq!((semaphore.available(), semaphore.total()), (0, 3));
    waiter.does("forget", "ok");
    assert_eq!((semaphore.available(), semaphore.total()), (0, 0), "gone for good");
    waiter.does("release 4", "ok");
    assert_eq!((semaphore.available(), semaphore.total()), (4, 4));
    waiter.peer.join();
    let error = semaphore.release(u64::MAX).unwrap_err();
    assert!(matches!(error, SemaphoreError::OverRelease { total: 4, .. }), "{error:?}");
    assert_eq!(semaphore.total(), 4);
}

#[test]
fn a_bounded_one_refuses_to_be_over_released() {
    let (_segment, semaphore, name) = bounded("over", 2);
    let error = semaphore.release(1).unwrap_err();
    assert_eq!(error, SemaphoreError::OverRelease { released: 1, total: 2, bound: 2 });
    let text = error.to_string();
    assert!(text.contains("releasing 1") && text.contains("more than the 2"), "{text}");
    // One that is held comes back by itself.
    let permit = semaphore.acquire().expect("acquire");
    assert!(semaphore.release(1).is_err());
    permit.forget().expect("forget");
    assert_eq!((semaphore.available(), semaphore.total()), (1, 1));
    let mut other = Driver::new(&name);
    other.does("release", "ok");
    assert_eq!(semaphore.available(), 2);
    assert!(semaphore.release(1).is_err());
    assert_eq!(semaphore.try_acquire_many(2).expect("both").count(), 2);
    other.peer.join();
}

#[test]
fn a_timeout_never_ends_early_and_zero_is_a_try() {
    let (_segment, semaphore, _name) = bounded("timeout", 1);
    drop(semaphore.acquire_timeout(Duration::ZERO).expect("there is one"));
    let _held = semaphore.acquire().expect("acquire");
    for waiting in [Waiting::Adaptive, Waiting::Park, Waiting::Yield, Waiting::Spin] {
        let semaphore = semaphore.clone().with_waiting(waiting);
        for millis in [0, 1, 50, 130] {
            let timeout = Duration::from_millis(millis);
            let error = not_before(timeout, || semaphore.acquire_timeout(timeout)).unwrap_err();
            assert_eq!(error, SemaphoreError::TimedOut { asked: 1, available: 0 });
        }
    }
}

#[test]
fn a_killed_holders_permits_come_back_100_rounds() {
    let (_segment, semaphore, name) = bounded("killed", 4);
    for round in 0..100 {
        let mut victim = Driver::new(&name);
        victim.does(if round % 2 == 0 { "acquire 3" } else { "acquire" }, "ok");
        victim.does("acquire", "ok");
        victim.peer.kill();
        assert_eq!(semaphore.available(), 4, "round {round}");
        drop(semaphore.try_acquire_many(4).expect("all of them"));
    }
}

#[test]
fn a_death_wakes_who_waits() {
    for waiting in ["adaptive", "park", "spin"] {
        let (_segment, semaphore, name) = bounded("wakes", 2);
        let mut waiter = Driver::waiting(&name, waiting);
        for wait in ["acquire 2", "acquire", LONG] {
            let mut victim = Driver::new(&name);
            victim.does("acquire 2", "ok");
            waiter.start(wait);
            if waiting != "spin" {
                await_sleep(waiter.thread);
            }
            victim.peer.kill();
            assert_eq!(waiter.peer.hear(), "ok");
            waiter.does("drop", "ok");
            assert_eq!(semaphore.available(), 2);
        }
        waiter.peer.join();
    }
}

#[test]
fn one_death_serves_all_whom_its_permits_are_enough_for() {
    let (_segment, semaphore, name) = bounded("serves", 3);
    let mut victim = Driver::new(&name);
    victim.does("acquire 3", "ok");
    let mut waiters: Vec<Driver> = (0..3).map(|_| Driver::new(&name)).collect();
    for waiter in &mut waiters {
        waiter.block("acquire");
    }
    victim.peer.kill();
    for waiter in &mut waiters {
        assert_eq!(waiter.peer.hear(), "ok");
    }
    assert_eq!(semaphore.available(), 0);
    waiters.into_iter().for_each(|waiter| waiter.peer.join());
}

#[test]
fn forgotten_permits_do_not_come_back_at_a_death() {
    let (_segment, semaphore, name) = unbounded("forgotten", 3);
    let mut victim = Driver::new(&name);
    victim.does("acquire 2", "ok");
    victim.does("forget", "ok");
    victim.does("acquire", "ok");
    victim.peer.kill();
    assert_eq!((semaphore.available(), semaphore.total()), (1, 1));
}

#[test]
fn leaked_permits_come_back_when_their_thread_ends() {
    let (_segment, semaphore, name) = bounded("leaked", 1);
    let mut other = Driver::new(&name);
    other.does("leak", "ok");
    drop(semaphore.acquire().expect("its thread has ended"));
    other.peer.join();
}

#[test]
fn killed_waiters_leave_nothing_behind() {
    let (_segment, semaphore, name) = bounded("waiters", 1);
    let mut survivor = Driver::new(&name);
    for _ in 0..10 {
        let permit = semaphore.acquire().expect("acquire");
        let mut victims = [Driver::new(&name), Driver::new(&name)];
        victims[0].block("acquire");
        survivor.block("acquire");
        victims[1].block(LONG);
        victims.into_iter().for_each(|victim| victim.peer.kill());
        drop(permit);
        assert_eq!(survivor.peer.hear(), "ok");
        survivor.does("drop", "ok");
        assert_eq!(semaphore.available(), 1);
    }
    survivor.peer.join();
}

#[test]
fn a_stopped_waiter_keeps_nobody_from_a_permit() {
    let (_segment, semaphore, name) = bounded("stopped", 1);
    let permit = semaphore.acquire().expect("acquire");
    let mut stopped = Driver::new(&name);
    stopped.block("acquire");
    stopped.peer.signal(Signal::SIGSTOP);
    await_stop(stopped.thread);
    let mut other = Driver::new(&name);
    other.block("acquire");
    drop(permit);
    assert_eq!(other.peer.hear(), "ok");
    stopped.peer.signal(Signal::SIGCONT);
    other.does("drop", "ok");
    assert_eq!(stopped.peer.hear(), "ok");
    stopped.peer.join();
    other.peer.join();
}

#[test]
fn holders_are_named() {
    let (_segment, semaphore, name) = bounded("holders", 5);
    assert!(semaphore.holders().is_empty());
    let mut other = Driver::new(&name);
    other.does("acquire 3", "ok");
    let _mine = semaphore.acquire().expect("acquire");
    let mut holders: Vec<(u32, Option<u32>, u64)> = semaphore
        .holders()
        .into_iter()
        .map(|(holder, count)| (holder.thread_id, holder.process_id, count))
        .collect();
    holders.sort_by_key(|holder| holder.2);
    let me = (thread_id(), Some(std::process::id()), 1);
    assert_eq!(holders, [me, (other.thread, Some(other.peer.pid()), 3)]);
    other.peer.join();
}

#[test]
fn as_many_places_as_promised() {
    let (_segment, semaphore, _name) = unbounded("places", 0);
    semaphore.release(100).expect("release");
    let mut held: Vec<Permit<'_>> =
        (0..16).map(|_| semaphore.try_acquire().expect("a place")).collect();
    let error = semaphore.try_acquire().unwrap_err();
    assert_eq!(error, SemaphoreError::TooManyHolders { limit: 16 });
    assert_eq!(semaphore.available(), 84);
    let timeout = Duration::from_millis(20);
    assert!(not_before(timeout, || semaphore.acquire_timeout(timeout)).is_err());
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| semaphore.acquire().map(|permit| permit.count()));
        drop(held.pop());
        assert_eq!(waiter.join().expect("join"), Ok(1));
    });
    let (_segment, large, _name) = bounded("large", 40);
    let held: Vec<_> = (0..40).map(|_| large.try_acquire().expect("a place")).collect();
    assert_eq!(short(large.try_acquire()), Some(0));
    drop(held);
    assert_eq!(large.available(), 40);
}

#[test]
fn a_thread_with_all_its_locks_gives_permits_back_nonetheless() {
    let (segment, semaphore, _name) = bounded("full", 2);
    let other = segment.semaphore("other", 2000).expect("semaphore");
    let permit = semaphore.acquire().expect("acquire");
    let mutexes: Vec<_> =
        (0..1100).map_while(|i| segment.mutex(&format!("m{i}"), 0_u8).ok()).collect();
    let mut guards = Vec::new();
    let limit = loop {
        match mutexes[guards.len()].lock() {
            Ok(guard) => guards.push(guard),
            Err(error) => break error,
        }
    };
    assert!(matches!(limit, LockError::TooManyLocks { .. }), "{limit:?}");
    let refused = |outcome: Result<Permit<'_>, SemaphoreError>| {
        matches!(outcome, Err(SemaphoreError::Lock(LockError::TooManyLocks { .. })))
    };
    assert!(refused(other.try_acquire()));
    assert!(refused(other.acquire()));
    drop(permit);
    guards.truncate(guards.len() - 1);
    // One for the semaphore, none for the permit.
    assert!(refused(other.try_acquire()) || semaphore.available() == 2);
    assert_eq!(semaphore.available(), 2);
    drop(guards);
    drop(semaphore.try_acquire_many(2).expect("both"));
    drop(other.try_acquire_many(2000).expect("untouched"));
}

/// The role: forks while it holds a permit.
pub(crate) fn fork_while_held(arguments: &[String]) {
    let semaphore: Semaphore = Segment::open(&arguments[0]).expect("open").find("s").expect("find");
    let permit = semaphore.acquire().expect("acquire");
    // SAFETY: this process uses one thread besides its watchdog, and the child allocates only.
    match unsafe { fork() }.expect("fork") {
        ForkResult::Child => {
            let before = semaphore.available();
            drop(permit);
            let mine = semaphore.try_acquire().is_ok();
            let right = before == 1 && semaphore.available() == 1 && mine;
            // SAFETY: ends the child without the parent's destructors.
            unsafe { nix::libc::_exit(if right { 0 } else { 1 }) }
        }
        ForkResult::Parent { child } => {
            assert_eq!(waitpid(child, None).expect("waitpid"), WaitStatus::Exited(child, 0));
            say(&semaphore.available().to_string());
            drop(permit);
            say(&semaphore.available().to_string());
        }
    }
}

#[test]
fn a_fork_takes_and_gives_nothing() {
    let (_segment, _semaphore, name) = bounded("fork", 2);
    let mut peer = Peer::spawn("semaphore fork", &[&name]);
    peer.expect("1");
    peer.expect("2");
    peer.join();
}

#[test]
fn waiting_does_not_use_the_processor() {
    let (_segment, semaphore, name) = bounded("cost", 1);
    let _held = semaphore.acquire().expect("acquire");
    let mut waiters = [Driver::new(&name), Driver::new(&name)];
    waiters.iter_mut().for_each(|waiter| waiter.start("idle 300"));
    waiters.iter_mut().for_each(|waiter| waiter.peer.expect("idle"));
    waiters.into_iter().for_each(|waiter| waiter.peer.join());
}

#[test]
fn another_shape_is_refused_and_a_read_only_handle_can_only_look() {
    let (segment, semaphore, name) = bounded("shape", 2);
    drop(segment.bounded_semaphore("s", 2).expect("the same"));
    let what = |outcome: Result<Semaphore, ObjectError>| match outcome {
        Err(ObjectError::ShapeMismatch { what, found, expected, .. }) => (what, found, expected),
        other => panic!("{other:?}"),
    };
    assert_eq!(what(segment.bounded_semaphore("s", 3)), ("bound (0 is none)", 2, 3));
    assert_eq!(what(segment.semaphore("s", 2)), ("bound (0 is none)", 2, 0));
    segment.semaphore("u", 1).expect("semaphore").release(5).expect("release");
    drop(segment.semaphore("u", 1).expect("as it was created"));
    assert_eq!(what(segment.semaphore("u", 6)), ("number of permits", 1, 6));
    let shape = |outcome| matches!(outcome, Err(ObjectError::InvalidShape { .. }));
    assert!(shape(segment.bounded_semaphore("none", 0)));
    assert!(shape(segment.semaphore("none", u64::MAX)));

    let reader = Segment::options().read_only(true).open(&name).expect("open");
    let seen: Semaphore = reader.find("s").expect("find");
    let _permit = semaphore.acquire().expect("acquire");
    assert_eq!((seen.available(), seen.holders().len()), (1, 1));
    let refused = Err(SemaphoreError::Lock(LockError::ReadOnly));
    assert_eq!(seen.acquire().map(drop), refused);
    assert_eq!(seen.try_acquire().map(drop), refused);
    assert_eq!(seen.acquire_timeout(Duration::ZERO).map(drop), refused);
    assert_eq!(seen.release(1), refused);
    assert!(format!("{seen:?}").contains("available: 1"), "{seen:?}");
}

#[test]
fn the_handle_is_owned_cloned_sent_and_shared() {
    fn is_handle<T: Clone + std::fmt::Debug + Send + Sync + 'static>() {}
    fn is_error<T: std::error::Error + Send + Sync + 'static>() {}
    is_handle::<Semaphore>();
    is_error::<SemaphoreError>();
}
