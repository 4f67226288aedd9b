//! `Array<T>`: elements that are never torn, changed one by one, in slices or as a whole.
//!
//! # Words
//!
//! The elements are followed by as much room again, the journal. Elements of 1, 2, 4 or 8 bytes are
//! packed and read and written in one access; others take whole words.
//!
//! The holder of `lock` changes elements:
//!
//! * one word-sized element with one store, which is the commit;
//! * anything else through the journal: it writes the new elements there, stores their range into
//!   `pending` (Release), which is the commit, copies them over the elements, and clears `pending`.
//!
//! `version` is odd while elements are changing. Readers of more than one word take no lock: they
//! read `version`, the elements, and `version` again, and start over if it was odd or moved.
//!
//! # What a death leaves behind
//!
//! * before `pending`: new elements in the journal, which count for nothing.
//! * after `pending`: elements that are partly new. The lock's next holder copies the journal over
//!   them once more. Readers that find `version` odd take the lock, and so become that next holder.
//! * with `version` odd and nothing pending: a single store that was made or not; the next holder
//!   makes `version` even.
//!
//! Lock-free operations on integers (`load`, `store`, `fetch_add`, ...) are single atomic
//! instructions beside all this.

mod atomic;

use std::fmt;
use std::ops::{Bound, Deref, DerefMut, Range, RangeBounds};
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use crate::data::overtaken;
use crate::error::{ArrayError, LockError};
use crate::layout;
use crate::raw::bytes;
use crate::raw::deadline::Deadline;
use crate::raw::lock::{Acquired, Release};
use crate::raw::waiting::{tells_holder, waits};
use crate::seam::atomic::fence;
use crate::segment::object::{Mechanics, Misfit, ObjectKind};
use crate::segment::region::{Elements, Extent, Located};
use crate::shared::Shared;
use crate::sync::wait_any::awaits_lock;

pub use atomic::AtomicElement;

/// A fixed number of elements that all processes see. Opened by name:
/// [`Segment::array`](crate::Segment::array).
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let samples = outlive::Segment::anonymous()?.array("samples", 1000, 0.0_f64)?;
/// samples.set(0, 1.5)?;
/// samples.write(10, &[1.0, 2.0, 3.0])?; // all three or none
/// {
///     let mut all = samples.lock()?; // a copy of the whole, nobody else changes it meanwhile
///     all.reverse();
/// } // committed here: all of it or nothing
/// assert_eq!(samples.get(999)?, 1.5);
/// # Ok(())
/// # }
/// ```
///
/// Arrays of integers have lock-free operations as well: [`fetch_add`](Self::fetch_add) and others.
///
/// # Crash behaviour
///
/// An element is never torn. [`set`](Self::set), [`write`](Self::write) and the commit of a
/// [`lock`](Self::lock) guard take effect as a whole or not at all: what a killed process had
/// committed is completed by the next one that takes the lock (until then readers may see the
/// elements as they were), what it had not is as if it never was. A panic rolls a guard back. There is no error to handle. (The room for this makes an array take twice the memory
/// of its elements.)
///
/// # Memory ordering
///
/// What was written before a change is seen by whoever reads the changed elements.
pub struct Array<T> {
    inner: Located<layout::Array>,
    elements: Elements<T>,
    journal: Elements<T>,
}

impl<T> Clone for Array<T> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), ..*self }
    }
}

impl<T> fmt::Debug for Array<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Array").field("place", &self.inner).finish_non_exhaustive()
    }
}

const INVALID: LockError = LockError::Corrupt { what: "an element" };

/// How often a reader that writers overtake looks again before it takes the lock.
const OPTIMISTIC: usize = 32;

impl<T: Shared> Array<T> {
    /// How many elements there are.
    #[must_use]
    #[inline]
    pub fn len(&self) -> usize {
        self.elements.count()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn range(&self, start: usize, count: usize) -> Result<Range<usize>, ArrayError> {
        self.checked(start..start.saturating_add(count))
    }

    fn checked(&self, range: Range<usize>) -> Result<Range<usize>, ArrayError> {
        let Range { start, end } = range;
        if start > end || end > self.len() {
            return Err(ArrayError::OutOfBounds { start, end, length: self.len() });
        }
        Ok(range)
    }

    // ---- reading

    /// A copy of one element, as a whole. Takes no lock (larger elements than a word, for once, if
    /// others change the array faster than they can be read).
    ///
    /// # Errors
    ///
    /// [`OutOfBounds`](ArrayError::OutOfBounds), and [`Corrupt`](LockError::Corrupt) if the bytes
    /// are not a `T`. Of larger elements than a word, rarely those of [`lock`](Self::lock), or
    /// [`TimedOut`](LockError::TimedOut) after ten seconds in which one that changes the array was
    /// stopped, or it was overtaken and got no lock either.
    #[inline]
    pub fn get(&self, index: usize) -> Result<T, ArrayError> {
        self.range(index, 1)?;
        if !bytes::is_word::<T>() {
            return self.consistently(|| self.element(index)).map_err(Into::into);
        }
        let element = self.element(index);
        // Acquire: pairs with the Release stores and fences of who wrote the element.
        fence(Ordering::Acquire);
        element.map_err(Into::into)
    }

    /// Copies elements `start..start + target.len()` out, as they were at one moment.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub fn read(&self, start: usize, target: &mut [T]) -> Result<(), ArrayError> {
        let range = self.range(start, target.len())?;
        for (to, element) in target.iter_mut().zip(self.read_range(range)?) {
            *to = element;
        }
        Ok(())
    }

    /// Copies of all elements, as they were at one moment.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub fn to_vec(&self) -> Result<Vec<T>, ArrayError> {
        Ok(self.read_range(0..self.len())?)
    }

    /// Copies of the elements one after the other, each as it is when its turn comes.
    #[must_use]
    pub fn iter(&self) -> ArrayIter<'_, T> {
        ArrayIter { array: self, rest: 0..self.len() }
    }

    fn read_range(&self, range: Range<usize>) -> Result<Vec<T>, LockError> {
        self.consistently(|| range.clone().map(|index| self.element(index)).collect())
    }

    /// One element; whole if it is a word.
    #[inline]
    pub(crate) fn element(&self, index: usize) -> Result<T, LockError> {
        self.elements.get(index).and_then(|slot| slot.read().check()).ok_or(INVALID)
    }

    /// Reads while nothing changes.
    fn consistently<R>(&self, read: impl Fn() -> Result<R, LockError>) -> Result<R, LockError> {
        overtaken::read(
            &self.inner,
            OPTIMISTIC,
            || self.read_between_changes(&read),
            |deadline| {
                let node = self.inner.writable()?;
                // Whoever was at it may be dead: the lock makes this process the one that mends.
                self.acquire(node, deadline)?;
                let result = read();
                node.lock.unlock(Release::Clean);
                result
            },
        )
    }

    pub(crate) fn read_between_changes<R>(&self, read: &impl Fn() -> R) -> Option<R> {
        // Acquire: pairs with the Release in `change`.
        let version = self.inner.version.load(Ordering::Acquire);
        if version & 1 != 0 {
            return None;
        }
        let result = read();
        // Pairs with the Release fence in `change`: had we read a new element, its odd version
        // would be seen here.
        fence(Ordering::Acquire);
        (self.inner.version.load(Ordering::Relaxed) == version).then_some(result)
    }

    // ---- writing

    fn acquire(&self, node: &layout::Array, deadline: Deadline) -> Result<(), LockError> {
        let acquired = node.lock.lock(deadline);
        self.settle(node, acquired)
    }

    /// Completes what a dead holder had committed.
    fn settle(
        &self,
        node: &layout::Array,
        acquired: Result<Acquired, LockError>,
    ) -> Result<(), LockError> {
        if acquired? == Acquired::OwnerDied {
            self.apply(node);
            if node.version.load(Ordering::Relaxed) & 1 != 0 {
                change(node, || ());
            }
            node.lock.mark_consistent();
        }
        Ok(())
    }

    /// With the lock held: copies what is pending in the journal over the elements.
    fn apply(&self, node: &layout::Array) {
        // Relaxed: written by this thread, or before the lock was handed on.
        let pending = node.pending.load(Ordering::Relaxed);
        if pending == 0 {
            return;
        }
        let (start, end) = ((pending & 0xffff_ffff) as usize, (pending >> 32) as usize);
        change(node, || {
            // Slots outside of the array do not exist: a range that cannot be ends early.
            for index in start..end {
                let (Some(from), Some(to)) = (self.journal.get(index), self.elements.get(index))
                else {
                    break;
                };
                to.copy(from);
            }
        });
        node.pending.store(0, Ordering::Release);
    }

    /// With the lock held: replaces elements from `start` on, as a whole. The range was checked.
    fn replace(&self, node: &layout::Array, start: usize, values: &[T]) {
        match values {
            [] => {}
            [value] if bytes::is_word::<T>() => change(node, || {
                if let Some(slot) = self.elements.get(start) {
                    slot.write(value);
                }
            }),
            _ => {
                for (index, value) in (start..).zip(values) {
                    if let Some(slot) = self.journal.get(index) {
                        slot.write(value);
                    }
                }
                let end = start + values.len();
                // Release: the journal is complete before it counts. This store is the commit.
                node.pending.store((end as u64) << 32 | start as u64, Ordering::Release);
                self.apply(node);
            }
        }
    }

    /// Replaces one element.
    ///
    /// # Errors
    ///
    /// [`OutOfBounds`](ArrayError::OutOfBounds), and those of [`lock`](Self::lock).
    #[inline]
    pub fn set(&self, index: usize, value: T) -> Result<(), ArrayError> {
        self.write(index, &[value])
    }

    /// Replaces elements `start..start + values.len()`, as a whole.
    ///
    /// # Errors
    ///
    /// [`OutOfBounds`](ArrayError::OutOfBounds), and those of [`lock`](Self::lock). Nothing was
    /// changed then.
    pub fn write(&self, start: usize, values: &[T]) -> Result<(), ArrayError> {
        self.range(start, values.len())?;
        let node = self.inner.writable()?;
        self.acquire(node, self.inner.forever())?;
        self.replace(node, start, values);
        node.lock.unlock(Release::Clean);
        Ok(())
    }

    /// Changes a range of elements under the lock, as a whole, and returns what `change` does. A
    /// panic in it rolls back.
    ///
    /// # Errors
    ///
    /// [`OutOfBounds`](ArrayError::OutOfBounds), and those of [`lock`](Self::lock); `change` was not
    /// called then.
    pub fn update<R>(
        &self,
        range: impl RangeBounds<usize>,
        change: impl FnOnce(&mut [T]) -> R,
    ) -> Result<R, ArrayError> {
        let start = match range.start_bound() {
            Bound::Included(&start) => start,
            Bound::Excluded(&before) => before.saturating_add(1),
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(&last) => last.saturating_add(1),
            Bound::Excluded(&end) => end,
            Bound::Unbounded => self.len(),
        };
        let range = self.checked(start..end)?;
        let node = self.inner.writable()?;
        self.acquire(node, self.inner.forever())?;
        let mut guard = self.guard(node, range)?;
        Ok(change(&mut guard))
    }

    /// Acquires the lock, sleeping until it is free, with a copy of all elements to change.
    ///
    /// # Errors
    ///
    /// [`Deadlock`](LockError::Deadlock) if this thread holds it already,
    /// [`ReadOnly`](LockError::ReadOnly), [`TooManyLocks`](LockError::TooManyLocks),
    /// [`Corrupt`](LockError::Corrupt) if the bytes of an element are not a `T`.
    pub fn lock(&self) -> Result<ArrayGuard<'_, T>, LockError> {
        let node = self.inner.writable()?;
        self.acquire(node, self.inner.forever())?;
        self.guard(node, 0..self.len())
    }

    /// Acquires the lock if it is free.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](LockError::WouldBlock), and those of [`lock`](Self::lock).
    pub fn try_lock(&self) -> Result<ArrayGuard<'_, T>, LockError> {
        let node = self.inner.writable()?;
        self.settle(node, node.lock.try_lock())?;
        self.guard(node, 0..self.len())
    }

    /// Acquires the lock, sleeping for at most `timeout`.
    ///
    /// # Errors
    ///
    /// [`TimedOut`](LockError::TimedOut), never before the time is up, and those of
    /// [`lock`](Self::lock).
    pub fn lock_timeout(&self, timeout: Duration) -> Result<ArrayGuard<'_, T>, LockError> {
        let node = self.inner.writable()?;
        self.acquire(node, self.inner.within(timeout))?;
        self.guard(node, 0..self.len())
    }

    /// With the lock held.
    fn guard<'a>(
        &'a self,
        node: &'a layout::Array,
        range: Range<usize>,
    ) -> Result<ArrayGuard<'a, T>, LockError> {
        let start = range.start;
        match range.map(|index| self.element(index)).collect() {
            Ok(draft) => Ok(ArrayGuard {
                array: self,
                node,
                start,
                draft,
                touched: false,
                panicking: thread::panicking(),
                _thread: std::marker::PhantomData,
            }),
            Err(error) => {
                node.lock.unlock(Release::Clean);
                Err(error)
            }
        }
    }
}

/// With the lock held: makes `version` odd around a change of elements.
fn change(node: &layout::Array, make: impl FnOnce()) {
    // Odd already: a dead holder's change that is made again.
    let odd = node.version.load(Ordering::Relaxed) | 1;
    node.version.store(odd, Ordering::Relaxed);
    // Pairs with the Acquire fence in `read_between_changes`.
    fence(Ordering::Release);
    make();
    // Release: pairs with the Acquire in `read_between_changes`.
    node.version.store(odd.wrapping_add(1), Ordering::Release);
}

/// A private copy of an [`Array`]'s elements to change; dropping it commits the changes as a whole
/// and releases the lock.
pub struct ArrayGuard<'a, T: Shared> {
    array: &'a Array<T>,
    node: &'a layout::Array,
    /// Of the first element in the draft.
    start: usize,
    draft: Vec<T>,
    touched: bool,
    panicking: bool,
    /// The lock is the thread's: not Send.
    _thread: std::marker::PhantomData<*mut ()>,
}

impl<T: Shared> ArrayGuard<'_, T> {
    /// Throws the changes away and releases the lock.
    pub fn rollback(mut self) {
        self.touched = false;
    }

    /// Commits the changes and releases the lock, as dropping does.
    pub fn commit(self) {}
}

impl<T: Shared> Deref for ArrayGuard<'_, T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.draft
    }
}

impl<T: Shared> DerefMut for ArrayGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut [T] {
        self.touched = true;
        &mut self.draft
    }
}

impl<T: Shared> Drop for ArrayGuard<'_, T> {
    fn drop(&mut self) {
        let panicked = !self.panicking && thread::panicking();
        // A guard that a fork copied into the child commits nothing there: the lock is the parent's.
        if self.touched && !panicked && self.node.lock.is_mine() {
            self.array.replace(self.node, self.start, &self.draft);
        }
        self.node.lock.unlock(Release::Clean);
    }
}

impl<T: Shared + fmt::Debug> fmt::Debug for ArrayGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.draft.fmt(f)
    }
}

/// See [`Array::iter`].
#[derive(Debug)]
pub struct ArrayIter<'a, T> {
    array: &'a Array<T>,
    rest: Range<usize>,
}

impl<T: Shared> Iterator for ArrayIter<'_, T> {
    type Item = Result<T, ArrayError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.rest.next().map(|index| self.array.get(index))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.rest.size_hint()
    }
}

impl<T: Shared> DoubleEndedIterator for ArrayIter<'_, T> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.rest.next_back().map(|index| self.array.get(index))
    }
}

impl<T: Shared> ExactSizeIterator for ArrayIter<'_, T> {}

impl<'a, T: Shared> IntoIterator for &'a Array<T> {
    type Item = Result<T, ArrayError>;
    type IntoIter = ArrayIter<'a, T>;

    fn into_iter(self) -> ArrayIter<'a, T> {
        self.iter()
    }
}

const ELEMENTS: usize = size_of::<layout::Array>();

/// Where the journal starts.
fn journal_offset<T>(length: usize) -> Option<usize> {
    let bytes = bytes::packed_stride::<T>().checked_mul(length)?.checked_next_multiple_of(64)?;
    ELEMENTS.checked_add(bytes)
}

waits!(Array<T>, inner);
tells_holder!(Array<T>, inner.lock);
awaits_lock!(Array<T>, inner.lock);

#[allow(private_interfaces)] // sealed
impl<T: Shared> Mechanics for Array<T> {
    type Init = (usize, T);

    const KIND: ObjectKind = ObjectKind::Array;
    const TYPE_TAG: u64 = T::TYPE_TAG;

    fn describe(f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Array<")?;
        T::describe(f)?;
        f.write_str(">")
    }

    fn size((length, _): &(usize, T)) -> Result<u64, &'static str> {
        bytes::check_alignment::<T>()?;
        // `pending` holds two indices in one word.
        u32::try_from(*length).map_err(|_| "an array has at most 4294967295 elements")?;
        journal_offset::<T>(*length)
            .and_then(|journal| journal.checked_mul(2))
            .map(|twice| (twice - ELEMENTS) as u64)
            .ok_or("its length is too large to be addressed")
    }

    fn initialise(extent: &Extent, (length, init): (usize, T)) -> Option<()> {
        let head = extent.head::<layout::Array>()?;
        head.lock.reset();
        head.length.store(length as u64, Ordering::Relaxed);
        head.version.store(0, Ordering::Relaxed);
        head.pending.store(0, Ordering::Relaxed);
        let elements = extent.elements::<T>(ELEMENTS, length)?;
        for index in 0..length {
            elements.get(index)?.write(&init);
        }
        Some(())
    }

    fn attach(extent: &Extent) -> Result<Self, &'static str> {
        const WRONG: &str = "its length is not that of its memory";
        let inner: Located<layout::Array> = extent.head().ok_or("it is too small for an array")?;
        let length = usize::try_from(inner.length.load(Ordering::Relaxed)).map_err(|_| WRONG)?;
        let elements = extent.elements(ELEMENTS, length).ok_or(WRONG)?;
        let journal = journal_offset::<T>(length).ok_or(WRONG)?;
        let journal = extent.elements(journal, length).ok_or(WRONG)?;
        Ok(Self { inner, elements, journal })
    }

    fn fits(&self, (length, _): &(usize, T)) -> Result<(), Misfit> {
        let (found, wanted) = (self.len() as u64, *length as u64);
        if found == wanted { Ok(()) } else { Err(("length", found, wanted)) }
    }
}
