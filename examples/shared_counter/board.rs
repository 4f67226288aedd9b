//! The segment and the objects in it.

use outlive::{Array, Event, ObjectError, Reset, Segment, SegmentError, Value};

use crate::Result;
use crate::roster::Roster;
use crate::tally::{Lock, MAX_WORKERS, Tally};

/// What the processes of a demo share.
pub(crate) struct Board {
    pub(crate) lock: Lock,
    pub(crate) tally: Box<dyn Tally>,
    pub(crate) roster: Roster,
    /// Set once: everybody starts to count.
    pub(crate) start: Event,
    /// 1 for each worker that has come to the start.
    ready: Array<u32>,
    /// Set whenever the parent should look at the board.
    pub(crate) news: Event,
}

/// All demos' segments are called so, with the parent's process id.
const PREFIX: &str = "shared-counter-";

impl Board {
    /// A segment of this process's own, for workers with these targets. Nobody can join yet.
    pub(crate) fn create(lock: Lock, targets: &[u64]) -> Result<(Segment, Self)> {
        let name = format!("{PREFIX}{}", std::process::id());
        let segment = Segment::options().capacity(1 << 20).create(&name)?;
        let board = Self::of(&segment, lock)?;
        board.roster.enrol(targets)?;
        Ok((segment, board))
    }

    /// Lets others open the board of a segment: with the lock, they find everything else.
    pub(crate) fn publish(&self, segment: &Segment) -> Result<()> {
        segment.create_object::<Value<Lock>>("lock", self.lock)?;
        Ok(())
    }

    /// The board of a running demo.
    pub(crate) fn open(name: &str) -> Result<Self> {
        let segment = Segment::open(name).map_err(|error| match error {
            SegmentError::NotFound { .. } => {
                format!(
                    "no demo runs with segment {name:?}: a demo prints its segment's name first"
                )
            }
            other => other.to_string(),
        })?;
        let lock = segment.find::<Value<Lock>>("lock").map_err(|error| match error {
            ObjectError::NotFound { .. } | ObjectError::TypeMismatch { .. } => {
                format!(
                    "segment {name:?} is not one of a shared_counter, or not ready yet: {error}"
                )
            }
            other => other.to_string(),
        })?;
        Self::of(&segment, lock.get()?)
    }

    fn of(segment: &Segment, lock: Lock) -> Result<Self> {
        Ok(Self {
            lock,
            tally: lock.open(segment)?,
            roster: Roster::open(segment)?,
            start: segment.event("start", Reset::Manual)?,
            ready: segment.array("ready", MAX_WORKERS, 0)?,
            news: segment.event("news", Reset::Auto)?,
        })
    }

    /// Says that a worker has come to the start. One that replaces a dead one says so again.
    pub(crate) fn report_ready(&self, slot: usize) -> Result<()> {
        self.ready.store(slot, 1)?;
        Ok(self.news.set()?)
    }

    /// How many workers have come to the start.
    pub(crate) fn ready(&self) -> Result<u32> {
        Ok(self.ready.to_vec()?.iter().sum())
    }
}
