//! Files that are no segments, or damaged ones: a distinct error each, and never a signal.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use outlive::{ObjectError, Segment, SegmentError, Value};

use crate::support::{unique, watchdog};

/// A persistent segment's file, removed at the end.
struct Victim {
    name: String,
    path: PathBuf,
}

impl Victim {
    fn new(what: &str) -> Self {
        watchdog();
        let name = unique(what);
        let options = Segment::options().persistent(true).capacity(1 << 20);
        let segment = options.create(&name).unwrap();
        segment.value("v", 5_u32).unwrap();
        segment.queue::<u64>("q", 10).unwrap();
        segment.array("a", 10, 1_u16).unwrap();
        let path = Path::new("/dev/shm").join(&name);
        Self { name, path }
    }

    fn alter(&self, offset: u64, bytes: &[u8]) {
        let file = OpenOptions::new().write(true).open(&self.path).unwrap();
        file.write_all_at(bytes, offset).unwrap();
    }

    fn read(&self, offset: u64, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        fs::File::open(&self.path).unwrap().read_exact_at(&mut bytes, offset).unwrap();
        bytes
    }

    fn open(&self) -> Result<Segment, SegmentError> {
        Segment::open(&self.name)
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        let _gone = fs::remove_file(&self.path);
    }
}

#[test]
fn each_damage_of_the_header_has_its_error() {
    type E = SegmentError;
    let victim = Victim::new("header");
    let whole = victim.read(0, 64);
    let check = |offset: u64, bytes: &[u8], is: fn(&E) -> bool| {
        victim.alter(offset, bytes);
        let error = victim.open().unwrap_err();
        assert!(is(&error), "bytes at {offset}: {error:?}");
        assert!(error.to_string().contains(&victim.name), "{error}");
        victim.alter(0, &whole);
    };
    let swapped: Vec<u8> = whole[8..12].iter().rev().copied().collect();
    check(0, b"outlive\0", |e| matches!(e, E::NotASegment { .. }));
    check(8, &swapped, |e| matches!(e, E::ForeignEndianness { .. }));
    check(8, &[1, 2, 3, 4], |e| matches!(e, E::Corrupt { .. }));
    check(12, &[77, 0, 0, 0], |e| matches!(e, E::VersionMismatch { found: 77, .. }));
    check(16, &[1; 8], |e| matches!(e, E::LayoutMismatch { .. }));
    check(24, &[0xff; 8], |e| matches!(e, E::Corrupt { .. }));
    check(24, &[0; 8], |e| matches!(e, E::Corrupt { .. }));
    check(24, &(2_u64 << 20).to_ne_bytes(), |e| matches!(e, E::Truncated { .. }));
    check(32, &[9, 0, 0, 0], |e| matches!(e, E::Corrupt { .. }));
    check(36, &[0; 4], |e| matches!(e, E::Corrupt { .. }));
    check(40, &[7; 8], |e| matches!(e, E::ForeignPidNamespace { .. }));
    assert!(victim.open().is_ok());
}

#[test]
fn a_truncated_file_is_an_error_at_every_length() {
    let victim = Victim::new("truncated");
    let file = OpenOptions::new().write(true).open(&victim.path).unwrap();
    for length in [(1 << 20) - 1, 8192, 4096, 4095, 100, 48, 47, 8, 7] {
        file.set_len(length).unwrap();
        let error = victim.open().unwrap_err();
        assert!(matches!(error, SegmentError::Truncated { .. }), "{length}: {error:?}");
    }
    for length in [6, 1, 0] {
        file.set_len(length).unwrap();
        let error = victim.open().unwrap_err();
        assert!(matches!(error, SegmentError::NotASegment { .. }), "{length}: {error:?}");
    }
}

#[test]
fn other_kinds_of_files_are_named_as_such() {
    watchdog();
    let check = |name: &str, word: &str| {
        for result in [Segment::open(name), Segment::create(name), Segment::open_or_create(name)] {
            let error = result.unwrap_err();
            assert!(matches!(error, SegmentError::NotASegment { .. }), "{error:?}");
            assert!(error.to_string().contains(word), "{error}");
        }
        assert!(matches!(Segment::unlink(name), Err(SegmentError::NotASegment { .. })));
    };
    let name = unique("kind");
    let path = Path::new("/dev/shm").join(&name);

    fs::write(&path, "").unwrap();
    check(&name, "empty");
    fs::write(&path, vec![b'x'; 10_000]).unwrap();
    check(&name, "another kind of file");
    fs::remove_file(&path).unwrap();

    fs::create_dir(&path).unwrap();
    check(&name, "directory");
    fs::remove_dir(&path).unwrap();

    std::os::unix::fs::symlink("/dev/shm/nowhere", &path).unwrap();
    check(&name, "symbolic link");
    fs::remove_file(&path).unwrap();

    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    check(&name, "FIFO");
    fs::remove_file(&path).unwrap();
}

#[test]
fn names_that_cannot_be_are_errors_before_anything_else() {
    for name in ["", "/", "a/b", "..", ".", "a\0b"] {
        let error = Segment::open_or_create(name).unwrap_err();
        assert!(matches!(error, SegmentError::InvalidName { .. }), "{name:?}: {error:?}");
    }
    let error = Segment::create(&"n".repeat(300)).unwrap_err();
    assert_eq!(error, SegmentError::NameTooLong { length: 300, limit: 255 });
}

/// The first entry of the directory: `state, offset, size, tag, kind, lengths, name, type`.
const ENTRY: u64 = 512;

#[test]
fn entries_that_lead_outside_are_errors() {
    let victim = Victim::new("entry");
    let whole = victim.read(ENTRY, 256);
    let find = |victim: &Victim| victim.open().unwrap().find::<Value<u32>>("v");
    assert!(find(&victim).is_ok());
    for offset in [0, 64, 4095, 4096 + 1, (1 << 20) - 8, 1 << 20, u64::MAX, u64::MAX - 63] {
        victim.alter(ENTRY + 8, &offset.to_ne_bytes());
        let error = find(&victim).unwrap_err();
        assert!(matches!(error, ObjectError::Corrupt { .. }), "{offset}: {error:?}");
        victim.alter(ENTRY, &whole);
    }
    for size in [0, 1, 47, 1 << 20, u64::MAX] {
        victim.alter(ENTRY + 16, &size.to_ne_bytes());
        let error = find(&victim).unwrap_err();
        assert!(matches!(error, ObjectError::Corrupt { .. }), "{size}: {error:?}");
        victim.alter(ENTRY, &whole);
    }
    // Another kind, and one that this version does not know.
    for kind in [1_u32, 99] {
        victim.alter(ENTRY + 32, &kind.to_ne_bytes());
        assert!(matches!(find(&victim), Err(ObjectError::TypeMismatch { .. })));
        victim.alter(ENTRY, &whole);
    }
    // Text lengths beyond the text only make a message strange.
    victim.alter(ENTRY + 36, &[0xff; 4]);
    let objects = victim.open().unwrap().objects().unwrap();
    assert_eq!(objects.len(), 3);
}

#[test]
fn removed_entries_that_lead_outside_are_used_again() {
    let victim = Victim::new("removed");
    let segment = victim.open().unwrap();
    let ranges =
        [(u64::MAX, 0), (u64::MAX - 4095, 1), (8192, u64::MAX), (1 << 20, 1 << 20), (0, 0)];
    for (offset, size) in ranges {
        victim.alter(ENTRY, &[2_u64, offset, size].map(u64::to_ne_bytes).concat());
        let value = segment.value("new", 1_u8).unwrap();
        assert_eq!(value.get().unwrap(), 1);
        let state = victim.read(ENTRY, 8)[0];
        assert_eq!(state & 3, 1, "{offset} {size}: the entry is the new object's");
        drop(value);
        segment.remove("new").unwrap();
    }
}

#[test]
fn links_that_lead_outside_or_round_in_circles_are_errors() {
    let victim = Victim::new("links");
    const NEXT_BLOCK: u64 = 168;
    for link in [1, 63, 64, 4095, 1 << 20, u64::MAX, (1 << 20) - 64] {
        victim.alter(NEXT_BLOCK, &u64::to_ne_bytes(link));
        let segment = victim.open().unwrap();
        let error = segment.objects().unwrap_err();
        assert!(matches!(error, ObjectError::Corrupt { .. }), "{link}: {error:?}");
        let error = segment.value("new", 1_u8).unwrap_err();
        assert!(matches!(error, ObjectError::Corrupt { .. }), "{link}: {error:?}");
    }
    // A block whose successor is itself.
    victim.alter(NEXT_BLOCK, &8192_u64.to_ne_bytes());
    victim.alter(8192, &8192_u64.to_ne_bytes());
    let error = victim.open().unwrap().objects().unwrap_err();
    assert!(error.to_string().contains("circle"), "{error}");
}

#[test]
fn objects_that_overlap_are_found_before_a_third_is_made() {
    let victim = Victim::new("overlap");
    let first = victim.read(ENTRY + 8, 8);
    victim.alter(ENTRY + 256 + 8, &first);
    let error = victim.open().unwrap().value("new", 1_u8).unwrap_err();
    assert!(matches!(error, ObjectError::Corrupt { .. }), "{error:?}");
}

#[test]
fn shapes_that_do_not_fit_their_memory_are_errors() {
    let victim = Victim::new("shapes");
    let place = |index: u64| {
        let bytes = victim.read(ENTRY + index * 256 + 8, 8);
        u64::from_ne_bytes(bytes.try_into().unwrap())
    };
    let (queue, array) = (place(1), place(2));
    for capacity in [0, 11, u64::MAX, 1 << 40] {
        victim.alter(queue, &u64::to_ne_bytes(capacity));
        let error = victim.open().unwrap().find::<outlive::Queue<u64>>("q").unwrap_err();
        assert!(matches!(error, ObjectError::Corrupt { .. }), "{capacity}: {error:?}");
    }
    for length in [1000, u64::MAX, u64::MAX / 2, 1 << 33] {
        victim.alter(array + 40, &u64::to_ne_bytes(length));
        let error = victim.open().unwrap().find::<outlive::Array<u16>>("a").unwrap_err();
        assert!(matches!(error, ObjectError::Corrupt { .. }), "{length}: {error:?}");
    }
}

#[test]
fn damaged_segments_can_be_unlinked() {
    let victim = Victim::new("unlink");
    victim.alter(12, &[77, 0, 0, 0]);
    assert!(matches!(victim.open(), Err(SegmentError::VersionMismatch { .. })));
    Segment::unlink(&victim.name).unwrap();
    assert!(!victim.path.exists());
}
