//! Memory that runs out is an error, never a signal.

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use outlive::{ObjectError, Segment, SegmentError};

use crate::support::{Peer, say};

/// `full-tmpfs`: in a mount namespace of its own, with a tmpfs of 64 KiB.
pub(crate) fn full_tmpfs(_arguments: &[String]) {
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    let prepared = unshare(CloneFlags::CLONE_NEWNS)
        .and_then(|()| mount(None::<&str>, "/", None::<&str>, private, None::<&str>))
        .and_then(|()| {
            mount(Some("none"), "/dev/shm", Some("tmpfs"), MsFlags::empty(), Some("size=64k"))
        });
    if let Err(errno) = prepared {
        eprintln!("no mount namespace of its own ({errno}): a full tmpfs was not tested");
        return say("skipped");
    }

    // Nothing is taken but what is used, so a large capacity is fine.
    let segment = Segment::create("small").unwrap();
    let needed = segment.array("too-large", 1 << 20, 0_u8).unwrap_err();
    assert!(matches!(needed, ObjectError::NoSpace { .. }), "{needed:?}");
    // The failed one left nothing: the name is free, and the space.
    assert!(segment.objects().unwrap().is_empty());
    let array = segment.array("fits", 4000, 1_u32).unwrap();
    assert_eq!(array.to_vec().unwrap(), vec![1_u32; 4000]);
    let mut count = 0_u32;
    let error = loop {
        match segment.array(&format!("more-{count}"), 4096, 1_u8) {
            Ok(array) => assert_eq!(array.get(4095).unwrap(), 1),
            Err(error) => break error,
        }
        count += 1;
        assert!(count < 16, "64 KiB hold no more");
    };
    assert!(matches!(error, ObjectError::NoSpace { .. }), "{error:?}");
    assert!(error.to_string().contains("df"), "{error}");

    // Fill what is left, then not even a segment's first page is to be had.
    let mut rest = vec![0_u8; 4096];
    let filler = std::fs::File::create("/dev/shm/filler").unwrap();
    while std::io::Write::write(&mut &filler, &rest).is_ok_and(|written| written > 0) {
        rest.truncate(4096);
    }
    let error = Segment::create("another").unwrap_err();
    assert!(matches!(error, SegmentError::NoSpace { .. }), "{error:?}");
    let error = Segment::options().prefault(true).capacity(1 << 20).create("x").unwrap_err();
    assert!(matches!(error, SegmentError::NoSpace { .. }), "{error:?}");

    // Existing objects go on, and removing makes room again.
    array.set(0, 7).unwrap();
    assert_eq!(array.get(0).unwrap(), 7);
    segment.remove("more-0").unwrap();
    assert!(segment.array("again", 4000, 1_u8).is_ok());
    say("done");
}

#[test]
fn a_full_file_system_is_an_error() {
    let mut peer = Peer::spawn("full-tmpfs", &[]);
    let said = peer.hear();
    assert!(said == "done" || said == "skipped", "{said}");
    peer.join();
}

#[test]
fn a_full_segment_is_an_error_that_names_the_capacity() {
    let segment = Segment::options().capacity(16 << 10).anonymous().unwrap();
    let error = segment.array("large", 10_000, 0_u64).unwrap_err();
    assert!(matches!(error, ObjectError::SegmentFull { .. }), "{error:?}");
    assert!(error.to_string().contains("capacity"), "{error}");
    assert!(segment.array("small", 100, 0_u64).is_ok());
    for impossible in [usize::MAX, u32::MAX as usize + 1] {
        let error = segment.array("huge", impossible, 0_u64).unwrap_err();
        assert!(matches!(error, ObjectError::InvalidShape { .. }), "{error:?}");
    }
    let error = segment.queue::<u64>("none", 0).unwrap_err();
    assert!(matches!(error, ObjectError::InvalidShape { .. }), "{error:?}");
}
