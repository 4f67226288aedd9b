//! `Segment::in_shmem`.
#![allow(unsafe_code)] // looks at the memory from outside, forks, mounts

use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::{Duration, Instant};

use outlive::{LockError, ObjectError, Segment, SegmentError};
use shared_memory::{Shmem, ShmemConf};

use crate::support::{Peer, await_death, command, listen, say, unique, watchdog};

const SIZE: usize = 1 << 16;

fn memory(size: usize) -> (Shmem, String) {
    let id = format!("/{}", unique("shmem"));
    (ShmemConf::new().os_id(&id).size(size).create().expect("create"), id)
}

fn open(id: &str) -> Shmem {
    ShmemConf::new().os_id(id).open().expect("open")
}

fn attach(id: &str) -> Segment {
    Segment::in_shmem(open(id)).expect("in_shmem")
}

/// Tells who made the segment, and counts in a mutex and a value.
fn count(segment: &Segment) {
    let sum = segment.mutex("sum", 0_u64).expect("mutex");
    *sum.lock().expect("lock") += 1;
    let total = segment.value("total", 0_u64).expect("value");
    total
        .update(|n| {
            *n += 1;
            *n
        })
        .expect("update");
}

/// For each memory that it is told of, one attempt at making the segment.
pub(crate) fn race(_: &[String]) {
    while let Some(id) = listen() {
        let shmem = open(&id);
        say("ready");
        listen().expect("go");
        let segment = Segment::in_shmem(shmem).expect("in_shmem");
        say(if segment.is_creator() { "made" } else { "joined" });
        count(&segment);
        say("counted");
    }
}

#[test]
fn racing_processes_make_exactly_one_segment() {
    watchdog();
    const ROUNDS: usize = 30;
    let mut racers: Vec<Peer> = (0..4).map(|_| Peer::spawn("shmem-racer", &[])).collect();
    for _ in 0..ROUNDS {
        let (_owner, id) = memory(SIZE);
        for racer in &mut racers {
            racer.tell(&id);
        }
        racers.iter_mut().for_each(|racer| racer.expect("ready"));
        racers.iter_mut().for_each(|racer| racer.tell("go"));
        let made = racers.iter_mut().filter_map(|racer| (racer.hear() == "made").then_some(()));
        assert_eq!(made.count(), 1);
        racers.iter_mut().for_each(|racer| racer.expect("counted"));

        let segment = attach(&id);
        assert!(!segment.is_creator());
        let everybody = racers.len() as u64;
        assert_eq!(*segment.mutex("sum", 0_u64).expect("mutex").lock().expect("lock"), everybody);
        assert_eq!(segment.value("total", 0_u64).expect("value").get(), Ok(everybody));
    }
    racers.into_iter().for_each(Peer::join);
}

/// Half-changes a mutex's data and a value, and holds both.
pub(crate) fn hold(arguments: &[String]) {
    let segment = attach(&arguments[0]);
    assert!(!segment.is_creator());
    let pair = segment.mutex("pair", [0_u64; 2]).expect("mutex");
    let value = segment.value("value", [0_u64; 2]).expect("value");
    let mut pair = pair.lock().expect("lock");
    let mut value = value.lock().expect("lock");
    pair[0] = 7;
    *value = [7, 7];
    say("held");
    await_death();
}

#[test]
fn a_killed_holder_hands_on_its_locks() {
    watchdog();
    let (shmem, id) = memory(SIZE);
    let segment = Segment::in_shmem(shmem).expect("in_shmem");
    assert!(segment.is_creator() && segment.name().is_none());
    let pair = segment.mutex("pair", [1_u64; 2]).expect("mutex");
    let value = segment.value("value", [1_u64; 2]).expect("value");

    let mut holder = Peer::spawn("shmem-holder", &[&id]);
    holder.expect("held");
    assert!(matches!(pair.try_lock(), Err(LockError::WouldBlock)));
    assert_eq!(value.get(), Ok([1, 1]));
    holder.kill();

    let Err(LockError::OwnerDied(mut guard)) = pair.lock() else { panic!("not told of the death") };
    assert_eq!(*guard, [7, 1]);
    guard[1] = 7;
    guard.mark_consistent();
    drop(guard);
    assert_eq!(*pair.lock().expect("lock"), [7, 7]);
    assert_eq!(
        value.update(|pair| {
            pair[0] += 1;
            *pair
        }),
        Ok([2, 1])
    );
}

/// Makes a segment in each memory that is there, one after the other.
pub(crate) fn make_many(ids: &[String]) {
    let memories: Vec<Shmem> = ids.iter().map(|id| open(id)).collect();
    say("ready");
    listen().expect("go");
    for shmem in memories {
        count(&Segment::in_shmem(shmem).expect("in_shmem"));
    }
    say("done");
    await_death();
}

#[test]
fn what_a_killed_maker_leaves_is_completed() {
    watchdog();
    const MEMORIES: usize = 48;
    let mut whole = Duration::ZERO;
    let mut cut_short = 0;
    for round in 0..30_u32 {
        let memories: Vec<(Shmem, String)> = (0..MEMORIES).map(|_| memory(SIZE)).collect();
        let ids: Vec<&str> = memories.iter().map(|(_, id)| id.as_str()).collect();
        let mut maker = Peer::spawn("shmem-maker", &ids);
        maker.expect("ready");
        let start = Instant::now();
        maker.tell("go");
        if round == 0 {
            // How long all of them take, to spread the kills over.
            maker.expect("done");
            whole = start.elapsed();
        }
        let moment = whole * round / 30;
        while start.elapsed() < moment {
            std::hint::spin_loop();
        }
        maker.kill();

        let mut creators = 0_usize;
        for (_, id) in &memories {
            let segment = attach(id);
            creators += usize::from(segment.is_creator());
            let sum = segment.mutex("sum", 0_u64).expect("mutex");
            *sum.lock().or_else(LockError::recover).expect("lock") += 1;
            let total = segment.value("total", 0_u64).expect("value");
            assert!(
                (1..=2).contains(
                    &total
                        .update(|n| {
                            *n += 1;
                            *n
                        })
                        .expect("update")
                ),
                "{id}"
            );
            // A second one finds what the first one made.
            assert!(!attach(id).is_creator());
        }
        cut_short += usize::from(0 < creators && creators < MEMORIES);
    }
    assert!(cut_short > 0, "every kill came too early or too late");
}

fn refused(id: &str) -> bool {
    matches!(Segment::in_shmem(open(id)), Err(SegmentError::NotASegment { .. }))
}

/// The bytes, from outside.
fn bytes(shmem: &mut Shmem) -> &mut [u8] {
    // SAFETY: no segment was made in this memory, and nobody else uses it.
    unsafe { shmem.as_slice_mut() }
}

#[test]
fn memory_with_other_content_is_refused_and_left_alone() {
    watchdog();
    // The first word, one within the header, behind the header, and in the last page.
    for offset in [0, 16, 28, 100, 200, 600, 4096, SIZE - 1] {
        let (mut shmem, id) = memory(SIZE);
        bytes(&mut shmem)[offset] = 1;
        let before = bytes(&mut shmem).to_vec();
        assert!(refused(&id), "data at {offset}");
        assert!(bytes(&mut shmem) == before, "data at {offset} were changed");
    }
}

#[cfg(feature = "raw_sync")]
#[test]
fn memory_with_a_free_raw_sync_lock_is_refused() {
    use raw_sync::locks::{LockInit, Mutex, RwLock};
    watchdog();
    let makers: [unsafe fn(*mut u8, *mut u8) -> _; 2] = [Mutex::new, RwLock::new];
    for new in makers {
        let (shmem, id) = memory(SIZE);
        // SAFETY: the memory is longer than any lock.
        unsafe { new(shmem.as_ptr(), std::ptr::null_mut()) }.expect("lock").0.lock().expect("free");
        assert!(refused(&id));
    }
}

#[test]
fn too_little_memory_is_refused() {
    watchdog();
    for size in [1, 4096, 8191] {
        let (shmem, _) = memory(size);
        let refused = Segment::in_shmem(shmem);
        assert!(matches!(refused, Err(SegmentError::InvalidCapacity { minimum: 8192, .. })));
    }
    // Not whole pages.
    let (shmem, id) = memory(8192 + 100);
    count(&Segment::in_shmem(shmem).expect("in_shmem"));
    assert!(!std::path::Path::new("/dev/shm").join(&id[1..]).exists());
}

#[test]
fn capacity_runs_out_as_an_error() {
    watchdog();
    let (shmem, id) = memory(SIZE);
    let segment = Segment::in_shmem(shmem).expect("in_shmem");
    let all = segment.array("all", SIZE, 0_u8);
    assert!(matches!(all, Err(ObjectError::SegmentFull { .. })));
    count(&segment);
    count(&attach(&id));
    assert_eq!(segment.value("total", 0_u64).expect("value").get(), Ok(2));
}

/// In a `/dev/shm` of its own that has room for 16 pages.
pub(crate) fn find_no_space(_: &[String]) {
    let (shmem, _) = memory(1 << 20);
    let full = Segment::in_shmem(shmem).map(drop);
    assert!(matches!(full, Err(SegmentError::NoSpace { needed: 0x10_0000, .. })), "{full:?}");
    let (shmem, _) = memory(1 << 15);
    count(&Segment::in_shmem(shmem).expect("there is room for this"));
    say("survived");
}

/// Runs the command with a small `/dev/shm` that only it sees.
fn with_small_memory(mut command: Command) -> Command {
    use nix::mount::{MsFlags, mount};
    use nix::sched::{CloneFlags, unshare};
    // SAFETY: system calls only.
    unsafe {
        command.pre_exec(|| {
            let none = None::<&str>;
            if !nix::unistd::geteuid().is_root() {
                unshare(CloneFlags::CLONE_NEWUSER)?;
            }
            unshare(CloneFlags::CLONE_NEWNS)?;
            mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)?;
            let size = Some("size=64k");
            Ok(mount(Some("tmpfs"), "/dev/shm", Some("tmpfs"), MsFlags::empty(), size)?)
        });
    }
    command
}

#[test]
fn a_full_file_system_is_an_error_and_no_sigbus() {
    watchdog();
    if let Err(error) = with_small_memory(Command::new("true")).status() {
        eprintln!("passed over: this user may not mount a file system ({error})");
        return;
    }
    let mut child = Peer::start("shmem-full", with_small_memory(command("shmem-full", &[])));
    child.expect("survived");
    child.join();
}

/// A child by fork drops what it inherited.
pub(crate) fn fork_and_drop(_: &[String]) {
    let (shmem, id) = memory(SIZE);
    let segment = Segment::in_shmem(shmem).expect("in_shmem");
    count(&segment);
    // SAFETY: the child only drops what it inherited, and glibc's allocator may be used in it.
    match unsafe { nix::unistd::fork() }.expect("fork") {
        nix::unistd::ForkResult::Child => {
            drop(segment);
            // SAFETY: ends the process without running what is the parent's.
            unsafe { nix::libc::_exit(0) }
        }
        nix::unistd::ForkResult::Parent { child } => {
            nix::sys::wait::waitpid(child, None).expect("waitpid");
        }
    }
    count(&attach(&id));
    assert_eq!(segment.value("total", 0_u64).expect("value").get(), Ok(2));
    // The owner itself removes the name.
    drop(segment);
    assert!(ShmemConf::new().os_id(&id).open().is_err());
    say("kept");
}

#[test]
fn a_forked_child_does_not_remove_the_name() {
    watchdog();
    let mut forker = Peer::spawn("shmem-forker", &[]);
    forker.expect("kept");
    forker.join();
}
