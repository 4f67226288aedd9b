//! What a run leaves in the documentation: a page with its tables, and a chart for each kind of work.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::cli::Plan;
use crate::report::{Outcome, Report, Row, chart, table};
use crate::support::{Failure, Result};
use crate::work::Kind;
use crate::{machine, peers};

/// Writes all of it, replacing what an earlier run left.
pub(crate) fn write(directory: &Path, plan: &Plan, report: &Report) -> Result<()> {
    fs::create_dir_all(directory).map_err(|error| cannot(directory, &error))?;
    let save = |name: &str, text: &str| {
        let path = directory.join(name);
        fs::write(&path, text).map_err(|error| cannot(&path, &error))
    };
    let mut page = introduction(plan);
    for kind in Kind::ALL {
        let pieces = report.of(kind);
        if !pieces.is_empty() {
            let picture = format!("{}.svg", kind.name());
            save(&picture, &chart::svg(kind, &pieces)?)?;
            section(&mut page, kind, &picture, &pieces);
        }
    }
    save("README.md", &page)
}

fn cannot(path: &Path, error: &std::io::Error) -> Failure {
    format!("cannot write {}: {error}", path.display()).into()
}

/// Formatting into a string does not fail.
macro_rules! put {
    ($page:expr, $($text:tt)*) => {
        let _ = writeln!($page, $($text)*);
    };
}

fn introduction(plan: &Plan) -> String {
    let (turns, slice, reference) = (plan.turns, plan.slice.as_millis(), peers::REFERENCE);
    let mut page = format!(
        "\
# outlive beside other means of communication

Written by `cargo run --release -p outlive-compare`, not by hand. Every figure is between real processes,
pinned to a core each, but for the peers called *-threads*, which show the bound, and but for *startup*,
which one process does alone. Every byte of every message is written and checked (by Python the first
and the last ones).

Each peer had {turns} turns of {slice} ms, in turn with the others. A ratio is taken to `{reference}` within each turn;
the median of these is given, with the spread. Below 1 is faster for times (*p50 ratio*), above 1 for
rates (*rate ratio*). Percentiles are of all turns together. Absolute times say more of the machine than
of what ran on it.

None of this shows what happens when a process is killed, which is what outlive is made for: see
[the kill matrix](../kill-matrix.md).

## The machine

| | |
|---|---|
"
    );
    for (what, value) in machine::describe(&plan.cores) {
        put!(page, "| {what} | {value} |");
    }
    put!(page, "\n## Who takes part\n\n| peer | version | how it is used |\n|---|---|---|");
    for peer in peers::all() {
        let version = peer.package.and_then(machine::version);
        let version = match (peer.package, version) {
            (Some(package), Some(version)) => format!("{package} {version}"),
            _ => String::new(),
        };
        put!(page, "| `{}` | {version} | {} |", peer.name, peer.what);
    }
    page
}

fn section(page: &mut String, kind: Kind, picture: &str, pieces: &[&[Row]]) {
    put!(page, "\n## {}\n\n![{}]({picture})", kind.title(), kind.name());
    for rows in pieces {
        let columns = table::columns(kind);
        put!(page, "\n### {}, {}\n", kind.name(), rows[0].work.label());
        put!(page, "| | {} |", columns.join(" | "));
        put!(page, "|---|{}", "---:|".repeat(columns.len()));
        for row in *rows {
            let mut cells = table::cells(row);
            if matches!(row.outcome, Outcome::Absent(_)) {
                cells.resize(columns.len(), String::new());
            }
            let mark = if row.is_reference() { " (reference)" } else { "" };
            put!(page, "| `{}`{mark} | {} |", row.peer, cells.join(" | "));
        }
    }
}
