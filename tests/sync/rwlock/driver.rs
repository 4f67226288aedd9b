//! A process that uses one lock as its parent tells it to.

use std::time::Duration;

use outlive::{
    LockError, RwLock, RwLockReadGuard, RwLockUpgradableGuard, RwLockWriteGuard, Segment,
};

use crate::observe::{await_sleep, idle, thread_id};
use crate::support::{Peer, listen, say, unique};

/// Equal unless somebody was interrupted between two of them.
pub(crate) type Words = [u64; 4];

/// Larger than any test takes.
pub(crate) const LONG: &str = "600000";

/// A segment with a lock `l` for so many readers, and its name.
pub(crate) fn segment(what: &str, readers: usize) -> (Segment, RwLock<Words>, String) {
    let name = unique(what);
    let segment = Segment::options().capacity(64 << 10).create(&name).expect("create");
    let lock = segment.rwlock_with("l", [0; 4], readers).expect("lock");
    (segment, lock, name)
}

enum Held {
    Nothing,
    Read(Vec<RwLockReadGuard<'static, Words>>),
    Upgradable(RwLockUpgradableGuard<'static, Words>),
    Write(RwLockWriteGuard<'static, Words>),
}

impl Held {
    /// Keeps the guard, whatever it comes with, and says how it came.
    fn keep<G>(
        &mut self,
        outcome: Result<G, LockError<G>>,
        held: impl FnOnce(Self, G) -> Self,
    ) -> String {
        let (guard, how) = match outcome {
            Ok(guard) => (guard, "ok"),
            Err(LockError::OwnerDied(guard)) => (guard, "OwnerDied"),
            Err(error) => return format!("{:?}", error.into_guard().map(drop).unwrap_err()),
        };
        *self = held(std::mem::replace(self, Self::Nothing), guard);
        how.to_owned()
    }

    fn read(self, guard: RwLockReadGuard<'static, Words>) -> Self {
        match self {
            Self::Read(mut guards) => {
                guards.push(guard);
                Self::Read(guards)
            }
            _ => Self::Read(vec![guard]),
        }
    }

    fn words(&self) -> Words {
        match self {
            Self::Nothing => panic!("nothing is held"),
            Self::Read(guards) => *guards[0],
            Self::Upgradable(guard) => **guard,
            Self::Write(guard) => **guard,
        }
    }

    fn writer(&mut self) -> &mut RwLockWriteGuard<'static, Words> {
        let Self::Write(guard) = self else { panic!("not held for writing") };
        guard
    }

    /// Turns one guard into another one; how that went.
    fn convert(&mut self, to: &str) -> String {
        let (held, how) = match (std::mem::replace(self, Self::Nothing), to) {
            (Self::Upgradable(guard), "upgrade") => match guard.upgrade() {
                Ok(guard) => (Self::Write(guard), "ok".to_owned()),
                Err(refused) => (Self::Upgradable(refused.guard), format!("{:?}", refused.error)),
            },
            (Self::Upgradable(guard), "downgrade") => {
                (Self::Read(vec![guard.downgrade().expect("downgrade")]), "ok".to_owned())
            }
            (Self::Write(guard), "downgrade") => {
                (Self::Read(vec![guard.downgrade().expect("downgrade")]), "ok".to_owned())
            }
            (Self::Write(guard), "upgradable") => {
                (Self::Upgradable(guard.downgrade_to_upgradable()), "ok".to_owned())
            }
            _ => panic!("no way to {to}"),
        };
        *self = held;
        how
    }
}

/// The role.
pub(crate) fn run(arguments: &[String]) {
    let segment = Segment::open(&arguments[0]).expect("open");
    let lock: &'static RwLock<Words> = Box::leak(Box::new(segment.find("l").expect("find")));
    let mut held = Held::Nothing;
    say(&thread_id().to_string());
    while let Some(line) = listen() {
        let (command, number) = line.split_once(' ').unwrap_or((&line, "0"));
        let number: u64 = number.parse().expect("a number");
        let limit = Duration::from_millis(number);
        let (upgradable, write) =
            (|_, guard| Held::Upgradable(guard), |_, guard| Held::Write(guard));
        say("going");
        let answer = match command {
            "read" => held.keep(lock.read(), Held::read),
            "try-read" => held.keep(lock.try_read(), Held::read),
            "read-timeout" => held.keep(lock.read_timeout(limit), Held::read),
            "write" => held.keep(lock.write(), write),
            "try-write" => held.keep(lock.try_write(), write),
            "write-timeout" => held.keep(lock.write_timeout(limit), write),
            "upgradable" => held.keep(lock.upgradable_read(), upgradable),
            "try-upgradable" => held.keep(lock.try_upgradable_read(), upgradable),
            "convert-upgrade" => held.convert("upgrade"),
            "convert-downgrade" => held.convert("downgrade"),
            "convert-upgradable" => held.convert("upgradable"),
            "get" => format!("{:?}", held.words()),
            "drop" => done(|| held = Held::Nothing),
            "mark" => done(|| held.writer().mark_consistent()),
            "set" => done(|| **held.writer() = [number; 4]),
            // As if interrupted in the middle of `set`.
            "half" => done(|| held.writer()[..2].fill(number)),
            "idle" => idle(|| {
                assert!(matches!(lock.write_timeout(limit), Err(LockError::TimedOut { .. })));
            }),
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
        let mut peer = Peer::spawn("rwlock", &[segment]);
        let thread = peer.hear().parse().expect("a thread id");
        Self { peer, thread }
    }

    /// One that has done something.
    #[track_caller]
    pub(crate) fn with(segment: &str, command: &str) -> Self {
        let mut driver = Self::new(segment);
        driver.does(command, "ok");
        driver
    }

    pub(crate) fn thread(&self) -> u32 {
        self.thread
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

    pub(crate) fn join(self) {
        self.peer.join();
    }
}
