//! A process that uses one queue as its parent tells it to.

use std::time::Duration;

use outlive::{PopError, PushError, Queue, Segment};

use crate::driver::{self, Role, obey};
use crate::observe::idle;

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
    obey(|command, words| {
        let (first, limit) = (words.number(), words.limit());
        match command {
            "push" => pushed(queue.push(first)),
            "try-push" => pushed(queue.try_push(first)),
            "push-timeout" => pushed(queue.push_timeout(first, limit)),
            "pop" => popped(queue.pop()),
            "try-pop" => popped(queue.try_pop()),
            "pop-timeout" => popped(queue.pop_timeout(Duration::from_millis(first))),
            "idle-pop" => idle(|| drop(queue.pop_timeout(Duration::from_millis(first)))),
            "idle-push" => idle(|| drop(queue.push_timeout(0, Duration::from_millis(first)))),
            other => panic!("no command {other:?}"),
        }
    });
}

/// The parent's end.
pub(crate) type Driver = driver::Driver<Named>;

pub(crate) enum Named {}

impl Role for Named {
    const NAME: &'static str = "queue driver";
}
