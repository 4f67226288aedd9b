//! The command line that every benchmark here understands, and how much it means to measure.

use std::time::Duration;

use clap::Args;

use super::clock::Clock;
use super::cpu::Cores;
use super::{Result, cpu};

/// Options shared by the benchmarks.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Print one JSON object a line instead of tables
    #[arg(long)]
    pub(crate) json: bool,

    /// Measure less: under a minute in all
    #[arg(long)]
    pub(crate) quick: bool,

    /// Run only this workload (may be given several times)
    #[arg(long, value_name = "NAME")]
    pub(crate) workload: Vec<String>,

    /// Measure only this peer, without ratios if its reference is left out (may be repeated)
    #[arg(long, value_name = "NAME")]
    pub(crate) peer: Vec<String>,

    /// Run only the workloads whose name contains this
    #[arg(value_name = "FILTER")]
    pub(crate) filter: Option<String>,

    /// Passed by `cargo bench`
    #[arg(long, hide = true)]
    bench: bool,

    #[command(flatten)]
    libtest: LibtestOptions,

    /// The part of a child process, passed by the benchmark to itself
    #[arg(long, hide = true, value_name = "TICKET")]
    pub(crate) child: Option<String>,
}

impl Options {
    /// Neither `cargo bench` nor a person asked for figures: `cargo test --benches` runs a
    /// benchmark without arguments, and then only whether it works is of interest.
    pub(crate) fn is_smoke_test(&self) -> bool {
        !(self.bench || self.json || self.quick || !self.workload.is_empty())
    }

    /// Whether `workload` is to run.
    pub(crate) fn wants(&self, workload: &str) -> bool {
        let named = self.workload.is_empty() || self.workload.iter().any(|name| name == workload);
        named && self.filter.as_ref().is_none_or(|part| workload.contains(part.as_str()))
    }
}

/// What people pass to every test binary at once (`cargo test --all-targets -- --nocapture`);
/// accepted and ignored.
#[derive(Args, Debug)]
struct LibtestOptions {
    #[arg(long, hide = true)]
    nocapture: bool,
    #[arg(long, hide = true)]
    show_output: bool,
    #[arg(long, short, hide = true)]
    quiet: bool,
    #[arg(long, hide = true)]
    test_threads: Option<String>,
}

/// How much to measure, and with what.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Interleaved repetitions of each contender.
    pub(crate) repetitions: usize,
    /// How long one repetition of a throughput or latency measurement lasts.
    pub(crate) slice: Duration,
    /// Processes killed in one repetition.
    pub(crate) kills: usize,
    /// How long an idle process is watched.
    pub(crate) idle: Duration,
    pub(crate) cores: Cores,
    peers: Vec<String>,
    pub(crate) clock: Clock,
}

impl Plan {
    /// Pins the calling thread to the first core and decides the amount of work.
    pub(crate) fn new(options: &Options) -> Result<Self> {
        let cores = Cores::detect()?;
        cpu::pin(cores.of(0))?;
        let (repetitions, slice_ms, kills, idle_ms) = if options.is_smoke_test() {
            (1, 10, 2, 100)
        } else if options.quick {
            (5, 60, 10, 1000)
        } else {
            (11, 250, 30, 2000)
        };
        Ok(Self {
            repetitions,
            slice: Duration::from_millis(slice_ms),
            kills,
            idle: Duration::from_millis(idle_ms),
            cores,
            peers: options.peer.clone(),
            clock: Clock::measure(),
        })
    }

    /// Whether `peer` is to be measured.
    pub(crate) fn wants(&self, peer: impl std::fmt::Display) -> bool {
        let name = peer.to_string();
        self.peers.is_empty() || self.peers.contains(&name)
    }
}
