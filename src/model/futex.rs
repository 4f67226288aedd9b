//! The futex.

use core::cell::{Cell, RefCell};
use core::sync::atomic::Ordering;
use core::time::Duration;
use std::rc::Rc;

use super::atomic::AtomicU32;

pub(crate) const RECHECK: Duration = Duration::from_millis(100);
pub(crate) const SHORT_RECHECK: Duration = Duration::from_millis(1);
pub(crate) const ALL: u32 = u32::MAX;

struct Sleeper {
    /// The words that it is queued on by now.
    words: RefCell<Vec<usize>>,
    woken: Cell<bool>,
    parked: Cell<bool>,
    thread: loom::thread::Thread,
}

loom::lazy_static! {
    /// The lock of the kernel's queue: who is woken sees what its waker did before.
    static ref QUEUE: loom::sync::atomic::AtomicUsize = loom::sync::atomic::AtomicUsize::new(0);
}

fn lock_queue() {
    QUEUE.fetch_add(1, Ordering::AcqRel);
}

std::thread_local! {
    /// In the order in which they came.
    static SLEEPERS: RefCell<Vec<Rc<Sleeper>>> = const { RefCell::new(Vec::new()) };
}

pub(super) fn reset() {
    SLEEPERS.take();
}

fn address(word: &AtomicU32) -> usize {
    core::ptr::from_ref(word) as usize
}

/// Queues on one word after the other, as futex_waitv does: who is woken from the first one while
/// it looks at the second does not sleep.
fn wait_all(words: &[(&AtomicU32, u32)]) {
    if std::thread::panicking() {
        return;
    }
    let sleeper = Rc::new(Sleeper {
        words: RefCell::default(),
        woken: Cell::new(false),
        parked: Cell::new(false),
        thread: loom::thread::current(),
    });
    SLEEPERS.with_borrow_mut(|sleepers| sleepers.push(Rc::clone(&sleeper)));
    // The kernel takes one that dies off the queue.
    let _queued = Queued(Rc::clone(&sleeper));
    for (word, expected) in words {
        // Whose wake does not find this sleeper, their store is seen here. There is no fence: what
        // orders a store and a look at a flag is membarrier's to show.
        lock_queue();
        sleeper.words.borrow_mut().push(address(word));
        if word.load(Ordering::Relaxed) != *expected {
            sleeper.woken.set(true);
            break;
        }
    }
    if !sleeper.woken.get() {
        sleeper.parked.set(true);
        loom::thread::park();
    }
    lock_queue();
}

/// Takes a sleeper off the queue.
struct Queued(Rc<Sleeper>);

impl Drop for Queued {
    fn drop(&mut self) {
        SLEEPERS.with_borrow_mut(|sleepers| sleepers.retain(|other| !Rc::ptr_eq(other, &self.0)));
    }
}

pub(crate) fn wait(word: &AtomicU32, expected: u32, _timeout: Duration) {
    wait_all(&[(word, expected)]);
}

pub(crate) const MOST: usize = 128;

pub(crate) fn wait_any(words: &[(&AtomicU32, u32)], _timeout: Duration) {
    wait_all(words);
}

pub(crate) fn wake(word: &AtomicU32, count: u32) -> usize {
    if std::thread::panicking() {
        return 0;
    }
    lock_queue();
    let address = address(word);
    let chosen: Vec<_> = SLEEPERS.with_borrow(|sleepers| {
        let here = |sleeper: &&Rc<Sleeper>| {
            !sleeper.woken.get() && sleeper.words.borrow().contains(&address)
        };
        sleepers.iter().filter(here).take(count as usize).cloned().collect()
    });
    wake_up(&chosen);
    chosen.len()
}

fn wake_up(sleepers: &[Rc<Sleeper>]) {
    sleepers.iter().for_each(|sleeper| sleeper.woken.set(true));
    // One that has not come to its park finds that it was woken, and does not park.
    sleepers
        .iter()
        .filter(|sleeper| sleeper.parked.get())
        .for_each(|sleeper| sleeper.thread.unpark());
}

/// 100 ms pass: everybody who sleeps looks again.
pub(crate) fn tick() {
    let all: Vec<_> = SLEEPERS.with_borrow(|sleepers| {
        sleepers.iter().filter(|sleeper| !sleeper.woken.get()).cloned().collect()
    });
    wake_up(&all);
}
