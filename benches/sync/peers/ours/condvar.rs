//! Signals by `Condvar`, with whose turn it is under a `Mutex`.

use outlive::{Condvar, Mutex, Segment};

use super::failure;
use crate::peers::{Side, Signals};
use crate::support::Result;

/// A condition for each direction.
#[derive(Debug)]
pub(crate) struct Condvars {
    /// 0 while the parent has to act, 1 while the child has to.
    turn: Mutex<u64>,
    /// What the turn is when it is this side's.
    mine: u64,
    out: Condvar,
    inbound: Condvar,
}

impl Condvars {
    pub(crate) fn link(segment: &str, side: Side) -> Result<Self> {
        let segment = Segment::open(segment)?;
        let turn = segment.mutex("turn", 0)?;
        let (there, back) = (segment.condvar("there")?, segment.condvar("back")?);
        Ok(match side {
            Side::Parent => Self { turn, mine: 0, out: there, inbound: back },
            Side::Child => Self { turn, mine: 1, out: back, inbound: there },
        })
    }
}

impl Signals for Condvars {
    #[inline]
    fn signal(&mut self) -> Result<()> {
        *self.turn.lock().map_err(failure)? = 1 - self.mine;
        Ok(self.out.notify_one()?)
    }

    #[inline]
    fn wait(&mut self) -> Result<()> {
        let turn = self.turn.lock().map_err(failure)?;
        self.inbound.wait_while(turn, |turn| *turn != self.mine).map(drop).map_err(failure)
    }
}
