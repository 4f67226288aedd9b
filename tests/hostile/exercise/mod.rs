//! Calls every public operation. What they return is nobody's business here: that they do is.

mod arrays;
mod queues;
mod segments;
mod single;

use std::fmt::{Debug, Display};
use std::hint::black_box;
use std::time::Duration;

use outlive::{Array, AtomicCounter, Counter, Event, Mutex, Object, Queue, Segment, Value};

use crate::image::{Large, RECORD, Record, State};

pub(crate) use segments::{look, names, reopen};

/// How long operations with a timeout may wait.
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

/// All objects of the image that could be found.
#[derive(Debug)]
pub(crate) struct Objects {
    mutex_number: Option<Mutex<u64>>,
    mutex_state: Option<Mutex<State>>,
    value_number: Option<Value<u32>>,
    value_record: Option<Value<Record>>,
    value_flag: Option<Value<bool>>,
    counter: Option<Counter>,
    atomic_counter: Option<AtomicCounter>,
    array_number: Option<Array<i64>>,
    array_small: Option<Array<u16>>,
    array_record: Option<Array<Record>>,
    array_char: Option<Array<char>>,
    queue_number: Option<Queue<u64>>,
    queue_state: Option<Queue<State>>,
    queue_large: Option<Queue<Large>>,
    event_auto: Option<Event>,
    event_manual: Option<Event>,
}

impl Objects {
    pub(crate) fn find(segment: &Segment) -> Self {
        fn find<K: Object + Debug>(segment: &Segment, name: &str) -> Option<K> {
            outcome(segment.find(name))
        }
        Self {
            mutex_number: find(segment, "mutex number"),
            mutex_state: find(segment, "mutex state"),
            value_number: find(segment, "value number"),
            value_record: find(segment, "value record"),
            value_flag: find(segment, "value flag"),
            counter: find(segment, "counter"),
            atomic_counter: find(segment, "atomic counter"),
            array_number: find(segment, "array number"),
            array_small: find(segment, "array small"),
            array_record: find(segment, "array record"),
            array_char: find(segment, "array char"),
            queue_number: find(segment, "queue number"),
            queue_state: find(segment, "queue state"),
            queue_large: find(segment, "queue large"),
            event_auto: find(segment, "event auto"),
            event_manual: find(segment, "event manual"),
        }
    }

    pub(crate) fn are_complete(&self) -> bool {
        !format!("{self:?}").contains("None")
    }

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
    }
}
