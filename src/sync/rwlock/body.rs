//! The algorithm of [`RwLock`](super::RwLock): who gets in, without the data.
//!
//! # Words
//!
//! * `shares`: one robust lock for each reader (thread) that can be in at a time. Held while it reads.
//!   `count` of a share, written by its holder only: how many more guards that thread has.
//! * `used`: one bit for each share that was ever taken, so that writers look at no others. Set, never
//!   cleared, by a reader before it takes the share.
//! * `upgrade` (U): held by a writer, or by a reader that may become one. Orders these among
//!   themselves; plain readers do not look at it.
//! * `writer` (W): held, besides U, by a writer. While it is held no reader enters.
//! * `writing`: 1 while the data may be half-changed. Written by the holder of W only: 1 when the last
//!   reader has left, 0 before a clean release.
//!
//! | U | W | shares | state |
//! |---|---|---|---|
//! | free | free | any | readers come and go |
//! | held | free | any | the same, and one of them may become a writer |
//! | held | held | some | a writer waits for readers to leave; none enters |
//! | held | held | none | a writer writes |
//! | any | dead, `writing` 0 | any | as free: a writer died before it wrote or after |
//! | any | dead, `writing` 1 | any | as free, and readers and writers are told |
//! | any | closed | any | given up for good |
//!
//! A writer takes U, then W, then waits for the shares; it releases W, then U.
//!
//! # A reader and a writer never both get in
//!
//! A reader takes a share and then looks at W; a writer takes W and then looks at the shares. These
//! are Dekker's two flags: all four accesses are `SeqCst`, hence in one total order, in which the
//! reader's exchange comes before its look and the writer's exchange before its look. If the reader
//! sees W from before the writer's exchange, then its look comes before that exchange, so the
//! reader's exchange comes before the writer's look, which sees the share held (or released again).
//! The same goes for `used`, which the reader sets, or sees set, before it takes the share.
//!
//! A reader that finds W held gives its share back, which wakes a writer that waits for it, and
//! sleeps on W.
//!
//! # Who waits for whom
//!
//! Writers wait for U, for dead holders of W, and for shares; readers for W, and for a share when
//! all are taken. Nobody waits who holds a share, since a thread that has one enters again at once:
//! no writer can have got in meanwhile. So there are no circles but those of the callers' own making
//! (a writer holds something else that a reader waits for).
//!
//! # What a death leaves behind
//!
//! * a reader's: its share, which the kernel marks dead; that wakes a writer that waits for it. A dead
//!   share is as good as a free one: readers change nothing.
//! * a writer's: U and W, both marked. U says nothing about the data. W does if `writing` is 1;
//!   else the next one vouches for the data by itself.
//! * one that waits: what a thread leaves that waits for a lock (see `raw::lock`).

use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::error::LockError;
use crate::layout::{self, Share};
use crate::raw::deadline::Deadline;
use crate::raw::lock::{Acquired, Release, Seen};
use crate::raw::waiting::Waiting;
use crate::seam::robust_list::{self, Thread};
use crate::segment::region::Series;

/// The most readers, one for each bit of `used`.
pub(super) const MOST_READERS: usize = 64;

/// A lock, as a guard keeps it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Body<'a> {
    pub(super) node: &'a layout::RwLock,
    pub(super) shares: &'a Series<Share>,
    /// How many shares there are: from 1 to [`MOST_READERS`].
    pub(super) readers: usize,
    pub(super) waiting: Waiting,
}

/// How long to wait; None: not at all.
pub(super) type Patience = Option<Deadline>;

impl<'a> Body<'a> {
    pub(super) fn forever(&self) -> Patience {
        Some(Deadline::NEVER.with(self.waiting))
    }

    pub(super) fn within(&self, timeout: Duration) -> Patience {
        Some(Deadline::after(timeout).with(self.waiting))
    }

    // ---- shares

    /// Threads that read at the same time have ids in a row, as a rule.
    #[inline]
    fn first_choice(&self, thread: &Thread) -> usize {
        thread.id() as usize % self.readers
    }

    fn used_shares(&self) -> impl Iterator<Item = &'a Share> {
        let (shares, used) = (self.shares, self.node.used.load(Ordering::SeqCst));
        (0..self.readers)
            .filter(move |index| used >> index & 1 != 0)
            .filter_map(|index| shares.get(index))
    }

    /// How many threads read.
    pub(super) fn count_readers(&self) -> usize {
        self.used_shares().filter(|share| share.lock.look().is_held()).count()
    }

    /// Whether this thread reads, through whichever mapping.
    fn is_reader(&self) -> bool {
        robust_list::known().is_some_and(Thread::holds_any)
            && self.used_shares().any(|share| share.lock.names_this_thread())
    }

    /// The share that this thread holds through this mapping.
    #[inline]
    fn own_share(&self, thread: &Thread) -> Option<&'a Share> {
        if !thread.holds_any() {
            return None;
        }
        let start = std::ptr::from_ref(self.shares.get(0)?).addr();
        let end = start + self.readers * size_of::<Share>();
        self.shares.get(thread.newest_within(start..end)? / size_of::<Share>())
    }

    /// Takes a share for this thread, which has none.
    fn take_share(&self, thread: &Thread, patience: Patience) -> Result<&'a Share, LockError> {
        let first = self.first_choice(thread);
        for index in (first..self.readers).chain(0..first) {
            let Some(share) = self.shares.get(index) else { continue };
            let seen = share.lock.look();
            if seen.is_held() || seen.is_closed() {
                continue;
            }
            self.mark_used(index);
            match share.lock.try_lock() {
                Ok(acquired) => return Ok(Self::settle_share(share, acquired)),
                Err(LockError::WouldBlock | LockError::NotRecoverable) => {}
                Err(error) => return Err(error),
            }
        }
        let deadline = patience.ok_or(LockError::WouldBlock)?;
        self.mark_used(first);
        let share = self.shares.get(first).ok_or(LockError::NotRecoverable)?;
        Ok(Self::settle_share(share, share.lock.lock(deadline)?))
    }

    /// With the share held.
    fn settle_share(share: &'a Share, acquired: Acquired) -> &'a Share {
        if acquired == Acquired::OwnerDied {
            share.lock.mark_consistent();
        }
        share.count.store(0, Ordering::Relaxed);
        share
    }

    fn mark_used(&self, index: usize) {
        let bit = 1 << index;
        if self.node.used.load(Ordering::SeqCst) & bit == 0 {
            self.node.used.fetch_or(bit, Ordering::SeqCst);
        }
    }

    // ---- readers

    /// The case that is to be fast: this thread's first choice is free, and nobody writes.
    #[inline]
    pub(super) fn enter_at_once(&self) -> Option<&'a Share> {
        let thread = robust_list::known()?;
        let index = self.first_choice(thread);
        let share = self.shares.get(index)?;
        // SeqCst, and in `look`: see the module.
        let marked = self.node.used.load(Ordering::SeqCst) >> index & 1 != 0;
        if !marked || self.own_share(thread).is_some() || !share.lock.take_at_once() {
            return None;
        }
        if !self.node.writer.look().is_free() {
            share.lock.unlock(Release::Clean);
            return None;
        }
        share.count.store(0, Ordering::Relaxed);
        Some(share)
    }

    /// Gets this thread in as a reader.
    pub(super) fn enter(&self, patience: Patience) -> Result<(&'a Share, Acquired), LockError> {
        let thread = robust_list::current()?;
        let writer = &self.node.writer;
        if let Some(share) = self.own_share(thread) {
            let acquired = self.state(writer.look())?;
            let count = share.count.load(Ordering::Relaxed);
            share.count.store(count.wrapping_add(1), Ordering::Relaxed);
            return Ok((share, acquired));
        }
        // Through another mapping: the kernel needs to know this one's share by another address.
        let reads_already = self.is_reader();
        loop {
            // Looked at first, so that those who come while a writer waits leave the shares alone.
            if reads_already || !writer.look().is_held() {
                let share = self.take_share(thread, patience)?;
                let seen = writer.look();
                if reads_already || !seen.is_held() {
                    return match self.state(seen) {
                        Ok(acquired) => Ok((share, acquired)),
                        Err(error) => {
                            share.lock.unlock(Release::Clean);
                            Err(error)
                        }
                    };
                }
                share.lock.unlock(Release::Clean);
            }
            match patience {
                Some(deadline) => writer.wait_until_free(deadline)?,
                None if writer.names_this_thread() => return Err(LockError::Deadlock),
                None => return Err(LockError::WouldBlock),
            }
        }
    }

    /// What W says to one that is in.
    fn state(&self, seen: Seen) -> Result<Acquired, LockError> {
        if seen.is_closed() {
            return Err(LockError::NotRecoverable);
        }
        // Seen together with the death: the kernel's mark comes after all that the dead one did.
        let half_changed = seen.is_inconsistent() && self.node.writing.load(Ordering::Relaxed) != 0;
        Ok(if half_changed { Acquired::OwnerDied } else { Acquired::Clean })
    }

    /// Lets go of what one guard has of a share.
    #[inline]
    pub(super) fn leave(share: &Share) {
        match share.count.load(Ordering::Relaxed) {
            0 => share.lock.unlock(Release::Clean),
            // Not through a copy of the guard that a fork made.
            more if share.lock.is_mine() => share.count.store(more - 1, Ordering::Relaxed),
            _ => {}
        }
    }

    // ---- those who may write

    /// Takes U.
    pub(super) fn occupy(&self, patience: Patience) -> Result<(), LockError> {
        // Whoever has U may be waiting for this thread's share.
        if self.is_reader() {
            return Err(LockError::Deadlock);
        }
        let acquired = match patience {
            Some(deadline) => self.node.upgrade.lock(deadline)?,
            None => self.node.upgrade.try_lock()?,
        };
        if acquired == Acquired::OwnerDied {
            self.node.upgrade.mark_consistent();
        }
        Ok(())
    }

    /// Releases U.
    pub(super) fn vacate(&self) {
        self.node.upgrade.unlock(Release::Clean);
    }

    /// With U held: what the last writer left. U keeps others from changing it.
    pub(super) fn examine(&self, patience: Patience) -> Result<Acquired, LockError> {
        // Without U, W is held by a dead one only, whose death is being reported.
        while self.node.writer.look().is_held() {
            self.node.writer.wait_until_free(patience.ok_or(LockError::WouldBlock)?)?;
        }
        self.state(self.node.writer.look())
    }

    /// With U held: takes W and waits until the readers have left.
    pub(super) fn exclude(&self, patience: Patience) -> Result<Acquired, LockError> {
        if self.is_reader() {
            return Err(LockError::Deadlock);
        }
        // One that does not wait keeps no reader out in vain, if it can be helped.
        if patience.is_none() && self.count_readers() > 0 {
            return Err(LockError::WouldBlock);
        }
        let writer = &self.node.writer;
        let mut acquired = match patience {
            Some(deadline) => writer.lock(deadline)?,
            None => writer.try_lock()?,
        };
        if acquired == Acquired::OwnerDied && self.node.writing.load(Ordering::Relaxed) == 0 {
            writer.mark_consistent();
            acquired = Acquired::Clean;
        }
        if let Err(error) = self.await_readers(patience) {
            // As it came.
            let died = acquired == Acquired::OwnerDied;
            writer.unlock(if died { Release::Dirty } else { Release::Clean });
            return Err(error);
        }
        self.node.writing.store(1, Ordering::Relaxed);
        Ok(acquired)
    }

    fn await_readers(&self, patience: Patience) -> Result<(), LockError> {
        // Those that take a share from now on find W held.
        self.used_shares().filter(|share| share.lock.look().is_held()).try_for_each(|share| {
            match patience {
                Some(deadline) => share.lock.wait_until_free(deadline),
                None => Err(LockError::WouldBlock),
            }
        })
    }

    /// Releases W: readers enter again.
    pub(super) fn admit(&self, release: Release) {
        let writer = &self.node.writer;
        // Not through a copy of the guard that a fork made.
        if release == Release::Clean && !writer.is_inconsistent() && writer.is_mine() {
            self.node.writing.store(0, Ordering::Relaxed);
        }
        writer.unlock(release);
    }

    /// With U held: a share for the thread that has it. Nobody but readers on their way out can have
    /// taken one.
    pub(super) fn share_for_owner(&self) -> Result<&'a Share, LockError> {
        self.take_share(robust_list::current()?, self.forever())
    }
}
