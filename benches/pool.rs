//! What a pool and its processes cost, beside Python's `multiprocessing.Pool`, rayon's threads, and a
//! bare `std::process::Command`, measured in the same run.
//!
//! `cargo bench --features process --bench pool` prints tables, with `-- --json` one JSON object a line;
//! `-- --quick` measures less. All pools have as many workers as there are cores, and use all of them.
//! Results are checked. Without python3, the rows say so and have no ratio to it.

mod support;

#[path = "pool/python.rs"]
mod python;

use std::fmt;
use std::hint::black_box;
use std::process::{Command, Stdio};

use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;
use outlive::process::{Pool, Process, cpu_count};
use rayon::prelude::*;

use python::Python;
use support::child::Child;
use support::cli::Plan;
use support::clock::now_ns;
use support::compare::{Bar, Comparison, Heading, Metric, Part};
use support::program::Program;
use support::report::Report;
use support::stats::Slice;
use support::{Result, failed, watchdog};

fn main() {
    let workloads = &[
        ("tiny-tasks", tiny as fn(&Plan, &mut Report) -> Result<()>),
        ("squares", squares),
        ("work", work),
        ("start-join", start),
    ];
    Program::<()> { name: "pool", workloads, child: no_child }.main();
}

fn no_child(_: &Child<()>) -> Result<()> {
    failed("this benchmark has no children of its own")
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Peer {
    Outlive,
    Python,
    Rayon,
    Command,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Outlive => "outlive",
            Self::Python => "python3",
            Self::Rayon => "rayon",
            Self::Command => "command",
        })
    }
}

/// Lets this thread, and what it starts, use all cores again.
fn use_all(plan: &Plan) -> Result<()> {
    let mut set = CpuSet::new();
    for core in (0..plan.cores.count()).filter_map(|index| plan.cores.of(index)) {
        set.set(core)?;
    }
    if plan.cores.count() > 1 {
        sched_setaffinity(Pid::from_raw(0), &set)?;
    }
    Ok(())
}

fn timed(count: u64, run: impl FnOnce() -> Result<()>) -> Result<Slice> {
    let began = now_ns();
    run()?;
    Ok(Slice::of_rate(count, now_ns() - began))
}

fn square(n: u64) -> u64 {
    n * n
}

fn check(results: &[u64], count: u64) -> Result<()> {
    let right = results.len() as u64 == count && results.last() == Some(&square(count - 1));
    if right { Ok(()) } else { failed("wrong squares") }
}

/// Squares beside Python's.
fn beside_python(
    plan: &Plan,
    report: &mut Report,
    workload: &'static str,
    (count, chunk): (u64, u64),
    bars: &'static [Bar],
) -> Result<()> {
    use_all(plan)?;
    watchdog::step(workload);
    let workers = cpu_count();
    let mut python = Python::start(workers);
    if python.is_none() {
        report.note(&format!("{workload}: no python3 that works here, so no ratio to it"));
    }
    let pool = Pool::new(workers)?;
    let both = [(Peer::Outlive, Part::Judged(bars)), (Peer::Python, Part::Reference)];
    Comparison {
        heading: Heading { workload, processes: Some(workers), ..Heading::default() },
        yardstick: Metric::Rate,
        contenders: if python.is_some() { &both } else { &both[..1] },
    }
    .run(plan, report, |peer| {
        watchdog::step(workload);
        match (peer, &mut python) {
            (Peer::Python, Some(python)) => Ok(Slice::of_rate(count, python.map(count, chunk)?)),
            _ => timed(count, || match chunk {
                0 => check(&pool.map(square, 0..count)?, count),
                _ => check(&pool.map_chunked(square, 0..count, chunk as usize)?, count),
            }),
        }
    })?;
    watchdog::rest();
    Ok(())
}

/// Tasks one by one.
fn tiny(plan: &Plan, report: &mut Report) -> Result<()> {
    const BARS: &[Bar] = &[Bar { metric: Metric::Rate, limit: 50.0 }];
    beside_python(plan, report, "tiny-tasks", (20_000, 1), BARS)
}

/// Many tasks, in chunks of the pool's choice.
fn squares(plan: &Plan, report: &mut Report) -> Result<()> {
    const BARS: &[Bar] = &[Bar { metric: Metric::Rate, limit: 20.0 }];
    beside_python(plan, report, "squares", (100_000, 0), BARS)
}

/// About a microsecond of arithmetic.
fn rounds(n: u64) -> u64 {
    (0..1000).fold(n, |sum, round| black_box(sum).wrapping_mul(6_364_136_223_846_793_005) ^ round)
}

/// Tasks of a microsecond, beside threads that share everything.
fn work(plan: &Plan, report: &mut Report) -> Result<()> {
    const BARS: &[Bar] = &[Bar { metric: Metric::Rate, limit: 0.5 }];
    const COUNT: u64 = 100_000;
    use_all(plan)?;
    watchdog::step("work");
    let workers = cpu_count();
    let pool = Pool::new(workers)?;
    let threads = rayon::ThreadPoolBuilder::new().num_threads(workers).build()?;
    let expected: Vec<u64> = (0..COUNT).map(rounds).collect();
    Comparison {
        heading: Heading { workload: "work", processes: Some(workers), ..Heading::default() },
        yardstick: Metric::Rate,
        contenders: &[(Peer::Outlive, Part::Judged(BARS)), (Peer::Rayon, Part::Reference)],
    }
    .run(plan, report, |peer| {
        watchdog::step("work");
        timed(COUNT, || {
            let results: Vec<u64> = if peer == Peer::Rayon {
                threads.install(|| (0..COUNT).into_par_iter().map(rounds).collect())
            } else {
                pool.map(rounds, 0..COUNT)?
            };
            if results == expected { Ok(()) } else { failed("wrong results") }
        })
    })?;
    watchdog::rest();
    Ok(())
}

/// A process that does nothing, beside a bare command that has the same program print its
/// help.
fn start(plan: &Plan, report: &mut Report) -> Result<()> {
    const BARS: &[Bar] = &[Bar { metric: Metric::Period, limit: 1.2 }];
    const COUNT: u64 = 20;
    use_all(plan)?;
    let program = std::env::current_exe()?;
    Comparison {
        heading: Heading { workload: "start-join", ..Heading::default() },
        yardstick: Metric::Period,
        contenders: &[(Peer::Outlive, Part::Judged(BARS)), (Peer::Command, Part::Reference)],
    }
    .run(plan, report, |peer| {
        watchdog::step("start-join");
        timed(COUNT, || {
            for _ in 0..COUNT {
                if peer == Peer::Outlive {
                    Process::start(|()| (), ())?.join()?;
                } else {
                    let mut command = Command::new(&program);
                    command.arg("--help").stdin(Stdio::null()).stdout(Stdio::null());
                    if !command.status()?.success() {
                        return failed("the program failed");
                    }
                }
            }
            Ok(())
        })
    })?;
    watchdog::rest();
    Ok(())
}
