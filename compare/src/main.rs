//! The same work on `outlive` and on other means of communication between processes, measured in
//! turn on one machine.
//!
//! `cargo run --release -p outlive-compare` prints tables, with `-- --json` one JSON object a line,
//! and writes `docs/benchmarks/`; `-- --quick` measures less and writes nothing. Every figure is
//! between two real processes on cores of their own (this program starts itself again), except for
//! the peers that are made for threads. The ratio is the median over interleaved turns.
//! A failed check (a wrong sequence, a torn message, a hang) ends with an error; slowness does not.

#[path = "../../benches/support/mod.rs"]
mod support;

mod cli;
mod contest;
mod document;
mod machine;
mod message;
mod peers;
mod report;
mod stage;
mod work;
mod workloads;

use clap::Parser;

use cli::{Arguments, Plan};
use contest::Contest;
use report::Report;
use support::child::Child;
use support::{Result, watchdog};

fn main() {
    let arguments = Arguments::parse();
    let done = match &arguments.child {
        Some(ticket) => Child::enter(ticket).and_then(|child| stage::child(&child)),
        None => run(&arguments),
    };
    if let Err(failure) = done {
        watchdog::abort(&format!("outlive-compare: {failure}"), 1);
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    let plan = Plan::new(arguments)?;
    let mut report = Report::new(arguments.json);
    watchdog::start()?;
    introduce(&plan, &report);
    for work in work::all(arguments.quick).filter(|work| arguments.wants_workload(work.kind)) {
        Contest::new(work, arguments).run(&plan, &mut report)?;
    }
    if let Some(directory) = arguments.directory() {
        document::write(&directory, &plan, &report)?;
        report.note(&format!("\nwritten: {}", directory.display()));
    }
    Ok(())
}

fn introduce(plan: &Plan, report: &Report) {
    if plan.cores.count() < 2 {
        report.note("Only one core is allowed: nothing is pinned, and the figures mean little.");
    }
    report.note(&format!(
        "Interleaved turns: {}, of {} ms each. Ratios are to {}, measured in the same turns.\n\
         threads: between two threads of one process, as a bound, not between processes.",
        plan.turns,
        plan.slice.as_millis(),
        peers::REFERENCE,
    ));
}
