//! `Barrier`: wait as the first and as the last party, with an action, abort and reset.

use std::thread::{self, JoinHandle};

use nix::unistd::{Pid, gettid};
use outlive::{Barrier, BarrierError};

use super::deadline;
use crate::actor::sleeps;
use crate::case::{By, Case, Operation, Seen, Verdict, WaitFrom, Waiter, World, hold};

/// A handle that nobody drops.
fn barrier(world: &World) -> &'static Barrier {
    Box::leak(Box::new(world.warm().barrier("barrier", 2).expect("barrier")))
}

type Passed = Result<bool, BarrierError>;

/// A party in a thread of the survivor, which sleeps when this returns.
fn partner(barrier: &'static Barrier) -> JoinHandle<Passed> {
    let (say, hear) = std::sync::mpsc::channel();
    let partner = thread::spawn(move || {
        say.send(gettid()).expect("send");
        barrier.wait().map(|result| result.is_leader())
    });
    let thread: Pid = hear.recv().expect("a thread id");
    while barrier.waiting() != 1 || !sleeps(thread) {
        thread::yield_now();
    }
    partner
}

fn setup(world: &World) {
    world.create();
    barrier(world);
    world.segment().counter("actions").expect("counter");
}

/// With a party that waits already.
fn setup_partner(world: &World) {
    setup(world);
    PARTNER.set(Some(partner(barrier(world))));
}

thread_local! {
    /// The survivor's.
    static PARTNER: std::cell::Cell<Option<JoinHandle<Passed>>> =
        const { std::cell::Cell::new(None) };
}

fn wait(world: &World) -> Operation {
    let barrier = barrier(world);
    // One that repairs may find it broken.
    Box::new(move || drop(barrier.wait()))
}

fn wait_with_action(world: &World) -> Operation {
    let barrier = barrier(world);
    let actions = world.segment().counter("actions").expect("counter");
    Box::new(move || {
        drop(barrier.wait_with(|| {
            actions.add(1).expect("add");
        }));
    })
}

fn abort(world: &World) -> Operation {
    let barrier = barrier(world);
    Box::new(move || barrier.abort().expect("abort"))
}

fn reset(world: &World) -> Operation {
    let barrier = barrier(world);
    Box::new(move || barrier.reset().expect("reset"))
}

/// The survivor is the other party.
fn come_too(world: &World) {
    drop(barrier(world).wait_timeout(deadline()));
}

/// Whether it was let through: 2, turned away: 1.
fn wait_in_vain(world: &World) -> u64 {
    match barrier(world).wait() {
        Ok(_) => 2,
        Err(BarrierError::Broken) => 1,
        Err(error) => panic!("the waiter's wait: {error}"),
    }
}

/// For those whom nobody waits for.
fn contract_first(world: &World, seen: &Seen) -> Verdict {
    let barrier = barrier(world);
    hold!(Leaked, barrier.waiting() == 0, "{} wait", barrier.waiting());
    // Broken by one that died while it waited, or as it was: a complete round breaks nothing.
    let broken = barrier.is_broken();
    hold!(Lost, !broken || seen.completed == 0, "broken by a complete wait");
    hold!(
        Lost,
        broken == (barrier.wait_timeout(std::time::Duration::ZERO) == Err(BarrierError::Broken)),
        "broken, and not"
    );
    barrier.reset()?;
    Ok(())
}

/// The partner has been let through, or the barrier is broken for it, or the dead one did not come.
fn contract_last(world: &World, seen: &Seen) -> Verdict {
    let barrier = barrier(world);
    let partner = PARTNER.take().expect("the partner");
    let actions = world.segment().counter("actions")?.get();
    let (broken, waiting) = (barrier.is_broken(), barrier.waiting());
    let mut late = 0;
    if !broken && waiting == 1 {
        hold!(Lost, seen.completed == 0, "a complete wait let nobody through");
        let mine = barrier.wait_timeout(deadline())?;
        hold!(Lost, mine.is_leader(), "{mine:?} after the first one");
        late = 1;
    }
    let end = std::time::Instant::now() + deadline();
    while !partner.is_finished() {
        hold!(Hung, std::time::Instant::now() < end, "the partner waits: {broken}, {waiting}");
        thread::yield_now();
    }
    let passed = partner.join().expect("join");
    let expected = if broken { Err(BarrierError::Broken) } else { Ok(false) };
    hold!(Lost, passed == expected, "{passed:?}, not {expected:?}");
    hold!(Lost, !broken || seen.completed == 0, "broken by a complete wait");
    let acts = world.segment().counter("actions")?.get();
    hold!(Lost, acts == actions && actions <= 1, "{actions} actions, then {acts}, {late} late");
    barrier.reset()?;
    Ok(())
}

/// For who acted: a round that is complete has acted.
fn contract_action(world: &World, seen: &Seen) -> Verdict {
    let actions = world.segment().counter("actions")?.get();
    let let_through = !barrier(world).is_broken() && barrier(world).waiting() == 0;
    contract_last(world, seen)?;
    hold!(Torn, !let_through || actions == 1, "let through after {actions} actions");
    Ok(())
}

fn contract_abort(world: &World, seen: &Seen) -> Verdict {
    let barrier = barrier(world);
    hold!(Lost, barrier.is_broken() || seen.completed == 0, "a complete abort is gone");
    hold!(Lost, seen.waited.is_none_or(|waited| waited == 1), "let through: {:?}", seen.waited);
    barrier.reset()?;
    hold!(Lost, !barrier.is_broken(), "broken after a reset");
    Ok(())
}

fn contract_reset(world: &World, seen: &Seen) -> Verdict {
    let barrier = barrier(world);
    // Who releases the waiter breaks it.
    let mended = seen.completed > 0 && seen.waited.is_none();
    hold!(Lost, !mended || !barrier.is_broken(), "broken after a complete reset");
    hold!(Leaked, barrier.waiting() == 0, "{} wait", barrier.waiting());
    hold!(Lost, seen.waited.is_none_or(|waited| waited == 1), "let through: {:?}", seen.waited);
    barrier.reset()?;
    Ok(())
}

/// Two parties, and a broken barrier now and then.
fn usage(world: &World, rounds: usize) -> Verdict {
    let barrier = barrier(world);
    let other = thread::spawn(move || {
        (0..rounds).try_for_each(|_| barrier.wait_timeout(deadline()).map(drop))
    });
    for _ in 0..rounds {
        barrier.wait_timeout(deadline())?;
    }
    other.join().expect("join")?;
    barrier.abort()?;
    let refused = barrier.wait();
    hold!(Lost, refused == Err(BarrierError::Broken), "{refused:?} after abort");
    barrier.reset()?;
    Ok(())
}

pub(super) fn cases() -> Vec<Case> {
    let base = || Case {
        name: "barrier-wait-last",
        heavy: false,
        setup: setup_partner,
        by: By::FirstThread,
        operation: wait,
        unblock: None,
        waiter: None,
        peer: false,
        repair: None,
        contract: contract_last,
        usage,
    };
    let in_vain = Some(Waiter {
        from: WaitFrom::Start,
        wait: wait_in_vain,
        release: |world| barrier(world).abort().expect("abort"),
    });
    vec![
        base(),
        Case {
            name: "barrier-wait-action",
            operation: wait_with_action,
            contract: contract_action,
            ..base()
        },
        Case {
            name: "barrier-wait-first",
            heavy: true,
            setup,
            unblock: Some(come_too),
            contract: contract_first,
            ..base()
        },
        Case {
            name: "barrier-abort",
            setup,
            operation: abort,
            waiter: in_vain,
            peer: true,
            repair: Some(abort),
            contract: contract_abort,
            ..base()
        },
        Case {
            name: "barrier-reset",
            setup,
            operation: reset,
            waiter: in_vain,
            peer: true,
            repair: Some(reset),
            contract: contract_reset,
            ..base()
        },
    ]
}
