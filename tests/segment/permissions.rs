//! Users who may not, and users who may only read.

use std::os::unix::fs::PermissionsExt;

use nix::unistd::{Gid, Uid, geteuid, setgid, setgroups, setuid};
use outlive::{LockError, ObjectError, Segment, SegmentError};

use crate::support::{Peer, await_death, no_spawning, say, unique, wait_for_go};

/// In a child: goes on as another user.
pub(crate) fn become_nobody() {
    setgroups(&[]).unwrap();
    setgid(Gid::from_raw(65534)).unwrap();
    setuid(Uid::from_raw(65534)).unwrap();
}

/// Whether children can become another user. Says so if not.
pub(crate) fn can_change_user() -> bool {
    let root = geteuid().is_root();
    if !root {
        eprintln!("only root can become another user: that part was not tested");
    }
    root
}

/// `other-user NAME NAME NAME`: as nobody, tries a segment of mode 0600, one of 0644, one of 0666.
pub(crate) fn other_user(arguments: &[String]) {
    let [private, readable, open] = arguments else { panic!("other-user NAME NAME NAME") };
    become_nobody();

    fn denied<T: std::fmt::Debug>(result: Result<T, SegmentError>) {
        let error = result.unwrap_err();
        assert!(matches!(error, SegmentError::PermissionDenied { .. }), "{error:?}");
        assert!(error.to_string().contains("mode"), "{error}");
    }
    denied(Segment::open(private));
    denied(Segment::options().read_only(true).open(private));
    denied(Segment::create(private));
    denied(Segment::open_or_create(private));
    denied(Segment::unlink(private));
    denied(Segment::open(readable));
    let reader = Segment::options().read_only(true).open(readable).unwrap();
    assert_eq!(reader.find::<outlive::Value<u32>>("v").unwrap().get().unwrap(), 5);
    denied(Segment::unlink(readable));
    let writer = Segment::open(open).unwrap();
    writer.find::<outlive::Value<u32>>("v").unwrap().set(6).unwrap();
    say("done");
}

#[test]
fn the_mode_says_who_may_regardless_of_the_umask() {
    let _before = nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o077));
    let names = [0o600, 0o644, 0o666].map(|mode| {
        let name = unique("mode");
        let segment = Segment::options().mode(mode).create(&name).unwrap();
        segment.value("v", 5_u32).unwrap();
        let file = std::fs::metadata(segment.path().unwrap()).unwrap();
        assert_eq!(file.permissions().mode() & 0o777, mode);
        (name, segment)
    });
    if !can_change_user() {
        return;
    }
    let [(private, _a), (readable, _b), (open, shared)] = &names;
    let mut peer = Peer::spawn("other-user", &[private, readable, open]);
    peer.expect("done");
    peer.join();
    assert_eq!(shared.value("v", 0_u32).unwrap().get().unwrap(), 6);
}

#[test]
fn read_only_handles_read_and_nothing_else() {
    let name = unique("read-only");
    let writer = Segment::create(&name).unwrap();
    let value = writer.value("v", 1_u64).unwrap();
    writer.counter("c").unwrap().add(3).unwrap();
    writer.array("a", 3, [1_u64; 3]).unwrap();
    writer.mutex("m", 1_u64).unwrap();
    writer.queue::<u64>("q", 3).unwrap().push(1).unwrap();
    let reader = Segment::options().read_only(true).open(&name).unwrap();
    assert!(reader.is_read_only() && !writer.is_read_only());

    let seen = reader.find::<outlive::Value<u64>>("v").unwrap();
    value.set(2).unwrap();
    assert_eq!(seen.get().unwrap(), 2);
    assert_eq!(seen.set(3).unwrap_err(), LockError::ReadOnly);
    assert_eq!(reader.counter("c").unwrap().get(), 3);
    assert_eq!(reader.counter("c").unwrap().add(1).unwrap_err(), LockError::ReadOnly);
    let array = reader.array("a", 3, [0_u64; 3]).unwrap();
    assert_eq!(array.to_vec().unwrap(), [[1; 3]; 3]);
    assert!(array.set(0, [2; 3]).is_err());
    assert!(reader.mutex("m", 0_u64).unwrap().lock().is_err());
    let queue = reader.queue::<u64>("q", 3).unwrap();
    assert_eq!(queue.len(), 1);
    assert_eq!(queue.try_pop().unwrap_err(), outlive::PopError::Lock(LockError::ReadOnly));
    assert!(queue.close().is_err());
    let new = reader.value("new", 1_u8).unwrap_err();
    assert_eq!(new, ObjectError::ReadOnly { name: "new".to_owned() });
    assert!(matches!(reader.remove("v"), Err(ObjectError::ReadOnly { .. })));
    assert_eq!(reader.objects().unwrap().len(), 5);

    for refused in [
        Segment::options().read_only(true).create(&unique("ro")),
        Segment::options().read_only(true).open_or_create(&unique("ro")),
        Segment::options().read_only(true).anonymous(),
        Segment::options().persistent(true).anonymous(),
    ] {
        assert!(matches!(refused, Err(SegmentError::InvalidOptions { .. })));
    }
}

#[test]
fn the_last_reader_removes_an_ephemeral_segment_that_it_may_remove() {
    let _quiet = no_spawning();
    let name = unique("last-reader");
    let writer = Segment::create(&name).unwrap();
    let reader = Segment::options().read_only(true).open(&name).unwrap();
    let path = writer.path().unwrap().to_owned();
    drop(writer);
    assert!(path.exists());
    drop(reader);
    assert!(!path.exists());
}

/// `last-reader NAME`: as nobody, is the last one to leave.
pub(crate) fn last_reader(arguments: &[String]) {
    let [name] = arguments else { panic!("last-reader NAME") };
    become_nobody();
    let open = || Segment::options().read_only(true).open(name);
    let reader = open().unwrap();
    say("opened");
    wait_for_go();
    drop(reader);
    assert!(matches!(open(), Err(SegmentError::NotFound { .. })));
    say("left");
}

#[test]
fn a_last_reader_that_may_not_remove_an_ephemeral_segment_leaves_it_to_the_next() {
    if !can_change_user() {
        return;
    }
    let name = unique("left-by-reader");
    let writer = Segment::options().mode(0o644).create(&name).unwrap();
    let path = writer.path().unwrap().to_owned();
    let mut peer = Peer::spawn("last-reader", &[&name]);
    peer.expect("opened");
    drop(writer);
    assert!(path.exists());
    peer.tell("leave");
    peer.expect("left");
    peer.join();
    let _quiet = no_spawning();
    assert!(Segment::options().mode(0o644).open_or_create(&name).unwrap().is_creator());
    assert!(matches!(Segment::open(&name), Err(SegmentError::NotFound { .. })));
    assert!(!path.exists());
}

/// `create-unwritable NAME`: as nobody, creates segments that nobody else may write to.
pub(crate) fn create_unwritable(arguments: &[String]) {
    let [name] = arguments else { panic!("create-unwritable NAME") };
    become_nobody();
    let options = Segment::options().mode(0o444);
    let segment = options.create(name).unwrap();
    assert!(matches!(options.create(name), Err(SegmentError::AlreadyExists { .. })));
    let persistent = format!("{name}-persistent");
    drop(options.persistent(true).create(&persistent).unwrap());
    Segment::unlink(&persistent).unwrap();
    let mode = std::fs::metadata(segment.path().unwrap()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o444);
    say("created");
    await_death();
}

#[test]
fn an_owner_replaces_a_stale_segment_that_its_mode_lets_nobody_write_to() {
    if !can_change_user() {
        return;
    }
    let name = unique("unwritable");
    for _ in 0..2 {
        let mut owner = Peer::spawn("create-unwritable", &[&name]);
        owner.expect("created");
        owner.kill();
    }
    assert!(matches!(Segment::open(&name), Err(SegmentError::NotFound { .. })));
}
