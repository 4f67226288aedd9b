//! Many locks of one thread: as many as the kernel watches, in any order, beside glibc's own.
#![allow(unsafe_code)] // pthread mutexes in shared memory

use std::fs::{File, OpenOptions};
use std::num::NonZero;
use std::ptr::NonNull;

use nix::libc;
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};
use outlive::{LockError, Mutex, MutexGuard, Segment};

use crate::observe::{Random, file};
use crate::support::{Peer, await_death, say, unique, watchdog};

type Guard<'a> = MutexGuard<'a, u32>;

fn object(index: usize) -> String {
    format!("m{index}")
}

fn mutexes(segment: &Segment, count: usize) -> Vec<Mutex<u32>> {
    (0..count).map(|index| segment.mutex(&object(index), 0).expect("mutex")).collect()
}

/// Locks until it is refused; the limit.
fn fill<'a>(mutexes: &'a [Mutex<u32>], held: &mut Vec<Option<Guard<'a>>>) -> usize {
    for mutex in mutexes {
        match mutex.lock() {
            Ok(guard) => held.push(Some(guard)),
            Err(LockError::TooManyLocks { limit }) => {
                assert_eq!(limit, held.len());
                return limit;
            }
            Err(other) => panic!("{other:?}"),
        }
    }
    panic!("{} locks and no limit", held.len());
}

const MANY: usize = 1100;

fn large(what: &str) -> (Segment, String) {
    watchdog();
    let name = unique(what);
    (Segment::options().capacity(4 << 20).create(&name).expect("create"), name)
}

#[test]
fn the_limit_is_an_error_and_any_order_of_release_works_at_it() {
    let (segment, _name) = large("limit");
    let mutexes = mutexes(&segment, MANY);
    let mut held = Vec::new();
    let limit = fill(&mutexes, &mut held);
    let refused = |error| matches!(error, LockError::TooManyLocks { .. });
    assert!(mutexes[limit].try_lock().is_err_and(refused));
    let long = std::time::Duration::from_secs(600);
    assert!(mutexes[limit].lock_timeout(long).is_err_and(refused));

    let mut random = Random::new(3);
    for _ in 0..200 {
        let index = random.below(limit as u64) as usize;
        drop(held[index].take());
        // Others see that it is free, and this thread may hold one more.
        std::thread::scope(|scope| {
            scope.spawn(|| drop(mutexes[index].try_lock().expect("released")));
        });
        held[index] = Some(mutexes[index].try_lock().expect("room for one"));
        assert!(mutexes[limit].try_lock().is_err_and(refused));
    }
    drop(held);
    mutexes.iter().for_each(|mutex| drop(mutex.try_lock().expect("all are free")));
}

/// The role: as many locks as there can be, then some given back and others taken.
pub(crate) fn hold_all(arguments: &[String]) {
    let segment = Segment::open(&arguments[0]).expect("open");
    let mutexes = mutexes(&segment, MANY);
    let mut held = Vec::new();
    let limit = fill(&mutexes, &mut held);
    drop(held[limit / 2].take());
    drop(held[0].take());
    say(&format!("{limit}"));
    await_death();
}

#[test]
fn all_locks_at_the_limit_are_handed_on_after_a_kill() {
    let (segment, name) = large("limit-kill");
    let mutexes = mutexes(&segment, MANY);
    let mut victim = Peer::spawn("mutex limits", &[&name]);
    let limit: usize = victim.hear().parse().expect("the limit");
    victim.kill();
    for (index, mutex) in mutexes.iter().enumerate() {
        let released = index == 0 || index == limit / 2 || index >= limit;
        match mutex.try_lock() {
            Ok(_) => assert!(released, "{index}"),
            Err(LockError::OwnerDied(mut guard)) => {
                guard.mark_consistent();
                assert!(!released, "{index}");
            }
            Err(other) => panic!("{index}: {other:?}"),
        }
    }
}

const OURS: usize = 6;
const GLIBC: usize = 5;

/// Robust, process-shared pthread mutexes in a file.
struct Pthread(NonNull<libc::pthread_mutex_t>);

impl Pthread {
    const LENGTH: usize = GLIBC * size_of::<libc::pthread_mutex_t>();

    fn map(file: &File) -> Self {
        let length = NonZero::new(Self::LENGTH).expect("not empty");
        let access = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: a new mapping, which nothing else uses.
        let base = unsafe { mmap(None, length, access, MapFlags::MAP_SHARED, file, 0) };
        Self(base.expect("mmap").cast())
    }

    fn create(name: &str) -> Self {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(file(name))
            .expect("create");
        file.set_len(Self::LENGTH as u64).expect("set_len");
        let all = Self::map(&file);
        for index in 0..GLIBC {
            // SAFETY: fresh memory for a mutex, and attributes that were initialised.
            unsafe {
                let mut attributes = std::mem::zeroed();
                libc::pthread_mutexattr_init(&raw mut attributes);
                let shared = libc::PTHREAD_PROCESS_SHARED;
                libc::pthread_mutexattr_setpshared(&raw mut attributes, shared);
                let robust = libc::PTHREAD_MUTEX_ROBUST;
                libc::pthread_mutexattr_setrobust(&raw mut attributes, robust);
                assert_eq!(libc::pthread_mutex_init(all.at(index), &raw const attributes), 0);
            }
        }
        all
    }

    fn open(name: &str) -> Self {
        Self::map(&OpenOptions::new().read(true).write(true).open(file(name)).expect("open"))
    }

    fn at(&self, index: usize) -> *mut libc::pthread_mutex_t {
        assert!(index < GLIBC);
        // SAFETY: within the mapping.
        unsafe { self.0.as_ptr().add(index) }
    }

    fn try_lock(&self, index: usize) -> i32 {
        // SAFETY: an initialised mutex.
        unsafe { libc::pthread_mutex_trylock(self.at(index)) }
    }

    fn unlock(&self, index: usize) {
        // SAFETY: an initialised mutex, held by this thread.
        assert_eq!(unsafe { libc::pthread_mutex_unlock(self.at(index)) }, 0);
    }
}

impl Drop for Pthread {
    fn drop(&mut self) {
        // SAFETY: this thread holds none of them any more.
        unsafe { munmap(self.0.cast(), Self::LENGTH) }.expect("munmap");
    }
}

/// The role: takes and releases ours and glibc's in an order that the seed decides, and says which
/// it holds in the end.
pub(crate) fn lock_at_random(arguments: &[String]) {
    let segment = Segment::open(&arguments[0]).expect("open");
    let ours = mutexes(&segment, OURS);
    let glibc = Pthread::open(&arguments[1]);
    let mut random = Random::new(arguments[2].parse().expect("seed"));
    let mut guards: [Option<Guard<'_>>; OURS] = [const { None }; OURS];
    let mut locked = [false; GLIBC];
    for _ in 0..random.below(500) {
        let index = random.below((OURS + GLIBC) as u64) as usize;
        if let Some(guard) = guards.get_mut(index) {
            *guard = match guard.take() {
                None => Some(ours[index].try_lock().expect("nobody else uses them")),
                Some(_held) => None,
            };
        } else {
            let index = index - OURS;
            if locked[index] {
                glibc.unlock(index);
            } else {
                assert_eq!(glibc.try_lock(index), 0);
            }
            locked[index] = !locked[index];
        }
    }
    let held = guards.iter().map(Option::is_some).chain(locked);
    say(&held.map(|held| if held { '1' } else { '0' }).collect::<String>());
    await_death();
}

#[test]
fn locks_interleaved_with_glibcs_robust_mutexes_are_all_handed_on_after_a_kill() {
    let (segment, name) = large("mixed");
    let ours = mutexes(&segment, OURS);
    let other = unique("pthread");
    let glibc = Pthread::create(&other);
    for seed in 0..40 {
        let mut victim = Peer::spawn("mutex mixed", &[&name, &other, &seed.to_string()]);
        let held: Vec<bool> = victim.hear().bytes().map(|byte| byte == b'1').collect();
        victim.kill();
        for (index, mutex) in ours.iter().enumerate() {
            match mutex.try_lock() {
                Ok(_) => assert!(!held[index], "seed {seed}: {index}"),
                Err(LockError::OwnerDied(mut guard)) => {
                    guard.mark_consistent();
                    assert!(held[index], "seed {seed}: {index}");
                }
                Err(other) => panic!("seed {seed}: {index}: {other:?}"),
            }
        }
        for index in 0..GLIBC {
            let result = glibc.try_lock(index);
            assert_eq!(result, if held[OURS + index] { libc::EOWNERDEAD } else { 0 });
            if result == libc::EOWNERDEAD {
                // SAFETY: held by this thread, from a dead one.
                assert_eq!(unsafe { libc::pthread_mutex_consistent(glibc.at(index)) }, 0);
            }
            glibc.unlock(index);
        }
    }
    std::fs::remove_file(file(&other)).expect("remove");
}
