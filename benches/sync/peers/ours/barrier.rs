//! Rounds of a `Barrier`.

use outlive::{Barrier, Segment};

use crate::peers::Rounds;
use crate::support::Result;

/// The barrier.
#[derive(Debug)]
pub(crate) struct BarrierRounds(Barrier);

impl BarrierRounds {
    pub(crate) fn attach(segment: &str, parties: usize) -> Result<Self> {
        Ok(Self(Segment::open(segment)?.barrier("barrier", parties)?))
    }
}

impl Rounds for BarrierRounds {
    #[inline]
    fn meet(&mut self) -> Result<()> {
        Ok(self.0.wait().map(drop)?)
    }
}
