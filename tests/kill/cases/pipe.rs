//! `Pipe`: messages in and out, with room, full and empty, before the end of file; ends that are taken,
//! and closed.

use std::time::Duration;

use outlive::{Pipe, PipeEnd, PipeRecvError, PipeSendError};

use super::{UNHURRIED, deadline};
use crate::case::{Broken, By, Case, Operation, Seen, Verdict, WaitFrom, Waiter, World, hold};

/// Four messages in each direction.
const CAPACITY: usize = 4 * 24;
const FULL: u64 = 4;
/// What operations send, and what others do, to let somebody go or to repair.
const NEW: u64 = 70;
const FREED: u64 = 80;
const REPAIR: u64 = 90;
/// What a waiter says that met the end.
const END: u64 = 1000;

fn pipe(world: &World) -> Pipe {
    world.warm().pipe("pipe", CAPACITY).expect("pipe")
}

/// The end that sends in these cases, kept as long as the process lives.
fn sender(world: &World) -> &'static PipeEnd {
    Box::leak(Box::new(pipe(world).first().expect("the first end")))
}

/// The one that receives.
fn receiver(world: &World) -> &'static PipeEnd {
    Box::leak(Box::new(pipe(world).second().expect("the second end")))
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

/// With `MESSAGES` on the way from the first end, which is free and awaited no more.
fn setup<const MESSAGES: u64>(world: &World) {
    world.create();
    let first = pipe(world).first().expect("the first end");
    for number in 1..=MESSAGES {
        first.try_send_bytes(&message(number)).expect("send");
    }
}

/// Full, and the survivor has the end that makes room.
fn setup_full(world: &World) {
    setup::<FULL>(world);
    let second = pipe(world).second().expect("the second end");
    *world.held.borrow_mut() = Some(Box::new(second));
}

fn send(world: &World) -> Operation {
    let end = sender(world);
    Box::new(move || end.send_bytes(&message(NEW)).expect("send"))
}

fn grant(world: &World) -> Operation {
    let end = sender(world);
    Box::new(move || {
        let mut grant = end.grant(24).expect("grant");
        grant[..16].copy_from_slice(&message(NEW));
        grant.commit_part(16);
    })
}

fn recv(world: &World) -> Operation {
    let end = receiver(world);
    let mut buffer = Vec::with_capacity(CAPACITY);
    Box::new(move || end.recv_bytes_into(&mut buffer).expect("recv"))
}

/// A part of a message, as a stream.
fn read(world: &World) -> Operation {
    use std::io::Read;
    let mut end = receiver(world);
    Box::new(move || end.read_exact(&mut [0; 5]).expect("read"))
}

fn take_first(world: &World) -> Operation {
    let pipe = pipe(world);
    Box::new(move || std::mem::forget(pipe.first()))
}

/// Closes it, once.
fn close<const FIRST: bool>(world: &World) -> Operation {
    let pipe = pipe(world);
    let mut end = Some(if FIRST { pipe.first() } else { pipe.second() }.expect("an end"));
    Box::new(move || drop(end.take()))
}

fn send_repair(world: &World) -> Operation {
    let pipe = pipe(world);
    Box::new(move || {
        if let Ok(end) = pipe.first() {
            let _broken_or_full = end.try_send_bytes(&message(REPAIR));
        }
    })
}

fn recv_repair(world: &World) -> Operation {
    let pipe = pipe(world);
    Box::new(move || {
        if let Ok(end) = pipe.second() {
            drop(end.try_recv_bytes());
        }
    })
}

/// The next message, or the end.
fn wait_for_message(world: &World) -> u64 {
    match receiver(world).recv_bytes() {
        Ok(bytes) => number(&bytes).expect("a whole message"),
        Err(PipeRecvError::Eof) => END,
        Err(error) => panic!("the waiter's recv: {error}"),
    }
}

/// Everything, up to the end; how many there were.
fn wait_for_end(world: &World) -> u64 {
    let end = receiver(world);
    let mut count = 0;
    loop {
        match end.recv_bytes() {
            Ok(bytes) => drop(number(&bytes).expect("a whole message")),
            Err(PipeRecvError::Eof) => return count,
            Err(error) => panic!("the waiter's recv: {error}"),
        }
        count += 1;
    }
}

/// Room, or nobody who makes any.
fn wait_for_room(world: &World) -> u64 {
    match sender(world).send_bytes(&message(FREED)) {
        Ok(()) => FREED,
        Err(PipeSendError::BrokenPipe) => END,
        Err(error) => panic!("the waiter's send: {error}"),
    }
}

fn wait_for_first(world: &World) -> u64 {
    let taken = pipe(world).take_timeout(outlive::Side::First, UNHURRIED);
    drop(taken.expect("the first end"));
    END
}

/// The death is to do it.
fn nothing(_world: &World) {}

fn make_room(world: &World) {
    let held = world.held.borrow();
    let second = held.as_ref().and_then(|held| held.downcast_ref::<PipeEnd>());
    drop(second.expect("the second end").recv_bytes_timeout(Duration::ZERO));
}

fn provide(world: &World) {
    let first = pipe(world).first().expect("the first end");
    // The one that waited for it may have been killed meanwhile.
    let _broken = first.send_bytes_timeout(&message(FREED), deadline());
}

/// Both ends, which nobody has any more: the kernel has reported the death by the time that it is known.
fn ends(world: &World) -> Result<(PipeEnd, PipeEnd), Broken> {
    let pipe = pipe(world);
    Ok((pipe.first()?, pipe.second()?))
}

/// What is on the way from the first end, and then the end of file.
fn contents(world: &World) -> Result<Vec<u64>, Broken> {
    let (first, second) = ends(world)?;
    drop(first);
    let mut all = Vec::new();
    loop {
        match second.recv_bytes_timeout(Duration::ZERO) {
            Ok(bytes) => all.push(number(&bytes)?),
            Err(PipeRecvError::Eof) => break,
            Err(error) => return Err(error.into()),
        }
    }
    let refused = second.send_bytes_timeout(&message(0), Duration::ZERO);
    hold!(Lost, refused == Err(PipeSendError::BrokenPipe), "{refused:?}");
    Ok(all)
}

fn counted(world: &World, seen: &Seen, effects: u64) -> Verdict {
    let stats = pipe(world).stats();
    let most = seen.begun - effects + u64::from(seen.repaired);
    let count = u64::from(stats.dropped) + u64::from(stats.redelivered);
    hold!(Leaked, count <= most, "{stats:?}, of {most}");
    Ok(())
}

/// With `OLD` messages before the operation: they are there in order, then what was sent.
fn sent<const OLD: u64>(world: &World, seen: &Seen) -> Verdict {
    let mut all: Vec<u64> = seen.waited.into_iter().filter(|waited| *waited != END).collect();
    all.extend(contents(world)?);
    let new = all.iter().filter(|message| **message == NEW).count() as u64;
    hold!(Lost, seen.effects().contains(&new), "{all:?}: {new} of {:?}", seen.effects());
    let mut expected: Vec<u64> = (1..=OLD).collect();
    expected.extend((0..new).map(|_| NEW));
    if all.contains(&REPAIR) && seen.repaired {
        expected.push(REPAIR);
    }
    hold!(Lost, all == expected, "{all:?}, not {expected:?}");
    counted(world, seen, new)
}

/// Against a full pipe: one was received to make room.
fn sent_full(world: &World, seen: &Seen) -> Verdict {
    let all = contents(world)?;
    let old: Vec<u64> = all.iter().copied().filter(|message| *message <= FULL).collect();
    let first = old.first().copied().unwrap_or(FULL + 1);
    hold!(Lost, old == (first..=FULL).collect::<Vec<_>>(), "{all:?}");
    let new = all.iter().filter(|message| **message == NEW).count() as u64;
    hold!(Lost, seen.effects().contains(&new), "{all:?}: {new} of {:?}", seen.effects());
    hold!(Lost, all.len() == old.len() + new as usize, "{all:?}");
    counted(world, seen, new)
}

/// All of `OLD` and of what was sent reached the one that waited for the end.
fn sent_before_the_end<const OLD: u64>(world: &World, seen: &Seen) -> Verdict {
    let Some(count) = seen.waited else { return sent::<OLD>(world, seen) };
    let rest = contents(world)?;
    let repaired = rest.iter().all(|message| *message == REPAIR);
    hold!(Lost, repaired && rest.len() <= usize::from(seen.repaired), "{rest:?} behind the end");
    let (least, most) = (OLD + seen.completed, OLD + seen.begun + u64::from(seen.repaired));
    hold!(Lost, (least..=most).contains(&count), "{count} of {least}..={most} before the end");
    Ok(())
}

/// The first of `OLD` are gone, as many as were received.
fn received<const OLD: u64>(world: &World, seen: &Seen) -> Verdict {
    let mut all = contents(world)?;
    let sent = all.last() == Some(&FREED);
    if sent {
        all.pop();
    }
    hold!(Lost, sent == (seen.waited == Some(FREED)), "{all:?}, waited {:?}", seen.waited);
    let gone = OLD.saturating_sub(all.len() as u64);
    let most = seen.begun + u64::from(seen.repaired);
    hold!(Lost, (seen.completed..=most).contains(&gone), "{all:?}");
    let expected: Vec<u64> = (gone + 1..=OLD).collect();
    hold!(Lost, all == expected, "{all:?}, not {expected:?}");
    counted(world, seen, seen.completed)
}

/// From an empty pipe: what was provided is there, or was received once.
fn received_empty(world: &World, seen: &Seen) -> Verdict {
    let all = contents(world)?;
    hold!(Lost, all.len() <= 2 && all.iter().all(|message| *message == FREED), "{all:?}");
    counted(world, seen, seen.completed)
}

/// A message that was read in part is there as a whole.
fn untouched<const OLD: u64>(world: &World, seen: &Seen) -> Verdict {
    let mut all = contents(world)?;
    if seen.repaired && all.first() == Some(&2) {
        all.insert(0, 1);
    }
    if seen.repaired && all.last() == Some(&REPAIR) {
        all.pop();
    }
    hold!(Lost, all == (1..=OLD).collect::<Vec<_>>(), "{all:?}");
    counted(world, seen, 0)
}

/// Who waited heard of it.
fn ended<const OLD: u64>(world: &World, seen: &Seen) -> Verdict {
    hold!(Lost, seen.waited.is_none_or(|waited| waited == END), "{:?}", seen.waited);
    untouched::<OLD>(world, seen)
}

fn usage(world: &World, rounds: usize) -> Verdict {
    let (first, second) = ends(world)?;
    let longest = vec![7; first.max_message()];
    for round in 0..rounds as u64 {
        for (from, to) in [(&first, &second), (&second, &first)] {
            from.send_bytes_timeout(&message(round), deadline())?;
            let received = number(&to.recv_bytes_timeout(deadline())?)?;
            hold!(Lost, received == round, "{received} in round {round}");
            from.try_send_bytes(&longest)?;
            hold!(Lost, to.try_recv_bytes()? == longest, "round {round}");
        }
    }
    for (from, to) in [(&first, &second), (&second, &first)] {
        let mut count = 0;
        while from.try_send_bytes(&message(count)).is_ok() {
            count += 1;
        }
        hold!(Leaked, (FULL - 1..=FULL).contains(&count), "room for {count}");
        for expected in 0..count {
            let received = number(&to.try_recv_bytes()?)?;
            hold!(Lost, received == expected, "{received}, not {expected}");
        }
        let empty = to.try_recv_bytes();
        hold!(Lost, empty == Err(PipeRecvError::Empty), "{empty:?}");
    }
    Ok(())
}

const fn waits(from: WaitFrom, wait: fn(&World) -> u64, release: fn(&World)) -> Option<Waiter> {
    Some(Waiter { from, wait, release })
}

fn sends() -> Vec<Case> {
    let send_to_some = || Case {
        name: "pipe-send",
        heavy: false,
        setup: setup::<1>,
        by: By::FirstThread,
        operation: send,
        unblock: None,
        waiter: None,
        peer: false,
        repair: Some(send_repair),
        contract: sent::<1>,
        usage,
    };
    vec![
        send_to_some(),
        Case {
            name: "pipe-send-empty",
            setup: setup::<0>,
            // It gets the message, or the end by the sender's death.
            waiter: waits(WaitFrom::Start, wait_for_message, nothing),
            contract: sent::<0>,
            ..send_to_some()
        },
        Case {
            name: "pipe-send-then-end",
            waiter: waits(WaitFrom::Start, wait_for_end, nothing),
            contract: sent_before_the_end::<1>,
            ..send_to_some()
        },
        Case {
            name: "pipe-send-full",
            setup: setup_full,
            unblock: Some(make_room),
            repair: None,
            contract: sent_full,
            ..send_to_some()
        },
        Case { name: "pipe-grant", operation: grant, ..send_to_some() },
    ]
}

fn recvs() -> Vec<Case> {
    let recv_of_some = || Case {
        name: "pipe-recv",
        heavy: false,
        setup: setup::<3>,
        by: By::FirstThread,
        operation: recv,
        unblock: None,
        waiter: None,
        peer: false,
        repair: Some(recv_repair),
        contract: received::<3>,
        usage,
    };
    vec![
        recv_of_some(),
        Case {
            name: "pipe-recv-full",
            setup: setup::<FULL>,
            // It has room, or nobody who makes any.
            waiter: waits(WaitFrom::Start, wait_for_room, nothing),
            contract: received::<FULL>,
            ..recv_of_some()
        },
        Case {
            name: "pipe-recv-empty",
            setup: |world| {
                world.create();
                drop(pipe(world));
            },
            unblock: Some(provide),
            repair: None,
            contract: received_empty,
            ..recv_of_some()
        },
        Case { name: "pipe-read", operation: read, contract: untouched::<3>, ..recv_of_some() },
    ]
}

fn ends_of_it() -> Vec<Case> {
    let take = || Case {
        name: "pipe-take",
        heavy: false,
        setup: setup::<1>,
        by: By::FirstThread,
        operation: take_first,
        unblock: None,
        waiter: waits(WaitFrom::Kill, wait_for_first, nothing),
        // One of the two is refused.
        peer: true,
        repair: Some(send_repair),
        contract: untouched::<1>,
        usage,
    };
    vec![
        take(),
        Case {
            name: "pipe-close",
            setup: setup::<0>,
            operation: close::<true>,
            waiter: waits(WaitFrom::Start, wait_for_message, nothing),
            peer: false,
            contract: ended::<0>,
            ..take()
        },
        Case {
            name: "pipe-close-full",
            setup: setup::<FULL>,
            operation: close::<false>,
            waiter: waits(WaitFrom::Start, wait_for_room, nothing),
            peer: false,
            repair: None,
            contract: ended::<FULL>,
            ..take()
        },
    ]
}

pub(super) fn cases() -> Vec<Case> {
    [sends(), recvs(), ends_of_it()].into_iter().flatten().collect()
}
