//! Several processes change a map, and are killed.

use std::collections::HashSet;

use nix::sys::signal::Signal;
use outlive::{Array, LockError, Map, Segment};

use crate::observe::{Random, await_stop, thread_id};
use crate::segment;
use crate::support::{Peer, await_death, say};

/// A value whose parts belong together, and to its key.
type Sealed = [u64; 4];

fn seal(key: u32, number: u64) -> Sealed {
    let mixed = (u64::from(key) << 32 ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    [number, mixed, !number, mixed.rotate_left(17)]
}

#[track_caller]
fn assert_whole(key: u32, value: Sealed) {
    assert_eq!(value, seal(key, value[0]), "torn, or another key's: {key}");
}

const KEYS: u64 = 60;
/// Less than there are keys, so that cells are used again all the time.
const ROOM: usize = 48;

/// The role: changes entries in all ways.
pub(crate) fn change_for_ever(arguments: &[String]) {
    let segment = Segment::open(&arguments[0]).expect("open");
    let map: Map<u32, Sealed> = segment.find("m").expect("find");
    let mut random = Random::new(arguments[1].parse().expect("seed"));
    say("ready");
    loop {
        let (key, number) = (random.below(KEYS) as u32, random.below(1 << 40));
        match random.below(6) {
            0 | 1 => drop(map.insert(key, seal(key, number))),
            2 => drop(map.remove(&key).expect("remove")),
            3 => drop(map.update(&key, |value| *value = seal(key, number)).expect("update")),
            4 => drop(map.entry(key).expect("entry").or_insert(seal(key, number))),
            _ => {
                if let Some(value) = map.get(&key).expect("get") {
                    assert_whole(key, value);
                }
            }
        }
    }
}

/// Goes through the map, whose entries are whole, each key once.
fn check(map: &Map<u32, Sealed>) -> usize {
    let mut seen = HashSet::new();
    for entry in map {
        let (key, value) = entry.expect("entry");
        assert_whole(key, value);
        assert!(seen.insert(key), "{key} twice");
    }
    seen.len()
}

#[test]
fn entries_stay_whole_and_no_cell_is_lost() {
    let (segment, name) = segment("map-kills");
    let map = segment.growing_map::<u32, Sealed>("m", 3, ROOM).expect("map");
    let mut random = Random::new(7);
    for round in 0..15_u64 {
        let spawn =
            |index: u64| Peer::spawn("map change", &[&name, &(round * 4 + index).to_string()]);
        let mut victims: Vec<Peer> = (0..4).map(spawn).collect();
        victims.iter_mut().for_each(|victim| victim.expect("ready"));
        for victim in victims {
            for _ in 0..random.below(200) {
                check(&map);
                let key = random.below(KEYS) as u32;
                if let Some(value) = map.get(&key).expect("get") {
                    assert_whole(key, value);
                }
            }
            victim.kill();
        }
        assert_eq!(check(&map), map.len(), "in round {round}");
        // All cells can be used.
        map.clear().expect("clear");
        for key in 0..ROOM as u32 {
            map.insert(key, seal(key, round)).expect("room");
        }
        assert_eq!((check(&map), map.len()), (ROOM, ROOM));
        assert!(map.insert(u32::MAX, seal(0, 0)).is_err(), "it has more room than it had");
    }
}

/// The role: counts in entries up.
pub(crate) fn count_for_ever(arguments: &[String]) {
    let segment = Segment::open(&arguments[0]).expect("open");
    let map: Map<u32, u64> = segment.find("m").expect("find");
    let notes: Array<u64> = segment.find("notes").expect("find");
    let own: usize = arguments[1].parse().expect("index");
    let mut random = Random::new(own as u64);
    say("ready");
    loop {
        let key = random.below(5) as u32;
        let entry = map.entry(key).expect("entry");
        entry.and_modify(|n| *n += 1).or_insert(1).expect("room");
        // Noted afterwards: what was noted was done.
        notes.fetch_add(own, 1).expect("note");
    }
}

#[test]
fn no_committed_count_is_lost() {
    const PROCESSES: usize = 24;
    let (segment, name) = segment("map-counts");
    let map = segment.map::<u32, u64>("m", 5).expect("map");
    let notes = segment.array::<u64>("notes", PROCESSES, 0).expect("array");
    for first in (0..PROCESSES).step_by(4) {
        let spawn = |own: usize| Peer::spawn("map count", &[&name, &own.to_string()]);
        let mut victims: Vec<Peer> = (first..first + 4).map(spawn).collect();
        victims.iter_mut().for_each(|victim| victim.expect("ready"));
        for (own, victim) in (first..).zip(victims) {
            while notes.load(own).expect("load") < 200 {
                std::thread::yield_now();
            }
            victim.kill();
        }
        let noted: u64 = notes.to_vec().expect("read").iter().sum();
        let counted: u64 = map.values().map(|value| value.expect("value")).sum();
        let killed = (first + 4) as u64;
        assert!((noted..=noted + killed).contains(&counted), "{counted}, noted {noted}");
    }
}

/// The role: holds an entry that it has changed in part.
pub(crate) fn hold(arguments: &[String]) {
    let segment = Segment::open(&arguments[0]).expect("open");
    let map: Map<u32, Sealed> = segment.find("m").expect("find");
    let held = map.update(&1, |value| {
        value[0] = 0;
        say(&thread_id().to_string());
        await_death()
    });
    held.expect("update").expect("an entry");
}

#[test]
fn a_killed_holder_changed_nothing_and_a_stopped_one_holds_up_no_reader() {
    let (segment, name) = segment("map-hold");
    let map = segment.map::<u32, Sealed>("m", 4).expect("map");
    map.insert(1, seal(1, 5)).expect("insert");
    let mut holder = Peer::spawn("map hold", &[&name]);
    let thread = holder.hear().parse().expect("thread");
    holder.signal(Signal::SIGSTOP);
    await_stop(thread);
    assert_eq!((map.get(&1), check(&map)), (Ok(Some(seal(1, 5))), 1));
    assert!(matches!(map.try_entry(1), Err(LockError::WouldBlock)));
    let late = map.entry_timeout(1, std::time::Duration::from_millis(20)).map(drop);
    assert!(matches!(late, Err(LockError::TimedOut { .. })), "{late:?}");
    holder.kill();
    let entry = map.try_entry(1).expect("free at once");
    assert_eq!(entry.get(), Some(seal(1, 5)));
}
