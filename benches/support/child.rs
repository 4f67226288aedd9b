//! What a child process does before and after its part of the work.

// `prctl` and `alarm` are called directly.
#![allow(unsafe_code)]

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::memory::{Memory, Slot};
use super::{Result, cpu, failed};

/// What a child is told on its command line; `J` is the part that the benchmark defines.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Ticket<J> {
    pub(crate) memory_fd: i32,
    pub(crate) parent: u32,
    pub(crate) index: usize,
    pub(crate) core: Option<usize>,
    pub(crate) seconds: u32,
    pub(crate) job: J,
}

/// A child's view of its run.
#[derive(Debug)]
pub(crate) struct Child<J> {
    pub(crate) memory: Memory,
    pub(crate) index: usize,
    pub(crate) job: J,
}

impl<J: DeserializeOwned> Child<J> {
    /// Takes the ticket: from here on this process is watched, pinned and dies with its parent.
    pub(crate) fn enter(ticket: &str) -> Result<Self> {
        let ticket: Ticket<J> = serde_json::from_str(ticket)?;
        // SAFETY: both only set properties of this process.
        unsafe {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            // Nobody handles SIGALRM, so a child that hangs is ended and its parent sees it.
            libc::alarm(ticket.seconds);
        }
        if std::os::unix::process::parent_id() != ticket.parent {
            return failed("the parent ended before its child began");
        }
        cpu::pin(ticket.core)?;
        let memory = Memory::inherited(ticket.memory_fd)?;
        Ok(Self { memory, index: ticket.index, job: ticket.job })
    }
}

impl<J> Child<J> {
    /// Where this child reports.
    pub(crate) fn slot(&self) -> &Slot {
        &self.memory.slots[self.index]
    }
}
