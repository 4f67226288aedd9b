//! The library under test, used as any program would use it.

use std::sync::atomic::{AtomicU32, Ordering};

use outlive::{LockError, Mutex, MutexGuard, PopError, PushError, Queue, Segment, Shared};

use super::shm::CAPACITY;
use super::{Inbox, LockedCounter, Outbox, RobustLock, Side};
use crate::support::cpu::Patience;
use crate::support::{Failure, Result, clock, failed, watchdog};

/// A segment of the parent, gone when this is dropped.
#[derive(Debug)]
pub(crate) struct Host {
    segment: Option<Segment>,
    name: String,
}

impl Host {
    pub(crate) fn create() -> Result<Self> {
        Self::with_capacity(CAPACITY as u64)
    }

    pub(crate) fn with_capacity(bytes: u64) -> Result<Self> {
        let name = fresh_name();
        watchdog::on_abort(&name, remove);
        let segment = Some(Segment::options().capacity(bytes).create(&name)?);
        Ok(Self { segment, name })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.segment = None;
        remove(&self.name);
        watchdog::removed(&self.name);
    }
}

/// A name that no other run uses.
pub(crate) fn fresh_name() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("outlive-bench-{}-{number}", std::process::id())
}

/// Best effort: the last process to leave may have removed it.
pub(crate) fn remove(name: &str) {
    let _ = Segment::unlink(name);
}

/// A new segment.
pub(crate) fn create(name: &str) -> Result<Segment> {
    Ok(Segment::options().capacity(CAPACITY as u64).create(name)?)
}

/// From nothing to a segment and back to nothing.
pub(crate) fn whole_life(name: &str) -> Result<()> {
    create(name).map(drop)
}

/// Opens what exists and lets go of it.
pub(crate) fn open_and_close(name: &str) -> Result<()> {
    Ok(Segment::open(name).map(drop)?)
}

/// A counter under a mutex.
#[derive(Debug)]
pub(crate) struct Counter(Mutex<u64>);

impl Counter {
    pub(crate) fn attach(segment: &str) -> Result<Self> {
        Ok(Self(Segment::open(segment)?.mutex("counter", 0)?))
    }
}

#[cold]
fn lock_error(error: LockError<MutexGuard<'_, u64>>) -> Failure {
    format!("Mutex::lock: {error}").into()
}

impl LockedCounter for Counter {
    #[inline]
    fn increment(&self) -> Result<()> {
        *self.0.lock().map_err(lock_error)? += 1;
        Ok(())
    }

    fn value(&self) -> Result<u64> {
        Ok(*self.0.lock().map_err(lock_error)?)
    }
}

impl RobustLock for Counter {
    fn hold_for_good(&self) -> Result<()> {
        let mut guard = self.0.lock().map_err(lock_error)?;
        *guard += 1;
        std::mem::forget(guard);
        Ok(())
    }

    fn lock_after_death(&self) -> Result<u64> {
        let locked = self.0.lock();
        let had_it = clock::now_ns();
        match locked {
            Err(LockError::OwnerDied(mut guard)) => {
                guard.mark_consistent();
                Ok(had_it)
            }
            Err(error) => Err(lock_error(error)),
            Ok(_) => failed("Mutex::lock did not say that the holder had died"),
        }
    }
}

/// Messages that one queue keeps: little for a ping-pong, which uses one at a time.
const ROUND_TRIP_CAPACITY: usize = 64;

/// The two queues of a ping-pong.
fn two_way<T: Shared>(segment: &str, side: Side) -> Result<(Queue<T>, Queue<T>)> {
    let segment = Segment::open(segment)?;
    let there = segment.queue("there", ROUND_TRIP_CAPACITY)?;
    let back = segment.queue("back", ROUND_TRIP_CAPACITY)?;
    Ok(match side {
        Side::Parent => (there, back),
        Side::Child => (back, there),
    })
}

/// The one queue of a stream.
fn one_way<T: Shared>(segment: &str, capacity: usize) -> Result<(Queue<T>, Queue<T>)> {
    let queue: Queue<T> = Segment::open(segment)?.queue("stream", capacity)?;
    Ok((queue.clone(), queue))
}

/// Queues used without ever sleeping.
#[derive(Debug)]
pub(crate) struct Spinning<const W: usize>
where
    [u64; W]: Shared,
{
    out: Queue<[u64; W]>,
    inbound: Queue<[u64; W]>,
    patience: Patience,
}

impl<const W: usize> Spinning<W>
where
    [u64; W]: Shared,
{
    pub(crate) fn two_way(segment: &str, side: Side, patience: Patience) -> Result<Self> {
        let (out, inbound) = two_way(segment, side)?;
        Ok(Self { out, inbound, patience })
    }

    pub(crate) fn one_way(segment: &str, capacity: usize, patience: Patience) -> Result<Self> {
        let (out, inbound) = one_way(segment, capacity)?;
        Ok(Self { out, inbound, patience })
    }
}

impl<const W: usize> Outbox<W> for Spinning<W>
where
    [u64; W]: Shared,
{
    #[inline]
    fn send(&mut self, message: [u64; W]) -> Result<()> {
        self.patience.until(|| match self.out.try_push(message) {
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
        self.patience.until(|| match self.inbound.try_pop() {
            Ok(message) => Some(Ok(message)),
            Err(PopError::Empty) => None,
            Err(error) => Some(failed(format!("try_pop: {error}"))),
        })
    }
}

/// Queues whose user sleeps when it has to wait.
#[derive(Debug)]
pub(crate) struct Blocking<const W: usize>
where
    [u64; W]: Shared,
{
    out: Queue<[u64; W]>,
    inbound: Queue<[u64; W]>,
}

impl<const W: usize> Blocking<W>
where
    [u64; W]: Shared,
{
    pub(crate) fn two_way(segment: &str, side: Side) -> Result<Self> {
        let (out, inbound) = two_way(segment, side)?;
        Ok(Self { out, inbound })
    }

    pub(crate) fn one_way(segment: &str, capacity: usize) -> Result<Self> {
        let (out, inbound) = one_way(segment, capacity)?;
        Ok(Self { out, inbound })
    }
}

impl<const W: usize> Outbox<W> for Blocking<W>
where
    [u64; W]: Shared,
{
    #[inline]
    fn send(&mut self, message: [u64; W]) -> Result<()> {
        self.out.push(message).map_err(|error| format!("push: {error}").into())
    }
}

impl<const W: usize> Inbox<W> for Blocking<W>
where
    [u64; W]: Shared,
{
    #[inline]
    fn receive(&mut self) -> Result<[u64; W]> {
        self.inbound.pop().map_err(|error| format!("pop: {error}").into())
    }
}
