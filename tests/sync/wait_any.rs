//! `wait_any`, `wait_some` and `Bridge`.
#![allow(unsafe_code)] // poll

use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use nix::libc;
use outlive::{
    Bridge, ChildProcess, Event, Latest, LockError, Mutex, Queue, Reset, Segment, Semaphore, Value,
    WaitError, Waitable, wait_any, wait_some,
};

use crate::observe::{await_sleep, idle, not_before, thread_id};
use crate::support::{Peer, await_death, listen, no_spawning, say, unique, watchdog};

/// One of each.
struct Things {
    _segment: Segment,
    name: String,
    event: Event,
    queue: Queue<u64>,
    mutex: Mutex<u64>,
    value: Value<u64>,
    latest: Latest<u64>,
    semaphore: Semaphore,
}

fn things(what: &str) -> Things {
    watchdog();
    let name = unique(what);
    let segment = Segment::options().capacity(64 << 10).create(&name).expect("create");
    open(segment, name)
}

fn open(segment: Segment, name: String) -> Things {
    Things {
        event: segment.event("e", Reset::Auto).expect("event"),
        queue: segment.queue("q", 2).expect("queue"),
        mutex: segment.mutex("m", 0).expect("mutex"),
        value: segment.value("v", 0).expect("value"),
        latest: segment.latest("l", 0).expect("latest"),
        semaphore: segment.bounded_semaphore("s", 2).expect("semaphore"),
        _segment: segment,
        name,
    }
}

const LONG: Option<Duration> = Some(Duration::from_secs(600));
const NOW: Option<Duration> = Some(Duration::ZERO);

/// The role: does to the things what it is told.
pub(crate) fn driver(arguments: &[String]) {
    let name = arguments[0].clone();
    let things = open(Segment::open(&name).expect("open"), name);
    let (mut held, mut permit) = (None, None);
    let since = things.latest.version();
    // A descriptor that nothing ever comes from.
    let (quiet, _other_end) = UnixStream::pair().expect("pair");
    say(&thread_id().to_string());
    while let Some(command) = listen() {
        say("going");
        let answer = match command.as_str() {
            "lock" => {
                held = Some(things.mutex.lock().expect("lock"));
                "done".to_owned()
            }
            "unlock" => {
                drop(held.take());
                "done".to_owned()
            }
            "acquire" => {
                permit = Some(things.semaphore.acquire_many(2).expect("acquire"));
                "done".to_owned()
            }
            "give back" => {
                drop(permit.take());
                "done".to_owned()
            }
            "wait permit" => {
                format!("{:?}", wait_any(&[&things.event, &things.semaphore], LONG))
            }
            "wait event" => {
                things.event.wait().expect("wait");
                "passed".to_owned()
            }
            "wait lock" => {
                drop(things.mutex.lock().expect("lock"));
                "passed".to_owned()
            }
            "wait all" | "wait all and a descriptor" => {
                let (readable, available) = (things.queue.readable(), things.mutex.available());
                let changed = things.latest.changed(since);
                let mut all: Vec<&dyn Waitable> =
                    vec![&things.event, &readable, &available, &changed];
                if command != "wait all" {
                    all.push(&quiet);
                }
                let ready = wait_some(&all, LONG).expect("wait");
                format!("{ready:?}")
            }
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
    fn new(things: &Things) -> Self {
        let mut peer = Peer::spawn("wait any", &[&things.name]);
        let thread = peer.hear().parse().expect("a thread id");
        Self { peer, thread }
    }

    fn block(&mut self, command: &str) {
        self.peer.tell(command);
        self.peer.expect("going");
        await_sleep(self.thread);
    }

    fn does(&mut self, command: &str, answer: &str) {
        self.peer.tell(command);
        self.peer.expect("going");
        self.peer.expect(answer);
    }
}

#[test]
fn what_is_ready_is_found_at_once_and_not_taken() {
    let things = things("ready");
    let Things { event, queue, mutex, value, latest, .. } = &things;
    let (readable, writable) = (queue.readable(), queue.writable());
    let (free, committed, changed) =
        (mutex.available(), value.available(), latest.changed(latest.version()));
    let all: [&dyn Waitable; 6] = [event, &readable, &changed, &writable, &free, &committed];
    assert_eq!(wait_some(&all, None), Ok(vec![3, 4, 5]));
    assert_eq!(wait_any(&all, None), Ok(Some(3)));
    queue.push(1).expect("push");
    queue.push(2).expect("push");
    latest.set(1).expect("set");
    event.set().expect("set");
    for _ in 0..2 {
        assert_eq!(wait_some(&all, None), Ok(vec![0, 1, 2, 4, 5]));
    }
    assert!(event.wait_timeout(Duration::ZERO).expect("wait"), "it was taken");
    assert_eq!(queue.drain().map(Result::unwrap).collect::<Vec<_>>(), [1, 2]);
    // A lock that this thread holds itself is not to be had.
    let guard = mutex.lock().expect("lock");
    assert_eq!(wait_some(&[&free], NOW), Ok(vec![]));
    drop(guard);
    queue.close().expect("close");
    assert_eq!(wait_some(&[&readable, &writable, &free], NOW), Ok(vec![0, 1, 2]));
}

#[test]
fn a_timeout_never_ends_early() {
    let things = things("timeout");
    let (quiet, _other_end) = UnixStream::pair().expect("pair");
    let readable = things.queue.readable();
    let sets: [&[&dyn Waitable]; 4] =
        [&[], &[&quiet], &[&things.event, &readable], &[&things.event, &quiet]];
    for set in sets {
        for millis in [0, 1, 50, 130] {
            let timeout = Duration::from_millis(millis);
            assert_eq!(not_before(timeout, || wait_any(set, Some(timeout))), Ok(None));
        }
    }
}

#[test]
fn waiting_does_not_use_the_processor() {
    let things = things("cost");
    // The first one to give up is not to disturb the others, nor they each other.
    let waiters =
        ["100", "300", "300"].map(|millis| Peer::spawn("wait any idle", &[&things.name, millis]));
    waiters.into_iter().for_each(Peer::join);
}

/// The role: waits in vain.
pub(crate) fn in_vain(arguments: &[String]) {
    let name = arguments[0].clone();
    let things = open(Segment::open(&name).expect("open"), name);
    let (quiet, _other_end) = UnixStream::pair().expect("pair");
    let readable = things.queue.readable();
    for set in [&[&things.event as &dyn Waitable, &readable][..], &[&things.event, &quiet]] {
        let timeout = Some(Duration::from_millis(arguments[1].parse().expect("a number")));
        let did = idle(|| assert_eq!(wait_any(set, timeout), Ok(None)));
        assert_eq!(did, "idle");
    }
}

#[test]
fn each_of_them_wakes() {
    let things = things("wakes");
    let mut holder = Driver::new(&things);
    for wait in ["wait all", "wait all and a descriptor"] {
        for index in 0..4 {
            // Its `since` is what the value is when it starts.
            let mut waiter = Driver::new(&things);
            holder.does("lock", "done");
            waiter.block(wait);
            match index {
                0 => things.event.set().expect("set"),
                1 => things.queue.push(1).expect("push"),
                2 => holder.does("unlock", "done"),
                _ => things.latest.set(1).expect("set"),
            }
            waiter.peer.expect(&format!("[{index}]"));
            if index != 2 {
                holder.does("unlock", "done");
            }
            things.event.clear().expect("clear");
            things.queue.drain().for_each(|message| assert_eq!(message, Ok(1)));
            waiter.peer.join();
        }
    }
}

#[test]
fn the_death_of_a_locks_holder_wakes() {
    let things = things("death");
    for wait in ["wait all", "wait all and a descriptor"] {
        for _ in 0..10 {
            let (mut holder, mut waiter) = (Driver::new(&things), Driver::new(&things));
            holder.does("lock", "done");
            waiter.block(wait);
            holder.peer.kill();
            waiter.peer.expect("[2]");
            let Err(LockError::OwnerDied(mut guard)) = things.mutex.try_lock() else {
                panic!("the death is not told")
            };
            guard.mark_consistent();
            waiter.peer.join();
        }
    }
}

#[test]
fn permits_wake_when_they_are_given_back_and_when_their_holder_dies() {
    let things = things("permits");
    assert_eq!(wait_any(&[&things.semaphore], NOW), Ok(Some(0)));
    for round in 0..10 {
        let (mut holder, mut waiter) = (Driver::new(&things), Driver::new(&things));
        holder.does("acquire", "done");
        assert_eq!(wait_any(&[&things.semaphore], NOW), Ok(None));
        waiter.block("wait permit");
        if round % 2 == 0 {
            holder.does("give back", "done");
        } else {
            holder.peer.kill();
        }
        waiter.peer.expect("Ok(Some(1))");
        assert_eq!(things.semaphore.available(), 2);
        waiter.peer.join();
    }
}

#[test]
fn every_lock_can_be_waited_for() {
    let things = things("locks");
    let segment = Segment::open(&things.name).expect("open");
    let counter = segment.counter("c").expect("counter");
    let array = segment.array("a", 3, 0_u8).expect("array");
    let reentrant = segment.reentrant_mutex("r", 0_u8).expect("mutex");
    let (count, elements, again) = (counter.available(), array.available(), reentrant.available());
    let all: [&dyn Waitable; 3] = [&count, &elements, &again];
    assert_eq!(wait_some(&all, NOW), Ok(vec![0, 1, 2]));
    let guard = array.lock().expect("lock");
    assert_eq!(wait_some(&all, NOW), Ok(vec![0, 2]));
    drop(guard);
}

#[test]
fn a_wake_up_that_is_not_used_is_passed_on() {
    let things = things("passed-on");
    let mut holder = Driver::new(&things);
    for _ in 0..10 {
        let mut drivers = [(); 3].map(|()| Driver::new(&things));
        holder.does("lock", "done");
        // The first ones of the queues do not take what they are woken for.
        drivers[0].block("wait all");
        drivers[1].block("wait event");
        drivers[2].block("wait lock");
        things.event.set().expect("set");
        drivers[1].peer.expect("passed");
        // It may have been too late for the first one.
        things.event.set().expect("set");
        drivers[0].peer.expect("[0]");
        things.event.clear().expect("clear");
        let mut first = Driver::new(&things);
        first.block("wait all");
        holder.does("unlock", "done");
        drivers[2].peer.expect("passed");
        first.peer.expect("[2]");
    }
}

#[test]
fn killed_waiters_leave_all_to_the_others() {
    let things = things("killed");
    let mut survivor = Driver::new(&things);
    for wait in ["wait all", "wait all and a descriptor"] {
        for _ in 0..10 {
            let guard = things.mutex.lock().expect("lock");
            let mut victims = [(); 2].map(|()| Driver::new(&things));
            victims[0].block(wait);
            survivor.block("wait all");
            victims[1].block(wait);
            victims.into_iter().for_each(|victim| victim.peer.kill());
            drop(guard);
            survivor.peer.expect("[2]");
            drop(things.mutex.try_lock().expect("nobody held it at his death"));
        }
    }
}

fn child(program: &str) -> Child {
    let _quiet = no_spawning();
    Command::new(program).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("spawn")
}

#[test]
fn children_that_exit_or_are_killed_wake() {
    let things = things("children");
    let (mut exits, mut killed) = (child("cat"), child("cat"));
    let first = ChildProcess::new(&exits).expect("a pidfd");
    let second = ChildProcess::from_pid(killed.id()).expect("a pidfd");
    let all: [&dyn Waitable; 3] = [&things.event, &first, &second];
    assert_eq!(wait_any(&all, NOW), Ok(None));
    drop(exits.stdin.take());
    assert_eq!(wait_any(&all, None), Ok(Some(1)));
    assert_eq!(wait_any(&[&second], NOW), Ok(None));
    killed.kill().expect("kill");
    assert_eq!(wait_any(&[&things.event, &second], None), Ok(Some(1)));
    assert!(exits.wait().expect("wait").success());
    assert!(!killed.wait().expect("wait").success());
    assert_eq!(wait_some(&all, NOW), Ok(vec![1, 2]), "they have ended, waited for or not");
    assert!(ChildProcess::new(&exits).is_err(), "there is no such process any more");
}

#[test]
fn descriptors_wake_when_there_is_something_to_read_or_nobody_to_write() {
    let things = things("descriptors");
    let (mut here, mut there) = UnixStream::pair().expect("pair");
    // Alone and beside a word; a byte that somebody else takes is one to wait for anew.
    for _ in 0..5 {
        let (here, event) = (&here, &things.event);
        thread::scope(|scope| {
            let alone = scope.spawn(move || wait_any(&[here], LONG));
            let beside = scope.spawn(move || wait_any(&[event, here], LONG));
            there.write_all(b"x").expect("write");
            assert_eq!(alone.join().expect("join"), Ok(Some(0)));
            assert_eq!(beside.join().expect("join"), Ok(Some(1)));
        });
        let mut byte = [0];
        (&*here).read_exact(&mut byte).expect("read");
        assert_eq!(wait_any(&[event, here], NOW), Ok(None));
    }
    drop(there);
    assert_eq!(wait_any(&[&things.event, &here], None), Ok(Some(1)));
    assert_eq!(here.read(&mut [0]).expect("read"), 0);
}

#[test]
fn what_cannot_be_waited_for_is_an_error() {
    let things = things("errors");
    assert_eq!(wait_any(&[], None), Err(WaitError::Nothing));
    assert!(matches!(Bridge::new(Vec::new()), Err(WaitError::Nothing)));
    let available = things.mutex.available();
    let guard = things.mutex.lock().expect("lock");
    let many = |count| vec![&available as &dyn Waitable; count];
    assert_eq!(wait_any(&many(63), Some(Duration::from_millis(1))), Ok(None));
    let error = wait_any(&many(64), None).unwrap_err();
    assert_eq!(error, WaitError::TooMany { count: 128, limit: 127 });
    assert!(error.to_string().contains("127"), "{error}");
    drop(guard);
    let reader = Segment::options().read_only(true).open(&things.name).expect("open");
    let seen: Event = reader.find("e").expect("find");
    let read_only = Err(WaitError::Lock(LockError::ReadOnly));
    assert_eq!(wait_any(&[&things.event, &seen], LONG), read_only);
    let seen: Queue<u64> = reader.find("q").expect("find");
    assert_eq!(wait_any(&[&seen.readable()], LONG), read_only);
    let seen: Mutex<u64> = reader.find("m").expect("find");
    assert_eq!(wait_any(&[&seen.available()], LONG), read_only);
}

/// poll(2) on a bridge: whether it is readable within so many milliseconds.
fn polled(bridge: &Bridge, milliseconds: i32) -> bool {
    let fd = bridge.as_fd().as_raw_fd();
    let mut asked = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
    // SAFETY: one pollfd, which lives through the call.
    let found = unsafe { libc::poll(&raw mut asked, 1, milliseconds) };
    assert!(found >= 0, "{}", std::io::Error::last_os_error());
    found == 1
}

const FOREVER: i32 = -1;

#[test]
fn a_bridge_becomes_readable_once_for_each_time_that_it_is_armed() {
    let things = things("bridge");
    let (queue, event) = (things.queue.clone(), things.event.clone());
    let bridge =
        Bridge::new(vec![Box::new(event.clone()), Box::new(queue.readable())]).expect("a bridge");
    for round in 0..20 {
        assert!(!polled(&bridge, 0));
        assert_eq!(bridge.ready(), [0; 0]);
        bridge.rearm().expect("without effect");
        queue.push(round).expect("push");
        assert!(polled(&bridge, FOREVER));
        assert!(polled(&bridge, FOREVER), "until it is armed anew");
        assert_eq!(bridge.ready(), [1]);
        assert_eq!(queue.try_pop(), Ok(round));
        bridge.rearm().expect("rearm");
    }
    // What was not dealt with is there again.
    event.set().expect("set");
    assert!(polled(&bridge, FOREVER));
    bridge.rearm().expect("rearm");
    assert!(polled(&bridge, FOREVER));
    assert_eq!(bridge.ready(), [0]);
    drop(bridge);
    assert!(event.is_set(), "a bridge takes nothing");
}

#[test]
fn a_bridge_tells_of_a_death() {
    let things = things("bridge-death");
    let mut holder = Driver::new(&things);
    holder.does("lock", "done");
    let (quiet, _other_end) = UnixStream::pair().expect("pair");
    let bridge =
        Bridge::new(vec![Box::new(quiet), Box::new(things.mutex.available())]).expect("a bridge");
    assert!(!polled(&bridge, 0));
    holder.peer.kill();
    assert!(polled(&bridge, FOREVER));
    assert_eq!(bridge.ready(), [1]);
    assert!(matches!(things.mutex.try_lock(), Err(LockError::OwnerDied(_))));
}

#[test]
fn a_dropped_bridge_ends_whatever_it_waits_for() {
    let things = things("bridge-drop");
    let (quiet, _other_end) = UnixStream::pair().expect("pair");
    for _ in 0..20 {
        drop(Bridge::new(vec![Box::new(things.event.clone())]).expect("a bridge"));
        let quiet = quiet.try_clone().expect("dup");
        let both: Vec<Box<dyn Waitable + Send + Sync>> =
            vec![Box::new(things.event.clone()), Box::new(quiet)];
        drop(Bridge::new(both).expect("a bridge"));
    }
}

/// The role: a bridge in a process that is killed.
pub(crate) fn bridge(arguments: &[String]) {
    let name = arguments[0].clone();
    let things = open(Segment::open(&name).expect("open"), name);
    let bridge = Bridge::new(vec![Box::new(things.event.clone())]).expect("a bridge");
    say("bridged");
    await_death_of(&bridge);
}

fn await_death_of(bridge: &Bridge) -> ! {
    assert!(!polled(bridge, 0));
    await_death()
}

#[test]
fn a_killed_process_with_a_bridge_leaves_all_to_the_others() {
    let things = things("bridge-killed");
    let mut survivor = Driver::new(&things);
    for _ in 0..5 {
        let mut victim = Peer::spawn("wait any bridge", &[&things.name]);
        victim.expect("bridged");
        survivor.block("wait event");
        victim.kill();
        things.event.set().expect("set");
        survivor.peer.expect("passed");
    }
}
