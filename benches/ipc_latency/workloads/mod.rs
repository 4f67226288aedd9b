//! What is measured: each workload drives its peers and has a part for its children.

mod broadcast;
mod bytes;
mod idle;
mod lock_contended;
mod lock_uncontended;
mod mpmc;
mod recovery;
mod round_trip;
mod segment;
mod stream;

use crate::job::{Job, Role};
use crate::support::Result;
use crate::support::child::Child;
use crate::support::cli::Plan;
use crate::support::report::Report;

/// The parent's part of a workload.
type Run = fn(&Plan, &mut Report) -> Result<()>;

/// Every workload by its name, in the order in which they run.
pub(crate) const ALL: [(&str, Run); 11] = [
    ("lock-uncontended", lock_uncontended::run),
    ("lock-contended", lock_contended::run),
    ("round-trip", round_trip::run),
    ("stream", stream::run),
    ("bytes", bytes::run),
    ("mpmc", mpmc::run),
    ("broadcast", broadcast::run),
    ("segment-create", segment::run_create),
    ("segment-open", segment::run_open),
    ("recovery", recovery::run),
    ("idle", idle::run),
];

/// A child's part.
pub(crate) fn child(child: &Child<Job>) -> Result<()> {
    match child.job.role {
        Role::Incrementer => lock_contended::increment_until_stopped(child),
        Role::Echo => round_trip::echo(child),
        Role::Streamer => stream::send(child),
        Role::ByteStreamer => bytes::send(child),
        Role::Publisher => broadcast::publish_in_child(child),
        Role::Subscriber => broadcast::receive_in_child(child),
        Role::Producer => mpmc::produce_in_child(child),
        Role::Consumer => mpmc::consume_in_child(child),
        Role::SegmentKeeper => segment::keep(child),
        Role::Holder => recovery::hold(child),
        Role::Waiter => recovery::wait(child),
        Role::Idler => idle::wait(child),
    }
}
