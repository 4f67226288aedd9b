//! `wait_any`: one who waits for several things dies, and one whose lock is waited for.

use outlive::{Event, Queue, Reset, Waitable, wait_any};

use super::{deadline, mutex};
use crate::case::{By, Case, Operation, Seen, Verdict, WaitFrom, Waiter, World, hold};

fn event(world: &World) -> Event {
    world.warm().event("event", Reset::Auto).expect("event")
}

fn queue(world: &World) -> Queue<u64> {
    world.warm().queue("queue", 4).expect("queue")
}

fn setup(world: &World) {
    mutex::setup(world);
    event(world);
    queue(world);
    // Held by the survivor while the victim waits for it.
    let guard = mutex::take(mutex::mutex(world)).expect("lock");
    *world.held.borrow_mut() = Some(Box::new(guard));
}

/// For the first of three, which is the event as a rule.
fn wait(world: &World) -> Operation {
    let (event, readable) = (event(world), queue(world).readable());
    let available = mutex::mutex(world).available();
    Box::new(move || {
        let all: [&dyn Waitable; 3] = [&event, &readable, &available];
        wait_any(&all, None).expect("wait").expect("without a timeout, something is ready");
    })
}

fn set(world: &World) {
    event(world).set().expect("set");
}

fn pass(world: &World) -> u64 {
    event(world).wait().expect("the waiter's wait");
    1
}

/// Waits for a lock that the victim has, without taking it.
fn await_lock(world: &World) -> u64 {
    let available = mutex::mutex(world).available();
    let event = event(world);
    let first = wait_any(&[&event, &available], Some(deadline())).expect("the waiter's wait");
    first.expect("the lock of the dead") as u64
}

/// Nothing was taken by who only waited.
fn contract(world: &World, seen: &Seen) -> Verdict {
    let event = event(world);
    let set = event.is_set();
    hold!(Lost, set || seen.waited.is_some() || seen.completed == 0, "the event is gone");
    event.clear()?;
    drop(mutex::mutex(world).try_lock()?);
    Ok(())
}

fn usage(world: &World, rounds: usize) -> Verdict {
    let (event, queue) = (event(world), queue(world));
    let (readable, mutex) = (queue.readable(), mutex::mutex(world));
    let available = mutex.available();
    for _ in 0..rounds {
        event.set()?;
        let first = wait_any(&[&readable, &event], Some(deadline()))?;
        hold!(Hung, first == Some(1), "{first:?}, and the event is set");
        event.clear()?;
        queue.try_push(1)?;
        let first = wait_any(&[&event, &readable], Some(deadline()))?;
        hold!(Hung, first == Some(1), "{first:?}, and there is a message");
        queue.try_pop()?;
        let first = wait_any(&[&event, &available], Some(deadline()))?;
        hold!(Hung, first == Some(1), "{first:?}, and the lock is free");
    }
    mutex::usage(world, rounds)
}

fn held_setup(world: &World) {
    setup(world);
    world.held.borrow_mut().take();
}

pub(super) fn cases() -> Vec<Case> {
    let base = || Case {
        name: "wait-any",
        heavy: false,
        setup,
        by: By::FirstThread,
        operation: wait,
        unblock: Some(set),
        waiter: Some(Waiter { from: WaitFrom::Start, wait: pass, release: set }),
        peer: false,
        repair: None,
        contract,
        usage,
    };
    vec![
        base(),
        Case {
            name: "wait-any-for-a-lock",
            setup: held_setup,
            operation: mutex::lock_and_unlock,
            unblock: None,
            waiter: Some(Waiter { from: WaitFrom::Kill, wait: await_lock, release: |_| {} }),
            repair: Some(mutex::repair),
            contract: mutex::contract,
            ..base()
        },
    ]
}
