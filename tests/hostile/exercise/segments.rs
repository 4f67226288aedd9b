//! Segments, and objects as far as their directory goes.

use std::fmt::Debug;
use std::hint::black_box;

use outlive::{
    Array, Barrier, Broadcast, ByteQueue, Event, Latest, List, ListenerOptions, Map, Mutex,
    Namespace, Once, OnceValue, Pipe, Queue, ReentrantMutex, Reset, RwLock, Segment, Semaphore,
    Service, Slow, Spsc, TaskQueue, Value,
};

use super::{outcome, tried};
use crate::image::{Place, RECORD, ROOM, Record, chunks, listening, serving, working};

/// What a segment says of itself.
pub(crate) fn look(segment: &Segment) {
    tried(segment.objects());
    tried(segment.committed());
    black_box((segment.name(), segment.path(), segment.capacity(), segment.huge_page_bytes()));
    black_box((segment.is_creator(), segment.is_ephemeral(), segment.is_read_only()));
    black_box(format!("{:?}", segment.clone()));
    // By another type than they are of.
    tried(segment.find::<Value<Record>>("mutex number"));
    tried(segment.find::<Queue<u32>>("queue number"));
    tried(segment.find::<Array<u64>>("array number"));
    tried(segment.find::<RwLock<u64>>("mutex number"));
    tried(segment.find::<RwLock<u32>>("rwlock number"));
    tried(segment.find::<Semaphore>("barrier"));
    tried(segment.find::<Barrier>("semaphore"));
    tried(segment.find::<Once>("once value"));
    tried(segment.find::<OnceValue<u64>>("once"));
    tried(segment.find::<Latest<Record>>("latest number"));
    tried(segment.find::<ReentrantMutex<u64>>("mutex number"));
    tried(segment.find::<Map<u64, u64>>("namespace"));
    tried(segment.find::<List<u32>>("list number"));
    tried(segment.find::<Namespace<17>>("namespace"));
    tried(segment.find::<Spsc<u32>>("ring record"));
    tried(segment.find::<Broadcast<u32>>("broadcast hasty"));
    tried(segment.find::<ByteQueue>("pipe"));
    tried(segment.find::<Pipe>("listener"));
    tried(segment.find::<Service>("tasks"));
    tried(segment.find::<TaskQueue<u64>>("tasks"));
}

/// Makes and removes objects.
pub(crate) fn names(segment: &Segment) {
    fn twice<K: Debug, E: Debug + std::fmt::Display>(make: impl Fn() -> Result<K, E>) {
        drop(outcome(make()));
        drop(outcome(make()));
    }
    twice(|| segment.mutex("new mutex", u64::MAX));
    twice(|| segment.value("new value", RECORD));
    twice(|| segment.counter("new counter"));
    twice(|| segment.atomic_counter("new atomic counter"));
    twice(|| segment.array("new array", 70, u16::MAX));
    twice(|| segment.queue::<u64>("new queue", 3));
    twice(|| segment.event("new event", Reset::Auto));
    twice(|| segment.rwlock_with("new rwlock", RECORD, 1));
    twice(|| segment.reentrant_mutex("new reentrant", u64::MAX));
    twice(|| segment.semaphore("new semaphore", 0));
    twice(|| segment.bounded_semaphore("new bounded", 1));
    twice(|| segment.barrier("new barrier", 1));
    twice(|| segment.condvar("new condvar"));
    twice(|| segment.once("new once"));
    twice(|| segment.once_value::<Record>("new once value"));
    twice(|| segment.latest_with("new latest", RECORD, 1));
    twice(|| segment.growing_map::<u64, u64>("new map", 1, 9));
    twice(|| segment.list::<u64>("new list", 3));
    twice(|| segment.namespace::<8>("new namespace", 2));
    twice(|| segment.create_object::<Mutex<u64>>("new mutex", 0));
    twice(|| segment.spsc::<u64>("new ring", 2));
    twice(|| segment.broadcast_with::<u64>("new broadcast", 2, Slow::Block, 1));
    twice(|| segment.byte_queue("new bytes", ROOM));
    twice(|| segment.pipe("new pipe", ROOM));
    twice(|| segment.listener("new listener", listening()));
    twice(|| segment.service("new service", serving()));
    twice(|| segment.task_queue_with::<u64>("new tasks", working()));
    twice(|| segment.loan_pool("new pool", &chunks()));
    // As they are, and in another shape.
    twice(|| segment.array("array number", 20, 0_i64));
    twice(|| segment.queue::<u64>("queue number", 9));
    twice(|| segment.event("event auto", Reset::Manual));
    twice(|| segment.find_or_create::<Event>("event manual", Reset::Manual));
    twice(|| segment.rwlock("rwlock number", 0_u64));
    twice(|| segment.semaphore("bounded semaphore", 3));
    twice(|| segment.bounded_semaphore("semaphore", 3));
    twice(|| segment.barrier("barrier", 3));
    twice(|| segment.latest("latest number", 0_u64));
    twice(|| segment.spsc::<Record>("ring record", 9));
    twice(|| segment.broadcast::<u64>("broadcast hasty", 3, Slow::Overwrite));
    twice(|| segment.byte_queue("bytes", ROOM + 8));
    twice(|| segment.one_way_pipe("pipe", ROOM));
    twice(|| segment.listener("listener", ListenerOptions::default()));
    twice(|| segment.service("service", serving().requests(1)));
    twice(|| segment.task_queue::<Record>("tasks", 3));
    twice(|| segment.loan_pool("pool", &chunks().chunks(1, 64)));
    for name in ["new mutex", "new queue", "mutex number", "value record", "array small", ""] {
        tried(segment.remove(name));
    }
    for name in ["new map", "new list", "new namespace", "map record", "list record"] {
        tried(segment.remove(name));
    }
    for name in ["new rwlock", "new semaphore", "new latest", "rwlock state", "barrier", "once"] {
        tried(segment.remove(name));
    }
    for name in ["new ring", "new broadcast", "new bytes", "new pipe", "new listener", "pool"] {
        tried(segment.remove(name));
    }
    for name in ["new service", "new tasks", "new pool", "bytes", "listener", "tasks"] {
        tried(segment.remove(name));
    }
    twice(|| segment.array("larger than there is room", 1 << 20, 0_u64));
    twice(|| segment.value("again", RECORD));
    tried(segment.objects());
}

/// Takes part anew in every way, and ends the segment.
pub(crate) fn reopen(place: &Place, name: &str) {
    tried(place.options().open(name));
    tried(place.options().create(name));
    tried(place.options().open_or_create(name));
    tried(place.options().gc());
    tried(place.options().unlink(name));
    tried(place.options().unlink(name));
    tried(place.options().gc());
}
