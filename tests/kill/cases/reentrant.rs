//! `ReentrantMutex`: lock twice and unlock twice (free, contended, from a dead owner).

use nix::sys::signal::{Signal, raise};
use outlive::{LockError, ReentrantMutex, ReentrantMutexGuard};

use super::deadline;
use crate::actor::Actor;
use crate::case::{By, Case, Operation, Seen, Verdict, WaitFrom, Waiter, World, hold};

type Words = [u64; 2];
type Guard = ReentrantMutexGuard<'static, Words>;

/// A handle that nobody drops.
fn mutex(world: &World) -> &'static ReentrantMutex<Words> {
    Box::leak(Box::new(world.warm().reentrant_mutex("mutex", [0; 2]).expect("mutex")))
}

/// Takes the lock, mending what a dead owner left.
fn take(mutex: &'static ReentrantMutex<Words>) -> Result<Guard, LockError> {
    match mutex.lock_timeout(deadline()) {
        Err(LockError::OwnerDied(guard)) => {
            let [first, _] = guard.get();
            guard.set([first; 2]);
            guard.mark_consistent();
            Ok(guard)
        }
        other => other.map_err(|error| error.into_guard().expect_err("no guard")),
    }
}

/// The first word at depth 1, the second one at depth 2, under the guard that came later.
fn add(mutex: &'static ReentrantMutex<Words>) {
    let outer = take(mutex).expect("lock");
    let [first, second] = outer.get();
    outer.set([first + 1, second]);
    let inner = mutex.try_lock().expect("again");
    drop(outer);
    inner.set([first + 1, second + 1]);
}

fn setup(world: &World) {
    world.create();
    mutex(world);
}

fn setup_held(world: &World) {
    setup(world);
    *world.held.borrow_mut() = Some(Box::new(take(mutex(world)).expect("lock")));
}

fn setup_orphaned(world: &World) {
    setup(world);
    let mutex = mutex(world);
    let mut owner = Actor::start(|_| {
        let guards = [take(mutex), take(mutex), take(mutex)];
        raise(Signal::SIGKILL).expect("raise");
        unreachable!("{guards:?}");
    });
    owner.ends();
}

fn let_go(world: &World) {
    world.held.borrow_mut().take();
}

fn lock_and_unlock(world: &World) -> Operation {
    let mutex = mutex(world);
    Box::new(move || add(mutex))
}

fn repair(world: &World) -> Operation {
    let mutex = mutex(world);
    Box::new(move || drop(take(mutex).expect("lock")))
}

fn wait(world: &World) -> u64 {
    take(mutex(world)).map(|guard| guard.get()[0]).expect("the waiter's lock")
}

fn contract(world: &World, seen: &Seen) -> Verdict {
    let mutex = mutex(world);
    // At once: the kernel has reported the death by the time that it is known.
    let (guard, died) = match mutex.try_lock() {
        Ok(guard) => (guard, false),
        Err(LockError::OwnerDied(guard)) => (guard, true),
        Err(error) => return Err(error.into()),
    };
    guard.mark_consistent();
    let depth = mutex.depth();
    hold!(Torn, depth == 1, "a depth of {depth} after a death");
    let [first, second] = guard.get();
    let effects = seen.effects();
    hold!(Torn, first == second || died && first == second + 1, "{first}, {second}, died: {died}");
    hold!(Lost, effects.contains(&first), "{first}, not {effects:?}");
    guard.set([0; 2]);
    drop(guard);
    hold!(Leaked, mutex.depth() == 0, "released, and still held");
    Ok(())
}

fn usage(world: &World, rounds: usize) -> Verdict {
    let mutex = mutex(world);
    for _ in 0..rounds {
        let before = take(mutex)?.get();
        hold!(Torn, before[0] == before[1], "{before:?}");
        add(mutex);
    }
    Ok(())
}

pub(super) fn cases() -> Vec<Case> {
    let base = || Case {
        name: "reentrant-lock-unlock",
        heavy: false,
        setup,
        by: By::FirstThread,
        operation: lock_and_unlock,
        unblock: None,
        waiter: Some(Waiter { from: WaitFrom::Kill, wait, release: |_| {} }),
        peer: true,
        repair: Some(repair),
        contract,
        usage,
    };
    vec![
        base(),
        Case {
            name: "reentrant-lock-contended",
            heavy: true,
            setup: setup_held,
            unblock: Some(let_go),
            waiter: Some(Waiter { from: WaitFrom::Start, wait, release: let_go }),
            repair: None,
            ..base()
        },
        Case { name: "reentrant-recovery", setup: setup_orphaned, ..base() },
    ]
}
