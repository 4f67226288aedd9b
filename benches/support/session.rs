//! One short run: shared memory for it, the children that take part, and their orderly end.

use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::Serialize;

use super::child::Ticket;
use super::memory::Memory;
use super::watchdog::{self, LIMIT};
use super::{Result, failed};

/// A run and its children; those left over when it is dropped are killed.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) memory: Memory,
    name: String,
    children: Vec<(Child, String)>,
}

impl Session {
    /// Begins a run, which the watchdog knows by `name`.
    pub(crate) fn new(name: impl Into<String>) -> Result<Self> {
        let name = name.into();
        watchdog::step(name.clone());
        Ok(Self { memory: Memory::create()?, name, children: Vec::new() })
    }

    /// Starts this program again as a child that does `job`; its index is the slot it reports in.
    pub(crate) fn spawn<J: Serialize>(&mut self, core: Option<usize>, job: J) -> Result<Pid> {
        let index = self.children.len();
        let ticket = Ticket {
            memory_fd: self.memory.fd(),
            parent: std::process::id(),
            index,
            core,
            seconds: LIMIT.as_secs() as u32,
            job,
        };
        let ticket = serde_json::to_string(&ticket)?;
        let child = Command::new(std::env::current_exe()?).args(["--child", &ticket]).spawn()?;
        let pid = Pid::from_raw(child.id() as i32);
        let name = format!("child {index} (pid {pid})");
        watchdog::expect_success(pid, name.clone());
        self.children.push((child, name));
        Ok(pid)
    }

    /// Waits until every child is ready.
    pub(crate) fn wait_ready(&self) {
        self.memory.wait_ready(self.children.len() as u32);
    }

    /// SIGKILLs a child, whose death is then what is expected of it.
    pub(crate) fn kill(&self, pid: Pid) -> Result<()> {
        watchdog::forget(pid);
        Ok(kill(pid, Signal::SIGKILL)?)
    }

    /// Waits for the children to end; `killed` of them by SIGKILL, the others successfully.
    pub(crate) fn finish(&mut self, killed: Option<Pid>) -> Result<()> {
        for (mut child, name) in self.children.drain(..) {
            let pid = Pid::from_raw(child.id() as i32);
            let status = child.wait()?;
            watchdog::forget(pid);
            let expected = if killed == Some(pid) {
                status.signal() == Some(Signal::SIGKILL as i32)
            } else {
                status.success()
            };
            if !expected {
                return failed(format!("{}: {name} ended with {status}", self.name));
            }
        }
        watchdog::rest();
        Ok(())
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        for (child, _) in &mut self.children {
            watchdog::forget(Pid::from_raw(child.id() as i32));
            // Best effort: the run has failed already.
            let _ = child.kill();
            let _ = child.wait();
        }
        watchdog::rest();
    }
}
