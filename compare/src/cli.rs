//! The command line, and how much it means to measure.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use clap::builder::PossibleValuesParser;

use crate::peers;
use crate::support::clock::Clock;
use crate::support::cpu::Cores;
use crate::support::{Result, cpu};
use crate::work::Kind;

/// The same work on outlive and on other means of communication, measured in turn.
///
/// A whole run takes some minutes and writes its tables and charts to docs/benchmarks; run it on a
/// machine that has nothing else to do.
#[derive(Parser, Debug)]
#[command(name = "outlive-compare")]
pub(crate) struct Arguments {
    /// Print one JSON object a line instead of tables
    #[arg(long)]
    pub(crate) json: bool,

    /// Measure less: half a minute in all, and nothing is written
    #[arg(long)]
    pub(crate) quick: bool,

    /// Measure only this peer, beside the reference (may be repeated); nothing is written
    #[arg(long, value_name = "NAME", value_parser = PossibleValuesParser::new(peers::names()))]
    peer: Vec<String>,

    /// Do only this work (may be repeated); nothing is written
    #[arg(long, value_name = "NAME", value_enum)]
    workload: Vec<Kind>,

    /// Write tables and charts to this directory, whatever was measured
    #[arg(long, value_name = "DIRECTORY")]
    write: Option<PathBuf>,

    /// The part of a child process, passed by this program to itself
    #[arg(long, hide = true, value_name = "TICKET")]
    pub(crate) child: Option<String>,
}

impl Arguments {
    /// Whether such work is asked for.
    pub(crate) fn wants_workload(&self, kind: Kind) -> bool {
        self.workload.is_empty() || self.workload.contains(&kind)
    }

    /// Whether this peer is asked for. The reference always is.
    pub(crate) fn wants_peer(&self, name: &str) -> bool {
        self.peer.is_empty() || name == peers::REFERENCE || self.peer.iter().any(|p| p == name)
    }

    /// Where to write to, if that is to be done.
    pub(crate) fn directory(&self) -> Option<PathBuf> {
        let whole = !self.quick && self.peer.is_empty() && self.workload.is_empty();
        self.write.clone().or_else(|| whole.then(documents))
    }
}

/// In the source tree that cargo runs this from, or in the current directory.
fn documents() -> PathBuf {
    let package = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let root = package.and_then(|path| path.parent().map(PathBuf::from)).unwrap_or_default();
    root.join("docs/benchmarks")
}

/// How much to measure, and with what.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Interleaved turns of each peer.
    pub(crate) turns: usize,
    /// How long one turn lasts.
    pub(crate) slice: Duration,
    pub(crate) cores: Cores,
    pub(crate) clock: Clock,
}

impl Plan {
    /// Pins the calling thread to the first core and decides the amount of work.
    pub(crate) fn new(arguments: &Arguments) -> Result<Self> {
        let cores = Cores::detect()?;
        cpu::pin(cores.of(0))?;
        let (turns, slice_ms) = if arguments.quick { (3, 20) } else { (7, 150) };
        Ok(Self { turns, slice: Duration::from_millis(slice_ms), cores, clock: Clock::measure() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(options: &[&str]) -> std::result::Result<Arguments, clap::Error> {
        Arguments::try_parse_from([&["outlive-compare"], options].concat())
    }

    #[test]
    fn unknown_names_list_what_there_is() {
        let error = parse(&["--peer", "pigeon"]).unwrap_err().to_string();
        assert!(error.contains("pigeon") && error.contains("iceoryx2"), "{error}");
        let error = parse(&["--workload", "gossip"]).unwrap_err().to_string();
        assert!(error.contains("gossip") && error.contains("round_trip"), "{error}");
    }

    #[test]
    fn only_a_whole_run_writes_unasked() {
        assert!(parse(&[]).unwrap().directory().is_some());
        assert!(parse(&["--json"]).unwrap().directory().is_some());
        for options in [&["--quick"][..], &["--peer", "mqueue"], &["--workload", "mpmc"]] {
            assert_eq!(parse(options).unwrap().directory(), None, "{options:?}");
            let written = parse(&[options, &["--write", "here"]].concat()).unwrap().directory();
            assert_eq!(written, Some("here".into()));
        }
    }

    #[test]
    fn the_reference_is_always_measured() {
        let arguments = parse(&["--peer", "mqueue"]).unwrap();
        assert!(arguments.wants_peer("mqueue") && arguments.wants_peer(peers::REFERENCE));
        assert!(!arguments.wants_peer("iceoryx2"));
    }
}
