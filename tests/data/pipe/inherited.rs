//! Pipes without a name.

use outlive::{Flow, Pipe, PipeError, PipeRecvError, SegmentError};

use crate::support::{self, Peer, say};

/// The role.
pub(crate) fn child(_arguments: &[String]) {
    let end = Pipe::inherited("talk").expect("inherited").second().expect("second");
    assert!(Pipe::inherited("other").is_err());
    say("ready");
    while let Ok(message) = end.recv_bytes() {
        end.send_bytes(&message).expect("send");
    }
    support::await_death();
}

#[test]
fn a_child_gets_an_end_and_its_death_is_seen() {
    let pipe = outlive::pipe(256).expect("pipe");
    let end = pipe.first().expect("first");
    let mut command = support::command("pipe child", &[]);
    pipe.pass_to(&mut command, "talk").expect("pass");
    end.send_bytes(b"before it starts").expect("send");
    let mut peer = Peer::start("pipe child", command);
    peer.expect("ready");
    assert_eq!(end.recv_bytes().as_deref(), Ok(&b"before it starts"[..]));
    end.send_bytes(b"last words").expect("send");
    assert_eq!(end.poll(std::time::Duration::MAX), Ok(true));
    peer.kill();
    assert_eq!(end.recv_bytes().as_deref(), Ok(&b"last words"[..]));
    assert_eq!(end.recv_bytes(), Err(PipeRecvError::Eof));
}

#[test]
fn errors_say_what_is_wrong() {
    support::watchdog();
    let (segment, _name) = crate::segment("named");
    let named = segment.pipe("p", 64).expect("pipe");
    let mut command = std::process::Command::new("true");
    assert_eq!(named.pass_to(&mut command, "talk"), Err(PipeError::Named));
    let one_way = Pipe::anonymous(64, Flow::OneWay).expect("pipe");
    assert_eq!((one_way.flow(), one_way.capacity()), (Flow::OneWay, 64));
    let refused = one_way.pass_to(&mut command, "a b");
    assert!(matches!(refused, Err(PipeError::Segment(SegmentError::InvalidKey { .. }))));
    let missing = Pipe::inherited("nothing").expect_err("nothing was passed");
    assert!(matches!(missing, PipeError::Segment(SegmentError::NotInherited { .. })));
    let error = outlive::pipe(7).expect_err("too small");
    assert!(error.to_string().contains("24 bytes"), "{error}");
}
