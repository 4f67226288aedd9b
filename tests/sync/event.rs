//! `Event`.
#![allow(unsafe_code)] // a signal handler

use std::sync::OnceLock;
use std::time::Duration;

use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use outlive::{Event, LockError, ObjectError, Reset, Segment, Value};

use crate::observe::{await_sleep, await_stop, idle, not_before, thread_id};
use crate::support::{Peer, listen, say, unique};

fn segment(what: &str, reset: Reset) -> (Segment, Event, String) {
    let name = unique(what);
    let segment = Segment::options().capacity(64 << 10).create(&name).expect("create");
    let event = segment.event("e", reset).expect("event");
    (segment, event, name)
}

/// For the handler, which can be given nothing.
static HANDLED: OnceLock<Event> = OnceLock::new();

extern "C" fn handler(_signal: nix::libc::c_int) {
    if let Some(event) = HANDLED.get() {
        event.set().expect("set");
    }
}

/// The role: uses the event as it is told.
pub(crate) fn driver(arguments: &[String]) {
    let segment = Segment::open(&arguments[0]).expect("open");
    let event: Event = segment.find("e").expect("find");
    HANDLED.set(event.clone()).expect("once");
    let action = SigAction::new(SigHandler::Handler(handler), SaFlags::empty(), SigSet::empty());
    // SAFETY: the handler does nothing but set an event.
    unsafe { sigaction(Signal::SIGUSR1, &action) }.expect("sigaction");
    say(&thread_id().to_string());
    while let Some(line) = listen() {
        let (command, number) = line.split_once(' ').unwrap_or((&line, "0"));
        let limit = Duration::from_millis(number.parse().expect("a number"));
        say("going");
        match command {
            "wait" => say(event.wait().map_or("failed", |()| "passed")),
            "timeout" => say(&event.wait_timeout(limit).expect("wait").to_string()),
            "set" => say(event.set().map_or("failed", |()| "done")),
            "raise" => {
                nix::sys::signal::raise(Signal::SIGUSR1).expect("raise");
                say("done");
            }
            "idle" => say(&idle(|| assert!(!event.wait_timeout(limit).expect("wait")))),
            other => panic!("no command {other:?}"),
        }
    }
}

struct Driver {
    peer: Peer,
    thread: u32,
}

impl Driver {
    fn new(segment: &str) -> Self {
        let mut peer = Peer::spawn("event", &[segment]);
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

    fn does(&mut self, command: &str, answer: &str) {
        self.start(command);
        self.peer.expect(answer);
    }
}

const LONG: &str = "timeout 600000";

#[test]
fn a_manual_event_lets_everybody_through_until_it_is_cleared() {
    let (_segment, event, name) = segment("manual", Reset::Manual);
    let mut waiters: Vec<Driver> = (0..4).map(|_| Driver::new(&name)).collect();
    for _ in 0..5 {
        waiters[0].block("wait");
        waiters[1].block(LONG);
        waiters[2].block("wait");
        waiters[3].block("wait");
        assert!(!event.is_set());
        event.set().expect("set");
        for (index, waiter) in waiters.iter_mut().enumerate() {
            waiter.peer.expect(if index == 1 { "true" } else { "passed" });
        }
        assert!(event.is_set());
        // Set is set, however often.
        event.set().expect("set");
        event.wait().expect("at once");
        waiters[0].does("wait", "passed");
        waiters[0].does("timeout 0", "true");
        event.clear().expect("clear");
        assert!(!event.is_set());
        waiters[0].does("timeout 0", "false");
    }
    waiters.into_iter().for_each(|waiter| waiter.peer.join());
}

#[test]
fn an_automatic_event_lets_exactly_one_through_each_time() {
    let (_segment, event, name) = segment("auto", Reset::Auto);
    let mut waiters: Vec<Driver> = (0..4).map(|_| Driver::new(&name)).collect();
    for waiter in &mut waiters {
        waiter.block("wait");
    }
    // Each set is passed on before the next, so that each lets one through: whoever that is sets it
    // for the next one.
    let threads: Vec<_> = waiters
        .into_iter()
        .map(|mut waiter| {
            let event = event.clone();
            std::thread::spawn(move || {
                waiter.peer.expect("passed");
                assert!(!event.is_set(), "one set let two through, or none");
                event.set().expect("set");
                waiter
            })
        })
        .collect();
    event.set().expect("set");
    let waiters: Vec<Driver> = threads.into_iter().map(|t| t.join().expect("join")).collect();
    // The last one's set has met nobody.
    assert!(event.wait_timeout(Duration::ZERO).expect("wait"));
    assert!(!event.wait_timeout(Duration::ZERO).expect("wait"));
    waiters.into_iter().for_each(|waiter| waiter.peer.join());
}

#[test]
fn sets_without_waiters_count_once() {
    let (_segment, event, name) = segment("once", Reset::Auto);
    let mut waiter = Driver::new(&name);
    for _ in 0..3 {
        event.set().expect("set");
    }
    waiter.does("wait", "passed");
    waiter.does("timeout 0", "false");
    waiter.does("set", "done");
    event.clear().expect("clear");
    waiter.does("timeout 0", "false");
    waiter.peer.join();
}

#[test]
fn a_timeout_never_ends_early() {
    for reset in [Reset::Manual, Reset::Auto] {
        let (_segment, event, _name) = segment("timeout", reset);
        for millis in [0, 1, 50, 130] {
            let timeout = Duration::from_millis(millis);
            assert!(!not_before(timeout, || event.wait_timeout(timeout)).expect("wait"));
        }
        event.set().expect("set");
        assert!(event.wait_timeout(Duration::ZERO).expect("wait"));
    }
}

#[test]
fn waiting_does_not_use_the_processor() {
    let (_segment, _event, name) = segment("cost", Reset::Auto);
    let mut waiters = [Driver::new(&name), Driver::new(&name)];
    waiters.iter_mut().for_each(|waiter| waiter.start("idle 300"));
    waiters.iter_mut().for_each(|waiter| waiter.peer.expect("idle"));
    waiters.into_iter().for_each(|waiter| waiter.peer.join());
}

#[test]
fn a_killed_waiter_leaves_the_event_to_the_others() {
    for reset in [Reset::Manual, Reset::Auto] {
        let (_segment, event, name) = segment("killed", reset);
        let mut survivor = Driver::new(&name);
        for _ in 0..10 {
            let mut victims = [Driver::new(&name), Driver::new(&name)];
            victims[0].block("wait");
            survivor.block("wait");
            victims[1].block(LONG);
            victims.into_iter().for_each(|victim| victim.peer.kill());
            event.set().expect("set");
            survivor.peer.expect("passed");
            event.clear().expect("clear");
        }
        survivor.peer.join();
    }
}

#[test]
fn a_set_that_a_stopped_waiter_was_woken_for_is_not_lost() {
    let (_segment, event, name) = segment("stopped", Reset::Auto);
    let mut stopped = Driver::new(&name);
    let mut other = Driver::new(&name);
    stopped.block("wait");
    stopped.peer.signal(Signal::SIGSTOP);
    await_stop(stopped.thread);
    other.block("wait");
    event.set().expect("set");
    other.peer.expect("passed");
    stopped.peer.signal(Signal::SIGCONT);
    event.set().expect("set");
    stopped.peer.expect("passed");
    stopped.peer.join();
    other.peer.join();
}

#[test]
fn a_signal_handler_may_set() {
    for reset in [Reset::Manual, Reset::Auto] {
        let (_segment, event, name) = segment("handler", reset);
        let mut setter = Driver::new(&name);
        let mut waiter = Driver::new(&name);
        waiter.block("wait");
        setter.does("raise", "done");
        waiter.peer.expect("passed");
        event.clear().expect("clear");
        // In the waiter itself, while it sleeps.
        waiter.block("wait");
        waiter.peer.signal(Signal::SIGUSR1);
        waiter.peer.expect("passed");
        setter.peer.join();
        waiter.peer.join();
    }
}

#[test]
fn a_read_only_handle_can_only_look() {
    let (_segment, event, name) = segment("read-only", Reset::Manual);
    let reader = Segment::options().read_only(true).open(&name).expect("open");
    let seen: Event = reader.find("e").expect("find");
    assert!(!seen.is_set());
    event.set().expect("set");
    assert!(seen.is_set());
    assert_eq!(seen.set(), Err(LockError::ReadOnly));
    assert_eq!(seen.clear(), Err(LockError::ReadOnly));
    assert_eq!(seen.wait(), Err(LockError::ReadOnly));
    assert_eq!(seen.wait_timeout(Duration::ZERO), Err(LockError::ReadOnly));
}

#[test]
fn another_kind_or_reset_is_refused() {
    let (segment, _event, _name) = segment("kind", Reset::Manual);
    let text = segment.find::<Value<u32>>("e").unwrap_err().to_string();
    assert!(text.contains("Event") && text.contains("Value<u32>"), "{text}");
    let error = segment.event("e", Reset::Auto).unwrap_err();
    assert!(matches!(error, ObjectError::ShapeMismatch { what: "reset mode", .. }), "{error:?}");
    assert!(error.to_string().contains("reset mode"), "{error}");
}
