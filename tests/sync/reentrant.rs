//! `ReentrantMutex`.
#![allow(unsafe_code)] // fork

use std::cell::Cell;
use std::os::unix::fs::FileExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;
use std::time::Duration;

use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};
use outlive::{
    LockError, ObjectError, ReentrantMutex, ReentrantMutexGuard, Segment, Value, Waiting,
};

use crate::observe::{Marked, await_sleep, file, not_before, overwrite, thread_id};
use crate::support::{Peer, listen, say, unique};

type Words = [u64; 2];

fn segment(what: &str) -> (Segment, ReentrantMutex<Words>, String) {
    let name = unique(what);
    let segment = Segment::options().capacity(64 << 10).create(&name).expect("create");
    let mutex = segment.reentrant_mutex("m", [0; 2]).expect("mutex");
    (segment, mutex, name)
}

/// The role: locks and releases as it is told, and says how deep it is.
pub(crate) fn driver(arguments: &[String]) {
    let segment = Segment::open(&arguments[0]).expect("open");
    let mutex: &'static ReentrantMutex<Words> =
        Box::leak(Box::new(segment.find("m").expect("find")));
    let mut held: Vec<ReentrantMutexGuard<'static, Words>> = Vec::new();
    say(&thread_id().to_string());
    while let Some(command) = listen() {
        say("going");
        let outcome = match command.as_str() {
            "lock" => mutex.lock().map(Some),
            "try" => mutex.try_lock().map(Some),
            "timeout" => mutex.lock_timeout(Duration::from_secs(600)).map(Some),
            "unlock" => {
                held.pop();
                Ok(None)
            }
            "unlock-first" => {
                held.remove(0);
                Ok(None)
            }
            "mark" => {
                held[0].mark_consistent();
                Ok(None)
            }
            "half" => {
                let [_, second] = held[0].get();
                held[0].set([second + 1, second]);
                Ok(None)
            }
            other => panic!("no command {other:?}"),
        };
        let answer = match outcome {
            Ok(guard) => {
                held.extend(guard);
                "ok".to_owned()
            }
            Err(LockError::OwnerDied(guard)) => {
                held.push(guard);
                "OwnerDied".to_owned()
            }
            Err(error) => format!("{error:?}"),
        };
        say(&format!("{answer} {}", mutex.depth()));
    }
}

struct Driver {
    peer: Peer,
    thread: u32,
}

impl Driver {
    fn new(segment: &str) -> Self {
        let mut peer = Peer::spawn("reentrant", &[segment]);
        let thread = peer.hear().parse().expect("a thread id");
        Self { peer, thread }
    }

    fn block(&mut self, command: &str) {
        self.peer.tell(command);
        self.peer.expect("going");
        await_sleep(self.thread);
    }

    #[track_caller]
    fn does(&mut self, command: &str, answer: &str) {
        self.peer.tell(command);
        self.peer.expect("going");
        assert_eq!(self.peer.hear(), answer, "{command}");
    }
}

fn is_held(mutex: &ReentrantMutex<Words>) -> bool {
    matches!(mutex.try_lock(), Err(LockError::WouldBlock))
}

#[test]
fn the_last_guard_releases_in_whatever_order_they_go() {
    let (_segment, mutex, name) = segment("depth");
    let mut holder = Driver::new(&name);
    let mut waiter = Driver::new(&name);
    for unlock in ["unlock", "unlock-first"] {
        holder.does("lock", "ok 1");
        holder.does("try", "ok 2");
        holder.does("timeout", "ok 3");
        waiter.does("try", "WouldBlock 0");
        waiter.block("lock");
        assert_eq!(mutex.holder().map(|holder| holder.thread_id), Some(holder.thread));
        for depth in [2, 1] {
            holder.does(unlock, &format!("ok {depth}"));
            assert!(is_held(&mutex));
        }
        holder.does(unlock, "ok 0");
        waiter.peer.expect("ok 1");
        waiter.does("unlock", "ok 0");
    }
    holder.peer.join();
    waiter.peer.join();
}

#[test]
fn another_thread_is_another_holder() {
    let (_segment, mutex, _name) = segment("threads");
    let guard = mutex.lock().expect("lock");
    let parking = mutex.clone().with_waiting(Waiting::Park);
    drop(parking.lock().expect("a clone of the handle is the same"));
    thread::scope(|scope| {
        scope.spawn(|| {
            assert!(is_held(&mutex));
            assert_eq!(mutex.depth(), 0);
            let limit = Duration::from_millis(130);
            let outcome = not_before(limit, || mutex.lock_timeout(limit).map(drop));
            assert!(matches!(outcome, Err(LockError::TimedOut { holder: Some(_) })));
        });
    });
    assert_eq!(mutex.depth(), 1);
    drop(guard);
    assert_eq!(mutex.depth(), 0);
    thread::scope(|scope| scope.spawn(|| drop(mutex.try_lock().expect("free"))).join())
        .expect("join");
}

#[test]
fn guards_of_one_thread_see_each_others_changes() {
    let (_segment, mutex, _name) = segment("cell");
    let outer = mutex.lock().expect("lock");
    let inner = mutex.lock().expect("lock");
    outer.set([1, 2]);
    assert_eq!(inner.get(), [1, 2]);
    assert_eq!(inner.replace([3, 4]), [1, 2]);
    let words: &Cell<[u64]> = &*outer;
    words.as_slice_of_cells()[1].set(5);
    assert_eq!(inner.get(), [3, 5]);
    assert_eq!(format!("{outer:?}"), "[3, 5]");
}

#[test]
fn a_death_at_any_depth_is_one_death() {
    let (_segment, mutex, name) = segment("death");
    let mut waiter = Driver::new(&name);
    for depth in 1..=3 {
        let mut victim = Driver::new(&name);
        for now in 1..=depth {
            victim.does("lock", &format!("ok {now}"));
        }
        victim.does("half", &format!("ok {depth}"));
        waiter.block(if depth == 2 { "timeout" } else { "lock" });
        victim.peer.kill();
        waiter.peer.expect("OwnerDied 1");
        // Nobody has vouched for them yet, which those who lock within are told too.
        waiter.does("try", "OwnerDied 2");
        waiter.does("unlock", "ok 1");
        waiter.does("mark", "ok 1");
        waiter.does("lock", "ok 2");
        waiter.does("unlock", "ok 1");
        waiter.does("unlock", "ok 0");
        let guard = mutex.try_lock().expect("free and consistent");
        assert_eq!(mutex.depth(), 1);
        guard.set([0; 2]);
    }
    waiter.peer.join();
}

#[test]
fn giving_up_closes_when_the_last_guard_goes() {
    let (_segment, mutex, name) = segment("closed");
    let mut victim = Driver::new(&name);
    victim.does("lock", "ok 1");
    victim.peer.kill();
    let Err(LockError::OwnerDied(outer)) = mutex.lock() else { panic!("expected OwnerDied") };
    let Err(LockError::OwnerDied(inner)) = mutex.lock() else { panic!("expected OwnerDied") };
    assert!(outer.is_inconsistent() && inner.is_inconsistent());
    drop(outer);
    assert_eq!(mutex.depth(), 1);
    drop(inner);
    assert!(matches!(mutex.lock(), Err(LockError::NotRecoverable)));
    assert!(matches!(mutex.try_lock(), Err(LockError::NotRecoverable)));
    assert_eq!(mutex.depth(), 0);
}

#[test]
fn a_panic_through_a_guard_counts_as_a_death() {
    let (_segment, mutex, _name) = segment("panic");
    let panic_within = |mutex: &ReentrantMutex<Words>| {
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let _outer = mutex.lock().expect("lock");
            let _inner = mutex.lock().expect("lock");
            panic!("on purpose");
        }));
        assert!(outcome.is_err());
    };
    panic_within(&mutex);
    drop(mutex.lock().map(drop).unwrap_err().recover().expect("OwnerDied"));
    drop(mutex.lock().expect("vouched for"));

    // Caught within: who holds it still is asked to vouch.
    let outer = mutex.lock().expect("lock");
    panic_within(&mutex);
    assert_eq!(mutex.depth(), 1);
    assert!(outer.is_inconsistent());
    assert!(matches!(mutex.lock(), Err(LockError::OwnerDied(_))));
    outer.mark_consistent();
    assert!(!outer.is_inconsistent());
    drop(mutex.lock().expect("vouched for"));
    drop(outer);
    drop(mutex.lock().expect("vouched for"));

    // Or not.
    let outer = mutex.lock().expect("lock");
    panic_within(&mutex);
    drop(outer);
    drop(mutex.lock().map(drop).unwrap_err().recover().expect("OwnerDied"));
}

#[test]
fn the_depth_ends_in_an_error_and_never_wraps() {
    let (_segment, mutex, name) = segment("limit");
    let guard = mutex.lock().expect("lock");
    guard.set([0x6465_6570_6d61_726b; 2]);
    let mark = [0x6465_6570_6d61_726b_u64.to_ne_bytes(); 2].concat();
    let content = std::fs::read(file(&name)).expect("read");
    let data = content.windows(mark.len()).position(|bytes| bytes == mark).expect("the data");
    // The depth is right before the data.
    let scribble = |depth: u64| {
        let target = std::fs::OpenOptions::new().write(true).open(file(&name)).expect("open");
        target.write_all_at(&depth.to_ne_bytes(), data as u64 - 8).expect("write");
    };
    assert_eq!(content[data - 8..data], 1_u64.to_ne_bytes());
    scribble(u64::from(u32::MAX) - 1);
    let last = mutex.try_lock().expect("the last one");
    assert_eq!(mutex.depth(), u32::MAX);
    for _ in 0..3 {
        assert!(matches!(mutex.lock(), Err(LockError::TooManyLocks { .. })));
        assert!(matches!(mutex.try_lock(), Err(LockError::TooManyLocks { .. })));
    }
    assert_eq!(mutex.depth(), u32::MAX);
    drop(last);
    assert_eq!(mutex.depth(), u32::MAX - 1);
    // No depth at all releases as well.
    scribble(0);
    drop(guard);
    assert_eq!(mutex.depth(), 0);
    thread::scope(|scope| scope.spawn(|| drop(mutex.try_lock().expect("free"))).join())
        .expect("join");
}

/// The role: forks with guards.
pub(crate) fn fork_within(arguments: &[String]) {
    let segment = Segment::open(&arguments[0]).expect("open");
    let mutex: ReentrantMutex<Words> = segment.find("m").expect("find");
    let mut guards = vec![mutex.lock().expect("lock"), mutex.lock().expect("lock")];
    // SAFETY: this process's other threads (the watchdog) hold no lock that the child needs.
    match unsafe { fork() }.expect("fork") {
        ForkResult::Child => {
            guards.clear();
            let good = is_held(&mutex) && mutex.depth() == 0;
            // SAFETY: ends the child at once, without the parent's handlers.
            unsafe { nix::libc::_exit(i32::from(!good)) };
        }
        ForkResult::Parent { child } => {
            let status = waitpid(child, None).expect("wait");
            assert!(matches!(status, WaitStatus::Exited(_, 0)), "{status:?}");
        }
    }
    assert_eq!(mutex.depth(), 2);
}

#[test]
fn a_forked_childs_copies_of_guards_count_for_nothing() {
    let (_segment, mutex, name) = segment("fork");
    Peer::spawn("reentrant fork", &[&name]).join();
    drop(mutex.lock().expect("released, once"));
}

#[test]
fn a_read_only_handle_cannot_lock() {
    let (_segment, _mutex, name) = segment("read-only");
    let reader = Segment::options().read_only(true).open(&name).expect("open");
    let mutex: ReentrantMutex<Words> = reader.find("m").expect("find");
    assert!(matches!(mutex.lock(), Err(LockError::ReadOnly)));
    assert!(matches!(mutex.try_lock(), Err(LockError::ReadOnly)));
    assert!(matches!(mutex.lock_timeout(Duration::ZERO), Err(LockError::ReadOnly)));
    assert_eq!(mutex.depth(), 0);
}

#[test]
fn bytes_that_are_no_value_are_an_error() {
    let (segment, _mutex, name) = segment("corrupt");
    let mutex = segment.reentrant_mutex("marked", Marked::new(*b"rlckmark")).expect("mutex");
    drop(mutex.lock().expect("lock"));
    overwrite(&name, b"rlckmark", 8, &[7]);
    for _ in 0..2 {
        assert!(matches!(mutex.lock(), Err(LockError::Corrupt { .. })));
        assert_eq!(mutex.depth(), 0);
    }
    overwrite(&name, b"rlckmark", 8, &[0]);
    assert!(!mutex.try_lock().expect("released, and open").get().flag);
}

#[test]
fn another_kind_or_type_is_refused() {
    let (segment, _mutex, _name) = segment("kind");
    for error in [
        segment.find::<Value<Words>>("m").unwrap_err(),
        segment.mutex::<Words>("m", [0; 2]).unwrap_err(),
        segment.reentrant_mutex("m", 0_u64).unwrap_err(),
    ] {
        assert!(matches!(error, ObjectError::TypeMismatch { .. }), "{error:?}");
        assert!(error.to_string().contains("ReentrantMutex"), "{error}");
    }
}

const ROUNDS: u64 = 3000;

/// The role: adds to both words, locking once more in between.
pub(crate) fn worker(arguments: &[String]) {
    let segment = Segment::open(&arguments[0]).expect("open");
    let mutex: ReentrantMutex<Words> = segment.find("m").expect("find");
    for _ in 0..ROUNDS {
        let outer = mutex.lock().expect("lock");
        let [first, second] = outer.get();
        outer.set([first + 1, second]);
        let inner = mutex.lock().expect("lock");
        drop(outer);
        let [first, second] = inner.get();
        assert_eq!(first, second + 1, "somebody else was here");
        inner.set([first, second + 1]);
    }
}

#[test]
fn holders_exclude_each_other_at_every_depth() {
    let (_segment, mutex, name) = segment("exclusion");
    let workers: Vec<Peer> = (0..4).map(|_| Peer::spawn("reentrant worker", &[&name])).collect();
    workers.into_iter().for_each(Peer::join);
    assert_eq!(mutex.lock().expect("lock").get(), [4 * ROUNDS; 2]);
}
