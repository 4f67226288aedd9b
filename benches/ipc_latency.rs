//! What communicating through `outlive` costs, beside bare references measured in the same run.
//!
//! `cargo bench --bench ipc_latency` prints tables, with `-- --json` one JSON object a line;
//! `-- --quick` measures less. Every figure compares two real processes on cores of their own
//! (this program starts itself again), except for the references that are made for threads. The
//! ratio is the median over interleaved repetitions; the bars are those of the project's design.
//! A failed check (a wrong sequence, a lost count, a hang) ends with an error; slowness does not.

mod support;

#[path = "ipc_latency/job.rs"]
mod job;
#[path = "ipc_latency/peers/mod.rs"]
mod peers;
#[path = "ipc_latency/workloads/mod.rs"]
mod workloads;

use clap::Parser;

use support::cli::{Options, Plan};
use support::report::Report;
use support::{Result, child, failed, watchdog};

#[derive(Parser, Debug)]
#[command(about = "Latency and throughput of outlive beside bare references")]
struct Arguments {
    #[command(flatten)]
    options: Options,
}

fn main() {
    let options = Arguments::parse().options;
    let done = match &options.child {
        Some(ticket) => child::Child::enter(ticket).and_then(|child| workloads::child(&child)),
        None => run(&options),
    };
    if let Err(failure) = done {
        watchdog::abort(&format!("ipc_latency: {failure}"), 1);
    }
}

fn run(options: &Options) -> Result<()> {
    for name in &options.workload {
        if !workloads::ALL.iter().any(|(known, _)| known == name) {
            let names = workloads::ALL.map(|(known, _)| known).join(", ");
            return failed(format!("no workload `{name}`; there are: {names}"));
        }
    }
    let plan = Plan::new(options)?;
    let mut report = Report::new(options.json);
    watchdog::start()?;
    introduce(options, &plan, &report);
    for (name, run) in workloads::ALL {
        if options.wants(name) {
            run(&plan, &mut report)?;
        }
    }
    Ok(())
}

fn introduce(options: &Options, plan: &Plan, report: &Report) {
    if options.is_smoke_test() {
        report.note("A short test run, as `--bench` is not given: the figures mean little.");
    }
    if plan.cores.count() < 2 {
        report.note("Only one core is allowed: nothing is pinned, and the figures mean little.");
    }
    report.note(&format!(
        "Interleaved repetitions: {}; * marks the reference that ratios relate to (the better one, \
         if two).\nOne clock reading, {:.1} ns, is taken off each timed operation; the clock \
         advances in steps of {} ns.",
        plan.repetitions,
        plan.clock.cost_ps as f64 / 1000.0,
        plan.clock.step_ps / 1000
    ));
}
