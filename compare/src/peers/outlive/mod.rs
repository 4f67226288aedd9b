//! The library that all this is about, used as any program would use it.

pub(crate) mod broadcast;
pub(crate) mod byte_queue;
pub(crate) mod loans;
pub(crate) mod pipe;
pub(crate) mod queue;
pub(crate) mod spsc;

use std::sync::atomic::{AtomicU32, Ordering};

use outlive::{Segment, Waiting};

use super::{Address, Answer};
use crate::peers;
use crate::support::{Result, watchdog};
use crate::work::{Kind, Setup, Work};

/// The manners of waiting that are measured, as parameters of channels.
const SPINS: bool = true;
const SLEEPS: bool = false;

/// `SPINS` or `SLEEPS`, as the library calls it.
const fn manner(spins: bool) -> Waiting {
    if spins { Waiting::Spin } else { Waiting::Adaptive }
}

/// [`peers::answer`] where only the manner of waiting differs from another peer: nobody waits in a
/// startup.
fn answer_spinning<C: peers::Channel>(work: &Work) -> Answer {
    if work.kind == Kind::Startup { Answer::No } else { peers::answer::<C>(work) }
}

/// What an object is called in its segment.
const OBJECT: &str = "channel";

/// A segment for one object, gone when this is dropped.
#[derive(Debug)]
struct Host {
    segment: Option<Segment>,
    name: String,
}

impl Host {
    fn create(setup: &Setup) -> Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("outlive-compare-{}-{number}", std::process::id());
        watchdog::on_abort(&name, remove);
        // Cells are a little larger than what is in them.
        let capacity = 2 * setup.work.ring_bytes() as u64 + (1 << 20);
        let segment = Some(Segment::options().capacity(capacity).create(&name)?);
        Ok(Self { segment, name })
    }

    fn address(&self) -> Address {
        Address::named(&self.name)
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.segment = None;
        remove(&self.name);
        watchdog::removed(&self.name);
    }
}

/// Best effort: the last process to leave may have removed it.
fn remove(name: &str) {
    let _ = Segment::unlink(name);
}

fn open(address: &Address) -> Result<Segment> {
    Ok(Segment::open(&address.name)?)
}
