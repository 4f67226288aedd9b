//! A process that uses one ring as its parent tells it to.

use std::time::Duration;

use outlive::{
    Consumer, PopError, Producer, PushError, RoleError, Segment, Spsc, Waitable, wait_any,
};

use crate::driver::{self, Role, obey};
use crate::observe::idle;
use crate::support::{listen, say};

/// A segment with a ring `r`, and its name.
pub(crate) fn ring(what: &str, capacity: usize) -> (Segment, Spsc<u64>, String) {
    let (segment, name) = crate::segment(what);
    let ring = segment.spsc("r", capacity).expect("ring");
    (segment, ring, name)
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

/// What the role has of the ring.
struct Ends {
    ring: Spsc<u64>,
    producer: Option<Producer<u64>>,
    consumer: Option<Consumer<u64>>,
}

/// Keeps an end, if it was given.
fn keep<E>(place: &mut Option<E>, taken: Result<E, RoleError>) -> String {
    match taken {
        Ok(end) => {
            *place = Some(end);
            "taken".to_owned()
        }
        Err(RoleError::Taken { role, .. }) => format!("no {role}"),
        Err(error) => format!("{error:?}"),
    }
}

impl Ends {
    fn producer(&mut self) -> &mut Producer<u64> {
        self.producer.as_mut().expect("the producer's end")
    }

    fn consumer(&mut self) -> &mut Consumer<u64> {
        self.consumer.as_mut().expect("the consumer's end")
    }

    /// Roles, and what is done to an end as a whole.
    fn role(&mut self, command: &str, limit: Duration) -> Option<String> {
        let ring = &self.ring;
        Some(match command {
            "producer" => keep(&mut self.producer, ring.producer()),
            "consumer" => keep(&mut self.consumer, ring.consumer()),
            "producer-timeout" => keep(&mut self.producer, ring.producer_timeout(limit)),
            "consumer-timeout" => keep(&mut self.consumer, ring.consumer_timeout(limit)),
            "drop" => {
                (self.producer, self.consumer) = (None, None);
                "dropped".to_owned()
            }
            "producer-close" => {
                self.producer().close();
                "closed".to_owned()
            }
            "consumer-close" => {
                self.consumer().close();
                "closed".to_owned()
            }
            "wait-producer" => first(&[self.producer()], limit),
            "wait-consumer" => first(&[self.consumer()], limit),
            "idle-wait-consumer" => {
                let consumer = self.consumer();
                idle(|| drop(wait_any(&[consumer], Some(limit))))
            }
            _ => return None,
        })
    }

    /// Takes free slots and writes to them, or shows messages, and holds the chunk until it is told
    /// how many of them to commit.
    fn chunk(&mut self, command: &str, first: u64, most: usize) -> Option<String> {
        let next = || listen().expect("a number").parse::<usize>().expect("a number");
        match command {
            "write-chunk" => {
                let mut chunk = self.producer().write_chunk(most).expect("a chunk");
                let (left, right) = chunk.as_mut_slices();
                for (slot, message) in left.iter_mut().chain(right).zip(first..) {
                    slot.write(message);
                }
                say(&chunk.len().to_string());
                chunk.commit(next());
            }
            "read-chunk" => {
                let chunk = self.consumer().read_chunk(most).expect("a chunk");
                let (left, right) = chunk.as_slices();
                say(&format!("{left:?} {right:?}"));
                chunk.commit(next());
            }
            _ => return None,
        }
        Some("committed".to_owned())
    }

    fn message(&mut self, command: &str, first: u64, limit: Duration) -> String {
        match command {
            "push" => pushed(self.producer().push(first)),
            "try-push" => pushed(self.producer().try_push(first)),
            "push-timeout" => pushed(self.producer().push_timeout(first, limit)),
            // Three messages, of which the answer tells how many went.
            "push-slice" => {
                let several = [first, first + 1, first + 2];
                match self.producer().push_slice(&several) {
                    Ok(()) => "pushed".to_owned(),
                    Err(error) => format!("{error:?} {}", error.clone().into_inner()),
                }
            }
            "pop" => popped(self.consumer().pop()),
            "try-pop" => popped(self.consumer().try_pop()),
            "pop-timeout" => popped(self.consumer().pop_timeout(limit)),
            "pop-slice" => {
                let mut several = [0; 3];
                let outcome = self.consumer().pop_slice(&mut several);
                outcome
                    .map_or_else(|error| format!("{error:?}"), |n| format!("{:?}", &several[..n]))
            }
            "idle-pop" => {
                let consumer = self.consumer();
                idle(|| drop(consumer.pop_timeout(limit)))
            }
            "idle-push" => {
                let producer = self.producer();
                idle(|| drop(producer.push_timeout(0, limit)))
            }
            other => panic!("no command {other:?}"),
        }
    }
}

fn first(ends: &[&dyn Waitable], limit: Duration) -> String {
    match wait_any(ends, Some(limit)) {
        Ok(Some(_)) => "ready".to_owned(),
        Ok(None) => "not ready".to_owned(),
        Err(error) => format!("{error:?}"),
    }
}

/// The role. A command is a word, a number and a limit in milliseconds or a count.
pub(crate) fn run(arguments: &[String]) {
    let segment = Segment::open(&arguments[0]).expect("open");
    let ring = segment.find("r").expect("find");
    let mut ends = Ends { ring, producer: None, consumer: None };
    obey(|command, words| {
        let (number, limit) = (words.number(), words.number());
        let time = Duration::from_millis(limit);
        match ends.role(command, time) {
            Some(answer) => answer,
            None => ends
                .chunk(command, number, limit as usize)
                .unwrap_or_else(|| ends.message(command, number, time)),
        }
    });
}

/// The parent's end.
pub(crate) type Driver = driver::Driver<Named>;

pub(crate) enum Named {}

impl Role for Named {
    const NAME: &'static str = "spsc driver";
}

impl Driver {
    /// One that has an end.
    pub(crate) fn with(segment: &str, role: &str) -> Self {
        let mut driver = Self::new(segment);
        driver.does(role, "taken");
        driver
    }

    /// Ends the chunk that it holds.
    pub(crate) fn commits(&mut self, count: usize) {
        self.peer.tell(&count.to_string());
        self.peer.expect("committed");
    }
}
