//! Measures contenders in turn, several short times each, and relates them to their reference.
//!
//! What disturbs a machine lasts longer than one slice: neighbouring slices suffer alike, so the
//! ratio is taken within each repetition and its median reported, with the spread.

use super::Result;
use super::cli::Plan;
use super::report::{Figure, Report, Row};
use super::stats::{Slice, Spread};

/// What a ratio is taken of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Metric {
    P50,
    P99,
    /// Time per operation over all participants: the inverse of the rate, so lower is better.
    Period,
    /// Operations per second: higher is better.
    Rate,
}

impl Metric {
    fn of(self, slice: &Slice) -> Option<f64> {
        let quantile = |q| slice.latencies.as_ref().map(|l| l.quantile_ns(q));
        match self {
            Self::P50 => quantile(0.5),
            Self::P99 => quantile(0.99),
            Self::Period => slice.rate_per_s.map(|rate| 1e9 / rate),
            Self::Rate => slice.rate_per_s,
        }
    }

    /// Whether more is better.
    pub(crate) fn rises(self) -> bool {
        self == Self::Rate
    }

    fn better(self, a: f64, b: f64) -> f64 {
        if self.rises() { a.max(b) } else { a.min(b) }
    }
}

/// What a ratio should be: at most `limit`, or at least it for a rate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bar {
    pub(crate) metric: Metric,
    pub(crate) limit: f64,
}

/// Why a contender takes part.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Part {
    /// Related to the reference and held against the bars.
    Judged(&'static [Bar]),
    /// What the others are related to; the better one of several counts, repetition by repetition.
    Reference,
    /// Shown for orientation, related to the reference.
    Beside,
}

/// What distinguishes one comparison from the next in the report.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Heading {
    pub(crate) workload: &'static str,
    pub(crate) mode: Option<&'static str>,
    pub(crate) bytes: Option<usize>,
    pub(crate) processes: Option<usize>,
}

/// A comparison: `P` names the contenders.
#[derive(Clone, Debug)]
pub(crate) struct Comparison<'a, P> {
    pub(crate) heading: Heading,
    /// What the ratio shown for every contender is taken of.
    pub(crate) yardstick: Metric,
    pub(crate) contenders: &'a [(P, Part)],
}

impl<P: Copy + std::fmt::Display> Comparison<'_, P> {
    /// Runs `slice` for each contender in turn, as often as planned, and reports a row for each.
    pub(crate) fn run(
        &self,
        plan: &Plan,
        report: &mut Report,
        mut slice: impl FnMut(P) -> Result<Slice>,
    ) -> Result<()> {
        let count = self.contenders.len();
        let mut slices: Vec<Vec<Slice>> = vec![Vec::new(); count];
        for repetition in 0..plan.repetitions {
            // Each begins in turn, so that nobody always follows the same neighbour.
            for at in (0..count).map(|i| (i + repetition) % count) {
                let peer = self.contenders[at].0;
                if plan.wants(peer) {
                    slices[at].push(slice(peer)?);
                }
            }
        }
        for (at, &(peer, part)) in self.contenders.iter().enumerate() {
            if !slices[at].is_empty() {
                report.add(self.row(peer, part, &slices[at], &slices))?;
            }
        }
        Ok(())
    }

    fn row(&self, peer: P, part: Part, own: &[Slice], all: &[Vec<Slice>]) -> Row {
        let parts = own.iter().filter_map(|s| s.latencies.clone());
        let latencies = parts.reduce(|mut all, part| {
            all.merge(&part);
            all
        });
        let rates = own.iter().filter_map(|s| s.rate_per_s).collect();
        let mut row = Row::new(self.heading, peer.to_string());
        if let Some(latencies) = latencies.filter(|latencies| !latencies.is_empty()) {
            row.latencies(&latencies);
        }
        row.rate_per_s = Spread::of(rates).map(|rates| rates.median);
        let figure = |metric, bar| Figure::new(metric, self.ratio(metric, own, all), bar);
        row.figures = match part {
            Part::Reference => Vec::new(),
            Part::Beside => vec![figure(self.yardstick, None)],
            Part::Judged([]) => vec![figure(self.yardstick, None)],
            Part::Judged(bars) => {
                bars.iter().map(|bar| figure(bar.metric, Some(bar.limit))).collect()
            }
        };
        row.reference = matches!(part, Part::Reference);
        row
    }

    /// Repetition by repetition: own against the best reference.
    fn ratio(&self, metric: Metric, own: &[Slice], all: &[Vec<Slice>]) -> Option<Spread> {
        let reference = |repetition: usize| {
            std::iter::zip(self.contenders, all)
                .filter(|((_, part), _)| matches!(part, Part::Reference))
                .filter_map(|(_, slices)| metric.of(slices.get(repetition)?))
                .reduce(|a, b| metric.better(a, b))
        };
        let ratios = own.iter().enumerate();
        Spread::of(ratios.filter_map(|(i, s)| Some(metric.of(s)? / reference(i)?)).collect())
    }
}
