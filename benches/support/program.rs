//! A benchmark's `main`: the command line, and which workloads it asks for.

use clap::Parser;
use serde::de::DeserializeOwned;

use super::child::Child;
use super::cli::{Options, Plan};
use super::report::Report;
use super::{Result, failed, watchdog};

#[derive(Parser, Debug)]
#[command(about = "Costs of outlive beside references measured in the same run")]
struct Arguments {
    #[command(flatten)]
    options: Options,
}

/// The parent's part of a workload.
pub(crate) type Run = fn(&Plan, &mut Report) -> Result<()>;

/// A benchmark; `J` is what its children are told.
pub(crate) struct Program<J: 'static> {
    pub(crate) name: &'static str,
    /// Every workload by its name, in the order in which they run.
    pub(crate) workloads: &'static [(&'static str, Run)],
    /// A child's part.
    pub(crate) child: fn(&Child<J>) -> Result<()>,
}

impl<J: DeserializeOwned> Program<J> {
    /// Runs what the command line asks for.
    pub(crate) fn main(&self) {
        let options = Arguments::parse().options;
        let done = match &options.child {
            Some(ticket) => Child::enter(ticket).and_then(|child| (self.child)(&child)),
            None => self.run(&options),
        };
        if let Err(failure) = done {
            watchdog::abort(&format!("{}: {failure}", self.name), 1);
        }
    }

    fn run(&self, options: &Options) -> Result<()> {
        for name in &options.workload {
            if !self.workloads.iter().any(|(known, _)| known == name) {
                let names: Vec<&str> = self.workloads.iter().map(|&(known, _)| known).collect();
                return failed(format!("no workload `{name}`; there are: {}", names.join(", ")));
            }
        }
        let plan = Plan::new(options)?;
        let mut report = Report::new(options.json);
        watchdog::start()?;
        introduce(options, &plan, &report);
        for (name, run) in self.workloads {
            if options.wants(name) {
                run(&plan, &mut report)?;
            }
        }
        Ok(())
    }
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
