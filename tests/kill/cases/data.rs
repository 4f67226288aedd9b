//! `Value`, `Counter` and `Array`: set, update, add, element and bulk writes.
//!
//! Contracts use `try_lock`: the kernel has reported a death by the time that it is known, and the
//! wait that finds deaths which it does not report would hide that it did not.

use outlive::{Array, Counter, Value};

use super::deadline;
use crate::case::{By, Case, Operation, Seen, Verdict, WaitFrom, Waiter, World, hold};

type Books = [u64; 5];
const LENGTH: usize = 24;
/// What a bulk write changes.
const PART: std::ops::Range<usize> = 2..10;

fn value(world: &World) -> &'static Value<Books> {
    Box::leak(Box::new(world.warm().value("value", [0; 5]).expect("value")))
}

fn counter(world: &World) -> &'static Counter {
    Box::leak(Box::new(world.warm().counter("counter").expect("counter")))
}

fn array(world: &World) -> &'static Array<[u64; 3]> {
    Box::leak(Box::new(world.warm().array("array", LENGTH, [0; 3]).expect("array")))
}

fn words(world: &World) -> &'static Array<u32> {
    Box::leak(Box::new(world.warm().array("words", LENGTH, 0).expect("words")))
}

fn whole(books: &Books) -> bool {
    books.iter().all(|book| *book == books[0])
}

fn add(books: &mut Books) {
    for book in books {
        *book += 1;
    }
}

fn value_setup(world: &World) {
    world.create();
    value(world);
}

fn value_update(world: &World) -> Operation {
    let value = value(world);
    Box::new(move || value.update(add).expect("update"))
}

fn value_set(world: &World) -> Operation {
    let value = value(world);
    Box::new(move || value.set([1; 5]).expect("set"))
}

fn value_repair(world: &World) -> Operation {
    let value = value(world);
    Box::new(move || value.lock().expect("lock").rollback())
}

fn value_wait(world: &World) -> u64 {
    drop(value(world).lock_timeout(deadline()).expect("the waiter's lock"));
    0
}

fn value_contract(world: &World, seen: &Seen) -> Verdict {
    let value = value(world);
    let read = value.get()?;
    hold!(Torn, whole(&read), "{read:?}");
    let locked = *value.try_lock()?;
    hold!(Lost, read == locked, "read {read:?}, then {locked:?} under the lock");
    let effects = seen.effects();
    hold!(Lost, effects.contains(&read[0]), "{read:?}, not {effects:?}");
    Ok(())
}

fn value_set_contract(world: &World, seen: &Seen) -> Verdict {
    let read = value(world).get()?;
    hold!(Torn, whole(&read) && read[0] <= 1, "{read:?}");
    hold!(Lost, seen.completed == 0 || read[0] == 1, "{read:?} after a complete set");
    drop(value(world).try_lock()?);
    Ok(())
}

fn value_usage(world: &World, rounds: usize) -> Verdict {
    let value = value(world);
    let start = value.get()?[0];
    for round in 1..=rounds as u64 {
        drop(value.lock_timeout(deadline())?);
        value.update(add)?;
        let now = value.get()?;
        hold!(Lost, now == [start + round; 5], "{now:?} after {round} more than {start}");
    }
    Ok(())
}

fn counter_setup(world: &World) {
    world.create();
    counter(world);
}

fn counter_add(world: &World) -> Operation {
    let counter = counter(world);
    Box::new(move || {
        counter.add(1).expect("add");
    })
}

fn counter_repair(world: &World) -> Operation {
    let counter = counter(world);
    Box::new(move || counter.lock().expect("lock").rollback())
}

fn counter_wait(world: &World) -> u64 {
    drop(counter(world).lock_timeout(deadline()).expect("the waiter's lock"));
    0
}

fn counter_contract(world: &World, seen: &Seen) -> Verdict {
    let counter = counter(world);
    let read = counter.get() as u64;
    let locked = *counter.try_lock()? as u64;
    hold!(Lost, read == locked, "read {read}, then {locked} under the lock");
    let effects = seen.effects();
    hold!(Lost, effects.contains(&read), "{read}, not {effects:?}");
    Ok(())
}

fn counter_usage(world: &World, rounds: usize) -> Verdict {
    let counter = counter(world);
    let start = counter.get();
    for _ in 0..rounds {
        drop(counter.lock_timeout(deadline())?);
        counter.add(1)?;
    }
    let now = counter.get();
    hold!(Lost, now == start + rounds as i64, "{now} after {rounds} more than {start}");
    Ok(())
}

fn array_setup(world: &World) {
    world.create();
    array(world);
}

fn array_write(world: &World) -> Operation {
    let array = array(world);
    Box::new(move || array.write(PART.start, &[[7; 3]; 8]).expect("write"))
}

fn array_repair(world: &World) -> Operation {
    let array = array(world);
    Box::new(move || array.lock().expect("lock").rollback())
}

fn array_wait(world: &World) -> u64 {
    drop(array(world).lock_timeout(deadline()).expect("the waiter's lock"));
    0
}

fn array_contract(world: &World, seen: &Seen) -> Verdict {
    let array = array(world);
    let all = array.to_vec()?;
    let new = all[PART.start][0];
    let expected: Vec<_> =
        (0..LENGTH).map(|i| if PART.contains(&i) { [new; 3] } else { [0; 3] }).collect();
    hold!(Torn, all == expected && (new == 0 || new == 7), "{all:?}");
    hold!(Lost, seen.completed == 0 || new == 7, "still old after a complete write");
    let locked = array.try_lock()?.to_vec();
    // A write that the dead one had not finished may take effect now, as a whole; never be undone.
    let done: Vec<_> =
        (0..LENGTH).map(|i| if PART.contains(&i) { [7; 3] } else { [0; 3] }).collect();
    hold!(Lost, locked == all || locked == done, "read {all:?}, then {locked:?} under the lock");
    let again = array.to_vec()?;
    hold!(Lost, again == locked, "read {again:?} after {locked:?} under the lock");
    Ok(())
}

fn array_usage(world: &World, rounds: usize) -> Verdict {
    let array = array(world);
    for round in 0..rounds as u64 {
        drop(array.lock_timeout(deadline())?);
        array.write(1, &[[round; 3]; 5])?;
        let all = array.to_vec()?;
        hold!(Torn, all[1..6] == [[round; 3]; 5], "{all:?} in round {round}");
    }
    Ok(())
}

fn words_setup(world: &World) {
    world.create();
    words(world);
}

fn words_set(world: &World) -> Operation {
    let words = words(world);
    Box::new(move || words.set(2, 9).expect("set"))
}

fn words_fetch_add(world: &World) -> Operation {
    let words = words(world);
    Box::new(move || {
        words.fetch_add(2, 9).expect("fetch_add");
    })
}

fn words_repair(world: &World) -> Operation {
    let words = words(world);
    Box::new(move || words.lock().expect("lock").rollback())
}

fn words_contract(world: &World, seen: &Seen) -> Verdict {
    let words = words(world);
    drop(words.try_lock()?);
    let (all, effects) = (words.to_vec()?, seen.effects());
    hold!(Torn, all.iter().enumerate().all(|(i, word)| i == 2 || *word == 0), "{all:?}");
    let new = u64::from(all[2]);
    hold!(Torn, new % 9 == 0, "{all:?}");
    hold!(Lost, seen.completed == 0 || new >= 9, "{new} after a complete change");
    hold!(Lost, new / 9 <= *effects.end(), "{new}, not {effects:?}");
    Ok(())
}

fn words_usage(world: &World, rounds: usize) -> Verdict {
    let words = words(world);
    for round in 0..rounds as u32 {
        drop(words.lock_timeout(deadline())?);
        words.set(3, round)?;
        let now = words.get(3)?;
        hold!(Lost, now == round, "{now} in round {round}");
    }
    Ok(())
}

const fn at_kill(wait: fn(&World) -> u64) -> Option<Waiter> {
    Some(Waiter { from: WaitFrom::Kill, wait, release: |_| {} })
}

pub(super) fn cases() -> Vec<Case> {
    let value = || Case {
        name: "value-update",
        heavy: false,
        setup: value_setup,
        by: By::FirstThread,
        operation: value_update,
        unblock: None,
        waiter: at_kill(value_wait),
        peer: true,
        repair: Some(value_repair),
        contract: value_contract,
        usage: value_usage,
    };
    let words = || Case {
        name: "array-set",
        setup: words_setup,
        operation: words_set,
        waiter: None,
        repair: Some(words_repair),
        contract: words_contract,
        usage: words_usage,
        ..value()
    };
    vec![
        value(),
        Case { name: "value-set", operation: value_set, contract: value_set_contract, ..value() },
        Case {
            name: "counter-add",
            setup: counter_setup,
            operation: counter_add,
            waiter: at_kill(counter_wait),
            repair: Some(counter_repair),
            contract: counter_contract,
            usage: counter_usage,
            ..value()
        },
        Case {
            name: "array-write",
            setup: array_setup,
            operation: array_write,
            waiter: at_kill(array_wait),
            repair: Some(array_repair),
            contract: array_contract,
            usage: array_usage,
            ..value()
        },
        words(),
        Case { name: "array-fetch-add", operation: words_fetch_add, ..words() },
    ]
}
