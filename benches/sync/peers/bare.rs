//! The bare means: nothing that does the same can be faster, and nothing here survives anything.

// Places atomics and cells in the arena.
#![allow(unsafe_code)]

use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicU32, Ordering};

use super::{Cell, Side, Signals};
use crate::support::cpu::Patience;
use crate::support::memory::{ARENA, Line, Memory};
use crate::support::{Result, futex};

/// A flag that everybody looks at.
pub(crate) fn flag(memory: &Memory) -> &AtomicU32 {
    // SAFETY: an atomic.
    unsafe { memory.arena_as() }
}

/// A word for each direction, which counts signals.
fn words(memory: &Memory, side: Side) -> (&AtomicU32, &AtomicU32) {
    // SAFETY: atomics only, and both sides of these peers use the arena as them.
    let [Line(there), Line(back)]: &[Line<AtomicU32>; 2] = unsafe { memory.arena_as() };
    match side {
        Side::Parent => (there, back),
        Side::Child => (back, there),
    }
}

/// Only one side writes it. Release: pairs with the acquire in `wait`.
#[inline]
fn count_on(word: &AtomicU32) {
    word.store(word.load(Ordering::Relaxed).wrapping_add(1), Ordering::Release);
}

/// Signals by futex: one wake for each, as the other side always sleeps.
#[derive(Debug)]
pub(crate) struct Futex<'a> {
    out: &'a AtomicU32,
    inbound: &'a AtomicU32,
    seen: u32,
}

impl<'a> Futex<'a> {
    pub(crate) fn link(memory: &'a Memory, side: Side) -> Self {
        let (out, inbound) = words(memory, side);
        Self { out, inbound, seen: 0 }
    }
}

impl Signals for Futex<'_> {
    #[inline]
    fn signal(&mut self) -> Result<()> {
        count_on(self.out);
        futex::wake(self.out, 1);
        Ok(())
    }

    #[inline]
    fn wait(&mut self) -> Result<()> {
        while self.inbound.load(Ordering::Acquire) == self.seen {
            futex::wait(self.inbound, self.seen, None);
        }
        self.seen = self.seen.wrapping_add(1);
        Ok(())
    }
}

/// Signals by futex to who sleeps on `N` words at a time, of which the last one changes.
#[derive(Debug)]
pub(crate) struct AnyFutex<'a, const N: usize> {
    out: &'a AtomicU32,
    inbound: [&'a AtomicU32; N],
    seen: u32,
}

impl<'a, const N: usize> AnyFutex<'a, N> {
    pub(crate) fn link(memory: &'a Memory, side: Side) -> Self {
        // SAFETY: atomics only, and both sides of this peer use the arena as them.
        let [there, back]: &[[Line<AtomicU32>; N]; 2] = unsafe { memory.arena_as() };
        let (to, from) = match side {
            Side::Parent => (there, back),
            Side::Child => (back, there),
        };
        Self { out: &to[N - 1].0, inbound: from.each_ref().map(|line| &line.0), seen: 0 }
    }
}

impl<const N: usize> Signals for AnyFutex<'_, N> {
    #[inline]
    fn signal(&mut self) -> Result<()> {
        count_on(self.out);
        futex::wake(self.out, 1);
        Ok(())
    }

    #[inline]
    fn wait(&mut self) -> Result<()> {
        while self.inbound[N - 1].load(Ordering::Acquire) == self.seen {
            let mut index = 0;
            futex::wait_any(self.inbound.map(|word| {
                index += 1;
                (word, if index == N { self.seen } else { 0 })
            }));
        }
        self.seen = self.seen.wrapping_add(1);
        Ok(())
    }
}

/// Signals by watching a cache line.
#[derive(Debug)]
pub(crate) struct CacheLine<'a> {
    out: &'a AtomicU32,
    inbound: &'a AtomicU32,
    seen: u32,
    patience: Patience,
}

impl<'a> CacheLine<'a> {
    pub(crate) fn link(memory: &'a Memory, side: Side, patience: Patience) -> Self {
        let (out, inbound) = words(memory, side);
        Self { out, inbound, seen: 0, patience }
    }
}

impl Signals for CacheLine<'_> {
    #[inline]
    fn signal(&mut self) -> Result<()> {
        count_on(self.out);
        Ok(())
    }

    #[inline]
    fn wait(&mut self) -> Result<()> {
        let seen = self.seen;
        self.patience.until(|| (self.inbound.load(Ordering::Acquire) != seen).then_some(()));
        self.seen = seen.wrapping_add(1);
        Ok(())
    }
}

/// `W` words, with nothing that keeps them together.
#[derive(Debug)]
pub(crate) struct Words<'a, const W: usize>(&'a UnsafeCell<[u64; W]>);

impl<'a, const W: usize> Words<'a, W> {
    pub(crate) fn attach(memory: &'a Memory) -> Self {
        const { assert!(size_of::<[u64; W]>() <= ARENA) };
        // SAFETY: big enough as asserted, mapped while `memory` lives, and a cell of numbers, for
        // which any bytes are valid.
        Self(unsafe { &*memory.arena().cast() })
    }
}

impl<const W: usize> Cell<W> for Words<'_, W> {
    #[inline]
    fn get(&mut self) -> Result<[u64; W]> {
        // SAFETY: mapped and aligned; volatile, as others may write at the same time, and whoever
        // asks for this one knows that the words may not belong together.
        Ok(unsafe { self.0.get().read_volatile() })
    }

    #[inline]
    fn set(&mut self, value: [u64; W]) -> Result<()> {
        // SAFETY: as above.
        unsafe { self.0.get().write_volatile(value) };
        Ok(())
    }
}
