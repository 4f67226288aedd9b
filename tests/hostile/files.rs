//! Damage to the file under a mapping.

use std::fs::File;
use std::os::unix::process::ExitStatusExt;

use outlive::{Segment, Value};

use crate::support::{Peer, say, unique, wait_for_go, watchdog};

/// `truncate NAME`: reads a value before and after its file was cut.
pub(crate) fn use_cut_file(arguments: &[String]) {
    let [name] = arguments else { panic!("truncate NAME") };
    let segment = Segment::open(name).expect("open");
    let value: Value<u64> = segment.find("value").expect("find");
    assert_eq!(value.get(), Ok(5));
    say("mapped");
    wait_for_go();
    let after = value.get();
    say(&format!("{after:?}"));
}

/// The known limit: files that have a name cannot be sealed, and whoever may write one may cut it.
#[test]
fn a_cut_file_ends_those_who_read_beyond_its_end_and_nobody_else() {
    watchdog();
    let name = unique("cut");
    let segment = Segment::create(&name).expect("create");
    segment.value("value", 5_u64).expect("value");
    let mut reader = Peer::spawn("truncate", &[&name]);
    reader.expect("mapped");
    let path = segment.path().expect("a name");
    File::options().write(true).open(path).expect("open").set_len(4096).expect("ftruncate");
    reader.tell("go");
    let status = reader.wait();
    assert_eq!(status.signal(), Some(nix::libc::SIGBUS), "{status}");
    // Who comes now is told.
    let error = Segment::open(&name).unwrap_err();
    assert!(matches!(error, outlive::SegmentError::Truncated { .. }), "{error:?}");
}
