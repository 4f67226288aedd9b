//! A process that uses one of each, from its tasks or its threads, as its parent tells it to.

use std::fmt::Debug;

use outlive::{ByteQueue, Event, Latest, LockError, Mutex, Queue, Reset, Segment, Semaphore};

use crate::runtime::one;
use crate::support::{Peer, listen, say, unique};

/// One of each.
pub(crate) struct Things {
    pub(crate) event: Event,
    pub(crate) queue: Queue<u64>,
    pub(crate) bytes: ByteQueue,
    pub(crate) mutex: Mutex<u64>,
    pub(crate) latest: Latest<u64>,
    pub(crate) semaphore: Semaphore,
    pub(crate) name: String,
    pub(crate) segment: Segment,
}

pub(crate) fn things(what: &str) -> Things {
    let name = unique(what);
    let segment = Segment::options().capacity(128 << 10).create(&name).expect("create");
    open(segment, name)
}

fn open(segment: Segment, name: String) -> Things {
    Things {
        event: segment.event("e", Reset::Auto).expect("event"),
        queue: segment.queue("q", 2).expect("queue"),
        bytes: segment.byte_queue("b", 256).expect("byte queue"),
        mutex: segment.mutex("m", 0).expect("mutex"),
        latest: segment.latest("l", 0).expect("latest"),
        semaphore: segment.bounded_semaphore("s", 2).expect("semaphore"),
        name,
        segment,
    }
}

/// Those of another process.
pub(crate) fn open_again(name: &str) -> Things {
    open(Segment::open(name).expect("open"), name.to_owned())
}

fn told<R: Debug, E: Debug>(outcome: Result<R, E>) -> String {
    outcome.map_or_else(|error| format!("{error:?}"), |result| format!("{result:?}"))
}

/// The role.
pub(crate) fn run(arguments: &[String]) {
    let things = open_again(&arguments[0]);
    let runtime = one();
    let (mut lock, mut permit, mut message, mut grant) = (None, None, None, None);
    while let Some(line) = listen() {
        let (command, number) = line.split_once(' ').unwrap_or((&line, "0"));
        let number: u64 = number.parse().expect("a number");
        say("going");
        say(&match command {
            "pop" => told(runtime.block_on(things.queue.pop_async())),
            "push" => told(runtime.block_on(things.queue.push_async(number))),
            "wait" => told(runtime.block_on(things.event.wait_async())),
            "pop-thread" => told(things.queue.pop()),
            "wait-thread" => told(things.event.wait()),
            "changed" => {
                let since = things.latest.version();
                say("seen");
                let changed = runtime.block_on(things.latest.wait_changed_async(since));
                told(changed.map(|(value, _)| value))
            }
            "hold" => {
                lock = Some(things.mutex.lock().expect("lock"));
                "held".to_owned()
            }
            "unhold" => {
                drop(lock.take());
                "free".to_owned()
            }
            "lock" => match runtime.block_on(things.mutex.lock_async()) {
                Err(LockError::OwnerDied(mut guard)) => {
                    guard.mark_consistent();
                    "OwnerDied".to_owned()
                }
                outcome => told(outcome.map(|guard| *guard)),
            },
            "acquire" => {
                permit = Some(things.semaphore.acquire_many(number).expect("acquire"));
                "acquired".to_owned()
            }
            "acquire-task" => {
                told(runtime.block_on(things.semaphore.acquire_many_async(number)).map(drop))
            }
            "give" => {
                drop(permit.take());
                "given".to_owned()
            }
            "read" => {
                message = Some(things.bytes.read().expect("read"));
                "read".to_owned()
            }
            "grant" => {
                grant = Some(things.bytes.grant(8).expect("grant"));
                "granted".to_owned()
            }
            "release" => {
                drop((message.take(), grant.take()));
                "released".to_owned()
            }
            other => panic!("no command {other:?}"),
        });
    }
}

/// The parent's end.
pub(crate) struct Driver(pub(crate) Peer);

impl Driver {
    pub(crate) fn new(things: &Things) -> Self {
        Self(Peer::spawn("async", &[&things.name]))
    }

    pub(crate) fn start(&mut self, command: &str) {
        self.0.tell(command);
        self.0.expect("going");
    }

    #[track_caller]
    pub(crate) fn does(&mut self, command: &str, answer: &str) {
        self.start(command);
        self.0.expect(answer);
    }
}
