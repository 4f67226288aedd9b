//! Calls every public operation. What they return is nobody's business here: that they do is.

mod arrays;
mod channels;
mod committed;
mod connections;
mod containers;
mod gates;
mod latest;
mod loans;
mod onces;
mod queues;
mod rings;
mod rwlocks;
mod segments;
mod several;
mod single;
mod tasks;

use std::fmt::{Debug, Display};
use std::hint::black_box;
use std::time::Duration;

use outlive::{
    Array, AtomicCounter, Barrier, Broadcast, ByteQueue, Condvar, Counter, Event, Latest, List,
    Listener, LoanHandle, LoanPool, Map, Mutex, Namespace, Object, Once, OnceValue, Pipe, Queue,
    ReentrantMutex, RwLock, Segment, Semaphore, Service, Spsc, TaskQueue, Value,
};

use crate::image::{KEYS, Large, Name, RECORD, Record, SYMBOL, State, Wide, names_of_map};

pub(crate) use committed::Damage;
pub(crate) use segments::{look, names, reopen};

/// How long operations with a timeout may wait. Of the same kind on one object, all but one do with
/// less, so that cases are quick.
const SHORT: Duration = Duration::from_micros(50);

/// What may go on while the operations run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Others {
    /// Nobody writes.
    Quiet,
    /// Somebody writes anything at any time. Operations that wait for others' work would wait for
    /// work that is undone.
    Writing,
}

/// Looks at a value, whatever it is.
fn show(value: impl Debug) {
    black_box(format!("{value:?}"));
}

/// Looks at a result, whatever it is.
fn tried<T: Debug, E: Display + Debug>(result: Result<T, E>) {
    outcome(result);
}

/// Looks at a result, and hands on what there is.
fn outcome<T: Debug, E: Display + Debug>(result: Result<T, E>) -> Option<T> {
    match result {
        Ok(value) => {
            black_box(format!("{value:?}"));
            Some(value)
        }
        Err(error) => {
            black_box(format!("{error} {error:?}"));
            None
        }
    }
}

/// Declares [`Objects`], each with its name.
macro_rules! objects {
    ($($field:ident: $type:ty = $name:literal,)*) => {
        /// All objects of the image that could be found.
        #[derive(Debug)]
        pub(crate) struct Objects { $($field: Option<$type>,)* }

        impl Objects {
            pub(crate) fn find(segment: &Segment) -> Self {
                Self { $($field: find(segment, $name),)* }
            }

            /// That one, and those that others are used with.
            pub(crate) fn find_one(segment: &Segment, name: &str) -> Self {
                let wanted = [name, "mutex number", "handles"];
                Self { $($field: wanted.contains(&$name).then(|| find(segment, $name)).flatten(),)* }
            }

            pub(crate) fn are_complete(&self) -> bool {
                true $(&& self.$field.is_some())*
            }
        }
    };
}

fn find<K: Object + Debug>(segment: &Segment, name: &str) -> Option<K> {
    outcome(segment.find(name))
}

objects! {
    mutex_number: Mutex<u64> = "mutex number",
    mutex_state: Mutex<State> = "mutex state",
    value_number: Value<u32> = "value number",
    value_record: Value<Record> = "value record",
    value_flag: Value<bool> = "value flag",
    counter: Counter = "counter",
    atomic_counter: AtomicCounter = "atomic counter",
    array_number: Array<i64> = "array number",
    array_small: Array<u16> = "array small",
    array_record: Array<Record> = "array record",
    array_char: Array<char> = "array char",
    queue_number: Queue<u64> = "queue number",
    queue_state: Queue<State> = "queue state",
    queue_large: Queue<Large> = "queue large",
    event_auto: Event = "event auto",
    event_manual: Event = "event manual",
    rwlock_number: RwLock<u64> = "rwlock number",
    rwlock_state: RwLock<State> = "rwlock state",
    reentrant_number: ReentrantMutex<u64> = "reentrant number",
    reentrant_state: ReentrantMutex<State> = "reentrant state",
    semaphore: Semaphore = "semaphore",
    bounded_semaphore: Semaphore = "bounded semaphore",
    barrier: Barrier = "barrier",
    lone_barrier: Barrier = "lone barrier",
    condvar: Condvar = "condvar",
    once: Once = "once",
    once_unset: OnceValue<Record> = "once unset",
    once_value: OnceValue<Record> = "once value",
    latest_number: Latest<u64> = "latest number",
    latest_wide: Latest<Wide> = "latest wide",
    map_number: Map<u64, u64> = "map number",
    map_record: Map<Name, Record> = "map record",
    list_number: List<u16> = "list number",
    list_record: List<Record> = "list record",
    namespace: Namespace<16> = "namespace",
    ring_record: Spsc<Record> = "ring record",
    ring_large: Spsc<Large> = "ring large",
    broadcast_waiting: Broadcast<Record> = "broadcast waiting",
    broadcast_hasty: Broadcast<u64> = "broadcast hasty",
    bytes: ByteQueue = "bytes",
    pipe: Pipe = "pipe",
    one_way_pipe: Pipe = "one-way pipe",
    listener: Listener = "listener",
    service: Service = "service",
    tasks: TaskQueue<Record> = "tasks",
    pool: LoanPool = "pool",
    handles: Queue<LoanHandle> = "handles",
}

impl Objects {
    /// What needs no right to write and takes no lock.
    pub(crate) fn read(&self) {
        self.value_number.iter().for_each(|value| tried(value.get()));
        self.value_record.iter().for_each(|value| tried(value.get()));
        self.value_flag.iter().for_each(|value| tried(value.get()));
        self.counter.iter().for_each(|counter| show(counter.get()));
        self.atomic_counter.iter().for_each(|counter| show(counter.get()));
        self.array_number.iter().for_each(|array| tried(array.load(3)));
        self.array_small.iter().for_each(|array| tried(array.get(3)));
        self.array_char.iter().for_each(|array| array.iter().for_each(tried));
        self.queue_number.iter().for_each(queues::read);
        self.queue_state.iter().for_each(queues::read);
        self.queue_large.iter().for_each(queues::read);
        self.event_auto.iter().for_each(|event| show(event.is_set()));
        self.event_manual.iter().for_each(|event| show(event.is_set()));
        self.rwlock_number.iter().for_each(rwlocks::read);
        self.rwlock_state.iter().for_each(rwlocks::read);
        self.reentrant_number.iter().for_each(|mutex| show((mutex.depth(), mutex.holder())));
        self.semaphore.iter().for_each(gates::read_semaphore);
        self.bounded_semaphore.iter().for_each(gates::read_semaphore);
        self.barrier.iter().for_each(gates::read_barrier);
        self.lone_barrier.iter().for_each(gates::read_barrier);
        self.once.iter().for_each(onces::read);
        self.once_unset.iter().for_each(onces::read_value);
        self.once_value.iter().for_each(onces::read_value);
        self.latest_number.iter().for_each(latest::read);
        self.latest_wide.iter().for_each(latest::read);
        self.map_number.iter().for_each(|map| containers::read_map(map, &KEYS));
        self.map_record.iter().for_each(|map| containers::read_map(map, &names_of_map()));
        self.list_number.iter().for_each(|list| containers::read_list(list, 7));
        self.list_record.iter().for_each(|list| containers::read_list(list, RECORD));
        self.namespace.iter().for_each(containers::read_namespace);
        self.read_channels();
    }

    fn read_channels(&self) {
        self.ring_record.iter().for_each(rings::read_spsc);
        self.ring_large.iter().for_each(rings::read_spsc);
        self.broadcast_waiting.iter().for_each(rings::read_broadcast);
        self.broadcast_hasty.iter().for_each(rings::read_broadcast);
        self.bytes.iter().for_each(channels::read_bytes);
        self.pipe.iter().for_each(channels::read_pipe);
        self.one_way_pipe.iter().for_each(channels::read_pipe);
        self.listener.iter().for_each(connections::read_listener);
        self.service.iter().for_each(connections::read_service);
        self.tasks.iter().for_each(tasks::read);
        self.pool.iter().for_each(loans::read);
        self.handles.iter().for_each(queues::read);
    }

    /// Everything, through handles that may write.
    pub(crate) fn use_all(&self, others: Others) {
        self.read();
        self.mutex_number.iter().for_each(|mutex| single::mutex(mutex, u64::MAX, others));
        self.mutex_state.iter().for_each(|mutex| single::mutex(mutex, State::Cold, others));
        self.value_number.iter().for_each(|value| single::value(value, u32::MAX));
        self.value_record.iter().for_each(|value| single::value(value, RECORD));
        self.value_flag.iter().for_each(|value| single::value(value, true));
        self.counter.iter().for_each(single::counter);
        self.atomic_counter.iter().for_each(single::atomic_counter);
        self.array_number.iter().for_each(|array| {
            arrays::any(array, -1);
            arrays::atomic(array, -1);
        });
        self.array_small.iter().for_each(|array| {
            arrays::any(array, 0xffff);
            arrays::atomic(array, 0xffff);
        });
        self.array_record.iter().for_each(|array| arrays::any(array, RECORD));
        self.array_char.iter().for_each(|array| arrays::any(array, '\u{10ffff}'));
        self.queue_number.iter().for_each(|queue| queues::any(queue, u64::MAX, others));
        self.queue_state.iter().for_each(|queue| queues::any(queue, State::Hot, others));
        self.queue_large.iter().for_each(|queue| queues::any(queue, [u64::MAX; 9], others));
        self.event_auto.iter().for_each(|event| single::event(event, others));
        self.event_manual.iter().for_each(|event| single::event(event, others));
        self.rwlock_number.iter().for_each(|lock| rwlocks::any(lock, 7, others));
        self.rwlock_state.iter().for_each(|lock| rwlocks::any(lock, State::Cold, others));
        self.reentrant_number.iter().for_each(|mutex| single::reentrant(mutex, 7, others));
        self.reentrant_state.iter().for_each(|mutex| single::reentrant(mutex, State::Cold, others));
        self.semaphore.iter().for_each(gates::semaphore);
        self.bounded_semaphore.iter().for_each(gates::semaphore);
        self.barrier.iter().for_each(gates::barrier);
        self.lone_barrier.iter().for_each(gates::barrier);
        self.condvar.iter().zip(&self.mutex_number).for_each(|(condvar, mutex)| {
            gates::condvar(condvar, mutex);
        });
        self.once.iter().for_each(onces::once);
        self.once_unset.iter().for_each(|once| onces::value(once, RECORD));
        self.once_value.iter().for_each(|once| onces::value(once, RECORD));
        self.latest_number.iter().for_each(|latest| latest::any(latest, 7));
        self.latest_wide.iter().for_each(|latest| latest::any(latest, [State::Hot; 300]));
        self.map_number.iter().for_each(|map| containers::map(map, &KEYS, 7));
        self.map_record.iter().for_each(|map| containers::map(map, &names_of_map(), RECORD));
        self.list_number.iter().for_each(|list| containers::list(list, 7));
        self.list_record.iter().for_each(|list| containers::list(list, RECORD));
        self.namespace.iter().for_each(|space| containers::namespace(space, 7, SYMBOL));
        self.use_channels(others);
        several::any(self);
    }

    fn use_channels(&self, others: Others) {
        self.ring_record.iter().for_each(|ring| rings::spsc(ring, RECORD, others));
        self.ring_large.iter().for_each(|ring| rings::spsc(ring, [7; 9], others));
        self.broadcast_waiting.iter().for_each(|all| rings::broadcast(all, RECORD, others));
        self.broadcast_hasty.iter().for_each(|all| rings::broadcast(all, 5, others));
        self.bytes.iter().for_each(|queue| channels::bytes(queue, others));
        self.pipe.iter().for_each(|pipe| channels::pipe(pipe, others));
        self.one_way_pipe.iter().for_each(|pipe| channels::pipe(pipe, others));
        self.listener.iter().for_each(|listener| connections::listener(listener, others));
        self.service.iter().for_each(|service| connections::service(service, others));
        self.tasks.iter().for_each(|queue| tasks::any(queue, RECORD, others));
        self.pool.iter().for_each(|pool| loans::pool(pool, self.handles.as_ref(), others));
        let handle = LoanHandle::from_bytes([7; 16]);
        self.handles.iter().for_each(|queue| queues::any(queue, handle, others));
    }
}
