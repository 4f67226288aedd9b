//! Rows as text: in the terminal, and in Markdown.

use std::io::Write;

use super::{Outcome, Percentiles, Row};
use crate::work::{Kind, Work};

/// The columns of numbers, for work of this kind.
pub(crate) fn columns(kind: Kind) -> Vec<&'static str> {
    let mut columns = if kind.times() {
        Percentiles::NAMES.to_vec()
    } else {
        vec!["messages", "bytes", "turns from", "to"]
    };
    columns.extend([if kind.times() { "p50 ratio" } else { "rate ratio" }, "(spread)"]);
    columns
}

/// What goes into them; a single text if there are no numbers.
pub(crate) fn cells(row: &Row) -> Vec<String> {
    let mut cells: Vec<String> = match &row.outcome {
        Outcome::Latencies(percentiles) => percentiles.all().map(duration).to_vec(),
        Outcome::Rate { per_s, bytes_per_s } => vec![
            per_second(per_s.median, "/s"),
            per_second(*bytes_per_s, "B/s"),
            per_second(per_s.min, "/s"),
            per_second(per_s.max, "/s"),
        ],
        Outcome::Absent(reason) => return vec![reason.clone()],
    };
    cells.extend(match row.ratio {
        Some(ratio) => {
            [factor(ratio.median), format!("({}-{})", factor(ratio.min), factor(ratio.max))]
        }
        None => ["1".into(), String::new()],
    });
    cells
}

pub(super) fn head(out: &mut impl Write, work: Work) -> std::io::Result<()> {
    writeln!(out, "\n{}, {}", work.kind.name(), work.label())?;
    let columns = columns(work.kind).into_iter().map(String::from).collect();
    write_line(out, "", columns)
}

pub(super) fn line(out: &mut impl Write, row: &Row) -> std::io::Result<()> {
    if let Outcome::Absent(reason) = &row.outcome {
        return writeln!(out, "  {:<26}{reason}", row.peer);
    }
    let marked = if row.is_reference() { format!("{} *", row.peer) } else { row.peer.into() };
    write_line(out, &marked, cells(row))
}

fn write_line(out: &mut impl Write, name: &str, cells: Vec<String>) -> std::io::Result<()> {
    let mut text = format!("  {name:<26}");
    let last = cells.len().saturating_sub(1);
    for (index, cell) in cells.iter().enumerate() {
        text += &if index == last { format!("  {cell}") } else { format!("{cell:>12}") };
    }
    writeln!(out, "{}", text.trim_end())
}

/// Three digits that count.
fn factor(value: f64) -> String {
    match value {
        _ if value < 0.001 => format!("{value:.1e}"),
        _ if value < 0.1 => format!("{value:.3}"),
        _ if value < 10.0 => format!("{value:.2}"),
        _ => format!("{value:.0}"),
    }
}

pub(super) fn duration(ns: f64) -> String {
    match ns {
        _ if ns < 1e3 => format!("{ns:.0} ns"),
        _ if ns < 1e6 => format!("{:.2} us", ns / 1e3),
        _ if ns < 1e9 => format!("{:.2} ms", ns / 1e6),
        _ => format!("{:.2} s", ns / 1e9),
    }
}

pub(super) fn per_second(rate: f64, unit: &str) -> String {
    match rate {
        _ if rate < 1e3 => format!("{rate:.1} {unit}"),
        _ if rate < 1e6 => format!("{:.1} k{unit}", rate / 1e3),
        _ if rate < 1e9 => format!("{:.2} M{unit}", rate / 1e6),
        _ => format!("{:.2} G{unit}", rate / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::stats::Spread;

    #[test]
    fn every_row_fills_its_columns() {
        for kind in Kind::ALL {
            let work = Work { kind, bytes: 8, pairs: 1 };
            let spread = Spread { median: 2e6, min: 1e6, max: 3e6 };
            let outcome = if kind.times() {
                let (p50_ns, p90_ns, p99_ns, p999_ns) = (1.0, 2e3, 3e6, 4e9);
                Outcome::Latencies(Percentiles { p50_ns, p90_ns, p99_ns, p999_ns })
            } else {
                Outcome::rate(work, spread)
            };
            for ratio in [None, Some(spread)] {
                let row = Row { work, peer: "peer", outcome: outcome.clone(), ratio };
                assert_eq!(cells(&row).len(), columns(kind).len());
            }
        }
    }
}
