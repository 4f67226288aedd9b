//! Signals by `Event`.

use std::time::Duration;

use outlive::{Event, Reset, Segment, Waitable, Waiting, wait_any};

use crate::peers::{Side, Signals};
use crate::support::{Result, failed};

/// An automatic event for each direction.
#[derive(Debug)]
pub(crate) struct Events {
    out: Event,
    inbound: Event,
}

impl Events {
    pub(crate) fn link(segment: &str, side: Side, waiting: Waiting) -> Result<Self> {
        let segment = Segment::open(segment)?;
        let there = segment.event("there", Reset::Auto)?.with_waiting(waiting);
        let back = segment.event("back", Reset::Auto)?.with_waiting(waiting);
        Ok(match side {
            Side::Parent => Self { out: there, inbound: back },
            Side::Child => Self { out: back, inbound: there },
        })
    }
}

impl Signals for Events {
    #[inline]
    fn signal(&mut self) -> Result<()> {
        Ok(self.out.set()?)
    }

    #[inline]
    fn wait(&mut self) -> Result<()> {
        Ok(self.inbound.wait()?)
    }
}

/// The same with `wait_any` over `N` events, of which the last one is set.
#[derive(Debug)]
pub(crate) struct AnyOf<const N: usize> {
    out: Event,
    inbound: [Event; N],
}

impl<const N: usize> AnyOf<N> {
    pub(crate) fn link(segment: &str, side: Side) -> Result<Self> {
        let segment = Segment::open(segment)?;
        let last = N - 1;
        let (to, from) = match side {
            Side::Parent => ("there", "back"),
            Side::Child => ("back", "there"),
        };
        let out = segment.event(&format!("{to}-{last}"), Reset::Auto)?;
        let inbound: Vec<Event> = (0..N)
            .map(|index| segment.event(&format!("{from}-{index}"), Reset::Auto))
            .collect::<std::result::Result<_, _>>()?;
        let inbound = inbound.try_into().expect("as many as asked for");
        Ok(Self { out, inbound })
    }
}

impl<const N: usize> Signals for AnyOf<N> {
    #[inline]
    fn signal(&mut self) -> Result<()> {
        Ok(self.out.set()?)
    }

    #[inline]
    fn wait(&mut self) -> Result<()> {
        let waitables: [&dyn Waitable; N] = std::array::from_fn(|index| &self.inbound[index] as _);
        let ready = wait_any(&waitables, None)?.ok_or("no event without a limit of time")?;
        if !self.inbound[ready].wait_timeout(Duration::ZERO)? {
            return failed("the event was not set, and nobody else waits for it");
        }
        Ok(())
    }
}
