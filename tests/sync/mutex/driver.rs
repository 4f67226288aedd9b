//! A process that uses one mutex as its parent tells it to.

use std::thread;
use std::time::Duration;

use nix::sys::signal::Signal;
use outlive::{LockError, Mutex, MutexGuard, Segment};

use crate::observe::{await_sleep, await_stop, idle, thread_id};
use crate::support::{Peer, listen, say, unique};

/// Equal unless somebody was interrupted between two of them.
pub(crate) type Words = [u64; 4];

/// Larger than any test takes.
pub(crate) const LONG: &str = "600000";

/// A segment with a mutex `m`, and its name.
pub(crate) fn segment(what: &str) -> (Segment, Mutex<Words>, String) {
    let name = unique(what);
    let segment = Segment::options().capacity(64 << 10).create(&name).expect("create");
    let mutex = segment.mutex("m", [0; 4]).expect("mutex");
    (segment, mutex, name)
}

type Held = Option<MutexGuard<'static, Words>>;
type Outcome = Result<MutexGuard<'static, Words>, LockError<MutexGuard<'static, Words>>>;

/// Keeps the guard, whatever it comes with, and says how it came.
fn keep(outcome: Outcome, held: &mut Held) -> String {
    match outcome {
        Ok(guard) => {
            *held = Some(guard);
            "ok".to_owned()
        }
        Err(LockError::OwnerDied(guard)) => {
            assert!(guard.is_inconsistent());
            *held = Some(guard);
            "OwnerDied".to_owned()
        }
        Err(other) => format!("{other:?}"),
    }
}

/// The role.
pub(crate) fn run(arguments: &[String]) {
    let segment = Segment::open(&arguments[0]).expect("open");
    let mutex: &'static Mutex<Words> = Box::leak(Box::new(segment.find("m").expect("find")));
    let mut held: Held = None;
    say(&thread_id().to_string());
    while let Some(line) = listen() {
        let (command, number) = line.split_once(' ').unwrap_or((&line, "0"));
        let number: u64 = number.parse().expect("a number");
        say("going");
        let answer = match command {
            "lock" => keep(mutex.lock(), &mut held),
            "try" => keep(mutex.try_lock(), &mut held),
            "timeout" => keep(mutex.lock_timeout(Duration::from_millis(number)), &mut held),
            "unlock" => done(|| drop(held.take())),
            "forget" => done(|| std::mem::forget(held.take())),
            "mark" => done(|| held.as_mut().expect("held").mark_consistent()),
            "set" => done(|| **held.as_mut().expect("held") = [number; 4]),
            // As if interrupted in the middle of `set`.
            "half" => done(|| held.as_mut().expect("held")[..2].fill(number)),
            "idle" => idle(|| {
                let timeout = Duration::from_millis(number);
                assert!(matches!(mutex.lock_timeout(timeout), Err(LockError::TimedOut { .. })));
            }),
            "forget-in-thread" => {
                let lock = || std::mem::forget(mutex.lock().expect("lock"));
                done(|| thread::spawn(lock).join().expect("join"))
            }
            other => panic!("no command {other:?}"),
        };
        say(&answer);
    }
}

fn done(act: impl FnOnce()) -> String {
    act();
    "done".to_owned()
}

/// The parent's end.
pub(crate) struct Driver {
    peer: Peer,
    thread: u32,
}

impl Driver {
    pub(crate) fn new(segment: &str) -> Self {
        let mut peer = Peer::spawn("mutex", &[segment]);
        let thread = peer.hear().parse().expect("a thread id");
        Self { peer, thread }
    }

    /// Has a command started that may block; its answer is [heard](Self::hear) later.
    pub(crate) fn start(&mut self, command: &str) {
        self.peer.tell(command);
        self.peer.expect("going");
    }

    /// Has a command started that has to block, and waits until it does.
    pub(crate) fn block(&mut self, command: &str) {
        self.start(command);
        await_sleep(self.thread);
    }

    pub(crate) fn hear(&mut self) -> String {
        self.peer.hear()
    }

    #[track_caller]
    pub(crate) fn expect(&mut self, answer: &str) {
        assert_eq!(self.hear(), answer);
    }

    /// Has a command done and checks its answer.
    #[track_caller]
    pub(crate) fn does(&mut self, command: &str, answer: &str) {
        self.start(command);
        assert_eq!(self.hear(), answer, "{command}");
    }

    pub(crate) fn kill(self) {
        self.peer.kill();
    }

    pub(crate) fn stop(&self) {
        self.peer.signal(Signal::SIGSTOP);
        await_stop(self.thread);
    }

    pub(crate) fn go_on(&self) {
        self.peer.signal(Signal::SIGCONT);
    }

    pub(crate) fn join(self) {
        self.peer.join();
    }
}
