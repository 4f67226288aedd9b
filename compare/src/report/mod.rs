//! One row for each peer and piece of work: a table for people, or one JSON object a line.

pub(crate) mod chart;
pub(crate) mod table;

use std::io::Write;

use serde::Serialize;

use crate::peers;
use crate::support::Result;
use crate::support::stats::{Latencies, Spread};
use crate::work::{Kind, Work};

/// What one peer came to.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) work: Work,
    pub(crate) peer: &'static str,
    pub(crate) outcome: Outcome,
    /// To the reference: of medians of latencies, or of rates.
    pub(crate) ratio: Option<Spread>,
}

/// What was measured.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    Latencies(Percentiles),
    Rate {
        per_s: Spread,
        bytes_per_s: f64,
    },
    /// Nothing, for this reason.
    Absent(String),
}

/// Of all turns together, in nanoseconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Percentiles {
    pub(crate) p50_ns: f64,
    pub(crate) p90_ns: f64,
    pub(crate) p99_ns: f64,
    pub(crate) p999_ns: f64,
}

impl Percentiles {
    pub(crate) const NAMES: [&str; 4] = ["p50", "p90", "p99", "p99.9"];

    pub(crate) fn all(&self) -> [f64; 4] {
        [self.p50_ns, self.p90_ns, self.p99_ns, self.p999_ns]
    }
}

impl Outcome {
    pub(crate) fn latencies(latencies: &Latencies) -> Self {
        let at = |quantile| latencies.quantile_ns(quantile);
        Self::Latencies(Percentiles {
            p50_ns: at(0.5),
            p90_ns: at(0.9),
            p99_ns: at(0.99),
            p999_ns: at(0.999),
        })
    }

    pub(crate) fn rate(work: Work, per_s: Spread) -> Self {
        Self::Rate { per_s, bytes_per_s: per_s.median * work.mean_bytes() }
    }
}

/// A row as its JSON object.
#[derive(Serialize)]
struct Line<'a> {
    workload: Kind,
    bytes: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pairs: Option<usize>,
    peer: &'a str,
    reference: bool,
    #[serde(flatten)]
    percentiles: Option<Percentiles>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rate_per_s: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes_per_s: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ratio: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ratio_min: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ratio_max: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    absent: Option<&'a str>,
}

impl Row {
    pub(crate) fn is_reference(&self) -> bool {
        self.peer == peers::REFERENCE
    }

    pub(crate) fn json(&self) -> Result<String> {
        let (mut percentiles, mut rate_per_s, mut rate_bytes, mut absent) =
            (None, None, None, None);
        match &self.outcome {
            Outcome::Latencies(found) => percentiles = Some(*found),
            Outcome::Rate { per_s, bytes_per_s } => {
                (rate_per_s, rate_bytes) = (Some(per_s.median), Some(*bytes_per_s));
            }
            Outcome::Absent(reason) => absent = Some(reason.as_str()),
        }
        let rounded = |value: f64| (value * 10_000.0).round() / 10_000.0;
        Ok(serde_json::to_string(&Line {
            workload: self.work.kind,
            bytes: self.work.bytes,
            pairs: (self.work.kind == Kind::Mpmc).then_some(self.work.pairs),
            peer: self.peer,
            reference: self.is_reference(),
            percentiles,
            rate_per_s,
            bytes_per_s: rate_bytes,
            ratio: self.ratio.map(|ratio| rounded(ratio.median)),
            ratio_min: self.ratio.map(|ratio| rounded(ratio.min)),
            ratio_max: self.ratio.map(|ratio| rounded(ratio.max)),
            absent,
        })?)
    }
}

/// Where rows go.
#[derive(Debug)]
pub(crate) struct Report {
    json: bool,
    rows: Vec<Row>,
}

impl Report {
    pub(crate) fn new(json: bool) -> Self {
        Self { json, rows: Vec::new() }
    }

    /// A remark for people; programs that read the rows do not see it.
    pub(crate) fn note(&self, text: &str) {
        if self.json { eprintln!("{text}") } else { println!("{text}") }
    }

    /// Prints a row as soon as it is known.
    pub(crate) fn add(&mut self, row: Row) -> Result<()> {
        let mut out = std::io::stdout().lock();
        if self.json {
            writeln!(out, "{}", row.json()?)?;
        } else {
            if self.rows.last().is_none_or(|last| last.work != row.work) {
                table::head(&mut out, row.work)?;
            }
            table::line(&mut out, &row)?;
        }
        out.flush()?;
        self.rows.push(row);
        Ok(())
    }

    /// The rows of this kind of work, by piece of work.
    pub(crate) fn of(&self, kind: Kind) -> Vec<&[Row]> {
        let pieces = self.rows.chunk_by(|a, b| a.work == b.work);
        pieces.filter(|rows| rows[0].work.kind == kind).collect()
    }
}
