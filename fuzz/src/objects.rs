//! Handles to the image's objects, by number.

use std::fmt::Debug;

use outlive::{
    Array, AtomicCounter, Barrier, Broadcast, ByteQueue, Condvar, Counter, Event, Latest, List,
    LoanPool, Map, Mutex, Namespace, Object, Once, OnceValue, Pipe, Queue, ReentrantMutex, RwLock,
    Segment, Semaphore, Service, Spsc, TaskQueue, Value, Waitable,
};

use crate::image::{Record, State};
use crate::memory::Memory;
use crate::{channels, containers, locks, operations, sync_operations};

enum Handle {
    Number(Mutex<u64>),
    State(Mutex<State>),
    Small(Value<u32>),
    Record(Value<Record>),
    Counter(Counter),
    Atomic(AtomicCounter),
    Numbers(Array<i64>),
    Records(Array<Record>),
    Messages(Queue<u64>),
    Letters(Queue<Record>),
    Event(Event),
    NumberLock(RwLock<u64>),
    StateLock(RwLock<State>),
    Reentrant(ReentrantMutex<State>),
    Semaphore(Semaphore),
    Barrier(Barrier),
    Condvar(Condvar),
    Once(Once),
    OnceValue(OnceValue<Record>),
    Latest(Latest<u64>),
    LatestRecords(Latest<Records>),
    Map(Map<u64, u64>),
    List(List<Record>),
    Namespace(Namespace<16>),
    Ring(Spsc<Record>),
    Bytes(ByteQueue),
    Broadcast(Broadcast<u64>),
    Pipe(Pipe),
    Tasks(TaskQueue<u64>),
    Pool(LoanPool),
    Service(Service),
}

/// Too large for a `Latest` to be read without a share.
type Records = [Record; 20];
const RECORDS: Records = [crate::image::RECORD; 20];

const KINDS: usize = 34;

pub struct Objects([Option<Handle>; KINDS]);

impl Default for Objects {
    fn default() -> Self {
        Self([const { None }; KINDS])
    }
}

fn find<K: Object>(segment: &Segment, number: usize, of: fn(K) -> Handle) -> Option<Handle> {
    segment.find(&number.to_string()).ok().map(of)
}

/// Where in the segment the object of a handle is: its debugging output tells.
fn place(handle: &impl Debug) -> u64 {
    let text = format!("{handle:?}");
    let hex = text.split_once(" at 0x").map_or("", |(_, rest)| rest);
    let end = hex.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(hex.len());
    u64::from_str_radix(&hex[..end], 16).expect("handles show where they lead")
}

impl Objects {
    pub fn find(&mut self, segment: &Segment, number: u8) {
        let number = usize::from(number) % self.0.len();
        self.0[number] = match number {
            0 => find(segment, number, Handle::Number),
            1 => find(segment, number, Handle::State),
            2 => find(segment, number, Handle::Small),
            3 => find(segment, number, Handle::Record),
            4 => find(segment, number, Handle::Counter),
            5 => find(segment, number, Handle::Atomic),
            6 => find(segment, number, Handle::Numbers),
            7 => find(segment, number, Handle::Records),
            8 => find(segment, number, Handle::Messages),
            9 => find(segment, number, Handle::Letters),
            10 | 11 => find(segment, number, Handle::Event),
            12 => find(segment, number, Handle::NumberLock),
            13 => find(segment, number, Handle::StateLock),
            14 => find(segment, number, Handle::Reentrant),
            15 | 16 => find(segment, number, Handle::Semaphore),
            17 | 18 => find(segment, number, Handle::Barrier),
            19 => find(segment, number, Handle::Condvar),
            20 => find(segment, number, Handle::Once),
            21 => find(segment, number, Handle::OnceValue),
            22 => find(segment, number, Handle::Latest),
            23 => find(segment, number, Handle::LatestRecords),
            24 => find(segment, number, Handle::Map),
            25 => find(segment, number, Handle::List),
            26 => find(segment, number, Handle::Namespace),
            27 => find(segment, number, Handle::Ring),
            28 => find(segment, number, Handle::Bytes),
            29 => find(segment, number, Handle::Broadcast),
            30 => find(segment, number, Handle::Pipe),
            31 => find(segment, number, Handle::Tasks),
            32 => find(segment, number, Handle::Pool),
            _ => find(segment, number, Handle::Service),
        };
    }

    pub fn run(&self, memory: &Memory, number: u8, operation: u8) {
        use operations as on;
        use sync_operations as sync;

        let Some(handle) = &self.0[usize::from(number) % self.0.len()] else { return };
        match handle {
            Handle::Number(mutex) => on::mutex(mutex, u64::MAX, operation, || free(memory, mutex)),
            Handle::State(mutex) => on::mutex(mutex, State::Hot, operation, || free(memory, mutex)),
            Handle::Small(value) => on::value(value, 1, operation, || free(memory, value)),
            Handle::Record(value) => {
                on::value(value, crate::image::RECORD, operation, || free(memory, value));
            }
            Handle::Counter(counter) => on::counter(counter, operation, || free(memory, counter)),
            Handle::Atomic(counter) => on::atomic_counter(counter, operation),
            Handle::Numbers(array) => {
                if ready(memory, array) {
                    on::array(array, -1, operation);
                    on::atomic_array(array, operation);
                }
            }
            Handle::Records(array) => {
                if ready(memory, array) {
                    on::array(array, crate::image::RECORD, operation);
                }
            }
            Handle::Messages(queue) => on::queue(queue, 3, operation, || free_ends(memory, queue)),
            Handle::Letters(queue) => {
                on::queue(queue, crate::image::RECORD, operation, || free_ends(memory, queue));
            }
            Handle::Event(event) => on::event(event, operation),
            Handle::NumberLock(lock) => {
                sync::rwlock(lock, 7, operation, || open_share(memory, lock));
            }
            Handle::StateLock(lock) => {
                sync::rwlock(lock, State::Hot, operation, || open_share(memory, lock));
            }
            Handle::Reentrant(mutex) => sync::reentrant(mutex, State::Hot, operation),
            Handle::Semaphore(semaphore) => {
                free(memory, semaphore);
                sync::semaphore(semaphore, operation);
            }
            Handle::Barrier(barrier) => {
                free(memory, barrier);
                sync::barrier(barrier, operation);
            }
            Handle::Condvar(condvar) => {
                if let Some(Handle::Number(mutex)) = &self.0[0] {
                    free(memory, mutex);
                    sync::condvar(condvar, mutex, operation);
                }
            }
            Handle::Once(once) => sync::once(once, operation),
            Handle::OnceValue(once) => {
                free(memory, once);
                sync::once_value(once, crate::image::RECORD, operation);
            }
            Handle::Latest(latest) => {
                if agrees(memory, latest, size_of::<u64>()) {
                    free(memory, latest);
                    sync::latest(latest, 7, operation);
                }
            }
            Handle::LatestRecords(latest) => {
                if agrees(memory, latest, size_of::<Records>()) {
                    free(memory, latest);
                    sync::latest(latest, RECORDS, operation);
                }
            }
            Handle::Map(map) => {
                free_stripes(memory, map);
                containers::map(map, operation);
            }
            Handle::List(list) => {
                free(memory, list);
                containers::list(list, crate::image::RECORD, operation);
            }
            Handle::Namespace(space) => {
                free_stripes(memory, space);
                containers::namespace(space, operation);
            }
            Handle::Ring(ring) => channels::spsc(ring, crate::image::RECORD, operation),
            Handle::Bytes(queue) => {
                free_at(memory, queue, [128, 256]);
                channels::bytes(queue, operation);
            }
            Handle::Broadcast(channel) => {
                free_at(memory, channel, [128, 320]);
                channels::broadcast(channel, 7, operation);
            }
            Handle::Pipe(pipe) => {
                free_at(memory, pipe, [320, 448, 832, 960]);
                channels::pipe(pipe, operation);
            }
            Handle::Tasks(queue) => {
                free(memory, queue);
                channels::tasks(queue, operation);
            }
            Handle::Pool(pool) => channels::pool(pool, operation),
            Handle::Service(service) => {
                free(memory, service);
                channels::service(service, operation);
            }
        }
    }

    /// Waits for all that there is: that bit `i` of `which` is set is to leave out every kind whose
    /// number is `i`, counted around.
    pub fn wait(&self, which: u8) {
        let mut things: Vec<Box<dyn Waitable>> = Vec::new();
        for (number, handle) in self.0.iter().enumerate() {
            let Some(handle) = handle.as_ref().filter(|_| which >> (number % 8) & 1 == 0) else {
                continue;
            };
            match handle {
                Handle::Number(mutex) => things.push(Box::new(mutex.available())),
                Handle::State(mutex) => things.push(Box::new(mutex.available())),
                Handle::Small(value) => things.push(Box::new(value.available())),
                Handle::Record(value) => things.push(Box::new(value.available())),
                Handle::Counter(counter) => things.push(Box::new(counter.available())),
                Handle::Numbers(array) => things.push(Box::new(array.available())),
                Handle::Records(array) => things.push(Box::new(array.available())),
                Handle::Messages(queue) => things.push(Box::new(queue.readable())),
                Handle::Letters(queue) => things.push(Box::new(queue.writable())),
                Handle::Event(event) => things.push(Box::new(event.clone())),
                Handle::Reentrant(mutex) => things.push(Box::new(mutex.available())),
                Handle::Semaphore(semaphore) => things.push(Box::new(semaphore.clone())),
                Handle::Latest(latest) => {
                    things.push(Box::new(latest.changed(latest.version())));
                }
                Handle::LatestRecords(latest) => {
                    things.push(Box::new(latest.changed(latest.version())));
                }
                Handle::List(list) => things.push(Box::new(list.available())),
                Handle::Bytes(queue) => things.push(Box::new(queue.readable())),
                Handle::Tasks(queue) => things.push(Box::new(queue.readable())),
                Handle::Ring(_)
                | Handle::Broadcast(_)
                | Handle::Pipe(_)
                | Handle::Pool(_)
                | Handle::Service(_)
                | Handle::Map(_)
                | Handle::Namespace(_)
                | Handle::Atomic(_)
                | Handle::NumberLock(_)
                | Handle::StateLock(_)
                | Handle::Barrier(_)
                | Handle::Condvar(_)
                | Handle::Once(_)
                | Handle::OnceValue(_) => {}
            }
        }
        let things: Vec<&dyn Waitable> = things.iter().map(|thing| &**thing).collect();
        sync_operations::several(&things);
    }
}

fn free(memory: &Memory, handle: &impl Debug) {
    locks::free(memory, place(handle));
}

fn free_at<const N: usize>(memory: &Memory, handle: &impl Debug, locks: [u64; N]) {
    let place = place(handle);
    locks.iter().for_each(|lock| locks::free(memory, place + lock));
}

fn free_ends<T>(memory: &Memory, queue: &Queue<T>) {
    free_at(memory, queue, [128, 256]);
}

/// Frees a map's locks: of its pool, and of as many stripes as those of the image have.
fn free_stripes(memory: &Memory, handle: &impl Debug) {
    let place = place(handle);
    for lock in [0, 128, 192] {
        locks::free(memory, place + lock);
    }
}

/// Frees an array's lock. False if a reader without the right to lock it would wait for 10 seconds
/// for a change that never ends.
fn ready<T>(memory: &Memory, array: &Array<T>) -> bool {
    let place = place(array);
    locks::free(memory, place);
    let read_only = matches!(memory, Memory::Named { kind: crate::input::Kind::NamedReadOnly, .. });
    !read_only || memory.read_word(place + 48).is_some_and(|version| version & 1 == 0)
}

/// Makes sure of a share for a guard that becomes a reader's, which waits for one without a timeout.
fn open_share(memory: &Memory, lock: &impl Debug) {
    locks::open(memory, place(lock) + 128);
}

/// False if a reader without the right to lock it would wait for 10 seconds for a copy that agrees
/// with what is said to be the latest.
fn agrees<T>(memory: &Memory, latest: &Latest<T>, size: usize) -> bool {
    if !matches!(memory, Memory::Named { kind: crate::input::Kind::NamedReadOnly, .. }) {
        return true;
    }
    let place = place(latest);
    let word = |at: u64| -> Option<u64> {
        let (low, high) = (memory.read_word(at)?, memory.read_word(at + 4)?);
        Some(u64::from(high) << 32 | u64::from(low))
    };
    let Some(latest) = word(place + 40) else { return false };
    let (copy, version) = (latest & 0x3ff, latest >> 10);
    // As the image has it: another number of readers is found when it is opened, or not at all.
    let copies = place + 128 + 64 * crate::image::READERS as u64;
    let stride = (8 + size as u64).next_multiple_of(64);
    word(copies + copy * stride) == Some(version)
}
