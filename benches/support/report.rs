//! One row per contender: a table for people, or one JSON object a line for programs.

use std::io::Write;

use serde::Serialize;

use super::Result;
use super::compare::{Heading, Metric};
use super::stats::{Latencies, Spread};

/// A ratio to the reference and the bar that it should meet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figure {
    metric: Metric,
    ratio: Option<Spread>,
    bar: Option<f64>,
}

impl Figure {
    pub(crate) fn new(metric: Metric, ratio: Option<Spread>, bar: Option<f64>) -> Self {
        Self { metric, ratio, bar }
    }

    fn met(&self) -> Option<bool> {
        let (ratio, bar) = (self.ratio?.median, self.bar?);
        Some(if self.metric.rises() { ratio >= bar } else { ratio <= bar })
    }
}

/// What one contender of one comparison measured.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Row {
    workload: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    mode: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    processes: Option<usize>,
    peer: String,
    /// Whether the others are related to this one.
    pub(crate) reference: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    p50_ns: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    p99_ns: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    p999_ns: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_ns: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rate_per_s: Option<f64>,
    /// Processor time used per second of wall time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cpu_ns_per_s: Option<f64>,
    #[serde(skip)]
    pub(crate) figures: Vec<Figure>,
    /// A bar in words, and whether it is met, where no ratio expresses it.
    #[serde(skip)]
    pub(crate) verdict: Option<(&'static str, bool)>,
}

/// The figures as the flat fields of the JSON row; a second figure carries its metric's name.
#[derive(Serialize)]
struct JsonRow<'a> {
    #[serde(flatten)]
    row: &'a Row,
    #[serde(flatten)]
    figures: serde_json::Map<String, serde_json::Value>,
}

impl Row {
    pub(crate) fn new(heading: Heading, peer: String) -> Self {
        let Heading { workload, mode, bytes, processes } = heading;
        Self { workload, mode, bytes, processes, peer, ..Self::default() }
    }

    pub(crate) fn latencies(&mut self, latencies: &Latencies) {
        let at = |quantile| Some(latencies.quantile_ns(quantile));
        (self.p50_ns, self.p99_ns, self.p999_ns) = (at(0.5), at(0.99), at(0.999));
        self.max_ns = Some(latencies.max_ns());
    }

    fn json(&self) -> Result<String> {
        let mut fields = serde_json::Map::new();
        for (index, figure) in self.figures.iter().enumerate() {
            let prefix = match (index, figure.metric) {
                (0, _) => "",
                (_, Metric::P50) => "p50_",
                (_, Metric::P99) => "p99_",
                (_, Metric::Period) => "period_",
                (_, Metric::Rate) => "rate_",
            };
            if let Some(ratio) = figure.ratio {
                fields.insert(format!("{prefix}ratio"), rounded(ratio.median));
                fields.insert(format!("{prefix}ratio_min"), rounded(ratio.min));
                fields.insert(format!("{prefix}ratio_max"), rounded(ratio.max));
            }
            if let Some(bar) = figure.bar {
                let sense = if figure.metric.rises() { ">=" } else { "<=" };
                fields.insert(format!("{prefix}bar"), bar.into());
                fields.insert(format!("{prefix}bar_sense"), sense.into());
            }
            if let Some(met) = figure.met() {
                fields.insert(format!("{prefix}met"), met.into());
            }
        }
        if let Some((bar, met)) = self.verdict {
            fields.insert("bar".into(), 0.into());
            fields.insert("bar_sense".into(), bar.into());
            fields.insert("met".into(), met.into());
        }
        Ok(serde_json::to_string(&JsonRow { row: self, figures: fields })?)
    }

    fn title(&self) -> String {
        let mut title = self.workload.to_owned();
        if let Some(mode) = self.mode {
            title += &format!(", {mode}");
        }
        if let Some(bytes) = self.bytes {
            title += &format!(", {bytes} bytes");
        }
        if let Some(processes) = self.processes {
            let s = if processes == 1 { "" } else { "es" };
            title += &format!(", {processes} process{s}");
        }
        title
    }

    fn cells(&self) -> Cells {
        let time = |ns: Option<f64>| ns.map_or(String::new(), duration);
        [
            if self.reference { format!("{} *", self.peer) } else { self.peer.clone() },
            time(self.p50_ns),
            time(self.p99_ns),
            time(self.p999_ns),
            time(self.max_ns),
            match (self.rate_per_s, self.cpu_ns_per_s) {
                (Some(rate), _) => per_second(rate),
                (_, Some(cpu)) => format!("{} CPU/s", duration(cpu)),
                _ => String::new(),
            },
        ]
    }

    /// The last columns of the table; a second figure stands on a line of its own.
    fn judgements(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.figures.iter().map(judgement).collect();
        if let Some((bar, met)) = self.verdict {
            lines.push(format!("{:<27}{bar:<16}{}", "", word(met)));
        }
        lines
    }
}

fn judgement(figure: &Figure) -> String {
    let what = match figure.metric {
        Metric::P50 => "p50",
        Metric::P99 => "p99",
        Metric::Period => "time",
        Metric::Rate => "rate",
    };
    let ratio = figure.ratio.map_or(String::new(), |ratio| {
        format!("{:.2}x {what} ({:.2}-{:.2})", ratio.median, ratio.min, ratio.max)
    });
    let bar = figure.bar.map_or(String::new(), |bar| {
        format!("{} {bar:.2}x {what}", if figure.metric.rises() { ">=" } else { "<=" })
    });
    format!("{ratio:<27}{bar:<16}{}", figure.met().map_or("", word))
}

fn word(met: bool) -> &'static str {
    if met { "met" } else { "MISSED" }
}

fn rounded(value: f64) -> serde_json::Value {
    ((value * 10_000.0).round() / 10_000.0).into()
}

fn duration(ns: f64) -> String {
    match ns {
        _ if ns < 1e3 => format!("{ns:.1} ns"),
        _ if ns < 1e6 => format!("{:.2} us", ns / 1e3),
        _ if ns < 1e9 => format!("{:.2} ms", ns / 1e6),
        _ => format!("{:.2} s", ns / 1e9),
    }
}

fn per_second(rate: f64) -> String {
    match rate {
        _ if rate < 1e3 => format!("{rate:.1} /s"),
        _ if rate < 1e6 => format!("{:.1} k/s", rate / 1e3),
        _ => format!("{:.2} M/s", rate / 1e6),
    }
}

type Cells = [String; 6];

/// Where rows go.
#[derive(Debug)]
pub(crate) struct Report {
    json: bool,
    title: String,
}

impl Report {
    pub(crate) fn new(json: bool) -> Self {
        Self { json, title: String::new() }
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
            let title = row.title();
            if title != self.title {
                writeln!(out, "\n{title}")?;
                let head = ["", "p50", "p99", "p99.9", "max", "rate"].map(String::from);
                line(&mut out, &head, "ratio (spread)             bar")?;
                self.title = title;
            }
            let judgements = row.judgements();
            line(&mut out, &row.cells(), judgements.first().map_or("", String::as_str))?;
            for more in judgements.iter().skip(1) {
                line(&mut out, &Cells::default(), more)?;
            }
        }
        Ok(out.flush()?)
    }
}

fn line(out: &mut impl Write, cells: &Cells, rest: &str) -> std::io::Result<()> {
    let [peer, numbers @ .., rate] = cells;
    let mut text = format!("  {peer:<24}");
    for number in numbers {
        text += &format!("{number:>11}");
    }
    text += &format!("{rate:>17}   {rest}");
    writeln!(out, "{}", text.trim_end())
}
