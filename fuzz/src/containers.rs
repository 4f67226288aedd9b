//! Operations on lists, maps and namespaces, by number.

use std::fmt::Debug;
use std::hint::black_box;

use outlive::{List, Map, Namespace, Shared};

use crate::operations::{SHORT, tried};

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

pub fn list<T: Shared + Debug>(list: &List<T>, new: T, operation: u8) {
    let length = list.len();
    assert!(length <= list.capacity(), "longer than there is room");
    let index = index(length, operation);
    match operation % 16 {
        0 => tried(list.get(index)),
        1 => tried(list.push(new)),
        2 => tried(list.insert(index, new)),
        3 => tried(list.remove(index)),
        4 => tried(list.pop()),
        5 => tried(list.set(index, new)),
        6 => tried(list.update(index, |element| *element = new)),
        7 => tried(list.compare_exchange(index, new, new)),
        8 => tried(list.extend([new; 3])),
        9 => tried(list.truncate(index)),
        10 => tried(list.to_vec()),
        11 => list.iter().for_each(tried),
        12 => tried(list.clear()),
        13 => tried(list.try_lock().map(|mut guard| {
            guard.reverse();
            let _room = guard.insert(index, new);
        })),
        14 => tried(list.lock_timeout(SHORT).map(|mut guard| {
            guard.clear();
            guard.rollback();
        })),
        _ => drop(black_box(format!("{list:?} {:?}", list.holder()))),
    }
}

pub fn map(map: &Map<u64, u64>, operation: u8) {
    assert!(map.len() <= map.capacity(), "more than there is room for");
    let key = u64::from(operation >> 4);
    match operation % 12 {
        0 => tried(map.get(&key)),
        1 | 2 => tried(map.insert(key, key)),
        3 => tried(map.remove(&key)),
        4 => tried(map.update(&key, |value| *value ^= 1)),
        5 => tried(map.compare_exchange(&key, key, 0)),
        6 => map.iter().take(1000).for_each(tried),
        7 => tried(map.retain(|key, _| key % 2 == 0)),
        8 => tried(map.clear()),
        9 => tried(map.try_entry(key).map(|entry| drop(entry.and_modify(|value| *value = 3)))),
        10 => tried(map.entry_timeout(key, SHORT).map(|entry| drop(entry.or_insert(7)))),
        _ => tried(map.get_or_insert_with(key, || 5)),
    }
}

pub fn namespace(space: &Namespace<16>, operation: u8) {
    let name = ["a", "b", "c", "d"][usize::from(operation >> 6)];
    match operation % 9 {
        0 => tried(space.get::<u64>(name)),
        1 => tried(space.get::<char>(name)),
        2 => tried(space.set(name, &7_u64)),
        3 => tried(space.set(name, &'x')),
        4 => tried(space.update(name, |number: &mut u64| *number ^= 1)),
        5 => tried(space.remove(name)),
        6 => tried(space.names()),
        7 => tried(space.clear()),
        _ => tried(space.get_or_set(name, &'y')),
    }
}
