//! The command line.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory, Parser, Subcommand};

use crate::tally::{Lock, MAX_WORKERS};

/// Several processes count up one number in shared memory.
#[derive(Parser, Debug)]
#[command(
    name = "shared_counter",
    after_help = "Exit status: 0 if the result is right, 1 if it is wrong or something failed, \
                  2 for wrong arguments, 130 after Ctrl-C."
)]
pub(crate) struct Arguments {
    /// How many worker processes to start
    #[arg(long, value_name = "N", default_value_t = 4,
          value_parser = clap::value_parser!(u32).range(1..=MAX_WORKERS as i64))]
    pub(crate) processes: u32,

    /// How often each process adds 1
    #[arg(long, value_name = "N", default_value_t = 100_000,
          value_parser = clap::value_parser!(u64).range(1..=1_000_000_000_000))]
    pub(crate) increments: u64,

    /// What protects the counter
    #[arg(long, value_enum, default_value_t = Lock::Value)]
    lock: Lock,

    /// SIGKILL workers in the middle of their work, and restart them
    #[arg(long)]
    pub(crate) kill: bool,

    /// Repeats the choices that --kill made at random (not the timing)
    #[arg(long, value_name = "N", requires = "kill")]
    seed: Option<u64>,

    /// Wait for N processes to --attach before the counting starts
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) joiners: u32,

    /// Join the demo that runs with this segment, from a second terminal
    #[arg(long, value_name = "NAME",
          conflicts_with_all = ["processes", "lock", "kill", "joiners", "timeout"])]
    pub(crate) attach: Option<String>,

    /// Print one line of JSON and nothing else
    #[arg(long)]
    pub(crate) json: bool,

    /// Give up when nothing has moved for so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60,
          value_parser = clap::value_parser!(u64).range(1..=86_400))]
    timeout: u64,

    #[command(subcommand)]
    pub(crate) role: Option<Role>,
}

#[derive(Subcommand, Debug)]
pub(crate) enum Role {
    /// What the parent starts
    #[command(hide = true)]
    Worker(Worker),
}

#[derive(Args, Debug)]
pub(crate) struct Worker {
    /// The segment's name
    #[arg(long)]
    pub(crate) segment: String,
    /// Which of the workers this is
    #[arg(long, value_parser = slot)]
    pub(crate) slot: usize,
    /// The parent's process id
    #[arg(long)]
    pub(crate) parent: i32,
    /// Let others run now and then
    #[arg(long)]
    pub(crate) give_way: bool,
}

fn slot(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(slot) if slot < MAX_WORKERS => Ok(slot),
        _ => Err(format!("a slot is a number below {MAX_WORKERS}")),
    }
}

impl Arguments {
    pub(crate) fn lock(&self) -> Lock {
        if self.kill { self.lock.for_kills() } else { self.lock }
    }

    pub(crate) fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout)
    }

    /// The seed that was given, or a random one that is easy to type.
    pub(crate) fn seed(&self) -> u64 {
        self.seed.unwrap_or_else(|| RandomState::new().hash_one(0) % 1_000_000)
    }

    /// What each worker that the parent starts has to do.
    pub(crate) fn targets(&self) -> Vec<u64> {
        vec![self.increments; self.processes as usize]
    }

    /// What cannot be said about one argument alone.
    pub(crate) fn check(&self) -> Result<(), clap::Error> {
        let wrong = |text: String| Err(Self::command().error(ErrorKind::ValueValidation, text));
        if self.attach.is_some() || self.role.is_some() {
            return Ok(());
        }
        let free = MAX_WORKERS as u32 - self.processes;
        if self.joiners > free {
            return wrong(format!(
                "--joiners {}: there are {MAX_WORKERS} places in all, and with --processes {} only \
                 {free} are left",
                self.joiners, self.processes
            ));
        }
        self.lock().check(self.targets()).or_else(wrong)
    }
}
