//! A good segment with objects of every kind, as bytes.

use std::sync::LazyLock;

use outlive::{ObjectError, PoolLayout, Reset, Segment, ServiceOptions, Shared, Slow};

pub const CAPACITY: u64 = 64 << 10;

/// How many readers locks and latest values are for.
pub const READERS: usize = 2;

/// Has bytes that are no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Shared)]
#[repr(u8)]
pub enum State {
    Cold = 1,
    Hot = 200,
}

/// Several words, with fields of all sorts of validity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Shared)]
#[repr(C)]
pub struct Record {
    pub id: u64,
    pub symbol: char,
    pub state: State,
    pub flag: bool,
    pub rest: [u8; 2],
}

pub const RECORD: Record =
    Record { id: 7, symbol: 'x', state: State::Hot, flag: true, rest: [0xaa; 2] };

fn furnish(segment: &Segment) -> Result<(), ObjectError> {
    segment.mutex("0", 1_u64)?;
    segment.mutex("1", State::Cold)?;
    segment.value("2", 5_u32)?;
    segment.value("3", RECORD)?;
    segment.counter("4")?;
    segment.atomic_counter("5")?;
    segment.array("6", 20, -1_i64)?;
    segment.array("7", 5, RECORD)?;
    let numbers = segment.queue::<u64>("8", 8)?;
    let records = segment.queue::<Record>("9", 5)?;
    segment.event("10", Reset::Auto)?;
    segment.event("11", Reset::Manual)?;
    segment.rwlock_with("12", 1_u64, READERS)?;
    segment.rwlock_with("13", State::Cold, READERS)?;
    segment.reentrant_mutex("14", State::Cold)?;
    segment.semaphore("15", 3)?;
    segment.bounded_semaphore("16", 3)?;
    segment.barrier("17", 2)?;
    segment.barrier("18", 1)?;
    segment.condvar("19")?;
    segment.once("20")?;
    segment.once_value::<Record>("21")?;
    segment.latest_with("22", 5_u64, READERS)?;
    segment.latest_with("23", [RECORD; 20], READERS)?;
    let map = segment.map::<u64, u64>("24", 8)?;
    let list = segment.list::<Record>("25", 5)?;
    let space = segment.namespace::<16>("26", 3)?;
    let ring = segment.spsc::<Record>("27", 5)?;
    let bytes = segment.byte_queue("28", 128)?;
    let channel = segment.broadcast::<u64>("29", 4, Slow::Overwrite)?;
    let pipe = segment.pipe("30", 128)?;
    let tasks = segment.task_queue::<u64>("31", 4)?;
    segment.loan_pool("32", &PoolLayout::new().chunks(2, 64).chunks(1, 256))?;
    segment.service("33", ServiceOptions::new(16, 16))?;
    let _ring = ring.producer().map(|mut end| drop(end.try_push(RECORD)));
    let _sent = (bytes.try_push(b"one"), channel.try_publish(1), tasks.try_push(1));
    let _first = pipe.first().map(|end| drop(end.try_send_bytes(b"one")));
    segment.value("removed", 1_u64)?;
    segment.remove("removed")?;
    for i in 0..3 {
        // So many that the directory has a third block.
        segment.counter(&format!("more {i}"))?;
    }
    let _room = (numbers.try_push(1), numbers.try_push(2), records.try_push(RECORD));
    let _entries = (map.insert(1, 1), map.insert(2, 2), list.push(RECORD), list.push(RECORD));
    let _attributes = (space.set("a", &1_u64), space.set("b", &'x'));
    Ok(())
}

/// The same bytes in every run within one PID namespace.
pub static BYTES: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let name = format!("outlive-fuzz-image-{}", std::process::id());
    let segment = Segment::options()
        .capacity(CAPACITY)
        .persistent(true)
        .create(&name)
        .expect("create the image");
    furnish(&segment).expect("furnish the image");
    let bytes = std::fs::read(segment.path().expect("a name")).expect("read the image");
    Segment::unlink(&name).expect("unlink the image");
    bytes
});
