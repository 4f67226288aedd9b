//! Ends that are no kill: exit and exec with a lock held.

use std::ffi::CString;

use super::mutex;
use crate::case::{Case, Operation, Seen, Verdict, WaitFrom, Waiter, World};

fn exit(world: &World) -> Operation {
    let mutex = mutex::mutex(world);
    Box::new(move || {
        std::mem::forget(mutex::take(mutex).expect("lock"));
        std::process::exit(0);
    })
}

fn execute(world: &World) -> Operation {
    let mutex = mutex::mutex(world);
    let path = std::env::current_exe().expect("current_exe");
    let path = CString::new(path.into_os_string().into_encoded_bytes()).expect("path");
    let idle = [path.clone(), CString::new(crate::IDLE).expect("argument")];
    Box::new(move || {
        std::mem::forget(mutex::take(mutex).expect("lock"));
        nix::unistd::execv(&path, &idle).expect("exec");
    })
}

fn wait(world: &World) -> u64 {
    mutex::take(mutex::mutex(world)).map(|guard| guard[0]).expect("the waiter's lock")
}

/// The operation changes nothing.
fn contract(world: &World, _: &Seen) -> Verdict {
    mutex::contract(world, &Seen::default())
}

pub(super) fn cases() -> Vec<Case> {
    let base = || Case {
        name: "process-exit",
        heavy: false,
        setup: mutex::setup,
        operation: exit,
        unblock: None,
        waiter: Some(Waiter { from: WaitFrom::Kill, wait, release: |_| {} }),
        peer: false,
        repair: None,
        contract,
        usage: mutex::usage,
    };
    vec![base(), Case { name: "process-exec", operation: execute, ..base() }]
}
