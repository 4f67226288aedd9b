//! `Spsc`: messages, slices and chunks in and out with room and without; the roles; close.

use std::time::Duration;

use outlive::{Consumer, PopError, Producer, PushError, RoleError, Spsc};

use super::{UNHURRIED, deadline};
use crate::case::{Broken, By, Case, Operation, Seen, Verdict, WaitFrom, Waiter, World, hold};

const CAPACITY: usize = 4;
/// What operations push; what others do, to let somebody go or to repair.
const NEW: u64 = 70;
const FREED: u64 = 80;
const REPAIR: u64 = 90;
const PROBE: u64 = 99;
/// What who only waited for a role returns.
const NOTHING: u64 = 0;

fn ring(world: &World) -> &'static Spsc<u64> {
    Box::leak(Box::new(world.warm().spsc("ring", CAPACITY).expect("ring")))
}

fn producer(world: &World) -> Producer<u64> {
    ring(world).producer().expect("producer")
}

fn consumer(world: &World) -> Consumer<u64> {
    ring(world).consumer().expect("consumer")
}

/// With the first message in the last slot, so that the ring's end lies behind it.
fn setup<const MESSAGES: u64>(world: &World) {
    world.create();
    let (mut producer, mut consumer) = (producer(world), consumer(world));
    for message in 0..CAPACITY as u64 - 1 {
        producer.try_push(message).expect("push");
        consumer.try_pop().expect("pop");
    }
    for message in 1..=MESSAGES {
        producer.try_push(message).expect("push");
    }
}

/// Runs what leaves something behind in a thread, and ends that.
fn in_thread_that_ends(leave: impl FnOnce() + Send) {
    std::thread::scope(|scope| scope.spawn(leave).join().expect("join"));
}

/// The last producer died at work.
fn setup_dead_producer(world: &World) {
    setup::<1>(world);
    let ring = ring(world);
    in_thread_that_ends(move || {
        let mut producer = ring.producer().expect("producer");
        std::mem::forget(producer.write_chunk(1).expect("chunk"));
        std::mem::forget(producer);
    });
}

fn setup_dead_consumer(world: &World) {
    setup::<1>(world);
    let ring = ring(world);
    in_thread_that_ends(move || {
        let mut consumer = ring.consumer().expect("consumer");
        std::mem::forget(consumer.read_chunk(1).expect("chunk"));
        std::mem::forget(consumer);
    });
}

// Operations. Those that use an end have it before the first instruction.

fn push(world: &World) -> Operation {
    let mut producer = producer(world);
    Box::new(move || producer.push(NEW).expect("push"))
}

const SEVERAL: [u64; 3] = [NEW, NEW + 1, NEW + 2];

fn push_slice(world: &World) -> Operation {
    let mut producer = producer(world);
    Box::new(move || producer.push_slice(&SEVERAL).expect("push"))
}

fn write_chunk(world: &World) -> Operation {
    let mut producer = producer(world);
    Box::new(move || {
        let count = producer.write_chunk(3).expect("chunk").fill(SEVERAL);
        assert_eq!(count, SEVERAL.len());
    })
}

fn pop(world: &World) -> Operation {
    let mut consumer = consumer(world);
    Box::new(move || {
        consumer.pop().expect("pop");
    })
}

const PAIR: u64 = 2;

fn pop_slice(world: &World) -> Operation {
    let mut consumer = consumer(world);
    Box::new(move || {
        let mut pair = [0; PAIR as usize];
        consumer.pop_slice(&mut pair).expect("pop");
        assert_eq!(pair, [1, 2]);
    })
}

fn read_chunk(world: &World) -> Operation {
    let mut consumer = consumer(world);
    Box::new(move || {
        let chunk = consumer.read_chunk(PAIR as usize).expect("chunk");
        assert_eq!(chunk.as_slices(), (&[1][..], &[2][..]));
        chunk.commit_all();
    })
}

/// The consumer pops, for the first process that asks. The other one pushes, and gives up a chunk:
/// whatever the consumer was about to read, it is not what it looks for any more.
fn pop_beside_pushes(world: &World) -> Operation {
    if let Ok(mut consumer) = ring(world).consumer() {
        return Box::new(move || assert_eq!(consumer.pop(), Ok(1)));
    }
    let mut producer = producer(world);
    Box::new(move || {
        producer.push(NEW).expect("push");
        drop(producer.write_chunk(1).expect("chunk"));
    })
}

/// Takes a role and keeps it, unless somebody else has it.
fn keep<E: 'static>(take: impl Fn() -> Result<E, RoleError> + 'static) -> Operation {
    let mut kept = None;
    Box::new(move || match take() {
        Ok(end) => kept = Some(end),
        Err(RoleError::Taken { .. }) => assert!(kept.is_none()),
        Err(error) => panic!("{error}"),
    })
}

fn take_producer(world: &World) -> Operation {
    let ring = ring(world);
    keep(|| ring.producer())
}

fn take_consumer(world: &World) -> Operation {
    let ring = ring(world);
    keep(|| ring.consumer())
}

fn drop_producer(world: &World) -> Operation {
    let mut producer = Some(producer(world));
    Box::new(move || drop(producer.take()))
}

fn drop_consumer(world: &World) -> Operation {
    let mut consumer = Some(consumer(world));
    Box::new(move || drop(consumer.take()))
}

fn close(world: &World) -> Operation {
    let mut producer = producer(world);
    Box::new(move || producer.close())
}

fn close_consumer(world: &World) -> Operation {
    let mut consumer = consumer(world);
    Box::new(move || consumer.close())
}

fn push_repair(world: &World) -> Operation {
    let ring = ring(world);
    Box::new(move || ring.producer().expect("producer").push(REPAIR).expect("push"))
}

fn pop_repair(world: &World) -> Operation {
    let ring = ring(world);
    Box::new(move || drop(ring.consumer().expect("consumer").try_pop()))
}

fn close_repair(world: &World) -> Operation {
    let ring = ring(world);
    Box::new(move || ring.producer().expect("producer").close())
}

// What the survivor does so that others can go on.

fn make_room(world: &World) {
    drop(consumer(world).try_pop());
}

/// A kill before the pop leaves the waiter without room.
fn make_room_if_full(world: &World) {
    if ring(world).len() == CAPACITY {
        make_room(world);
    }
}

fn provide(world: &World) {
    producer(world).try_push(FREED).expect("push");
}

fn end_from_producer(world: &World) {
    producer(world).close();
}

fn end_from_consumer(world: &World) {
    consumer(world).close();
}

/// The role comes from the victim alone.
fn nothing(_world: &World) {}

// Waiters.

fn wait_for_message(world: &World) -> u64 {
    match consumer(world).pop() {
        Ok(message) => message,
        Err(PopError::Closed) => NOTHING,
        Err(error) => panic!("the waiter's pop: {error}"),
    }
}

fn wait_for_room(world: &World) -> u64 {
    match producer(world).push(FREED) {
        Ok(()) => FREED,
        Err(PushError::Closed(FREED)) => NOTHING,
        Err(error) => panic!("the waiter's push: {error:?}"),
    }
}

fn wait_for_producer(world: &World) -> u64 {
    drop(ring(world).producer_timeout(UNHURRIED).expect("the role of the dead"));
    NOTHING
}

fn wait_for_consumer(world: &World) -> u64 {
    drop(ring(world).consumer_timeout(UNHURRIED).expect("the role of the dead"));
    NOTHING
}

const fn waits(from: WaitFrom, wait: fn(&World) -> u64, release: fn(&World)) -> Option<Waiter> {
    Some(Waiter { from, wait, release })
}

// Contracts.

/// Both roles, which nobody has any more: the kernel has reported the death by the time that it is
/// known. One that may wait, or asks whether the holder lives, would hide that it did not.
fn released(world: &World) -> Result<(Producer<u64>, Consumer<u64>), Broken> {
    let ring = ring(world);
    let producer = ring.producer_timeout(Duration::ZERO);
    hold!(Hung, producer.is_ok(), "the producer's role: {producer:?}");
    let consumer = ring.consumer_timeout(Duration::ZERO);
    hold!(Hung, consumer.is_ok(), "the consumer's role: {consumer:?}");
    Ok((producer?, consumer?))
}

/// What is in the ring, found in three ways. It is empty afterwards, and works.
fn contents(world: &World) -> Result<Vec<u64>, Broken> {
    let (mut producer, mut consumer) = released(world)?;
    let length = consumer.ring().len();
    let seen = match consumer.try_read_chunk(usize::MAX) {
        Ok(chunk) => [chunk.as_slices().0, chunk.as_slices().1].concat(),
        Err(PopError::Empty | PopError::Closed) => vec![],
        Err(error) => return Err(error.into()),
    };
    let mut popped = Vec::new();
    let end = loop {
        match consumer.try_pop() {
            Ok(message) => popped.push(message),
            Err(end) => break end,
        }
    };
    hold!(Leaked, length == popped.len(), "length {length}, popped {popped:?}");
    hold!(Lost, seen == popped, "seen {seen:?}, popped {popped:?}");
    let pushed = producer.try_push(PROBE);
    if end == PopError::Closed {
        hold!(Lost, pushed == Err(PushError::Closed(PROBE)), "{pushed:?}, and it is closed");
    } else {
        hold!(Lost, end == PopError::Empty, "{end:?}");
        pushed?;
        let popped = consumer.try_pop()?;
        hold!(Lost, popped == PROBE, "{popped} from an empty queue");
    }
    Ok(popped)
}

/// What was in the ring, and before it what the waiter has got.
fn messages(world: &World, seen: &Seen) -> Result<Vec<u64>, Broken> {
    let mut all: Vec<u64> = seen.waited.into_iter().filter(|message| *message == NEW).collect();
    all.extend(contents(world)?);
    Ok(all)
}

/// No more was counted than died at work: a message that is there was not dropped.
fn counted(world: &World, seen: &Seen, effects: u64) -> Verdict {
    let stats = ring(world).stats();
    let most = seen.begun - effects + u64::from(seen.repaired);
    let count = u64::from(stats.dropped) + u64::from(stats.redelivered);
    hold!(Leaked, count <= most, "{stats:?}, of {most}");
    Ok(())
}

/// `OLD` messages, then the operation's `COUNT` or none, then those of others.
fn pushed<const OLD: u64, const COUNT: usize>(world: &World, seen: &Seen) -> Verdict {
    let all = messages(world, seen)?;
    let is_there = all.contains(&NEW);
    let effects = u64::from(is_there);
    hold!(Lost, seen.effects().contains(&effects), "{all:?}: {:?}", seen.effects());
    let mut expected: Vec<u64> = (1..=OLD).collect();
    expected.extend(SEVERAL.iter().take(if is_there { COUNT } else { 0 }));
    hold!(Lost, all.starts_with(&expected), "{all:?}, not {expected:?}");
    let rest = &all[expected.len()..];
    let most = usize::from(seen.repaired);
    hold!(Lost, rest.len() <= most && rest.iter().all(|m| *m == REPAIR), "{all:?}");
    counted(world, seen, effects)
}

/// The same to a waiter: what the survivor provides, it has got, or it is there.
fn pushed_to_waiter<const COUNT: usize>(world: &World, seen: &Seen) -> Verdict {
    let mut all: Vec<u64> = seen.waited.into_iter().collect();
    all.extend(contents(world)?);
    let is_there = all.contains(&NEW);
    let effects = u64::from(is_there);
    hold!(Lost, seen.effects().contains(&effects), "{all:?}: {:?}", seen.effects());
    let mut expected: Vec<u64> = SEVERAL[..if is_there { COUNT } else { 0 }].to_vec();
    expected.extend(seen.waited.map(|_| FREED));
    if seen.repaired && all.last() == Some(&REPAIR) {
        expected.push(REPAIR);
    }
    hold!(Lost, all == expected, "{all:?}, not {expected:?}");
    counted(world, seen, effects)
}

/// A push to a full ring: one message was popped to make room, or two.
fn pushed_full(world: &World, seen: &Seen) -> Verdict {
    let all = messages(world, seen)?;
    let is_there = all.last() == Some(&NEW);
    hold!(Lost, seen.effects().contains(&u64::from(is_there)), "{all:?}: {:?}", seen.effects());
    let old = &all[..all.len() - usize::from(is_there)];
    let first = old.first().copied().unwrap_or(0);
    hold!(Lost, (1..=3).contains(&first), "{all:?}");
    hold!(Lost, old == (first..=CAPACITY as u64).collect::<Vec<_>>(), "{all:?}");
    hold!(Lost, !is_there || first > 1, "{all:?}: more than there is room for");
    counted(world, seen, u64::from(is_there))
}

/// The first of `OLD` are gone: `TAKEN` by an operation, and one by a repair. Then what a waiter
/// has pushed.
fn popped<const OLD: u64, const TAKEN: u64>(world: &World, seen: &Seen) -> Verdict {
    let all = contents(world)?;
    let gone = OLD.saturating_sub(all.iter().filter(|message| **message <= OLD).count() as u64);
    let by_repair = 0..=u64::from(seen.repaired);
    let explained = by_repair
        .into_iter()
        .any(|repair| seen.effects().any(|effects| effects * TAKEN + repair == gone));
    hold!(Lost, explained, "{all:?} after {:?}", seen.effects());
    let mut expected: Vec<u64> = (gone + 1..=OLD).collect();
    expected.extend(seen.waited.filter(|message| *message != NOTHING));
    hold!(Lost, all == expected, "{all:?}, not {expected:?}");
    counted(world, seen, u64::from(gone >= TAKEN))
}

/// A pop that makes room for a waiter: a message may have been popped to let it go.
fn popped_full(world: &World, seen: &Seen) -> Verdict {
    const OLD: u64 = CAPACITY as u64;
    let all = contents(world)?;
    let gone = OLD.saturating_sub(all.iter().filter(|message| **message <= OLD).count() as u64);
    let most = seen.begun + u64::from(seen.repaired) + u64::from(seen.waited.is_some());
    hold!(Lost, (seen.completed..=most).contains(&gone), "{all:?}");
    let mut expected: Vec<u64> = (gone + 1..=OLD).collect();
    expected.extend(seen.waited);
    hold!(Lost, all == expected, "{all:?}, not {expected:?}");
    counted(world, seen, seen.completed)
}

/// A pop from an empty ring: what was provided is there, or was popped once.
fn popped_empty(world: &World, seen: &Seen) -> Verdict {
    let all = contents(world)?;
    hold!(Lost, all.len() <= 2 && all.iter().all(|message| *message == FREED), "{all:?}");
    counted(world, seen, seen.completed)
}

/// The consumer was stopped, and went on: it has popped the first message. The other one has pushed
/// its message or not.
fn popped_beside_pushes(world: &World, _seen: &Seen) -> Verdict {
    let all = contents(world)?;
    hold!(Lost, matches!(all[..], [] | [1] | [NEW] | [1, NEW]), "{all:?}");
    Ok(())
}

/// Nothing happened but that a role was taken or given back.
fn untouched(world: &World, seen: &Seen) -> Verdict {
    let all = contents(world)?;
    let repaired = match all[..] {
        [1] | [1, REPAIR] => true,
        [] | [REPAIR] => seen.repaired,
        _ => false,
    };
    hold!(Lost, repaired, "{all:?}");
    counted(world, seen, seen.begun)
}

/// The one that died at work before is counted once, whoever else died as it was counted.
fn counted_once(world: &World, counts: impl Fn(outlive::QueueStats) -> [u32; 2]) -> Verdict {
    let all = contents(world)?;
    let counted = counts(ring(world).stats());
    hold!(Leaked, counted == [1, 0], "{counted:?}");
    hold!(Lost, all == [1], "{all:?}");
    Ok(())
}

fn dropped_once(world: &World, _seen: &Seen) -> Verdict {
    counted_once(world, |stats| [stats.dropped, stats.redelivered])
}

fn redelivered_once(world: &World, _seen: &Seen) -> Verdict {
    counted_once(world, |stats| [stats.redelivered, stats.dropped])
}

/// `OLD` messages are there, and after a complete close no more can come.
fn closed<const OLD: u64>(world: &World, seen: &Seen) -> Verdict {
    let was_closed = ring(world).is_closed();
    hold!(Lost, was_closed || seen.completed == 0, "open after a complete close");
    let all = contents(world)?;
    let expected: Vec<u64> = (1..=OLD).collect();
    hold!(Lost, all == expected, "{all:?}, not {expected:?}");
    hold!(Lost, seen.waited.is_none_or(|waited| waited == NOTHING), "{:?}", seen.waited);
    released(world)?.0.close();
    Ok(())
}

/// A thousand rounds of everything, and the whole capacity is there.
fn usage(world: &World, rounds: usize) -> Verdict {
    let (mut producer, mut consumer) = released(world)?;
    for round in 0..rounds as u64 {
        producer.push_timeout(round, deadline())?;
        let popped = consumer.pop_timeout(deadline())?;
        hold!(Lost, popped == round, "{popped} in round {round}");
        let several = [round, round + 1, round + 2];
        if round.is_multiple_of(2) {
            producer.push_slice_timeout(&several, deadline())?;
        } else {
            producer.try_write_chunk(3)?.fill(several);
        }
        let mut popped = [0; 2];
        let count = consumer.try_pop_slice(&mut popped)?;
        hold!(Lost, popped[..count] == several[..2], "{popped:?} in round {round}");
        let chunk = consumer.try_read_chunk(9)?;
        let last = chunk.as_slices();
        hold!(Lost, last.0 == &several[2..] && last.1.is_empty(), "{last:?} in round {round}");
        chunk.commit_all();
    }
    for message in 0..CAPACITY as u64 {
        producer.try_push(message)?;
    }
    let more = producer.try_push(9);
    hold!(Leaked, more == Err(PushError::Full(9)), "{more:?}: more than its capacity");
    drop((producer, consumer));
    let all = contents(world)?;
    hold!(Lost, all == (0..CAPACITY as u64).collect::<Vec<_>>(), "{all:?}");
    Ok(())
}

fn usage_closed(world: &World, rounds: usize) -> Verdict {
    let (mut producer, mut consumer) = released(world)?;
    for _ in 0..rounds {
        let (popped, pushed) = (consumer.try_pop(), producer.try_push(1));
        hold!(Lost, popped == Err(PopError::Closed), "{popped:?}: no end");
        hold!(Lost, pushed == Err(PushError::Closed(1)), "{pushed:?}: not closed");
    }
    Ok(())
}

fn pushes() -> Vec<Case> {
    let push_to_some = || Case {
        name: "spsc-push",
        heavy: false,
        setup: setup::<1>,
        by: By::FirstThread,
        operation: push,
        unblock: None,
        // For the role.
        waiter: waits(WaitFrom::Start, wait_for_producer, nothing),
        peer: false,
        repair: Some(push_repair),
        contract: pushed::<1, 1>,
        usage,
    };
    vec![
        push_to_some(),
        Case {
            name: "spsc-push-empty",
            setup: setup::<0>,
            waiter: waits(WaitFrom::Start, wait_for_message, provide),
            contract: pushed_to_waiter::<1>,
            ..push_to_some()
        },
        Case {
            name: "spsc-push-full",
            setup: setup::<4>,
            unblock: Some(make_room),
            repair: None,
            contract: pushed_full,
            ..push_to_some()
        },
        Case {
            name: "spsc-push-slice",
            operation: push_slice,
            contract: pushed::<1, 3>,
            ..push_to_some()
        },
        Case {
            name: "spsc-push-slice-empty",
            setup: setup::<0>,
            operation: push_slice,
            waiter: waits(WaitFrom::Start, wait_for_message, provide),
            contract: pushed_to_waiter::<3>,
            ..push_to_some()
        },
        Case {
            name: "spsc-write-chunk",
            operation: write_chunk,
            contract: pushed::<1, 3>,
            ..push_to_some()
        },
        Case {
            name: "spsc-write-chunk-empty",
            setup: setup::<0>,
            operation: write_chunk,
            waiter: waits(WaitFrom::Start, wait_for_message, provide),
            contract: pushed_to_waiter::<3>,
            ..push_to_some()
        },
    ]
}

fn pops() -> Vec<Case> {
    let pop_of_some = || Case {
        name: "spsc-pop",
        heavy: false,
        setup: setup::<3>,
        by: By::FirstThread,
        operation: pop,
        unblock: None,
        waiter: waits(WaitFrom::Start, wait_for_consumer, nothing),
        peer: false,
        repair: Some(pop_repair),
        contract: popped::<3, 1>,
        usage,
    };
    vec![
        pop_of_some(),
        Case {
            name: "spsc-pop-full",
            setup: setup::<4>,
            waiter: waits(WaitFrom::Start, wait_for_room, make_room_if_full),
            contract: popped_full,
            ..pop_of_some()
        },
        Case {
            name: "spsc-pop-empty",
            setup: setup::<0>,
            unblock: Some(provide),
            repair: None,
            contract: popped_empty,
            ..pop_of_some()
        },
        Case {
            name: "spsc-pop-slice",
            operation: pop_slice,
            contract: popped::<3, PAIR>,
            ..pop_of_some()
        },
        Case {
            name: "spsc-read-chunk",
            operation: read_chunk,
            contract: popped::<3, PAIR>,
            ..pop_of_some()
        },
        Case {
            name: "spsc-pop-beside-pushes",
            setup: setup::<1>,
            operation: pop_beside_pushes,
            waiter: None,
            peer: true,
            repair: None,
            contract: popped_beside_pushes,
            ..pop_of_some()
        },
    ]
}

fn roles() -> Vec<Case> {
    let take = || Case {
        name: "spsc-producer",
        heavy: false,
        setup: setup::<1>,
        by: By::FirstThread,
        operation: take_producer,
        unblock: None,
        waiter: waits(WaitFrom::Kill, wait_for_producer, nothing),
        // One of the two is refused.
        peer: true,
        repair: Some(push_repair),
        contract: untouched,
        usage,
    };
    vec![
        take(),
        Case {
            name: "spsc-producer-dead",
            setup: setup_dead_producer,
            repair: Some(take_producer),
            contract: dropped_once,
            ..take()
        },
        Case {
            name: "spsc-producer-drop",
            operation: drop_producer,
            waiter: waits(WaitFrom::Start, wait_for_producer, nothing),
            peer: false,
            ..take()
        },
        Case {
            name: "spsc-consumer",
            operation: take_consumer,
            waiter: waits(WaitFrom::Kill, wait_for_consumer, nothing),
            repair: Some(pop_repair),
            ..take()
        },
        Case {
            name: "spsc-consumer-dead",
            setup: setup_dead_consumer,
            operation: take_consumer,
            waiter: waits(WaitFrom::Kill, wait_for_consumer, nothing),
            repair: Some(take_consumer),
            contract: redelivered_once,
            ..take()
        },
        Case {
            name: "spsc-consumer-drop",
            operation: drop_consumer,
            waiter: waits(WaitFrom::Start, wait_for_consumer, nothing),
            peer: false,
            repair: Some(pop_repair),
            ..take()
        },
    ]
}

fn closes() -> Vec<Case> {
    let close_empty = || Case {
        name: "spsc-close",
        heavy: false,
        setup: setup::<0>,
        by: By::FirstThread,
        operation: close,
        unblock: None,
        waiter: waits(WaitFrom::Start, wait_for_message, end_from_producer),
        peer: false,
        repair: Some(close_repair),
        contract: closed::<0>,
        usage: usage_closed,
    };
    vec![
        close_empty(),
        Case {
            name: "spsc-close-full",
            setup: setup::<4>,
            operation: close_consumer,
            waiter: waits(WaitFrom::Start, wait_for_room, end_from_consumer),
            contract: closed::<4>,
            ..close_empty()
        },
    ]
}

pub(super) fn cases() -> Vec<Case> {
    [pushes(), pops(), roles(), closes()].into_iter().flatten().collect()
}
