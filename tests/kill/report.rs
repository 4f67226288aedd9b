//! What a case came to in a situation.

use serde::{Deserialize, Serialize};

use crate::case::Kind;

#[derive(Serialize, Deserialize, Default, Clone)]
pub(crate) struct Report {
    pub(crate) case: String,
    pub(crate) situation: String,
    pub(crate) instructions: usize,
    pub(crate) kills: usize,
    pub(crate) recovered: usize,
    pub(crate) hung: usize,
    pub(crate) lost: usize,
    pub(crate) torn: usize,
    pub(crate) leaked: usize,
    pub(crate) slowest_us: u64,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub(crate) failures: Vec<Failure>,
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
        format!(
            "| {:24} | {:14} | {:>12} | {:>6} | {:>9} | {:>4} | {:>4} | {:>4} | {:>6} | {:>10} |\n\
             |{:-<26}|{:-<16}|{:->13}:|{:->7}:|{:->10}:|{:->5}:|{:->5}:|{:->5}:|{:->7}:|{:->11}:|",
            "case",
            "situation",
            "instructions",
            "kills",
            "recovered",
            "hung",
            "lost",
            "torn",
            "leaked",
            "slowest µs",
            "",
            "",
            "",
            "",
            "",
            "",
            "",
            "",
            "",
            ""
        )
    }

    pub(crate) fn row(&self) -> String {
        format!(
            "| {:24} | {:14} | {:>12} | {:>6} | {:>9} | {:>4} | {:>4} | {:>4} | {:>6} | {:>10} |",
            self.case,
            self.situation,
            self.instructions,
            self.kills,
            self.recovered,
            self.hung,
            self.lost,
            self.torn,
            self.leaked,
            self.slowest_us
        )
    }

    /// The sum of all.
    pub(crate) fn total(all: &[Self]) -> Self {
        let mut total = Self { case: "total".to_owned(), ..Self::default() };
        for report in all {
            total.instructions += report.instructions;
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
