//! `with_waiting`: whichever way a handle waits, it gets what it waits for.

use std::time::Duration;

use outlive::{
    Event, LockError, Mutex, PopError, PushError, Queue, Reset, Segment, Value, Waiting,
};

use crate::observe::{await_sleep, not_before, thread_id};
use crate::support::{Peer, listen, say, unique};

const EVERY: [Waiting; 4] = [Waiting::Spin, Waiting::Yield, Waiting::Park, Waiting::Adaptive];

/// Equal unless two were at it at a time.
type Words = [u64; 4];

/// The objects of a segment, all of which wait in the same way.
struct Objects {
    mutex: Mutex<Words>,
    value: Value<u64>,
    /// For what goes to the peer, and for what comes back.
    there: Event,
    back: Event,
    queue: Queue<u64>,
}

const CAPACITY: usize = 2;

impl Objects {
    fn of(segment: &Segment, waiting: Waiting) -> Self {
        let event = |name| segment.event(name, Reset::Auto).expect("event").with_waiting(waiting);
        Self {
            mutex: segment.mutex("m", [0; 4]).expect("mutex").with_waiting(waiting),
            value: segment.value("v", 0).expect("value").with_waiting(waiting),
            there: event("there"),
            back: event("back"),
            queue: segment.queue("q", CAPACITY).expect("queue").with_waiting(waiting),
        }
    }
}

fn segment(what: &str, waiting: Waiting) -> (Segment, Objects, String) {
    let name = unique(what);
    let segment = Segment::options().capacity(64 << 10).create(&name).expect("create");
    let objects = Objects::of(&segment, waiting);
    (segment, objects, name)
}

fn named(name: &str) -> Waiting {
    let found = EVERY.into_iter().find(|waiting| format!("{waiting:?}") == name);
    found.unwrap_or_else(|| panic!("no way of waiting {name:?}"))
}

/// The role: uses the objects as it is told.
pub(crate) fn driver(arguments: &[String]) {
    let segment = Segment::open(&arguments[0]).expect("open");
    let objects = Objects::of(&segment, named(&arguments[1]));
    say(&thread_id().to_string());
    while let Some(line) = listen() {
        let (command, number) = line.split_once(' ').unwrap_or((&line, "0"));
        let number: u64 = number.parse().expect("a number");
        say("going");
        match command {
            "hold" => std::mem::forget(objects.mutex.lock().expect("lock")),
            "lock" => say(&outcome(&objects.mutex)),
            "count" => (0..number).for_each(|_| count(&objects.mutex)),
            "echo" => (0..number).for_each(|_| {
                objects.there.wait().expect("wait");
                objects.back.set().expect("set");
            }),
            "send" => (0..number).for_each(|n| objects.queue.push(n).expect("push")),
            "wait" => objects.there.wait().expect("wait"),
            "pop" => assert_eq!(objects.queue.pop(), Ok(number)),
            other => panic!("no command {other:?}"),
        }
        say("done");
    }
}

/// Locks, mends if there is reason to, and unlocks; how it came by the lock.
fn outcome(mutex: &Mutex<Words>) -> String {
    match mutex.lock() {
        Ok(_) => "ok".to_owned(),
        Err(LockError::OwnerDied(mut guard)) => {
            guard.mark_consistent();
            "OwnerDied".to_owned()
        }
        Err(other) => format!("{other:?}"),
    }
}

/// Adds to each word in steps that others would see, were they let in.
fn count(mutex: &Mutex<Words>) {
    let mut words = mutex.lock().expect("lock");
    let seen = words[0];
    assert!(words.iter().all(|word| *word == seen), "torn: {words:?}");
    for word in words.iter_mut() {
        *word = std::hint::black_box(*word) + 1;
    }
}

/// The parent's end.
struct Driver {
    peer: Peer,
    thread: u32,
}

impl Driver {
    fn new(segment: &str, waiting: Waiting) -> Self {
        let mut peer = Peer::spawn("waiting", &[segment, &format!("{waiting:?}")]);
        let thread = peer.hear().parse().expect("a thread id");
        Self { peer, thread }
    }

    fn start(&mut self, command: &str) {
        self.peer.tell(command);
        self.peer.expect("going");
    }

    fn does(&mut self, command: &str) {
        self.start(command);
        self.peer.expect("done");
    }

    /// Has `lock` started, and returns when it waits for who holds the mutex.
    fn waits_for_the_lock(&mut self, mutex: &Mutex<Words>) {
        self.start("lock");
        // Whoever waits notes the holder, in whichever way it waits.
        while mutex.holder().expect("held").since.is_none() {
            std::thread::yield_now();
        }
    }
}

const PROCESSES: usize = 4;
const ROUNDS: u64 = 2_000;

/// `PROCESSES` that count, each in its own way.
fn count_together(ways: [Waiting; PROCESSES]) {
    let (_segment, objects, name) = segment("count", Waiting::Adaptive);
    let mut drivers = ways.map(|waiting| Driver::new(&name, waiting));
    for driver in &mut drivers {
        driver.start(&format!("count {ROUNDS}"));
    }
    for driver in &mut drivers {
        driver.peer.expect("done");
    }
    let words = *objects.mutex.lock().expect("nobody died");
    assert_eq!(words, [PROCESSES as u64 * ROUNDS; 4], "{ways:?}");
    drivers.into_iter().for_each(|driver| driver.peer.join());
}

#[test]
fn a_contended_counter_is_right() {
    for waiting in EVERY {
        count_together([waiting; PROCESSES]);
    }
}

#[test]
fn processes_that_wait_differently_share_a_lock() {
    count_together(EVERY);
}

#[test]
fn a_killed_holder_is_noticed_by_who_waits() {
    for waiting in EVERY {
        let (_segment, objects, name) = segment("killed", Waiting::Adaptive);
        let mut waiter = Driver::new(&name, waiting);
        for _ in 0..3 {
            let mut victim = Driver::new(&name, waiting);
            victim.does("hold");
            waiter.waits_for_the_lock(&objects.mutex);
            victim.peer.kill();
            waiter.peer.expect("OwnerDied");
            waiter.peer.expect("done");
            drop(objects.mutex.try_lock().expect("free and consistent"));
        }
        waiter.peer.join();
    }
}

#[test]
fn a_death_that_the_kernel_does_not_report_is_noticed_too() {
    for waiting in EVERY {
        let (_segment, objects, name) = segment("exec", Waiting::Adaptive);
        let mut waiter = Driver::new(&name, waiting);
        let mut peer = Peer::spawn("mutex exec", &[&name, "other"]);
        peer.expect("held");
        waiter.waits_for_the_lock(&objects.mutex);
        peer.tell("go");
        waiter.peer.expect("OwnerDied");
        waiter.peer.expect("done");
        peer.join();
        drop(objects.mutex.try_lock().expect("free and consistent"));
        waiter.peer.join();
    }
}

#[test]
fn a_lock_given_up_for_good_is_noticed_by_who_waits() {
    for waiting in EVERY {
        let (_segment, objects, name) = segment("closed", Waiting::Adaptive);
        let mut victim = Driver::new(&name, waiting);
        victim.does("hold");
        victim.peer.kill();
        let Err(LockError::OwnerDied(guard)) = objects.mutex.lock() else {
            panic!("expected OwnerDied")
        };
        let mut waiter = Driver::new(&name, waiting);
        waiter.waits_for_the_lock(&objects.mutex);
        drop(guard);
        waiter.peer.expect("NotRecoverable");
        waiter.peer.expect("done");
        waiter.peer.join();
    }
}

#[test]
fn timeouts_end_and_never_early() {
    for waiting in EVERY {
        let (segment, objects, name) = segment("timeout", waiting);
        let mut holder = Driver::new(&name, waiting);
        holder.does("hold");
        let held = Value::with_waiting(segment.value("held", 0_u64).expect("value"), waiting);
        std::thread::scope(|scope| {
            let (locked, known) = std::sync::mpsc::channel();
            let (end, ended) = std::sync::mpsc::channel::<()>();
            let keep = held.clone();
            scope.spawn(move || {
                let _guard = keep.lock().expect("lock");
                locked.send(()).expect("send");
                let _ended = ended.recv();
            });
            known.recv().expect("receive");
            for millis in [0, 1, 50, 130] {
                let timeout = Duration::from_millis(millis);
                let locked = not_before(timeout, || objects.mutex.lock_timeout(timeout).map(drop));
                assert!(matches!(locked, Err(LockError::TimedOut { .. })), "{waiting:?}");
                let locked = not_before(timeout, || held.lock_timeout(timeout).map(drop));
                assert!(matches!(locked, Err(LockError::TimedOut { .. })), "{waiting:?}");
            }
            drop(end);
        });
        for millis in [0, 1, 50, 130] {
            let timeout = Duration::from_millis(millis);
            assert_eq!(not_before(timeout, || objects.there.wait_timeout(timeout)), Ok(false));
            let popped = not_before(timeout, || objects.queue.pop_timeout(timeout));
            assert_eq!(popped, Err(PopError::TimedOut), "{waiting:?}");
        }
        (0..CAPACITY as u64).for_each(|n| objects.queue.push(n).expect("push"));
        for millis in [0, 1, 50, 130] {
            let timeout = Duration::from_millis(millis);
            let pushed = not_before(timeout, || objects.queue.push_timeout(9, timeout));
            assert_eq!(pushed, Err(PushError::TimedOut(9)), "{waiting:?}");
        }
        holder.peer.join();
    }
}

#[test]
fn what_is_there_needs_no_time() {
    for waiting in EVERY {
        let (_segment, objects, _name) = segment("no-time", waiting);
        for timeout in [Duration::ZERO, Duration::MAX] {
            drop(objects.mutex.lock_timeout(timeout).expect("free"));
            drop(objects.value.lock_timeout(timeout).expect("free"));
            objects.there.set().expect("set");
            assert_eq!(objects.there.wait_timeout(timeout), Ok(true));
            objects.queue.push_timeout(1, timeout).expect("there is room");
            assert_eq!(objects.queue.pop_timeout(timeout), Ok(1));
        }
    }
}

#[test]
fn two_events_hand_over_each_round() {
    for waiting in EVERY {
        let (_segment, objects, name) = segment("events", waiting);
        let mut peer = Driver::new(&name, waiting);
        peer.start(&format!("echo {ROUNDS}"));
        for _ in 0..ROUNDS {
            objects.there.set().expect("set");
            objects.back.wait().expect("wait");
        }
        peer.peer.expect("done");
        assert!(!objects.there.is_set() && !objects.back.is_set());
        peer.peer.join();
    }
}

#[test]
fn a_queue_that_is_full_or_empty_most_of_the_time_loses_nothing() {
    for waiting in EVERY {
        let (_segment, objects, name) = segment("queue", waiting);
        let mut peer = Driver::new(&name, waiting);
        peer.start(&format!("send {ROUNDS}"));
        for expected in 0..ROUNDS {
            assert_eq!(objects.queue.pop(), Ok(expected), "{waiting:?}");
        }
        peer.peer.expect("done");
        assert!(objects.queue.is_empty());
        peer.peer.join();
    }
}

#[test]
fn close_reaches_who_waits() {
    for waiting in EVERY {
        let (_segment, objects, _name) = segment("close", waiting);
        (0..CAPACITY as u64).for_each(|n| objects.queue.push(n).expect("push"));
        std::thread::scope(|scope| {
            let pushing = scope.spawn(|| objects.queue.push(9));
            objects.queue.close().expect("close");
            assert_eq!(pushing.join().expect("join"), Err(PushError::Closed(9)));
        });
        assert_eq!(objects.queue.drain().count(), CAPACITY);
        assert_eq!(objects.queue.pop(), Err(PopError::Closed));
    }
}

#[test]
fn who_parks_or_adapts_sleeps() {
    for waiting in [Waiting::Park, Waiting::Adaptive] {
        let (_segment, objects, name) = segment("sleeps", Waiting::Adaptive);
        let mut waiter = Driver::new(&name, waiting);
        let guard = objects.mutex.lock().expect("lock");
        waiter.start("lock");
        await_sleep(waiter.thread);
        drop(guard);
        waiter.peer.expect("ok");
        waiter.peer.expect("done");
        waiter.start("wait");
        await_sleep(waiter.thread);
        objects.there.set().expect("set");
        waiter.peer.expect("done");
        waiter.start("pop 5");
        await_sleep(waiter.thread);
        objects.queue.push(5).expect("push");
        waiter.peer.expect("done");
        waiter.peer.join();
    }
}

#[test]
fn who_spins_or_yields_never_sleeps() {
    for waiting in [Waiting::Spin, Waiting::Yield] {
        let (_segment, objects, name) = segment("awake", Waiting::Adaptive);
        let mut waiter = Driver::new(&name, waiting);
        let guard = objects.mutex.lock().expect("lock");
        waiter.start("lock");
        // It notes the holder once it has looked for a while; and then for a while longer.
        let seen = || objects.mutex.holder().expect("held").since.unwrap_or_default();
        while seen() < Duration::from_millis(50) {
            assert_ne!(state(waiter.thread), 'S', "{waiting:?}");
        }
        drop(guard);
        waiter.peer.expect("ok");
        waiter.peer.expect("done");
        waiter.peer.join();
    }
}

/// The letter that proc(5) gives a thread's state.
fn state(thread: u32) -> char {
    let stat = std::fs::read_to_string(format!("/proc/{thread}/stat")).expect("it lives");
    // The name, in parentheses, may hold anything.
    let (_, rest) = stat.rsplit_once(')').expect("a name");
    rest.trim_start().chars().next().expect("a state")
}
