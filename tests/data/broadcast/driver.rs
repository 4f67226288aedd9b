//! A process that uses one channel as its parent tells it to.

use std::time::Duration;

use outlive::{
    Broadcast, PushError, RecvError, Segment, Slow, Start, SubscribeError, Subscriber, wait_any,
};

use crate::driver::{self, Role, obey};
use crate::observe::idle;

/// How many subscribers the channel has places for.
pub(crate) const PLACES: usize = 3;

/// A segment with a channel `b`, and its name.
pub(crate) fn channel(
    what: &str,
    capacity: usize,
    slow: Slow,
) -> (Segment, Broadcast<u64>, String) {
    let (segment, name) = crate::segment(what);
    let channel = segment.broadcast_with("b", capacity, slow, PLACES).expect("channel");
    (segment, channel, name)
}

/// What there is to receive now: messages, and 0 for each that was missed.
pub(crate) fn rest(subscriber: &mut Subscriber<u64>) -> Vec<u64> {
    let mut all = Vec::new();
    loop {
        match subscriber.try_recv() {
            Ok(message) => all.push(message),
            Err(RecvError::Lagged { missed }) => all.extend((0..missed).map(|_| 0)),
            Err(RecvError::Empty | RecvError::Closed) => return all,
            Err(error) => panic!("{error:?}"),
        }
    }
}

fn published(outcome: Result<(), PushError<u64>>) -> String {
    match outcome {
        Ok(()) => "published".to_owned(),
        Err(error) => format!("{error:?} {}", error.clone().into_inner()),
    }
}

fn received(outcome: Result<u64, RecvError>) -> String {
    outcome.map_or_else(|error| format!("{error:?}"), |message| message.to_string())
}

struct Ends {
    channel: Broadcast<u64>,
    subscriber: Option<Subscriber<u64>>,
}

impl Ends {
    fn subscribe(&mut self, from: Start) -> String {
        match self.channel.subscribe(from) {
            Ok(subscriber) => {
                self.subscriber = Some(subscriber);
                "subscribed".to_owned()
            }
            Err(SubscribeError::NoPlace { limit }) => format!("no place of {limit}"),
            Err(error) => format!("{error:?}"),
        }
    }

    fn subscriber(&mut self) -> &mut Subscriber<u64> {
        self.subscriber.as_mut().expect("a subscriber")
    }

    fn run(&mut self, command: &str, message: u64, limit: Duration) -> String {
        match command {
            "newest" => self.subscribe(Start::Newest),
            "oldest" => self.subscribe(Start::Oldest),
            "drop" => {
                self.subscriber = None;
                "dropped".to_owned()
            }
            "recv" => received(self.subscriber().recv()),
            "try-recv" => received(self.subscriber().try_recv()),
            "recv-timeout" => received(self.subscriber().recv_timeout(limit)),
            "wait" => match wait_any(&[self.subscriber()], Some(limit)) {
                Ok(Some(_)) => "ready".to_owned(),
                Ok(None) => "not ready".to_owned(),
                Err(error) => format!("{error:?}"),
            },
            "publish" => published(self.channel.publish(message)),
            "try-publish" => published(self.channel.try_publish(message)),
            "publish-timeout" => published(self.channel.publish_timeout(message, limit)),
            "close" => self.channel.close().map_or_else(|e| format!("{e:?}"), |()| "closed".into()),
            "idle-recv" => {
                let subscriber = self.subscriber();
                idle(|| drop(subscriber.recv_timeout(limit)))
            }
            "idle-wait" => {
                let subscriber = self.subscriber();
                idle(|| drop(wait_any(&[subscriber], Some(limit))))
            }
            "idle-publish" => idle(|| drop(self.channel.publish_timeout(message, limit))),
            other => panic!("no command {other:?}"),
        }
    }
}

/// The role. A command is a word, a message and a limit in milliseconds.
pub(crate) fn run(arguments: &[String]) {
    let segment = Segment::open(&arguments[0]).expect("open");
    let channel = segment.find("b").expect("find");
    let mut ends = Ends { channel, subscriber: None };
    obey(|command, words| {
        let (message, limit) = (words.number(), words.limit());
        ends.run(command, message, limit)
    });
}

/// The parent's end.
pub(crate) type Driver = driver::Driver<Named>;

pub(crate) enum Named {}

impl Role for Named {
    const NAME: &'static str = "broadcast driver";
}

impl Driver {
    /// One that subscribes, to what comes from now on.
    pub(crate) fn subscribed(segment: &str) -> Self {
        let mut driver = Self::new(segment);
        driver.does("newest", "subscribed");
        driver
    }
}
