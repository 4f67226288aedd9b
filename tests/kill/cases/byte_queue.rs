//! `ByteQueue`: messages in and out, copied and in place, with room, around the ring's end, full and
//! empty; messages that are kept; close.

use std::time::Duration;

use outlive::{BytePushError, ByteQueue, PopError};

use super::deadline;
use crate::case::{Broken, By, Case, Operation, Seen, Verdict, WaitFrom, Waiter, World, hold};

/// Four frames, and one word more: so the fifth is behind a padding.
const CAPACITY: usize = 4 * 24 + 8;
const FULL: u64 = 4;
/// What operations push; what others do, to let somebody go or to repair.
const NEW: u64 = 70;
const FREED: u64 = 80;
const REPAIR: u64 = 90;
const PROBE: u64 = 99;

fn queue(world: &World) -> &'static ByteQueue {
    Box::leak(Box::new(world.warm().byte_queue("queue", CAPACITY).expect("queue")))
}

/// A message of two words, the one being the other's complement.
fn message(number: u64) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&number.to_ne_bytes());
    bytes[8..].copy_from_slice(&(!number).to_ne_bytes());
    bytes
}

fn number(bytes: &[u8]) -> Result<u64, Broken> {
    let number = u64::from_ne_bytes(bytes[..8].try_into()?);
    hold!(Torn, bytes == message(number), "{bytes:x?}");
    Ok(number)
}

/// With `MESSAGES` in it, of which the first is `SHIFT` frames into the ring.
fn setup<const SHIFT: u64, const MESSAGES: u64>(world: &World) {
    world.create();
    let queue = queue(world);
    for _ in 0..SHIFT {
        queue.push(&message(0)).expect("push");
        queue.pop().expect("pop");
    }
    for number in 1..=MESSAGES {
        queue.try_push(&message(number)).expect("push");
    }
}

fn push(world: &World) -> Operation {
    let queue = queue(world);
    Box::new(move || queue.push(&message(NEW)).expect("push"))
}

fn grant(world: &World) -> Operation {
    let queue = queue(world);
    Box::new(move || {
        let mut grant = queue.grant(24).expect("grant");
        grant[..16].copy_from_slice(&message(NEW));
        grant.commit_part(16);
    })
}

fn abort(world: &World) -> Operation {
    let queue = queue(world);
    Box::new(move || queue.grant(16).expect("grant").fill(0xee))
}

fn pop(world: &World) -> Operation {
    let queue = queue(world);
    let mut buffer = Vec::with_capacity(CAPACITY);
    Box::new(move || queue.pop_into(&mut buffer).expect("pop"))
}

fn read(world: &World) -> Operation {
    let queue = queue(world);
    Box::new(move || {
        let message = queue.read().expect("read");
        assert_eq!(message.len(), 16);
        message.release();
    })
}

fn keep(world: &World) -> Operation {
    let queue = queue(world);
    Box::new(move || queue.read().expect("read").keep())
}

fn close(world: &World) -> Operation {
    let queue = queue(world);
    Box::new(move || queue.close().expect("close"))
}

fn push_repair(world: &World) -> Operation {
    let queue = queue(world);
    Box::new(move || queue.push(&message(REPAIR)).expect("push"))
}

fn pop_repair(world: &World) -> Operation {
    let queue = queue(world);
    Box::new(move || drop(queue.try_pop()))
}

fn make_room(world: &World) {
    drop(queue(world).pop_timeout(Duration::ZERO));
}

/// A kill before the pop leaves the waiter without room.
fn make_room_if_full(world: &World) {
    if queue(world).len() as u64 == FULL {
        make_room(world);
    }
}

fn provide(world: &World) {
    queue(world).push_timeout(&message(FREED), deadline()).expect("push");
}

fn wait_for_message(world: &World) -> u64 {
    number(&queue(world).pop().expect("the waiter's pop")).expect("a whole message")
}

/// 0 for a queue that was closed.
fn wait_for_close(world: &World) -> u64 {
    match queue(world).pop() {
        Ok(bytes) => number(&bytes).expect("a whole message"),
        Err(PopError::Closed) => 0,
        Err(error) => panic!("the waiter's pop: {error}"),
    }
}

fn wait_for_room(world: &World) -> u64 {
    queue(world).push(&message(FREED)).expect("the waiter's push");
    FREED
}

fn ends_waiting(world: &World) {
    queue(world).close().expect("close");
}

/// That nobody holds an end any more: the kernel has reported the death by the time that it is
/// known. An operation that may wait would find out by itself, and hide that it did not.
fn released(queue: &ByteQueue) -> Verdict {
    match queue.push_timeout(&message(PROBE), Duration::ZERO) {
        Err(BytePushError::Closed) => {
            let popped = queue.pop_timeout(Duration::ZERO);
            hold!(Lost, popped == Err(PopError::Closed), "{popped:?} from a closed queue");
        }
        pushed => {
            pushed?;
            let popped = number(&queue.pop_timeout(Duration::ZERO)?)?;
            hold!(Lost, popped == PROBE, "{popped} from an empty queue");
        }
    }
    Ok(())
}

/// What is in the queue; the first message in two ways.
fn contents(queue: &ByteQueue) -> Result<Vec<u64>, Broken> {
    let length = queue.len();
    let mut popped = Vec::new();
    let mut kept = None;
    if let Ok(message) = queue.read_timeout(Duration::ZERO) {
        kept = Some(number(&message)?);
        message.keep();
    }
    loop {
        match queue.pop_timeout(Duration::ZERO) {
            Ok(bytes) => popped.push(number(&bytes)?),
            Err(PopError::Closed) => break,
            Err(PopError::TimedOut) => {
                hold!(Hung, queue.is_empty(), "the head is held, by nobody");
                break;
            }
            Err(error) => return Err(error.into()),
        }
    }
    hold!(Leaked, length == popped.len(), "length {length}, popped {popped:?}");
    hold!(Lost, kept == popped.first().copied(), "kept {kept:?}, popped {popped:?}");
    let rest = queue.len();
    hold!(Leaked, queue.is_empty() && rest == 0, "length {rest}");
    released(queue)?;
    Ok(popped)
}

/// No more was counted than died at work: a message that is there was not dropped.
fn counted(queue: &ByteQueue, seen: &Seen, effects: u64) -> Verdict {
    let stats = queue.stats();
    let most = seen.begun - effects + u64::from(seen.repaired);
    let count = u64::from(stats.dropped) + u64::from(stats.redelivered);
    hold!(Leaked, count <= most, "{stats:?}, of {most}");
    Ok(())
}

/// With `old` messages before the operation: they are there in order, then what was pushed.
fn pushed<const OLD: u64>(world: &World, seen: &Seen) -> Verdict {
    let queue = queue(world);
    let mut all: Vec<u64> = seen.waited.into_iter().collect();
    all.extend(contents(queue)?);
    let old: Vec<u64> = all.iter().copied().filter(|message| *message <= OLD).collect();
    hold!(Lost, old == (1..=OLD).collect::<Vec<_>>(), "{all:?}");
    let new = all.iter().filter(|message| **message == NEW).count() as u64;
    let (effects, repairs) = (seen.effects(), all.iter().filter(|m| **m == REPAIR).count());
    hold!(Lost, effects.contains(&new), "{all:?}: {new} of {effects:?}");
    hold!(Lost, repairs <= usize::from(seen.repaired), "{all:?}: repaired {repairs} times");
    let rest = all.len() - old.len() - new as usize - repairs;
    hold!(Lost, rest == usize::from(seen.waited.is_some()), "{all:?}");
    counted(queue, seen, new)
}

/// The first of `OLD` are gone, as many as were taken, and what a waiter pushed is there.
fn popped<const OLD: u64>(world: &World, seen: &Seen) -> Verdict {
    let queue = queue(world);
    let all = contents(queue)?;
    let gone = OLD.saturating_sub(all.iter().filter(|message| **message <= OLD).count() as u64);
    let most = seen.begun + u64::from(seen.repaired) + u64::from(seen.waited.is_some());
    hold!(Lost, (seen.completed..=most).contains(&gone), "{all:?}");
    let mut expected: Vec<u64> = (gone + 1..=OLD).collect();
    expected.extend(seen.waited);
    hold!(Lost, all == expected, "{all:?}, not {expected:?}");
    counted(queue, seen, seen.completed)
}

/// Nothing was pushed or taken, but by a repair.
fn untouched<const OLD: u64>(world: &World, seen: &Seen) -> Verdict {
    let queue = queue(world);
    let mut all = contents(queue)?;
    if seen.repaired {
        if all.last() == Some(&REPAIR) {
            all.pop();
        } else if all.first() == Some(&2) {
            all.insert(0, 1);
        }
    }
    hold!(Lost, all == (1..=OLD).collect::<Vec<_>>(), "{all:?}");
    counted(queue, seen, seen.completed)
}

/// A push against a full queue: one message was popped to make room, or more to free the waiter.
fn pushed_full(world: &World, seen: &Seen) -> Verdict {
    let queue = queue(world);
    let all = contents(queue)?;
    let old: Vec<u64> = all.iter().copied().filter(|message| *message <= FULL).collect();
    let first = old.first().copied().unwrap_or(FULL + 1);
    hold!(Lost, old == (first..=FULL).collect::<Vec<_>>(), "{all:?}");
    let new = all.iter().filter(|message| **message == NEW).count() as u64;
    hold!(Lost, seen.effects().contains(&new), "{all:?}: {new} of {:?}", seen.effects());
    let waited = all.iter().filter(|message| **message == FREED).count();
    hold!(Lost, waited == usize::from(seen.waited.is_some()), "{all:?}");
    hold!(Lost, all.len() == old.len() + new as usize + waited, "{all:?}");
    counted(queue, seen, new)
}

/// A pop from an empty queue: what was provided is there, or was popped once.
fn popped_empty(world: &World, seen: &Seen) -> Verdict {
    let queue = queue(world);
    let all = contents(queue)?;
    hold!(Lost, all.iter().all(|message| *message == FREED), "{all:?}");
    hold!(Lost, all.len() <= 3, "{all:?} after {} completed", seen.completed);
    counted(queue, seen, seen.completed)
}

fn closed<const OLD: u64>(world: &World, seen: &Seen) -> Verdict {
    let queue = queue(world);
    let was_closed = queue.is_closed();
    hold!(Lost, was_closed || seen.completed == 0, "open after a complete close");
    if was_closed {
        let refused = queue.push_timeout(&message(NEW), Duration::ZERO);
        hold!(Lost, refused == Err(BytePushError::Closed), "{refused:?}");
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
    let longest = vec![7; queue.max_message()];
    for round in 0..rounds as u64 {
        queue.push_timeout(&message(round), deadline())?;
        let popped = number(&queue.pop_timeout(deadline())?)?;
        hold!(Lost, popped == round, "{popped} in round {round}");
        // The whole capacity is there, at every place.
        queue.try_push(&longest)?;
        let popped = queue.try_pop()?;
        hold!(Lost, popped == longest, "{popped:?} in round {round}");
    }
    let mut count = 0;
    let end = loop {
        match queue.try_push(&message(count)) {
            Ok(()) => count += 1,
            Err(error) => break error,
        }
    };
    hold!(Leaked, end == BytePushError::Full, "{end:?} after {count}");
    hold!(Leaked, (FULL - 1..=FULL).contains(&count), "room for {count}");
    let all = contents(queue)?;
    hold!(Lost, all == (0..count).collect::<Vec<_>>(), "{all:?}");
    Ok(())
}

fn usage_closed(world: &World, rounds: usize) -> Verdict {
    let queue = queue(world);
    for _ in 0..rounds {
        hold!(Lost, queue.try_pop() == Err(PopError::Closed), "no end");
        let pushed = queue.try_push(&message(1));
        hold!(Lost, pushed == Err(BytePushError::Closed), "{pushed:?}: not closed");
    }
    Ok(())
}

const fn from_start(wait: fn(&World) -> u64, release: fn(&World)) -> Option<Waiter> {
    Some(Waiter { from: WaitFrom::Start, wait, release })
}

fn push_to_some() -> Case {
    Case {
        name: "byte-queue-push",
        heavy: false,
        setup: setup::<0, 1>,
        by: By::FirstThread,
        operation: push,
        unblock: None,
        waiter: None,
        peer: true,
        repair: Some(push_repair),
        contract: pushed::<1>,
        usage,
    }
}

fn pushes() -> Vec<Case> {
    vec![
        push_to_some(),
        Case { name: "byte-queue-push-wrap", setup: setup::<3, 1>, ..push_to_some() },
        Case {
            name: "byte-queue-push-empty",
            setup: setup::<0, 0>,
            waiter: from_start(wait_for_message, provide),
            contract: pushed::<0>,
            ..push_to_some()
        },
        Case {
            name: "byte-queue-push-full",
            setup: setup::<0, FULL>,
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
        Case { name: "byte-queue-grant", setup: setup::<3, 1>, operation: grant, ..push_to_some() },
        Case {
            name: "byte-queue-grant-empty",
            setup: setup::<0, 0>,
            operation: grant,
            waiter: from_start(wait_for_message, provide),
            contract: pushed::<0>,
            ..push_to_some()
        },
        Case {
            name: "byte-queue-grant-drop",
            operation: abort,
            contract: untouched::<1>,
            ..push_to_some()
        },
    ]
}

fn pops() -> Vec<Case> {
    let pop_of_some = || Case {
        name: "byte-queue-pop",
        setup: setup::<3, 3>,
        operation: pop,
        repair: Some(pop_repair),
        contract: popped::<3>,
        ..push_to_some()
    };
    let of_full = || Case {
        setup: setup::<0, FULL>,
        waiter: from_start(wait_for_room, make_room_if_full),
        contract: popped::<FULL>,
        ..pop_of_some()
    };
    vec![
        pop_of_some(),
        Case { name: "byte-queue-pop-full", ..of_full() },
        Case {
            name: "byte-queue-pop-empty",
            setup: setup::<0, 0>,
            unblock: Some(provide),
            waiter: from_start(wait_for_message, |world| {
                provide(world);
                provide(world);
            }),
            peer: false,
            repair: None,
            contract: popped_empty,
            ..pop_of_some()
        },
        Case { name: "byte-queue-read", operation: read, ..pop_of_some() },
        Case { name: "byte-queue-read-full", operation: read, ..of_full() },
        Case {
            name: "byte-queue-keep",
            operation: keep,
            contract: untouched::<3>,
            ..pop_of_some()
        },
    ]
}

pub(super) fn cases() -> Vec<Case> {
    let mut cases = pushes();
    cases.extend(pops());
    cases.extend([
        Case {
            name: "byte-queue-close",
            setup: setup::<0, 2>,
            operation: close,
            repair: Some(close),
            contract: closed::<2>,
            usage: usage_closed,
            ..push_to_some()
        },
        Case {
            name: "byte-queue-close-empty",
            setup: setup::<0, 0>,
            operation: close,
            waiter: from_start(wait_for_close, ends_waiting),
            peer: false,
            repair: None,
            contract: closed::<0>,
            usage: usage_closed,
            ..push_to_some()
        },
    ]);
    cases
}
