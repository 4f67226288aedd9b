//! A process that the parent started: opens the segment by name and counts.

use std::process::ExitCode;
use std::thread;

use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::unistd::getppid;

use crate::board::Board;
use crate::{Result, cli};

pub(crate) fn run(worker: &cli::Worker) -> Result<ExitCode> {
    if !die_with(worker.parent)? {
        return Ok(ExitCode::FAILURE);
    }
    let board = Board::open(&worker.segment)?;
    let target = board.roster.members()?.targets().get(worker.slot).copied();
    let target = target.ok_or_else(|| format!("there is no worker {}", worker.slot + 1))?;
    board.report_ready(worker.slot)?;
    board.start.wait()?;
    // In a run with kills, the parent and the restarted workers have to get a turn in time, also on
    // few processors.
    let give_way = &mut || {
        if worker.give_way {
            thread::yield_now();
        }
        Ok(true)
    };
    board.tally.count_up_to(worker.slot, target, give_way)?;
    board.news.set()?;
    Ok(ExitCode::SUCCESS)
}

/// Has the kernel kill this process when the parent dies. False if it is dead already.
fn die_with(parent: i32) -> Result<bool> {
    prctl::set_pdeathsig(Signal::SIGKILL)?;
    Ok(getppid().as_raw() == parent)
}
