//! What has been done once: asking for it from then on.

use std::hint::black_box;
use std::sync::atomic::Ordering;

use outlive::Segment;

use super::timing;
use crate::peers::{Peer, Prepared, bare, unsupported};
use crate::support::cli::Plan;
use crate::support::compare::{Comparison, Heading, Metric, Part};
use crate::support::report::Report;
use crate::support::session::Session;
use crate::support::stats::Slice;
use crate::support::{Result, failed};

pub(crate) fn run(plan: &Plan, report: &mut Report) -> Result<()> {
    let comparison = Comparison {
        heading: Heading { workload: "once-done", ..Heading::default() },
        yardstick: Metric::P50,
        contenders: &[
            (Peer::Once, Part::Judged(&[])),
            (Peer::OnceValue, Part::Judged(&[])),
            (Peer::AtomicLoad, Part::Reference),
        ],
    };
    comparison.run(plan, report, |peer| {
        let session = Session::new(format!("once-done, {peer}"))?;
        let prepared = Prepared::new(peer, &session.memory, 1)?;
        let (latencies, _) = match peer {
            Peer::Once => {
                let once = Segment::open(prepared.segment())?.once("once")?;
                once.call_once(|| ())?;
                let mut calls = 0;
                let done = timing::in_batches(plan, || Ok(once.call_once(|| calls += 1)?))?;
                if calls != 0 {
                    return failed(format!("called {calls} times more"));
                }
                done
            }
            Peer::OnceValue => {
                let value = Segment::open(prepared.segment())?.once_value::<u64>("value")?;
                value.get_or_init(|| 7)?;
                timing::in_batches(plan, || match black_box(value.get()) {
                    Some(7) => Ok(()),
                    other => failed(format!("{other:?} was not set")),
                })?
            }
            Peer::AtomicLoad => {
                let flag = bare::flag(&session.memory);
                timing::in_batches(plan, || {
                    black_box(flag.load(Ordering::Acquire));
                    Ok(())
                })?
            }
            peer => return unsupported(peer),
        };
        Ok(Slice::of_latencies(latencies))
    })
}
