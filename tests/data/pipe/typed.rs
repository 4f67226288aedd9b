//! Values as messages, in pipes and in byte queues.

use std::collections::BTreeMap;
use std::time::Duration;

use outlive::{
    BytePushError, LockError, PipeRecvError, PipeSendError, PopError, TypedRecvError,
    TypedSendError,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::driver::pipe;
use crate::unwind;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Shape {
    Nothing,
    Named { name: String, points: Vec<(i32, f64)> },
    Table(BTreeMap<String, Option<u64>>),
}

fn shapes() -> Vec<Shape> {
    let table = [("a".to_owned(), Some(u64::MAX)), (String::new(), None)];
    vec![
        Shape::Nothing,
        Shape::Named { name: "ä line".into(), points: vec![(-1, 0.5), (i32::MAX, f64::MIN)] },
        Shape::Table(table.into_iter().collect()),
    ]
}

#[test]
fn values_arrive_as_they_were() {
    let (segment, pipe, _name) = pipe("typed", 1024);
    let queue = segment.byte_queue("q", 1024).expect("queue");
    let (first, second) = (pipe.first().expect("first"), pipe.second().expect("second"));
    for shape in shapes() {
        first.send(&shape).expect("send");
        assert_eq!(second.recv::<Shape>().expect("recv"), shape);
        second.try_send(&shape).expect("send");
        assert_eq!(first.try_recv::<Shape>().expect("recv"), shape);
        queue.send(&shape).expect("send");
        queue.try_send(&shape).expect("send");
        queue.send_timeout(&shape, Duration::ZERO).expect("send");
        assert_eq!(queue.recv::<Shape>().expect("recv"), shape);
        assert_eq!(queue.try_recv::<Shape>().expect("recv"), shape);
        assert_eq!(queue.recv_timeout::<Shape>(Duration::MAX).expect("recv"), shape);
    }
    // A slice and a str, of any length; a value of no bytes at all.
    first.send([1_u16, 2, 3].as_slice()).expect("send");
    assert_eq!(second.recv::<Vec<u16>>().expect("recv"), [1, 2, 3]);
    first.send("text").expect("send");
    assert_eq!(second.recv::<String>().expect("recv"), "text");
    first.send(&()).expect("send");
    second.recv::<()>().expect("recv");
    assert_eq!(second.try_recv::<()>(), Err(TypedRecvError::Recv(PipeRecvError::Empty)));
    assert_eq!(queue.try_recv::<()>(), Err(TypedRecvError::Recv(PopError::Empty)));
}

#[test]
fn a_value_that_is_too_long_is_refused_before_anything_is_written() {
    let (segment, pipe, _name) = pipe("typed-long", 128);
    let queue = segment.byte_queue("q", 128).expect("queue");
    let (first, second) = (pipe.first().expect("first"), pipe.second().expect("second"));
    let largest = first.max_message();
    // A length of one byte, and so many.
    let (fits, exceeds) = ("x".repeat(largest - 1), "x".repeat(largest));
    let length = largest + 1;
    assert_eq!(
        first.send(&exceeds),
        Err(TypedSendError::Send(PipeSendError::TooLong { length, largest }))
    );
    assert_eq!(
        queue.send(&exceeds),
        Err(TypedSendError::Send(BytePushError::TooLong { length, largest }))
    );
    assert!(queue.is_empty());
    first.send(&fits).expect("send");
    assert_eq!(second.recv::<String>().expect("recv"), fits);
}

#[test]
fn what_is_no_such_value_is_taken_and_handed_back() {
    let (segment, pipe, _name) = pipe("typed-wrong", 128);
    let queue = segment.byte_queue("q", 128).expect("queue");
    let (first, second) = (pipe.first().expect("first"), pipe.second().expect("second"));
    let wrong: [&[u8]; 4] = [&[9], &[], &[1, 200, 255, 255, 255, 15], &[0, 0]];
    for bytes in wrong {
        first.send_bytes(bytes).expect("send");
        first.send(&Shape::Nothing).expect("send");
        match second.recv::<Shape>() {
            Err(TypedRecvError::Decode { bytes: back, type_name, reason }) => {
                assert_eq!(back, bytes);
                assert!(type_name.ends_with("Shape") && !reason.is_empty());
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(second.recv::<Shape>(), Ok(Shape::Nothing));
        queue.push(bytes).expect("push");
        let error = queue.try_recv::<Shape>().expect_err("no shape");
        assert!(error.to_string().contains("Shape"), "{error}");
        assert!(queue.is_empty());
    }
}

/// One that cannot be serialised, or is another one the second time.
struct Odd {
    first: std::cell::Cell<Option<usize>>,
    then: usize,
}

impl Serialize for Odd {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let length = self.first.take().unwrap_or(self.then);
        if length > 1000 {
            return Err(serde::ser::Error::custom("on purpose"));
        }
        serializer.serialize_bytes(&vec![7; length])
    }
}

#[test]
fn a_value_that_changes_as_it_is_sent_sends_nothing_that_is_not_one() {
    let (_segment, pipe, _name) = pipe("typed-odd", 512);
    let (first, second) = (pipe.first().expect("first"), pipe.second().expect("second"));
    let odd = |first, then| Odd { first: std::cell::Cell::new(Some(first)), then };
    for (before, after) in [(1001, 1), (10, 20), (10, 1001)] {
        let refused = first.send(&odd(before, after));
        assert!(matches!(refused, Err(TypedSendError::Encode { .. })), "{refused:?}");
    }
    first.send(&odd(20, 10)).expect("a shorter one");
    assert_eq!(second.recv_bytes().expect("recv"), [&[10][..], &[7; 10]].concat());
    assert_eq!(second.try_recv_bytes(), Err(PipeRecvError::Empty));
}

struct Panics;

impl Serialize for Panics {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        std::panic::resume_unwind(Box::new("on purpose"))
    }
}

impl<'de> Deserialize<'de> for Panics {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        std::panic::resume_unwind(Box::new("on purpose"))
    }
}

#[test]
fn a_panic_sends_nothing_and_takes_nothing() {
    let (_segment, pipe, _name) = pipe("typed-panic", 512);
    let (first, second) = (pipe.first().expect("first"), pipe.second().expect("second"));
    unwind(|_| first.send(&Panics).expect("unwinds"));
    first.send(&5_u32).expect("send");
    unwind(|_| drop(second.recv::<Panics>()));
    assert_eq!(second.recv::<u32>(), Ok(5));
    assert_eq!(second.try_recv::<u32>(), Err(TypedRecvError::Recv(PipeRecvError::Empty)));
}

/// Sends itself while it is sent.
struct Nested<'a>(&'a outlive::ByteQueue, std::cell::RefCell<Vec<String>>);

impl Serialize for Nested<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.1.borrow_mut().push(format!("{:?}", self.0.send(&1_u8)));
        serializer.serialize_unit()
    }
}

#[test]
fn a_value_that_uses_the_queue_as_it_is_sent_does_not_wait_for_itself() {
    let (segment, _name) = crate::segment("typed-nested");
    let queue = segment.byte_queue("q", 512).expect("queue");
    let nested = Nested(&queue, std::cell::RefCell::default());
    queue.send(&nested).expect("send");
    let said = nested.1.into_inner();
    assert_eq!(said.first().map(String::as_str), Some("Ok(())"), "with the lock free");
    let refused = format!("{:?}", TypedSendError::Send(BytePushError::Lock(LockError::Deadlock)));
    assert_eq!(said.last(), Some(&format!("Err({refused})")), "{said:?}");
}

#[test]
fn the_end_and_timeouts() {
    let (segment, pipe, _name) = pipe("typed-end", 64);
    let queue = segment.byte_queue("q", 64).expect("queue");
    let (first, second) = (pipe.first().expect("first"), pipe.second().expect("second"));
    let moment = Duration::from_millis(1);
    assert_eq!(
        first.recv_timeout::<u8>(moment),
        Err(TypedRecvError::Recv(PipeRecvError::TimedOut))
    );
    first.send(&"12345678901234567890123").expect("send");
    first.send(&"12345678901234567890123").expect("send");
    assert_eq!(
        first.try_send(&"1234567890123456789"),
        Err(TypedSendError::Send(PipeSendError::Full))
    );
    assert_eq!(
        first.send_timeout(&"1234567890123456789", moment),
        Err(TypedSendError::Send(PipeSendError::TimedOut))
    );
    drop(first);
    assert!(second.recv::<String>().is_ok() && second.recv::<String>().is_ok());
    assert_eq!(second.recv::<String>(), Err(TypedRecvError::Recv(PipeRecvError::Eof)));
    assert_eq!(second.send(&1), Err(TypedSendError::Send(PipeSendError::BrokenPipe)));
    queue.close().expect("close");
    assert_eq!(queue.send(&1), Err(TypedSendError::Send(BytePushError::Closed)));
    assert_eq!(queue.recv::<u8>(), Err(TypedRecvError::Recv(PopError::Closed)));
}

/// Of a message that was read in part as a stream, the rest is the value.
#[test]
fn behind_a_header_that_was_read_as_a_stream() {
    use std::io::Read;
    let (_segment, pipe, _name) = pipe("typed-skip", 64);
    let (mut first, second) = (pipe.first().expect("first"), pipe.second().expect("second"));
    second.send(&(7_u8, "text")).expect("send");
    first.read_exact(&mut [0]).expect("read");
    assert_eq!(first.recv::<String>().expect("recv"), "text");
}
