//! One counter in shared memory, and several processes that count it up.
//!
//! ```text
//! cargo run --release --example shared_counter
//! cargo run --release --example shared_counter -- --lock none      # what a lock prevents
//! cargo run --release --example shared_counter -- --kill           # workers are SIGKILLed
//! ```
//!
//! This process, the parent, creates a segment and starts the workers. They are programs of their
//! own, not forks: each finds the segment by its name, and so can anybody else with `--attach`.
//!
//! | file in `shared_counter/` | what it is about |
//! |---|---|
//! | `tally/` | the counter itself, once for each way to protect it: start reading here |
//! | `board.rs` | the segment and the objects in it |
//! | `roster.rs` | who takes part, and who of them is alive |
//! | `worker.rs`, `joiner.rs` | the processes that count |
//! | `parent.rs` | the process that starts them, watches them and draws the conclusion |
//! | `crew.rs`, `saboteur.rs` | the parent's child processes, and which of them is killed when |
//! | `cli.rs`, `progress.rs`, `report.rs`, `interrupt.rs` | what people see and type |

#[path = "shared_counter/board.rs"]
mod board;
#[path = "shared_counter/cli.rs"]
mod cli;
#[path = "shared_counter/crew.rs"]
mod crew;
#[path = "shared_counter/interrupt.rs"]
mod interrupt;
#[path = "shared_counter/joiner.rs"]
mod joiner;
#[path = "shared_counter/parent.rs"]
mod parent;
#[path = "shared_counter/progress.rs"]
mod progress;
#[path = "shared_counter/report.rs"]
mod report;
#[path = "shared_counter/roster.rs"]
mod roster;
#[path = "shared_counter/saboteur.rs"]
mod saboteur;
#[path = "shared_counter/tally/mod.rs"]
mod tally;
#[path = "shared_counter/worker.rs"]
mod worker;

use std::process::ExitCode;

use clap::Parser;

/// Whatever ends the demo early, in words.
type Failure = Box<dyn std::error::Error + Send + Sync>;
type Result<T, E = Failure> = std::result::Result<T, E>;

/// `println!` that reports a closed pipe (`| head`) as an error, not as a panic.
macro_rules! say {
    ($($text:tt)*) => {{
        use std::io::Write;
        writeln!(std::io::stdout(), $($text)*)?;
    }};
}
use say;

fn main() -> ExitCode {
    let arguments = cli::Arguments::parse();
    if let Err(reason) = arguments.check() {
        reason.exit();
    }
    let done = match (&arguments.role, &arguments.attach) {
        (Some(cli::Role::Worker(worker)), _) => worker::run(worker),
        (None, Some(name)) => joiner::run(name, &arguments),
        (None, None) => parent::run(&arguments),
    };
    done.unwrap_or_else(|failure| {
        eprintln!("shared_counter: {failure}");
        ExitCode::FAILURE
    })
}
