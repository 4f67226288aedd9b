//! What a case came to in a situation, and its row in the table of results.

use serde::{Deserialize, Serialize};

use crate::case::Kind;

#[derive(Serialize, Deserialize, Default, Clone)]
pub(crate) struct Report {
    pub(crate) case: String,
    pub(crate) situation: String,
    pub(crate) instructions: usize,
    /// The step from one selected instruction to the next; 0 if a single one was asked for.
    pub(crate) every: usize,
    pub(crate) kills: usize,
    pub(crate) recovered: usize,
    pub(crate) hung: usize,
    pub(crate) lost: usize,
    pub(crate) torn: usize,
    pub(crate) leaked: usize,
    pub(crate) slowest_us: u64,
    /// Where that was: `--at` and `--then`.
    #[serde(default)]
    pub(crate) slowest_at: (usize, usize),
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub(crate) failures: Vec<Failure>,
    /// The harness itself ended before all was tried: nothing to be kept.
    #[serde(skip)]
    pub(crate) unfinished: bool,
}

/// How to see it again.
#[derive(Serialize, Deserialize, Clone)]
pub(crate) struct Failure {
    pub(crate) at: usize,
    pub(crate) then: usize,
    pub(crate) place: String,
    pub(crate) what: String,
}

/// What a worker says.
#[derive(Serialize, Deserialize)]
pub(crate) enum News {
    /// So many places are done, of so many.
    Progress(u64, u64),
    Done(Report),
}

pub(crate) struct Column {
    pub(crate) name: &'static str,
    width: usize,
    pub(crate) meaning: &'static str,
}

const fn column(name: &'static str, width: usize, meaning: &'static str) -> Column {
    Column { name, width, meaning }
}

/// Columns of text, which come before those of numbers.
const TEXTS: usize = 2;

pub(crate) const COLUMNS: [Column; 11] = [
    column("case", 24, "the operation in which a process is killed"),
    column("situation", 14, "who else is there: see below"),
    column("instructions", 12, "machine instructions that the operation takes in this situation"),
    column("every", 5, "the step between kills: 1 is every instruction"),
    column("kills", 6, "victims killed before their operation was over"),
    column("recovered", 9, "kills after which the survivors' contract held"),
    column("hung", 4, "violations: a survivor did not get on within its deadline"),
    column("lost", 4, "violations: something committed was lost, doubled or wrong"),
    column("torn", 4, "violations: something half-written was read as whole"),
    column("leaked", 6, "violations: memory, messages' room or files were left behind"),
    column(
        "slowest µs",
        10,
        "longest time from the (last) death to the end of the contract's checks",
    ),
];

fn line(cells: [&str; COLUMNS.len()]) -> String {
    let mut line = String::from("|");
    for (index, (cell, Column { width, .. })) in cells.iter().zip(&COLUMNS).enumerate() {
        line +=
            &if index < TEXTS { format!(" {cell:width$} |") } else { format!(" {cell:>width$} |") };
    }
    line
}

impl Report {
    pub(crate) fn passed(&self) -> bool {
        self.hung + self.lost + self.torn + self.leaked == 0
    }

    pub(crate) fn count(&mut self, kind: Kind) {
        *match kind {
            Kind::Hung => &mut self.hung,
            Kind::Lost => &mut self.lost,
            Kind::Torn => &mut self.torn,
            Kind::Leaked => &mut self.leaked,
        } += 1;
    }

    pub(crate) fn heading() -> String {
        let mut heading = line(COLUMNS.map(|column| column.name)) + "\n|";
        for (index, Column { width, .. }) in COLUMNS.iter().enumerate() {
            let dashes = "-".repeat(width + 1);
            heading += &format!("{dashes}{}|", if index < TEXTS { '-' } else { ':' });
        }
        heading
    }

    fn numbers(&self) -> [usize; COLUMNS.len() - TEXTS] {
        let violations = [self.hung, self.lost, self.torn, self.leaked];
        let [hung, lost, torn, leaked] = violations;
        let slowest = usize::try_from(self.slowest_us).unwrap_or(usize::MAX);
        let Self { instructions, every, kills, recovered, .. } = *self;
        [instructions, every, kills, recovered, hung, lost, torn, leaked, slowest]
    }

    pub(crate) fn row(&self) -> String {
        let numbers = self.numbers().map(|number| number.to_string());
        let mut cells = [""; COLUMNS.len()];
        (cells[0], cells[1]) = (&self.case, &self.situation);
        for (cell, number) in cells.iter_mut().skip(TEXTS).zip(&numbers) {
            *cell = number;
        }
        line(cells)
    }

    /// The report that a row shows; None if the line is no row.
    pub(crate) fn from_row(line: &str) -> Option<Self> {
        let cells = line.trim().strip_prefix('|')?.strip_suffix('|')?;
        let cells: Vec<&str> = cells.split('|').map(str::trim).collect();
        let (texts, numbers) = cells.split_at_checked(TEXTS)?;
        let numbers: Vec<usize> =
            numbers.iter().map(|cell| cell.parse()).collect::<Result<_, _>>().ok()?;
        let &[case, situation] = texts else { return None };
        let &[instructions, every, kills, recovered, hung, lost, torn, leaked, slowest] =
            numbers.as_slice()
        else {
            return None;
        };
        Some(Self {
            case: case.to_owned(),
            situation: situation.to_owned(),
            instructions,
            every,
            kills,
            recovered,
            hung,
            lost,
            torn,
            leaked,
            slowest_us: slowest as u64,
            ..Self::default()
        })
    }

    /// The sum of all, the coarsest step and the longest time.
    pub(crate) fn total<'a>(all: impl IntoIterator<Item = &'a Self>) -> Self {
        let mut total = Self { case: "total".to_owned(), ..Self::default() };
        for report in all {
            total.instructions += report.instructions;
            total.every = total.every.max(report.every);
            total.kills += report.kills;
            total.recovered += report.recovered;
            total.hung += report.hung;
            total.lost += report.lost;
            total.torn += report.torn;
            total.leaked += report.leaked;
            total.slowest_us = total.slowest_us.max(report.slowest_us);
        }
        total
    }
}
