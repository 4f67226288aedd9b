//! Making a segment and opening one that exists, each up to its end: names, mappings and all are
//! gone again afterwards.

use crate::job::{Job, Mode, Role};
use crate::peers::shm::{self, Touch};
use crate::peers::{Access, Peer, ours, unsupported};
use crate::support::Result;
use crate::support::child::Child;
use crate::support::cli::Plan;
use crate::support::clock::now_ns;
use crate::support::compare::{Bar, Comparison, Heading, Metric, Part};
use crate::support::report::Report;
use crate::support::session::Session;
use crate::support::stats::{Latencies, Slice};

const BARS: &[Bar] = &[Bar { metric: Metric::P50, limit: 1.5 }];

pub(crate) fn run_create(plan: &Plan, report: &mut Report) -> Result<()> {
    let comparison = Comparison {
        heading: Heading { workload: "segment-create", ..Heading::default() },
        yardstick: Metric::P50,
        contenders: &[
            (Peer::Outlive, Part::Judged(BARS)),
            (Peer::Shm, Part::Reference),
            (Peer::ShmTouched, Part::Beside),
            #[cfg(feature = "shared_memory")]
            (Peer::SharedMemory, Part::Beside),
        ],
    };
    comparison.run(plan, report, |peer| {
        let _session = Session::new(format!("segment-create, {peer}"))?;
        let shm = shm::Name::new();
        match peer {
            Peer::Outlive => {
                let name = ours::fresh_name();
                measure(plan, || ours::whole_life(&name))
            }
            Peer::Shm => measure(plan, || shm::whole_life(&shm, Touch::No)),
            Peer::ShmTouched => measure(plan, || shm::whole_life(&shm, Touch::Yes)),
            #[cfg(feature = "shared_memory")]
            Peer::SharedMemory => measure(plan, || {
                let conf = shared_memory::ShmemConf::new().size(shm::CAPACITY);
                conf.create().map(drop).map_err(|error| error.to_string().into())
            }),
            _ => unsupported(peer),
        }
    })
}

pub(crate) fn run_open(plan: &Plan, report: &mut Report) -> Result<()> {
    let comparison = Comparison {
        heading: Heading { workload: "segment-open", ..Heading::default() },
        yardstick: Metric::P50,
        contenders: &[
            (Peer::Outlive, Part::Judged(BARS)),
            (Peer::Shm, Part::Reference),
            (Peer::ShmOpen, Part::Beside),
        ],
    };
    comparison.run(plan, report, |peer| {
        let mut session = Session::new(format!("segment-open, {peer}"))?;
        let shm = shm::Name::new();
        match peer {
            Peer::Outlive => open_kept_by_another(plan, &mut session),
            Peer::Shm => measure(plan, || shm::whole_life(&shm, Touch::No)),
            Peer::ShmOpen => {
                shm::create(&shm)?;
                measure(plan, || shm::open_and_close(&shm))
            }
            _ => unsupported(peer),
        }
    })
}

fn open_kept_by_another(plan: &Plan, session: &mut Session) -> Result<Slice> {
    let name = ours::fresh_name();
    let job = Job {
        role: Role::SegmentKeeper,
        peer: Peer::Outlive,
        mode: Mode::Block,
        bytes: 0,
        patience: plan.cores.patience(2),
        access: Access { segment: name.clone(), ..Access::default() },
    };
    session.spawn(plan.cores.of(1), job)?;
    session.wait_ready();
    let slice = measure(plan, || ours::open_and_close(&name));
    session.memory.stop();
    session.finish(None)?;
    ours::remove(&name);
    slice
}

pub(crate) fn keep(child: &Child<Job>) -> Result<()> {
    let _segment = ours::create(&child.job.access.segment)?;
    child.memory.report_ready();
    child.memory.wait_stop();
    Ok(())
}

fn measure(plan: &Plan, mut operation: impl FnMut() -> Result<()>) -> Result<Slice> {
    let mut latencies = Latencies::new(plan.clock.step_ps);
    let begin = now_ns();
    let warm = begin + plan.slice.as_nanos() as u64 / 10;
    let deadline = begin + plan.slice.as_nanos() as u64;
    loop {
        let start = now_ns();
        operation()?;
        let end = now_ns();
        if end > warm {
            latencies.record_interval(start, end, plan.clock);
        }
        if end > deadline {
            return Ok(Slice::of_latencies(latencies));
        }
    }
}
