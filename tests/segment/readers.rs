//! Another user who may read a segment's file, and does with it what the kernel lets it do.
#![allow(unsafe_code)] // mmap(2), flock(2) and futex(2) as a stranger calls them

use std::fs::{File, OpenOptions};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{FallocateFlags, FcntlArg, fallocate, fcntl};
use nix::libc;
use outlive::{ObjectError, Reset, Segment, SegmentError};

use crate::permissions::{become_nobody, can_change_user};
use crate::support::{Peer, await_death, say, unique, watchdog};

/// `reader PATH WHAT`: as nobody, opens a segment's file for reading and makes use of it.
pub(crate) fn reader(arguments: &[String]) {
    let [path, what] = arguments else { panic!("reader PATH WHAT") };
    become_nobody();
    let file = File::open(path).unwrap();
    match what.as_str() {
        "take-every-lock" => {
            // SAFETY: flock takes no pointers.
            assert_eq!(unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX) }, 0);
            read_lock(&file, 0, 0);
        }
        "pin-everything" => read_lock(&file, PINS, 1 << 32),
        "disturb-sleepers" => disturb(&file),
        "write" => try_to_write(Path::new(path), &file),
        other => panic!("nothing is called {other}"),
    }
    say("at it");
    await_death();
}

/// Where the byte ranges start by which processes tell which objects they use.
const PINS: i64 = 1 << 62;

fn read_lock(file: &File, start: i64, length: i64) {
    let mut range = libc::flock {
        l_type: libc::F_WRLCK as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: start,
        l_len: length,
        l_pid: 0,
    };
    // Alone it cannot have them.
    assert_eq!(fcntl(file, FcntlArg::F_OFD_SETLK(&range)), Err(Errno::EBADF));
    range.l_type = libc::F_RDLCK as libc::c_short;
    fcntl(file, FcntlArg::F_OFD_SETLK(&range)).unwrap();
}

fn map(file: &File, protection: libc::c_int) -> Result<&'static [AtomicU32], Errno> {
    const LENGTH: usize = 8192;
    let (flags, file) = (libc::MAP_SHARED, file.as_raw_fd());
    // SAFETY: a new mapping, anywhere.
    let base = unsafe { libc::mmap(ptr::null_mut(), LENGTH, protection, flags, file, 0) };
    if base == libc::MAP_FAILED {
        return Err(Errno::last());
    }
    // SAFETY: mapped for good, whole pages, and accessed through atomics; never written to, as
    // nobody may.
    Ok(unsafe { std::slice::from_raw_parts(base.cast(), LENGTH / size_of::<AtomicU32>()) })
}

fn futex(word: &AtomicU32, operation: libc::c_int, value: u32, fourth: usize, to: &AtomicU32) {
    // SAFETY: `word` and `to` are live aligned words; `fourth` is a live timespec or a number.
    unsafe {
        libc::syscall(libc::SYS_futex, word.as_ptr(), operation, value, fourth, to.as_ptr(), 0);
    }
}

/// Wakes sleepers for nothing, takes wake-ups that are meant for others, and leads sleepers away to
/// another word.
fn disturb(file: &File) {
    let words = map(file, libc::PROT_READ).unwrap();
    // The objects' first lines, from the second page on.
    let words = &words[1024..1024 + 64];
    static ASIDE: AtomicU32 = AtomicU32::new(0);
    for word in &words[..48] {
        std::thread::spawn(move || {
            let pause = libc::timespec { tv_sec: 0, tv_nsec: 20_000_000 };
            loop {
                let value = word.load(Ordering::Relaxed);
                futex(word, libc::FUTEX_WAIT, value, ptr::from_ref(&pause).addr(), &ASIDE);
            }
        });
    }
    std::thread::spawn(move || {
        loop {
            for word in words {
                futex(word, libc::FUTEX_WAKE, 1, 0, &ASIDE);
                futex(word, libc::FUTEX_REQUEUE, 0, 1, &ASIDE);
            }
        }
    });
}

fn try_to_write(path: &Path, file: &File) {
    let refused = |error: std::io::Error| error.raw_os_error().map(Errno::from_raw);
    let opened = OpenOptions::new().write(true).open(path);
    assert_eq!(opened.map(drop).map_err(refused), Err(Some(Errno::EACCES)));
    let again = OpenOptions::new().write(true).open(format!("/proc/self/fd/{}", file.as_raw_fd()));
    assert_eq!(again.map(drop).map_err(refused), Err(Some(Errno::EACCES)));
    assert_eq!(map(file, libc::PROT_READ | libc::PROT_WRITE).map(drop), Err(Errno::EACCES));
    assert_eq!(file.set_len(0).map_err(refused), Err(Some(Errno::EINVAL)));
    assert_eq!(fallocate(file, FallocateFlags::empty(), 0, 4096), Err(Errno::EBADF));
    assert!(std::fs::remove_file(path).is_err());
    assert!(std::fs::rename(path, path.with_extension("x")).is_err());
}

fn spawn(path: &Path, what: &str) -> Peer {
    watchdog();
    let mut peer = Peer::spawn("reader", &[path.to_str().unwrap(), what]);
    peer.expect("at it");
    peer
}

/// A persistent segment that anybody may read, and nobody uses.
fn at_rest(what: &str) -> (String, std::path::PathBuf) {
    let name = unique(what);
    let segment = Segment::options().mode(0o644).persistent(true).create(&name).unwrap();
    segment.value("v", 1_u64).unwrap();
    let path = segment.path().unwrap().to_owned();
    (name, path)
}

#[test]
fn readers_cannot_write_cut_or_remove() {
    if !can_change_user() {
        return;
    }
    let (name, path) = at_rest("reader-writes");
    spawn(&path, "write").kill();
    assert_eq!(Segment::open(&name).unwrap().value("v", 0_u64).unwrap().get(), Ok(1));
    Segment::unlink(&name).unwrap();
}

#[test]
fn a_reader_with_every_lock_there_is_keeps_nobody_out() {
    if !can_change_user() {
        return;
    }
    let (name, path) = at_rest("reader-locks");
    let _peer = spawn(&path, "take-every-lock");
    Segment::open(&name).unwrap().value("v", 0_u64).unwrap().set(2).unwrap();
    let again = Segment::open_or_create(&name).unwrap();
    assert!(!again.is_creator());
    assert_eq!(again.value("v", 0_u64).unwrap().get(), Ok(2));
    let taken = Segment::create(&name).unwrap_err();
    assert_eq!(taken, SegmentError::AlreadyExists { name: name.clone() });

    let results: Vec<_> = std::thread::scope(|scope| {
        let threads = [(); 4].map(|()| scope.spawn(|| Segment::unlink(&name)));
        threads.map(|thread| thread.join().unwrap()).into()
    });
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1, "{results:?}");
    let gone = SegmentError::NotFound { name: name.clone() };
    assert!(results.iter().flat_map(|result| result.as_ref().err()).all(|error| *error == gone));
    assert!(!path.exists());
}

#[test]
fn a_reader_with_every_lock_there_is_is_one_more_user() {
    if !can_change_user() {
        return;
    }
    let name = unique("reader-attached");
    let segment = Segment::options().mode(0o644).create(&name).unwrap();
    let path = segment.path().unwrap().to_owned();
    let peer = spawn(&path, "take-every-lock");
    drop(segment);
    assert!(path.exists());
    assert!(!Segment::gc().unwrap().contains(&name));
    assert!(!Segment::open_or_create(&name).unwrap().is_creator());
    peer.kill();
    assert!(matches!(Segment::open(&name), Err(SegmentError::NotFound { .. })));
    assert!(!path.exists());
}

#[test]
fn a_reader_that_pins_everything_keeps_memory_from_reuse_and_no_more() {
    if !can_change_user() {
        return;
    }
    let name = unique("reader-pins");
    let segment = Segment::options().mode(0o644).capacity(1 << 20).create(&name).unwrap();
    let peer = spawn(segment.path().unwrap(), "pin-everything");
    let churn = || segment.array("a", 10_000, 0_u64).and_then(|_| segment.remove("a"));
    let full = std::iter::repeat_with(churn).find_map(Result::err).unwrap();
    assert!(matches!(full, ObjectError::SegmentFull { .. }), "{full:?}");
    peer.kill();
    (0..20).for_each(|_| churn().unwrap());
}

#[test]
fn a_reader_that_disturbs_sleepers_changes_nothing() {
    const ROUNDS: u64 = 25;
    if !can_change_user() {
        return;
    }
    let name = unique("reader-futex");
    let segment = Segment::options().mode(0o644).create(&name).unwrap();
    let mutex = segment.mutex("m", 0_u64).unwrap();
    let ping = segment.event("ping", Reset::Auto).unwrap();
    let pong = segment.event("pong", Reset::Auto).unwrap();
    let peer = spawn(segment.path().unwrap(), "disturb-sleepers");

    assert_eq!(ping.wait_timeout(Duration::from_millis(50)), Ok(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..ROUNDS {
                ping.wait().unwrap();
                pong.set().unwrap();
            }
        });
        for _ in 0..ROUNDS {
            ping.set().unwrap();
            pong.wait().unwrap();
        }
    });
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for _ in 0..ROUNDS {
                    let mut count = mutex.lock().unwrap();
                    let before = *count;
                    std::thread::yield_now();
                    *count = before + 1;
                }
            });
        }
    });
    assert_eq!(*mutex.lock().unwrap(), 3 * ROUNDS);
    peer.kill();
}
