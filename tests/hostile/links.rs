//! Damage to locks that are held: their words, and the links that the kernel follows when the
//! holder ends.

use std::fs::File;
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
    /// The lock's number among those of the image.
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
/// The size of a lock.
const LOCK: u64 = 40;
/// How far an entry of the kernel's list is from its lock's word.
const ENTRY: u64 = 32;

pub(crate) fn held(bytes: &[u8]) -> impl Strategy<Value = Held> + use<> {
    let locks = image::lock_words(bytes);
    let entries: Vec<u64> = locks.iter().map(|lock| lock + ENTRY).collect();
    let numbers = vec![0, 1, 2, u64::MAX, 1 << 63, 4096, 0xffff_8000_0000_0000, 0x7fff_ffff_f000];
    let target = prop_oneof![
        select(numbers).prop_map(Target::Number),
        any::<u64>().prop_map(Target::Number),
        select(entries).prop_map(Target::Byte),
        (0..image::CAPACITY).prop_map(Target::Byte),
        Just(Target::Own),
    ];
    let store = (0..locks.len(), select(FIELDS.to_vec()), target)
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
    let guards = (
        mutex.lock().expect(PROOF),
        value.lock().expect(PROOF),
        counter.lock().expect(PROOF),
        array.lock().expect(PROOF),
    );
    let own = Box::new([gettid().as_raw().cast_unsigned(); 16]);
    let address = |target| match target {
        Target::Number(number) => number,
        Target::Byte(offset) => base(&guards.0, pristine) + offset,
        Target::Own => ptr::from_ref(&*own).addr() as u64 + ENTRY,
    };
    let locks = image::lock_words(pristine);
    for store in &held.stores {
        let offset = locks[store.lock] + store.field;
        image::write(file, offset, &address(store.value).to_ne_bytes());
    }
    let (mutex, value, counter, array) = guards;
    match held.end {
        End::Release => {
            drop(mutex);
            drop(value);
            drop(counter);
            drop(array);
        }
        End::ReleaseBackwards => {
            drop(array);
            drop(counter);
            drop(value);
            drop(mutex);
        }
        End::Exit => {
            std::mem::forget((mutex, value, counter, array));
            // The kernel may mark it as a word of a dead thread.
            std::mem::forget(own);
        }
    }
}

/// Where the segment is mapped: what the first object's mutex guards lies behind its lock.
fn base(data: &u64, pristine: &[u8]) -> u64 {
    let place = image::place_of(pristine, 0) + LOCK;
    ptr::from_ref(data).addr() as u64 - place
}
