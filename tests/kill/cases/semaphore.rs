//! `Semaphore`: acquire and give back, from a free one, a used up one and a dead holder; release;
//! forget.

use nix::sys::signal::{Signal, raise};
use outlive::{Permit, Semaphore};

use super::deadline;
use crate::actor::Actor;
use crate::case::{By, Case, Operation, Seen, Verdict, WaitFrom, Waiter, World, hold};

const PERMITS: u64 = 3;

/// A handle that nobody drops.
fn semaphore(world: &World) -> &'static Semaphore {
    let segment = world.warm();
    Box::leak(Box::new(segment.semaphore("semaphore", PERMITS).expect("semaphore")))
}

fn setup(world: &World) {
    world.create();
    semaphore(world);
}

fn setup_used_up(world: &World) {
    setup(world);
    let permits = semaphore(world).try_acquire_many(PERMITS).expect("all");
    *world.held.borrow_mut() = Some(Box::new(permits));
}

fn setup_orphaned(world: &World) {
    setup(world);
    let semaphore = semaphore(world);
    let mut holder = Actor::start(|_| {
        let permits = semaphore.acquire_many(PERMITS).expect("acquire");
        raise(Signal::SIGKILL).expect("raise");
        unreachable!("{permits:?}");
    });
    holder.ends();
}

fn give_back(world: &World) {
    world.held.borrow_mut().take();
}

fn acquire_and_drop(world: &World) -> Operation {
    let semaphore = semaphore(world);
    Box::new(move || drop(semaphore.acquire_many(2).expect("acquire")))
}

fn held(world: &World) -> Option<Permit<'static>> {
    Some(semaphore(world).acquire_many(PERMITS).expect("acquire"))
}

fn drop_held(world: &World) -> Operation {
    let mut permit = held(world);
    Box::new(move || drop(permit.take()))
}

fn forget(world: &World) -> Operation {
    let mut permit = Some(semaphore(world).acquire().expect("acquire"));
    Box::new(move || permit.take().expect("permit").forget().expect("forget"))
}

fn release(world: &World) -> Operation {
    let semaphore = semaphore(world);
    Box::new(move || semaphore.release(1).expect("release"))
}

fn repair(world: &World) -> Operation {
    let semaphore = semaphore(world);
    Box::new(move || drop(semaphore.acquire_many(PERMITS).expect("acquire")))
}

/// For one that may have fewer than it was created with.
fn repair_one(world: &World) -> Operation {
    let semaphore = semaphore(world);
    Box::new(move || drop(semaphore.acquire().expect("acquire")))
}

fn wait(world: &World) -> u64 {
    semaphore(world).acquire_many(2).expect("the waiter's permits").count()
}

/// For more than there are.
fn wait_for_released(world: &World) -> u64 {
    semaphore(world).acquire_many(PERMITS + 1).expect("the waiter's permits").count()
}

/// That all permits are there, and can be had at once: the kernel has reported the death by the time
/// that it is known.
fn holds(semaphore: &Semaphore, found: u64, permits: std::ops::RangeInclusive<u64>) -> Verdict {
    let total = semaphore.total();
    hold!(Lost, permits.contains(&total), "{total} permits, not {permits:?}");
    hold!(Leaked, found == total, "{found} of {total} permits available");
    drop(semaphore.try_acquire_many(total)?);
    let holders = semaphore.holders();
    hold!(Leaked, holders.is_empty(), "held by {holders:?}");
    Ok(())
}

fn contract(world: &World, _seen: &Seen) -> Verdict {
    let semaphore = semaphore(world);
    holds(semaphore, semaphore.available(), PERMITS..=PERMITS)
}

fn contract_released(world: &World, seen: &Seen) -> Verdict {
    let semaphore = semaphore(world);
    let found = semaphore.available();
    // Who lets the waiter go releases one more.
    let let_go = u64::from(seen.waited.is_some());
    let effects = seen.effects();
    let begun = effects.end() + u64::from(seen.repaired);
    holds(semaphore, found, PERMITS + let_go + effects.start()..=PERMITS + let_go + begun)
}

fn contract_forgotten(world: &World, seen: &Seen) -> Verdict {
    let semaphore = semaphore(world);
    let found = semaphore.available();
    let effects = seen.effects();
    holds(semaphore, found, PERMITS - effects.end()..=PERMITS - effects.start())
}

fn usage(world: &World, rounds: usize) -> Verdict {
    let semaphore = semaphore(world);
    for round in 0..rounds {
        let permit = semaphore.acquire_timeout(deadline())?;
        if round % 4 == 0 {
            permit.forget()?;
            semaphore.release(1)?;
        }
    }
    Ok(())
}

const AT_KILL: Option<Waiter> = Some(Waiter { from: WaitFrom::Kill, wait, release: |_| {} });
const AT_START: Option<Waiter> = Some(Waiter { from: WaitFrom::Start, wait, release: give_back });

pub(super) fn cases() -> Vec<Case> {
    let base = || Case {
        name: "semaphore-acquire-drop",
        heavy: false,
        setup,
        by: By::FirstThread,
        operation: acquire_and_drop,
        unblock: None,
        waiter: AT_KILL,
        peer: true,
        repair: Some(repair),
        contract,
        usage,
    };
    vec![
        base(),
        Case {
            name: "semaphore-acquire-used-up",
            heavy: true,
            setup: setup_used_up,
            unblock: Some(give_back),
            waiter: AT_START,
            repair: None,
            ..base()
        },
        Case {
            name: "semaphore-drop",
            operation: drop_held,
            waiter: AT_START,
            peer: false,
            ..base()
        },
        Case { name: "semaphore-recovery", setup: setup_orphaned, ..base() },
        Case {
            name: "semaphore-release",
            operation: release,
            waiter: Some(Waiter {
                from: WaitFrom::Start,
                wait: wait_for_released,
                release: |world| semaphore(world).release(1).expect("release"),
            }),
            repair: Some(release),
            contract: contract_released,
            ..base()
        },
        Case {
            name: "semaphore-forget",
            operation: forget,
            waiter: Some(Waiter {
                from: WaitFrom::Kill,
                wait: |world| semaphore(world).acquire().expect("the waiter's permit").count(),
                release: |_| {},
            }),
            repair: Some(repair_one),
            contract: contract_forgotten,
            ..base()
        },
    ]
}
