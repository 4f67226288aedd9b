//! Python's `multiprocessing.Pool`, in a process that is told what to measure.

use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

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
            .spawn()
            .ok()?;
        let ask = child.stdin.take()?;
        let answers = BufReader::new(child.stdout.take()?).lines();
        let mut this = Self { child, ask, answers };
        (this.answers.next()?.ok()? == "ready").then_some(this)
    }

    /// How many nanoseconds a map of so many squares takes; chunk 0 is its own choice.
    pub(crate) fn map(&mut self, count: u64, chunk: u64) -> Result<u64> {
        writeln!(self.ask, "{count} {chunk}")?;
        match self.answers.next() {
            Some(answer) => answer?.parse().map_err(Failure::from),
            None => failed("python3 ended"),
        }
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        // Its workers see the end of their pipes.
        let _gone = self.child.kill();
        let _status = self.child.wait();
    }
}
