//! `LoanPool`: chunks that are loaned and given back, sent, received, waited for, discarded and
//! reclaimed; and messages that are put to use before they are taken out of a queue.

use std::time::Duration;

use outlive::{LoanError, LoanHandle, LoanPool, Loaned, PoolLayout, PopError, Queue, ReceiveError};

use super::deadline;
use crate::case::{Broken, By, Case, Operation, Seen, Verdict, WaitFrom, Waiter, World, hold};

const CHUNKS: usize = 6;
/// What operations send; what others do, to let somebody go or to repair.
const NEW: u64 = 70;
const FREED: u64 = 80;
const REPAIR: u64 = 90;

/// A number and its complement, so that half of a content would be seen.
type Content = [u64; 2];

fn content(number: u64) -> Content {
    [number, !number]
}

fn number(content: &Content) -> Result<u64, Broken> {
    hold!(Torn, content[1] == !content[0], "{content:x?}");
    Ok(content[0])
}

type Objects = &'static (LoanPool, Queue<LoanHandle>);

fn objects(world: &World) -> Objects {
    let segment = world.warm();
    let layout = PoolLayout::new().chunks(CHUNKS, size_of::<Content>());
    let pool = segment.loan_pool("pool", &layout).expect("pool");
    Box::leak(Box::new((pool, segment.queue("queue", CHUNKS).expect("queue"))))
}

fn send_new((pool, queue): Objects, number: u64) {
    pool.loan(content(number)).expect("loan").send_to(queue).expect("send");
}

/// With so many chunks in the queue.
fn setup<const SENT: u64>(world: &World) {
    world.create();
    let objects = objects(world);
    (1..=SENT).for_each(|number| send_new(objects, number));
}

/// One chunk lost, and one sent.
fn setup_lost(world: &World) {
    world.create();
    let objects @ (pool, _) = objects(world);
    let _lost = pool.loan(content(0)).expect("loan").send();
    send_new(objects, 1);
}

fn loan(world: &World) -> Operation {
    let (pool, _) = objects(world);
    Box::new(move || drop(pool.loan(content(NEW)).expect("loan")))
}

fn send(world: &World) -> Operation {
    let objects = objects(world);
    Box::new(move || send_new(objects, NEW))
}

/// The queue is closed: the loan comes back.
fn send_in_vain(world: &World) -> Operation {
    let (pool, queue) = objects(world);
    queue.close().expect("close");
    Box::new(move || {
        let loan = pool.loan(content(NEW)).expect("loan");
        assert!(loan.send_to(queue).is_err(), "it is closed");
    })
}

fn receive(world: &World) -> Operation {
    let (pool, queue) = objects(world);
    Box::new(move || drop(pool.receive_from::<Content>(queue).expect("receive")))
}

fn discard(world: &World) -> Operation {
    let (pool, queue) = objects(world);
    Box::new(move || {
        let discarded = queue.pop_with(|handle| match pool.discard(*handle) {
            // By one that died before it could take the handle: that comes once more.
            Err(ReceiveError::Stale) => Ok(()),
            discarded => discarded,
        });
        discarded.expect("pop").expect("discard");
    })
}

fn reclaim(world: &World) -> Operation {
    let (pool, _) = objects(world);
    Box::new(move || assert!(pool.reclaim().expect("reclaim") <= 1))
}

fn send_repair(world: &World) -> Operation {
    let objects = objects(world);
    Box::new(move || send_new(objects, REPAIR))
}

/// Looks for all chunks, those of dead senders too.
fn loan_all(world: &World) -> Operation {
    let (pool, _) = objects(world);
    Box::new(move || {
        let all: Vec<_> = std::iter::from_fn(|| pool.try_loan(content(REPAIR)).ok()).collect();
        drop(all);
    })
}

fn receive_repair(world: &World) -> Operation {
    let (pool, queue) = objects(world);
    Box::new(move || drop(pool.try_receive_from::<Content>(queue)))
}

fn take((pool, queue): Objects) -> Result<Loaned<'static, Content>, ReceiveError> {
    pool.receive_from_timeout(queue, Duration::ZERO)
}

fn provide(world: &World) {
    send_new(objects(world), FREED);
}

fn make_room(world: &World) {
    drop(take(objects(world)));
}

fn wait_for_content(world: &World) -> u64 {
    let (pool, queue) = objects(world);
    let received = pool.receive_from::<Content>(queue).expect("the waiter's receive");
    number(&received).expect("a whole content")
}

fn wait_for_chunk(world: &World) -> u64 {
    let (pool, _) = objects(world);
    pool.loan(content(FREED)).expect("the waiter's loan")[0]
}

/// All that can be received, in order.
fn contents(objects: Objects) -> Result<Vec<u64>, Broken> {
    let mut all = Vec::new();
    loop {
        match take(objects) {
            Ok(received) => all.push(number(&received)?),
            Err(ReceiveError::Pop(PopError::Closed)) => break,
            Err(ReceiveError::Pop(PopError::TimedOut)) => {
                hold!(Hung, objects.1.is_empty(), "the queue's head is held, by nobody");
                break;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(all)
}

/// As many chunks can be loaned as there are not sent.
fn none_leaked((pool, _): Objects, sent: usize) -> Verdict {
    let mut loans = Vec::new();
    let end = loop {
        match pool.try_loan(content(0)) {
            Ok(loan) => loans.push(loan),
            Err(error) => break error,
        }
    };
    let stats = pool.stats();
    let expected = LoanError::Exhausted { length: 16, held: CHUNKS - sent, sent };
    hold!(Leaked, end == expected, "{end:?} after {} loans, {stats:?}", loans.len());
    hold!(Leaked, loans.len() == CHUNKS - sent, "{} loans, {sent} sent, {stats:?}", loans.len());
    Ok(())
}

/// With `OLD` contents before the operation: they are there in order, then what was sent; every other
/// chunk is free.
fn sent<const OLD: u64>(world: &World, seen: &Seen) -> Verdict {
    let objects = objects(world);
    none_leaked(objects, objects.1.len())?;
    let mut all: Vec<u64> = seen.waited.into_iter().collect();
    all.extend(contents(objects)?);
    let old: Vec<u64> = all.iter().copied().filter(|number| *number <= OLD).collect();
    hold!(Lost, old == (1..=OLD).collect::<Vec<_>>(), "{all:?}");
    let new = all.iter().filter(|number| **number == NEW).count() as u64;
    hold!(Lost, seen.effects().contains(&new), "{all:?}: {new} of {:?}", seen.effects());
    let repairs = all.iter().filter(|number| **number == REPAIR).count();
    hold!(Lost, repairs <= usize::from(seen.repaired), "{all:?}: repaired {repairs} times");
    let rest = all.len() - old.len() - new as usize - repairs;
    hold!(Lost, rest == usize::from(seen.waited.is_some()), "{all:?}");
    none_leaked(objects, 0)
}

/// The first of `OLD` are gone, as many as were received, and all chunks come back.
fn received<const OLD: u64>(world: &World, seen: &Seen) -> Verdict {
    let objects = objects(world);
    let all = contents(objects)?;
    let gone = OLD - all.len() as u64;
    let most = seen.begun + u64::from(seen.repaired) + u64::from(seen.waited.is_some());
    hold!(Lost, (seen.completed..=most).contains(&gone), "{all:?}: {gone} of {most} are gone");
    hold!(Lost, all == (gone + 1..=OLD).collect::<Vec<_>>(), "{all:?}");
    none_leaked(objects, 0)
}

/// A chunk that was waited for: whatever is left in the queue is whole, and nothing leaks.
fn none_lost(world: &World, _seen: &Seen) -> Verdict {
    let objects = objects(world);
    contents(objects)?;
    none_leaked(objects, 0)
}

/// A receive from an empty queue: what was provided is there, or was received once.
fn received_provided(world: &World, seen: &Seen) -> Verdict {
    let objects = objects(world);
    let all = contents(objects)?;
    hold!(Lost, all.iter().all(|number| *number == FREED), "{all:?}");
    hold!(Lost, all.len() <= 3, "{all:?} after {} completed", seen.completed);
    none_leaked(objects, 0)
}

/// The lost one is back if a reclaim was completed, and in any case after one.
fn reclaimed(world: &World, seen: &Seen) -> Verdict {
    let objects = objects(world);
    let again = objects.0.reclaim()?;
    hold!(Leaked, again == 0 || seen.completed == 0, "{again} after a complete reclaim");
    none_leaked(objects, 1)?;
    let all = contents(objects)?;
    hold!(Lost, all == [1], "{all:?}");
    none_leaked(objects, 0)
}

fn usage(world: &World, rounds: usize) -> Verdict {
    let objects @ (pool, queue) = objects(world);
    for round in 0..rounds as u64 {
        let loan = pool.loan_timeout(content(round), deadline())?;
        let sent = loan.send_to(queue).is_ok();
        hold!(Lost, sent, "not sent in round {round}");
        let received = pool.receive_from_timeout::<Content>(queue, deadline())?;
        let found = number(&received)?;
        hold!(Lost, found == round, "{found} in round {round}");
    }
    none_leaked(objects, 0)
}

fn usage_closed(world: &World, rounds: usize) -> Verdict {
    let objects @ (pool, _) = objects(world);
    for round in 0..rounds as u64 {
        let handle = pool.loan_timeout(content(round), deadline())?.send();
        let found = number(&*pool.receive::<Content>(handle)?)?;
        hold!(Lost, found == round, "{found} in round {round}");
    }
    none_leaked(objects, 0)
}

const fn from_start(wait: fn(&World) -> u64, release: fn(&World)) -> Option<Waiter> {
    Some(Waiter { from: WaitFrom::Start, wait, release })
}

fn loan_one() -> Case {
    Case {
        name: "loan",
        heavy: false,
        setup: setup::<1>,
        by: By::FirstThread,
        operation: loan,
        unblock: None,
        waiter: None,
        peer: true,
        repair: Some(loan_all),
        contract: sent_none,
        usage,
    }
}

fn sends() -> Vec<Case> {
    vec![
        Case {
            name: "loan-send",
            operation: send,
            repair: Some(send_repair),
            contract: sent::<1>,
            ..loan_one()
        },
        // The repair looks for the handle of the dead one.
        Case {
            name: "loan-send-lost",
            operation: send,
            repair: Some(loan_all),
            contract: sent::<1>,
            ..loan_one()
        },
        Case {
            name: "loan-send-empty",
            setup: setup::<0>,
            operation: send,
            waiter: from_start(wait_for_content, provide),
            repair: Some(send_repair),
            contract: sent::<0>,
            ..loan_one()
        },
        Case {
            name: "loan-send-closed",
            operation: send_in_vain,
            contract: sent_none,
            usage: usage_closed,
            ..loan_one()
        },
    ]
}

/// Nothing was sent but what was there before.
fn sent_none(world: &World, _seen: &Seen) -> Verdict {
    let objects = objects(world);
    none_leaked(objects, 1)?;
    let all = contents(objects)?;
    hold!(Lost, all == [1], "{all:?}");
    none_leaked(objects, 0)
}

fn receives() -> Vec<Case> {
    let one = || Case {
        name: "loan-receive",
        setup: setup::<3>,
        operation: receive,
        repair: Some(receive_repair),
        contract: received::<3>,
        ..loan_one()
    };
    vec![
        one(),
        // Somebody waits for the chunk.
        Case {
            name: "loan-receive-exhausted",
            setup: setup::<{ CHUNKS as u64 }>,
            waiter: from_start(wait_for_chunk, make_room),
            contract: none_lost,
            ..one()
        },
        Case {
            name: "loan-receive-empty",
            setup: setup::<0>,
            unblock: Some(provide),
            waiter: from_start(wait_for_content, |world| {
                provide(world);
                provide(world);
            }),
            peer: false,
            repair: None,
            contract: received_provided,
            ..one()
        },
        Case { name: "loan-discard", operation: discard, ..one() },
    ]
}

pub(super) fn cases() -> Vec<Case> {
    let mut cases = vec![
        loan_one(),
        Case {
            name: "loan-exhausted",
            setup: setup::<{ CHUNKS as u64 }>,
            unblock: Some(make_room),
            waiter: from_start(wait_for_chunk, |world| {
                make_room(world);
                make_room(world);
            }),
            peer: false,
            repair: None,
            contract: none_lost,
            ..loan_one()
        },
        Case {
            name: "loan-reclaim",
            setup: setup_lost,
            operation: reclaim,
            repair: Some(reclaim),
            contract: reclaimed,
            ..loan_one()
        },
    ];
    cases.extend(sends());
    cases.extend(receives());
    cases
}
