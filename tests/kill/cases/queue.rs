//! `Queue`: push and pop with room and messages, full and empty, and close.

use std::time::Duration;

use outlive::{OnDeath, PopError, PushError, Queue};

use super::deadline;
use crate::case::{By, Case, Operation, Seen, Verdict, WaitFrom, Waiter, World, hold};

const CAPACITY: usize = 4;
/// What the operation pushes, and what those do that wait for a message or repair.
const NEW: u64 = 70;
const FREED: u64 = 80;
const REPAIR: u64 = 90;
const PROBE: u64 = 99;

fn queue(world: &World) -> &'static Queue<u64> {
    Box::leak(Box::new(world.warm().find("queue").expect("queue")))
}

/// Before it is found.
fn create(world: &World, on_death: OnDeath, messages: u64) {
    world.create();
    let queue = world.warm().queue_with("queue", CAPACITY, on_death).expect("queue");
    (1..=messages).for_each(|message| queue.push(message).expect("push"));
}

fn setup<const MESSAGES: u64>(world: &World) {
    create(world, OnDeath::Redeliver, MESSAGES);
}

fn push(world: &World) -> Operation {
    let queue = queue(world);
    Box::new(move || queue.push(NEW).expect("push"))
}

fn pop(world: &World) -> Operation {
    let queue = queue(world);
    Box::new(move || {
        queue.pop().expect("pop");
    })
}

fn close(world: &World) -> Operation {
    let queue = queue(world);
    Box::new(move || queue.close().expect("close"))
}

fn push_repair(world: &World) -> Operation {
    let queue = queue(world);
    Box::new(move || queue.push(REPAIR).expect("push"))
}

fn pop_repair(world: &World) -> Operation {
    let queue = queue(world);
    Box::new(move || drop(queue.try_pop()))
}

fn make_room(world: &World) {
    drop(queue(world).try_pop());
}

fn provide(world: &World) {
    queue(world).push_timeout(FREED, deadline()).expect("push");
}

fn wait_for_message(world: &World) -> u64 {
    queue(world).pop().expect("the waiter's pop")
}

/// 0 for a queue that was closed.
fn wait_for_close(world: &World) -> u64 {
    match queue(world).pop() {
        Ok(message) => message,
        Err(PopError::Closed) => 0,
        Err(error) => panic!("the waiter's pop: {error}"),
    }
}

fn wait_for_room(world: &World) -> u64 {
    queue(world).push(FREED).expect("the waiter's push");
    FREED
}

fn ends_waiting(world: &World) {
    queue(world).close().expect("close");
}

/// That nobody holds an end any more: the kernel has reported the death by the time that it is
/// known. An operation that may wait would find out by itself, and hide that it did not.
fn released(queue: &Queue<u64>) -> Verdict {
    match queue.push_timeout(PROBE, Duration::ZERO) {
        Err(PushError::Closed(PROBE)) => {
            let popped = queue.pop_timeout(Duration::ZERO);
            hold!(Lost, popped == Err(PopError::Closed), "{popped:?} from a closed queue");
        }
        pushed => {
            pushed?;
            let popped = queue.pop_timeout(Duration::ZERO)?;
            hold!(Lost, popped == PROBE, "{popped} from an empty queue");
        }
    }
    Ok(())
}

/// What is in the queue, found in three ways.
fn contents(queue: &Queue<u64>) -> Result<Vec<u64>, crate::case::Broken> {
    let length = queue.len();
    let mut popped = Vec::new();
    let mut seen = Vec::new();
    loop {
        match queue.pop_timeout(Duration::ZERO) {
            Ok(message) => popped.push(message),
            Err(PopError::Closed) => break,
            Err(PopError::TimedOut) => {
                hold!(Hung, queue.is_empty(), "the head is held, by nobody");
                break;
            }
            Err(error) => return Err(error.into()),
        }
        if popped.len() == 1 {
            seen = queue.peek_all()?;
            hold!(Leaked, queue.len() == seen.len(), "length {} of {seen:?}", queue.len());
            seen.insert(0, popped[0]);
        }
    }
    hold!(Leaked, length == popped.len(), "length {length}, popped {popped:?}");
    hold!(Lost, seen == popped, "seen {seen:?}, popped {popped:?}");
    released(queue)?;
    Ok(popped)
}

/// With `old` messages before the operation: they are there in order, then what was pushed.
fn pushed<const OLD: u64>(world: &World, seen: &Seen) -> Verdict {
    let mut all: Vec<u64> = seen.waited.into_iter().collect();
    all.extend(contents(queue(world))?);
    let old: Vec<u64> = all.iter().copied().filter(|message| *message <= OLD).collect();
    hold!(Lost, old == (1..=OLD).collect::<Vec<_>>(), "{all:?}");
    let new = all.iter().filter(|message| **message == NEW).count() as u64;
    let (effects, repairs) = (seen.effects(), all.iter().filter(|m| **m == REPAIR).count());
    hold!(Lost, effects.contains(&new), "{all:?}: {new} of {effects:?}");
    hold!(Lost, repairs <= usize::from(seen.repaired), "{all:?}: repaired {repairs} times");
    let rest = all.len() - old.len() - new as usize - repairs;
    hold!(Lost, rest == usize::from(seen.waited.is_some()), "{all:?}");
    Ok(())
}

/// The first of `OLD` are gone, as many as were popped.
fn popped<const OLD: u64>(world: &World, seen: &Seen) -> Verdict {
    let all = contents(queue(world))?;
    let gone = OLD.checked_sub(all.iter().filter(|message| **message <= OLD).count() as u64);
    let most = seen.begun + u64::from(seen.repaired);
    hold!(Lost, gone.is_some_and(|gone| (seen.completed..=most).contains(&gone)), "{all:?}");
    let mut expected: Vec<u64> = (gone.unwrap_or(0) + 1..=OLD).collect();
    expected.extend(seen.waited);
    hold!(Lost, all == expected, "{all:?}, not {expected:?}");
    Ok(())
}

/// As [`popped`], and nothing comes back of what was begun.
fn popped_for_good(world: &World, seen: &Seen) -> Verdict {
    // What is to go with the dead is in the queue until somebody else holds its head.
    let left = queue(world).peek_all()?.len();
    let stats = queue(world).stats();
    popped::<3>(world, seen)?;
    hold!(Lost, stats.redelivered == 0, "{stats:?}");
    // Who is killed after its pop counts as complete or not; one that was dropped was not.
    let gone = 3_u64.saturating_sub(left as u64);
    hold!(Lost, gone >= seen.completed + u64::from(stats.dropped), "{stats:?}, {left} left");
    Ok(())
}

/// A push against a full queue: one message was popped to make room, or more to free the waiter.
fn pushed_full(world: &World, seen: &Seen) -> Verdict {
    let all = contents(queue(world))?;
    let old: Vec<u64> = all.iter().copied().filter(|message| *message <= CAPACITY as u64).collect();
    let first = old.first().copied().unwrap_or(CAPACITY as u64 + 1);
    hold!(Lost, old == (first..=CAPACITY as u64).collect::<Vec<_>>(), "{all:?}");
    let new = all.iter().filter(|message| **message == NEW).count() as u64;
    hold!(Lost, seen.effects().contains(&new), "{all:?}: {new} of {:?}", seen.effects());
    let waited = all.iter().filter(|message| **message == FREED).count();
    hold!(Lost, waited == usize::from(seen.waited.is_some()), "{all:?}");
    hold!(Lost, all.len() == old.len() + new as usize + waited, "{all:?}");
    Ok(())
}

/// A pop from an empty queue: what was provided is there, or was popped once.
fn popped_empty(world: &World, seen: &Seen) -> Verdict {
    let all = contents(queue(world))?;
    hold!(Lost, all.iter().all(|message| *message == FREED), "{all:?}");
    hold!(Lost, all.len() <= 3, "{all:?} after {} completed", seen.completed);
    Ok(())
}

fn closed<const OLD: u64>(world: &World, seen: &Seen) -> Verdict {
    let queue = queue(world);
    let was_closed = queue.is_closed();
    hold!(Lost, was_closed || seen.completed == 0, "open after a complete close");
    if was_closed {
        let refused = queue.push_timeout(NEW, Duration::ZERO);
        hold!(Lost, matches!(refused, Err(PushError::Closed(NEW))), "{refused:?}");
    }
    let mut all = contents(queue)?;
    queue.close()?;
    all.splice(0..0, seen.waited.filter(|message| *message != 0));
    hold!(Lost, all == (1..=OLD).collect::<Vec<_>>(), "{all:?}");
    hold!(Lost, queue.try_pop() == Err(PopError::Closed), "no end");
    Ok(())
}

fn usage(world: &World, rounds: usize) -> Verdict {
    let queue = queue(world);
    for round in 0..rounds as u64 {
        queue.push_timeout(round, deadline())?;
        let popped = queue.pop_timeout(deadline())?;
        hold!(Lost, popped == round, "{popped} in round {round}");
    }
    // The whole capacity is there.
    for message in 0..CAPACITY as u64 {
        queue.try_push(message)?;
    }
    hold!(Leaked, matches!(queue.try_push(9), Err(PushError::Full(9))), "more than its capacity");
    let all = contents(queue)?;
    hold!(Lost, all.len() == CAPACITY, "{all:?}");
    Ok(())
}

fn usage_closed(world: &World, rounds: usize) -> Verdict {
    let queue = queue(world);
    for _ in 0..rounds {
        hold!(Lost, queue.try_pop() == Err(PopError::Closed), "no end");
        hold!(Lost, matches!(queue.try_push(1), Err(PushError::Closed(1))), "not closed");
    }
    Ok(())
}

const fn from_start(wait: fn(&World) -> u64, release: fn(&World)) -> Option<Waiter> {
    Some(Waiter { from: WaitFrom::Start, wait, release })
}

pub(super) fn cases() -> Vec<Case> {
    let push_to_some = || Case {
        name: "queue-push",
        heavy: false,
        setup: setup::<1>,
        by: By::FirstThread,
        operation: push,
        unblock: None,
        waiter: None,
        peer: true,
        repair: Some(push_repair),
        contract: pushed::<1>,
        usage,
    };
    vec![
        push_to_some(),
        Case {
            name: "queue-push-empty",
            setup: setup::<0>,
            waiter: from_start(wait_for_message, provide),
            contract: pushed::<0>,
            ..push_to_some()
        },
        Case {
            name: "queue-push-full",
            setup: setup::<4>,
            unblock: Some(make_room),
            waiter: from_start(wait_for_room, |world| {
                make_room(world);
                make_room(world);
            }),
            peer: false,
            repair: None,
            contract: pushed_full,
            ..push_to_some()
        },
        Case {
            name: "queue-pop",
            setup: setup::<3>,
            operation: pop,
            repair: Some(pop_repair),
            contract: popped::<3>,
            ..push_to_some()
        },
        Case {
            name: "queue-pop-drop",
            setup: |world| create(world, OnDeath::Drop, 3),
            operation: pop,
            repair: Some(pop_repair),
            contract: popped_for_good,
            ..push_to_some()
        },
        Case {
            name: "queue-pop-full",
            setup: setup::<4>,
            operation: pop,
            waiter: from_start(wait_for_room, make_room_if_full),
            repair: Some(pop_repair),
            contract: popped_full,
            ..push_to_some()
        },
        Case {
            name: "queue-pop-empty",
            setup: setup::<0>,
            operation: pop,
            unblock: Some(provide),
            waiter: from_start(wait_for_message, |world| {
                provide(world);
                provide(world);
            }),
            peer: false,
            repair: None,
            contract: popped_empty,
            ..push_to_some()
        },
        Case {
            name: "queue-close",
            setup: setup::<2>,
            operation: close,
            repair: Some(close),
            contract: closed::<2>,
            usage: usage_closed,
            ..push_to_some()
        },
        Case {
            name: "queue-close-empty",
            setup: setup::<0>,
            operation: close,
            waiter: from_start(wait_for_close, ends_waiting),
            peer: false,
            repair: None,
            contract: closed::<0>,
            usage: usage_closed,
            ..push_to_some()
        },
    ]
}

/// A kill before the pop leaves the waiter without room.
fn make_room_if_full(world: &World) {
    if queue(world).len() == CAPACITY {
        make_room(world);
    }
}

/// A pop that makes room for a waiter: one of the old messages may have been popped to free it.
fn popped_full(world: &World, seen: &Seen) -> Verdict {
    let all = contents(queue(world))?;
    let old = all.iter().filter(|message| **message <= CAPACITY as u64).count() as u64;
    let gone = CAPACITY as u64 - old;
    let most = seen.begun + u64::from(seen.repaired) + u64::from(seen.waited.is_some());
    hold!(Lost, (seen.completed..=most).contains(&gone), "{all:?}");
    let mut expected: Vec<u64> = (gone + 1..=CAPACITY as u64).collect();
    expected.extend(seen.waited);
    hold!(Lost, all == expected, "{all:?}, not {expected:?}");
    Ok(())
}
