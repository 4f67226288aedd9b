//! `Mutex`: lock (free, contended, from a dead owner) and unlock (without a waiter, with one).

use nix::sys::signal::{Signal, raise};
use outlive::{LockError, Mutex, MutexGuard};

use super::deadline;
use crate::actor::Actor;
use crate::case::{By, Case, Operation, Seen, Verdict, WaitFrom, Waiter, World, hold};

type Words = [u64; 4];
type Guard = MutexGuard<'static, Words>;

/// A handle that nobody drops.
pub(super) fn mutex(world: &World) -> &'static Mutex<Words> {
    Box::leak(Box::new(world.warm().mutex("mutex", [0; 4]).expect("mutex")))
}

/// Takes the lock, mending what a dead owner left.
pub(super) fn take(mutex: &'static Mutex<Words>) -> Result<Guard, LockError<Guard>> {
    match mutex.lock_timeout(deadline()) {
        Err(LockError::OwnerDied(mut guard)) => {
            let most = guard[0];
            guard.fill(most);
            guard.mark_consistent();
            Ok(guard)
        }
        other => other,
    }
}

fn add(guard: &mut Guard) {
    for word in guard.iter_mut() {
        *word += 1;
    }
}

pub(super) fn setup(world: &World) {
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
        let mut guard = mutex.lock().expect("lock");
        guard[0] = 0; // as it was: dead in the middle of nothing
        raise(Signal::SIGKILL).expect("raise");
        unreachable!("{guard:?}");
    });
    owner.ends();
}

fn let_go(world: &World) {
    world.held.borrow_mut().take();
}

pub(super) fn lock_and_unlock(world: &World) -> Operation {
    let mutex = mutex(world);
    Box::new(move || add(&mut take(mutex).expect("lock")))
}

fn unlock(world: &World) -> Operation {
    let mut guard = Some(take(mutex(world)).expect("lock"));
    add(guard.as_mut().expect("guard"));
    Box::new(move || drop(guard.take()))
}

pub(super) fn repair(world: &World) -> Operation {
    let mutex = mutex(world);
    Box::new(move || drop(take(mutex).expect("lock")))
}

fn wait(world: &World) -> u64 {
    take(mutex(world)).map(|guard| guard[0]).expect("the waiter's lock")
}

pub(super) fn contract(world: &World, seen: &Seen) -> Verdict {
    let mutex = mutex(world);
    // At once: the kernel has reported the death by the time that it is known.
    let (state, died) = match mutex.try_lock() {
        Ok(guard) => (*guard, false),
        Err(LockError::OwnerDied(mut guard)) => {
            let found = *guard;
            guard.mark_consistent();
            (found, true)
        }
        Err(error) => return Err(error.into()),
    };
    let effects = seen.effects();
    hold!(Torn, died || state.iter().all(|word| *word == state[0]), "{state:?} without OwnerDied");
    hold!(Lost, effects.contains(&state[0]), "{state:?}, not {effects:?}");
    *mutex.lock_timeout(deadline())? = [0; 4];
    Ok(())
}

/// For a repair that is the operation once more.
pub(super) fn contract_twice(world: &World, seen: &Seen) -> Verdict {
    let begun = seen.begun + u64::from(seen.repaired);
    contract(world, &Seen { completed: seen.completed, begun, ..Seen::default() })
}

pub(super) fn usage(world: &World, rounds: usize) -> Verdict {
    let mutex = mutex(world);
    for _ in 0..rounds {
        let mut guard = mutex.lock_timeout(deadline())?;
        let before = *guard;
        add(&mut guard);
        hold!(Torn, before.iter().all(|word| *word == before[0]), "{before:?}");
    }
    Ok(())
}

pub(super) const AT_KILL: Option<Waiter> =
    Some(Waiter { from: WaitFrom::Kill, wait, release: |_| {} });
const AT_START: Option<Waiter> = Some(Waiter { from: WaitFrom::Start, wait, release: let_go });

pub(super) fn cases() -> Vec<Case> {
    let base = || Case {
        name: "mutex-lock-unlock",
        heavy: false,
        setup,
        by: By::FirstThread,
        operation: lock_and_unlock,
        unblock: None,
        waiter: AT_KILL,
        peer: true,
        repair: Some(repair),
        contract,
        usage,
    };
    vec![
        base(),
        Case {
            name: "mutex-lock-contended",
            heavy: true,
            setup: setup_held,
            unblock: Some(let_go),
            waiter: AT_START,
            repair: None,
            ..base()
        },
        Case { name: "mutex-unlock", operation: unlock, waiter: AT_START, peer: false, ..base() },
        Case { name: "mutex-recovery", setup: setup_orphaned, ..base() },
    ]
}
