//! `RwLock<T>`: many readers or one writer, in front of a value, in place.
//!
//! The algorithm, with its words and what a death leaves behind, is in `body`.

mod body;
mod guard;

use std::fmt;
use std::sync::atomic::Ordering;
use std::time::Duration;

use body::{Body, MOST_READERS, Patience};
pub use guard::{ConvertError, RwLockReadGuard, RwLockUpgradableGuard, RwLockWriteGuard};

use crate::Segment;
use crate::error::{Holder, LockError, ObjectError};
use crate::layout::{self, Share};
use crate::raw::bytes::{self, Slot};
use crate::raw::lock::{Acquired, Release};
use crate::raw::waiting::waits;
use crate::segment::object::{Mechanics, Misfit, ObjectKind};
use crate::segment::region::{Extent, Located, Series};
use crate::shared::Shared;

/// A lock for many readers or one writer that outlives its holders, with the data that it protects.
///
/// Opened by name: [`Segment::rwlock`](crate::Segment::rwlock). For small data,
/// [`Value`](crate::Value) is faster and simpler: its readers take no lock at all. An `RwLock` is for
/// large data that are changed in place and are read where they are.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use outlive::{LockError, Segment};
///
/// let segment = Segment::anonymous()?;
/// let routes = segment.rwlock("routes", [0_u32; 256])?;
/// {
///     let mut table = match routes.write() {
///         Ok(guard) => guard,
///         Err(error) => {
///             let mut guard = error.into_guard()?; // a writer died: anything else is returned
///             guard.fill(0); // whatever makes the data whole again
///             guard.mark_consistent();
///             guard
///         }
///     };
///     table[7] = 12;
/// }
/// let one = routes.read().map_err(|_| "a writer died")?;
/// let another = routes.read().map_err(|_| "a writer died")?;
/// assert_eq!((one[7], another[7]), (12, 12));
/// # Ok(())
/// # }
/// ```
///
/// # Who goes first
///
/// Writers do: from the moment that a writer waits for the readers to leave, no thread enters that
/// does not read already, so readers cannot keep a writer waiting for good. Writers that come one
/// after the other without a pause can keep readers waiting.
///
/// A thread that reads may read again whenever it likes: it never waits for a writer that waits for
/// it. It may not write, or become an upgradable reader, at the same time
/// ([`Deadlock`](LockError::Deadlock)).
///
/// # How many readers
///
/// As many threads can read at a time as the lock was made for: 64 with
/// [`Segment::rwlock`](crate::Segment::rwlock), fewer with
/// [`Segment::rwlock_with`](crate::Segment::rwlock_with). Further ones wait until one of them leaves.
/// Each takes a cache line of its own, so readers do not slow each other down; a writer looks at each
/// line that was ever used.
///
/// # Upgrading
///
/// [`upgradable_read`](Self::upgradable_read) reads beside other readers, and alone may become a
/// writer ([`RwLockUpgradableGuard::upgrade`]) without anybody having written in between. There is
/// one such reader or writer at a time. [`RwLockWriteGuard::downgrade`] goes the other way.
///
/// # Crash behaviour
///
/// When a reader is killed (or its thread ends, or its process calls `exec`), the kernel releases its
/// share at once and wakes a writer that waits for it; nobody is told, since readers change nothing.
///
/// When a writer is killed, the next reader or writer gets in at once, as
/// [`LockError::OwnerDied`] with its guard: the data may be half-changed. Readers are told so until a
/// writer has mended the data and called [`RwLockWriteGuard::mark_consistent`]; if it drops the guard
/// without, the lock is closed for good ([`LockError::NotRecoverable`]). A panic while a write guard
/// is held counts as a death; one under another guard counts as nothing.
///
/// Who is killed while it waits leaves nothing behind, and neither does an upgradable reader.
///
/// One death the kernel does not report: `exec` by a thread other than the process's first one. Whoever
/// waits finds that out within 100 ms; the `try_` operations alone do not.
///
/// # Memory ordering
///
/// What a writer wrote before it released the lock is seen by whoever acquires it afterwards, in
/// whichever way; what a reader did before it left is seen by the next writer.
///
/// # Signals
///
/// As with [`Mutex`](crate::Mutex#signals): not to be locked or released in a signal handler.
///
/// # Trust
///
/// The lock orders those who take it. A process with the right to write the segment that writes the
/// data without it is outside of this contract, as with any shared mapping.
pub struct RwLock<T> {
    pub(crate) node: Located<layout::RwLock>,
    shares: Series<Share>,
    /// How many shares there are.
    readers: usize,
    data: Slot<T>,
}

impl<T> Clone for RwLock<T> {
    fn clone(&self) -> Self {
        Self { node: self.node.clone(), ..*self }
    }
}

impl<T> fmt::Debug for RwLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RwLock").field("place", &self.node).finish_non_exhaustive()
    }
}

/// A guard, or an error that may hold one.
type Outcome<G> = Result<G, LockError<G>>;

impl<T: Shared> RwLock<T> {
    /// Gets in as a reader, sleeping while somebody writes or waits to.
    ///
    /// # Errors
    ///
    /// [`OwnerDied`](LockError::OwnerDied) with the guard if a writer died: the data can be read, but
    /// may be half-changed. [`NotRecoverable`](LockError::NotRecoverable),
    /// [`Deadlock`](LockError::Deadlock) if this thread writes, [`ReadOnly`](LockError::ReadOnly):
    /// readers announce themselves, [`TooManyLocks`](LockError::TooManyLocks),
    /// [`Corrupt`](LockError::Corrupt) if the bytes are not a `T`.
    #[inline]
    pub fn read(&self) -> Outcome<RwLockReadGuard<'_, T>> {
        match self.read_at_once() {
            Some(guard) => Ok(guard),
            None => self.read_slowly(Body::forever),
        }
    }

    /// Gets in as a reader if nobody writes or waits to.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](LockError::WouldBlock), and those of [`read`](Self::read).
    #[inline]
    pub fn try_read(&self) -> Outcome<RwLockReadGuard<'_, T>> {
        match self.read_at_once() {
            Some(guard) => Ok(guard),
            None => self.read_slowly(|_| None),
        }
    }

    /// Gets in as a reader, sleeping for at most `timeout`.
    ///
    /// # Errors
    ///
    /// [`TimedOut`](LockError::TimedOut), never before the time is up, and those of
    /// [`read`](Self::read).
    #[inline]
    pub fn read_timeout(&self, timeout: Duration) -> Outcome<RwLockReadGuard<'_, T>> {
        match self.read_at_once() {
            Some(guard) => Ok(guard),
            None => self.read_slowly(|body| body.within(timeout)),
        }
    }

    /// Gets in as the writer, sleeping until everybody else has left.
    ///
    /// # Errors
    ///
    /// [`OwnerDied`](LockError::OwnerDied) with the guard if a writer died: see above.
    /// [`NotRecoverable`](LockError::NotRecoverable), [`Deadlock`](LockError::Deadlock) if this
    /// thread has a guard of this lock already, [`ReadOnly`](LockError::ReadOnly),
    /// [`TooManyLocks`](LockError::TooManyLocks), [`Corrupt`](LockError::Corrupt) if the bytes are not
    /// a `T`.
    pub fn write(&self) -> Outcome<RwLockWriteGuard<'_, T>> {
        self.write_within(Body::forever)
    }

    /// Gets in as the writer if nobody else is in.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](LockError::WouldBlock), and those of [`write`](Self::write).
    pub fn try_write(&self) -> Outcome<RwLockWriteGuard<'_, T>> {
        self.write_within(|_| None)
    }

    /// Gets in as the writer, sleeping for at most `timeout`.
    ///
    /// # Errors
    ///
    /// [`TimedOut`](LockError::TimedOut), never before the time is up, and those of
    /// [`write`](Self::write).
    pub fn write_timeout(&self, timeout: Duration) -> Outcome<RwLockWriteGuard<'_, T>> {
        self.write_within(|body| body.within(timeout))
    }

    /// Gets in as the one reader that may become a writer, sleeping while there is another one, or a
    /// writer. Other readers come and go meanwhile.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let segment = outlive::Segment::anonymous()?;
    /// # let table = segment.rwlock("table", [0_u32; 8])?;
    /// let seen = table.upgradable_read().map_err(|_| "a writer died")?;
    /// if seen[3] == 0 {
    ///     // Waits for the other readers. A refusal holds the guard: only its reason is returned.
    ///     let mut guard = seen.upgrade().map_err(|refused| refused.error)?;
    ///     guard[3] = 1; // still 0 until here
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`OwnerDied`](LockError::OwnerDied) with the guard if a writer died: once upgraded, it can mend
    /// the data. [`Deadlock`](LockError::Deadlock) if this thread has a guard of this lock already,
    /// and those of [`write`](Self::write).
    pub fn upgradable_read(&self) -> Outcome<RwLockUpgradableGuard<'_, T>> {
        self.upgradable_within(Body::forever)
    }

    /// Gets in as the one reader that may become a writer, if there is none, nor a writer.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](LockError::WouldBlock), and those of [`upgradable_read`](Self::upgradable_read).
    pub fn try_upgradable_read(&self) -> Outcome<RwLockUpgradableGuard<'_, T>> {
        self.upgradable_within(|_| None)
    }

    /// Gets in as the one reader that may become a writer, sleeping for at most `timeout`.
    ///
    /// # Errors
    ///
    /// [`TimedOut`](LockError::TimedOut), never before the time is up, and those of
    /// [`upgradable_read`](Self::upgradable_read).
    pub fn upgradable_read_timeout(
        &self,
        timeout: Duration,
    ) -> Outcome<RwLockUpgradableGuard<'_, T>> {
        self.upgradable_within(|body| body.within(timeout))
    }

    /// How many threads read at the moment, upgradable readers and writers not counted.
    #[must_use]
    pub fn readers(&self) -> usize {
        self.body(&self.node).count_readers()
    }

    #[inline]
    fn body<'a>(&'a self, node: &'a layout::RwLock) -> Body<'a> {
        let waiting = self.node.waiting;
        Body { node, shares: &self.shares, readers: self.readers, waiting }
    }

    fn writable<G>(&self) -> Result<Body<'_>, LockError<G>> {
        Ok(self.body(self.node.writable().map_err(LockError::cast)?))
    }

    /// Data that need no check, and nobody who writes.
    #[inline]
    fn read_at_once(&self) -> Option<RwLockReadGuard<'_, T>> {
        if !T::ANY_PATTERN_IS_VALID {
            return None;
        }
        let share = self.body(self.node.writable().ok()?).enter_at_once()?;
        Some(RwLockReadGuard::new(share, self.data))
    }

    #[cold]
    fn read_slowly<'a>(
        &'a self,
        patience: impl FnOnce(&Body<'a>) -> Patience,
    ) -> Outcome<RwLockReadGuard<'a, T>> {
        let body = self.writable()?;
        let (share, acquired) = body.enter(patience(&body)).map_err(LockError::cast)?;
        if !self.is_valid() {
            Body::leave(share);
            return Err(INVALID.cast());
        }
        hand_over(RwLockReadGuard::new(share, self.data), acquired)
    }

    fn write_within<'a>(
        &'a self,
        patience: impl FnOnce(&Body<'a>) -> Patience,
    ) -> Outcome<RwLockWriteGuard<'a, T>> {
        let body = self.writable()?;
        let patience = patience(&body);
        body.occupy(patience).map_err(LockError::cast)?;
        let acquired = match body.exclude(patience) {
            Ok(acquired) => acquired,
            Err(error) => {
                body.vacate();
                return Err(error.cast());
            }
        };
        if !self.is_valid() {
            // Given back as it came: only a death leaves the word inconsistent.
            let died = acquired == Acquired::OwnerDied;
            body.admit(if died { Release::Dirty } else { Release::Clean });
            body.vacate();
            return Err(INVALID.cast());
        }
        hand_over(RwLockWriteGuard::new(body, self.data), acquired)
    }

    fn upgradable_within<'a>(
        &'a self,
        patience: impl FnOnce(&Body<'a>) -> Patience,
    ) -> Outcome<RwLockUpgradableGuard<'a, T>> {
        let body = self.writable()?;
        let patience = patience(&body);
        body.occupy(patience).map_err(LockError::cast)?;
        let examined = body.examine(patience);
        match examined
            .and_then(|acquired| if self.is_valid() { Ok(acquired) } else { Err(INVALID) })
        {
            Ok(acquired) => hand_over(RwLockUpgradableGuard::new(body, self.data), acquired),
            Err(error) => {
                body.vacate();
                Err(error.cast())
            }
        }
    }

    /// With the data locked: whether they are a `T`.
    fn is_valid(&self) -> bool {
        T::ANY_PATTERN_IS_VALID || self.data.read().check().is_some()
    }
}

const INVALID: LockError = LockError::Corrupt { what: "the data that the lock protects" };

fn hand_over<G>(guard: G, acquired: Acquired) -> Outcome<G> {
    match acquired {
        Acquired::Clean => Ok(guard),
        Acquired::OwnerDied => Err(LockError::OwnerDied(guard)),
    }
}

waits!(RwLock<T>, node);

impl<T> RwLock<T> {
    /// Who writes at the moment, waits for the readers to leave in order to write, or has the right to
    /// become the writer; to find out about a deadlock. Reads /proc.
    #[must_use]
    pub fn holder(&self) -> Option<Holder> {
        let writer = self.node.writer.holder();
        let Some(mut holder) = self.node.upgrade.holder() else { return writer };
        // Readers wait for the one lock, writers for the other.
        let writer = writer.filter(|writer| writer.thread_id == holder.thread_id);
        holder.since = holder.since.max(writer.and_then(|writer| writer.since));
        Some(holder)
    }
}

impl Segment {
    /// The [`RwLock`] of that name, for 64 readers at a time, created with `init` if there is none.
    ///
    /// # Errors
    ///
    /// See [`find_or_create`](Self::find_or_create).
    pub fn rwlock<T: Shared>(&self, name: &str, init: T) -> Result<RwLock<T>, ObjectError> {
        self.rwlock_with(name, init, MOST_READERS)
    }

    /// The [`RwLock`] of that name, for `readers` at a time (1 to 64), created with `init` if there is
    /// none. It takes 64 bytes for each of them.
    ///
    /// # Errors
    ///
    /// See [`find_or_create`](Self::find_or_create).
    pub fn rwlock_with<T: Shared>(
        &self,
        name: &str,
        init: T,
        readers: usize,
    ) -> Result<RwLock<T>, ObjectError> {
        self.find_or_create(name, (readers, init))
    }
}

/// Where the data are: behind the shares.
const fn data_offset<T>(readers: usize) -> usize {
    let end = size_of::<layout::RwLock>() + readers * size_of::<Share>();
    end.next_multiple_of(bytes::alignment::<T>())
}

#[allow(private_interfaces)] // sealed
impl<T: Shared> Mechanics for RwLock<T> {
    /// How many readers, and the first value.
    type Init = (usize, T);

    const KIND: ObjectKind = ObjectKind::RwLock;
    const TYPE_TAG: u64 = T::TYPE_TAG;

    fn describe(f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RwLock<")?;
        T::describe(f)?;
        f.write_str(">")
    }

    fn size((readers, _): &(usize, T)) -> Result<u64, &'static str> {
        bytes::check_alignment::<T>()?;
        if !(1..=MOST_READERS).contains(readers) {
            return Err("it can be for 1 to 64 readers at a time");
        }
        Ok((data_offset::<T>(*readers) + bytes::stride::<T>()) as u64)
    }

    fn initialise(extent: &Extent, (readers, init): (usize, T)) -> Option<()> {
        let node = extent.head::<layout::RwLock>()?;
        node.writer.reset();
        node.upgrade.reset();
        node.used.store(0, Ordering::Relaxed);
        node.writing.store(0, Ordering::Relaxed);
        node.shares.store(readers as u64, Ordering::Relaxed);
        let stride = size_of::<Share>();
        let shares = extent.series::<Share>(size_of::<layout::RwLock>(), stride, readers)?;
        for share in (0..readers).filter_map(|index| shares.get(index)) {
            share.lock.reset();
            share.count.store(0, Ordering::Relaxed);
        }
        extent.slot::<T>(data_offset::<T>(readers))?.write(&init);
        Some(())
    }

    fn attach(extent: &Extent) -> Result<Self, &'static str> {
        let node = extent.head::<layout::RwLock>().ok_or("it is too small for a lock")?;
        let readers = usize::try_from(node.shares.load(Ordering::Relaxed))
            .ok()
            .filter(|readers| (1..=MOST_READERS).contains(readers))
            .ok_or("its number of readers cannot be")?;
        let shares = extent
            .series(size_of::<layout::RwLock>(), size_of::<Share>(), readers)
            .ok_or("it is too small for its readers")?;
        let data = extent.slot(data_offset::<T>(readers)).ok_or("it is too small for its type")?;
        Ok(Self { node, shares, readers, data })
    }

    fn fits(&self, (readers, _): &(usize, T)) -> Result<(), Misfit> {
        if self.readers == *readers {
            Ok(())
        } else {
            Err(("limit of readers", self.readers as u64, *readers as u64))
        }
    }
}
