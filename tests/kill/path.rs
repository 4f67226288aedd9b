//! The instructions that an operation runs through.
//!
//! Stepping to every one of n instructions costs n²/2 steps. The processes of a case are forked
//! from one, so an operation takes the same path, at the same addresses, each time; a breakpoint
//! brings the tracee to a place shortly before any instruction at once.

use std::collections::HashMap;

#[derive(Default)]
pub(crate) struct Path {
    addresses: Vec<u64>,
    /// How often the address had been reached, including this time.
    occurrences: Vec<usize>,
    /// Instructions in which the operation slept.
    blocked: Vec<usize>,
    counts: HashMap<u64, usize>,
}

/// A place to run to.
#[derive(Clone, Copy)]
pub(crate) struct Anchor {
    pub(crate) index: usize,
    pub(crate) address: u64,
    pub(crate) occurrence: usize,
}

impl Path {
    pub(crate) fn push(&mut self, address: u64, blocked: bool) {
        if blocked {
            self.blocked.push(self.addresses.len());
        }
        let count = self.counts.entry(address).or_default();
        *count += 1;
        self.occurrences.push(*count);
        self.addresses.push(address);
    }

    pub(crate) fn finish(mut self) -> Self {
        self.counts = HashMap::new();
        self
    }

    pub(crate) fn len(&self) -> usize {
        self.addresses.len()
    }

    pub(crate) fn address(&self, n: usize) -> Option<u64> {
        self.addresses.get(n).copied()
    }

    /// The cheapest place to run to on the way to instruction `n`; None if single steps are.
    pub(crate) fn anchor(&self, n: usize) -> Option<Anchor> {
        // Where the operation slept, the step that sleeps is to be the last one.
        let last = if self.blocked.contains(&n.wrapping_sub(1)) { n - 1 } else { n };
        let mut best = (n, None);
        for index in (0..=last.min(self.len().checked_sub(1)?)).rev() {
            let rest = n - index;
            if rest >= best.0 {
                break;
            }
            let (address, occurrence) = (self.addresses[index], self.occurrences[index]);
            // A stop at a breakpoint costs about six steps.
            let cost = rest + 6 * occurrence;
            if cost < best.0 {
                best = (cost, Some(Anchor { index, address, occurrence }));
            }
        }
        best.1
    }
}
