//! Damage to locks that are held: their words, and the links that the kernel follows when the
//! holder ends.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::ptr;

use nix::unistd::gettid;
use proptest::prelude::*;
use proptest::sample::select;
use serde::{Deserialize, Serialize};

use outlive::Segment;

use crate::exercise::{self, Others};
use crate::image::{self, Place};
use crate::warden::Warden;
use crate::worker::intact;

/// What a thread does that holds locks whose bytes change.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Held {
    stores: Vec<Store>,
    end: End,
}

/// How the holder lets go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum End {
    /// In the order in which it locked, and the other way round.
    Release,
    ReleaseBackwards,
    /// It ends with the locks held.
    Exit,
}

/// A word of a lock, and what is stored there.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Store {
    /// The lock's number among those that are held, counted on from the first after the last.
    lock: usize,
    field: u64,
    value: Target,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
enum Target {
    Number(u64),
    /// The address of a byte of the segment.
    Byte(u64),
    /// The address of a word that is the holder's own, and holds its id.
    Own,
}

// Fields of a lock: word and waiters, prev, next.
const FIELDS: [u64; 3] = [0, 24, 32];
/// How far an entry of the kernel's list is from its lock's word.
const ENTRY: u64 = 32;

pub(crate) fn held(bytes: &[u8]) -> impl Strategy<Value = Held> + use<> {
    let entries: Vec<u64> = image::lock_words(bytes).iter().map(|lock| lock + ENTRY).collect();
    let numbers = vec![0, 1, 2, u64::MAX, 1 << 63, 4096, 0xffff_8000_0000_0000, 0x7fff_ffff_f000];
    let target = prop_oneof![
        select(numbers).prop_map(Target::Number),
        any::<u64>().prop_map(Target::Number),
        select(entries).prop_map(Target::Byte),
        (0..image::CAPACITY).prop_map(Target::Byte),
        Just(Target::Own),
    ];
    let store = (any::<usize>(), select(FIELDS.to_vec()), target)
        .prop_map(|(lock, field, value)| Store { lock, field, value });
    let end = select(vec![End::Release, End::ReleaseBackwards, End::Exit]);
    (prop::collection::vec(store, 1..6), end).prop_map(|(stores, end)| Held { stores, end })
}

pub(crate) fn run(place: &Place, pristine: &[u8], file: &File, held: &Held) {
    let (segment, objects) = intact(place);
    std::thread::scope(|scope| {
        scope.spawn(|| hold(&segment, pristine, file, held));
    });
    let _warden = Warden::over(&place.file("victim"), pristine);
    objects.use_all(Others::Quiet);
    exercise::names(&segment);
}

fn hold(segment: &Segment, pristine: &[u8], file: &File, held: &Held) {
    const PROOF: &str = "the segment is intact";
    let mutex = segment.mutex("mutex number", 0_u64).expect(PROOF);
    let value = segment.value("value number", 0_u32).expect(PROOF);
    let counter = segment.counter("counter").expect(PROOF);
    let array = segment.array("array small", 9, 0_u16).expect(PROOF);
    let reentrant = segment.reentrant_mutex("reentrant number", 0_u64).expect(PROOF);
    let written = segment.rwlock_with("rwlock number", 0_u64, image::READERS).expect(PROOF);
    let read =
        segment.rwlock_with("rwlock state", image::State::Warm, image::READERS).expect(PROOF);
    let semaphore = segment.semaphore("semaphore", image::PERMITS).expect(PROOF);
    let once = segment.once("once").expect(PROOF);
    let latest = segment.latest_with("latest number", 0_u64, image::READERS).expect(PROOF);

    let data = mutex.lock().expect(PROOF);
    let own = Box::new([gettid().as_raw().cast_unsigned(); 16]);
    let address = |target| match target {
        Target::Number(number) => number,
        Target::Byte(offset) => base(&data, pristine) + offset,
        Target::Own => ptr::from_ref(&*own).addr() as u64 + ENTRY,
    };
    let damage = || {
        let locks = held_by_this_thread(file, pristine);
        for store in &held.stores {
            let offset = locks[store.lock % locks.len()] + store.field;
            image::write(file, offset, &address(store.value).to_ne_bytes());
        }
    };
    let first = (value.lock().expect(PROOF), counter.lock().expect(PROOF));
    let second = (array.lock().expect(PROOF), reentrant.lock().expect(PROOF));
    let third = (written.write().expect(PROOF), read.read().expect(PROOF));
    let permit = semaphore.acquire().expect(PROOF);
    // These locks are held in calls only.
    once.call_once(|| latest.update(|_| damage()).map_or((), |()| ()))
        .unwrap_or_else(|error| drop(std::hint::black_box(format!("{error}"))));
    match held.end {
        End::Release => {
            drop(data);
            drop(first);
            drop(second);
            drop(third);
            drop(permit);
        }
        End::ReleaseBackwards => {
            drop(permit);
            drop(third);
            drop(second);
            drop(first);
            drop(data);
        }
        End::Exit => {
            std::mem::forget((data, first, second, third, permit));
            // The kernel may mark it as a word of a dead thread.
            std::mem::forget(own);
        }
    }
}

/// The locks whose words name the calling thread.
fn held_by_this_thread(file: &File, pristine: &[u8]) -> Vec<u64> {
    const TID: u32 = 0x3fff_ffff;
    let me = gettid().as_raw().cast_unsigned();
    let is_mine = |lock: &u64| {
        let mut word = [0; 4];
        file.read_exact_at(&mut word, *lock).expect("read");
        u32::from_ne_bytes(word) & TID == me
    };
    image::lock_words(pristine).into_iter().filter(is_mine).collect()
}

/// Where the segment is mapped: what the first object's mutex guards lies behind its lock.
fn base(data: &u64, pristine: &[u8]) -> u64 {
    let place = image::place_of(pristine, 0) + image::LOCK;
    ptr::from_ref(data).addr() as u64 - place
}
