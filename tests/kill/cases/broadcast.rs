//! `Broadcast`: publish with room, over old messages and where somebody is waited for; receive;
//! subscribe; leave; close.

use std::cell::RefCell;
use std::time::Duration;

use outlive::{Broadcast, PushError, RecvError, Slow, Start, SubscribeError, Subscriber};

use super::deadline;
use crate::case::{Broken, By, Case, Operation, Seen, Verdict, WaitFrom, Waiter, World, hold};

const CAPACITY: usize = 4;
const PLACES: usize = 4;
/// What operations publish; what others do, to let somebody go or to repair.
const NEW: u64 = 70;
const FREED: u64 = 80;
const REPAIR: u64 = 90;
const PROBE: u64 = 99;
/// What a waiter returns that found the end.
const NOTHING: u64 = 0;
/// In place of each message that was missed.
const MISSED: u64 = 0;

/// So large that one can be torn.
type Words = [u64; 3];

fn words(message: u64) -> Words {
    [message; 3]
}

thread_local! {
    /// The survivor's subscriber, from before the first message on, and what it has received.
    static READER: RefCell<Option<Subscriber<Words>>> = const { RefCell::new(None) };
    static RECEIVED: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

/// The channel that a case uses, by its policy.
fn channel<const OVERWRITE: bool>(world: &World) -> &'static Broadcast<Words> {
    let slow = if OVERWRITE { Slow::Overwrite } else { Slow::Block };
    let channel = world.warm().broadcast_with("channel", CAPACITY, slow, PLACES);
    Box::leak(Box::new(channel.expect("channel")))
}

/// Most cases are of this one.
fn blocking(world: &World) -> &'static Broadcast<Words> {
    channel::<false>(world)
}

fn setup_of<const OVERWRITE: bool, const MESSAGES: u64>(world: &World) {
    world.create();
    let channel = channel::<OVERWRITE>(world);
    let reader = channel.subscribe(Start::Newest).expect("subscribe");
    READER.with_borrow_mut(|place| *place = Some(reader));
    for message in 1..=MESSAGES {
        channel.try_publish(words(message)).expect("publish");
    }
}

fn setup<const MESSAGES: u64>(world: &World) {
    setup_of::<false, MESSAGES>(world);
}

/// The reader has received everything, so that it keeps nobody waiting.
fn setup_read(world: &World) {
    setup::<4>(world);
    (0..CAPACITY).for_each(|_| read_one(world));
}

/// All places but the survivor's are those of dead subscribers, whom all would have to wait for.
fn setup_dead(world: &World) {
    setup::<0>(world);
    let channel = blocking(world);
    std::thread::scope(|scope| {
        let ends = scope.spawn(|| {
            for _ in 1..PLACES {
                std::mem::forget(channel.subscribe(Start::Newest).expect("subscribe"));
            }
        });
        ends.join().expect("join");
    });
    for message in 1..=2 {
        channel.try_publish(words(message)).expect("publish");
    }
}

// Operations. Those that use a subscriber have it before the first instruction.

fn publish_to<const OVERWRITE: bool>(world: &World) -> Operation {
    let channel = channel::<OVERWRITE>(world);
    Box::new(move || channel.publish(words(NEW)).expect("publish"))
}

fn subscriber(world: &World, from: Start) -> Subscriber<Words> {
    blocking(world).subscribe(from).expect("subscribe")
}

fn recv(world: &World) -> Operation {
    let mut subscriber = subscriber(world, Start::Oldest);
    Box::new(move || assert_eq!(subscriber.recv(), Ok(words(1))))
}

fn recv_new(world: &World) -> Operation {
    let mut subscriber = subscriber(world, Start::Newest);
    Box::new(move || {
        subscriber.recv().expect("recv");
    })
}

fn subscribe(world: &World) -> Operation {
    let channel = blocking(world);
    let mut kept = Vec::with_capacity(1);
    Box::new(move || kept.push(channel.subscribe(Start::Oldest).expect("subscribe")))
}

fn leave(world: &World) -> Operation {
    let mut subscriber = Some(subscriber(world, Start::Oldest));
    Box::new(move || drop(subscriber.take()))
}

fn close(world: &World) -> Operation {
    let channel = blocking(world);
    Box::new(move || channel.close().expect("close"))
}

fn publish_repair<const OVERWRITE: bool>(world: &World) -> Operation {
    let channel = channel::<OVERWRITE>(world);
    Box::new(move || channel.publish(words(REPAIR)).expect("publish"))
}

// What the survivor does so that others can go on.

/// Receives a message, if there is one.
fn read_one(_world: &World) {
    READER.with_borrow_mut(|reader| {
        if let Ok(message) = reader.as_mut().expect("a reader").try_recv() {
            RECEIVED.with_borrow_mut(|all| all.push(message[0]));
        }
    });
}

fn read_two(world: &World) {
    read_one(world);
    read_one(world);
}

fn provide_to<const OVERWRITE: bool>(world: &World) {
    channel::<OVERWRITE>(world).try_publish(words(FREED)).expect("publish");
}

fn end(world: &World) {
    blocking(world).close().expect("close");
}

/// The victim's death or its operation is enough.
fn nothing(_world: &World) {}

// Waiters.

fn wait_for_message<const OVERWRITE: bool>(world: &World) -> u64 {
    let mut subscriber = channel::<OVERWRITE>(world).subscribe(Start::Newest).expect("subscribe");
    match subscriber.recv() {
        Ok(message) => message[0],
        Err(RecvError::Closed) => NOTHING,
        Err(error) => panic!("the waiter's recv: {error}"),
    }
}

fn wait_for_room(world: &World) -> u64 {
    match blocking(world).publish(words(FREED)) {
        Ok(()) => FREED,
        Err(PushError::Closed(_)) => NOTHING,
        Err(error) => panic!("the waiter's publish: {error:?}"),
    }
}

const fn waits(from: WaitFrom, wait: fn(&World) -> u64, release: fn(&World)) -> Option<Waiter> {
    Some(Waiter { from, wait, release })
}

// Contracts.

/// What the reader receives without waiting, after what it has received before.
fn read_all(reader: &mut Subscriber<Words>) -> Result<(Vec<u64>, RecvError), Broken> {
    let mut all = RECEIVED.take();
    loop {
        match reader.try_recv() {
            Ok(message) => {
                hold!(Torn, message == words(message[0]), "{message:?}");
                all.push(message[0]);
            }
            Err(RecvError::Lagged { missed }) => {
                hold!(Lost, missed <= 2 * CAPACITY as u64, "{missed} missed");
                all.extend((0..missed).map(|_| MISSED));
            }
            Err(end @ (RecvError::Empty | RecvError::Closed)) => return Ok((all, end)),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Every place is free: as many subscribe as there are places, and not one more.
fn places(channel: &Broadcast<Words>) -> Verdict {
    let mut taken = Vec::new();
    for _ in 0..PLACES {
        taken.push(channel.subscribe(Start::Oldest)?);
    }
    let refused = channel.subscribe(Start::Newest).err();
    hold!(Leaked, refused == Some(SubscribeError::NoPlace { limit: PLACES }), "{refused:?}");
    Ok(())
}

/// All that the survivor has received since the start. Nobody else subscribes any more, and nobody
/// is waited for: the kernel has reported the death by the time that it is known.
fn contents<const OVERWRITE: bool>(world: &World) -> Result<Vec<u64>, Broken> {
    let channel = channel::<OVERWRITE>(world);
    let mut reader = READER.take().expect("a reader");
    let (all, end) = read_all(&mut reader)?;
    if end == RecvError::Closed {
        let refused = channel.try_publish(words(PROBE));
        hold!(Lost, refused == Err(PushError::Closed(words(PROBE))), "{refused:?} to a closed one");
    } else {
        for _ in 0..CAPACITY {
            channel.publish_timeout(words(PROBE), Duration::ZERO)?;
        }
        let (probes, _) = read_all(&mut reader)?;
        hold!(Lost, probes == [PROBE; CAPACITY], "{probes:?}");
    }
    let subscribers = channel.subscribers();
    hold!(Leaked, subscribers == 1, "{subscribers} subscribers, with nobody left");
    drop(reader);
    places(channel)?;
    hold!(Leaked, channel.subscribers() == 0, "{} left", channel.subscribers());
    Ok(all)
}

fn count(all: &[u64], message: u64) -> u64 {
    all.iter().filter(|other| **other == message).count() as u64
}

/// After `OLD` messages, in their order: the operation's, as often as it took effect, and those of
/// others; nothing else.
fn explained<const OLD: u64>(world: &World, all: &[u64], seen: &Seen) -> Verdict {
    let (old, rest) = all.split_at(all.len().min(OLD as usize));
    hold!(Lost, old == (1..=OLD).collect::<Vec<_>>(), "{all:?}");
    let [new, freed, repairs] = [NEW, FREED, REPAIR].map(|message| count(rest, message));
    hold!(Lost, new + freed + repairs == rest.len() as u64, "{all:?}");
    hold!(Lost, repairs <= u64::from(seen.repaired), "{all:?}: repaired {repairs} times");
    let dropped = u64::from(stats(world).dropped);
    let most = seen.begun.saturating_sub(new) + u64::from(seen.repaired);
    hold!(Leaked, dropped <= most, "{dropped} dropped, of {most}");
    Ok(())
}

/// Of the case's channel, whichever its policy.
fn stats(world: &World) -> outlive::QueueStats {
    let segment = world.segment();
    segment.find::<Broadcast<Words>>("channel").expect("the channel").stats()
}

/// A waiter that subscribed before has got the first of the new messages.
fn woken(all: &[u64], seen: &Seen, old: usize) -> Verdict {
    let Some(waited) = seen.waited else { return Ok(()) };
    let first = all.get(old).copied();
    hold!(Lost, first == Some(waited), "{all:?}, and the waiter has got {waited}");
    hold!(Lost, count(all, FREED) == 1, "{all:?}");
    Ok(())
}

fn published<const OLD: u64>(world: &World, seen: &Seen) -> Verdict {
    let all = contents::<false>(world)?;
    let new = count(&all, NEW);
    hold!(Lost, seen.effects().contains(&new), "{all:?}: {new} of {:?}", seen.effects());
    let freed = count(&all, FREED);
    hold!(Lost, freed == u64::from(seen.waited.is_some()), "{all:?}");
    woken(&all, seen, OLD as usize)?;
    explained::<OLD>(world, &all, seen)
}

/// The reader was behind by the whole ring: each message takes the place of the oldest, and who dies
/// at it takes that one along.
fn overwrote(world: &World, seen: &Seen) -> Verdict {
    const OLD: u64 = CAPACITY as u64;
    let mut all = contents::<true>(world)?;
    let missed = all.iter().take_while(|message| **message == MISSED).count();
    let least = all.len().saturating_sub(CAPACITY);
    let most = least + usize::from(seen.completed < seen.begun || seen.repaired);
    hold!(Lost, (least..=most).contains(&missed), "{all:?}: {missed} missed, not {least}");
    for (place, message) in all.iter_mut().take(missed).enumerate() {
        // One of the old ones, or what was published after them.
        *message = if place < CAPACITY { place as u64 + 1 } else { NEW };
    }
    let new = count(&all, NEW);
    hold!(Lost, seen.effects().contains(&new), "{all:?}: {new} of {:?}", seen.effects());
    woken(&all, seen, CAPACITY)?;
    explained::<OLD>(world, &all, seen)
}

/// As many messages as the reader let come.
fn published_full(world: &World, seen: &Seen) -> Verdict {
    const OLD: u64 = CAPACITY as u64;
    let all = contents::<false>(world)?;
    let (new, freed) = (count(&all, NEW), count(&all, FREED));
    hold!(Lost, seen.effects().contains(&new), "{all:?}: {new} of {:?}", seen.effects());
    hold!(Lost, freed == u64::from(seen.waited.is_some()), "{all:?}");
    explained::<OLD>(world, &all, seen)
}

/// Whatever another subscriber did, this one has received all that was published.
fn unimpaired<const OLD: u64>(world: &World, seen: &Seen) -> Verdict {
    let all = contents::<false>(world)?;
    let freed = count(&all, FREED);
    hold!(Lost, freed == u64::from(seen.waited.is_some()), "{all:?}");
    hold!(Lost, count(&all, NEW) == 0, "{all:?}");
    explained::<OLD>(world, &all, seen)
}

/// A receive that waited: what was provided is there, and nothing else.
fn received_new(world: &World, seen: &Seen) -> Verdict {
    let all = contents::<false>(world)?;
    hold!(Lost, all.len() <= 3 && all.iter().all(|message| *message == FREED), "{all:?}");
    hold!(Lost, seen.completed == 0 || !all.is_empty(), "received what was never published");
    hold!(Lost, seen.waited.is_none_or(|waited| waited == FREED), "{:?}", seen.waited);
    Ok(())
}

fn closed<const OLD: u64>(world: &World, seen: &Seen) -> Verdict {
    let channel = blocking(world);
    let was_closed = channel.is_closed();
    hold!(Lost, was_closed || seen.completed == 0, "open after a complete close");
    let all = contents::<false>(world)?;
    hold!(Lost, all == (1..=OLD).collect::<Vec<_>>(), "{all:?}");
    hold!(Lost, seen.waited.is_none_or(|waited| waited == NOTHING), "{:?}", seen.waited);
    channel.close()?;
    Ok(())
}

/// Rounds of everything, for all places; then what is not received counts.
fn usage_of<const OVERWRITE: bool>(world: &World, rounds: usize) -> Verdict {
    let channel = channel::<OVERWRITE>(world);
    let mut first = channel.subscribe(Start::Newest)?;
    let mut second = channel.subscribe(Start::Newest)?;
    for round in 0..rounds as u64 {
        channel.publish_timeout(words(round), deadline())?;
        for subscriber in [&mut first, &mut second] {
            let message = subscriber.recv_timeout(deadline())?;
            hold!(Lost, message == words(round), "{message:?} in round {round}");
        }
    }
    for message in 0..CAPACITY as u64 {
        channel.try_publish(words(message))?;
    }
    let more = channel.try_publish(words(9));
    if OVERWRITE {
        more?;
        let missed = first.try_recv();
        hold!(Leaked, missed == Err(RecvError::Lagged { missed: 1 }), "{missed:?}");
    } else {
        let full = Err(PushError::Full(words(9)));
        hold!(Leaked, more == full, "{more:?}: more than its capacity");
    }
    drop((first, second));
    places(channel)
}

fn usage(world: &World, rounds: usize) -> Verdict {
    usage_of::<false>(world, rounds)
}

fn usage_closed(world: &World, rounds: usize) -> Verdict {
    let channel = blocking(world);
    for _ in 0..rounds {
        let received = channel.subscribe(Start::Newest)?.try_recv();
        hold!(Lost, received == Err(RecvError::Closed), "{received:?}: no end");
        let refused = channel.try_publish(words(1));
        hold!(Lost, refused == Err(PushError::Closed(words(1))), "{refused:?}: not closed");
    }
    places(channel)
}

fn publishes() -> Vec<Case> {
    let publish = || Case {
        name: "broadcast-publish",
        heavy: false,
        setup: setup::<1>,
        by: By::FirstThread,
        operation: publish_to::<false>,
        unblock: None,
        waiter: waits(WaitFrom::Start, wait_for_message::<false>, provide_to::<false>),
        peer: true,
        repair: Some(publish_repair::<false>),
        contract: published::<1>,
        usage,
    };
    vec![
        publish(),
        Case {
            name: "broadcast-publish-overwrite",
            setup: setup_of::<true, 4>,
            operation: publish_to::<true>,
            waiter: waits(WaitFrom::Start, wait_for_message::<true>, provide_to::<true>),
            repair: Some(publish_repair::<true>),
            contract: overwrote,
            usage: usage_of::<true>,
            ..publish()
        },
        Case {
            name: "broadcast-publish-full",
            heavy: true,
            setup: setup::<4>,
            unblock: Some(read_one),
            waiter: waits(WaitFrom::Start, wait_for_room, read_two),
            peer: false,
            repair: None,
            contract: published_full,
            ..publish()
        },
    ]
}

fn receives() -> Vec<Case> {
    let recv = || Case {
        name: "broadcast-recv",
        heavy: false,
        setup: setup::<2>,
        by: By::FirstThread,
        operation: recv,
        unblock: None,
        waiter: None,
        peer: true,
        repair: Some(recv),
        contract: unimpaired::<2>,
        usage,
    };
    vec![
        recv(),
        // It is the one that is waited for.
        Case {
            name: "broadcast-recv-full",
            setup: setup_read,
            waiter: waits(WaitFrom::Start, wait_for_room, nothing),
            repair: Some(publish_repair::<false>),
            contract: unimpaired::<4>,
            ..recv()
        },
        Case {
            name: "broadcast-recv-empty",
            heavy: true,
            setup: setup::<0>,
            operation: recv_new,
            unblock: Some(provide_to::<false>),
            waiter: waits(WaitFrom::Start, wait_for_message::<false>, provide_to::<false>),
            peer: false,
            repair: None,
            contract: received_new,
            ..recv()
        },
    ]
}

fn places_cases() -> Vec<Case> {
    let subscribe_free = || Case {
        name: "broadcast-subscribe",
        heavy: false,
        setup: setup::<2>,
        by: By::FirstThread,
        operation: subscribe,
        unblock: None,
        // For the publishers' lock.
        waiter: waits(WaitFrom::Kill, wait_for_room, nothing),
        peer: true,
        repair: Some(subscribe),
        contract: unimpaired::<2>,
        usage,
    };
    vec![
        subscribe_free(),
        Case { name: "broadcast-subscribe-dead", setup: setup_dead, ..subscribe_free() },
        Case {
            name: "broadcast-drop",
            setup: setup_read,
            operation: leave,
            waiter: waits(WaitFrom::Start, wait_for_room, nothing),
            repair: Some(publish_repair::<false>),
            contract: unimpaired::<4>,
            ..subscribe_free()
        },
    ]
}

fn closes() -> Vec<Case> {
    let close = || Case {
        name: "broadcast-close",
        heavy: false,
        setup: setup::<2>,
        by: By::FirstThread,
        operation: close,
        unblock: None,
        waiter: waits(WaitFrom::Start, wait_for_message::<false>, end),
        peer: true,
        repair: Some(close),
        contract: closed::<2>,
        usage: usage_closed,
    };
    vec![
        close(),
        Case {
            name: "broadcast-close-full",
            setup: setup::<4>,
            waiter: waits(WaitFrom::Start, wait_for_room, end),
            contract: closed::<4>,
            ..close()
        },
    ]
}

pub(super) fn cases() -> Vec<Case> {
    [publishes(), receives(), places_cases(), closes()].into_iter().flatten().collect()
}
