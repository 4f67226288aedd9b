//! Handles to the image's objects, by number.

use std::fmt::Debug;

use outlive::{Array, AtomicCounter, Counter, Event, Mutex, Object, Queue, Segment, Value};

use crate::image::{Record, State};
use crate::memory::Memory;
use crate::{locks, operations};

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
}

#[derive(Default)]
pub struct Objects([Option<Handle>; 12]);

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
            _ => find(segment, number, Handle::Event),
        };
    }

    pub fn run(&self, memory: &Memory, number: u8, operation: u8) {
        use operations as on;

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
        }
    }
}

fn free(memory: &Memory, handle: &impl Debug) {
    locks::free(memory, place(handle));
}

fn free_ends<T>(memory: &Memory, queue: &Queue<T>) {
    let place = place(queue);
    locks::free(memory, place + 64);
    locks::free(memory, place + 128);
}

/// Frees an array's lock. False if a reader without the right to lock it would wait for 10 seconds
/// for a change that never ends.
fn ready<T>(memory: &Memory, array: &Array<T>) -> bool {
    let place = place(array);
    locks::free(memory, place);
    let read_only = matches!(memory, Memory::Named { kind: crate::input::Kind::NamedReadOnly, .. });
    !read_only || memory.read_word(place + 48).is_some_and(|version| version & 1 == 0)
}
