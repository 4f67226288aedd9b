//! What a pool, its processes and a shared map cost, beside Python's `multiprocessing`, rayon's threads,
//! and a bare `std::process::Command`, measured in the same run.
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
use outlive::Segment;
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
        ("texts", texts),
        ("map", entries),
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
    /// The same through `map_slice`.
    Slice,
    Python,
    Rayon,
    Command,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Outlive => "outlive",
            Self::Slice => "outlive-slice",
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

/// A reference that may be missing.
fn python(workload: &str, workers: usize, report: &mut Report) -> Option<Python> {
    let python = Python::start(workers);
    if python.is_none() {
        report.note(&format!("{workload}: no python3 that works here, so no ratio to it"));
    }
    python
}

/// Those that there are.
fn present(all: &[(Peer, Part)], python: Option<&Python>) -> Vec<(Peer, Part)> {
    let all = all.iter().copied();
    all.filter(|(peer, _)| python.is_some() || *peer != Peer::Python).collect()
}

fn square(n: u64) -> u64 {
    n * n
}

fn check(results: &[u64], count: u64) -> Result<()> {
    let right = results.len() as u64 == count && results.last() == Some(&square(count - 1));
    if right { Ok(()) } else { failed("wrong squares") }
}

/// Tasks one by one.
fn tiny(plan: &Plan, report: &mut Report) -> Result<()> {
    const BARS: &[Bar] = &[Bar { metric: Metric::Rate, limit: 50.0 }];
    const COUNT: u64 = 20_000;
    const ROUNDS: u64 = 10;
    use_all(plan)?;
    watchdog::step("tiny-tasks");
    let workers = cpu_count();
    let mut python = python("tiny-tasks", workers, report);
    let pool = Pool::new(workers)?;
    let all = [(Peer::Outlive, Part::Judged(BARS)), (Peer::Python, Part::Reference)];
    Comparison {
        heading: Heading { workload: "tiny-tasks", processes: Some(workers), ..Heading::default() },
        yardstick: Metric::Rate,
        contenders: &present(&all, python.as_ref()),
    }
    .run(plan, report, |peer| {
        watchdog::step("tiny-tasks");
        match (peer, &mut python) {
            (Peer::Python, Some(python)) => {
                Ok(Slice::of_rate(COUNT, python.time(format_args!("map {COUNT} 1"))?))
            }
            _ => timed(COUNT * ROUNDS, || {
                (0..ROUNDS).try_for_each(|_| check(&pool.map_chunked(square, 0..COUNT, 1)?, COUNT))
            }),
        }
    })?;
    watchdog::rest();
    Ok(())
}

/// Many numbers, in chunks of the pool's choice; and as a slice, beside threads that share everything.
fn squares(plan: &Plan, report: &mut Report) -> Result<()> {
    const BARS: &[Bar] = &[Bar { metric: Metric::Rate, limit: 20.0 }];
    const COUNT: u64 = 100_000;
    const ROUNDS: u64 = 10;
    use_all(plan)?;
    watchdog::step("squares");
    let workers = cpu_count();
    let mut python = python("squares", workers, report);
    let pool = Pool::new(workers)?;
    let threads = rayon::ThreadPoolBuilder::new().num_threads(workers).build()?;
    let numbers: Vec<u64> = (0..COUNT).collect();
    let all = [
        (Peer::Outlive, Part::Judged(BARS)),
        (Peer::Slice, Part::Beside),
        (Peer::Rayon, Part::Beside),
        (Peer::Python, Part::Reference),
    ];
    Comparison {
        heading: Heading { workload: "squares", processes: Some(workers), ..Heading::default() },
        yardstick: Metric::Rate,
        contenders: &present(&all, python.as_ref()),
    }
    .run(plan, report, |peer| {
        watchdog::step("squares");
        let run = || -> Result<Vec<u64>> {
            Ok(match peer {
                Peer::Slice => pool.map_slice(square, &numbers)?,
                Peer::Rayon => threads.install(|| (0..COUNT).into_par_iter().map(square).collect()),
                _ => pool.map(square, 0..COUNT)?,
            })
        };
        match (peer, &mut python) {
            (Peer::Python, Some(python)) => {
                Ok(Slice::of_rate(COUNT, python.time(format_args!("map {COUNT} 0"))?))
            }
            _ => timed(COUNT * ROUNDS, || (0..ROUNDS).try_for_each(|_| check(&run()?, COUNT))),
        }
    })?;
    watchdog::rest();
    Ok(())
}

/// Arguments that have to be serialised, in chunks of the pool's choice, and one by one.
fn texts(plan: &Plan, report: &mut Report) -> Result<()> {
    use_all(plan)?;
    watchdog::step("texts");
    let workers = cpu_count();
    let mut python = python("texts", workers, report);
    let pool = Pool::new(workers)?;
    for (mode, count, chunk) in [(None, 100_000, 0), (Some("chunks of one"), 20_000, 1)] {
        let texts: Vec<String> = (0..count).map(|n| format!("text number {n}")).collect();
        let all = [(Peer::Outlive, Part::Beside), (Peer::Python, Part::Reference)];
        let heading = Heading { workload: "texts", processes: Some(workers), mode, bytes: None };
        let contenders = present(&all, python.as_ref());
        let contenders = &contenders[..];
        Comparison { heading, yardstick: Metric::Rate, contenders }.run(plan, report, |peer| {
            watchdog::step("texts");
            if let (Peer::Python, Some(python)) = (peer, &mut python) {
                let took = python.time(format_args!("texts {count} {chunk}"))?;
                return Ok(Slice::of_rate(count, took));
            }
            let items = texts.clone();
            timed(count, || {
                let length = |text: String| text.len();
                let lengths = match chunk {
                    0 => pool.map(length, items)?,
                    _ => pool.map_chunked(length, items, chunk)?,
                };
                let right = lengths.iter().zip(&texts).all(|(length, text)| *length == text.len());
                if right { Ok(()) } else { failed("wrong lengths") }
            })
        })?;
    }
    watchdog::rest();
    Ok(())
}

/// Entries of a shared map, one by one in one process, beside a Manager's dict.
fn entries(plan: &Plan, report: &mut Report) -> Result<()> {
    const BARS: &[Bar] = &[Bar { metric: Metric::Rate, limit: 100.0 }];
    const KEYS: u64 = 100;
    const COUNT: u64 = 1_000_000;
    const SLOW: u64 = 2_000;
    use_all(plan)?;
    watchdog::step("map");
    let map = Segment::anonymous()?.map::<u64, u64>("map", KEYS as usize)?;
    for key in 0..KEYS {
        map.insert(key, 0)?;
    }
    let mut python = python("map", 1, report);
    for mode in ["get", "update"] {
        let all = [(Peer::Outlive, Part::Judged(BARS)), (Peer::Python, Part::Reference)];
        Comparison {
            heading: Heading { workload: "map", mode: Some(mode), ..Heading::default() },
            yardstick: Metric::Rate,
            contenders: &present(&all, python.as_ref()),
        }
        .run(plan, report, |peer| {
            watchdog::step("map");
            match (peer, &mut python) {
                (Peer::Python, Some(python)) => {
                    Ok(Slice::of_rate(SLOW, python.time(format_args!("{mode} {SLOW}"))?))
                }
                _ if mode == "get" => timed(COUNT, || {
                    for key in 0..COUNT {
                        if map.get(black_box(&(key % KEYS)))?.is_none() {
                            return failed("an entry is missing");
                        }
                    }
                    Ok(())
                }),
                _ => timed(COUNT, || {
                    for key in 0..COUNT {
                        map.update(black_box(&(key % KEYS)), |n| *n += 1)?;
                    }
                    Ok(())
                }),
            }
        })?;
    }
    watchdog::rest();
    Ok(())
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
