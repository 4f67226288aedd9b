//! What a child is asked to do.

use serde::{Deserialize, Serialize};

use crate::peers::Peer;
use crate::support::cpu::Patience;

/// A child's part in a workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Role {
    /// Increments a counter under a lock until told to stop.
    Incrementer,
    /// Reads under a shared lock until told to stop.
    Reader,
    /// Reads mostly, and writes now and then.
    Mixer,
    /// Answers each signal with one.
    Echo,
    /// Meets the others at a barrier until told to stop.
    Party,
    /// Stores values until told to stop.
    Setter,
}

/// The benchmark's own part of a child's ticket.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Job {
    pub(crate) role: Role,
    pub(crate) peer: Peer,
    pub(crate) patience: Patience,
    /// The name of a segment, for the peers that are in one.
    pub(crate) segment: String,
    /// How many processes take part in all, where an object has to know.
    pub(crate) processes: usize,
    /// Words of a value.
    pub(crate) words: usize,
}
