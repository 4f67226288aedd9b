//! Who this process is, and how many it can run beside it.

use std::sync::OnceLock;
use std::thread;

/// This process, as [`current`] tells.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Current {
    /// The name that it was started under; `MainProcess` for one that was not started by
    /// [`Process`](super::Process).
    pub name: String,
    /// Its process id.
    pub pid: u32,
    /// The id of the process that started it; None for one that was not started by
    /// [`Process`](super::Process).
    pub parent: Option<u32>,
    /// Whether it is killed when its parent ends.
    pub daemon: bool,
}

/// What a process started by this library was told.
#[derive(Debug)]
pub(super) struct Given {
    pub(super) name: String,
    pub(super) parent: u32,
    pub(super) daemon: bool,
}

static GIVEN: OnceLock<Given> = OnceLock::new();

pub(super) fn be(given: Given) {
    // Once, before the program runs.
    let _only = GIVEN.set(given);
}

/// Who this process is.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use outlive::process::{Process, current};
///
/// assert_eq!(current().name, "MainProcess");
/// let mut process = Process::options().name("helper").start(|()| current().name, ())?;
/// assert_eq!(process.join()?, "helper");
/// # Ok(())
/// # }
/// ```
#[must_use]
pub fn current() -> Current {
    let given = GIVEN.get();
    Current {
        name: given.map_or("MainProcess", |given| given.name.as_str()).to_owned(),
        pid: std::process::id(),
        parent: given.map(|given| given.parent),
        daemon: given.is_some_and(|given| given.daemon),
    }
}

/// How many processes can run at the same time: the processors that the calling thread may use, or
/// fewer if the limit of a control group (cgroups(7), as containers have it) is lower. At least 1.
///
/// ```
/// assert!(outlive::process::cpu_count() >= 1);
/// ```
#[must_use]
pub fn cpu_count() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}
