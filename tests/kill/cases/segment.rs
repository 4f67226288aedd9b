//! Segments: create, open, open-or-create, unlink, the last detach, a thread's first lock.

use outlive::{Segment, SegmentError};

use super::mutex;
use crate::case::{By, Case, Operation, Seen, Verdict, WaitFrom, Waiter, World, hold};

/// A second segment, which the operation is about: the survivor does not hold it.
fn other(world: &World) -> String {
    format!("{}-other", world.name)
}

fn setup(world: &World) {
    world.create();
}

fn setup_unused(world: &World) {
    world.create();
    // As a dead creator leaves it.
    let mut creator = crate::actor::Actor::start(|_| {
        std::mem::forget(Segment::create(&other(world)).expect("create"));
        nix::sys::signal::raise(nix::sys::signal::Signal::SIGKILL).expect("raise");
    });
    creator.ends();
}

fn setup_persistent(world: &World) {
    world.create();
    Segment::options().persistent(true).create(&other(world)).expect("create");
}

fn kept<E: std::fmt::Display>(made: Result<Segment, SegmentError>, allowed: E) {
    match made {
        Ok(segment) => std::mem::forget(segment),
        Err(SegmentError::AlreadyExists { .. } | SegmentError::NotFound { .. }) => {}
        Err(error) => panic!("{allowed}: {error}"),
    }
}

fn create(world: &World) -> Operation {
    let name = other(world);
    Box::new(move || kept(Segment::create(&name), "create"))
}

fn open(world: &World) -> Operation {
    let name = world.name.clone();
    Box::new(move || kept(Segment::open(&name), "open"))
}

fn open_or_create(world: &World) -> Operation {
    let name = other(world);
    Box::new(move || kept(Segment::open_or_create(&name), "open or create"))
}

fn unlink(world: &World) -> Operation {
    let name = other(world);
    Box::new(move || match Segment::unlink(&name) {
        Ok(()) | Err(SegmentError::NotFound { .. }) => {}
        Err(error) => panic!("{error}"),
    })
}

fn last_detach(world: &World) -> Operation {
    let mut segment = Some(Segment::open_or_create(&other(world)).expect("open or create"));
    Box::new(move || drop(segment.take()))
}

fn first_lock(world: &World) -> Operation {
    let mutex: &'static _ =
        Box::leak(Box::new(world.segment().mutex("mutex", [0; 4]).expect("mutex")));
    Box::new(move || {
        let mut guard = mutex::take(mutex).expect("lock");
        guard.iter_mut().for_each(|word| *word += 1);
    })
}

fn repair(world: &World) -> Operation {
    let name = other(world);
    Box::new(move || drop(Segment::open_or_create(&name)))
}

/// What the victim is about, another process opens or makes as well, and must get through.
const fn at_kill(wait: fn(&World) -> u64) -> Option<Waiter> {
    Some(Waiter { from: WaitFrom::Kill, wait, release: |_| {} })
}

fn wait(world: &World) -> u64 {
    let segment = Segment::open_or_create(&other(world)).expect("the waiter's open or create");
    segment.counter("count").expect("counter").add(1).expect("the waiter's add").unsigned_abs()
}

fn wait_to_open(world: &World) -> u64 {
    let segment = Segment::open(&world.name).expect("the waiter's open");
    segment.counter("opened").expect("counter").add(1).expect("the waiter's add").unsigned_abs()
}

/// Whatever there is, it is whole, nobody else has it, and it goes with its last user.
fn contract(world: &World, _: &Seen) -> Verdict {
    let segment = Segment::open_or_create(&other(world))?;
    segment.counter("count")?.add(1)?;
    let again = Segment::open(&other(world))?;
    let count = again.counter("count")?.get();
    hold!(Lost, count == 1, "{count}");
    Ok(())
}

fn unlinked(world: &World, seen: &Seen) -> Verdict {
    match Segment::open(&other(world)) {
        Ok(segment) => {
            hold!(Lost, seen.completed == 0, "there after a complete unlink");
            segment.counter("count")?.add(1)?;
            Segment::unlink(&other(world))?;
        }
        Err(SegmentError::NotFound { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

fn usage(world: &World, rounds: usize) -> Verdict {
    for _ in 0..rounds / 20 {
        let segment = Segment::create(&other(world))?;
        let again = Segment::open(&other(world))?;
        segment.counter("count")?.add(1)?;
        let count = again.counter("count")?.get();
        hold!(Lost, count == 1, "{count}");
    }
    let gone = Segment::open(&other(world));
    hold!(Leaked, matches!(gone, Err(SegmentError::NotFound { .. })), "{gone:?}");
    Ok(())
}

pub(super) fn cases() -> Vec<Case> {
    let base = || Case {
        name: "segment-create",
        heavy: true,
        setup,
        by: By::FirstThread,
        operation: create,
        unblock: None,
        waiter: at_kill(wait),
        peer: true,
        repair: Some(repair),
        contract,
        usage,
    };
    vec![
        base(),
        Case { name: "segment-create-over-dead", setup: setup_unused, ..base() },
        Case { name: "segment-open", operation: open, waiter: at_kill(wait_to_open), ..base() },
        Case { name: "segment-open-or-create", operation: open_or_create, ..base() },
        Case {
            name: "segment-unlink",
            setup: setup_persistent,
            operation: unlink,
            repair: Some(unlink),
            contract: unlinked,
            ..base()
        },
        Case { name: "segment-last-detach", operation: last_detach, ..base() },
        Case {
            name: "thread-first-lock",
            setup: mutex::setup,
            operation: first_lock,
            waiter: mutex::AT_KILL,
            repair: Some(first_lock),
            contract: mutex::contract_twice,
            usage: mutex::usage,
            ..base()
        },
    ]
}
