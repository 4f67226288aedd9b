//! A process that uses one queue as its parent tells it to.

use std::time::Duration;

use outlive::{PopError, PushError, Queue, Segment};

use crate::observe::{await_sleep, await_stop, idle, thread_id};
use crate::support::{Peer, listen, say};

/// A segment with a queue `q`, and its name.
pub(crate) fn queue(what: &str, capacity: usize) -> (Segment, Queue<u64>, String) {
    let (segment, name) = crate::segment(what);
    let queue = segment.queue("q", capacity).expect("queue");
    (segment, queue, name)
}

fn pushed(outcome: Result<(), PushError<u64>>) -> String {
    match outcome {
        Ok(()) => "pushed".to_owned(),
        Err(error) => format!("{error:?} {}", error.clone().into_inner()),
    }
}

fn popped(outcome: Result<u64, PopError>) -> String {
    outcome.map_or_else(|error| format!("{error:?}"), |message| message.to_string())
}

/// The role.
pub(crate) fn run(arguments: &[String]) {
    let segment = Segment::open(&arguments[0]).expect("open");
    let queue: Queue<u64> = segment.find("q").expect("find");
    say(&thread_id().to_string());
    while let Some(line) = listen() {
        let mut words = line.split(' ');
        let command = words.next().expect("a command");
        let mut number = || words.next().map_or(0, |word| word.parse().expect("a number"));
        let (first, limit) = (number(), Duration::from_millis(number()));
        say("going");
        say(&match command {
            "push" => pushed(queue.push(first)),
            "try-push" => pushed(queue.try_push(first)),
            "push-timeout" => pushed(queue.push_timeout(first, limit)),
            "pop" => popped(queue.pop()),
            "try-pop" => popped(queue.try_pop()),
            "pop-timeout" => popped(queue.pop_timeout(Duration::from_millis(first))),
            "idle-pop" => idle(|| drop(queue.pop_timeout(Duration::from_millis(first)))),
            "idle-push" => idle(|| drop(queue.push_timeout(0, Duration::from_millis(first)))),
            other => panic!("no command {other:?}"),
        });
    }
}

/// The parent's end.
pub(crate) struct Driver {
    pub(crate) peer: Peer,
    thread: u32,
}

impl Driver {
    pub(crate) fn new(segment: &str) -> Self {
        let mut peer = Peer::spawn("queue driver", &[segment]);
        let thread = peer.hear().parse().expect("a thread id");
        Self { peer, thread }
    }

    pub(crate) fn start(&mut self, command: &str) {
        self.peer.tell(command);
        self.peer.expect("going");
    }

    /// Has a command started that has to block, and waits until it does.
    pub(crate) fn block(&mut self, command: &str) {
        self.start(command);
        await_sleep(self.thread);
    }

    #[track_caller]
    pub(crate) fn does(&mut self, command: &str, answer: &str) {
        self.start(command);
        self.peer.expect(answer);
    }

    pub(crate) fn stop(&self) {
        self.peer.signal(nix::sys::signal::Signal::SIGSTOP);
        await_stop(self.thread);
    }

    pub(crate) fn go_on(&self) {
        self.peer.signal(nix::sys::signal::Signal::SIGCONT);
    }
}
