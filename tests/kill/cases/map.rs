//! `Map`: an entry is inserted, changed, removed; the map grows.

use outlive::{InsertError, Map};

use crate::case::{By, Case, Operation, Seen, Verdict, World, hold};

type Value = [u64; 5];
const ROOM: usize = 6;
/// The entry that the operations are about, and one that stays.
const KEY: u64 = 1;
const OTHER: u64 = 2;

fn map(world: &World) -> &'static Map<u64, Value> {
    Box::leak(Box::new(world.warm().growing_map("map", 2, ROOM).expect("map")))
}

/// Without the entry.
fn setup(world: &World) {
    world.create();
    map(world).insert(OTHER, [9; 5]).expect("insert");
}

/// With it.
fn setup_with(world: &World) {
    setup(world);
    map(world).insert(KEY, [1; 5]).expect("insert");
}

/// All that there is memory for: the next one has to grow it.
fn setup_to_grow(world: &World) {
    setup(world);
    map(world).insert(3, [9; 5]).expect("insert");
}

fn insert(world: &World) -> Operation {
    let map = map(world);
    Box::new(move || {
        let _before = map.insert(KEY, [2; 5]).expect("insert");
    })
}

fn update(world: &World) -> Operation {
    let map = map(world);
    Box::new(move || {
        let _before = map.update(&KEY, |value| *value = [2; 5]).expect("update");
    })
}

fn remove(world: &World) -> Operation {
    let map = map(world);
    Box::new(move || {
        let _before = map.remove(&KEY).expect("remove");
    })
}

fn entry(world: &World) -> Operation {
    let map = map(world);
    Box::new(move || {
        let entry = map.entry(KEY).expect("entry");
        entry.and_modify(|value| *value = [2; 5]).or_insert([2; 5]).expect("room");
    })
}

/// Takes the lock that the dead one may have had.
fn repair(world: &World) -> Operation {
    let map = map(world);
    Box::new(move || map.entry(KEY).expect("entry").release())
}

/// What all agree on: the entry as it is, the other one as it was, no more and no less.
fn look(world: &World) -> Result<Option<Value>, crate::case::Broken> {
    let map = map(world);
    let found = map.get(&KEY)?;
    hold!(Torn, found.is_none_or(|value| value == [value[0]; 5]), "{found:?}");
    hold!(Lost, map.get(&OTHER)? == Some([9; 5]), "the other entry is gone");
    let entries = map.iter().collect::<Result<Vec<_>, _>>()?;
    let listed = entries.iter().find(|(key, _)| *key == KEY).map(|(_, value)| *value);
    hold!(Torn, listed == found, "{listed:?} listed, {found:?} found");
    let locked = map.try_entry(KEY)?.get();
    hold!(Lost, locked == found, "read {found:?}, then {locked:?} under the lock");
    hold!(Leaked, map.len() == entries.len(), "{} of {entries:?}", map.len());
    Ok(found)
}

fn is_new(world: &World, seen: &Seen) -> Verdict {
    let found = look(world)?;
    let now = found.map(|value| value[0]);
    hold!(Torn, matches!(now, None | Some(1 | 2)), "{now:?}");
    hold!(Lost, seen.completed == 0 || now == Some(2), "{now:?} after it was completed");
    hold!(Lost, seen.begun > 0 || now != Some(2), "{now:?} before it was begun");
    Ok(())
}

fn is_replaced(world: &World, seen: &Seen) -> Verdict {
    is_new(world, seen)?;
    hold!(Lost, map(world).contains_key(&KEY)?, "the entry is gone");
    Ok(())
}

fn is_removed(world: &World, seen: &Seen) -> Verdict {
    let found = look(world)?;
    hold!(Torn, found.is_none_or(|value| value == [1; 5]), "{found:?}");
    hold!(Lost, seen.completed == 0 || found.is_none(), "{found:?} after it was removed");
    Ok(())
}

/// All cells are there, and no more.
fn usage(world: &World, rounds: usize) -> Verdict {
    let map = map(world);
    for round in 0..rounds as u64 {
        map.clear()?;
        for key in 0..ROOM as u64 {
            let inserted = map.insert(100 + key, [round; 5]);
            hold!(Leaked, inserted == Ok(None), "{inserted:?} as entry {key}");
        }
        let more = map.insert(99, [0; 5]);
        hold!(Torn, matches!(more, Err(InsertError::Full(_))), "{more:?} in a full map");
        hold!(Lost, map.iter().count() == ROOM && map.len() == ROOM, "{} entries", map.len());
    }
    map.clear()?;
    Ok(())
}

pub(super) fn cases() -> Vec<Case> {
    let insert = || Case {
        name: "map-insert",
        heavy: false,
        setup,
        by: By::FirstThread,
        operation: insert,
        unblock: None,
        waiter: None,
        peer: true,
        repair: Some(repair),
        contract: is_new,
        usage,
    };
    let update = || Case {
        name: "map-update",
        setup: setup_with,
        operation: update,
        contract: is_replaced,
        ..insert()
    };
    vec![
        insert(),
        Case { name: "map-grow", setup: setup_to_grow, ..insert() },
        update(),
        Case { name: "map-entry-modify", operation: entry, ..update() },
        Case { name: "map-entry-insert", operation: entry, ..insert() },
        Case { name: "map-remove", operation: remove, contract: is_removed, ..update() },
    ]
}
