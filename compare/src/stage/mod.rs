//! Where work is done: between processes that this program starts, or between threads.

pub(crate) mod processes;
pub(crate) mod threads;

use serde::{Deserialize, Serialize};

use crate::cli::Plan;
use crate::peers::{self, Address};
use crate::support::child::Child;
use crate::support::stats::Slice;
use crate::support::{Failure, Result};
use crate::work::{Setup, Work};

/// One turn of one peer, as the parent sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scene<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) peer: &'static str,
    pub(crate) work: Work,
}

impl Scene<'_> {
    /// For messages.
    pub(crate) fn name(&self) -> String {
        format!("{}, {}, {}", self.work.kind.name(), self.work.label(), self.peer)
    }

    pub(crate) fn setup(&self) -> Setup {
        let parties = 2 * self.work.pairs;
        Setup { work: self.work, patience: self.plan.cores.patience(parties) }
    }
}

/// A child's part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Part {
    /// Returns every message.
    Echo,
    /// Sends numbered messages to one receiver.
    Streamer,
    /// One of several senders.
    Producer,
    /// One of several receivers.
    Consumer,
}

/// What a child is told.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Job {
    pub(crate) peer: String,
    pub(crate) part: Part,
    pub(crate) setup: Setup,
    /// Of each channel that it uses.
    pub(crate) channels: Vec<Address>,
}

/// What a peer is asked to do.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Call<'a> {
    /// Make the channels, start the children, and measure.
    Conduct(Scene<'a>),
    /// Take part in what a parent conducts.
    TakePart(&'a Child<Job>),
}

impl Call<'_> {
    pub(crate) fn work(&self) -> Work {
        match self {
            Self::Conduct(scene) => scene.work,
            Self::TakePart(child) => child.job.setup.work,
        }
    }
}

/// One turn of one peer.
pub(crate) fn conduct(scene: Scene<'_>, play: fn(Call<'_>) -> Result<Slice>) -> Result<Slice> {
    play(Call::Conduct(scene)).map_err(|error| Failure::from(format!("{}: {error}", scene.name())))
}

/// A child's whole life.
pub(crate) fn child(child: &Child<Job>) -> Result<()> {
    let job = &child.job;
    let peer = peers::all().find(|peer| peer.name == job.peer);
    let peer = peer.ok_or_else(|| format!("a child for {}, which there is not", job.peer))?;
    let done = (peer.play)(Call::TakePart(child));
    done.map(drop).map_err(|error| Failure::from(format!("{}, {:?}: {error}", job.peer, job.part)))
}
