//! A value that is read and written whole: how long either takes, alone and beside a writer.

use std::hint::black_box;

use super::timing;
use crate::job::{Job, Role};
use crate::peers::{Cell, Peer, Prepared, UsesCell, with_cell};
use crate::support::child::Child;
use crate::support::cli::Plan;
use crate::support::compare::{Comparison, Heading, Metric, Part};
use crate::support::memory::Memory;
use crate::support::report::Report;
use crate::support::session::Session;
use crate::support::stats::Slice;
use crate::support::{Result, failed};

/// Words of each value that is measured.
const SIZES: [usize; 3] = [1, 8, 128];

const CONTENDERS: &[(Peer, Part)] = &[
    (Peer::Latest, Part::Judged(&[])),
    (Peer::Value, Part::Beside),
    (Peer::Memcpy, Part::Reference),
];

/// Reading, with nobody else there.
pub(crate) fn get(plan: &Plan, report: &mut Report) -> Result<()> {
    run(plan, report, "cell-get", |memory, segment, peer, words| {
        sized(words, peer, memory, segment, Get { plan, whole: true })
    })
}

/// Writing, with nobody else there.
pub(crate) fn set(plan: &Plan, report: &mut Report) -> Result<()> {
    run(plan, report, "cell-set", |memory, segment, peer, words| {
        sized(words, peer, memory, segment, Set { plan })
    })
}

fn run(
    plan: &Plan,
    report: &mut Report,
    workload: &'static str,
    measure: impl Fn(&Memory, &str, Peer, usize) -> Result<Slice>,
) -> Result<()> {
    for words in SIZES {
        comparison(workload, words).run(plan, report, |peer| {
            let session = Session::new(format!("{workload}, {words} words, {peer}"))?;
            let prepared = Prepared::new(peer, &session.memory, 1)?;
            measure(&session.memory, prepared.segment(), peer, words)
        })?;
    }
    Ok(())
}

/// Reading while another process does nothing but write.
pub(crate) fn get_beside_set(plan: &Plan, report: &mut Report) -> Result<()> {
    let workload = "cell-get-beside-set";
    for words in SIZES {
        comparison(workload, words).run(plan, report, |peer| {
            let mut session = Session::new(format!("{workload}, {words} words, {peer}"))?;
            let prepared = Prepared::new(peer, &session.memory, 2)?;
            let segment = prepared.segment();
            let job = Job {
                role: Role::Setter,
                peer,
                patience: plan.cores.patience(2),
                segment: segment.to_owned(),
                processes: 2,
                words,
            };
            session.spawn(plan.cores.of(1), job)?;
            session.wait_ready();
            session.memory.start();
            let get = Get { plan, whole: peer.is_ours() };
            let slice = sized(words, peer, &session.memory, segment, get)?;
            session.memory.stop();
            session.finish(None)?;
            Ok(slice)
        })?;
    }
    Ok(())
}

fn comparison(workload: &'static str, words: usize) -> Comparison<'static, Peer> {
    Comparison {
        heading: Heading { workload, bytes: Some(words * 8), ..Heading::default() },
        yardstick: Metric::P50,
        contenders: CONTENDERS,
    }
}

/// For a size that is known only when this runs.
fn sized<U: UsesCell>(
    words: usize,
    peer: Peer,
    memory: &Memory,
    segment: &str,
    user: U,
) -> Result<U::Outcome> {
    match words {
        1 => with_cell::<1, U>(peer, memory, segment, user),
        8 => with_cell::<8, U>(peer, memory, segment, user),
        128 => with_cell::<128, U>(peer, memory, segment, user),
        words => failed(format!("no value of {words} words")),
    }
}

struct Get<'a> {
    plan: &'a Plan,
    /// Whether all words have to be of one write.
    whole: bool,
}

impl UsesCell for Get<'_> {
    type Outcome = Slice;

    fn with<const W: usize>(self, mut cell: impl Cell<W>) -> Result<Slice> {
        let (latencies, _) = timing::in_batches(self.plan, || {
            let value = black_box(cell.get()?);
            // The ends are enough to see a write that was half done, and cost little.
            if self.whole && value[0] != value[W - 1] {
                return failed("a torn value");
            }
            Ok(())
        })?;
        Ok(Slice::of_latencies(latencies))
    }
}

struct Set<'a> {
    plan: &'a Plan,
}

impl UsesCell for Set<'_> {
    type Outcome = Slice;

    fn with<const W: usize>(self, mut cell: impl Cell<W>) -> Result<Slice> {
        let mut number = 0;
        let (latencies, _) = timing::in_batches(self.plan, || {
            number += 1;
            cell.set(black_box([number; W]))
        })?;
        if cell.get()? != [number; W] {
            return failed("not the value that was set last");
        }
        Ok(Slice::of_latencies(latencies))
    }
}

struct SetUntilStopped<'a>(&'a Memory);

impl UsesCell for SetUntilStopped<'_> {
    type Outcome = ();

    fn with<const W: usize>(self, mut cell: impl Cell<W>) -> Result<()> {
        self.0.ready_and_wait();
        let mut number = 0;
        while !self.0.stopped() {
            number += 1;
            cell.set(black_box([number; W]))?;
        }
        Ok(())
    }
}

/// The writer beside the reader.
pub(crate) fn set_until_stopped(child: &Child<Job>) -> Result<()> {
    let Job { peer, segment, words, .. } = &child.job;
    sized(*words, *peer, &child.memory, segment, SetUntilStopped(&child.memory))
}
