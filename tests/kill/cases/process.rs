//! Ends that are no kill: exit and exec with locks held.

use std::ffi::CString;

use outlive::{Array, Value};

use super::{deadline, mutex};
use crate::case::{By, Case, Operation, Seen, Verdict, WaitFrom, Waiter, World, hold};

const LENGTH: usize = 3;

fn exit(world: &World) -> Operation {
    let mutex = mutex::mutex(world);
    Box::new(move || {
        std::mem::forget(mutex::take(mutex).expect("lock"));
        std::process::exit(0);
    })
}

/// Executes a program that does nothing.
fn idle() -> impl Fn() {
    let path = std::env::current_exe().expect("current_exe");
    let path = CString::new(path.into_os_string().into_encoded_bytes()).expect("path");
    let idle = [path.clone(), CString::new(crate::IDLE).expect("argument")];
    move || {
        nix::unistd::execv(&path, &idle).expect("exec");
    }
}

fn execute(world: &World) -> Operation {
    let mutex = mutex::mutex(world);
    let idle = idle();
    Box::new(move || {
        std::mem::forget(mutex::take(mutex).expect("lock"));
        idle();
    })
}

/// The kernel does not report what a thread held that is not its process's first, and executes.
fn contract_thread(world: &World, seen: &Seen) -> Verdict {
    if seen.completed > 0 {
        drop(mutex::take(mutex::mutex(world))?);
    }
    contract(world, seen)
}

fn value(world: &World) -> &'static Value<[u64; 2]> {
    Box::leak(Box::new(world.warm().value("value", [0; 2]).expect("value")))
}

fn array(world: &World) -> &'static Array<u64> {
    Box::leak(Box::new(world.warm().array("array", LENGTH, 0).expect("array")))
}

fn setup_many(world: &World) {
    mutex::setup(world);
    value(world);
    array(world);
}

/// Takes three locks, and leaves what two of them guard half-changed.
fn take_many(world: &World) {
    std::mem::forget(mutex::take(mutex::mutex(world)).expect("lock"));
    let mut value = value(world).lock().expect("lock");
    value[0] = 1;
    std::mem::forget(value);
    let mut array = array(world).lock().expect("lock");
    array[0] = 1;
    std::mem::forget(array);
}

fn exit_many(world: &World) -> Operation {
    take_many(world);
    Box::new(|| std::process::exit(0))
}

fn execute_many(world: &World) -> Operation {
    take_many(world);
    Box::new(idle())
}

fn wait(world: &World) -> u64 {
    mutex::take(mutex::mutex(world)).map(|guard| guard[0]).expect("the waiter's lock")
}

/// Sleeps on the first lock from before the operation on, and takes the others after it.
fn wait_many(world: &World) -> u64 {
    let first = wait(world);
    let second = value(world).lock_timeout(deadline()).expect("the waiter's lock")[0];
    first + second + array(world).lock_timeout(deadline()).expect("the waiter's lock")[0]
}

/// The operation changes nothing.
fn contract(world: &World, _: &Seen) -> Verdict {
    mutex::contract(world, &Seen::default())
}

fn contract_many(world: &World, seen: &Seen) -> Verdict {
    let value = *value(world).try_lock()?;
    hold!(Torn, value == [0; 2], "{value:?} was never committed");
    let array = array(world).try_lock()?.to_vec();
    hold!(Torn, array == [0; LENGTH], "{array:?} was never committed");
    hold!(Torn, seen.waited.unwrap_or(0) == 0, "the waiter saw what was never committed");
    contract(world, seen)
}

fn usage_many(world: &World, rounds: usize) -> Verdict {
    for _ in 0..rounds {
        let sum =
            value(world).lock_timeout(deadline())?[1] + array(world).lock_timeout(deadline())?[1];
        hold!(Torn, sum == 0, "{sum} was never committed");
    }
    mutex::usage(world, rounds)
}

pub(super) fn cases() -> Vec<Case> {
    let base = || Case {
        name: "process-exit",
        heavy: false,
        setup: mutex::setup,
        by: By::FirstThread,
        operation: exit,
        unblock: None,
        waiter: Some(Waiter { from: WaitFrom::Kill, wait, release: |_| {} }),
        peer: false,
        repair: None,
        contract,
        usage: mutex::usage,
    };
    let many = || Case {
        name: "process-exit-many",
        setup: setup_many,
        operation: exit_many,
        waiter: Some(Waiter { from: WaitFrom::Start, wait: wait_many, release: |_| {} }),
        contract: contract_many,
        usage: usage_many,
        ..base()
    };
    vec![
        base(),
        Case { name: "process-exec", operation: execute, ..base() },
        Case {
            name: "process-exec-thread",
            by: By::OtherThread,
            operation: execute,
            contract: contract_thread,
            ..base()
        },
        many(),
        Case { name: "process-exec-many", operation: execute_many, ..many() },
    ]
}
