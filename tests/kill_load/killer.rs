//! Kills workers at random moments, and starts others in their place.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use indicatif::ProgressBar;
use serde::Serialize;

use crate::args::Args;
use crate::load::{Load, WORKERS};

/// What it came to.
#[derive(Serialize, Default)]
pub(crate) struct Totals {
    pub(crate) kills: u64,
    pub(crate) seed: u64,
    pub(crate) operations: i64,
    pub(crate) checks: u64,
    pub(crate) hung: u64,
    pub(crate) broken: u64,
    pub(crate) seconds: f64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) failures: Vec<String>,
}

/// xorshift64*: the same moments for the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % limit
    }
}

/// Killed when it is dropped.
struct Worker(Child);

impl Worker {
    fn start(name: &str, number: usize) -> Self {
        let program = std::env::current_exe().expect("current_exe");
        let mut command = Command::new(program);
        command.args(["--worker", name, &number.to_string()]).stderr(Stdio::inherit());
        Self(command.spawn().expect("spawn"))
    }

    /// None while it runs: nobody ends by himself.
    fn failed(&mut self) -> Option<String> {
        let status = self.0.try_wait().expect("wait")?;
        Some(format!("a worker ended with {status}"))
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _dead = self.0.kill();
        let _status = self.0.wait();
    }
}

/// How long all workers together may be without progress.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) fn run(args: &Args) -> Totals {
    let start = Instant::now();
    let name = format!("outlive-kill-load-{}", std::process::id());
    let mut totals = Totals { seed: args.seed, ..Totals::default() };
    if let Err(failure) = rampage(&name, args, &mut totals) {
        if failure.contains("time") || failure.contains("progress") {
            totals.hung += 1;
        } else {
            totals.broken += 1;
        }
        totals.failures.push(failure);
    }
    let path = format!("/dev/shm/{name}");
    if std::fs::exists(&path).unwrap_or(true) {
        totals.broken += 1;
        totals.failures.push(format!("left behind: {path}"));
        let _gone = std::fs::remove_file(path);
    }
    totals.seconds = start.elapsed().as_secs_f64();
    totals
}

fn rampage(name: &str, args: &Args, totals: &mut Totals) -> Result<(), String> {
    let load = Load::attach(name)?;
    let mut random = Random(args.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut workers: Vec<Worker> = (0..WORKERS).map(|number| Worker::start(name, number)).collect();
    let bar = ProgressBar::new(args.count); // hidden unless stderr is a terminal
    while totals.kills < args.count {
        let pause = Duration::from_micros(random.below(4000));
        let (moment, before) = (Instant::now(), load.operations.get());
        // Random moments are what this is about; but at least one worker gets something done.
        while moment.elapsed() < pause || load.operations.get() == before {
            if let Some(failure) = workers.iter_mut().find_map(Worker::failed) {
                return Err(failure);
            }
            if moment.elapsed() > PATIENCE {
                return Err("no progress".to_owned());
            }
            std::thread::sleep(Duration::from_micros(200));
        }
        // Now and then two at once.
        for _ in 0..1 + random.below(8) / 7 {
            let victim = random.below(WORKERS as u64) as usize;
            load.expect_death()?;
            drop(workers.remove(victim));
            workers.insert(victim, Worker::start(name, victim));
            totals.kills += 1;
        }
        load.check()?;
        totals.checks += 1;
        totals.operations = load.operations.get();
        bar.set_position(totals.kills);
    }
    bar.finish_and_clear();
    for _ in &workers {
        load.expect_death()?;
    }
    workers.clear();
    load.check_at_rest()
}
