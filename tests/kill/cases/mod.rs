//! The cases: every operation of every primitive.

mod barrier;
mod broadcast;
mod byte_queue;
mod condvar;
mod data;
mod event;
mod latest;
mod list;
mod listener;
mod loans;
mod map;
mod mutex;
mod object;
mod once;
mod pipe;
mod process;
mod queue;
mod reentrant;
mod rwlock;
mod segment;
mod semaphore;
mod service;
mod spsc;
mod task_queue;
mod wait_any;

use std::time::Duration;

use crate::case::Case;

/// All of them.
pub(crate) fn all() -> Vec<Case> {
    [
        segment::cases(),
        object::cases(),
        mutex::cases(),
        data::cases(),
        queue::cases(),
        spsc::cases(),
        byte_queue::cases(),
        broadcast::cases(),
        pipe::cases(),
        listener::cases(),
        task_queue::cases(),
        service::cases(),
        event::cases(),
        condvar::cases(),
        reentrant::cases(),
        rwlock::cases(),
        once::cases(),
        latest::cases(),
        loans::cases(),
        map::cases(),
        list::cases(),
        wait_any::cases(),
        semaphore::cases(),
        barrier::cases(),
        process::cases(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// For who is stepped, and who waits for that one: on a busy machine each step is milliseconds.
const UNHURRIED: Duration = Duration::from_secs(3600);

/// How long an operation of a contract may take.
fn deadline() -> Duration {
    if crate::tracee::is_traced() { UNHURRIED } else { Duration::from_secs(3) }
}
