//! `holder`: who has a lock, for people who look for a deadlock.

use std::time::{Duration, Instant};

use outlive::{
    Array, Counter, Holder, LockError, Mutex, ReentrantMutex, RwLock, Segment, Value, Waiting,
};

use crate::observe::thread_id;
use crate::support::{Peer, listen, say, unique};

/// What a process may call itself, see proc_pid_comm(5).
const COMMAND: &str = "it (holds) it";
/// How far the clock that waiters read may be behind.
const TICK: Duration = Duration::from_millis(12);

/// One of everything that is locked by a guard and tells who holds it.
struct Locks {
    mutex: Mutex<u64>,
    reentrant: ReentrantMutex<u64>,
    /// As a writer: readers are many.
    rwlock: RwLock<u64>,
    value: Value<u64>,
    counter: Counter,
    array: Array<u64>,
}

const LOCKS: usize = 6;
const NOBODY: [Option<Holder>; LOCKS] = [const { None }; LOCKS];

impl Locks {
    fn of(segment: &Segment) -> Self {
        Self {
            mutex: segment.mutex("m", 0).expect("mutex"),
            reentrant: segment.reentrant_mutex("r", 0).expect("reentrant mutex"),
            rwlock: segment.rwlock("w", 0).expect("rwlock"),
            value: segment.value("v", 0).expect("value"),
            counter: segment.counter("c").expect("counter"),
            array: segment.array("a", 3, 0).expect("array"),
        }
    }

    fn holders(&self) -> [Option<Holder>; LOCKS] {
        [
            self.mutex.holder(),
            self.reentrant.holder(),
            self.rwlock.holder(),
            self.value.holder(),
            self.counter.holder(),
            self.array.holder(),
        ]
    }

    /// What each says after having waited in vain.
    fn errors(&self, timeout: Duration) -> [LockError; LOCKS] {
        const HELD: &str = "held";
        [
            self.mutex.lock_timeout(timeout).expect_err(HELD).into_guard().expect_err(HELD),
            self.reentrant.lock_timeout(timeout).expect_err(HELD).into_guard().expect_err(HELD),
            self.rwlock.read_timeout(timeout).expect_err(HELD).into_guard().expect_err(HELD),
            self.value.lock_timeout(timeout).expect_err(HELD),
            self.counter.lock_timeout(timeout).expect_err(HELD),
            self.array.lock_timeout(timeout).expect_err(HELD),
        ]
    }

    /// With all of them locked by this thread.
    fn while_held(&self, act: impl FnOnce()) {
        let _mutex = self.mutex.lock().or_else(LockError::recover).expect("lock");
        let _reentrant = self.reentrant.lock().or_else(LockError::recover).expect("lock");
        let _rwlock = self.rwlock.write().or_else(LockError::recover).expect("lock");
        let _value = self.value.lock().expect("lock");
        let _counter = self.counter.lock().expect("lock");
        let _array = self.array.lock().expect("lock");
        act();
    }
}

fn segment(what: &str) -> (Segment, Locks, String) {
    let name = unique(what);
    let segment = Segment::options().capacity(64 << 10).create(&name).expect("create");
    let locks = Locks::of(&segment);
    (segment, locks, name)
}

/// The role: holds everything between `hold` and `release`; answers with its thread's id.
pub(crate) fn hold(arguments: &[String]) {
    std::fs::write("/proc/self/comm", COMMAND).expect("a new name");
    let locks = Locks::of(&Segment::open(&arguments[0]).expect("open"));
    say(&thread_id().to_string());
    while let Some(command) = listen() {
        assert_eq!(command, "hold");
        locks.while_held(|| {
            say("held");
            assert_eq!(listen().as_deref(), Some("release"));
        });
        say("released");
    }
}

struct Holding {
    peer: Peer,
    thread: u32,
}

impl Holding {
    fn new(segment: &str) -> Self {
        let mut peer = Peer::spawn("holder", &[segment]);
        let thread = peer.hear().parse().expect("a thread id");
        let mut this = Self { peer, thread };
        this.hold();
        this
    }

    fn hold(&mut self) {
        self.peer.tell("hold");
        self.peer.expect("held");
    }

    fn release(&mut self) {
        self.peer.tell("release");
        self.peer.expect("released");
    }

    fn assert_is(&self, holder: &Holder) {
        assert_eq!(holder.thread_id, self.thread);
        assert_eq!(holder.process_id, Some(self.peer.pid()));
        assert_eq!(holder.command.as_deref(), Some(COMMAND));
    }
}

#[test]
fn nobody_holds_a_free_lock() {
    let (_segment, locks, name) = segment("free");
    assert_eq!(locks.holders(), NOBODY);
    locks.while_held(|| {});
    assert_eq!(locks.holders(), NOBODY);
    let mut holding = Holding::new(&name);
    holding.release();
    assert_eq!(locks.holders(), NOBODY);
    drop(holding);
}

#[test]
fn thread_process_and_command_are_those_of_the_holder() {
    let (_segment, locks, name) = segment("named");
    let holding = Holding::new(&name);
    for holder in locks.holders() {
        let holder = holder.expect("held");
        holding.assert_is(&holder);
        assert_eq!(holder.since, None, "nobody had to wait yet");
    }
    drop(holding);
    locks.while_held(|| {
        for holder in locks.holders() {
            let holder = holder.expect("held");
            assert_eq!(holder.thread_id, thread_id());
            assert_eq!(holder.process_id, Some(std::process::id()));
        }
    });
}

#[test]
fn since_is_there_once_somebody_had_to_wait() {
    let (_segment, locks, name) = segment("since");
    let start = Instant::now();
    let mut holding = Holding::new(&name);
    let waited = Duration::from_millis(60);
    locks.errors(waited);
    let first = locks.holders().map(|holder| holder.expect("held").since.expect("noted"));
    for since in first {
        assert!(since + TICK >= waited, "{since:?}, but somebody waited for {waited:?}");
        assert!(since <= start.elapsed() + TICK, "{since:?} is longer than it can be");
    }
    // The first one to wait counts, not the last one.
    locks.errors(waited);
    let second = locks.holders().map(|holder| holder.expect("held").since.expect("noted"));
    for (first, second) in std::iter::zip(first, second) {
        assert!(second + TICK >= first + waited, "{second:?} after {first:?}");
    }
    // The next one is another one, of whom nobody knows how long.
    holding.release();
    locks.while_held(|| {
        for holder in locks.holders() {
            assert_eq!(holder.expect("held").since, None);
        }
    });
    // Even if it is the same one again.
    holding.hold();
    for holder in locks.holders() {
        assert_eq!(holder.expect("held").since, None);
    }
    holding.release();
    holding.peer.join();
}

#[test]
fn the_text_of_a_timeout_names_the_holder() {
    let (_segment, locks, name) = segment("text");
    let holding = Holding::new(&name);
    for error in locks.errors(Duration::from_millis(5)) {
        let text = error.to_string();
        let LockError::TimedOut { holder: Some(holder) } = error else { panic!("{error:?}") };
        holding.assert_is(&holder);
        assert!(holder.since.is_some(), "this thread had to wait");
        for part in [
            format!("process {}", holding.peer.pid()),
            COMMAND.to_owned(),
            format!("thread {}", holding.thread),
            "for at least".to_owned(),
        ] {
            assert!(text.contains(&part), "{part:?} is not in {text:?}");
        }
    }
}

#[test]
fn a_dead_holder_holds_nothing() {
    let (_segment, locks, name) = segment("dead");
    let holding = Holding::new(&name);
    locks.errors(Duration::from_millis(1));
    holding.peer.kill();
    assert_eq!(locks.holders(), NOBODY);
    let Err(LockError::OwnerDied(guard)) = locks.mutex.lock() else { panic!("expected OwnerDied") };
    // Not the dead one, and not for as long as that one.
    let holder = locks.mutex.holder().expect("held");
    assert_eq!((holder.thread_id, holder.since), (thread_id(), None));
    drop(guard);
    assert!(matches!(locks.mutex.try_lock(), Err(LockError::NotRecoverable)));
    assert_eq!(locks.mutex.holder(), None, "given up for good");
    drop(locks.value.lock().expect("nothing to mend"));
    assert_eq!(locks.value.holder(), None);
}

#[test]
fn a_thread_that_ended_unseen_is_named_without_a_process() {
    let name = unique("unseen");
    let segment = Segment::options().capacity(64 << 10).create(&name).expect("create");
    let mutex = segment.mutex("m", [0_u64; 4]).expect("mutex");
    let mut peer = Peer::spawn("mutex exec", &[&name, "other"]);
    peer.expect("held");
    let alive = mutex.holder().expect("held");
    assert_eq!(alive.process_id, Some(peer.pid()));
    peer.tell("go");
    peer.join();
    // exec by a thread that was not the first one: the kernel does not mark its locks.
    let dead = mutex.holder().expect("nobody has found out yet");
    assert_eq!((dead.thread_id, dead.process_id), (alive.thread_id, None));
    assert_eq!(dead.to_string(), format!("thread {}", alive.thread_id));
    mutex.lock().or_else(LockError::recover).map(drop).expect("whoever waits finds out");
    assert_eq!(mutex.holder(), None);
}
#[test]
fn since_is_of_this_time_only_however_others_waited() {
    for waiting in [Waiting::Spin, Waiting::Yield, Waiting::Park, Waiting::Adaptive] {
        let (_segment, mut locks, name) = segment("since-again");
        locks.mutex = locks.mutex.with_waiting(waiting);
        let mut holding = Holding::new(&name);
        // Long enough for those who never sleep to note the holder.
        while locks.mutex.holder().expect("held").since.is_none() {
            locks.mutex.lock_timeout(Duration::from_millis(150)).map(drop).expect_err("held");
        }
        holding.release();
        holding.hold();
        assert_eq!(locks.mutex.holder().expect("held").since, None, "{waiting:?}");
        holding.release();
        holding.peer.join();
    }
}
