//! Lists, maps and namespaces.

use std::fmt::Debug;
use std::hint::black_box;

use outlive::{List, Map, Namespace, Shared};

use super::{SHORT, outcome, tried};

pub(crate) fn read_list<T: Shared + Debug + PartialEq>(list: &List<T>, sought: T) {
    let length = list.len();
    // Nobody can make it longer than it has room for.
    assert!(length <= list.capacity(), "{length} elements");
    black_box((list.is_empty(), list.holder()));
    for index in [0, 1, length / 2, length, usize::MAX] {
        tried(list.get(index));
    }
    tried(list.first());
    tried(list.last());
    tried(list.to_vec());
    tried(list.contains(&sought));
    assert!(list.iter().rev().count() <= list.capacity());
    list.iter().for_each(tried);
    black_box(format!("{list:?} {:?}", list.clone()));
}

pub(crate) fn list<T: Shared + Debug + PartialEq>(list: &List<T>, new: T) {
    read_list(list, new);
    for index in [0, 1, list.len(), list.capacity(), usize::MAX] {
        tried(list.push(new));
        tried(list.insert(index, new));
        tried(list.set(index, new));
        tried(list.update(index, |element| *element = new));
        tried(list.fetch_update(index, |_| None));
        tried(list.compare_exchange(index, new, new));
        tried(list.remove(index));
    }
    tried(list.extend([new; 3]));
    tried(list.extend(vec![new; list.capacity() + 1]));
    tried(list.pop());
    if let Some(mut guard) = outcome(list.try_lock()) {
        guard.reverse();
        tried(guard.push(new));
        tried(guard.insert(1, new));
        tried(guard.remove(0));
        guard.commit();
    }
    if let Some(mut guard) = outcome(list.lock_timeout(SHORT)) {
        guard.clear();
        guard.rollback();
    }
    drop(outcome(list.lock()));
    tried(list.retain(|element| *element == new));
    tried(list.truncate(1));
    tried(list.clear());
    tried(list.extend([new; 2]));
    read_list(list, new);
}

pub(crate) fn read_map<K, V>(map: &Map<K, V>, keys: &[K])
where
    K: Shared + Debug,
    V: Shared + Debug,
{
    assert!(map.len() <= map.capacity(), "{} entries", map.len());
    black_box(map.is_empty());
    for key in keys {
        tried(map.get(key));
        tried(map.contains_key(key));
    }
    map.iter().take(1000).for_each(tried);
    map.keys().take(1000).for_each(tried);
    map.values().take(1000).for_each(tried);
    black_box(format!("{map:?} {:?}", map.clone()));
}

pub(crate) fn map<K: Shared + Debug, V: Shared + Debug>(map: &Map<K, V>, keys: &[K], new: V) {
    read_map(map, keys);
    for key in keys {
        tried(map.insert(*key, new));
        tried(map.update(key, |value| *value = new));
        tried(map.fetch_update(key, |_| None));
        tried(map.compare_exchange(key, new, new));
        tried(map.get_or_insert_with(*key, || new));
        if let Some(mut entry) = outcome(map.try_entry(*key)) {
            tried(entry.insert(new));
            entry.change(|value| *value = new);
            tried(entry.remove());
        }
        if let Some(entry) = outcome(map.entry_timeout(*key, SHORT)) {
            tried(entry.and_modify(|value| *value = new).or_insert(new));
        }
    }
    for key in keys {
        tried(map.remove(key));
    }
    let mut kept = 0;
    tried(map.retain(|_, _| {
        kept += 1;
        kept % 2 == 0
    }));
    tried(map.clear());
    tried(map.insert(keys[0], new));
    read_map(map, keys);
}

pub(crate) fn read_namespace<const SIZE: usize>(space: &Namespace<SIZE>) {
    assert!(space.len() <= space.capacity(), "{} attributes", space.len());
    for name in ["number", "symbol", "none", ""] {
        tried(space.get::<u64>(name));
        tried(space.get::<char>(name));
        tried(space.contains(name));
    }
    tried(space.names());
    black_box(format!("{space:?} {:?} {}", space.clone(), space.is_empty()));
}

pub(crate) fn namespace<const SIZE: usize>(space: &Namespace<SIZE>, number: u64, symbol: char) {
    read_namespace(space);
    for name in ["number", "symbol", "none"] {
        tried(space.update(name, |value: &mut u64| *value = number));
        tried(space.update(name, |value: &mut char| *value = symbol));
        tried(space.get_or_set(name, &symbol));
        tried(space.set(name, &[symbol; 3]));
        tried(space.set(name, &symbol));
        tried(space.remove(name));
    }
    tried(space.clear());
    tried(space.set("number", &number));
    tried(space.set("symbol", &symbol));
    read_namespace(space);
}
