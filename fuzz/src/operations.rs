//! Operations on segments and on data, by number; those of `sync_operations` beside them.

use std::fmt::{Debug, Display};
use std::hint::black_box;
use std::time::Duration;

use outlive::{
    Array, AtomicCounter, AtomicElement, Counter, Event, LockError, Mutex, MutexGuard, Queue,
    Reset, Segment, Shared, Value,
};

use crate::image::RECORD;
use crate::locks;
use crate::memory::Memory;

pub const SHORT: Duration = Duration::from_micros(50);

/// Looks at a result, whatever it is.
pub fn tried<T, E: Display + Debug>(result: Result<T, E>) {
    if let Err(error) = result {
        black_box(format!("{error} {error:?}"));
    }
}

type Locked<'a, T> = Result<MutexGuard<'a, T>, LockError<MutexGuard<'a, T>>>;

fn guarded<T: Shared + Debug>(locked: Locked<'_, T>, new: T, mend: bool) {
    if let Ok(mut guard) | Err(LockError::OwnerDied(mut guard)) = locked {
        black_box(format!("{guard:?} {}", guard.is_inconsistent()));
        *guard = new;
        if mend {
            guard.mark_consistent();
        }
    }
}

pub fn mutex<T: Shared + Debug>(mutex: &Mutex<T>, new: T, operation: u8, free: impl Fn()) {
    match operation % 5 {
        0 => guarded(mutex.try_lock(), new, true),
        1 => guarded(mutex.lock_timeout(Duration::ZERO), new, true),
        2 => guarded(mutex.lock_timeout(SHORT), new, false),
        _ => {
            free();
            guarded(mutex.lock(), new, operation & 0x80 == 0);
        }
    }
}

pub fn value<T: Shared + Debug>(value: &Value<T>, new: T, operation: u8, free: impl Fn()) {
    match operation % 6 {
        0 => tried(value.get()),
        1 => tried(value.try_lock().map(|mut guard| *guard = new)),
        2 => tried(value.lock_timeout(SHORT).map(|mut guard| {
            *guard = new;
            guard.rollback();
        })),
        3 => {
            free();
            tried(value.set(new));
        }
        4 => {
            free();
            tried(value.update(|value| *value = new));
        }
        _ => {
            free();
            tried(value.lock().map(|guard| guard.commit()));
        }
    }
}

pub fn counter(counter: &Counter, operation: u8, free: impl Fn()) {
    match operation % 5 {
        0 => drop(black_box(counter.get())),
        1 => tried(counter.try_lock().map(|mut guard| *guard = i64::MIN)),
        2 => tried(counter.lock_timeout(SHORT).map(|guard| guard.rollback())),
        3 => {
            free();
            tried(counter.add(i64::MAX));
        }
        _ => {
            free();
            tried(counter.set(-1));
        }
    }
}

pub fn atomic_counter(counter: &AtomicCounter, operation: u8) {
    match operation % 6 {
        0 => tried(counter.fetch_add(i64::MAX)),
        1 => tried(counter.fetch_max(7)),
        2 => tried(counter.fetch_min(7)),
        3 => tried(counter.swap(3)),
        4 => tried(counter.compare_exchange(7, 8)),
        _ => tried(counter.set(counter.get())),
    }
}

/// An index within, at the end, or beyond it.
fn index(length: usize, operation: u8) -> usize {
    match operation >> 5 {
        0 => 0,
        1 => length / 2,
        2 => length.wrapping_sub(1),
        3 => length,
        4 => usize::MAX,
        _ => 1,
    }
}

pub fn array<T: Shared + Debug>(array: &Array<T>, new: T, operation: u8) {
    let index = index(array.len(), operation);
    let mut some = [new; 3];
    match operation % 10 {
        0 => tried(array.get(index)),
        1 => tried(array.set(index, new)),
        2 => tried(array.read(index, &mut some)),
        3 => tried(array.write(index, &some)),
        4 => tried(array.to_vec()),
        5 => array.iter().rev().take(100).for_each(tried),
        6 => tried(array.update(index.., |elements| elements.reverse())),
        7 => tried(array.try_lock().map(|mut guard| guard.fill(new))),
        8 => tried(array.lock_timeout(SHORT).map(|guard| guard.rollback())),
        _ => tried(array.lock().map(|guard| guard.commit())),
    }
}

pub fn atomic_array<T: AtomicElement + Debug>(array: &Array<T>, operation: u8) {
    let Ok(first) = array.load(0) else { return };
    let index = index(array.len(), operation);
    match operation % 6 {
        0 => tried(array.store(index, first)),
        1 => tried(array.swap(index, first)),
        2 => tried(array.fetch_add(index, first)),
        3 => tried(array.fetch_min(index, first)),
        4 => tried(array.fetch_max(index, first)),
        _ => tried(array.compare_exchange(index, first, first)),
    }
}

pub fn queue<T: Shared + Debug>(queue: &Queue<T>, new: T, operation: u8, free: impl Fn()) {
    match operation % 10 {
        0 => drop(black_box((queue.len(), queue.is_empty(), queue.stats(), queue.capacity()))),
        1 => tried(queue.pop_timeout(SHORT)),
        2 => tried(queue.push_timeout(new, SHORT)),
        3 => {
            free();
            tried(queue.try_pop());
        }
        4 | 5 => {
            free();
            tried(queue.try_push(new));
        }
        6 => {
            free();
            tried(queue.peek_all());
        }
        7 => {
            free();
            assert!(queue.drain().count() <= queue.capacity(), "more messages than cells");
        }
        8 => {
            free();
            tried(queue.close());
        }
        // Else these would wait for others.
        _ if queue.is_closed() && queue.len() <= queue.capacity() => {
            free();
            tried(queue.push(new));
            let ended = queue.pop();
            tried(ended);
        }
        _ => {}
    }
}

pub fn event(event: &Event, operation: u8) {
    match operation % 4 {
        0 => tried(event.set()),
        1 => tried(event.clear()),
        2 => tried(event.wait_timeout(SHORT)),
        _ => drop(black_box(event.is_set())),
    }
}

/// Operations of the segment and its directory.
pub fn names(memory: &Memory, segment: &Segment, operation: u8) {
    locks::free(memory, locks::DIRECTORY);
    let (kind, name) = (operation % 23, (operation / 23).to_string());
    match kind {
        0 => tried(segment.objects()),
        1 => tried(segment.committed()),
        2 | 3 => tried(segment.remove(&name)),
        4 => tried(segment.mutex(&name, 1_u64)),
        5 => tried(segment.value(&name, RECORD)),
        6 => tried(segment.counter("new counter")),
        7 => tried(segment.atomic_counter(&name)),
        8 => tried(segment.array(&name, 20, 0_i64)),
        9 => tried(segment.queue::<u64>(&name, 8)),
        10 => tried(segment.event(&name, Reset::Auto)),
        11 => tried(segment.create_object::<Value<[u64; 20]>>("new value", [1; 20])),
        12 => tried(segment.remove("new value")),
        13 => tried(segment.rwlock_with("new rwlock", RECORD, 1)),
        14 => tried(segment.remove("new rwlock")),
        15 => tried(segment.reentrant_mutex("new reentrant", 1_u64)),
        16 => tried(segment.semaphore("15", u64::from(operation))),
        17 => tried(segment.bounded_semaphore("16", 3)),
        18 => tried(segment.barrier("17", 2)),
        19 => tried(segment.condvar("19")),
        20 => tried(segment.once_value::<u64>("21")),
        21 => tried(segment.latest_with("22", 5_u64, 2)),
        _ => drop(black_box(format!("{segment:?}"))),
    }
}
