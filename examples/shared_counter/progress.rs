//! How far it is: bars on a terminal, lines elsewhere, nothing with `--json`.

use std::io::IsTerminal;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::tally::Snapshot;

pub(crate) enum Progress {
    Bars { all: MultiProgress, bars: Vec<ProgressBar> },
    Lines { quarters: u64 },
    Silent,
}

impl Progress {
    pub(crate) fn new(json: bool) -> Self {
        if json {
            Self::Silent
        } else if std::io::stderr().is_terminal() {
            Self::Bars { all: MultiProgress::new(), bars: Vec::new() }
        } else {
            Self::Lines { quarters: 0 }
        }
    }

    pub(crate) fn show(&mut self, snapshot: &Snapshot, targets: &[u64]) {
        match self {
            Self::Bars { all, bars } => {
                // Joiners come later.
                for (slot, target) in targets.iter().enumerate().skip(bars.len()) {
                    bars.push(all.add(bar(slot, *target)));
                }
                for (bar, count) in bars.iter().zip(snapshot.counts) {
                    bar.set_position(count);
                }
            }
            Self::Lines { quarters } => {
                let (done, all) = (snapshot.sum(), targets.iter().sum::<u64>().max(1));
                let now = (u128::from(done) * 4 / u128::from(all)) as u64;
                if now > *quarters {
                    *quarters = now;
                    eprintln!("  {:3} %: {done} of {all} additions done", done * 100 / all);
                }
            }
            Self::Silent => {}
        }
    }

    /// Leaves the bars as they are.
    pub(crate) fn finish(self) {
        if let Self::Bars { bars, .. } = self {
            bars.iter().for_each(ProgressBar::abandon);
        }
    }
}

fn bar(slot: usize, target: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("  worker {prefix:>2} [{bar:32}] {pos} of {len}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(target).with_style(style).with_prefix((slot + 1).to_string())
}
