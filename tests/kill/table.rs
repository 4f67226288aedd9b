//! The table of results in a file: the rows of this run among those of earlier ones.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Result};
use std::path::PathBuf;

use crate::case::Case;
use crate::report::{COLUMNS, Report};
use crate::round::Situation;

pub(crate) struct Table {
    path: PathBuf,
    /// Every row that there is to be.
    order: Vec<(&'static str, Situation)>,
    /// By their place in the order.
    rows: BTreeMap<usize, Report>,
}

impl Table {
    /// Reads the rows that are there. Those of cases and situations that are no more, go.
    pub(crate) fn open(path: PathBuf, cases: &[Case]) -> Result<Self> {
        let order = cases
            .iter()
            .flat_map(|case| Situation::ALL.map(|situation| (case, situation)))
            .filter(|(case, situation)| situation.fits(case))
            .map(|(case, situation)| (case.name, situation))
            .collect();
        let text = match std::fs::read_to_string(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            other => other?,
        };
        let mut table = Self { path, order, rows: BTreeMap::new() };
        for report in text.lines().filter_map(Report::from_row) {
            table.insert(report);
        }
        Ok(table)
    }

    fn insert(&mut self, report: Report) {
        let place = self.order.iter().position(|(case, situation)| {
            *case == report.case && situation.name() == report.situation
        });
        if let Some(place) = place {
            self.rows.insert(place, report);
        }
    }

    /// Replaces a row. The file is whole at any time, so that an interruption loses nothing.
    pub(crate) fn put(&mut self, report: Report) -> Result<()> {
        self.insert(report);
        let mut new = self.path.clone().into_os_string();
        new.push(format!(".{}", std::process::id()));
        std::fs::write(&new, self.text())?;
        std::fs::rename(&new, &self.path).inspect_err(|_| drop(std::fs::remove_file(&new)))
    }

    fn text(&self) -> String {
        let architecture = std::env::consts::ARCH;
        let columns: String = COLUMNS
            .iter()
            .map(|column| format!("| {} | {} |\n", column.name, column.meaning))
            .collect();
        let situations: String = Situation::ALL
            .iter()
            .map(|situation| format!("| {} | {} |\n", situation.name(), situation.meaning()))
            .collect();
        let rows: String = self.rows.values().map(|report| report.row() + "\n").collect();
        let (heading, total) = (Report::heading(), Report::total(self.rows.values()).row());
        format!(
            "# The kill matrix\n\
             \n\
             A process is killed at every machine instruction of an operation, and the others have \
             to carry on.\n\
             For each row, `tests/kill/` single-steps a process through the operation under \
             ptrace(2), sends it\n\
             SIGKILL at one instruction after the other, and checks the survivors each time: nobody \
             hangs, nothing\n\
             committed is lost or doubled, nothing torn is read, nothing is left behind, a thousand \
             more operations\n\
             work, a new process can attach. The library is not instrumented.\n\
             \n\
             Written by this command ({architecture}, release profile). A part of the cases may be \
             named after it;\n\
             the other rows stay.\n\
             \n\
             ```text\n\
             cargo test --release --test kill -- --full --write docs/kill-matrix.md\n\
             ```\n\
             \n\
             | column | meaning |\n\
             |---|---|\n\
             {columns}\
             \n\
             | situation | meaning |\n\
             |---|---|\n\
             {situations}\
             \n\
             ## Results\n\
             \n\
             {heading}\n\
             {rows}\
             {total}\n"
        )
    }
}
