//! A worker is SIGKILLed in the middle of a map: its task is told from the others, which are done all
//! the same, and with a retry it is done as well:
//! `cargo run --release --features process --example killed_worker`

#[path = "support/mod.rs"]
mod support;

use std::process::ExitCode;
use std::sync::mpsc;

use clap::Parser;
use outlive::process::{Pool, TaskError};
use outlive::{Event, Queue, Reset, Segment};
use support::{Result, say};

#[derive(Parser)]
#[command(
    about = "Squares the numbers from 1 to 10 in 4 processes, and kills the one that is at 5"
)]
struct Arguments {
    /// How often a task is begun again after its worker died. Without it: never, and then once.
    #[arg(long, value_parser = clap::value_parser!(u32).range(0..=100))]
    retries: Option<u32>,
}

/// Squares a number; 5 only after it has told who does it, and waited for the gate to open.
fn square((n, pids, gate): (u64, Queue<u64>, Event)) -> u64 {
    if n == 5 {
        pids.push(std::process::id().into()).expect("tell the pid");
        gate.wait().expect("wait");
    }
    n * n
}

fn demo(retries: u32) -> Result<()> {
    let segment = Segment::anonymous()?;
    let (pids, gate) = (segment.queue("pids", 4)?, segment.event("gate", Reset::Manual)?);
    let pool = Pool::options().workers(4).retries(retries).start()?;
    let tasks: Vec<_> = (1..=10).map(|n| (n, pids.clone(), gate.clone())).collect();
    let squares = pool.map_async(square, tasks)?;
    let (over, done) = mpsc::channel();
    squares.on_done(move || {
        // Nobody listens if this program ended early.
        let _ended = over.send(());
    });

    let pid = u32::try_from(pids.pop()?)?;
    let workers = pool.workers();
    let victim = workers.iter().find(|worker| worker.pid() == pid);
    victim.ok_or("the worker is gone")?.kill()?;
    gate.set()?;
    done.recv()?;

    say!("with {retries} retries:");
    for (n, outcome) in (1..).zip(squares.get_each()?) {
        match outcome {
            Ok(square) => say!("  {n}: {square}"),
            Err(TaskError::WorkerDied { end, .. }) => say!("  {n}: its worker {end}"),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn main() -> ExitCode {
    let both = Arguments::parse().retries.map_or(vec![0, 1], |retries| vec![retries]);
    support::exit(both.into_iter().try_for_each(demo))
}
