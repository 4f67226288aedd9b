//! Tasks that are handed out, and come back when who has them dies: what `TaskQueue` and `Service`
//! are made of.
//!
//! # Words
//!
//! A task lies in a place. `state` says what the place has, `order` numbers the tasks in the order in
//! which they were pushed:
//!
//! | state | | next |
//! |---|---|---|
//! | FREE | nothing | READY, by who pushes |
//! | READY | a task that waits | TAKEN |
//! | TAKEN | a task in the hand that `hand` names | FREE when it is done; READY when it comes back; KEPT or ANSWERED when it does not |
//! | KEPT | a task that has failed | FREE, READY with another task |
//! | ANSWERED | what became of a task | FREE, by who pushed it |
//!
//! The last but one is for task queues, the last one for services.
//!
//! A hand is a share (`sync::shares`): a robust lock that a thread holds as long as it has a task,
//! which the kernel marks when the thread dies. `count` leads to the place, as index plus one; or it is
//! 0, and every place may be the hand's. The truth is the place's: it is the hand's if it is TAKEN and
//! says so.
//!
//! All of that, and all words of the head, are written under the head's `lock` only; but for the
//! kernel's marks, and the content of a task, which belongs to its hand while it is TAKEN.
//!
//! States, orders and hands' words are the truth. The rest is kept so that nobody has to search: lists
//! of READY places (in their order), of KEPT ones (in theirs) and of FREE ones, the number of READY
//! ones, and a bit for each hand that is not free. Links come from shared memory: a place that is
//! reached is looked at before it is used, and when it is not what its list holds, all lists are made
//! anew from the truth.
//!
//! # What a death leaves behind
//!
//! * under the lock, anywhere: the next holder makes the lists anew, and wakes everybody. Each step
//!   takes effect with the store of a `state`: before that store the task is where it was, after it
//!   where it goes.
//! * with a task: a dead hand. Whoever finds too little under the lock (a consumer no task, a producer
//!   no place, one who waits for the end that it has not come) takes back what dead hands have; who
//!   takes a task looks at one hand in turn, so that a busy queue does not leave one forgotten.
//! * who sleeps, sleeps on the words of the lock and of all hands that were ever taken, so the kernel's
//!   wake reaches it. When the number of these grows, all sleepers are woken to take the new one in.
//! * one that was woken, before it looks: the others look by themselves after 100 ms.

mod hands;
mod lists;
mod sleep;

use std::sync::atomic::Ordering;

use crate::error::LockError;
use crate::layout::{self, Share, TaskPlace};
use crate::raw::deadline::Deadline;
use crate::raw::event_count::Notify;
use crate::raw::lock::{Acquired, Release};
use crate::segment::region::{Extent, Located, Series};

pub(super) use hands::HandedOut;
pub(super) use lists::Kind;

/// The most hands.
pub(super) const MOST_HANDS: usize = 256;

/// The most places: their numbers and one more fit in half a word.
pub(super) const MOST_PLACES: usize = u32::MAX as usize - 1;

/// A handle. Kept beside the handle of the object that consists of it.
pub(super) struct Board {
    pub(super) inner: Located<layout::Board>,
    hands: Series<Share>,
    places: Series<TaskPlace>,
    capacity: usize,
    hand_count: usize,
    limit: u64,
    /// Where those sleep who wait for what becomes of one task.
    callers: Option<Series<layout::ServicePlace>>,
}

impl Clone for Board {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), ..*self }
    }
}

/// What a new board is like.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub(super) capacity: usize,
    pub(super) hands: usize,
    /// How often a task is handed out at the most; 0 is no limit.
    pub(super) limit: u64,
    /// From place to place, in bytes.
    pub(super) stride: usize,
}

/// Where the hands start.
const HANDS: usize = size_of::<layout::Board>();

impl Shape {
    /// Where the places start; at a multiple of 64.
    pub(super) const fn places(&self) -> usize {
        HANDS + self.hands * size_of::<Share>()
    }

    /// How many bytes it takes. The number of hands is one that there can be.
    pub(super) fn size(&self) -> Option<u64> {
        let places = self.stride.checked_mul(self.capacity)?;
        Some(places.checked_add(self.places())? as u64)
    }
}

impl Board {
    pub(super) fn initialise(extent: &Extent, shape: &Shape) -> Option<()> {
        let head = extent.head::<layout::Board>()?;
        head.lock.reset();
        // Whoever waits sleeps on it.
        head.lock.expect_company();
        let words = [
            (&head.capacity, shape.capacity as u64),
            (&head.limit, shape.limit),
            (&head.hands, shape.hands as u64),
            (&head.order, 1),
        ];
        words.iter().for_each(|(word, value)| word.store(*value, Ordering::Relaxed));
        let zeroes = [
            &head.closed,
            &head.drained,
            &head.grown,
            &head.glance,
            &head.redelivered,
            &head.failed,
        ];
        zeroes.iter().for_each(|word| word.store(0, Ordering::Relaxed));
        [&head.not_empty, &head.not_full, &head.settled].iter().for_each(|event| event.reset());
        let hands = extent.series::<Share>(HANDS, size_of::<Share>(), shape.hands)?;
        for index in 0..shape.hands {
            let hand = hands.get(index)?;
            hand.lock.reset();
            hand.lock.expect_company();
            hand.count.store(0, Ordering::Relaxed);
        }
        let places = extent.series::<TaskPlace>(shape.places(), shape.stride, shape.capacity)?;
        for index in 0..shape.capacity {
            let place = places.get(index)?;
            let words = [&place.state, &place.order, &place.next, &place.hand];
            words.iter().for_each(|word| word.store(0, Ordering::Relaxed));
        }
        let board = Self::attach(extent, shape.stride).ok()?;
        Locked { board: &board, head: &head }.make_lists();
        Some(())
    }

    /// Of memory with places that are so far apart.
    pub(super) fn attach(extent: &Extent, stride: usize) -> Result<Self, &'static str> {
        let inner: Located<layout::Board> = extent.head().ok_or("it is too small for tasks")?;
        let number = |word: &crate::seam::atomic::AtomicU64, most: usize| {
            usize::try_from(word.load(Ordering::Relaxed)).ok().filter(|n| (1..=most).contains(n))
        };
        let hand_count =
            number(&inner.hands, MOST_HANDS).ok_or("its number of holders cannot be")?;
        let capacity = number(&inner.capacity, MOST_PLACES).ok_or("its capacity cannot be")?;
        let limit = inner.limit.load(Ordering::Relaxed);
        let shape = Shape { capacity, hands: hand_count, limit, stride };
        let hands = extent
            .series(HANDS, size_of::<Share>(), hand_count)
            .ok_or("its number of holders is not that of its memory")?;
        let places = extent
            .series(shape.places(), stride, capacity)
            .ok_or("its capacity is not that of its memory")?;
        Ok(Self { inner, hands, places, capacity, hand_count, limit, callers: None })
    }

    /// With places that are larger.
    pub(super) fn with_callers(self, callers: Series<layout::ServicePlace>) -> Self {
        Self { callers: Some(callers), ..self }
    }

    pub(super) fn capacity(&self) -> usize {
        self.capacity
    }

    pub(super) fn hand_count(&self) -> usize {
        self.hand_count
    }

    pub(super) fn limit(&self) -> u64 {
        self.limit
    }

    pub(super) fn places(&self) -> &Series<TaskPlace> {
        &self.places
    }

    /// Takes the lock, mends what a dead one left, and runs `work`.
    #[inline]
    pub(super) fn locked<R>(
        &self,
        deadline: Deadline,
        work: impl FnOnce(&Locked<'_>) -> R,
    ) -> Result<R, LockError> {
        let head = self.inner.writable()?;
        let locked = Locked { board: self, head };
        if head.lock.lock(deadline)? == Acquired::OwnerDied {
            locked.recover();
        }
        let result = work(&locked);
        head.lock.unlock(Release::Clean);
        Ok(result)
    }

    /// How many tasks wait; without the lock, so that a death may have left it behind by one.
    pub(super) fn ready(&self) -> usize {
        let ready = self.inner.ready.load(Ordering::Relaxed);
        usize::try_from(ready).unwrap_or(usize::MAX).min(self.capacity)
    }

    /// Whether a place is free; without the lock.
    pub(super) fn has_free(&self) -> bool {
        self.inner.first_free.load(Ordering::Relaxed) != 0
    }

    pub(super) fn is_closed(&self) -> bool {
        self.inner.closed.load(Ordering::Relaxed) != 0
    }

    /// Nothing more is pushed.
    pub(super) fn close(&self) -> Result<(), LockError> {
        self.locked(self.inner.forever(), |locked| {
            locked.head.closed.store(1, Ordering::Relaxed);
            locked.wake_all();
        })
    }
}

/// A board whose lock this thread holds.
pub(super) struct Locked<'a> {
    pub(super) board: &'a Board,
    pub(super) head: &'a layout::Board,
}

impl Locked<'_> {
    #[cold]
    fn recover(&self) {
        self.make_lists();
        // The dead one may not have come to it.
        self.wake_all();
        self.head.lock.mark_consistent();
    }

    pub(super) fn wake_all(&self) {
        for event in [&self.head.not_empty, &self.head.not_full, &self.head.settled] {
            event.notify(Notify::All);
        }
        let Some(callers) = &self.board.callers else { return };
        for caller in (0..self.board.capacity).filter_map(|place| callers.get(place)) {
            caller.event.notify(Notify::All);
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.board.is_closed()
    }
}
