//! `Once` and `OnceValue`.
#![allow(unsafe_code)] // fork

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};
use outlive::{LockError, ObjectError, Once, OnceValue, Segment, SetError, Value};

use crate::observe::{Marked, await_sleep, not_before, overwrite, thread_id};
use crate::support::{Peer, listen, say, unique};

fn segment(what: &str) -> (Segment, String) {
    let name = unique(what);
    let segment = Segment::options().capacity(64 << 10).create(&name).expect("create");
    segment.once("o").expect("once");
    segment.once_value::<[u64; 4]>("v").expect("once value");
    (segment, name)
}

/// A closure that the parent ends.
fn inside() -> u64 {
    say("inside");
    match listen().as_deref() {
        // Without the message of one that is a failure.
        Some("panic") => std::panic::resume_unwind(Box::new("on purpose")),
        Some(number) => number.parse().expect("a number"),
        None => std::process::exit(3),
    }
}

/// The role: calls as it is told.
pub(crate) fn driver(arguments: &[String]) {
    let segment = Segment::open(&arguments[0]).expect("open");
    let once: Once = segment.find("o").expect("find");
    let value: OnceValue<[u64; 4]> = segment.find("v").expect("find");
    let limit = Duration::from_secs(600);
    say(&thread_id().to_string());
    while let Some(command) = listen() {
        let run = || _ = inside();
        let outcome = catch_unwind(AssertUnwindSafe(|| match command.as_str() {
            "call" => once.call_once(run).map(|()| 0),
            "try" => once.try_call_once(run).map(|()| 0),
            "timeout" => once.call_once_timeout(limit, run).map(|()| 0),
            "wait" => once.wait().map(|()| 0),
            "wait-timeout" => once.wait_timeout(limit).map(|()| 0),
            "value" => value.get_or_init(|| [inside(); 4]).map(whole),
            "value-timeout" => value.get_or_init_timeout(limit, || [inside(); 4]).map(whole),
            "value-wait" => value.wait().map(whole),
            "value-wait-timeout" => value.wait_timeout(limit).map(whole),
            other => panic!("no command {other:?}"),
        }));
        say(&match outcome {
            Ok(Ok(number)) => format!("done {number}"),
            Ok(Err(error)) => format!("{error:?}"),
            Err(_) => "panicked".to_owned(),
        });
    }
}

fn whole(value: [u64; 4]) -> u64 {
    assert_eq!(value, [value[0]; 4], "torn");
    value[0]
}

struct Driver {
    peer: Peer,
    thread: u32,
}

impl Driver {
    fn new(segment: &str) -> Self {
        let mut peer = Peer::spawn("once", &[segment]);
        let thread = peer.hear().parse().expect("a thread id");
        Self { peer, thread }
    }

    /// Has it start, and waits until its closure runs.
    fn enter(&mut self, command: &str) {
        self.does(command, "inside");
    }

    fn does(&mut self, command: &str, answer: &str) {
        self.peer.tell(command);
        self.peer.expect(answer);
    }
}

/// Until a peer that was told to wait for who has the lock does so.
fn blocked<const N: usize>(name: &str, commands: [&str; N]) -> [Driver; N] {
    commands.map(|command| {
        let mut driver = Driver::new(name);
        driver.peer.tell(command);
        // It may still sleep for its orders; that is as good a place as any.
        await_sleep(driver.thread);
        driver
    })
}

#[test]
fn one_does_it_and_the_others_wait_for_that() {
    let (segment, name) = segment("waits");
    let once = segment.once("o").expect("once");
    let mut first = Driver::new(&name);
    first.enter("call");
    assert!(!once.is_completed());
    assert_eq!(once.try_call_once(|| unreachable!()), Err(LockError::WouldBlock));
    let others = blocked(&name, ["call", "timeout", "wait", "wait-timeout"]);
    first.does("1", "done 0");
    for mut other in others {
        other.peer.expect("done 0");
        other.does("call", "done 0");
        other.does("try", "done 0");
        other.does("wait", "done 0");
        other.peer.join();
    }
    assert!(once.is_completed());
    once.call_once(|| unreachable!()).expect("done");
    once.try_call_once(|| unreachable!()).expect("done");
    once.call_once_timeout(Duration::ZERO, || unreachable!()).expect("done");
    once.wait().expect("done");
    first.peer.join();
}

#[test]
fn a_dead_or_panicking_initialiser_is_replaced() {
    for end in ["kill", "panic"] {
        let (segment, name) = segment("replaced");
        let mut first = Driver::new(&name);
        first.enter("call");
        for _ in 0..3 {
            let [mut next, waiting] = blocked(&name, ["call", "wait"]);
            if end == "kill" {
                first.peer.kill();
            } else {
                first.does("panic", "panicked");
                first.peer.join();
            }
            next.peer.expect("inside");
            waiting.peer.signal(nix::sys::signal::Signal::SIGKILL);
            first = next;
        }
        assert!(!segment.once("o").expect("once").is_completed());
        let [mut waiting, mut timed] = blocked(&name, ["wait", "wait-timeout"]);
        first.does("1", "done 0");
        waiting.peer.expect("done 0");
        timed.peer.expect("done 0");
        assert!(segment.once("o").expect("once").is_completed());
    }
}

#[test]
fn a_value_is_made_by_one_and_got_by_all() {
    let (segment, name) = segment("value");
    let value: OnceValue<[u64; 4]> = segment.find("v").expect("find");
    assert_eq!(value.get(), None);
    let mut first = Driver::new(&name);
    first.enter("value");
    let mut others = blocked(&name, ["value", "value-timeout", "value-wait", "value-wait-timeout"]);
    assert_eq!(value.get(), None);
    first.peer.kill();
    // One of those who would make it goes on.
    let [one, other, ..] = &mut others;
    let (one, other) = (&mut one.peer, &mut other.peer);
    std::thread::scope(|scope| {
        for peer in [one, other] {
            scope.spawn(|| {
                if peer.hear() == "inside" {
                    peer.tell("5");
                    peer.expect("done 5");
                }
            });
        }
    });
    let [_, _, mut waits, mut waits_for_long] = others;
    waits.peer.expect("done 5");
    waits_for_long.peer.expect("done 5");
    assert_eq!(value.get(), Some([5; 4]));
    assert_eq!(value.get_or_init(|| unreachable!()), Ok([5; 4]));
    assert_eq!(value.wait(), Ok([5; 4]));
    assert_eq!(value.wait_timeout(Duration::ZERO), Ok([5; 4]));
    let error = value.set([6; 4]).unwrap_err();
    assert!(matches!(error, SetError::AlreadySet(_)), "{error:?}");
    assert!(error.to_string().contains("already"), "{error}");
    assert_eq!(error.into_inner(), [6; 4]);
    assert_eq!(value.get(), Some([5; 4]));
}

#[test]
fn set_wakes_who_waits() {
    let (segment, name) = segment("set");
    let value: OnceValue<[u64; 4]> = segment.find("v").expect("find");
    let [mut one, mut other] = blocked(&name, ["value-wait", "value-wait-timeout"]);
    value.set([9; 4]).expect("set");
    one.peer.expect("done 9");
    other.peer.expect("done 9");
    one.does("value", "done 9");
    one.peer.join();
    other.peer.join();
}

#[test]
fn timeouts_never_end_early_and_tell_who_is_at_it() {
    let (segment, name) = segment("timeouts");
    let once = segment.once("o").expect("once");
    let value: OnceValue<u8> = segment.once_value("never").expect("once value");
    for millis in [0, 1, 50, 130] {
        let timeout = Duration::from_millis(millis);
        let nobody = Err(LockError::TimedOut { holder: None });
        assert_eq!(not_before(timeout, || once.wait_timeout(timeout)), nobody);
        let outcome = not_before(timeout, || value.wait_timeout(timeout));
        assert_eq!(outcome, Err(LockError::TimedOut { holder: None }));
    }
    let mut first = Driver::new(&name);
    first.enter("call");
    let timeout = Duration::from_millis(50);
    let outcomes = [
        not_before(timeout, || once.wait_timeout(timeout)),
        not_before(timeout, || once.call_once_timeout(timeout, || unreachable!())),
    ];
    for outcome in outcomes {
        let Err(LockError::TimedOut { holder: Some(holder) }) = outcome else {
            panic!("{outcome:?}")
        };
        assert_eq!(holder.process_id, Some(first.peer.pid()));
    }
    assert_eq!(once.holder().map(|holder| holder.thread_id), Some(first.thread));
    first.does("1", "done 0");
    assert_eq!(once.holder(), None);
    first.peer.join();
}

#[test]
fn recursion_is_an_error_and_does_not_hang() {
    let (segment, _name) = segment("recursion");
    let once = segment.once("o").expect("once");
    once.call_once(|| {
        let deadlock = Err(LockError::Deadlock);
        assert_eq!(once.call_once(|| unreachable!()), deadlock);
        assert_eq!(once.try_call_once(|| unreachable!()), deadlock);
        assert_eq!(once.call_once_timeout(Duration::MAX, || unreachable!()), deadlock);
        assert_eq!(once.wait(), deadlock);
        assert_eq!(once.wait_timeout(Duration::MAX), deadlock);
    })
    .expect("the outer one goes on");
    assert!(once.is_completed());

    let value: OnceValue<[u64; 4]> = segment.find("v").expect("find");
    let made = value.get_or_init(|| {
        assert_eq!(value.get(), None);
        assert_eq!(value.get_or_init(|| unreachable!()), Err(LockError::Deadlock));
        assert_eq!(value.wait(), Err(LockError::Deadlock));
        let refused = value.set([1; 4]);
        assert!(matches!(refused, Err(SetError::Lock(_, LockError::Deadlock))), "{refused:?}");
        [2; 4]
    });
    assert_eq!(made, Ok([2; 4]));
}

#[test]
fn a_failure_leaves_the_value_unset() {
    #[derive(Debug, PartialEq)]
    enum Failure {
        Mine,
        Lock(LockError),
    }
    impl From<LockError> for Failure {
        fn from(error: LockError) -> Self {
            Self::Lock(error)
        }
    }
    let (segment, _name) = segment("failure");
    let value: OnceValue<[u64; 4]> = segment.find("v").expect("find");
    assert_eq!(value.get_or_try_init(|| Err(Failure::Mine)), Err(Failure::Mine));
    assert_eq!(value.get(), None);
    let outcome = value.get_or_try_init(|| {
        let inner = value.get_or_try_init(|| Err(Failure::Mine));
        assert_eq!(inner, Err(Failure::Lock(LockError::Deadlock)));
        inner
    });
    assert_eq!(outcome, Err(Failure::Lock(LockError::Deadlock)));
    assert_eq!(value.get_or_try_init(|| Ok::<_, Failure>([3; 4])), Ok([3; 4]));
    assert_eq!(value.get(), Some([3; 4]));
}

#[test]
fn a_panic_leaves_the_value_to_the_next_one() {
    let (segment, _name) = segment("panic");
    let value: OnceValue<[u64; 4]> = segment.find("v").expect("find");
    let outcome = catch_unwind(AssertUnwindSafe(|| value.get_or_init(|| panic!("on purpose"))));
    assert!(outcome.is_err());
    assert_eq!(value.get(), None);
    assert_eq!(value.get_or_init_timeout(Duration::ZERO, || [4; 4]), Ok([4; 4]));
}

#[test]
fn a_read_only_handle_sees_what_was_done() {
    let (segment, name) = segment("read-only");
    let reader = Segment::options().read_only(true).open(&name).expect("open");
    let once: Once = reader.find("o").expect("find");
    let value: OnceValue<[u64; 4]> = reader.find("v").expect("find");
    assert_eq!(once.call_once(|| unreachable!()), Err(LockError::ReadOnly));
    assert_eq!(once.wait_timeout(Duration::ZERO), Err(LockError::ReadOnly));
    assert_eq!(value.get_or_init(|| unreachable!()), Err(LockError::ReadOnly));
    assert_eq!(value.get(), None);
    segment.once("o").expect("once").call_once(|| ()).expect("call");
    segment.find::<OnceValue<[u64; 4]>>("v").expect("find").set([1; 4]).expect("set");
    once.call_once(|| unreachable!()).expect("done");
    once.wait().expect("done");
    assert!(once.is_completed());
    assert_eq!(value.get(), Some([1; 4]));
    assert_eq!(value.get_or_init(|| unreachable!()), Ok([1; 4]));
    assert_eq!(value.wait(), Ok([1; 4]));
}

#[test]
fn bytes_that_are_no_value_are_an_error() {
    let (segment, name) = segment("corrupt");
    let value: OnceValue<Marked> = segment.once_value("marked").expect("once value");
    value.set(Marked::new(*b"oncemark")).expect("set");
    assert_eq!(value.get(), Some(Marked::new(*b"oncemark")));
    overwrite(&name, b"oncemark", 8, &[7]);
    assert_eq!(value.get(), None);
    assert!(matches!(value.get_or_init(|| unreachable!()), Err(LockError::Corrupt { .. })));
    assert!(matches!(value.wait(), Err(LockError::Corrupt { .. })));
}

#[test]
fn another_kind_or_type_is_refused() {
    let (segment, _name) = segment("kind");
    for error in [
        segment.find::<Value<u32>>("o").unwrap_err(),
        segment.find::<Once>("v").unwrap_err(),
        segment.once_value::<[i64; 4]>("v").unwrap_err(),
    ] {
        assert!(matches!(error, ObjectError::TypeMismatch { .. }), "{error:?}");
        assert!(error.to_string().contains("Once"), "{error}");
    }
}

/// The role: its closure forks, and returns in the child too.
pub(crate) fn fork_inside(arguments: &[String]) {
    let segment = Segment::open(&arguments[0]).expect("open");
    let value: OnceValue<[u64; 4]> = segment.find("v").expect("find");
    let mut child = false;
    let outcome = value.get_or_init(|| {
        // SAFETY: this process's other threads (the watchdog) hold no lock that the child needs.
        match unsafe { fork() }.expect("fork") {
            ForkResult::Child => {
                child = true;
                [1; 4]
            }
            ForkResult::Parent { child } => {
                let status = waitpid(child, None).expect("wait");
                assert!(matches!(status, WaitStatus::Exited(_, 0)), "{status:?}");
                assert_eq!(value.get(), None, "set by the child");
                [2; 4]
            }
        }
    });
    if child {
        let refused = outcome == Err(LockError::WouldBlock);
        // SAFETY: ends the child at once, without the parent's handlers.
        unsafe { nix::libc::_exit(i32::from(!refused)) };
    }
    assert_eq!(outcome, Ok([2; 4]));
}

#[test]
fn it_is_not_the_turn_of_a_child_that_was_forked_within() {
    let (segment, name) = segment("fork");
    Peer::spawn("once fork", &[&name]).join();
    assert_eq!(segment.find::<OnceValue<[u64; 4]>>("v").expect("find").get(), Some([2; 4]));
}

/// The role: one of many that start at the same time.
pub(crate) fn racer(arguments: &[String]) {
    let segment = Segment::open(&arguments[0]).expect("open");
    say("ready");
    listen();
    for round in 0..200 {
        let value = segment.once_value::<[u64; 4]>(&format!("round {round}")).expect("once value");
        let made = segment.counter("made").expect("counter");
        let value = value.get_or_init(|| {
            made.add(1).expect("add");
            [u64::from(std::process::id()); 4]
        });
        whole(value.expect("get_or_init"));
    }
}

#[test]
fn of_many_at_once_one_makes_it() {
    let name = unique("race");
    let segment = Segment::options().capacity(1 << 20).create(&name).expect("create");
    let mut racers: Vec<Peer> = (0..4).map(|_| Peer::spawn("once race", &[&name])).collect();
    racers.iter_mut().for_each(|racer| racer.expect("ready"));
    racers.iter_mut().for_each(|racer| racer.tell("go"));
    racers.into_iter().for_each(Peer::join);
    assert_eq!(segment.counter("made").expect("counter").get(), 200);
}
