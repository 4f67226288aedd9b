//! Python's `multiprocessing`, in a process that is told what to measure.

use std::fmt;
use std::io::{BufRead, BufReader, Lines, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::support::{Failure, Result, failed};

const SCRIPT: &str = include_str!("pool.py");

#[derive(Debug)]
pub(crate) struct Python {
    child: Child,
    ask: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Python {
    /// None without a `python3` that works.
    pub(crate) fn start(workers: usize) -> Option<Self> {
        let workers = workers.to_string();
        let mut child = Command::new("python3")
            .args(["-c", SCRIPT, &workers])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Its workers do not notice when it is killed, so all of them are, as a group.
            .process_group(0)
            .spawn()
            .ok()?;
        let ask = child.stdin.take()?;
        let answers = BufReader::new(child.stdout.take()?).lines();
        let mut this = Self { child, ask, answers };
        (this.answers.next()?.ok()? == "ready").then_some(this)
    }

    /// How many nanoseconds that takes: see the script.
    pub(crate) fn time(&mut self, what: fmt::Arguments<'_>) -> Result<u64> {
        writeln!(self.ask, "{what}")?;
        match self.answers.next() {
            Some(answer) => answer?.parse().map_err(Failure::from),
            None => failed("python3 ended"),
        }
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        let group = Pid::from_raw(self.child.id().cast_signed());
        let _gone = killpg(group, Signal::SIGKILL);
        let _status = self.child.wait();
    }
}
