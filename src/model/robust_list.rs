//! The list of locks that a process holds, and what the kernel does with it at a death.
#![allow(unsafe_code)] // the list's entries are addresses

use core::cell::{Cell, RefCell};
use core::ops::Range;
use core::sync::atomic::Ordering;

use super::{futex, process};
use crate::error::OsError;
use crate::layout::RobustNode;

pub(crate) const MAX_HELD: usize = 8;

pub(crate) struct Thread {
    number: u32,
    pending: Cell<usize>,
    held: RefCell<Vec<usize>>,
}

/// As many as loom can run.
const THREADS: u32 = 5;

std::thread_local! {
    static RECORDS: &'static [Thread] = Box::leak(
        (0..THREADS)
            .map(|number| Thread { number, pending: Cell::new(0), held: RefCell::default() })
            .collect(),
    );
}

pub(super) fn reset() {
    for record in RECORDS.with(|records| *records) {
        record.pending.set(0);
        record.held.take();
    }
}

pub(crate) fn known() -> Option<&'static Thread> {
    RECORDS.with(|records| records.get(process::number() as usize))
}

pub(crate) fn current() -> Result<&'static Thread, OsError> {
    known().ok_or_else(|| OsError::new("too many threads", 0))
}

pub(crate) fn holds_any_in(_start: usize, _end: usize) -> bool {
    false
}

fn entry(node: &RobustNode) -> usize {
    core::ptr::from_ref(node) as usize
}

/// A step that changes nothing in shared memory.
fn step() {
    if !std::thread::panicking() {
        process::step();
    }
}

pub(crate) struct Place;

impl Thread {
    pub(crate) fn id(&self) -> u32 {
        process::id(self.number)
    }

    pub(crate) fn begin(&self, node: &RobustNode) {
        // What a dead process's stack is unwound through begins nothing.
        if !std::thread::panicking() {
            self.pending.set(entry(node));
        }
        step();
    }

    pub(crate) fn end(&self) {
        step();
        if !std::thread::panicking() {
            self.pending.set(0);
        }
    }

    pub(crate) fn place(&self) -> Option<Place> {
        (self.held.borrow().len() < MAX_HELD).then_some(Place)
    }

    pub(crate) fn take_newest(&self, node: &RobustNode, take: impl FnOnce(u32) -> bool) -> bool {
        self.begin(node);
        let taken = take(self.id());
        if taken {
            self.link(node, &Place);
        }
        self.end();
        taken
    }

    pub(crate) fn release_newest(&self, node: &RobustNode, release: impl FnOnce()) -> bool {
        if std::thread::panicking() || self.held.borrow().last() != Some(&entry(node)) {
            return false;
        }
        self.begin(node);
        self.unlink(node);
        release();
        self.end();
        true
    }

    pub(crate) fn link(&self, node: &RobustNode, _place: &Place) {
        step();
        self.held.borrow_mut().push(entry(node));
    }

    pub(crate) fn unlink(&self, node: &RobustNode) -> bool {
        if std::thread::panicking() || !self.holds(node) {
            return false;
        }
        self.held.borrow_mut().retain(|held| *held != entry(node));
        step();
        true
    }

    pub(crate) fn holds_any(&self) -> bool {
        !self.held.borrow().is_empty()
    }

    pub(crate) fn newest_within(&self, range: Range<usize>) -> Option<usize> {
        let held = self.held.borrow();
        let newest = held.iter().rev().find(|node| range.contains(node));
        newest.map(|node| node - range.start)
    }

    pub(crate) fn holds(&self, node: &RobustNode) -> bool {
        self.held.borrow().contains(&entry(node))
    }

    /// What exit_robust_list does in kernel/futex/core.c.
    pub(super) fn kernel_reports_death(&self) {
        let pending = self.pending.take();
        for held in self.held.take().into_iter().rev().filter(|held| *held != pending) {
            self.report(held, false);
        }
        if pending != 0 {
            self.report(pending, true);
        }
    }

    fn report(&self, entry: usize, pending: bool) {
        const WAITERS: u32 = 0x8000_0000;
        const OWNER_DIED: u32 = 0x4000_0000;
        const TID: u32 = 0x3fff_ffff;
        // SAFETY: the node of a segment that the model keeps.
        let node = unsafe { &*(entry as *const RobustNode) };
        loop {
            let word = node.word.load(Ordering::SeqCst);
            if pending && word == 0 {
                futex::wake(&node.word, 1);
                return;
            }
            if word & TID != self.id() {
                return;
            }
            let died = (word & WAITERS) | OWNER_DIED;
            if node.word.compare_exchange(word, died, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
                if word & WAITERS != 0 {
                    futex::wake(&node.word, 1);
                }
                return;
            }
        }
    }
}
