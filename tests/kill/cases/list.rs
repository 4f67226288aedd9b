//! `List`: elements are appended, inserted in the middle, replaced, taken, and changed as a whole.

use outlive::{List, ListInsertError};

use super::deadline;
use crate::case::{Broken, By, Case, Operation, Seen, Verdict, WaitFrom, Waiter, World, hold};

type Element = [u64; 3];
/// More than all who may take part put in.
const ROOM: usize = 24;
const NEW: Element = [2; 3];

fn list(world: &World) -> &'static List<Element> {
    Box::leak(Box::new(world.warm().list("list", ROOM).expect("list")))
}

/// What is in it before.
fn old() -> Vec<Element> {
    (10..16).map(|number| [number; 3]).collect()
}

fn setup(world: &World) {
    world.create();
    let list = list(world);
    list.extend(old()).expect("room");
    // So that the other copy has to catch up first.
    let last = list.pop().expect("pop").expect("an element");
    list.push(last).expect("room");
}

fn push(world: &World) -> Operation {
    let list = list(world);
    Box::new(move || list.push(NEW).expect("room"))
}

fn insert(world: &World) -> Operation {
    let list = list(world);
    Box::new(move || list.insert(2, NEW).expect("room"))
}

fn extend(world: &World) -> Operation {
    let list = list(world);
    Box::new(move || list.extend([NEW; 2]).expect("room"))
}

fn set(world: &World) -> Operation {
    let list = list(world);
    Box::new(move || {
        let _before = list.set(1, NEW).expect("an element");
    })
}

fn remove(world: &World) -> Operation {
    let list = list(world);
    Box::new(move || {
        let _removed = list.remove(1).expect("an element");
    })
}

fn pop(world: &World) -> Operation {
    let list = list(world);
    Box::new(move || {
        let _taken = list.pop().expect("pop");
    })
}

fn clear(world: &World) -> Operation {
    let list = list(world);
    Box::new(move || list.clear().expect("clear"))
}

/// A new element at each end, and all others the other way round.
fn guard(world: &World) -> Operation {
    let list = list(world);
    Box::new(move || {
        let mut guard = list.lock().expect("lock");
        guard.reverse();
        guard.push(NEW).expect("room");
        guard.insert(0, NEW).expect("room");
    })
}

/// Takes the lock that the dead one may have had.
fn repair(world: &World) -> Operation {
    let list = list(world);
    Box::new(move || list.lock().expect("lock").rollback())
}

fn wait(world: &World) -> u64 {
    drop(list(world).lock_timeout(deadline()).expect("the waiter's lock"));
    0
}

/// What all agree on.
fn look(world: &World) -> Result<Vec<Element>, Broken> {
    let list = list(world);
    let all = list.to_vec()?;
    let whole = all.iter().all(|element| *element == [element[0]; 3]);
    hold!(Torn, whole && list.len() == all.len(), "{all:?}, {} long", list.len());
    let locked = list.try_lock()?.to_vec();
    hold!(Lost, locked == all, "read {all:?}, then {locked:?} under the lock");
    Ok(all)
}

/// The list as it is after so many times.
type Expected = fn(u64) -> Vec<Element>;

fn is_as(world: &World, seen: &Seen, expected: Expected) -> Verdict {
    let all = look(world)?;
    let mut effects = seen.effects();
    let possible = effects.clone().map(expected).any(|possible| possible == all);
    let before = (0..*effects.start()).map(expected).any(|before| before == all);
    hold!(Lost, possible || !before, "{all:?}, not after {effects:?} times");
    hold!(
        Torn,
        possible,
        "{all:?}, not as after {effects:?} times: {:?}",
        effects.next().map(expected)
    );
    // The next change takes over what is the list, and nothing else.
    let list = list(world);
    list.push([7; 3])?;
    let mut next = all;
    next.push([7; 3]);
    hold!(Torn, list.to_vec()? == next, "{:?}, not {next:?}", list.to_vec());
    Ok(())
}

fn pushed(world: &World, seen: &Seen) -> Verdict {
    is_as(world, seen, |times| {
        let mut all = old();
        all.extend((0..times).map(|_| NEW));
        all
    })
}

fn extended(world: &World, seen: &Seen) -> Verdict {
    is_as(world, seen, |times| {
        let mut all = old();
        all.extend((0..2 * times).map(|_| NEW));
        all
    })
}

fn inserted(world: &World, seen: &Seen) -> Verdict {
    is_as(world, seen, |times| {
        let mut all = old();
        (0..times).for_each(|_| all.insert(2, NEW));
        all
    })
}

fn replaced(world: &World, seen: &Seen) -> Verdict {
    is_as(world, seen, |times| {
        let mut all = old();
        if times > 0 {
            all[1] = NEW;
        }
        all
    })
}

fn removed(world: &World, seen: &Seen) -> Verdict {
    is_as(world, seen, |times| {
        let mut all = old();
        all.drain(1..1 + times as usize);
        all
    })
}

fn popped(world: &World, seen: &Seen) -> Verdict {
    is_as(world, seen, |times| {
        let mut all = old();
        all.truncate(all.len() - times as usize);
        all
    })
}

fn cleared(world: &World, seen: &Seen) -> Verdict {
    is_as(world, seen, |times| if times > 0 { Vec::new() } else { old() })
}

fn changed(world: &World, seen: &Seen) -> Verdict {
    is_as(world, seen, |times| {
        let mut all = old();
        for _ in 0..times {
            all.reverse();
            all.push(NEW);
            all.insert(0, NEW);
        }
        all
    })
}

/// There is all the room that there was, and no more.
fn usage(world: &World, rounds: usize) -> Verdict {
    let list = list(world);
    for round in 0..rounds as u64 {
        list.clear()?;
        for index in 0..ROOM {
            let inserted = list.insert(index / 2, [round; 3]);
            hold!(Leaked, inserted == Ok(()), "{inserted:?} as element {index}");
        }
        let more = list.push(NEW);
        hold!(Torn, more == Err(ListInsertError::Full(NEW)), "{more:?} into a full list");
        hold!(Lost, list.to_vec()? == [[round; 3]; ROOM], "in round {round}: {:?}", list.to_vec());
    }
    list.clear()?;
    Ok(())
}

pub(super) fn cases() -> Vec<Case> {
    let push = || Case {
        name: "list-push",
        heavy: false,
        setup,
        by: By::FirstThread,
        operation: push,
        unblock: None,
        waiter: Some(Waiter { from: WaitFrom::Kill, wait, release: |_| {} }),
        peer: true,
        repair: Some(repair),
        contract: pushed,
        usage,
    };
    vec![
        push(),
        Case { name: "list-insert", operation: insert, contract: inserted, ..push() },
        Case { name: "list-extend", operation: extend, contract: extended, ..push() },
        Case { name: "list-set", operation: set, contract: replaced, ..push() },
        Case { name: "list-remove", operation: remove, contract: removed, ..push() },
        Case { name: "list-pop", operation: pop, contract: popped, ..push() },
        Case { name: "list-clear", operation: clear, contract: cleared, ..push() },
        Case { name: "list-guard", operation: guard, contract: changed, ..push() },
    ]
}
