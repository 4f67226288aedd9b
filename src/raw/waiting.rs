//! How a handle waits.

use std::hint::spin_loop;
use std::thread;

/// What a thread does while it waits for another one. Chosen per handle (`with_waiting`); processes
/// that wait for the same object may differ.
///
/// Whichever it is, deaths are noticed, and timeouts kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
#[cfg_attr(feature = "process", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Waiting {
    /// Looks for some microseconds, then sleeps in the kernel. Right nearly always.
    #[default]
    Adaptive,
    /// Sleeps at once. For waits that are known to be long: the processor is left to others.
    Park,
    /// Gives the rest of its time slice away between looks, and never sleeps. For more runnable
    /// threads than processors, where each wait is short.
    Yield,
    /// Looks all the time, and never sleeps. The least delay, if there is a processor for each thread
    /// that waits; where there is none, it gives up its time slice now and then. A processor is busy
    /// as long as it waits.
    Spin,
}

impl Waiting {
    /// Whether it looks before it sleeps.
    pub(crate) fn looks_first(self) -> bool {
        self == Self::Adaptive
    }

    pub(crate) fn sleeps(self) -> bool {
        matches!(self, Self::Adaptive | Self::Park)
    }
}

/// The pauses between the looks of one who never sleeps.
#[derive(Debug)]
pub(crate) struct Pauses {
    waiting: Waiting,
    count: u32,
    /// Binary logarithm of the longest pause.
    longest: u32,
}

/// After so many pauses there may be no processor for the one that is waited for.
const FRUITLESS: u32 = 1 << 12;
/// Pauses between looks at the clock.
const CLOCK: u32 = 1 << 6;

impl Pauses {
    /// For many who wait for one to be done with what each of them wants: every look takes the cache
    /// line from the one that is to write it.
    pub(crate) fn new(waiting: Waiting) -> Self {
        Self { waiting, count: 0, longest: 5 }
    }

    /// For who waits for a message: the one that brings it has no use for the line before.
    pub(crate) fn short(waiting: Waiting) -> Self {
        Self { waiting, count: 0, longest: 0 }
    }

    /// A pause; true if the clock should be looked at.
    pub(crate) fn pause(&mut self) -> bool {
        self.count = self.count.wrapping_add(1);
        let clock = self.count.is_multiple_of(CLOCK);
        if self.waiting == Waiting::Yield || (clock && self.count > FRUITLESS) {
            thread::yield_now();
        } else {
            for _ in 0..1_u32 << self.count.min(self.longest) {
                spin_loop();
            }
        }
        clock
    }
}

/// `with_waiting` for a handle whose field is a `Located`, and its way to another process.
macro_rules! waits {
    ($handle:ident $(<$($type:ident),+>)?, $field:ident) => {
        #[cfg(feature = "process")]
        $crate::segment::passing::passes!($handle $(<$($type),+>)?, $field);

        impl $(<$($type),+>)? $handle $(<$($type),+>)? {
            /// This handle, waiting in another manner. Clones of it wait as it does; other handles of
            /// the same object are not concerned.
            #[must_use]
            pub fn with_waiting(mut self, waiting: $crate::Waiting) -> Self {
                self.$field.waiting = waiting;
                self
            }
        }
    };
}
pub(crate) use waits;

/// `holder` for a handle whose lock is in its field, a `Located`.
macro_rules! tells_holder {
    ($handle:ident $(<$type:ident>)?, $field:ident . $($lock:ident).+) => {
        impl $(<$type>)? $handle $(<$type>)? {
            /// Who holds the lock at the moment, to find out about a deadlock. Reads /proc.
            #[must_use]
            pub fn holder(&self) -> Option<$crate::Holder> {
                self.$field.$($lock).+.holder()
            }
        }
    };
}
pub(crate) use tells_holder;
