//! The parent's child processes.

use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::libc::SIGKILL;

use crate::Result;
use crate::tally::Snapshot;

/// Workers, one for each slot from 0 on. Dropping it ends them all.
pub(crate) struct Crew {
    program: PathBuf,
    segment: String,
    /// Whether the workers leave the processor to others now and then.
    give_way: bool,
    workers: Vec<Worker>,
    /// How often a worker died of SIGKILL.
    pub(crate) killed: u64,
}

struct Worker {
    child: Child,
    /// Its count when it was first looked at: it works if it is beyond that.
    began_at: Option<u64>,
    /// SIGKILL is on its way.
    doomed: bool,
    /// How it ended, if it has.
    ended: Option<ExitStatus>,
}

impl Crew {
    pub(crate) fn start(segment: &str, size: usize, give_way: bool) -> Result<Self> {
        let program = std::env::current_exe()?;
        let segment = segment.to_owned();
        let mut crew = Self { program, segment, give_way, workers: Vec::new(), killed: 0 };
        for slot in 0..size {
            let worker = crew.spawn(slot)?;
            crew.workers.push(worker);
        }
        Ok(crew)
    }

    fn spawn(&self, slot: usize) -> Result<Worker> {
        let child = Command::new(&self.program)
            .arg("worker")
            .args(["--segment", &self.segment])
            .args(["--slot", &slot.to_string()])
            .args(["--parent", &std::process::id().to_string()])
            .args(self.give_way.then_some("--give-way"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            // Ctrl-C is for the parent, which ends its workers itself.
            .process_group(0)
            .spawn()?;
        Ok(Worker { child, began_at: None, doomed: false, ended: None })
    }

    /// Notes who has ended. A worker that was killed is replaced if its work is not done; one that
    /// failed is an error.
    pub(crate) fn look_after(&mut self, snapshot: &Snapshot, targets: &[u64]) -> Result<()> {
        for (slot, target) in (0..self.workers.len()).zip(targets) {
            let worker = &mut self.workers[slot];
            let count = snapshot.counts[slot];
            worker.began_at.get_or_insert(count);
            if worker.ended.is_none() {
                worker.ended = worker.child.try_wait()?;
                if worker.ended.is_some_and(|status| status.signal() == Some(SIGKILL)) {
                    self.killed += 1;
                }
            }
            match self.workers[slot].ended {
                Some(status) if status.signal() == Some(SIGKILL) && count < *target => {
                    self.workers[slot] = self.spawn(slot)?;
                }
                Some(status) if !status.success() && status.signal() != Some(SIGKILL) => {
                    return Err(format!("worker {} failed ({status})", slot + 1).into());
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Workers that have counted since they were started, are not done, and are to live.
    pub(crate) fn at_work(&self, snapshot: &Snapshot, targets: &[u64]) -> Vec<usize> {
        let works = |slot: &usize| {
            let worker = &self.workers[*slot];
            let count = snapshot.counts[*slot];
            worker.ended.is_none()
                && !worker.doomed
                && worker.began_at.is_some_and(|began| count > began)
                && count < targets[*slot]
        };
        (0..self.workers.len()).filter(works).collect()
    }

    /// SIGKILL. [`look_after`](Self::look_after) finds the body, which may take until the victim gets
    /// a processor to die on.
    pub(crate) fn kill(&mut self, slot: usize) -> Result<()> {
        let worker = &mut self.workers[slot];
        worker.doomed = true;
        Ok(worker.child.kill()?)
    }

    /// Waits until all have ended by themselves; false if some have not in time.
    pub(crate) fn finish(&mut self, patience: Duration) -> Result<bool> {
        let began = Instant::now();
        loop {
            let mut left = 0;
            for worker in &mut self.workers {
                left += usize::from(worker.child.try_wait()?.is_none());
            }
            if left == 0 || began.elapsed() > patience {
                return Ok(left == 0);
            }
            std::thread::sleep(Duration::from_micros(200));
        }
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        for worker in &mut self.workers {
            // An error says that it has ended already.
            let _ended = worker.child.kill();
        }
        for worker in &mut self.workers {
            let _ended = worker.child.wait();
        }
    }
}
