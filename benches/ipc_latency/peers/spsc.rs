//! `outlive::Spsc`: the ring from one producer to one consumer.

use std::time::Duration;

use outlive::{Consumer, PopError, Producer, PushError, Segment, Shared, Spsc};

use super::{Inbox, Outbox, Side};
use crate::support::cpu::Patience;
use crate::support::{Failure, Result, failed};

const ROUND_TRIP_CAPACITY: usize = 64;

/// Messages that go into or out of the ring together.
const BATCH: usize = 64;

/// What a party has of one or two rings.
#[derive(Debug)]
struct Ends<const W: usize>
where
    [u64; W]: Shared,
{
    out: Option<Producer<[u64; W]>>,
    inbound: Option<Consumer<[u64; W]>>,
}

/// A message that says which end is missing: a mistake of the benchmark.
fn missing() -> Failure {
    "this end of the ring was not taken".into()
}

/// A turn before this one may have its end still.
const HANDOVER: Duration = Duration::from_secs(10);

impl<const W: usize> Ends<W>
where
    [u64; W]: Shared,
{
    fn two_way(segment: &str, side: Side) -> Result<Self> {
        let segment = Segment::open(segment)?;
        let there: Spsc<[u64; W]> = segment.spsc("there", ROUND_TRIP_CAPACITY)?;
        let back = segment.spsc("back", ROUND_TRIP_CAPACITY)?;
        let (out, inbound) = match side {
            Side::Parent => (there, back),
            Side::Child => (back, there),
        };
        Ok(Self {
            out: Some(out.producer_timeout(HANDOVER)?),
            inbound: Some(inbound.consumer_timeout(HANDOVER)?),
        })
    }

    fn one_way(segment: &str, capacity: usize, sends: bool) -> Result<Self> {
        let ring: Spsc<[u64; W]> = Segment::open(segment)?.spsc("stream", capacity)?;
        Ok(if sends {
            Self { out: Some(ring.producer_timeout(HANDOVER)?), inbound: None }
        } else {
            Self { out: None, inbound: Some(ring.consumer_timeout(HANDOVER)?) }
        })
    }
}

/// Used without ever sleeping.
#[derive(Debug)]
pub(crate) struct Spinning<const W: usize>(Ends<W>, Patience)
where
    [u64; W]: Shared;

impl<const W: usize> Spinning<W>
where
    [u64; W]: Shared,
{
    pub(crate) fn two_way(segment: &str, side: Side, patience: Patience) -> Result<Self> {
        Ok(Self(Ends::two_way(segment, side)?, patience))
    }

    pub(crate) fn one_way(
        segment: &str,
        capacity: usize,
        sends: bool,
        patience: Patience,
    ) -> Result<Self> {
        Ok(Self(Ends::one_way(segment, capacity, sends)?, patience))
    }
}

impl<const W: usize> Outbox<W> for Spinning<W>
where
    [u64; W]: Shared,
{
    #[inline]
    fn send(&mut self, message: [u64; W]) -> Result<()> {
        let producer = self.0.out.as_mut().ok_or_else(missing)?;
        self.1.until(|| match producer.try_push(message) {
            Ok(()) => Some(Ok(())),
            Err(PushError::Full(_)) => None,
            Err(error) => Some(failed(format!("try_push: {error}"))),
        })
    }
}

impl<const W: usize> Inbox<W> for Spinning<W>
where
    [u64; W]: Shared,
{
    #[inline]
    fn receive(&mut self) -> Result<[u64; W]> {
        let consumer = self.0.inbound.as_mut().ok_or_else(missing)?;
        self.1.until(|| match consumer.try_pop() {
            Ok(message) => Some(Ok(message)),
            Err(PopError::Empty) => None,
            Err(error) => Some(failed(format!("try_pop: {error}"))),
        })
    }
}

/// Whose user sleeps when it has to wait.
#[derive(Debug)]
pub(crate) struct Blocking<const W: usize>(Ends<W>)
where
    [u64; W]: Shared;

impl<const W: usize> Blocking<W>
where
    [u64; W]: Shared,
{
    pub(crate) fn two_way(segment: &str, side: Side) -> Result<Self> {
        Ok(Self(Ends::two_way(segment, side)?))
    }

    pub(crate) fn one_way(segment: &str, capacity: usize, sends: bool) -> Result<Self> {
        Ok(Self(Ends::one_way(segment, capacity, sends)?))
    }
}

impl<const W: usize> Outbox<W> for Blocking<W>
where
    [u64; W]: Shared,
{
    #[inline]
    fn send(&mut self, message: [u64; W]) -> Result<()> {
        let producer = self.0.out.as_mut().ok_or_else(missing)?;
        producer.push(message).map_err(|error| format!("push: {error}").into())
    }
}

impl<const W: usize> Inbox<W> for Blocking<W>
where
    [u64; W]: Shared,
{
    #[inline]
    fn receive(&mut self) -> Result<[u64; W]> {
        let consumer = self.0.inbound.as_mut().ok_or_else(missing)?;
        consumer.pop().map_err(|error| format!("pop: {error}").into())
    }
}

/// Many messages at a time, without ever sleeping.
#[derive(Debug)]
pub(crate) struct Batched {
    ends: Ends<1>,
    patience: Patience,
    buffer: [[u64; 1]; BATCH],
    /// Of the buffer: to be sent, or received and not asked for yet.
    filled: usize,
    next: usize,
}

impl Batched {
    pub(crate) fn one_way(
        segment: &str,
        capacity: usize,
        sends: bool,
        patience: Patience,
    ) -> Result<Self> {
        let ends = Ends::one_way(segment, capacity, sends)?;
        Ok(Self { ends, patience, buffer: [[0]; BATCH], filled: 0, next: 0 })
    }

    fn flush(&mut self) -> Result<()> {
        let producer = self.ends.out.as_mut().ok_or_else(missing)?;
        let mut sent = 0;
        while sent < self.filled {
            let rest = &self.buffer[sent..self.filled];
            sent += self.patience.until(|| match producer.try_push_slice(rest) {
                Ok(count) => Some(Ok(count)),
                Err(PushError::Full(())) => None,
                Err(error) => Some(failed(format!("try_push_slice: {error}"))),
            })?;
        }
        self.filled = 0;
        Ok(())
    }
}

impl Drop for Batched {
    fn drop(&mut self) {
        if self.ends.out.is_some() {
            // A failure shows on the other side, which misses messages.
            let _missed = self.flush();
        }
    }
}

impl Outbox<1> for Batched {
    #[inline]
    fn send(&mut self, message: [u64; 1]) -> Result<()> {
        self.buffer[self.filled] = message;
        self.filled += 1;
        if self.filled == BATCH { self.flush() } else { Ok(()) }
    }
}

impl Inbox<1> for Batched {
    #[inline]
    fn receive(&mut self) -> Result<[u64; 1]> {
        if self.next == self.filled {
            let consumer = self.ends.inbound.as_mut().ok_or_else(missing)?;
            let buffer = &mut self.buffer;
            self.filled = self.patience.until(|| match consumer.try_pop_slice(buffer) {
                Ok(count) => Some(Ok(count)),
                Err(PopError::Empty) => None,
                Err(error) => Some(failed(format!("try_pop_slice: {error}"))),
            })?;
            self.next = 0;
        }
        self.next += 1;
        Ok(self.buffer[self.next - 1])
    }
}
