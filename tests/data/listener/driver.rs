//! A process that accepts, or connects, as its parent tells it to.

use std::time::Duration;

use outlive::{
    AcceptError, Acceptor, ConnectError, Listener, ListenerOptions, PipeEnd, Segment, wait_any,
};

use crate::driver::{self, Role, obey};
use crate::observe::idle;
use crate::pipe::driver::act;

/// A segment with a listener `l`, and its name.
pub(crate) fn listener(what: &str, connections: usize) -> (Segment, Listener, String) {
    let (segment, name) = crate::segment(what);
    let options = ListenerOptions { connections, capacity: 256, acceptors: 2 };
    let listener = segment.listener("l", options).expect("listener");
    (segment, listener, name)
}

struct Ends {
    listener: Listener,
    acceptor: Option<Acceptor>,
    end: Option<PipeEnd>,
}

impl Ends {
    fn keep_accepted(&mut self, outcome: Result<PipeEnd, AcceptError>) -> String {
        outcome.map_or_else(
            |error| format!("{error:?}"),
            |end| {
                self.end = Some(end);
                "accepted".to_owned()
            },
        )
    }

    fn keep_connected(&mut self, outcome: Result<PipeEnd, ConnectError>) -> String {
        match outcome {
            Ok(end) => {
                self.end = Some(end);
                "connected".to_owned()
            }
            Err(ConnectError::TimedOut { .. }) => "timed out".to_owned(),
            Err(error) => format!("{error:?}"),
        }
    }

    fn run(&mut self, command: &str, text: &str, number: u64) -> String {
        let limit = Duration::from_millis(number);
        let acceptor = |this: &Self| this.acceptor.as_ref().expect("an acceptor").accept();
        match command {
            "listen" => match self.listener.acceptor() {
                Ok(acceptor) => {
                    self.acceptor = Some(acceptor);
                    "listening".to_owned()
                }
                Err(error) => format!("{error:?}"),
            },
            "hush" => {
                self.acceptor = None;
                "hushed".to_owned()
            }
            "accept" => {
                let outcome = acceptor(self);
                self.keep_accepted(outcome)
            }
            "connect" => {
                let outcome = self.listener.connect();
                self.keep_connected(outcome)
            }
            "connect-timeout" => {
                let outcome = self.listener.connect_timeout(limit);
                self.keep_connected(outcome)
            }
            "wait-accept" => {
                let acceptor = self.acceptor.as_ref().expect("an acceptor");
                format!("{:?}", wait_any(&[acceptor], Some(limit)))
            }
            "idle-connect" => idle(|| drop(self.listener.connect_timeout(limit))),
            "idle-accept" => {
                let acceptor = self.acceptor.as_ref().expect("an acceptor");
                idle(|| drop(acceptor.accept_timeout(limit)))
            }
            "drop" => {
                self.end = None;
                "dropped".to_owned()
            }
            _ => act(self.end.as_ref().expect("an end"), command, text, number),
        }
    }
}

/// The role.
pub(crate) fn run(arguments: &[String]) {
    let listener = Segment::open(&arguments[0]).expect("open").find("l").expect("find");
    let mut ends = Ends { listener, acceptor: None, end: None };
    obey(|command, words| {
        let (text, number) = (words.text(), words.number());
        ends.run(command, text, number)
    });
}

/// The parent's end.
pub(crate) type Driver = driver::Driver<Named>;

pub(crate) enum Named {}

impl Role for Named {
    const NAME: &'static str = "listener driver";
}

pub(crate) fn start(segment: &str) -> Driver {
    Driver::new(segment)
}

/// One that accepts.
pub(crate) fn server(segment: &str) -> Driver {
    let mut server = start(segment);
    server.does("listen", "listening");
    server
}

/// Connects two.
pub(crate) fn connect(server: &mut Driver, client: &mut Driver) {
    client.block("connect");
    server.does("accept", "accepted");
    client.peer.expect("connected");
}
