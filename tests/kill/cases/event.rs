//! `Event`: set.

use outlive::{Event, Reset};

use super::deadline;
use crate::case::{By, Case, Operation, Seen, Verdict, WaitFrom, Waiter, World, hold};

fn event(world: &World) -> &'static Event {
    Box::leak(Box::new(world.warm().event("event", Reset::Auto).expect("event")))
}

fn setup(world: &World) {
    world.create();
    event(world);
}

fn set(world: &World) -> Operation {
    let event = event(world);
    Box::new(move || event.set().expect("set"))
}

fn clear(world: &World) -> Operation {
    let event = event(world);
    event.set().expect("set");
    Box::new(move || event.clear().expect("clear"))
}

fn wait(world: &World) -> u64 {
    event(world).wait().expect("the waiter's wait");
    1
}

fn contract(world: &World, seen: &Seen) -> Verdict {
    let event = event(world);
    let set = event.wait_timeout(std::time::Duration::ZERO)?;
    let used = seen.waited.is_some();
    hold!(Lost, set || used || seen.completed == 0, "a complete set is gone");
    hold!(Lost, !event.is_set(), "passed, and still set");
    Ok(())
}

fn cleared(world: &World, seen: &Seen) -> Verdict {
    let event = event(world);
    // Who repairs sets it anew before it clears it.
    let cleared = seen.completed > 0 && !seen.repaired;
    hold!(Lost, !cleared || !event.is_set(), "set after a complete clear");
    event.clear()?;
    Ok(())
}

fn usage(world: &World, rounds: usize) -> Verdict {
    let event = event(world);
    for _ in 0..rounds {
        event.set()?;
        hold!(Hung, event.wait_timeout(deadline())?, "set, and not passed");
    }
    hold!(Lost, !event.is_set(), "set once more than it was");
    Ok(())
}

pub(super) fn cases() -> Vec<Case> {
    let base = || Case {
        name: "event-set",
        heavy: false,
        setup,
        by: By::FirstThread,
        operation: set,
        unblock: None,
        waiter: Some(Waiter {
            from: WaitFrom::Start,
            wait,
            release: |world| event(world).set().expect("set"),
        }),
        peer: true,
        repair: Some(set),
        contract,
        usage,
    };
    vec![
        base(),
        Case {
            name: "event-clear",
            operation: clear,
            waiter: None,
            peer: false,
            repair: Some(clear),
            contract: cleared,
            ..base()
        },
    ]
}
