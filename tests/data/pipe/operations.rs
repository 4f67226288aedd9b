//! Messages in and out, with both ends in one process.

use outlive::{Flow, LockError, ObjectError, Pipe, PipeRecvError, PipeSendError, Segment, Side};

use super::driver::pipe;

#[test]
fn messages_arrive_whole_in_order_in_both_directions() {
    let (_segment, pipe, _name) = pipe("both", 1024);
    let (first, second) = (pipe.first().expect("first"), pipe.second().expect("second"));
    for round in 0..200_usize {
        let message = vec![round as u8; round % 90];
        first.send_bytes(&message).expect("send");
        second.send_bytes(&message[..message.len() / 2]).expect("send");
        assert_eq!(second.recv_bytes().expect("recv"), message);
        assert_eq!(first.recv_bytes().expect("recv"), message[..message.len() / 2]);
    }
    assert_eq!(first.try_recv_bytes(), Err(PipeRecvError::Empty));
    assert_eq!((first.side(), second.side()), (Side::First, Side::Second));
}

#[test]
fn an_empty_message_is_one() {
    let (_segment, pipe, _name) = pipe("empty", 64);
    let (first, second) = (pipe.first().expect("first"), pipe.second().expect("second"));
    first.send_bytes(b"").expect("send");
    first.send_bytes(b"x").expect("send");
    assert_eq!(second.recv_bytes().as_deref(), Ok(&b""[..]));
    assert_eq!(second.recv_bytes().as_deref(), Ok(&b"x"[..]));
    assert_eq!(second.try_recv_bytes(), Err(PipeRecvError::Empty));
}

#[test]
fn a_message_that_is_too_long_is_refused_and_harms_nothing() {
    let (_segment, pipe, _name) = pipe("long", 128);
    let (first, second) = (pipe.first().expect("first"), pipe.second().expect("second"));
    let largest = first.max_message();
    let error = first.send_bytes(&vec![7; largest + 1]).expect_err("too long");
    assert_eq!(error, PipeSendError::TooLong { length: largest + 1, largest });
    assert!(error.to_string().contains(&largest.to_string()), "{error}");
    assert_eq!(
        first.try_send_bytes(&vec![7; 100_000]).map_err(|e| format!("{e:?}").len() > 8),
        Err(true)
    );
    assert_eq!(second.try_recv_bytes(), Err(PipeRecvError::Empty));
    first.send_bytes(&vec![8; largest]).expect("the longest");
    assert_eq!(second.recv_bytes().expect("recv"), vec![8; largest]);
}

#[test]
fn in_place() {
    let (_segment, pipe, _name) = pipe("in-place", 256);
    let (first, second) = (pipe.first().expect("first"), pipe.second().expect("second"));
    let mut grant = first.grant(20).expect("grant");
    grant[..5].copy_from_slice(b"whole");
    grant.commit_part(5);
    drop(first.grant(20).expect("grant"));
    let message = second.read_message().expect("read");
    assert_eq!(&*message, b"whole");
    message.keep();
    let mut buffer = b"old".to_vec();
    second.recv_bytes_into(&mut buffer).expect("recv");
    assert_eq!(buffer, b"whole");
    assert_eq!(second.try_recv_bytes_into(&mut buffer), Err(PipeRecvError::Empty));
    assert_eq!(buffer, b"whole");
    assert!(matches!(second.try_read_message(), Err(PipeRecvError::Empty)));
}

#[test]
fn one_way_goes_from_the_second_end_to_the_first() {
    let (segment, _name) = crate::segment("one-way");
    let pipe = segment.one_way_pipe("p", 64).expect("pipe");
    assert_eq!(pipe.flow(), Flow::OneWay);
    let (first, second) = (pipe.first().expect("first"), pipe.second().expect("second"));
    second.send_bytes(b"so").expect("send");
    assert_eq!(first.recv_bytes().as_deref(), Ok(&b"so"[..]));
    assert_eq!(first.send_bytes(b"not so"), Err(PipeSendError::ReceivesOnly));
    assert_eq!(second.recv_bytes(), Err(PipeRecvError::SendsOnly));
    assert_eq!(second.poll(std::time::Duration::ZERO), Ok(false));
    drop(first);
    assert_eq!(second.poll(std::time::Duration::ZERO), Ok(true));
    assert_eq!(second.send_bytes(b"more"), Err(PipeSendError::BrokenPipe));
}

/// Nobody else can send, or make room.
#[test]
fn a_thread_with_both_ends_does_not_wait_for_itself() {
    let (_segment, pipe, _name) = pipe("self", 24);
    let (first, second) = (pipe.first().expect("first"), pipe.second().expect("second"));
    let deadlock = LockError::Deadlock;
    assert_eq!(first.recv_bytes(), Err(PipeRecvError::Lock(deadlock.clone())));
    first.send_bytes(b"12345678").expect("send");
    first.send_bytes(b"").expect("send");
    assert_eq!(first.send_bytes(b"more"), Err(PipeSendError::Lock(deadlock)));
    assert_eq!(first.try_send_bytes(b"more"), Err(PipeSendError::Full));
    assert_eq!(second.recv_bytes().as_deref(), Ok(&b"12345678"[..]));
}

#[test]
fn a_pipe_is_found_by_name_and_shape() {
    let (segment, pipe, name) = pipe("shape", 100);
    assert_eq!((pipe.capacity(), pipe.flow()), (104, Flow::Duplex));
    let again = Segment::open(&name).expect("open");
    let found: Pipe = again.find("p").expect("find");
    assert_eq!(found.capacity(), 104);
    assert!(again.pipe("p", 100).is_ok() && again.pipe("p", 104).is_ok());
    for outcome in [segment.pipe("p", 200), segment.one_way_pipe("p", 100)] {
        assert!(matches!(outcome, Err(ObjectError::ShapeMismatch { .. })), "{outcome:?}");
    }
    for capacity in [0, 23, usize::MAX] {
        let outcome = segment.pipe("other", capacity);
        assert!(matches!(outcome, Err(ObjectError::InvalidShape { .. })), "{outcome:?}");
    }
    let listed = segment.objects().expect("objects");
    assert_eq!(listed[0].kind, Some(outlive::ObjectKind::Pipe));
}
