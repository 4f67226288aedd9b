//! What is measured: each workload drives its peers and may have a part for its children.

mod barrier;
mod cell;
mod contended;
mod crowd;
mod once;
mod ping_pong;
mod readers;
mod timing;
mod uncontended;

use crate::job::{Job, Role};
use crate::support::Result;
use crate::support::child::Child;
use crate::support::program::Run;

/// Every workload by its name, in the order in which they run.
pub(crate) const ALL: &[(&str, Run)] = &[
    ("mutex-uncontended", uncontended::mutex),
    ("mutex-contended", contended::mutex),
    ("reentrant-uncontended", uncontended::reentrant),
    ("reentrant-contended", contended::reentrant),
    ("rwlock-uncontended", readers::uncontended),
    ("rwlock-readers", readers::readers),
    ("rwlock-mixed", readers::mixed),
    ("semaphore-uncontended", uncontended::semaphore),
    ("semaphore-contended", contended::semaphore),
    ("condvar-ping-pong", ping_pong::condvar),
    ("event-ping-pong", ping_pong::event),
    ("wait-any-ping-pong", ping_pong::wait_any),
    ("barrier", barrier::run),
    ("once-done", once::run),
    ("cell-get", cell::get),
    ("cell-set", cell::set),
    ("cell-get-beside-set", cell::get_beside_set),
];

/// A child's part.
pub(crate) fn child(child: &Child<Job>) -> Result<()> {
    match child.job.role {
        Role::Incrementer => contended::increment(child),
        Role::Reader => readers::read(child),
        Role::Mixer => readers::mix(child),
        Role::Echo => ping_pong::echo(child),
        Role::Party => barrier::meet(child),
        Role::Setter => cell::set_until_stopped(child),
    }
}
