//! Runs a model.
#![allow(unsafe_code)] // memory for structures

use core::ops::Range;
use core::sync::atomic::{AtomicBool, Ordering};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

use loom::thread::JoinHandle;

use super::process::{self, Death};
use super::{atomic, futex, membarrier, robust_list};
use crate::Segment;
use crate::layout::Plain;

/// How many times a thread is interrupted where it need not be. Two find nearly everything
/// (Musuvathi and Qadeer, "Iterative context bounding", PLDI 2007); `LOOM_MAX_PREEMPTIONS` lowers it.
const PREEMPTIONS: usize = 2;

/// Runs `body` through all executions.
pub(crate) fn check(preemptions: usize, body: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    let most = builder.preemption_bound.unwrap_or(preemptions);
    builder.preemption_bound = Some(most.min(preemptions));
    builder.max_branches = 50_000;
    builder.check(move || {
        atomic::reset();
        futex::reset();
        process::reset();
        robust_list::reset();
        membarrier::reset();
        body();
        atomic::reset();
    });
}

/// [`check`] with the usual bound.
pub(crate) fn model(body: impl Fn() + Send + Sync + 'static) {
    check(PREEMPTIONS, body);
}

/// Runs `body` with a death after every number of steps of the process that it makes mortal.
pub(crate) fn with_death(body: impl Fn(Mortality) + Send + Sync + 'static) {
    with_death_bounded(PREEMPTIONS, body);
}

/// [`with_death`] with another bound.
pub(crate) fn with_death_bounded(
    preemptions: usize,
    body: impl Fn(Mortality) + Send + Sync + 'static,
) {
    let body = Arc::new(body);
    for steps in 0.. {
        let died = Arc::new(AtomicBool::new(false));
        let (body, seen) = (Arc::clone(&body), Arc::clone(&died));
        check(preemptions, move || body(Mortality { steps, died: Arc::clone(&seen) }));
        if !died.load(Ordering::Relaxed) {
            assert!(steps > 3, "nobody was mortal");
            return;
        }
    }
}

/// When a process dies.
#[derive(Clone)]
pub(crate) struct Mortality {
    steps: usize,
    died: Arc<AtomicBool>,
}

impl Mortality {
    /// A death after so many steps, in a model with another one.
    pub(crate) fn after(steps: usize) -> Self {
        Self { steps, died: Arc::default() }
    }
}

/// From here on everything in the segment is modelled.
pub(crate) fn begin(segment: &Segment) {
    let range = segment.object_range();
    let end = atomic::last_used(range.clone()) + AHEAD;
    begin_within(range.start..end.min(range.end));
}

/// From here on everything at these addresses is modelled, and may be accessed.
pub(crate) fn begin_within(range: Range<usize>) {
    process::be(0, None);
    atomic::freeze(range);
}

/// Room for what an object's initialisation does not touch.
const AHEAD: usize = 192;

/// A process that lives.
pub(crate) fn process<R: 'static>(
    number: u32,
    work: impl FnOnce() -> R + 'static,
) -> JoinHandle<R> {
    loom::thread::spawn(move || {
        process::be(number, None);
        work()
    })
}

/// Everybody else goes on until they sleep or end. (The checker would come to that by itself only where
/// it sees a race: an access of another thread that is followed by one of the same thread hides it.)
pub(crate) fn let_others_go_first() {
    (0..4).for_each(|_| loom::thread::yield_now());
}

/// Whether the kernel sees a death.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kernel {
    Reports,
    Overlooks,
}

/// A process that dies. Returns what it did before, if it came to its end.
pub(crate) fn mortal<R: 'static>(
    number: u32,
    mortality: &Mortality,
    kernel: Kernel,
    work: impl FnOnce() -> R + 'static,
) -> JoinHandle<Option<R>> {
    let Mortality { steps, died } = mortality.clone();
    loom::thread::spawn(move || {
        process::be(number, Some(steps));
        match catch_unwind(AssertUnwindSafe(work)) {
            Ok(result) => {
                process::be(number, None);
                Some(result)
            }
            Err(payload) if payload.is::<Death>() => {
                died.store(true, Ordering::Relaxed);
                process::bury();
                if kernel == Kernel::Reports {
                    robust_list::known().expect("a record").kernel_reports_death();
                }
                None
            }
            Err(payload) => resume_unwind(payload),
        }
    })
}

/// A process that lives, and may have to look again when time has passed.
pub(crate) struct InTime<R> {
    handle: JoinHandle<R>,
    ended: Arc<AtomicBool>,
}

pub(crate) fn in_time<R: 'static>(number: u32, work: impl FnOnce() -> R + 'static) -> InTime<R> {
    let ended = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&ended);
    let handle = process(number, move || {
        let result = work();
        seen.store(true, Ordering::Relaxed);
        result
    });
    InTime { handle, ended }
}

/// Lets time pass until a process has ended.
pub(crate) fn pass_time<R>(process: InTime<R>) -> R {
    // Yielding lets everybody else run who can.
    for _ in 0..8 {
        loom::thread::yield_now();
        if process.ended.load(Ordering::Relaxed) {
            break;
        }
        futex::tick();
    }
    process.handle.join().expect("a process")
}

/// A structure in zeroed memory, and from here on everything in it is modelled. One for each
/// execution.
pub(crate) fn begin_with<L: Plain>(prepare: impl FnOnce(&L)) -> &'static L {
    #[repr(align(64))]
    struct Room {
        _bytes: [u8; 4096],
    }
    std::thread_local! {
        static ROOM: *mut Room = Box::into_raw(Box::new(Room { _bytes: [0; 4096] }));
    }
    assert!(size_of::<L>() <= size_of::<Room>());
    let room = ROOM.with(|room| *room);
    // SAFETY: leaked, so valid; those who used it in the execution before have ended.
    unsafe { room.write(Room { _bytes: [0; 4096] }) };
    // SAFETY: large enough and aligned to 64; a Plain structure is valid for any bytes.
    let structure = unsafe { &*room.cast::<L>() };
    prepare(structure);
    let start = room as usize;
    begin_within(start..start + size_of::<L>());
    structure
}
