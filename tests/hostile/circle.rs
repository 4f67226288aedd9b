//! A directory that runs in a circle, in a segment as large as one may be.

use std::fs::File;
use std::os::unix::fs::FileExt;

use nix::sys::resource::{Resource, setrlimit};
use outlive::{ObjectError, Segment};

use crate::support::{Peer, say, unique, watchdog};

/// Where the header links to the directory's second block, and where that is to be.
const NEXT_BLOCK: u64 = 168;
const BLOCK: u64 = 8192;

/// What 2^46 bytes of address space leave to a process that uses little memory.
const MEMORY: u64 = 1 << 30;

/// `circle NAME`: looks into the segment with little memory to spare.
pub(crate) fn look(arguments: &[String]) {
    let [name] = arguments else { panic!("circle NAME") };
    let segment = Segment::open(name).expect("open");
    let limit = segment.capacity() + MEMORY;
    setrlimit(Resource::RLIMIT_AS, limit, limit).expect("setrlimit");
    for error in [
        segment.objects().expect_err("a circle"),
        segment.find::<outlive::Counter>("none").expect_err("a circle"),
        segment.counter("new").expect_err("a circle"),
        segment.remove("none").expect_err("a circle"),
    ] {
        assert!(matches!(error, ObjectError::Corrupt { .. }), "{error:?}");
    }
    say("done");
}

#[test]
fn a_circle_is_found_however_large_the_segment_is() {
    watchdog();
    let name = unique("circle");
    let segment = Segment::options().capacity(1 << 46).create(&name).expect("create");
    let path = segment.path().expect("a name");
    let file = File::options().write(true).open(path).expect("open");
    file.write_all_at(&BLOCK.to_ne_bytes(), NEXT_BLOCK).expect("write");
    file.write_all_at(&BLOCK.to_ne_bytes(), BLOCK).expect("write");
    let mut peer = Peer::spawn("circle", &[&name]);
    peer.expect("done");
    peer.join();
}
