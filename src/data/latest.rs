//! `Latest<T>`: the last committed value, for many readers that nobody can hold up.
//!
//! The wait-free buffer of Chen and Burns ("A fully asynchronous reader/writer mechanism for
//! multiprocessor real-time systems", 1997): `readers` shares, and two copies more than that.
//!
//! # Words
//!
//! `latest` counts commits (high part) and names the copy of the last one (low part). Only the holder
//! of `lock` stores it: that store (Release) is the commit.
//!
//! Each copy has a word that says for which commit it is written, and then the value.
//!
//! A share is held, as a robust lock, by the reader that uses it. Its `count`:
//!
//! | count | meaning | next |
//! |---|---|---|
//! | `NONE` | its holder reads nothing | the holder: `CHOOSING` |
//! | `CHOOSING` | its holder is about to decide on a copy | the holder, or a writer that helps it: a value of `latest` |
//! | else | a value of `latest`, whose copy is being read | the holder: `NONE` |
//!
//! A reader stores `CHOOSING`, looks at `latest`, and puts what it saw there into its share unless a
//! writer has put something there by now. What is in the share then names its copy.
//!
//! A writer first helps each reader that is `CHOOSING` to the copy that is the latest: such a reader
//! may have looked at `latest` long ago. So no reader can come to a copy that is neither the latest
//! nor named by a share; into one of those it writes, and commits. There always is one, because
//! `readers` shares and `latest` name `readers + 1` copies at most. The copies are used in turns.
//!
//! Helping stands at the end of a write in the paper, where whoever is slow delays it until another
//! one writes; here it is the first thing that the next writer does. Of which writer it is said to be
//! the last step makes no difference, and that there is a next one to do it, if a writer dies.
//!
//! Small values are read without a share first: the copy's word tells whether it was written anew
//! while it was read. So do read-only handles, and readers beyond the number of shares.
//!
//! # What a death leaves behind
//!
//! * a writer before its commit: half a value in a copy that nobody reads.
//! * a writer after its commit, before it woke who waits for one: it had the lock still. Who waits,
//!   sleeps on the lock's word as well, and the lock's next holder wakes the others.
//! * a reader: a share that names a copy. It is one of the `readers` that may be named at any time, so
//!   writers have copies enough. The next reader that comes across the share takes it over.
//! * a reader whose death the kernel does not report (see `raw::lock`): a share that nobody uses any
//!   more. The others read with the remaining ones.

#[cfg(feature = "async")]
mod future;

use std::fmt;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use crate::Segment;
use crate::error::{LockError, ObjectError};
use crate::layout::{self, Share};
use crate::raw::bytes::{self, Slot, Unchecked};
use crate::raw::deadline::Deadline;
use crate::raw::event_count::Notify;
use crate::raw::lock::{Acquired, Release};
use crate::raw::waiting::{tells_holder, waits};
use crate::seam::atomic::{AtomicU64, fence};
use crate::seam::{looks, robust_list};
use crate::segment::object::{Mechanics, Misfit, ObjectKind};
use crate::segment::region::{Extent, Located, Series};
use crate::shared::Shared;
use crate::sync::wait_any::{Wait, Words};

/// The last value that somebody has set, for readers that must not be held up: sensor readings,
/// configuration, the state of a control loop. Opened by name:
/// [`Segment::latest`](crate::Segment::latest).
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let segment = outlive::Segment::anonymous()?;
/// let position = segment.latest("position", [0.0_f64; 3])?;
///
/// position.set([1.0, 2.0, 3.0])?;
/// let (value, version) = position.get_versioned()?;
/// assert_eq!(value, [1.0, 2.0, 3.0]);
///
/// position.update(|p| p[0] += 0.5)?;
/// let (value, _) = position.wait_changed(version)?; // at once: it has changed
/// assert_eq!(value, [1.5, 2.0, 3.0]);
/// # Ok(())
/// # }
/// ```
///
/// Reading is wait-free for up to as many concurrent readers as it was created for (16, or what
/// [`latest_with`](crate::Segment::latest_with) says): a read takes a bounded number of steps,
/// however fast others write, and whether or not they are stopped in the middle. Readers beyond that,
/// and those that attached read-only, copy the value and look whether it was overwritten meanwhile,
/// which takes writers that go through nearly all copies during one read; they try again then.
/// Writers never wait for readers. They exclude one another by a lock.
///
/// [`Value`](crate::Value) takes less memory and has guards; its readers may have to wait for the
/// lock when writers are fast.
///
/// # Crash behaviour
///
/// The value is always the last one committed, and reads are never torn. A writer killed before its
/// commit has changed nothing; after it, everything. A reader killed at any moment holds up nobody:
/// there are copies enough for all, and its place goes to the next reader. A process killed while it
/// waits for a change leaves nothing behind. There is no error to handle.
///
/// # Memory ordering
///
/// What was written before a commit is seen by whoever reads the committed value.
///
/// # Signals
///
/// Not to be used in a signal handler, as with [`Mutex`](crate::Mutex).
pub struct Latest<T> {
    inner: Located<layout::Latest>,
    shares: Series<Share>,
    copies: Series<AtomicU64>,
    readers: usize,
    _value: std::marker::PhantomData<T>,
}

impl<T> Clone for Latest<T> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), ..*self }
    }
}

impl<T> fmt::Debug for Latest<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Latest")
            .field("place", &self.inner)
            .field("version", &self.version())
            .finish_non_exhaustive()
    }
}

/// Which commit of a [`Latest`] a value is from. Later ones are greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(u64);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

const NONE: u64 = 0;
const CHOOSING: u64 = 1;

/// Bits of `latest` that name a copy.
const INDEX_BITS: u32 = 10;
const INDEX: u64 = (1 << INDEX_BITS) - 1;

/// The most readers that shares are made for.
const MOST_READERS: usize = 1000;
const DEFAULT_READERS: usize = 16;

/// Copies beyond one for each reader: the latest, and the one that is being written.
const SPARE_COPIES: usize = 2;
const _: () = assert!(MOST_READERS + SPARE_COPIES <= INDEX as usize);

/// Up to this size a copy costs less than a share does, and is over before writers can have gone
/// through the copies.
const SMALL: usize = 256;

/// How often a reader that finds no share, and is overtaken, looks again before it takes the lock.
const OPTIMISTIC: usize = 128;

const fn version_of(word: u64) -> Version {
    Version(word >> INDEX_BITS)
}

/// After about 28 years of commits every 50 ns they are counted from 1 again; 0 would make words that
/// mean something else in a share.
const fn next_word(word: u64, index: usize) -> u64 {
    let next = (word >> INDEX_BITS).wrapping_add(1) << INDEX_BITS;
    (if next == 0 { 1 << INDEX_BITS } else { next }) | index as u64
}

/// The copies that must not be written.
#[derive(Default)]
struct Named([u64; (INDEX as usize + 1) / 64]);

impl Named {
    fn add(&mut self, word: u64) {
        let index = (word & INDEX) as usize;
        self.0[index / 64] |= 1 << (index % 64);
    }

    fn has(&self, index: usize) -> bool {
        self.0.get(index / 64).is_none_or(|bits| bits & 1 << (index % 64) != 0)
    }
}

impl<T> Latest<T> {
    /// Which commit is the last one.
    #[must_use]
    pub fn version(&self) -> Version {
        // Acquire: pairs with the Release in `write`.
        version_of(self.inner.latest.load(Ordering::Acquire))
    }
}

/// What was read: the bytes, and the value of `latest` that led to them.
type Read<T> = (Unchecked<T>, u64);

impl<T: Shared> Latest<T> {
    /// The last committed value.
    ///
    /// # Errors
    ///
    /// [`Corrupt`](LockError::Corrupt) if the bytes are not a `T`. With more concurrent readers than
    /// it was created for, and writers that overtake them again and again: those of
    /// [`set`](Self::set), or [`TimedOut`](LockError::TimedOut) after ten seconds if it was opened
    /// read-only.
    #[inline]
    pub fn get(&self) -> Result<T, LockError> {
        Ok(self.get_versioned()?.0)
    }

    /// The last committed value, and which commit it is from.
    ///
    /// # Errors
    ///
    /// Those of [`get`](Self::get).
    #[inline]
    pub fn get_versioned(&self) -> Result<(T, Version), LockError> {
        if size_of::<T>() <= SMALL
            && let Some(read) = self.read_validated()?
        {
            return checked(&read);
        }
        self.get_shared()
    }

    /// The general case, in which nobody can overtake the reader.
    pub(crate) fn get_shared(&self) -> Result<(T, Version), LockError> {
        match self.read_shared()? {
            Some(read) => checked(&read),
            None => self.get_slowly(),
        }
    }

    /// More readers than shares, or a read-only handle.
    #[cold]
    fn get_slowly(&self) -> Result<(T, Version), LockError> {
        for _ in 0..looks(OPTIMISTIC) {
            if let Some(read) = self.read_validated()? {
                return checked(&read);
            }
            if let Some(read) = self.read_shared()? {
                return checked(&read);
            }
        }
        if self.inner.is_writable() {
            let writing = self.acquire()?;
            // Under the lock nobody writes.
            let word = writing.node.latest.load(Ordering::Relaxed);
            return checked(&(self.copy(word)?.1.read(), word));
        }
        let deadline = Deadline::after(Duration::from_secs(10));
        while deadline.remaining().is_some() {
            if let Some(read) = self.read_validated()? {
                return checked(&read);
            }
            thread::yield_now();
        }
        Err(LockError::TimedOut { holder: None })
    }

    /// Where the copies lie, which nobody reads with a share while they are written.
    #[cfg(loom)]
    pub(crate) fn memory(&self) -> impl Iterator<Item = core::ops::Range<usize>> {
        (0..(self.readers + SPARE_COPIES) as u64).filter_map(|index| {
            let (_, slot) = self.copy(index).ok()?;
            let start = slot.pointer().addr().get();
            Some(start..start + size_of::<T>())
        })
    }

    /// Reads without a share. None if the copy was written anew meanwhile.
    #[inline]
    pub(crate) fn read_validated(&self) -> Result<Option<Read<T>>, LockError> {
        // Acquire: pairs with the Release in `write`.
        let word = self.inner.latest.load(Ordering::Acquire);
        let (written, slot) = self.copy(word)?;
        let bits = slot.read();
        // Pairs with the Release fence in `write`: had we read bytes of a later commit, we would see
        // that the copy is being written for it.
        fence(Ordering::Acquire);
        let valid = written.load(Ordering::Relaxed) == version_of(word).0;
        Ok(valid.then_some((bits, word)))
    }

    /// Reads with a share. None if there is none to be had.
    fn read_shared(&self) -> Result<Option<Read<T>>, LockError> {
        let Ok(node) = self.inner.writable() else { return Ok(None) };
        let Some(share) = self.take_share() else { return Ok(None) };
        let word = choose(node, share);
        let read = self.copy(word).map(|(_, slot)| Some((slot.read(), word)));
        // Release: pairs with the Acquire in `pick`: the copy was read.
        share.count.store(NONE, Ordering::Release);
        share.lock.unlock(Release::Clean);
        read
    }

    /// A share that nobody else uses, taken over from a dead reader if need be: what that one noted
    /// does not matter. A thread keeps to the same one, as long as others do not.
    fn take_share(&self) -> Option<&Share> {
        let start = robust_list::current().ok()?.id() as usize % self.readers;
        (start..self.readers).chain(0..start).find_map(|index| {
            let share = self.shares.get(index)?;
            // Any error is one more reason to read without a share.
            if share.lock.try_lock().ok()? == Acquired::OwnerDied {
                share.lock.mark_consistent();
            }
            Some(share)
        })
    }

    /// The copy that a word names.
    #[inline]
    fn copy(&self, word: u64) -> Result<(&AtomicU64, Slot<T>), LockError> {
        let index = (word & INDEX) as usize;
        self.copies
            .get(index)
            .zip(self.copies.slot(index, value_offset::<T>()))
            .ok_or(LockError::Corrupt { what: "which copy is the latest" })
    }

    /// Stores a value.
    ///
    /// # Errors
    ///
    /// [`ReadOnly`](LockError::ReadOnly), [`TooManyLocks`](LockError::TooManyLocks),
    /// [`Deadlock`](LockError::Deadlock) within [`update`](Self::update); nothing was changed then.
    pub fn set(&self, value: T) -> Result<(), LockError> {
        self.write(&self.acquire()?, &value)
    }

    /// Changes the value under the writers' lock and returns what `change` does. A panic in it
    /// changes nothing.
    ///
    /// # Errors
    ///
    /// Those of [`set`](Self::set), and [`Corrupt`](LockError::Corrupt) if the bytes are not a `T`;
    /// `change` was not called then.
    pub fn update<R>(&self, change: impl FnOnce(&mut T) -> R) -> Result<R, LockError> {
        let writing = self.acquire()?;
        let word = writing.node.latest.load(Ordering::Relaxed);
        let (mut draft, _) = checked(&(self.copy(word)?.1.read(), word))?;
        let result = change(&mut draft);
        // In a child that `change` has forked, the lock is the parent's.
        if writing.node.lock.is_mine() {
            self.write(&writing, &draft)?;
        }
        Ok(result)
    }

    fn acquire(&self) -> Result<Writing<'_>, LockError> {
        let node = self.inner.writable()?;
        let acquired = node.lock.lock(self.inner.forever())?;
        let writing = Writing { node };
        if acquired == Acquired::OwnerDied {
            // It may not have come to it.
            node.event.notify(Notify::All);
            node.lock.mark_consistent();
        }
        Ok(writing)
    }

    fn write(&self, writing: &Writing<'_>, value: &T) -> Result<(), LockError> {
        let node = writing.node;
        let current = node.latest.load(Ordering::Relaxed);
        let next = next_word(current, self.pick(current)?);
        let (written, slot) = self.copy(next)?;
        written.store(version_of(next).0, Ordering::Relaxed);
        // Pairs with the Acquire fence in `read_validated`: nobody sees bytes of this copy without
        // the word that says for which commit they are.
        fence(Ordering::Release);
        slot.write(value);
        // Release: pairs with the Acquire in `read_validated` and `choose`. This store is the commit.
        node.latest.store(next, Ordering::Release);
        // Before the lock is released: a death before this hands it on.
        node.event.notify(Notify::All);
        Ok(())
    }

    /// Helps the readers that have not decided yet to the latest copy, and finds one that nobody
    /// reads or can come to.
    fn pick(&self, current: u64) -> Result<usize, LockError> {
        // Pairs with the fence in `choose`: a reader that is not seen CHOOSING below sees `current`,
        // or a later one, in `latest`.
        fence(Ordering::SeqCst);
        let mut named = Named::default();
        named.add(current);
        for share in (0..self.readers).map_while(|index| self.shares.get(index)) {
            // Acquire: pairs with the Release in `read_shared`.
            let mut word = share.count.load(Ordering::Acquire);
            if word == CHOOSING {
                // Release: pairs with the Acquire in `choose`. Acquire: as above.
                let (success, failure) = (Ordering::AcqRel, Ordering::Acquire);
                let helped = share.count.compare_exchange(CHOOSING, current, success, failure);
                word = helped.err().unwrap_or(current);
            }
            if word != NONE {
                named.add(word);
            }
        }
        let copies = self.readers + SPARE_COPIES;
        // The one that was used longest ago first, for those who read without a share.
        (1..=copies)
            .map(|step| ((current & INDEX) as usize + step) % copies)
            .find(|index| !named.has(*index))
            .ok_or(LockError::Corrupt { what: "which copies are being read" })
    }

    /// Sleeps until the value is from another commit than `since`, and returns it: the last one then,
    /// which need not be the one after `since`.
    ///
    /// # Errors
    ///
    /// [`ReadOnly`](LockError::ReadOnly): waiters announce themselves. And those of
    /// [`get`](Self::get).
    pub fn wait_changed(&self, since: Version) -> Result<(T, Version), LockError> {
        self.changed_until(since, self.inner.forever())
    }

    /// [`wait_changed`](Self::wait_changed), for at most `timeout`.
    ///
    /// # Errors
    ///
    /// [`TimedOut`](LockError::TimedOut), never before the time is up, and those of
    /// [`wait_changed`](Self::wait_changed).
    pub fn wait_changed_timeout(
        &self,
        since: Version,
        timeout: Duration,
    ) -> Result<(T, Version), LockError> {
        self.changed_until(since, self.inner.within(timeout))
    }

    fn changed_until(&self, since: Version, deadline: Deadline) -> Result<(T, Version), LockError> {
        let node = self.inner.writable()?;
        let changed = || (self.version() != since).then_some(());
        changed()
            .or_else(|| node.event.wait_beside(&node.lock, deadline, changed))
            .ok_or(LockError::TimedOut { holder: None })?;
        self.get_versioned()
    }
}

/// With the share held by this thread: decides on a copy. Returns the word that names it.
fn choose(node: &layout::Latest, share: &Share) -> u64 {
    share.count.store(CHOOSING, Ordering::Relaxed);
    // Pairs with the fence in `pick`.
    fence(Ordering::SeqCst);
    // Acquire: pairs with the Release in `write`.
    let seen = node.latest.load(Ordering::Acquire);
    // Acquire: pairs with the Release of the writer that helped. Release: what it left is published
    // by it; a writer that sees this word only leaves the copy alone.
    match share.count.compare_exchange(CHOOSING, seen, Ordering::Relaxed, Ordering::Acquire) {
        Ok(_) => seen,
        Err(given) => given,
    }
}

#[inline]
fn checked<T: Shared>((bits, word): &Read<T>) -> Result<(T, Version), LockError> {
    let value = bits.check().ok_or(LockError::Corrupt { what: "the value" })?;
    Ok((value, version_of(*word)))
}

/// The writers' lock, held.
struct Writing<'a> {
    node: &'a layout::Latest,
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        // Clean even in a panic: what is not committed is not there.
        self.node.lock.unlock(Release::Clean);
    }
}

/// From the start of a copy to its value.
const fn value_offset<T>() -> usize {
    size_of::<u64>().next_multiple_of(bytes::alignment::<T>())
}

/// From copy to copy, each on cache lines of its own.
const fn copy_stride<T>() -> usize {
    (value_offset::<T>() + bytes::stride::<T>()).next_multiple_of(size_of::<Share>())
}

const SHARES: usize = size_of::<layout::Latest>();

const fn copies_offset(readers: usize) -> usize {
    SHARES + readers * size_of::<Share>()
}

impl Segment {
    /// The [`Latest`] of that name, created with `init`, for 16 concurrent readers, if there is none.
    ///
    /// # Errors
    ///
    /// See [`find_or_create`](Self::find_or_create).
    pub fn latest<T: Shared>(&self, name: &str, init: T) -> Result<Latest<T>, ObjectError> {
        self.latest_with(name, init, DEFAULT_READERS)
    }

    /// The [`Latest`] of that name, created with `init`, for so many concurrent readers (at most
    /// 1000), if there is none. It takes room for two copies of the value more than that.
    ///
    /// # Errors
    ///
    /// See [`find_or_create`](Self::find_or_create).
    pub fn latest_with<T: Shared>(
        &self,
        name: &str,
        init: T,
        readers: usize,
    ) -> Result<Latest<T>, ObjectError> {
        self.find_or_create(name, (init, readers))
    }
}

waits!(Latest<T>, inner);
tells_holder!(Latest<T>, inner.lock);

/// A [`Latest`] that is waited for to change, by [`wait_any`](crate::wait_any).
#[derive(Debug, Clone)]
pub struct Changed<T> {
    latest: Latest<T>,
    since: Version,
}

impl<T: Shared> Latest<T> {
    /// The value, for [`wait_any`](crate::wait_any) to wait until it is from another commit than
    /// `since`.
    #[must_use]
    pub fn changed(&self, since: Version) -> Changed<T> {
        Changed { latest: self.clone(), since }
    }
}

#[allow(private_interfaces)] // sealed
impl<T: Shared> Wait for Changed<T> {
    fn words(&self) -> usize {
        2
    }

    fn is_ready(&self) -> Result<bool, LockError> {
        self.latest.inner.writable()?;
        Ok(self.latest.version() != self.since)
    }

    fn announce<'a>(&'a self, words: &mut Words<'a>) -> Result<(), LockError> {
        let node = self.latest.inner.writable()?;
        words.event(&node.event);
        words.beside(&node.lock);
        Ok(())
    }

    #[cfg(feature = "async")]
    fn is_for_all(&self) -> bool {
        true
    }

    // Commits wake everybody: there is nothing to pass on.
}

#[allow(private_interfaces)] // sealed
impl<T: Shared> Mechanics for Latest<T> {
    type Init = (T, usize);

    const KIND: ObjectKind = ObjectKind::Latest;
    const TYPE_TAG: u64 = T::TYPE_TAG;

    fn describe(f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Latest<")?;
        T::describe(f)?;
        f.write_str(">")
    }

    fn size((_, readers): &(T, usize)) -> Result<u64, &'static str> {
        bytes::check_alignment::<T>()?;
        if !(1..=MOST_READERS).contains(readers) {
            return Err("the number of its concurrent readers has to be from 1 to 1000");
        }
        copy_stride::<T>()
            .checked_mul(readers + SPARE_COPIES)
            .and_then(|copies| copies.checked_add(copies_offset(*readers)))
            .map(|size| size as u64)
            .ok_or("its copies are too large to be addressed")
    }

    fn initialise(extent: &Extent, (init, readers): (T, usize)) -> Option<()> {
        let head = extent.head::<layout::Latest>()?;
        let first = next_word(0, 0);
        head.lock.reset();
        // Who waits for a change sleeps on it.
        head.lock.expect_company();
        head.latest.store(first, Ordering::Relaxed);
        head.readers.store(readers as u64, Ordering::Relaxed);
        head.event.reset();
        let shares = extent.series::<Share>(SHARES, size_of::<Share>(), readers)?;
        for index in 0..readers {
            let share = shares.get(index)?;
            share.lock.reset();
            share.count.store(NONE, Ordering::Relaxed);
        }
        let copies = readers + SPARE_COPIES;
        let copies =
            extent.series::<AtomicU64>(copies_offset(readers), copy_stride::<T>(), copies)?;
        for index in 0..readers + SPARE_COPIES {
            copies.get(index)?.store(0, Ordering::Relaxed);
        }
        copies.get(0)?.store(version_of(first).0, Ordering::Relaxed);
        copies.slot::<T>(0, value_offset::<T>())?.write(&init);
        Some(())
    }

    fn attach(extent: &Extent) -> Result<Self, &'static str> {
        let inner: Located<layout::Latest> =
            extent.head().ok_or("it is too small for a latest value")?;
        let (shares, copies, readers) = usize::try_from(inner.readers.load(Ordering::Relaxed))
            .ok()
            .filter(|readers| (1..=MOST_READERS).contains(readers))
            .and_then(|readers| {
                let (at, stride) = (copies_offset(readers), copy_stride::<T>());
                let shares = extent.series(SHARES, size_of::<Share>(), readers)?;
                let copies = extent.series(at, stride, readers + SPARE_COPIES)?;
                Some((shares, copies, readers))
            })
            .ok_or("the number of its readers is not that of its memory")?;
        Ok(Self { inner, shares, copies, readers, _value: std::marker::PhantomData })
    }

    fn fits(&self, (_, readers): &(T, usize)) -> Result<(), Misfit> {
        let (found, wanted) = (self.readers as u64, *readers as u64);
        if found == wanted { Ok(()) } else { Err(("readers", found, wanted)) }
    }
}
