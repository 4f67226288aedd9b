//! The kill matrix under load: four processes hammer every primitive, while a killer kills and
//! restarts them at random moments and checks what has to be true at any time.
//!
//! ```text
//! cargo test --release --test kill_load -- --count 10000 --seed 1 --json
//! ```

mod args;
mod broadcast_load;
mod killer;
mod load;
mod ring_load;
mod sync_load;

use std::process::ExitCode;
use std::time::Duration;

/// A worker is killed long before that, or its killer is gone.
const WORKER_PATIENCE: Duration = Duration::from_secs(600);

fn main() -> ExitCode {
    let args = match args::Args::parse() {
        Ok(args) => args,
        Err(wrong) => {
            eprintln!("{wrong}\n\n{}", args::USAGE);
            return ExitCode::from(2);
        }
    };
    if let Some((name, number)) = &args.worker {
        return work(name, *number);
    }
    if args.list {
        println!("kill_load: test");
        return ExitCode::SUCCESS;
    }
    if !args.filters.is_empty() && !args.filters.iter().any(|part| "kill_load".contains(&**part)) {
        return ExitCode::SUCCESS; // the filter was for another test binary
    }
    let totals = killer::run(&args);
    if args.json {
        println!("{}", serde_json::to_string(&totals).expect("JSON"));
    } else {
        println!(
            "{} kills, {} operations, {} checks in {:.1} s (seed {}): {} hung, {} broken",
            totals.kills,
            totals.operations,
            totals.checks,
            totals.seconds,
            totals.seed,
            totals.hung,
            totals.broken
        );
        totals.failures.iter().for_each(|failure| println!("    {failure}"));
    }
    if totals.failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Hammers until it is killed.
fn work(name: &str, number: usize) -> ExitCode {
    nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL).expect("prctl");
    let start = std::time::Instant::now();
    let hammered = load::Load::attach(name).and_then(|load| {
        (0..)
            .take_while(|_| start.elapsed() < WORKER_PATIENCE)
            .try_for_each(|i| load.round(number, i))
    });
    match hammered {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("worker {number}: {failure}");
            ExitCode::FAILURE
        }
    }
}
