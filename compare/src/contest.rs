//! Lets the peers do a piece of work in turn, several short times each, and relates them to the
//! reference.
//!
//! What disturbs a machine lasts longer than one slice: neighbouring slices suffer alike, so the
//! ratio is taken within each turn and its median reported, with the spread.

use crate::cli::{Arguments, Plan};
use crate::peers::{self, Answer, Peer};
use crate::report::{Outcome, Report, Row};
use crate::stage::{self, Scene};
use crate::support::Result;
use crate::support::stats::{Slice, Spread};
use crate::work::Work;

/// Everybody who takes part in a piece of work.
#[derive(Debug)]
pub(crate) struct Contest {
    work: Work,
    contenders: Vec<Contender>,
}

#[derive(Debug)]
struct Contender {
    peer: &'static Peer,
    /// Why it takes no turns.
    absent: Option<String>,
    slices: Vec<Slice>,
}

impl Contest {
    pub(crate) fn new(work: Work, arguments: &Arguments) -> Self {
        let contenders = peers::all().filter(|peer| arguments.wants_peer(peer.name));
        let contenders = contenders.filter_map(|peer| {
            let absent = match (peer.answer)(&work) {
                Answer::Yes => None,
                Answer::No => return None,
                Answer::NotHere(reason) => Some(reason),
            };
            Some(Contender { peer, absent, slices: Vec::new() })
        });
        Self { work, contenders: contenders.collect() }
    }

    /// Takes the planned turns and reports a row for each.
    pub(crate) fn run(mut self, plan: &Plan, report: &mut Report) -> Result<()> {
        let count = self.contenders.len();
        for turn in 0..plan.turns {
            // Each begins in turn, so that nobody always follows the same neighbour.
            for at in (0..count).map(|i| (i + turn) % count) {
                let contender = &mut self.contenders[at];
                if contender.absent.is_none() {
                    let scene = Scene { plan, peer: contender.peer.name, work: self.work };
                    contender.slices.push(stage::conduct(scene, contender.peer.play)?);
                }
            }
        }
        for contender in &self.contenders {
            report.add(self.row(contender))?;
        }
        Ok(())
    }

    fn row(&self, contender: &Contender) -> Row {
        let outcome = match &contender.absent {
            Some(reason) => Outcome::Absent(reason.clone()),
            None => self.outcome(&contender.slices),
        };
        Row { work: self.work, peer: contender.peer.name, outcome, ratio: self.ratio(contender) }
    }

    fn outcome(&self, slices: &[Slice]) -> Outcome {
        if self.work.kind.times() {
            let parts = slices.iter().filter_map(|slice| slice.latencies.clone());
            let all = parts.reduce(|mut all, part| {
                all.merge(&part);
                all
            });
            all.map_or_else(nothing, |latencies| Outcome::latencies(&latencies))
        } else {
            let rates = slices.iter().filter_map(|slice| slice.rate_per_s).collect();
            Spread::of(rates).map_or_else(nothing, |rate| Outcome::rate(self.work, rate))
        }
    }

    /// Turn by turn, own against the reference; `None` for the reference itself.
    fn ratio(&self, contender: &Contender) -> Option<Spread> {
        let reference = self.contenders.iter().find(|c| c.peer.name == peers::REFERENCE)?;
        if contender.peer.name == reference.peer.name {
            return None;
        }
        let pairs = std::iter::zip(&contender.slices, &reference.slices);
        let ratios = pairs.filter_map(|(own, theirs)| Some(figure(own)? / figure(theirs)?));
        Spread::of(ratios.collect())
    }
}

/// What a ratio is taken of: the median, where there are latencies.
fn figure(slice: &Slice) -> Option<f64> {
    let median = slice.latencies.as_ref().map(|latencies| latencies.quantile_ns(0.5));
    median.or(slice.rate_per_s)
}

fn nothing() -> Outcome {
    Outcome::Absent("nothing was measured".into())
}
