//! `Once` and `OnceValue`: initialising, and waiting for who initialises.

use outlive::{LockError, Once, OnceValue};

use super::deadline;
use crate::case::{By, Case, Operation, Seen, Verdict, WaitFrom, Waiter, World, hold};

type Words = [u64; 4];

const VALUE: Words = [7; 4];
const ANOTHER: Words = [9; 4];

/// A handle that nobody drops.
fn value(world: &World) -> &'static OnceValue<Words> {
    Box::leak(Box::new(world.warm().once_value("value").expect("once value")))
}

fn once(world: &World) -> &'static Once {
    Box::leak(Box::new(world.warm().once("once").expect("once")))
}

fn setup(world: &World) {
    world.create();
    value(world);
    once(world);
}

fn make(world: &World) -> Operation {
    let value = value(world);
    Box::new(move || assert_eq!(value.get_or_init(|| VALUE), Ok(VALUE)))
}

fn set(world: &World) -> Operation {
    let value = value(world);
    // Whoever was first set the same.
    Box::new(move || drop(value.set(VALUE)))
}

fn call(world: &World) -> Operation {
    let once = once(world);
    Box::new(move || once.call_once(|| ()).expect("call"))
}

fn wait_for_value(world: &World) -> u64 {
    value(world).wait().expect("the waiter's wait")[0]
}

fn make_too(world: &World) -> u64 {
    value(world).get_or_init(|| ANOTHER).expect("the waiter's value")[0]
}

fn wait_for_call(world: &World) -> u64 {
    once(world).wait().expect("the waiter's wait");
    1
}

fn made(world: &World, seen: &Seen) -> Verdict {
    let value = value(world);
    let found = value.get();
    if let Some(waited) = seen.waited {
        hold!(Lost, found.is_some_and(|found| found[0] == waited), "{found:?}, was {waited}");
    }
    let none = found.is_none();
    hold!(Lost, !none || seen.completed == 0, "a complete value is gone");
    hold!(Torn, none || found == Some(VALUE) || found == Some(ANOTHER), "{found:?}");
    // At once: the kernel has reported the death by the time that it is known.
    let now = value.get_or_init_timeout(std::time::Duration::ZERO, || VALUE)?;
    hold!(Lost, found.is_none_or(|found| found == now), "{found:?}, then {now:?}");
    Ok(())
}

fn called(world: &World, seen: &Seen) -> Verdict {
    let once = once(world);
    let done = once.is_completed();
    hold!(Lost, done || seen.completed == 0 && seen.waited.is_none(), "a complete call is gone");
    let mut ran = false;
    once.try_call_once(|| ran = true)?;
    hold!(Lost, done != ran, "done: {done}, and run again: {ran}");
    Ok(())
}

fn use_value(world: &World, rounds: usize) -> Verdict {
    let value = value(world);
    let found = value.wait_timeout(deadline())?;
    for _ in 0..rounds {
        let again = value.get_or_init(|| [0; 4])?;
        hold!(Lost, again == found, "{found:?}, then {again:?}");
        hold!(Lost, value.set([0; 4]).is_err(), "set twice");
    }
    Ok(())
}

fn use_once(world: &World, rounds: usize) -> Verdict {
    let once = once(world);
    once.wait_timeout(deadline())?;
    for _ in 0..rounds {
        let mut ran = false;
        once.call_once(|| ran = true)?;
        hold!(Lost, !ran, "run twice");
    }
    hold!(Leaked, once.wait_timeout(deadline()) == Ok::<(), LockError>(()), "not done any more");
    Ok(())
}

pub(super) fn cases() -> Vec<Case> {
    let base = || Case {
        name: "once-value-init",
        heavy: false,
        setup,
        by: By::FirstThread,
        operation: make,
        unblock: None,
        waiter: Some(Waiter {
            from: WaitFrom::Start,
            wait: wait_for_value,
            release: |world| drop(value(world).get_or_init(|| ANOTHER)),
        }),
        peer: true,
        repair: Some(make),
        contract: made,
        usage: use_value,
    };
    vec![
        base(),
        Case {
            name: "once-value-init-contended",
            heavy: true,
            waiter: Some(Waiter { from: WaitFrom::Kill, wait: make_too, release: |_| {} }),
            ..base()
        },
        Case { name: "once-value-set", operation: set, repair: Some(set), ..base() },
        Case {
            name: "once-call",
            operation: call,
            waiter: Some(Waiter {
                from: WaitFrom::Start,
                wait: wait_for_call,
                release: |world| once(world).call_once(|| ()).expect("call"),
            }),
            repair: Some(call),
            contract: called,
            usage: use_once,
            ..base()
        },
    ]
}
