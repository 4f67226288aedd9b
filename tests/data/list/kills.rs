//! Several processes change a list, and are killed.

use nix::sys::signal::Signal;
use outlive::{Array, List, ListInsertError, LockError, Segment};

use crate::observe::{Random, await_stop, thread_id};
use crate::segment;
use crate::support::{Peer, await_death, say};

/// An element whose parts belong together.
type Sealed = [u64; 4];

fn seal(number: u64) -> Sealed {
    let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    [number, mixed, !number, mixed.rotate_left(17)]
}

#[track_caller]
fn assert_whole(element: &Sealed) {
    assert_eq!(*element, seal(element[0]), "torn");
}

const ROOM: usize = 30;

/// The role: changes elements in all ways.
pub(crate) fn change_for_ever(arguments: &[String]) {
    let segment = Segment::open(&arguments[0]).expect("open");
    let list: List<Sealed> = segment.find("l").expect("find");
    let mut random = Random::new(arguments[1].parse().expect("seed"));
    say("ready");
    loop {
        let (index, element) = (random.below(ROOM as u64) as usize, seal(random.below(1 << 40)));
        // Others change the list meanwhile: there may be no such element, or no room.
        match random.below(10) {
            0 | 1 => drop(list.insert(index, element)),
            2 => drop(list.push(element)),
            3 => drop(list.remove(index)),
            4 => drop(list.pop().expect("pop")),
            5 => drop(list.set(index, element)),
            6 => drop(list.extend([element; 5])),
            7 => list.truncate(index).expect("truncate"),
            8 => list.lock().expect("lock").reverse(),
            _ => list.to_vec().expect("read").iter().for_each(assert_whole),
        }
    }
}

fn check(list: &List<Sealed>) -> usize {
    let elements = list.to_vec().expect("read");
    elements.iter().for_each(assert_whole);
    elements.len()
}

#[test]
fn elements_stay_whole_and_no_room_is_lost() {
    let (segment, name) = segment("list-kills");
    let list = segment.list::<Sealed>("l", ROOM).expect("list");
    let mut random = Random::new(7);
    for round in 0..15_u64 {
        let spawn =
            |index: u64| Peer::spawn("list change", &[&name, &(round * 4 + index).to_string()]);
        let mut victims: Vec<Peer> = (0..4).map(spawn).collect();
        victims.iter_mut().for_each(|victim| victim.expect("ready"));
        for victim in victims {
            for _ in 0..random.below(200) {
                check(&list);
                if let Some(element) = list.get(random.below(ROOM as u64) as usize).expect("get") {
                    assert_whole(&element);
                }
            }
            victim.kill();
        }
        assert_eq!(check(&list), list.len(), "in round {round}");
        // The next change takes over all that the dead left.
        let before = list.to_vec().expect("read");
        list.truncate(ROOM - 1).expect("truncate");
        list.push(seal(round)).expect("room");
        let mut expected = before[..before.len().min(ROOM - 1)].to_vec();
        expected.push(seal(round));
        assert_eq!(list.to_vec(), Ok(expected), "in round {round}");
        list.clear().expect("clear");
        list.extend((0..ROOM as u64).map(seal)).expect("room");
        assert_eq!(list.push(seal(0)), Err(ListInsertError::Full(seal(0))));
    }
}

const PROCESSES: usize = 12;
/// So many for each process: those that are not killed before wait for their death.
const EACH: u64 = 150;

/// The role: inserts its numbers in front of all others, so that each insertion moves all elements.
pub(crate) fn insert_for_ever(arguments: &[String]) {
    let segment = Segment::open(&arguments[0]).expect("open");
    let list: List<[u64; 2]> = segment.find("l").expect("find");
    let notes: Array<u64> = segment.find("notes").expect("find");
    let own: usize = arguments[1].parse().expect("index");
    say("ready");
    for number in 1..=EACH {
        list.insert(0, [own as u64, number]).expect("room");
        // Noted afterwards: what was noted was done.
        notes.store(own, number).expect("note");
    }
    await_death();
}

#[test]
fn insertions_are_whole_or_not_at_all_and_none_is_lost() {
    let (segment, name) = segment("list-inserts");
    let list = segment.list::<[u64; 2]>("l", PROCESSES * EACH as usize).expect("list");
    let notes = segment.array::<u64>("notes", PROCESSES, 0).expect("array");
    let mut random = Random::new(3);
    for first in (0..PROCESSES).step_by(4) {
        let spawn = |own: usize| Peer::spawn("list insert", &[&name, &own.to_string()]);
        let mut victims: Vec<Peer> = (first..first + 4).map(spawn).collect();
        victims.iter_mut().for_each(|victim| victim.expect("ready"));
        for (own, victim) in (first..).zip(victims) {
            let target = random.below(EACH);
            while notes.load(own).expect("load") < target {
                std::thread::yield_now();
            }
            victim.kill();
        }
        let all = list.to_vec().expect("read");
        for own in 0..first + 4 {
            let mine = all.iter().filter(|element| element[0] == own as u64);
            let mine: Vec<u64> = mine.map(|element| element[1]).collect();
            let noted = notes.load(own).expect("load");
            let last = mine.len() as u64;
            assert!((noted..=noted + 1).contains(&last), "{own}: {last}, noted {noted}");
            let expected: Vec<u64> = (1..=last).rev().collect();
            assert_eq!(mine, expected, "{own}: lost, doubled or out of order");
        }
    }
}

const CARDS: u64 = 52;

/// The role: moves elements about, each time under one guard.
pub(crate) fn shuffle_for_ever(arguments: &[String]) {
    let segment = Segment::open(&arguments[0]).expect("open");
    let list: List<u64> = segment.find("l").expect("find");
    let mut random = Random::new(arguments[1].parse().expect("seed"));
    say("ready");
    loop {
        let mut guard = list.lock().expect("lock");
        let card = guard.remove(random.below(CARDS) as usize).expect("a card");
        guard.insert(random.below(CARDS) as usize, card).expect("room");
    }
}

#[test]
fn what_is_changed_under_a_guard_is_changed_at_once() {
    let (segment, name) = segment("list-shuffle");
    let list = segment.list::<u64>("l", CARDS as usize).expect("list");
    list.extend(0..CARDS).expect("room");
    let mut random = Random::new(11);
    for round in 0..10_u64 {
        let spawn =
            |index: u64| Peer::spawn("list shuffle", &[&name, &(round * 3 + index).to_string()]);
        let mut victims: Vec<Peer> = (0..3).map(spawn).collect();
        victims.iter_mut().for_each(|victim| victim.expect("ready"));
        for victim in victims {
            for _ in 0..1 + random.below(100) {
                let mut cards = list.to_vec().expect("read");
                cards.sort_unstable();
                assert!(cards.iter().copied().eq(0..CARDS), "{cards:?}");
            }
            victim.kill();
        }
    }
}

/// The role: holds the lock with an element that it has changed in part.
pub(crate) fn hold(arguments: &[String]) {
    let segment = Segment::open(&arguments[0]).expect("open");
    let list: List<Sealed> = segment.find("l").expect("find");
    let held = list.update(0, |element| {
        element[0] = 0;
        say(&thread_id().to_string());
        await_death()
    });
    held.expect("an element");
}

#[test]
fn a_killed_holder_changed_nothing_and_a_stopped_one_holds_up_no_reader() {
    let (segment, name) = segment("list-hold");
    let list = segment.list::<Sealed>("l", 4).expect("list");
    list.extend([seal(1), seal(2)]).expect("room");
    let mut holder = Peer::spawn("list hold", &[&name]);
    let thread = holder.hear().parse().expect("thread");
    holder.signal(Signal::SIGSTOP);
    await_stop(thread);
    assert_eq!((list.get(0), list.to_vec()), (Ok(Some(seal(1))), Ok(vec![seal(1), seal(2)])));
    assert!(matches!(list.try_lock().map(drop), Err(LockError::WouldBlock)));
    let late = list.lock_timeout(std::time::Duration::from_millis(20)).map(drop);
    assert!(matches!(late, Err(LockError::TimedOut { .. })), "{late:?}");
    holder.kill();
    let guard = list.try_lock().expect("free at once");
    assert_eq!(guard[..], [seal(1), seal(2)]);
}
