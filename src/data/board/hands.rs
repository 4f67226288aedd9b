//! Hands: what a thread holds as long as it has a task.

use std::ops::Range;
use std::sync::atomic::Ordering;

use super::{Board, Locked};
use crate::error::LockError;
use crate::layout::Share;
use crate::raw::event_count::Notify;
use crate::raw::lock::Release;
use crate::sync::shares::{self, State};
use crate::sync::wait_any::Words;

/// Bits in a word of `used`.
const BITS: usize = u64::BITS as usize;

/// How many hands `wait_any` watches, whose words it has to share with others.
const WATCHED_BY_ANY: usize = 15;

/// By its own word: held, or by one who died. One that was closed is none any more; who closed it is
/// not of this library.
fn is_used(hand: &Share) -> bool {
    shares::state(hand) != State::Free && !hand.lock.look().is_closed()
}

/// A task that was handed out.
#[derive(Debug, Clone, Copy)]
pub(in crate::data) struct HandedOut {
    pub(in crate::data) place: usize,
    pub(in crate::data) hand: usize,
    /// Which time it is, from 1 on.
    pub(in crate::data) attempt: u64,
}

impl Board {
    pub(in crate::data) fn hand(&self, index: usize) -> Option<&Share> {
        self.hands.get(index)
    }

    /// The hands that were ever taken.
    pub(super) fn grown_hands(&self) -> impl Iterator<Item = &Share> {
        let grown = self.inner.grown.load(Ordering::Relaxed).min(self.hand_count as u64) as usize;
        (0..grown).filter_map(|index| self.hands.get(index))
    }

    /// How many hands are not free; without the lock.
    pub(in crate::data) fn in_hands(&self) -> usize {
        let used: u32 =
            self.inner.used.iter().map(|word| word.load(Ordering::Relaxed).count_ones()).sum();
        (used as usize).min(self.hand_count)
    }

    /// How many words [`watch_deaths`](Self::watch_deaths) names, and one for an event.
    pub(in crate::data) fn watched_words(&self) -> usize {
        2 + WATCHED_BY_ANY.min(self.hand_count)
    }

    /// For `wait_any`: the words by which it hears of deaths.
    pub(in crate::data) fn watch_deaths<'a>(&'a self, words: &mut Words<'a>) {
        words.beside(&self.inner.lock);
        for hand in self.grown_hands().take(WATCHED_BY_ANY) {
            // One that is dead by now makes it ready; one that dies later has another word then.
            words.beside(&hand.lock);
        }
    }

    /// For the same one, after a sleep.
    pub(in crate::data) fn bury_watched(&self) {
        self.grown_hands().take(WATCHED_BY_ANY).for_each(shares::bury_if_gone);
    }

    /// Whether a dead hand waits to be looked at.
    pub(in crate::data) fn has_dead(&self) -> bool {
        self.grown_hands().any(|hand| shares::state(hand) == State::Dead)
    }
}

impl Locked<'_> {
    /// A word of `used`, without bits beyond the last hand.
    fn used_word(&self, index: usize) -> u64 {
        let word = self.head.used.get(index).map_or(0, |word| word.load(Ordering::Relaxed));
        match self.board.hand_count.saturating_sub(index * BITS) {
            hands @ 0..BITS => word & ((1 << hands) - 1),
            _ => word,
        }
    }

    /// The indices of the hands that are not free.
    pub(in crate::data) fn used(&self) -> impl Iterator<Item = usize> {
        (0..self.head.used.len()).flat_map(move |index| {
            let mut word = self.used_word(index);
            std::iter::from_fn(move || {
                let bit = word.trailing_zeros() as usize;
                word &= word.wrapping_sub(1);
                (bit < BITS).then_some(index * BITS + bit)
            })
        })
    }

    /// Whether a task waits or is in a hand.
    pub(in crate::data) fn has_tasks(&self) -> bool {
        self.ready() != 0 || self.has_used()
    }

    /// Whether this thread holds a hand.
    pub(in crate::data) fn is_mine(&self, hand: usize) -> bool {
        self.board.hand(hand).is_some_and(|hand| hand.lock.names_this_thread())
    }

    /// Whether this thread waits for itself where it waits for a hand.
    pub(in crate::data) fn has_all_hands(&self) -> bool {
        (0..self.board.hand_count).all(|hand| self.is_mine(hand))
    }

    fn has_used(&self) -> bool {
        (0..self.head.used.len()).any(|index| self.used_word(index) != 0)
    }

    pub(in crate::data) fn is_used(&self, hand: usize) -> bool {
        let word = self.head.used.get(hand / BITS);
        word.is_some_and(|word| word.load(Ordering::Relaxed) >> (hand % BITS) & 1 != 0)
    }

    fn mark(&self, hand: usize, used: bool) {
        let Some(word) = self.head.used.get(hand / BITS) else { return };
        let (value, bit) = (word.load(Ordering::Relaxed), 1 << (hand % BITS));
        word.store(if used { value | bit } else { value & !bit }, Ordering::Relaxed);
    }

    /// Which are used, by their own words.
    pub(super) fn find_used(&self) {
        self.head.used.iter().for_each(|word| word.store(0, Ordering::Relaxed));
        let mut grown = 0;
        for index in 0..self.board.hand_count {
            let Some(hand) = self.board.hand(index) else { break };
            if is_used(hand) {
                self.mark(index, true);
                grown = index as u64 + 1;
            }
        }
        let grown = self.head.grown.load(Ordering::Relaxed).max(grown);
        self.head.grown.store(grown.min(self.board.hand_count as u64), Ordering::Relaxed);
    }

    /// One of these hands, for this thread. None if all are in use.
    #[inline]
    pub(in crate::data) fn take_hand(
        &self,
        among: Range<usize>,
    ) -> Result<Option<usize>, LockError> {
        // Each turn marks one more.
        while let Some(index) = self.first_unused(&among) {
            let Some(hand) = self.board.hand(index) else { break };
            let taken = shares::take(hand);
            if matches!(taken, Err(LockError::TooManyLocks { .. } | LockError::Os(_))) {
                return taken.map(|()| None);
            }
            self.mark(index, true);
            // Also if it is somebody else's, whose death is to be heard of.
            self.grow(index);
            if taken.is_ok() {
                return Ok(Some(index));
            }
            // The bit was wrong, or the hand is damaged for good.
        }
        Ok(None)
    }

    fn first_unused(&self, among: &Range<usize>) -> Option<usize> {
        (among.start / BITS..self.head.used.len())
            .find_map(|index| {
                let mut word = self.head.used.get(index)?.load(Ordering::Relaxed);
                if index == among.start / BITS {
                    word |= (1 << (among.start % BITS)) - 1;
                }
                let bit = word.trailing_ones() as usize;
                (bit < BITS).then_some(index * BITS + bit)
            })
            .filter(|index| *index < among.end)
    }

    /// A hand is taken for the first time: who sleeps by now does not watch it.
    #[inline]
    fn grow(&self, index: usize) {
        if index as u64 >= self.head.grown.load(Ordering::Relaxed) {
            self.head.grown.store(index as u64 + 1, Ordering::Relaxed);
            self.wake_all();
        }
    }

    /// Gives a hand back, which has no task any more.
    #[inline]
    pub(in crate::data) fn give_hand_back(&self, index: usize, hand: &Share) {
        hand.count.store(0, Ordering::Relaxed);
        hand.lock.unlock(Release::Clean);
        self.mark(index, false);
        if !self.has_tasks() {
            let drained = self.head.drained.load(Ordering::Relaxed).wrapping_add(1);
            self.head.drained.store(drained, Ordering::Relaxed);
            self.head.settled.notify(Notify::All);
        }
        if self.is_closed() {
            // Nothing is left for them, perhaps.
            self.head.not_empty.notify(Notify::All);
        } else if self.ready() != 0 {
            // One may wait for a hand.
            self.head.not_empty.notify(Notify::One);
        }
    }

    /// Hands the oldest task out, if there is one, to a hand that is taken for it.
    #[inline]
    pub(in crate::data) fn take(&self) -> Result<Option<HandedOut>, LockError> {
        if self.first_ready().is_none() {
            return Ok(None);
        }
        let Some(hand) = self.take_hand(0..self.board.hand_count)? else { return Ok(None) };
        let Some(share) = self.board.hand(hand) else { return Ok(None) };
        if let Some((place, _)) = self.first_ready() {
            // It has no other.
            share.count.store(place as u64 + 1, Ordering::Relaxed);
        }
        let handed_out = self.take_into(hand);
        if handed_out.is_none() {
            // A damaged list says otherwise by now.
            self.give_hand_back(hand, share);
        }
        Ok(handed_out)
    }

    /// Hands the oldest task out, if there is one, to a hand that this thread has.
    #[inline]
    pub(in crate::data) fn take_into(&self, hand: usize) -> Option<HandedOut> {
        let (place, task) = self.first_ready()?;
        let attempt = self.hand_out(task, hand);
        Some(HandedOut { place, hand, attempt })
    }

    // ---- the dead

    /// Looks at one hand, each time at another one, as [`reclaim`](Self::reclaim) does at all.
    #[inline]
    pub(in crate::data) fn glance(&self, give_up: impl Fn(usize, &Share)) -> Result<(), LockError> {
        let grown = self.head.grown.load(Ordering::Relaxed);
        let next = self.head.glance.load(Ordering::Relaxed);
        let index = if next < grown { next } else { 0 };
        self.head.glance.store(index.wrapping_add(1), Ordering::Relaxed);
        let index = index as usize; // below the number of hands, or there is none
        match self.board.hand(index) {
            Some(hand) if shares::state(hand) == State::Dead => self.bury(index, hand, &give_up),
            _ => Ok(()),
        }
    }

    /// Takes back what the dead had. `give_up` is called with each of their hands.
    pub(in crate::data) fn reclaim(
        &self,
        give_up: impl Fn(usize, &Share),
    ) -> Result<(), LockError> {
        let mut stale = false;
        for index in self.used() {
            let Some(hand) = self.board.hand(index) else { break };
            match shares::state(hand) {
                State::Dead => self.bury(index, hand, &give_up)?,
                // It is only the bit that says that it is used.
                _ => stale |= !is_used(hand),
            }
        }
        if stale {
            self.make_lists();
        }
        Ok(())
    }

    #[cold]
    fn bury(
        &self,
        index: usize,
        hand: &Share,
        give_up: &impl Fn(usize, &Share),
    ) -> Result<(), LockError> {
        shares::take(hand)?;
        give_up(index, hand);
        self.give_hand_back(index, hand);
        Ok(())
    }

    /// The places whose tasks are in a hand.
    pub(in crate::data) fn for_each_in(&self, index: usize, hand: &Share, visit: impl Fn(usize)) {
        let is_in = |place: usize| self.place(place).is_some_and(|place| place.is_in(index));
        let named = hand.count.load(Ordering::Relaxed).checked_sub(1);
        match named.and_then(|place| usize::try_from(place).ok()) {
            Some(place) if is_in(place) => visit(place),
            _ => (0..self.board.capacity).filter(|place| is_in(*place)).for_each(visit),
        }
    }
}
