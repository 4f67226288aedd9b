//! Places, and the lists of them: all under the lock.

use std::sync::atomic::Ordering;

use super::Locked;
use crate::layout::TaskPlace;
use crate::raw::event_count::Notify;
use crate::seam::atomic::AtomicU64;

/// What is in a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u64)]
pub(in crate::data) enum Kind {
    Free = 0,
    Ready = 1,
    Taken = 2,
    Kept = 3,
    Answered = 4,
}

/// The bits of a state that are its kind.
const KIND: u64 = 7;
/// The bits above them: how often the task was handed out.
const ATTEMPTS: u32 = 3;

/// The end of a list.
const NONE: u64 = 0;

const fn link(index: usize) -> u64 {
    index as u64 + 1
}

impl TaskPlace {
    pub(in crate::data) fn kind(&self) -> Kind {
        match self.state.load(Ordering::Relaxed) & KIND {
            1 => Kind::Ready,
            2 => Kind::Taken,
            3 => Kind::Kept,
            4 => Kind::Answered,
            _ => Kind::Free,
        }
    }

    /// How often its task was handed out.
    pub(in crate::data) fn attempts(&self) -> u64 {
        self.state.load(Ordering::Relaxed) >> ATTEMPTS
    }

    /// The store by which everything here takes effect.
    fn set(&self, kind: Kind, attempts: u64) {
        self.state.store(attempts << ATTEMPTS | kind as u64, Ordering::Relaxed);
    }

    /// Whether its task is in that hand.
    pub(in crate::data) fn is_in(&self, hand: usize) -> bool {
        self.kind() == Kind::Taken && self.hand.load(Ordering::Relaxed) == link(hand)
    }
}

impl Locked<'_> {
    pub(in crate::data) fn place(&self, index: usize) -> Option<&TaskPlace> {
        self.board.places.get(index)
    }

    /// What a link leads to, if it is a place of that kind.
    fn follow(&self, link: u64, kind: Kind) -> Option<(usize, &TaskPlace)> {
        let index = usize::try_from(link.checked_sub(1)?).ok()?;
        let place = self.place(index)?;
        (place.kind() == kind).then_some((index, place))
    }

    /// The first place of a list, which is mended if it is not what it should be.
    fn first(&self, head: &AtomicU64, kind: Kind) -> Option<(usize, &TaskPlace)> {
        let found = self.follow(head.load(Ordering::Relaxed), kind);
        let is_empty = || head.load(Ordering::Relaxed) == NONE;
        if found.is_some() || (is_empty() && (kind != Kind::Ready || self.ready() == 0)) {
            return found;
        }
        self.make_lists();
        self.follow(head.load(Ordering::Relaxed), kind)
    }

    /// How many tasks wait.
    pub(in crate::data) fn ready(&self) -> u64 {
        self.head.ready.load(Ordering::Relaxed)
    }

    /// [`ready`](Self::ready), once that is known to be right.
    pub(in crate::data) fn recount_ready(&self) -> u64 {
        if self.ready() == 0 || self.first_ready().is_none() { 0 } else { self.ready() }
    }

    fn count_ready(&self, add: i64) {
        let ready = self.ready().wrapping_add_signed(add);
        self.head.ready.store(ready, Ordering::Relaxed);
    }

    /// The oldest task that waits.
    #[inline]
    pub(super) fn first_ready(&self) -> Option<(usize, &TaskPlace)> {
        self.first(&self.head.first_ready, Kind::Ready)
    }

    /// A place for a new task: a free one, or that of the oldest one that is kept. It is in no list.
    fn take_free(&self) -> Option<(usize, &TaskPlace)> {
        if let Some((index, place)) = self.first(&self.head.first_free, Kind::Free) {
            self.head.first_free.store(place.next.load(Ordering::Relaxed), Ordering::Relaxed);
            return Some((index, place));
        }
        self.take_kept()
    }

    /// The place of the oldest task that is kept. It is free, and in no list.
    pub(in crate::data) fn take_kept(&self) -> Option<(usize, &TaskPlace)> {
        let (index, place) = self.first(&self.head.first_kept, Kind::Kept)?;
        place.set(Kind::Free, 0);
        let next = place.next.load(Ordering::Relaxed);
        self.head.first_kept.store(next, Ordering::Relaxed);
        if next == NONE {
            self.head.last_kept.store(NONE, Ordering::Relaxed);
        }
        Some((index, place))
    }

    /// Puts a task, which `fill` writes, into a place, behind those that wait. None if there is no
    /// place.
    #[inline]
    pub(in crate::data) fn push(&self, fill: impl FnOnce(usize)) -> Option<u64> {
        let (index, place) = self.take_free()?;
        fill(index);
        let order = self.head.order.load(Ordering::Relaxed);
        self.head.order.store(order.wrapping_add(1), Ordering::Relaxed);
        place.order.store(order, Ordering::Relaxed);
        place.next.store(NONE, Ordering::Relaxed);
        // This pushes the task.
        place.set(Kind::Ready, 0);
        self.append(index, &self.head.first_ready, &self.head.last_ready, Kind::Ready);
        self.head.not_empty.notify(Notify::One);
        Some(order)
    }

    /// Adds a place, which is of that kind by now, to the end of a list.
    fn append(&self, index: usize, first: &AtomicU64, last: &AtomicU64, kind: Kind) {
        if first.load(Ordering::Relaxed) == NONE {
            first.store(link(index), Ordering::Relaxed);
        } else {
            match self.follow(last.load(Ordering::Relaxed), kind) {
                Some((_, before)) => before.next.store(link(index), Ordering::Relaxed),
                None => return self.make_lists(),
            }
        }
        last.store(link(index), Ordering::Relaxed);
        if kind == Kind::Ready {
            self.count_ready(1);
        }
    }

    /// Takes the first of the tasks that wait, into a hand.
    #[inline]
    pub(super) fn hand_out(&self, place: &TaskPlace, hand: usize) -> u64 {
        let attempt = place.attempts().wrapping_add(1);
        place.hand.store(link(hand), Ordering::Relaxed);
        // This takes the task.
        place.set(Kind::Taken, attempt);
        let next = place.next.load(Ordering::Relaxed);
        self.head.first_ready.store(next, Ordering::Relaxed);
        if next == NONE {
            self.head.last_ready.store(NONE, Ordering::Relaxed);
        }
        self.count_ready(-1);
        attempt & (u64::MAX >> ATTEMPTS)
    }

    /// A task is over, and its place is free.
    #[inline]
    pub(in crate::data) fn release(&self, index: usize) {
        let Some(place) = self.place(index) else { return };
        place.set(Kind::Free, 0);
        place.next.store(self.head.first_free.load(Ordering::Relaxed), Ordering::Relaxed);
        self.head.first_free.store(link(index), Ordering::Relaxed);
        self.head.not_full.notify(Notify::One);
    }

    /// A task is over, and is kept until its place is needed.
    pub(in crate::data) fn keep(&self, index: usize) {
        let Some(place) = self.place(index) else { return };
        place.next.store(NONE, Ordering::Relaxed);
        place.set(Kind::Kept, place.attempts());
        self.append(index, &self.head.first_kept, &self.head.last_kept, Kind::Kept);
        let failed = self.head.failed.load(Ordering::Relaxed).wrapping_add(1);
        self.head.failed.store(failed, Ordering::Relaxed);
        self.head.not_full.notify(Notify::One);
    }

    /// A task waits again, at its place in the order, as one that was handed out so often.
    pub(in crate::data) fn put_back(&self, index: usize, attempts: u64) {
        let Some(place) = self.place(index) else { return };
        place.set(Kind::Ready, attempts);
        self.insert(index, place);
        self.head.not_empty.notify(Notify::One);
    }

    /// A task is over, and its place is that of who waits for what became of it.
    pub(in crate::data) fn answer(&self, index: usize) {
        let Some(place) = self.place(index) else { return };
        place.set(Kind::Answered, place.attempts());
    }

    /// Takes a task that waits out of the queue. Its place is free.
    pub(in crate::data) fn withdraw(&self, index: usize) {
        let Some(place) = self.place(index) else { return };
        place.set(Kind::Free, 0);
        self.make_lists();
        self.head.not_full.notify(Notify::One);
    }

    pub(in crate::data) fn count_redelivered(&self) {
        let count = self.head.redelivered.load(Ordering::Relaxed).wrapping_add(1);
        self.head.redelivered.store(count, Ordering::Relaxed);
    }

    /// It was handed out before all those that never were: a few steps, as a rule.
    fn insert(&self, index: usize, place: &TaskPlace) {
        let order = place.order.load(Ordering::Relaxed);
        let mut before: Option<&TaskPlace> = None;
        let mut next = self.head.first_ready.load(Ordering::Relaxed);
        for _ in 0..self.board.capacity {
            if next == NONE {
                break;
            }
            let Some((_, other)) = self.follow(next, Kind::Ready) else {
                return self.make_lists();
            };
            if other.order.load(Ordering::Relaxed) > order {
                break;
            }
            before = Some(other);
            next = other.next.load(Ordering::Relaxed);
        }
        place.next.store(next, Ordering::Relaxed);
        let previous = before.map_or(&self.head.first_ready, |before| &before.next);
        previous.store(link(index), Ordering::Relaxed);
        if next == NONE {
            self.head.last_ready.store(link(index), Ordering::Relaxed);
        }
        self.count_ready(1);
    }

    /// Makes all lists anew from what places and hands say.
    #[cold]
    pub(in crate::data) fn make_lists(&self) {
        self.find_used();
        let (mut ready, mut kept) = (Vec::new(), Vec::new());
        let (mut free, mut latest) = (NONE, 0);
        for index in (0..self.board.capacity).rev() {
            let Some(place) = self.place(index) else { break };
            let order = place.order.load(Ordering::Relaxed);
            latest = latest.max(order);
            if place.kind() == Kind::Taken && !self.has_hand(place) {
                place.set(Kind::Ready, place.attempts());
            }
            match place.kind() {
                Kind::Free => {
                    place.next.store(free, Ordering::Relaxed);
                    free = link(index);
                }
                Kind::Ready => ready.push((order, index)),
                Kind::Kept => kept.push((order, index)),
                Kind::Taken | Kind::Answered => {}
            }
        }
        self.head.first_free.store(free, Ordering::Relaxed);
        self.head.ready.store(ready.len() as u64, Ordering::Relaxed);
        self.chain(&mut ready, &self.head.first_ready, &self.head.last_ready);
        self.chain(&mut kept, &self.head.first_kept, &self.head.last_kept);
        let order = self.head.order.load(Ordering::Relaxed).max(latest.wrapping_add(1));
        self.head.order.store(order, Ordering::Relaxed);
    }

    /// Whether the hand that a place names is held, or was by one who died.
    fn has_hand(&self, place: &TaskPlace) -> bool {
        let hand = place.hand.load(Ordering::Relaxed).checked_sub(1);
        hand.and_then(|hand| usize::try_from(hand).ok()).is_some_and(|hand| self.is_used(hand))
    }

    fn chain(&self, places: &mut [(u64, usize)], first: &AtomicU64, last: &AtomicU64) {
        places.sort_unstable();
        let mut previous = first;
        for (_, index) in &*places {
            let Some(place) = self.place(*index) else { break };
            previous.store(link(*index), Ordering::Relaxed);
            previous = &place.next;
        }
        previous.store(NONE, Ordering::Relaxed);
        last.store(places.last().map_or(NONE, |(_, index)| link(*index)), Ordering::Relaxed);
    }
}
