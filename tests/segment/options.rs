//! What the options do, as the kernel tells.

use outlive::{Segment, SegmentError};

use crate::support::unique;

/// Kilobytes that /proc says of this process.
fn status(field: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(field)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn memory_is_taken_as_objects_are_made() {
    let segment = Segment::options().capacity(1 << 30).anonymous().unwrap();
    assert_eq!(segment.capacity(), 1 << 30);
    assert!(segment.committed().unwrap() <= 16 << 10);
    let _array = segment.array("a", 1 << 20, 0_u8).unwrap();
    let committed = segment.committed().unwrap();
    assert!((2 << 20..3 << 20).contains(&committed), "{committed}");
}

#[test]
fn prefault_takes_all_at_once() {
    let segment = Segment::options().capacity(4 << 20).prefault(true).anonymous().unwrap();
    assert_eq!(segment.committed().unwrap(), 4 << 20);
}

#[test]
fn locked_memory_is_counted_as_such() {
    let options = Segment::options().capacity(64 << 10).lock_memory(true);
    match options.anonymous() {
        Ok(_segment) => assert!(status("VmLck") >= 64),
        Err(SegmentError::MemoryLock(error)) => {
            assert!(error.to_string().contains("mlock2"), "{error}");
        }
        Err(other) => panic!("{other:?}"),
    }
}

#[test]
fn huge_pages_are_a_wish_that_can_be_checked() {
    let segment = Segment::options().capacity(4 << 20).huge_pages(true).prefault(true);
    let segment = segment.anonymous().unwrap();
    assert!(segment.capacity().is_multiple_of(2 << 20));
    let policy = "/sys/kernel/mm/transparent_hugepage/shmem_enabled";
    let granted = std::fs::read_to_string(policy).unwrap_or_default();
    if granted.contains("[never]") || granted.contains("[deny]") {
        assert_eq!(segment.huge_page_bytes(), 0);
    }
    assert!(segment.huge_page_bytes() <= segment.capacity());
}

#[test]
fn a_directory_of_ones_own() {
    let directory = std::path::Path::new("/dev/shm").join(unique("directory"));
    std::fs::create_dir(&directory).unwrap();
    let options = Segment::options().directory(&directory);
    let segment = options.create("inside").unwrap();
    assert!(directory.join("inside").exists());
    assert!(options.open("inside").is_ok());
    assert!(matches!(Segment::open("inside"), Err(SegmentError::NotFound { .. })));
    assert!(options.gc().unwrap().is_empty());
    drop(segment);
    std::fs::remove_dir(&directory).unwrap();
    let error = options.create("inside").unwrap_err();
    assert!(error.to_string().contains("No such file"), "{error}");
}

#[test]
fn capacities_that_cannot_be_are_errors() {
    for capacity in [0, 4096, u64::MAX] {
        let error = Segment::options().capacity(capacity).anonymous().unwrap_err();
        assert!(matches!(error, SegmentError::InvalidCapacity { .. }), "{error:?}");
    }
}
