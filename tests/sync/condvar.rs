//! `Condvar`.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use nix::sys::signal::Signal;
use outlive::{
    Condvar, LockError, Mutex, MutexGuard, ObjectError, Segment, Value, WaitTimeoutResult, Waiting,
};

use crate::observe::{await_sleep, await_stop, idle, not_before, thread_id};
use crate::support::{Peer, listen, say, unique};

fn segment(what: &str) -> (Segment, Mutex<u64>, Condvar, String) {
    let name = unique(what);
    let segment = Segment::options().capacity(64 << 10).create(&name).expect("create");
    let mutex = segment.mutex("m", 0).expect("mutex");
    let condvar = segment.condvar("c").expect("condvar");
    (segment, mutex, condvar, name)
}

type Outcome = Result<MutexGuard<'static, u64>, LockError<MutexGuard<'static, u64>>>;
type Timed = (MutexGuard<'static, u64>, WaitTimeoutResult);

/// How a wait ended, with the mutex released again.
fn ended(outcome: Outcome) -> String {
    match outcome {
        Ok(guard) => format!("woken {}", *guard),
        Err(LockError::OwnerDied(mut guard)) => {
            guard.mark_consistent();
            "OwnerDied".to_owned()
        }
        Err(other) => format!("{other:?}"),
    }
}

fn ended_in_time(outcome: Result<Timed, LockError<Timed>>) -> String {
    let (guard, result) = outcome.or_else(LockError::recover).expect("wait");
    format!("{} {}", result.timed_out(), *guard)
}

/// The role: waits and notifies as it is told. `m` counts tokens.
pub(crate) fn driver(arguments: &[String]) {
    let segment = Segment::open(&arguments[0]).expect("open");
    let mutex: &'static Mutex<u64> = Box::leak(Box::new(segment.find("m").expect("find")));
    let condvar: Condvar = segment.find("c").expect("find");
    let lock = || mutex.lock().or_else(LockError::recover).expect("lock");
    drop(lock());
    say(&thread_id().to_string());
    while let Some(line) = listen() {
        let (command, number) = line.split_once(' ').unwrap_or((&line, "0"));
        let number: u64 = number.parse().expect("a number");
        let limit = Duration::from_millis(number);
        say("going");
        let answer = match command {
            "wait" => ended(condvar.wait(lock())),
            "timeout" => ended_in_time(condvar.wait_timeout(lock(), limit)),
            "take" => {
                let outcome = condvar.wait_while(lock(), |tokens| *tokens == 0);
                ended(outcome.map(|mut guard| {
                    *guard -= 1;
                    guard
                }))
            }
            "take-timeout" => {
                ended_in_time(condvar.wait_timeout_while(lock(), limit, |tokens| *tokens == 0))
            }
            "give-silently" => {
                *lock() += number;
                "done".to_owned()
            }
            "hold" => {
                std::mem::forget(lock());
                "done".to_owned()
            }
            "idle" => idle(|| {
                assert_eq!(ended_in_time(condvar.wait_timeout(lock(), limit)), "true 0");
            }),
            other => panic!("no command {other:?}"),
        };
        say(&answer);
    }
}

struct Driver {
    peer: Peer,
    thread: u32,
}

impl Driver {
    fn new(segment: &str) -> Self {
        let mut peer = Peer::spawn("condvar", &[segment]);
        let thread = peer.hear().parse().expect("a thread id");
        Self { peer, thread }
    }

    fn several<const N: usize>(segment: &str) -> [Self; N] {
        std::array::from_fn(|_| Self::new(segment))
    }

    fn start(&mut self, command: &str) {
        self.peer.tell(command);
        self.peer.expect("going");
    }

    fn block(&mut self, command: &str) {
        self.start(command);
        await_sleep(self.thread);
    }

    fn does(&mut self, command: &str, answer: &str) {
        self.start(command);
        self.peer.expect(answer);
    }

    fn stop(&self) {
        self.peer.signal(Signal::SIGSTOP);
        await_stop(self.thread);
    }
}

const LONG: &str = "timeout 600000";

/// Until a waiter that sleeps has released the mutex: what it last did.
fn lock(mutex: &Mutex<u64>) -> MutexGuard<'_, u64> {
    mutex.lock().expect("lock")
}

#[test]
fn waiting_releases_the_mutex_and_all_are_woken() {
    let (_segment, mutex, condvar, name) = segment("all");
    let mut waiters: [Driver; 4] = Driver::several(&name);
    for round in 1..=5 {
        for (index, waiter) in waiters.iter_mut().enumerate() {
            waiter.block(if index == 1 { LONG } else { "wait" });
        }
        let mut guard = mutex.try_lock().expect("those who wait do not hold it");
        *guard = round;
        // With the mutex held, or not.
        if round % 2 == 0 {
            drop(guard);
            condvar.notify_all().expect("notify");
        } else {
            condvar.notify_all().expect("notify");
            drop(guard);
        }
        for (index, waiter) in waiters.iter_mut().enumerate() {
            let expected = if index == 1 { "false" } else { "woken" };
            waiter.peer.expect(&format!("{expected} {round}"));
        }
    }
    waiters.into_iter().for_each(|waiter| waiter.peer.join());
}

#[test]
fn each_token_goes_to_one_and_notify_one_is_enough() {
    let (_segment, mutex, condvar, name) = segment("one");
    let waiters: [Driver; 4] = Driver::several(&name);
    let threads: Vec<_> = waiters
        .into_iter()
        .map(|mut waiter| {
            waiter.block("take");
            std::thread::spawn(move || {
                waiter.peer.expect("woken 0");
                waiter
            })
        })
        .collect();
    for _ in 0..threads.len() {
        let guard = condvar.wait_while(lock(&mutex), |tokens| *tokens > 0);
        *guard.expect("wait") = 1;
        condvar.notify_one().expect("notify");
        // Whoever takes it does not say so: looks by itself.
    }
    for thread in threads {
        thread.join().expect("join").peer.join();
    }
    assert_eq!(*lock(&mutex), 0);
}

#[test]
fn several_are_woken_at_once_and_never_more_than_there_are() {
    let (_segment, mutex, condvar, name) = segment("some");
    for (tokens, notified) in [(3, 3), (3, 100), (3, u32::MAX)] {
        let mut waiters: [Driver; 3] = Driver::several(&name);
        waiters.iter_mut().for_each(|waiter| waiter.block("take"));
        *lock(&mutex) = tokens;
        condvar.notify(notified).expect("notify");
        for waiter in waiters {
            let Driver { mut peer, .. } = waiter;
            assert!(peer.hear().starts_with("woken"));
            peer.join();
        }
        assert_eq!(*lock(&mutex), 0);
    }
}

#[test]
fn a_notification_that_nobody_waits_for_is_not_remembered() {
    let (_segment, _mutex, condvar, name) = segment("forgotten");
    let mut waiter = Driver::new(&name);
    for round in 0..3 {
        // A dead one's flag does not make a notification any more lasting.
        let mut victim = Driver::new(&name);
        victim.block(if round == 0 { "take" } else { "wait" });
        victim.peer.kill();
        condvar.notify_one().expect("notify");
        condvar.notify(7).expect("notify");
        condvar.notify_all().expect("notify");
        waiter.does("timeout 0", "true 0");
        waiter.does("timeout 30", "true 0");
        waiter.does("take-timeout 30", "true 0");
    }
    waiter.peer.join();
}

/// Also that one who looks in between sleeps on.
#[test]
fn to_notify_nobody_wakes_nobody_and_hides_nobody() {
    let (_segment, _mutex, condvar, name) = segment("nobody");
    let mut waiter = Driver::new(&name);
    waiter.block("timeout 350");
    condvar.notify(0).expect("notify");
    waiter.peer.expect("true 0");
    waiter.block(LONG);
    condvar.notify(0).expect("notify");
    condvar.notify_one().expect("notify");
    waiter.peer.expect("false 0");
    waiter.peer.join();
}

#[test]
fn a_timeout_never_ends_early_and_the_condition_counts() {
    let (_segment, mutex, condvar, _name) = segment("timeout");
    for waiting in [Waiting::Adaptive, Waiting::Park, Waiting::Yield, Waiting::Spin] {
        let condvar = condvar.clone().with_waiting(waiting);
        for millis in [0, 1, 50, 230] {
            let timeout = Duration::from_millis(millis);
            let guard = lock(&mutex);
            let outcome = not_before(timeout, || condvar.wait_timeout(guard, timeout));
            let (guard, result) = outcome.expect("wait");
            assert!(result.timed_out());
            let outcome =
                not_before(timeout, || condvar.wait_timeout_while(guard, timeout, |_| true));
            let (guard, result) = outcome.expect("wait");
            assert!(result.timed_out());
            let outcome = condvar.wait_timeout_while(guard, timeout, |_| false);
            assert!(!outcome.expect("wait").1.timed_out());
        }
        let mut looks = 0;
        let outcome = condvar.wait_timeout_while(lock(&mutex), Duration::ZERO, |_| {
            looks += 1;
            looks < 2
        });
        assert!(!outcome.expect("wait").1.timed_out(), "the condition went when the time was up");
    }
}

/// After its time the mutex is waited for, as long as it takes.
#[test]
fn a_timeout_comes_back_with_the_mutex() {
    let (segment, mutex, _condvar, name) = segment("comes-back");
    let mut waiter = Driver::new(&name);
    let never = segment.condvar("never").expect("condvar");
    loop {
        waiter.block("timeout 100");
        let mut guard = lock(&mutex);
        *guard += 1;
        let seen = format!("true {}", *guard);
        // Longer than the waiter waits: by then it waits for the mutex, if it did not have it before.
        let other = segment.mutex("other", 0_u8).expect("mutex");
        let limit = Duration::from_millis(150);
        drop(never.wait_timeout(other.lock().expect("lock"), limit).expect("wait"));
        drop(guard);
        if waiter.peer.hear() == seen {
            break;
        }
    }
    waiter.peer.join();
}

#[test]
fn every_way_of_waiting_is_woken() {
    let (_segment, mutex, condvar, _name) = segment("waiting");
    for waiting in [Waiting::Adaptive, Waiting::Park, Waiting::Yield, Waiting::Spin] {
        let (theirs, waiter) = (mutex.clone(), condvar.clone().with_waiting(waiting));
        let thread = std::thread::spawn(move || {
            let mut guard = lock(&theirs);
            *guard = 1; // it waits by the time that others can see this
            *waiter.wait(guard).expect("wait")
        });
        while *lock(&mutex) == 0 {
            std::thread::yield_now();
        }
        *lock(&mutex) = 2;
        condvar.notify_one().expect("notify");
        assert_eq!(thread.join().expect("join"), 2, "{waiting:?}");
        *lock(&mutex) = 0;
    }
}

#[test]
fn waiting_does_not_use_the_processor() {
    let (_segment, _mutex, _condvar, name) = segment("cost");
    let mut waiters = [Driver::new(&name), Driver::new(&name)];
    waiters.iter_mut().for_each(|waiter| waiter.start("idle 300"));
    waiters.iter_mut().for_each(|waiter| waiter.peer.expect("idle"));
    waiters.into_iter().for_each(|waiter| waiter.peer.join());
}

#[test]
fn a_killed_waiter_leaves_the_notifications_to_the_others() {
    let (_segment, mutex, condvar, name) = segment("killed");
    let mut survivor = Driver::new(&name);
    for _ in 0..10 {
        let mut victims: [Driver; 2] = Driver::several(&name);
        victims[0].block("take");
        survivor.block("take");
        victims[1].block("take-timeout 600000");
        victims.into_iter().for_each(|victim| victim.peer.kill());
        *lock(&mutex) = 1;
        condvar.notify_one().expect("notify");
        survivor.peer.expect("woken 0");
    }
    survivor.peer.join();
}

#[test]
fn a_notification_that_a_waiter_took_to_its_death_reaches_another() {
    let (_segment, mutex, condvar, name) = segment("taken-along");
    for wait in ["wait", LONG] {
        let [mut victim, mut survivor] = Driver::several(&name);
        victim.block(wait);
        victim.stop();
        survivor.block(wait);
        *lock(&mutex) = 7;
        // Is for the one that has waited longest, and will never do anything with it.
        condvar.notify_one().expect("notify");
        victim.peer.kill();
        survivor.peer.expect(if wait == "wait" { "woken 7" } else { "false 7" });
        survivor.peer.join();
    }
}

#[test]
fn one_that_died_before_it_notified_is_made_up_for() {
    let (_segment, _mutex, _condvar, name) = segment("silent");
    let [mut waiter, mut victim] = Driver::several(&name);
    waiter.block("take");
    victim.does("give-silently 1", "done");
    victim.peer.kill();
    waiter.peer.expect("woken 0");
    waiter.peer.join();
}

#[test]
fn a_holders_death_reaches_one_who_waits() {
    let (_segment, mutex, _condvar, name) = segment("holder");
    for wait in ["wait", "take"] {
        let [mut waiter, mut victim] = Driver::several(&name);
        waiter.block(wait);
        victim.does("hold", "done");
        victim.peer.kill();
        waiter.peer.expect("OwnerDied");
        waiter.peer.join();
        drop(mutex.try_lock().expect("the waiter vouched for it"));
    }
}

#[test]
fn closing_the_mutex_ends_the_waits() {
    let (_segment, mutex, condvar, name) = segment("closed");
    let [mut waiter, mut victim] = Driver::several(&name);
    victim.does("hold", "done");
    victim.peer.kill();
    let guard = mutex.lock().or_else(LockError::recover).expect("recover");
    drop(guard);
    waiter.block("wait");
    let mut victim = Driver::new(&name);
    victim.does("hold", "done");
    victim.stop();
    victim.peer.kill();
    // Either this one or the waiter finds the death, and only this one gives up.
    let Err(LockError::OwnerDied(guard)) = mutex.try_lock() else {
        waiter.peer.expect("OwnerDied");
        return;
    };
    drop(guard);
    waiter.peer.expect("NotRecoverable");
    assert!(matches!(mutex.lock(), Err(LockError::NotRecoverable)));
    condvar.notify_all().expect("notify");
    waiter.peer.join();
}

/// To wait hands the data on as they are.
#[test]
fn waiting_with_data_that_nobody_vouched_for_does_not_close_the_mutex() {
    let (_segment, mutex, condvar, name) = segment("unvouched");
    let mut victim = Driver::new(&name);
    victim.does("hold", "done");
    victim.peer.kill();
    let Err(LockError::OwnerDied(guard)) = mutex.lock() else { panic!("expected OwnerDied") };
    let outcome = condvar.wait_timeout(guard, Duration::ZERO);
    let Err(LockError::OwnerDied((guard, result))) = outcome else { panic!("{outcome:?}") };
    assert!(result.timed_out() && guard.is_inconsistent());
    // Nobody else looks after them, so they come back by themselves.
    let Err(LockError::OwnerDied(mut guard)) = condvar.wait(guard) else {
        panic!("expected OwnerDied")
    };
    guard.mark_consistent();
    let outcome = condvar.wait_timeout(guard, Duration::ZERO);
    drop(outcome.expect("vouched for"));

    // Another process that locks meanwhile is the one to hear of it.
    let mut victim = Driver::new(&name);
    victim.does("hold", "done");
    victim.peer.kill();
    let Err(LockError::OwnerDied(guard)) = mutex.lock() else { panic!("expected OwnerDied") };
    let other = std::thread::spawn({
        let mutex = mutex.clone();
        move || {
            loop {
                match mutex.try_lock() {
                    Ok(_) => return false,
                    Err(LockError::OwnerDied(mut guard)) => {
                        guard.mark_consistent();
                        return true;
                    }
                    Err(error) => assert!(matches!(error, LockError::WouldBlock), "{error:?}"),
                }
            }
        }
    });
    let outcome = condvar.wait_while(guard, {
        let mut looks = 0;
        move |_| {
            looks += 1;
            looks < 2
        }
    });
    let heard = outcome.is_err();
    drop(outcome.or_else(LockError::recover).expect("wait"));
    assert_ne!(other.join().expect("join"), heard, "one of the two hears of it");
}

#[test]
fn a_panic_in_the_condition_counts_as_a_death() {
    let (_segment, mutex, condvar, _name) = segment("panic");
    let guard = lock(&mutex);
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        drop(condvar.wait_while(guard, |_| panic!("on purpose")));
    }));
    assert!(outcome.is_err());
    assert!(matches!(mutex.try_lock(), Err(LockError::OwnerDied(_))));
}

#[test]
fn a_read_only_handle_neither_waits_nor_notifies() {
    let (_segment, mutex, _condvar, name) = segment("read-only");
    let reader = Segment::options().read_only(true).open(&name).expect("open");
    let seen: Condvar = reader.find("c").expect("find");
    assert_eq!(seen.notify_one(), Err(LockError::ReadOnly));
    assert_eq!(seen.notify(0), Err(LockError::ReadOnly));
    assert_eq!(seen.notify(1), Err(LockError::ReadOnly));
    assert_eq!(seen.notify_all(), Err(LockError::ReadOnly));
    assert!(matches!(seen.wait(lock(&mutex)), Err(LockError::ReadOnly)));
    let outcome = seen.wait_timeout(lock(&mutex), Duration::ZERO);
    assert!(matches!(outcome, Err(LockError::ReadOnly)));
    assert!(matches!(seen.wait_while(lock(&mutex), |_| true), Err(LockError::ReadOnly)));
    drop(mutex.try_lock().expect("released, and open"));
}

#[test]
fn another_kind_is_refused() {
    let (segment, ..) = segment("kind");
    let error = segment.find::<Value<u32>>("c").unwrap_err();
    assert!(matches!(error, ObjectError::TypeMismatch { .. }), "{error:?}");
    assert!(error.to_string().contains("Condvar"), "{error}");
}

const MESSAGES: u64 = 2000;
const ROOM: u64 = 4;

/// The role: one end of a buffer of `ROOM` places, under one mutex, with two condvars.
pub(crate) fn worker(arguments: &[String]) {
    let segment = Segment::open(&arguments[0]).expect("open");
    let waiting = match arguments[2].as_str() {
        "park" => Waiting::Park,
        "yield" => Waiting::Yield,
        _ => Waiting::Adaptive,
    };
    let buffer: Mutex<u64> = segment.find("m").expect("find");
    let not_full = segment.condvar("not full").expect("condvar").with_waiting(waiting);
    let not_empty = segment.condvar("not empty").expect("condvar").with_waiting(waiting);
    for _ in 0..MESSAGES {
        let guard = lock(&buffer);
        if arguments[1] == "produce" {
            let mut guard = not_full.wait_while(guard, |count| *count == ROOM).expect("wait");
            *guard += 1;
            assert!(*guard <= ROOM);
            drop(guard);
            not_empty.notify_one().expect("notify");
        } else {
            let mut guard = not_empty.wait_while(guard, |count| *count == 0).expect("wait");
            *guard -= 1;
            not_full.notify_one().expect("notify");
        }
    }
}

#[test]
fn producers_and_consumers_meet() {
    let (_segment, mutex, _condvar, name) = segment("buffer");
    let peers: Vec<Peer> = ["park", "adaptive", "yield"]
        .into_iter()
        .flat_map(|waiting| [("produce", waiting), ("consume", waiting)])
        .map(|(what, waiting)| Peer::spawn("condvar worker", &[&name, what, waiting]))
        .collect();
    peers.into_iter().for_each(Peer::join);
    assert_eq!(*lock(&mutex), 0);
}
