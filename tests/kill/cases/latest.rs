//! `Latest`: set, update, get (with and without a share) and wait.

use outlive::{Latest, Shared};

use super::deadline;
use crate::case::{By, Case, Operation, Seen, Verdict, WaitFrom, Waiter, World, hold};

/// Read without a share, and with one.
type Small = [u64; 5];
type Large = [u64; 36];

fn small(world: &World) -> &'static Latest<Small> {
    let latest = world.warm().latest_with("small", [0; 5], 2).expect("latest");
    Box::leak(Box::new(latest))
}

fn large(world: &World) -> &'static Latest<Large> {
    let latest = world.warm().latest_with("large", [0; 36], 2).expect("latest");
    Box::leak(Box::new(latest))
}

fn add<const N: usize>(words: &mut [u64; N]) {
    words.iter_mut().for_each(|word| *word += 1);
}

fn setup(world: &World) {
    world.create();
    small(world);
    large(world);
}

fn update(world: &World) -> Operation {
    let latest = small(world);
    Box::new(move || latest.update(add).expect("update"))
}

fn set(world: &World) -> Operation {
    let latest = small(world);
    Box::new(move || latest.set([1; 5]).expect("set"))
}

fn get(world: &World) -> Operation {
    let latest = large(world);
    Box::new(move || {
        let words = latest.get().expect("get");
        assert!(words.iter().all(|word| *word == words[0]), "torn: {words:?}");
    })
}

fn get_small(world: &World) -> Operation {
    let latest = small(world);
    Box::new(move || {
        let words = latest.get().expect("get");
        assert!(words.iter().all(|word| *word == words[0]), "torn: {words:?}");
    })
}

fn wait(world: &World) -> Operation {
    let latest = small(world);
    let start = latest.version();
    Box::new(move || {
        let (words, _) = latest.wait_changed(start).expect("wait");
        assert_eq!(words, [1; 5]);
    })
}

fn repair(world: &World) -> Operation {
    let latest = small(world);
    Box::new(move || latest.update(|_| ()).expect("update"))
}

fn change(world: &World) {
    small(world).update(add).expect("update");
}

/// Comes as the victim dies: the lock is to be had.
fn write_after(world: &World) -> u64 {
    small(world).update(|_| ()).expect("the waiter's update");
    0
}

/// Sleeps until somebody commits: the victim, or who releases it.
fn await_change(world: &World) -> u64 {
    let latest = small(world);
    let (words, version) = latest.get_versioned().expect("get");
    if words[0] > 0 {
        return words[0];
    }
    latest.wait_changed(version).expect("the waiter's wait").0[0]
}

/// Reads, and that everybody goes on at once: no writer waits, and no read is torn.
fn alive<const N: usize>(latest: &Latest<[u64; N]>, rounds: usize) -> Verdict
where
    [u64; N]: Shared,
{
    for _ in 0..rounds {
        let before = latest.get()?;
        latest.update(add)?;
        let now = latest.get()?;
        hold!(Torn, now.iter().all(|word| *word == now[0]), "{now:?}");
        hold!(Lost, now[0] == before[0] + 1, "{now:?} after one more than {before:?}");
    }
    Ok(())
}

fn contract(world: &World, seen: &Seen) -> Verdict {
    let latest = small(world);
    let read = latest.get()?;
    hold!(Torn, read.iter().all(|word| *word == read[0]), "{read:?}");
    let effects = seen.effects();
    hold!(Lost, effects.contains(&read[0]), "{read:?}, not {effects:?}");
    hold!(Hung, latest.holder().is_none(), "the lock is held: {:?}", latest.holder());
    Ok(())
}

/// With one commit more, by whoever released the waiter or the victim.
fn contract_changed(world: &World, seen: &Seen) -> Verdict {
    contract(world, &Seen { completed: seen.completed, begun: seen.begun + 1, ..Seen::default() })
}

fn contract_set(world: &World, seen: &Seen) -> Verdict {
    let read = small(world).get()?;
    hold!(Torn, read == [read[0]; 5] && read[0] <= 1, "{read:?}");
    hold!(Lost, seen.completed == 0 || read[0] == 1, "{read:?} after a complete set");
    Ok(())
}

/// Reading changes nothing, and leaves copies enough for writers and shares enough for readers.
fn contract_get(world: &World, _seen: &Seen) -> Verdict {
    let (small, large) = (small(world), large(world));
    hold!(Lost, small.get()? == [0; 5] && large.get()? == [0; 36], "changed by a read");
    alive(large, 10)?;
    Ok(())
}

/// The victim only waits for it.
fn contract_wait(world: &World, seen: &Seen) -> Verdict {
    let read = small(world).get()?;
    hold!(Torn, read == [read[0]; 5], "{read:?}");
    hold!(Lost, seen.completed == 0 || read[0] >= 1, "{read:?} after a wait for a change");
    Ok(())
}

fn usage(world: &World, rounds: usize) -> Verdict {
    let (small, large) = (small(world), large(world));
    alive(small, rounds)?;
    alive(large, rounds)?;
    let since = small.version();
    small.update(add)?;
    small.wait_changed_timeout(since, deadline())?;
    Ok(())
}

pub(super) fn cases() -> Vec<Case> {
    let base = || Case {
        name: "latest-update",
        heavy: false,
        setup,
        by: By::FirstThread,
        operation: update,
        unblock: None,
        waiter: Some(Waiter { from: WaitFrom::Kill, wait: write_after, release: |_| {} }),
        peer: true,
        repair: Some(repair),
        contract,
        usage,
    };
    let get = || Case {
        name: "latest-get",
        operation: get,
        waiter: None,
        repair: Some(get),
        contract: contract_get,
        ..base()
    };
    vec![
        base(),
        Case {
            name: "latest-update-watched",
            waiter: Some(Waiter { from: WaitFrom::Start, wait: await_change, release: change }),
            peer: false,
            repair: None,
            contract: contract_changed,
            ..base()
        },
        Case { name: "latest-set", operation: set, contract: contract_set, ..base() },
        get(),
        Case { name: "latest-get-small", operation: get_small, repair: Some(get_small), ..get() },
        Case {
            name: "latest-wait",
            operation: wait,
            unblock: Some(change),
            waiter: Some(Waiter { from: WaitFrom::Start, wait: await_change, release: change }),
            peer: false,
            repair: None,
            contract: contract_wait,
            ..base()
        },
    ]
}
