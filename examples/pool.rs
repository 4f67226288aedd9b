//! Squares in a pool of processes: `cargo run --release --features process --example pool`. With
//! `-- --kill`, a worker is killed in the middle: its task is told from the others, which are done all
//! the same, and with a retry it is done as well.

use std::error::Error;
use std::sync::mpsc;

use clap::Parser;
use outlive::process::{Pool, TaskError};
use outlive::{Event, Reset, Segment};

#[derive(Parser)]
#[command(about = "Squares the numbers from 1 to 10 in 4 processes")]
struct Arguments {
    /// Kill the worker that squares 5.
    #[arg(long)]
    kill: bool,
}

fn square(n: u64) -> u64 {
    n * n
}

/// Squares a number; 5 only after it has told who does it, and waited for the gate to open.
fn careful_square((n, pids, gate): (u64, outlive::Queue<u64>, Event)) -> u64 {
    if n == 5 {
        pids.push(std::process::id().into()).expect("tell the pid");
        gate.wait().expect("wait");
    }
    n * n
}

fn main() -> Result<(), Box<dyn Error>> {
    if Arguments::parse().kill {
        return kill();
    }
    let mut pool = Pool::new(4)?;
    println!("squares: {:?}", pool.map(square, 1..=10)?);
    println!("a power: {}", pool.starmap(u64::pow, [(2, 10)])?[0]);
    pool.close();
    Ok(pool.join()?)
}

fn kill() -> Result<(), Box<dyn Error>> {
    for retries in [0, 1] {
        let segment = Segment::anonymous()?;
        let (pids, gate) = (segment.queue("pids", 4)?, segment.event("gate", Reset::Manual)?);
        let pool = Pool::options().workers(4).retries(retries).start()?;
        let tasks: Vec<_> = (1..=10).map(|n| (n, pids.clone(), gate.clone())).collect();
        let squares = pool.map_async(careful_square, tasks)?;
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

        println!("with {retries} retries:");
        for (n, outcome) in (1..).zip(squares.get_each()?) {
            match outcome {
                Ok(square) => println!("  {n}: {square}"),
                Err(TaskError::WorkerDied { end, .. }) => println!("  {n}: its worker {end}"),
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(())
}
