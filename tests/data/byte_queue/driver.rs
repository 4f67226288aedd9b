//! A process that uses one queue as its parent tells it to.

use std::time::Duration;

use outlive::{BytePushError, ByteQueue, PopError, Segment, wait_any};

use crate::driver::{self, Role, obey};
use crate::observe::idle;
use crate::support::{listen, say};

/// A segment with a byte queue `q`, and its name.
pub(crate) fn queue(what: &str, capacity: usize) -> (Segment, ByteQueue, String) {
    let (segment, name) = crate::segment(what);
    let queue = segment.byte_queue("q", capacity).expect("queue");
    (segment, queue, name)
}

/// A message of which every byte tells its number.
pub(crate) fn message(number: u64, length: usize) -> Vec<u8> {
    let start = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (0..length).map(|index| (start.wrapping_add(index as u64 * 7) >> 3) as u8).collect()
}

fn pushed(outcome: Result<(), BytePushError>) -> String {
    outcome.map_or_else(|error| format!("{error:?}"), |()| "pushed".to_owned())
}

fn popped(outcome: Result<Vec<u8>, PopError>) -> String {
    outcome
        .map_or_else(|error| format!("{error:?}"), |bytes| String::from_utf8(bytes).expect("text"))
}

/// Says what it holds, and gives it up as the parent says.
fn hold(queue: &ByteQueue, command: &str, text: &str) -> String {
    let next = || listen().expect("how it is given up");
    if command == "read" {
        let message = queue.read().expect("read");
        say(std::str::from_utf8(&message).expect("text"));
        match next().as_str() {
            "release" => message.release(),
            "keep" => message.keep(),
            other => panic!("no way {other:?}"),
        }
    } else {
        let mut grant = queue.grant(text.len()).expect("grant");
        grant.copy_from_slice(text.as_bytes());
        say("granted");
        match next().as_str() {
            "commit" => grant.commit(),
            "drop" => drop(grant),
            other => panic!("no way {other:?}"),
        }
    }
    "given up".to_owned()
}

/// The role. A command is a word, a text, and a number: of milliseconds, or a length.
pub(crate) fn run(arguments: &[String]) {
    let segment = Segment::open(&arguments[0]).expect("open");
    let queue: ByteQueue = segment.find("q").expect("find");
    obey(|command, words| {
        let text = words.text();
        let number = words.number();
        let limit = Duration::from_millis(number);
        match command {
            "push" => pushed(queue.push(text.as_bytes())),
            "try-push" => pushed(queue.try_push(text.as_bytes())),
            "push-timeout" => pushed(queue.push_timeout(text.as_bytes(), limit)),
            "pop" => popped(queue.pop()),
            "try-pop" => popped(queue.try_pop()),
            "pop-timeout" => popped(queue.pop_timeout(limit)),
            "grant" | "read" => hold(&queue, command, text),
            "wait-readable" => ready(wait_any(&[&queue.readable()], None)),
            "wait-writable" => ready(wait_any(&[&queue.writable(number as usize)], None)),
            "idle-pop" => idle(|| drop(queue.pop_timeout(limit))),
            "idle-push" => idle(|| drop(queue.push_timeout(text.as_bytes(), limit))),
            other => panic!("no command {other:?}"),
        }
    });
}

fn ready(outcome: Result<Option<usize>, outlive::WaitError>) -> String {
    outcome.map_or_else(|error| format!("{error:?}"), |_| "ready".to_owned())
}

/// The parent's end.
pub(crate) type Driver = driver::Driver<Named>;

pub(crate) enum Named {}

impl Role for Named {
    const NAME: &'static str = "byte queue driver";
}

impl Driver {
    /// Ends what `read` or `grant` holds.
    pub(crate) fn gives_up(&mut self, how: &str) {
        self.peer.tell(how);
        self.peer.expect("given up");
    }
}
