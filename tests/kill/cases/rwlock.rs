//! `RwLock`: read, write, upgradable read, upgrade and downgrade, free and contended, from a dead
//! writer.

use nix::sys::signal::{Signal, raise};
use outlive::{LockError, RwLock, RwLockUpgradableGuard, RwLockWriteGuard};

use super::deadline;
use crate::actor::Actor;
use crate::case::{By, Case, Operation, Seen, Verdict, WaitFrom, Waiter, World, hold};

type Words = [u64; 4];
type Writer = RwLockWriteGuard<'static, Words>;

/// A handle that nobody drops.
fn lock(world: &World) -> &'static RwLock<Words> {
    Box::leak(Box::new(world.warm().rwlock_with("lock", [0; 4], 4).expect("lock")))
}

/// The lock for writing, with what a dead writer left mended.
fn take(lock: &'static RwLock<Words>) -> Result<Writer, LockError<Writer>> {
    match lock.write_timeout(deadline()) {
        Err(LockError::OwnerDied(mut guard)) => {
            mend(&mut guard);
            Ok(guard)
        }
        other => other,
    }
}

fn mend(guard: &mut Writer) {
    let most = guard[0];
    guard.fill(most);
    guard.mark_consistent();
}

fn add(guard: &mut Writer) {
    for word in guard.iter_mut() {
        *word += 1;
    }
}

/// A word that was read, whoever died.
fn look(lock: &'static RwLock<Words>) -> u64 {
    match lock.read_timeout(deadline()) {
        Ok(guard) => {
            assert!(guard.iter().all(|word| *word == guard[0]), "torn: {guard:?}");
            guard[0]
        }
        Err(LockError::OwnerDied(guard)) => guard[0],
        Err(error) => panic!("{error:?}"),
    }
}

/// Upgradable, and told of nothing that cannot be mended.
fn upgradable(lock: &'static RwLock<Words>) -> RwLockUpgradableGuard<'static, Words> {
    match lock.upgradable_read_timeout(deadline()) {
        Ok(guard) | Err(LockError::OwnerDied(guard)) => guard,
        Err(error) => panic!("{error:?}"),
    }
}

fn become_writer(guard: RwLockUpgradableGuard<'static, Words>) -> Writer {
    let mut guard = guard.upgrade_timeout(deadline()).expect("upgrade");
    if guard.is_inconsistent() {
        mend(&mut guard);
    }
    guard
}

// ---- setups

fn setup(world: &World) {
    world.create();
    lock(world);
}

fn setup_written(world: &World) {
    setup(world);
    *world.held.borrow_mut() = Some(Box::new(take(lock(world)).expect("write")));
}

fn setup_read(world: &World) {
    setup(world);
    *world.held.borrow_mut() = Some(Box::new(lock(world).read().expect("read")));
}

fn setup_orphaned(world: &World) {
    setup(world);
    let lock = lock(world);
    let mut writer = Actor::start(|_| {
        let mut guard = lock.write().expect("write");
        guard[0] = 0; // as it was: dead in the middle of nothing
        raise(Signal::SIGKILL).expect("raise");
        unreachable!("{guard:?}");
    });
    writer.ends();
}

/// A share of a dead reader, which the next one takes over.
fn setup_orphaned_share(world: &World) {
    setup(world);
    let lock = lock(world);
    // Whichever share is the victim's first choice.
    for _ in 0..4 {
        let mut reader = Actor::start(|_| {
            let guard = lock.read().expect("read");
            raise(Signal::SIGKILL).expect("raise");
            unreachable!("{guard:?}");
        });
        reader.ends();
    }
}

fn let_go(world: &World) {
    world.held.borrow_mut().take();
}

// ---- operations

fn read(world: &World) -> Operation {
    let lock = lock(world);
    Box::new(move || {
        look(lock);
    })
}

fn leave(world: &World) -> Operation {
    let mut guard = Some(lock(world).read().expect("read"));
    Box::new(move || drop(guard.take()))
}

fn write(world: &World) -> Operation {
    let lock = lock(world);
    Box::new(move || add(&mut take(lock).expect("write")))
}

fn release(world: &World) -> Operation {
    let mut guard = Some(take(lock(world)).expect("write"));
    add(guard.as_mut().expect("guard"));
    Box::new(move || drop(guard.take()))
}

fn upgradable_read(world: &World) -> Operation {
    let lock = lock(world);
    Box::new(move || drop(upgradable(lock)))
}

fn upgrade(world: &World) -> Operation {
    let mut guard = Some(upgradable(lock(world)));
    Box::new(move || add(&mut become_writer(guard.take().expect("once"))))
}

fn downgrade(world: &World) -> Operation {
    let mut guard = Some(take(lock(world)).expect("write"));
    add(guard.as_mut().expect("guard"));
    Box::new(move || drop(guard.take().expect("once").downgrade().expect("downgrade")))
}

fn downgrade_in_steps(world: &World) -> Operation {
    let mut guard = Some(take(lock(world)).expect("write"));
    add(guard.as_mut().expect("guard"));
    Box::new(move || {
        let guard = guard.take().expect("once").downgrade_to_upgradable();
        drop(guard.downgrade().expect("downgrade"));
    })
}

fn repair(world: &World) -> Operation {
    let lock = lock(world);
    Box::new(move || drop(take(lock).expect("write")))
}

// ---- waiters

fn wait_to_write(world: &World) -> u64 {
    take(lock(world)).map(|guard| guard[0]).expect("the waiter's lock")
}

fn wait_to_read(world: &World) -> u64 {
    look(lock(world))
}

// ---- contracts

/// At once: the kernel has reported the death by the time that it is known.
fn contract(world: &World, seen: &Seen) -> Verdict {
    let lock = lock(world);
    hold!(Lost, lock.readers() == 0 && lock.holder().is_none(), "held: {:?}", lock.holder());
    // A reader, and beside it one that may write, find what the writer finds.
    let (read, told) = match lock.try_read() {
        Ok(guard) => (*guard, false),
        Err(LockError::OwnerDied(guard)) => (*guard, true),
        Err(error) => return Err(error.into()),
    };
    let upgradable = match lock.try_upgradable_read() {
        Ok(guard) => (*guard, false),
        Err(LockError::OwnerDied(guard)) => (*guard, true),
        Err(error) => return Err(error.into()),
    };
    let (state, died) = match lock.try_write() {
        Ok(guard) => (*guard, false),
        Err(LockError::OwnerDied(mut guard)) => {
            let found = *guard;
            guard.mark_consistent();
            (found, true)
        }
        Err(error) => return Err(error.into()),
    };
    hold!(Lost, (read, told) == (state, died), "{read:?}, then {state:?}");
    hold!(Lost, upgradable == (state, died), "{upgradable:?}, then {state:?}");
    let effects = seen.effects();
    hold!(Torn, died || state.iter().all(|word| *word == state[0]), "{state:?} without OwnerDied");
    hold!(Lost, effects.contains(&state[0]), "{state:?}, not {effects:?}");
    *lock.try_write()? = [0; 4];
    Ok(())
}

/// For a repair that is the operation once more.
fn contract_twice(world: &World, seen: &Seen) -> Verdict {
    let begun = seen.begun + u64::from(seen.repaired);
    contract(world, &Seen { completed: seen.completed, begun, ..Seen::default() })
}

/// Nothing was written, and nobody is told of a death.
fn untouched(world: &World, _seen: &Seen) -> Verdict {
    let lock = lock(world);
    let state = lock.try_read().map(|guard| *guard)?;
    hold!(Torn, state == [0; 4], "{state:?}, and nobody wrote");
    drop(lock.try_upgradable_read()?);
    drop(lock.try_write()?);
    Ok(())
}

fn usage(world: &World, rounds: usize) -> Verdict {
    let lock = lock(world);
    for _ in 0..rounds {
        let before = *lock.read_timeout(deadline())?;
        hold!(Torn, before.iter().all(|word| *word == before[0]), "{before:?}");
        let guard = lock.upgradable_read_timeout(deadline())?;
        hold!(Lost, *guard == before, "{before:?}, then {:?}", *guard);
        let mut guard = guard.upgrade_timeout(deadline())?;
        add(&mut guard);
    }
    Ok(())
}

fn waiter(from: WaitFrom, wait: fn(&World) -> u64, release: fn(&World)) -> Option<Waiter> {
    Some(Waiter { from, wait, release })
}

pub(super) fn cases() -> Vec<Case> {
    let base = || Case {
        name: "rwlock-write",
        heavy: false,
        setup,
        by: By::FirstThread,
        operation: write,
        unblock: None,
        waiter: waiter(WaitFrom::Kill, wait_to_write, |_| {}),
        peer: true,
        repair: Some(repair),
        contract,
        usage,
    };
    let reads = || Case {
        name: "rwlock-read",
        operation: read,
        repair: Some(read),
        contract: untouched,
        ..base()
    };
    vec![
        reads(),
        Case {
            name: "rwlock-read-contended",
            heavy: true,
            setup: setup_written,
            unblock: Some(let_go),
            waiter: waiter(WaitFrom::Start, wait_to_read, let_go),
            repair: None,
            ..reads()
        },
        Case { name: "rwlock-read-of-the-dead", setup: setup_orphaned_share, ..reads() },
        Case {
            name: "rwlock-leave",
            operation: leave,
            waiter: waiter(WaitFrom::Start, wait_to_write, |_| {}),
            peer: false,
            ..reads()
        },
        base(),
        Case {
            name: "rwlock-write-contended",
            heavy: true,
            setup: setup_read,
            unblock: Some(let_go),
            waiter: waiter(WaitFrom::Start, wait_to_write, let_go),
            repair: None,
            ..base()
        },
        Case {
            name: "rwlock-release",
            operation: release,
            waiter: waiter(WaitFrom::Start, wait_to_read, |_| {}),
            peer: false,
            ..base()
        },
        Case { name: "rwlock-recovery", setup: setup_orphaned, ..base() },
        Case {
            name: "rwlock-upgradable",
            operation: upgradable_read,
            repair: Some(upgradable_read),
            contract: untouched,
            ..base()
        },
        Case {
            name: "rwlock-upgrade",
            operation: upgrade,
            waiter: waiter(WaitFrom::Start, wait_to_write, |_| {}),
            peer: false,
            repair: Some(upgrade),
            contract: contract_twice,
            ..base()
        },
        Case {
            name: "rwlock-upgrade-contended",
            heavy: true,
            setup: setup_read,
            operation: upgrade,
            unblock: Some(let_go),
            waiter: waiter(WaitFrom::Start, wait_to_write, let_go),
            peer: false,
            repair: None,
            ..base()
        },
        Case {
            name: "rwlock-downgrade",
            operation: downgrade,
            waiter: waiter(WaitFrom::Start, wait_to_read, |_| {}),
            peer: false,
            ..base()
        },
        Case {
            name: "rwlock-downgrade-in-steps",
            operation: downgrade_in_steps,
            waiter: waiter(WaitFrom::Start, wait_to_read, |_| {}),
            peer: false,
            ..base()
        },
    ]
}
