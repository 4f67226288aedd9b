//! A process that uses an end of a pipe as its parent tells it to.

use std::time::Duration;

use outlive::{
    Pipe, PipeEnd, PipeRecvError, PipeSendError, RoleError, Segment, Side, WaitError, wait_any,
};

use crate::driver::{self, Role, obey};
use crate::observe::idle;
use crate::support::{listen, say};

/// A segment with a duplex pipe `p`, and its name.
pub(crate) fn pipe(what: &str, capacity: usize) -> (Segment, Pipe, String) {
    let (segment, name) = crate::segment(what);
    let pipe = segment.pipe("p", capacity).expect("pipe");
    (segment, pipe, name)
}

pub(crate) fn sent(outcome: Result<(), PipeSendError>) -> String {
    outcome.map_or_else(|error| format!("{error:?}"), |()| "sent".to_owned())
}

pub(crate) fn received(outcome: Result<Vec<u8>, PipeRecvError>) -> String {
    outcome
        .map_or_else(|error| format!("{error:?}"), |bytes| String::from_utf8(bytes).expect("text"))
}

fn ready(outcome: Result<Option<usize>, WaitError>) -> String {
    match outcome {
        Ok(Some(_)) => "ready".to_owned(),
        Ok(None) => "not ready".to_owned(),
        Err(error) => format!("{error:?}"),
    }
}

/// Says what it holds, until it is told to let go.
fn hold(end: &PipeEnd, command: &str, text: &str) -> String {
    let next = || listen().expect("how it is given up");
    if command == "read" {
        let message = end.read_message().expect("read");
        say(std::str::from_utf8(&message).expect("text"));
        match next().as_str() {
            "release" => message.release(),
            "keep" => message.keep(),
            other => panic!("no way {other:?}"),
        }
    } else {
        let mut grant = end.grant(text.len()).expect("grant");
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

/// What an end does; a command is a word, a text, and a number: of milliseconds, or a length.
pub(crate) fn act(end: &PipeEnd, command: &str, text: &str, number: u64) -> String {
    let limit = Duration::from_millis(number);
    match command {
        "send" => sent(end.send_bytes(text.as_bytes())),
        "try-send" => sent(end.try_send_bytes(text.as_bytes())),
        "send-timeout" => sent(end.send_bytes_timeout(text.as_bytes(), limit)),
        "recv" => received(end.recv_bytes()),
        "try-recv" => received(end.try_recv_bytes()),
        "recv-timeout" => received(end.recv_bytes_timeout(limit)),
        "grant" | "read" => hold(end, command, text),
        "poll" => format!("{:?}", end.poll(limit)),
        "wait" => ready(wait_any(&[end], Some(limit))),
        "wait-writable" => ready(wait_any(&[&end.writable(number as usize)], None)),
        "idle-recv" => idle(|| drop(end.recv_bytes_timeout(limit))),
        "idle-send" => idle(|| drop(end.send_bytes_timeout(text.as_bytes(), limit))),
        "idle-wait" => idle(|| drop(wait_any(&[end], Some(limit)))),
        other => panic!("no command {other:?}"),
    }
}

/// The role.
pub(crate) fn run(arguments: &[String]) {
    let pipe: Pipe = Segment::open(&arguments[0]).expect("open").find("p").expect("find");
    let mut end: Option<PipeEnd> = None;
    obey(|command, words| {
        let text = words.text();
        let number = words.number();
        let mut keep = |taken: Result<PipeEnd, RoleError>| match taken {
            Ok(taken) => {
                end = Some(taken);
                "taken".to_owned()
            }
            Err(RoleError::Taken { role, .. }) => format!("no {role}"),
            Err(error) => format!("{error:?}"),
        };
        let limit = Duration::from_millis(number);
        match command {
            "first" => keep(pipe.first()),
            "second" => keep(pipe.second()),
            "first-timeout" => keep(pipe.take_timeout(Side::First, limit)),
            "drop" => {
                end = None;
                "dropped".to_owned()
            }
            _ => act(end.as_ref().expect("an end"), command, text, number),
        }
    });
}

/// The parent's end.
pub(crate) type Driver = driver::Driver<Named>;

pub(crate) enum Named {}

impl Role for Named {
    const NAME: &'static str = "pipe driver";
}

impl Driver {
    /// One that has an end.
    pub(crate) fn with(segment: &str, end: &str) -> Self {
        let mut driver = Self::new(segment);
        driver.does(end, "taken");
        driver
    }
}
