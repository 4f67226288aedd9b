//! Tasks that wait: no wake-up is lost between a task, the thread that waits for it, and who notifies;
//! and one that a task does not need goes to somebody else.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Wake, Waker};

use loom::thread::JoinHandle;

use super::atomic;
use super::run::{begin, model, process};
use crate::sync::reactor::{Group, Registration, Watch};
use crate::sync::wait_any::Wait;
use crate::{Event, LockError, Reset, Segment};

/// A task's waker, for a thread that plays the task.
struct Notify(loom::sync::Notify);

impl Wake for Notify {
    fn wake(self: Arc<Self>) {
        self.0.notify();
    }
}

/// What the thread that waits is told to end by: a task that is always ready.
struct Stop(Arc<AtomicBool>);

impl Wake for Stop {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

struct Always;

#[allow(private_interfaces)] // sealed
impl Wait for Always {
    fn is_ready(&self) -> Result<bool, LockError> {
        Ok(true)
    }

    fn is_for_all(&self) -> bool {
        true
    }
}

/// A thread that waits for tasks.
struct Reactor {
    group: Arc<Group>,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Reactor {
    fn start(group: &Arc<Group>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (seen, turning) = (Arc::clone(&stop), Arc::clone(group));
        let thread = process(1, move || {
            while !seen.load(Ordering::Relaxed) {
                turning.turn(&mut 0);
            }
        });
        Self { group: Arc::clone(group), stop, thread }
    }

    fn end(self) {
        let always: Watch = Arc::new(Always);
        let waker = Waker::from(Arc::new(Stop(self.stop)));
        let _told = Registration::within(&self.group, &always, &waker).expect("there is room");
        self.thread.join().expect("a thread");
    }
}

fn things() -> (Event, Arc<Group>) {
    let segment = Segment::anonymous().expect("a segment");
    let event = segment.event("event", Reset::Auto).expect("an event");
    let group = Arc::new(Group::of_words());
    begin(&segment);
    atomic::include(group.bell());
    (event, group)
}

/// A task that waits, and how it hears that it should try.
fn wait(event: &Event, group: &Arc<Group>) -> (Registration, Arc<Notify>) {
    let notify = Arc::new(Notify(loom::sync::Notify::new()));
    let watch: Watch = Arc::new(event.clone());
    let waker = Waker::from(Arc::clone(&notify));
    (Registration::within(group, &watch, &waker).expect("there is room"), notify)
}

/// As a future does, until it may go on.
fn await_event(event: &Event, group: &Arc<Group>) {
    while !event.try_pass() {
        let (registration, notify) = wait(event, group);
        notify.0.wait();
        let took = event.try_pass();
        registration.end(took);
        if took {
            return;
        }
    }
}

#[test]
fn a_task_that_comes_meanwhile_is_woken() {
    model(|| {
        let (event, group) = things();
        let reactor = Reactor::start(&group);
        let (signal, tasks) = (event.clone(), Arc::clone(&group));
        let task = process(2, move || await_event(&signal, &tasks));
        event.set().expect("set");
        task.join().expect("a task");
        reactor.end();
    });
}

#[test]
fn who_gives_up_in_its_turn_wakes_the_next() {
    model(|| {
        let (event, group) = things();
        let (first, told_first) = wait(&event, &group);
        let (second, told_second) = wait(&event, &group);
        let reactor = Reactor::start(&group);
        event.set().expect("set");
        told_first.0.wait();
        first.end(false);
        told_second.0.wait();
        assert!(event.try_pass(), "it was taken");
        second.end(true);
        reactor.end();
    });
}

#[test]
fn a_wake_up_that_no_task_needs_goes_to_another_process() {
    model(|| {
        let (event, group) = things();
        let (task, _told) = wait(&event, &group);
        let reactor = Reactor::start(&group);
        let signal = event.clone();
        let waiter = process(2, move || signal.wait().expect("wait"));
        event.set().expect("set");
        task.end(false);
        waiter.join().expect("a process");
        reactor.end();
    });
}
