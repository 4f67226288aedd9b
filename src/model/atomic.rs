//! Atomics of the real size and place, whose value under the model is kept by loom.
//!
//! Loom wants every atomic to be made before the threads that use it. [`freeze`] makes them: one for
//! each word that the set-up touched, and whole words for what it did not.
//!
//! Loom keeps the order of stores to one word as a partial one, which it does not close transitively
//! when several threads store without synchronising: it yields executions that no machine and no
//! memory model has. So the stores to a word are in the order in which they are made. What that
//! leaves out is a store that is made later and counts earlier (2+2W in the literature), on which
//! nothing here depends: all orders in which they can be made are explored.
#![allow(unsafe_code)] // reads the words that the set-up left

use core::cell::{Cell, RefCell};
use core::fmt::Debug;
use core::ops::Range;
use core::panic::Location;
use core::sync::atomic::Ordering;
use std::any::Any;
use std::collections::BTreeMap;
use std::rc::Rc;

use loom::sync::atomic as checked;

use super::process;
use super::weaken::{is_weakened, weakened};

pub(crate) use fence_at_a_step as fence;

std::thread_local! {
    // All threads of an execution run on one thread of the machine.
    static MODELLED: Cell<bool> = const { Cell::new(false) };
    /// Makes the loom atomic of each address that was used.
    static WORDS: RefCell<BTreeMap<usize, Make>> = const { RefCell::new(BTreeMap::new()) };
    static CHECKED: RefCell<BTreeMap<usize, Rc<dyn Any>>> = const { RefCell::new(BTreeMap::new()) };
    /// The words that nobody accesses while another one may write them.
    static ALONE: RefCell<BTreeMap<usize, Alone>> = const { RefCell::new(BTreeMap::new()) };
}

type Make = fn(usize) -> Rc<dyn Any>;

type Alone = Rc<loom::cell::UnsafeCell<()>>;

/// How an access is to be made.
enum Access<A> {
    /// To the word itself: nothing is modelled yet.
    Plain,
    /// Not at all: the process is dead, and only its stack is being unwound.
    Dead,
    Checked(Rc<A>),
}

fn access<A: 'static>(address: usize, make: Make) -> Access<A> {
    if std::thread::panicking() {
        return Access::Dead;
    }
    if !MODELLED.get() {
        WORDS.with_borrow_mut(|words| words.insert(address, make));
        return Access::Plain;
    }
    process::step();
    let known = CHECKED.with_borrow(|checked| checked.get(&address).cloned());
    let word = known.unwrap_or_else(|| panic!("{address:#x} was not there when the model began"));
    Access::Checked(word.downcast().unwrap_or_else(|_| panic!("{address:#x} has another size")))
}

/// A new execution: nothing is modelled until [`freeze`].
pub(crate) fn reset() {
    MODELLED.set(false);
    WORDS.take();
    CHECKED.take();
    ALONE.take();
}

/// Within this range, from here on, an access that races with a write is an error, even though it is
/// atomic. Loom lets a load see no store that is made after it, which a machine may: it notices that a
/// reader does not keep a writer off only in this way.
pub(crate) fn no_races(range: Range<usize>) {
    ALONE.with_borrow_mut(|alone| {
        alone.extend(range.step_by(8).map(|address| (address & !7, Alone::default())));
    });
}

fn alone(address: usize) -> Option<Alone> {
    ALONE.with_borrow(|alone| alone.get(&(address & !7)).cloned())
}

/// From here on all accesses are loom's, and only those to `range` are made. Words in it that were
/// not used before count as words of eight bytes.
pub(crate) fn freeze(range: Range<usize>) {
    WORDS.with_borrow_mut(|words| {
        words.retain(|address, _| range.contains(address));
        for address in range.step_by(8) {
            if words.range(address..address + 8).next().is_none() {
                words.insert(address, AtomicU64::make);
            }
        }
        let checked = words.iter().map(|(&address, make)| (address, make(address)));
        CHECKED.set(checked.collect());
    });
    MODELLED.set(true);
}

/// One more word that accesses are made to, in private memory.
#[cfg(feature = "async")]
pub(crate) fn include(word: &AtomicU32) {
    let address = core::ptr::from_ref(word) as usize;
    CHECKED.with_borrow_mut(|checked| checked.insert(address, AtomicU32::make(address)));
}

/// Runs what no model is of, on the words themselves.
pub(crate) fn aside<R>(work: impl FnOnce() -> R) -> R {
    let modelled = MODELLED.replace(false);
    let result = work();
    MODELLED.set(modelled);
    result
}

/// The last word within a range that was used so far.
pub(crate) fn last_used(range: Range<usize>) -> usize {
    WORDS.with_borrow(|words| words.range(range).next_back().map_or(0, |(last, _)| *last))
}

#[track_caller]
pub(crate) fn fence_at_a_step(ordering: Ordering) {
    if MODELLED.get() && !std::thread::panicking() {
        process::step();
        if !is_weakened(Location::caller(), "fence") {
            checked::fence(ordering);
        }
    }
}

loom::thread_local! {
    /// Whether this thread has made a sequentially consistent store.
    static ORDERED: Cell<bool> = Cell::new(false);
}

/// Loom takes `SeqCst` on an access for less than it is. What it is relied on for here is that of
/// two threads which each store to a word and then load the other's, one sees the other's store: a
/// fence between the two makes loom show that, if both accesses ask for it.
fn note_store(ordering: Ordering) {
    if ordering == Ordering::SeqCst {
        ORDERED.with(|ordered| ordered.set(true));
    }
}

fn order_before_load(ordering: Ordering) {
    if ordering == Ordering::SeqCst && ORDERED.with(Cell::get) {
        checked::fence(Ordering::SeqCst);
    }
}

/// With `MODEL_TRACE` set, what the execution that fails did.
fn told<A, V: Debug, R: Debug>(word: &A, operation: &str, value: V, result: R) -> R {
    if std::env::var_os("MODEL_TRACE").is_some() {
        let address = core::ptr::from_ref(word) as usize & 0xfff;
        eprintln!("{} {operation} {address:#05x} {value:x?} -> {result:x?}", process::number());
    }
    result
}

macro_rules! atomics {
    ($($name:ident: $integer:ty,)*) => { $(
        /// See the module.
        #[repr(transparent)]
        #[derive(Debug)]
        pub(crate) struct $name(core::sync::atomic::$name);

        #[allow(dead_code)] // the interface of the real one
        impl $name {
            pub(crate) const fn new(value: $integer) -> Self {
                Self(core::sync::atomic::$name::new(value))
            }

            fn make(address: usize) -> Rc<dyn Any> {
                // SAFETY: only addresses within memory that the set-up keeps mapped are made.
                let plain = unsafe { &*(address as *const core::sync::atomic::$name) };
                Rc::new(checked::$name::new(plain.load(Ordering::Relaxed)))
            }

            fn access(&self) -> Access<checked::$name> {
                access(core::ptr::from_ref(self) as usize, Self::make)
            }

            #[track_caller]
            pub(crate) fn load(&self, ordering: Ordering) -> $integer {
                let ordering = weakened(Location::caller(), "load", ordering);
                match self.access() {
                    Access::Plain => self.0.load(ordering),
                    Access::Dead => 0,
                    Access::Checked(word) => {
                        if let Some(alone) = alone(core::ptr::from_ref(self) as usize) {
                            alone.with(|_| ());
                        }
                        order_before_load(ordering);
                        told(self, "load", (), word.load(ordering))
                    }
                }
            }

            #[track_caller]
            pub(crate) fn store(&self, value: $integer, ordering: Ordering) {
                let ordering = weakened(Location::caller(), "store", ordering);
                match self.access() {
                    Access::Plain => self.0.store(value, ordering),
                    Access::Dead => {}
                    Access::Checked(word) => {
                        if let Some(alone) = alone(core::ptr::from_ref(self) as usize) {
                            alone.with_mut(|_| ());
                        }
                        // Sees the newest store, so that the next one is newer than all.
                        word.fetch_add(0, Ordering::Relaxed);
                        loom::stop_exploring();
                        word.store(value, ordering);
                        loom::explore();
                        told(self, "store", value, ());
                    }
                }
            }

            #[track_caller]
            pub(crate) fn swap(&self, value: $integer, ordering: Ordering) -> $integer {
                let ordering = weakened(Location::caller(), "swap", ordering);
                match self.access() {
                    Access::Plain => self.0.swap(value, ordering),
                    Access::Dead => 0,
                    Access::Checked(word) => told(self, "swap", value, word.swap(value, ordering)),
                }
            }

            #[track_caller]
            pub(crate) fn fetch_add(&self, value: $integer, ordering: Ordering) -> $integer {
                let ordering = weakened(Location::caller(), "fetch_add", ordering);
                match self.access() {
                    Access::Plain => self.0.fetch_add(value, ordering),
                    Access::Dead => 0,
                    Access::Checked(word) => told(self, "fetch_add", value, word.fetch_add(value, ordering)),
                }
            }

            #[track_caller]
            pub(crate) fn fetch_or(&self, value: $integer, ordering: Ordering) -> $integer {
                let ordering = weakened(Location::caller(), "fetch_or", ordering);
                match self.access() {
                    Access::Plain => self.0.fetch_or(value, ordering),
                    Access::Dead => 0,
                    Access::Checked(word) => {
                        note_store(ordering);
                        told(self, "fetch_or", value, word.fetch_or(value, ordering))
                    }
                }
            }

            #[track_caller]
            pub(crate) fn fetch_max(&self, value: $integer, ordering: Ordering) -> $integer {
                let ordering = weakened(Location::caller(), "fetch_max", ordering);
                match self.access() {
                    Access::Plain => self.0.fetch_max(value, ordering),
                    Access::Dead => 0,
                    Access::Checked(word) => told(self, "fetch_max", value, word.fetch_max(value, ordering)),
                }
            }

            #[track_caller]
            pub(crate) fn fetch_min(&self, value: $integer, ordering: Ordering) -> $integer {
                let ordering = weakened(Location::caller(), "fetch_min", ordering);
                match self.access() {
                    Access::Plain => self.0.fetch_min(value, ordering),
                    Access::Dead => 0,
                    Access::Checked(word) => told(self, "fetch_min", value, word.fetch_min(value, ordering)),
                }
            }

            #[track_caller]
            pub(crate) fn compare_exchange(
                &self,
                current: $integer,
                new: $integer,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$integer, $integer> {
                let place = Location::caller();
                let success = weakened(place, "success", success);
                let failure = weakened(place, "failure", failure);
                match self.access() {
                    Access::Plain => self.0.compare_exchange(current, new, success, failure),
                    Access::Dead => Err(!current),
                    Access::Checked(word) => {
                        note_store(success);
                        let result = word.compare_exchange(current, new, success, failure);
                        told(self, "compare_exchange", (current, new), result)
                    }
                }
            }
        }
    )* };
}

atomics! {
    AtomicU8: u8,
    AtomicU16: u16,
    AtomicU32: u32,
    AtomicU64: u64,
    AtomicI64: i64,
}
