//! `Pipe`: all that was sent is received before the end of file, whether the other end was closed or
//! died; a broken pipe wakes who waits for room; who takes over.

use super::membarrier::nobody_sleeps;
use super::run::{
    Kernel, begin, check, in_time, model, mortal, pass_time, process, with_death,
    with_death_bounded,
};
use crate::{Flow, Pipe, PipeEnd, PipeRecvError, PipeSendError, RoleError, Segment, Side};

/// Room for one message of two words.
const ONE: usize = 5 * 8;

fn pipe(flow: Flow, messages: u64) -> Pipe {
    let segment = Segment::anonymous().expect("a segment");
    let pipe: Pipe = segment.create_object("pipe", (ONE, flow)).expect("a pipe");
    for number in 1..=messages {
        // Left by one that nobody has had, for all that is known.
        pipe.queue_to(Side::First).expect("a queue").push(&message(number)).expect("push");
    }
    begin(&segment);
    pipe
}

/// Two words, so that half of a message would be seen.
fn message(number: u64) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes.chunks_mut(8).for_each(|half| half.copy_from_slice(&number.to_ne_bytes()));
    bytes
}

fn number(bytes: &[u8]) -> u64 {
    let (first, second) = bytes.split_at(8);
    assert_eq!(first, second, "torn");
    u64::from_ne_bytes(first.try_into().expect("a word"))
}

fn recv(end: &PipeEnd) -> Result<u64, PipeRecvError> {
    end.recv_bytes().map(|bytes| number(&bytes))
}

/// Everything, up to the end of file.
fn rest(end: &PipeEnd) -> Vec<u64> {
    let mut all = Vec::new();
    loop {
        match recv(end) {
            Ok(number) => all.push(number),
            Err(PipeRecvError::Eof) => return all,
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn the_end_is_seen_after_the_last_message() {
    model(|| {
        let pipe = pipe(Flow::OneWay, 0);
        let there = pipe.clone();
        let other = process(1, move || {
            let second = there.second().expect("second");
            second.send_bytes(&message(1)).expect("send");
        });
        assert_eq!(rest(&pipe.first().expect("first")), [1]);
        other.join().expect("a process");
    });
}

/// Without waiting: empty, or the message, and only then the end.
#[test]
fn who_does_not_wait_sees_the_end_last_as_well() {
    model(|| {
        let pipe = pipe(Flow::OneWay, 0);
        let there = pipe.clone();
        let other = process(1, move || {
            let second = there.second().expect("second");
            second.send_bytes(&message(1)).expect("send");
        });
        let first = pipe.first().expect("first");
        let seen = first.try_recv_bytes();
        if seen.is_err() {
            assert_eq!(seen, Err(PipeRecvError::Empty), "the end before the message");
        }
        other.join().expect("a process");
        assert_eq!(rest(&first), if seen.is_ok() { vec![] } else { vec![1] });
    });
}

#[test]
fn both_ends_send() {
    check(1, || {
        let pipe = pipe(Flow::Duplex, 0);
        let there = pipe.clone();
        let other = process(1, move || {
            let second = there.second().expect("second");
            let asked = recv(&second).expect("a question");
            second.send_bytes(&message(asked + 1)).expect("send");
        });
        let first = pipe.first().expect("first");
        first.send_bytes(&message(1)).expect("send");
        assert_eq!(recv(&first), Ok(2));
        assert_eq!(recv(&first), Err(PipeRecvError::Eof));
        other.join().expect("a process");
    });
}

#[test]
fn a_close_wakes_who_waits_for_room() {
    model(|| {
        let pipe = pipe(Flow::OneWay, 1);
        let first = pipe.first().expect("first");
        let there = pipe.clone();
        let other = process(1, move || {
            let second = there.second().expect("second");
            assert_eq!(second.send_bytes(&message(2)), Err(PipeSendError::BrokenPipe));
        });
        drop(first);
        other.join().expect("a process");
    });
}

/// What it sent is there, whole, in order, before the end; nobody waits for time to pass.
#[test]
fn a_death_of_who_sends() {
    with_death_bounded(1, |mortality| {
        let pipe = pipe(Flow::OneWay, 0);
        let (dying, there) = (pipe.clone(), pipe.clone());
        let other = process(2, move || rest(&there.first().expect("first")));
        let dying = mortal(1, &mortality, Kernel::Reports, move || {
            let second = dying.second().expect("second");
            second.send_bytes(&message(1)).expect("send");
        });
        let lived = dying.join().expect("a process").is_some();
        // One that died before it took the end was never there; else the death itself is the end.
        if !lived && pipe.is_awaited(Side::Second) {
            drop(pipe.second().expect("the end is free"));
        }
        let all = other.join().expect("a process");
        assert!(all == [1] || (!lived && all.is_empty()), "{all:?}");
    });
}

#[test]
fn a_death_of_who_receives() {
    with_death_bounded(1, |mortality| {
        let pipe = pipe(Flow::OneWay, 1);
        let (dying, there) = (pipe.clone(), pipe.clone());
        let dying = mortal(1, &mortality, Kernel::Reports, move || {
            recv(&dying.first().expect("first")).expect("recv")
        });
        // It is read by the dying one, its successor, or nobody.
        let other = in_time(2, move || {
            let second = there.second().expect("second");
            second.send_bytes(&message(2))
        });
        let received = dying.join().expect("a process");
        assert!(received.is_none_or(|first| first == 1));
        if received.is_none() && pipe.is_awaited(Side::First) {
            // It died before it took the end.
            drop(pipe.first().expect("the end is free"));
        }
        let sent = pass_time(other);
        assert!(sent == Ok(()) || sent == Err(PipeSendError::BrokenPipe), "{sent:?}");
        let all = rest(&pipe.first().expect("first"));
        let mut expected: Vec<u64> = if received.is_some() { vec![] } else { vec![1] };
        expected.extend(sent.is_ok().then_some(2));
        let taken = received.is_none() && all == expected[1..];
        assert!(all == expected || taken, "{all:?} after {received:?}, {sent:?}");
    });
}

/// A death that the kernel does not report is found in time.
#[test]
fn a_death_that_nobody_reports() {
    with_death_bounded(1, |mortality| {
        let pipe = pipe(Flow::OneWay, 0);
        let second = pipe.clone();
        let dying = mortal(1, &mortality, Kernel::Overlooks, move || {
            let second = second.second().expect("second");
            second.send_bytes(&message(1)).expect("send");
        });
        let lived = dying.join().expect("a process").is_some();
        if !lived && pipe.is_awaited(Side::Second) {
            drop(pipe.second().expect("the end is free"));
        }
        let there = pipe.clone();
        let other = in_time(2, move || rest(&there.first().expect("first")));
        let all = pass_time(other);
        assert!(all == [1] || (!lived && all.is_empty()), "{all:?}");
    });
}

/// Who has taken its end has the lock by then: it is never taken for one that is gone.
#[test]
fn an_end_that_is_taken_is_there() {
    model(|| {
        nobody_sleeps();
        let pipe = pipe(Flow::Duplex, 0);
        let there = pipe.clone();
        let other = process(1, move || {
            let end = there.second().expect("nobody has it");
            assert!(!end.is_peer_gone());
        });
        let end = pipe.first().expect("nobody has it");
        other.join().expect("a process");
        drop(end);
    });
}

#[test]
fn one_of_two_gets_the_end() {
    with_death(|mortality| {
        let pipe = pipe(Flow::OneWay, 0);
        let there = pipe.clone();
        let take = |pipe: &Pipe, text: u64| match pipe.second() {
            Ok(second) => second.try_send_bytes(&message(text)).map(|()| second.close()).is_ok(),
            Err(RoleError::Taken { .. }) => false,
            Err(error) => panic!("{error}"),
        };
        let dying = mortal(1, &mortality, Kernel::Reports, move || take(&there, 1));
        let mine = take(&pipe, 2);
        let theirs = dying.join().expect("a process");
        drop(pipe.second().expect("the end is free"));
        let all = rest(&pipe.first().expect("first"));
        let expected = |first: bool, second: bool| {
            let mut all = Vec::new();
            all.extend(first.then_some(1));
            all.extend(second.then_some(2));
            all
        };
        let mut sorted = all.clone();
        sorted.sort_unstable();
        let right = match theirs {
            Some(theirs) => sorted == expected(theirs, mine),
            None => sorted == expected(false, mine) || sorted == expected(true, mine),
        };
        assert!(right, "{all:?}, {mine} and {theirs:?}");
    });
}
