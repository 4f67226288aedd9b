//! The end of file and the broken pipe: at a close, and at a death, after all that was sent.

use outlive::{Pipe, PipeRecvError, PipeSendError, Segment};

use super::driver::{Driver, pipe, received};
use crate::observe::Random;
use crate::support::{Peer, say};

#[test]
fn what_was_sent_is_received_before_the_end_of_file() {
    for killed in [false, true] {
        let (_segment, pipe, name) = pipe("left", 256);
        let first = pipe.first().expect("first");
        let mut second = Driver::with(&name, "second");
        second.does("send one", "sent");
        second.does("send two", "sent");
        if killed {
            second.peer.kill();
        } else {
            second.does("drop", "dropped");
        }
        assert!(first.is_peer_gone());
        assert_eq!(first.poll(std::time::Duration::ZERO), Ok(true));
        // Nobody would receive it; and what is there stays.
        assert_eq!(first.send_bytes(b"more"), Err(PipeSendError::BrokenPipe));
        assert_eq!(received(first.recv_bytes()), "one");
        assert_eq!(received(first.recv_bytes()), "two");
        for _again in 0..3 {
            assert_eq!(first.recv_bytes(), Err(PipeRecvError::Eof));
            assert_eq!(first.try_recv_bytes(), Err(PipeRecvError::Eof));
            assert_eq!(first.recv_bytes_timeout(std::time::Duration::MAX), Err(PipeRecvError::Eof));
            assert_eq!(first.poll(std::time::Duration::ZERO), Ok(true));
        }
    }
}

/// Whatever it waits for.
#[test]
fn who_waits_hears_of_it() {
    for (command, answer) in [
        ("recv", "Eof"),
        ("recv-timeout - 600000", "Eof"),
        ("poll - 600000", "Ok(true)"),
        ("wait - 600000", "ready"),
        ("send 12345678", "BrokenPipe"),
        ("send-timeout 12345678 600000", "BrokenPipe"),
        ("wait-writable - 8", "ready"),
    ] {
        for killed in [false, true] {
            let (_segment, pipe, name) = pipe("hears", 24);
            let mut waiting = Driver::with(&name, "first");
            let mut going = Driver::with(&name, "second");
            if answer == "BrokenPipe" || command.starts_with("wait-w") {
                waiting.does("send 12345678", "sent");
                waiting.does("send ", "sent");
            }
            waiting.block(command);
            if killed {
                going.peer.kill();
            } else {
                going.does("drop", "dropped");
            }
            waiting.peer.expect(answer);
            drop(pipe);
        }
    }
}

#[test]
fn a_message_is_sent_as_a_whole_or_not_at_all() {
    let (_segment, pipe, name) = pipe("half", 256);
    let first = pipe.first().expect("first");
    let mut dying = Driver::with(&name, "second");
    dying.does("send whole", "sent");
    dying.does("grant half", "granted");
    dying.peer.kill();
    assert_eq!(received(first.recv_bytes()), "whole");
    assert_eq!(first.recv_bytes(), Err(PipeRecvError::Eof));
    // Who comes next finds it dropped, and goes on.
    let mut successor = Driver::with(&name, "second");
    successor.does("send next", "sent");
    assert_eq!(received(first.recv_bytes()), "next");
    assert_eq!(pipe.stats().dropped, 1);
}

#[test]
fn a_successor_goes_on_where_the_dead_one_was() {
    let (_segment, pipe, name) = pipe("successor", 256);
    let first = pipe.first().expect("first");
    first.send_bytes(b"one").expect("send");
    first.send_bytes(b"two").expect("send");
    let mut dying = Driver::with(&name, "second");
    dying.does("send before", "sent");
    dying.does("read", "one");
    dying.peer.kill();
    let mut successor = Driver::with(&name, "second");
    assert!(!first.is_peer_gone());
    successor.does("recv", "one");
    successor.does("recv", "two");
    successor.does("send after", "sent");
    assert_eq!(received(first.recv_bytes()), "before");
    assert_eq!(received(first.recv_bytes()), "after");
    assert_eq!(pipe.stats().redelivered, 1);
    first.send_bytes(b"three").expect("send");
    successor.does("recv", "three");
    // Closed, it can be taken again as well.
    successor.does("drop", "dropped");
    assert_eq!(first.recv_bytes(), Err(PipeRecvError::Eof));
    successor.does("second", "taken");
    successor.does("send again", "sent");
    assert_eq!(received(first.recv_bytes()), "again");
}

/// Both are gone: what was sent waits for whoever takes the ends.
#[test]
fn what_the_dead_sent_can_be_received_by_who_comes_later() {
    let (_segment, pipe, name) = pipe("later", 256);
    let mut dying = Driver::with(&name, "second");
    dying.does("send late", "sent");
    dying.peer.kill();
    let first = pipe.first().expect("first");
    assert_eq!(received(first.recv_bytes()), "late");
    assert_eq!(first.recv_bytes(), Err(PipeRecvError::Eof));
}

/// The role: numbers, each as often as its length says, until it is killed.
pub(crate) fn send_for_ever(arguments: &[String]) {
    let pipe: Pipe = Segment::open(&arguments[0]).expect("open").find("p").expect("find");
    let end = pipe.second().expect("second");
    let mut random = Random::new(u64::from(std::process::id()));
    say("ready");
    for number in 0_u64.. {
        let length = 1 + random.below(200) as usize;
        end.send_bytes(&number.to_ne_bytes().repeat(length)).expect("send");
    }
}

/// Each message once, whole, in order, and then the end of file at once.
#[test]
fn kills_in_the_middle_of_a_stream_lose_nothing_that_was_sent() {
    let (_segment, pipe, name) = pipe("stream", 8000);
    let first = pipe.first().expect("first");
    let mut random = Random::new(3);
    for _ in 0..20 {
        let mut sender = Peer::spawn("pipe send", &[&name]);
        sender.expect("ready");
        let mut expected = 0_u64;
        let mut check = |message: &[u8]| {
            assert!(!message.is_empty() && message.len().is_multiple_of(8));
            for word in message.chunks(8) {
                assert_eq!(word, expected.to_ne_bytes(), "torn or lost");
            }
            expected += 1;
        };
        for _ in 0..random.below(2000) {
            check(&first.recv_bytes().expect("recv"));
        }
        sender.kill();
        loop {
            match first.recv_bytes() {
                Ok(message) => check(&message),
                Err(PipeRecvError::Eof) => break,
                Err(error) => panic!("{error}"),
            }
        }
    }
}
