//! Segments without a name, which only children get.

use std::process::Command;

use outlive::{Segment, SegmentError};

use crate::support::{self, Peer, say};

/// `anonymous-child`: uses what it was passed.
pub(crate) fn child(_arguments: &[String]) {
    let segment = Segment::inherited("jobs").unwrap();
    assert_eq!(segment.name(), None);
    segment.counter("c").unwrap().add(5).unwrap();
    let again = Segment::inherited("jobs").unwrap();
    assert_eq!(again.counter("c").unwrap().get(), 5);
    let other = Segment::inherited("other").unwrap_err();
    assert!(matches!(other, SegmentError::NotInherited { .. }), "{other:?}");
    // Its own children get nothing by accident.
    let listed = Command::new("ls").args(["-l", "/proc/self/fd"]).output().unwrap();
    assert!(!String::from_utf8_lossy(&listed.stdout).contains("memfd"));
    say("done");
    support::await_death();
}

#[test]
fn a_child_gets_it_and_nobody_else_can_open_it() {
    let segment = Segment::anonymous().unwrap();
    assert!(segment.path().is_none());
    let counter = segment.counter("c").unwrap();
    let mut command = support::command("anonymous-child", &[]);
    segment.pass_to(&mut command, "jobs").unwrap();
    let mut peer = Peer::start("anonymous-child", command);
    peer.expect("done");
    assert_eq!(counter.get(), 5);
    peer.kill();
    assert_eq!(counter.add(1).unwrap(), 6);
}

/// `cut-short`: tries to shrink the one segment that there is here. (Among other tests, it would find
/// what they have not sealed yet.)
pub(crate) fn cut_short(_arguments: &[String]) {
    let segment = Segment::anonymous().unwrap();
    let memfds = std::fs::read_dir("/proc/self/fd").unwrap().flatten().filter(|entry| {
        std::fs::read_link(entry.path())
            .is_ok_and(|link| link.to_string_lossy().contains("memfd:outlive"))
    });
    let mut tried = 0;
    for memfd in memfds {
        let Ok(file) = std::fs::OpenOptions::new().write(true).open(memfd.path()) else { continue };
        assert!(file.set_len(0).is_err(), "sealed against shrinking");
        tried += 1;
    }
    assert!(tried > 0);
    drop(segment);
}

#[test]
fn it_cannot_be_cut_short() {
    Peer::spawn("cut-short", &[]).join();
}

#[test]
fn keys_and_missing_segments_have_clear_errors() {
    let error = Segment::inherited("nothing").unwrap_err();
    assert!(error.to_string().contains("pass_to"), "{error}");
    let segment = Segment::anonymous().unwrap();
    for key in ["", "a b", "ä", "a=b"] {
        let error = segment.pass_to(&mut Command::new("true"), key).unwrap_err();
        assert!(matches!(error, SegmentError::InvalidKey { .. }), "{error:?}");
    }
}

/// `read-only-child`: can read what it was passed, and not write.
pub(crate) fn read_only_child(_arguments: &[String]) {
    let segment = Segment::inherited("look").unwrap();
    assert!(segment.is_read_only());
    let value = segment.find::<outlive::Value<u32>>("v").unwrap();
    assert_eq!(value.get().unwrap(), 5);
    assert_eq!(value.set(6).unwrap_err(), outlive::LockError::ReadOnly);
    say("done");
}

#[test]
fn what_is_read_only_here_is_read_only_there() {
    let name = support::unique("pass-read-only");
    let writer = Segment::create(&name).unwrap();
    writer.value("v", 5_u32).unwrap();
    let reader = Segment::options().read_only(true).open(&name).unwrap();
    let mut command = support::command("read-only-child", &[]);
    reader.pass_to(&mut command, "look").unwrap();
    let mut peer = Peer::start("read-only-child", command);
    peer.expect("done");
    peer.join();
    assert_eq!(writer.value("v", 0_u32).unwrap().get().unwrap(), 5);
}
