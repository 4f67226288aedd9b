//! `List<T>`: elements in an order, of which there are sometimes more and sometimes fewer.
//!
//! # Words
//!
//! Two copies of the elements, each with its length in `lengths`, and `version`, which counts changes;
//! copy `version & 1` is the list. Only the holder of `lock` writes, and only to the other copy:
//!
//! | step | the copy that counts | the other one |
//! |---|---|---|
//! | between changes | the list | the list as it was before the last change |
//! | catch up: the elements in `differing` are taken over | unchanged | becomes the list |
//! | change: elements, its length, and in `differing` which ones | unchanged | becomes the new list |
//! | `version`, plus one: the commit | the new list | the list as it was |
//!
//! So a change costs as much as the elements that it and the one before it move, and not as much as the
//! list is long; what appends or takes the last one costs the same however long that is.
//!
//! Readers take no lock: they read `version`, the copy that it names, and `version` again. That copy is
//! not written before the version moves on, so an unchanged version means that what was read was the
//! list, whoever is stopped or killed where.
//!
//! # What a death leaves behind
//!
//! * before `version`: anything at all in the copy that does not count, and in `differing`. The lock's
//!   next holder makes `differing` name all elements, so that the next change takes all of them over.
//! * after it: the new list. `differing` is right, but the next holder cannot know, and does the same.

mod change;
mod copies;
mod guard;
mod iter;

use std::fmt;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::error::{LockError, ObjectError};
use crate::layout;
use crate::raw::bytes;
use crate::raw::waiting::{tells_holder, waits};
use crate::segment::Segment;
use crate::segment::object::{Mechanics, Misfit, ObjectKind};
use crate::segment::region::{Elements, Extent, Located};
use crate::shared::Shared;
use crate::sync::wait_any::awaits_lock;

pub use guard::ListGuard;
pub use iter::ListIter;

/// Elements in an order, to which any number of processes add and from which they take. Opened by name:
/// [`Segment::list`](crate::Segment::list).
///
/// ```
/// use outlive::{List, Segment};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let segment = Segment::anonymous()?;
/// let scores: List<u64> = segment.list("scores", 1000)?;
///
/// scores.extend([30, 10, 20])?; // all three or none
/// scores.insert(1, 40)?; // whole or not at all, whoever is killed when
/// scores.update(0, |score| *score += 5)?;
/// assert_eq!(scores.to_vec()?, [35, 40, 10, 20]); // as it was at one moment
///
/// let mut all = scores.lock()?; // a copy of the whole, nobody else changes it meanwhile
/// all.sort();
/// all.remove(0)?;
/// all.commit(); // all of it or nothing
///
/// for score in &scores {
///     println!("{}", score?);
/// }
/// assert_eq!((scores.pop()?, scores.get(0)?, scores.len()), (Some(40), Some(20), 2));
/// # Ok(())
/// # }
/// ```
///
/// What is handed out are copies. An index means an element only as long as nobody inserts or removes
/// one before it: what is to be done to several elements, or to one that has to be found first, is done
/// under [`lock`](Self::lock).
///
/// # Crash behaviour
///
/// Each operation takes effect as a whole or not at all, with one store: an insertion in the middle has
/// moved all elements behind it or none. A process killed before that store has changed nothing, and one
/// killed after it has changed all. Nobody waits for the dead, and readers wait for nobody: the lock that
/// a killed process held is the next one's at once. There is no error to handle. (The room for this makes
/// a list take twice the memory of its elements. The first change after a death copies all of them.)
///
/// # Memory ordering
///
/// What was written before a change is seen by whoever reads the changed list.
pub struct List<T> {
    inner: Located<layout::List>,
    copies: [Elements<T>; 2],
}

impl<T> Clone for List<T> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), ..*self }
    }
}

impl<T> fmt::Debug for List<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("List").field("place", &self.inner).finish_non_exhaustive()
    }
}

const INVALID: LockError = LockError::Corrupt { what: "an element" };
const DAMAGED: LockError = LockError::Corrupt { what: "a list's length" };

impl<T: Shared> List<T> {
    /// How many elements there is room for.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.copies[0].count()
    }

    /// How many elements there are.
    #[must_use]
    pub fn len(&self) -> usize {
        let length = self.read(|_, length| length);
        // Where even that cannot be read, it was this many a moment ago.
        length.unwrap_or_else(|_| {
            let version = self.inner.version.load(Ordering::Acquire);
            self.length_at(version).unwrap_or(self.capacity())
        })
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A copy of one element; None if there are not so many. Takes no lock, and waits for nobody; only if
    /// others change the list faster than it can be read, it takes the lock for once.
    ///
    /// # Errors
    ///
    /// [`Corrupt`](LockError::Corrupt) if bytes in the segment cannot be, and rarely those of
    /// [`lock`](Self::lock), or [`TimedOut`](LockError::TimedOut) after ten seconds in which it was
    /// overtaken and got no lock either.
    #[inline]
    pub fn get(&self, index: usize) -> Result<Option<T>, LockError> {
        self.look_at(|length| (index < length).then_some(index))
    }

    /// A copy of the first element; None if there is none.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub fn first(&self) -> Result<Option<T>, LockError> {
        self.get(0)
    }

    /// A copy of the last element; None if there is none.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub fn last(&self) -> Result<Option<T>, LockError> {
        self.look_at(|length| length.checked_sub(1))
    }

    /// The element that is chosen when the length is known.
    #[inline]
    fn look_at(&self, choose: impl Fn(usize) -> Option<usize>) -> Result<Option<T>, LockError> {
        let bits = self.read(|elements, length| {
            let index = choose(length)?;
            elements.get(index).map(|slot| slot.read())
        })?;
        bits.map(|bits| bits.check().ok_or(INVALID)).transpose()
    }

    /// Copies of all elements, as they were at one moment. Takes no lock, as [`get`](Self::get).
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub fn to_vec(&self) -> Result<Vec<T>, LockError> {
        self.snapshot()?.iter().map(|bits| bits.check().ok_or(INVALID)).collect()
    }

    /// Where the first element is that is equal to `value`; None if there is none.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub fn position(&self, value: &T) -> Result<Option<usize>, LockError>
    where
        T: PartialEq,
    {
        Ok(self.to_vec()?.iter().position(|element| element == value))
    }

    /// Whether an element is equal to `value`.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub fn contains(&self, value: &T) -> Result<bool, LockError>
    where
        T: PartialEq,
    {
        Ok(self.position(value)?.is_some())
    }

    /// Acquires the lock, sleeping until it is free, with a copy of all elements to change: to sort them,
    /// or whatever else has to be done as a whole.
    ///
    /// # Errors
    ///
    /// [`Deadlock`](LockError::Deadlock) if this thread holds it already,
    /// [`ReadOnly`](LockError::ReadOnly), [`TooManyLocks`](LockError::TooManyLocks),
    /// [`Corrupt`](LockError::Corrupt) if bytes in the segment cannot be.
    pub fn lock(&self) -> Result<ListGuard<'_, T>, LockError> {
        ListGuard::new(self.writer(self.inner.forever())?)
    }

    /// Acquires the lock if it is free.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](LockError::WouldBlock), and those of [`lock`](Self::lock).
    pub fn try_lock(&self) -> Result<ListGuard<'_, T>, LockError> {
        ListGuard::new(self.try_writer()?)
    }

    /// Acquires the lock, sleeping for at most `timeout`.
    ///
    /// # Errors
    ///
    /// [`TimedOut`](LockError::TimedOut), never before the time is up, and those of
    /// [`lock`](Self::lock).
    pub fn lock_timeout(&self, timeout: Duration) -> Result<ListGuard<'_, T>, LockError> {
        ListGuard::new(self.writer(self.inner.within(timeout))?)
    }
}

waits!(List<T>, inner);
tells_holder!(List<T>, inner.lock);
awaits_lock!(List<T>, inner.lock);

impl Segment {
    /// The [`List`] of that name, created empty with room for `capacity` elements if there is none.
    ///
    /// # Errors
    ///
    /// See [`find_or_create`](Self::find_or_create).
    pub fn list<T: Shared>(&self, name: &str, capacity: usize) -> Result<List<T>, ObjectError> {
        self.find_or_create(name, capacity)
    }
}

const ELEMENTS: usize = size_of::<layout::List>();

/// From one copy to the other.
fn copy_size<T>(capacity: usize) -> Option<usize> {
    bytes::packed_stride::<T>().checked_mul(capacity)?.checked_next_multiple_of(64)
}

#[allow(private_interfaces)] // sealed
impl<T: Shared> Mechanics for List<T> {
    type Init = usize;

    const KIND: ObjectKind = ObjectKind::List;
    const TYPE_TAG: u64 = T::TYPE_TAG;

    fn describe(f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("List<")?;
        T::describe(f)?;
        f.write_str(">")
    }

    fn size(&capacity: &usize) -> Result<u64, &'static str> {
        bytes::check_alignment::<T>()?;
        if capacity == 0 {
            return Err("a list needs room for at least one element");
        }
        // `differing` holds two indices in one word.
        u32::try_from(capacity).map_err(|_| "a list has at most 4294967295 elements")?;
        copy_size::<T>(capacity)
            .and_then(|size| size.checked_mul(2)?.checked_add(ELEMENTS))
            .map(|size| size as u64)
            .ok_or("its capacity is too large to be addressed")
    }

    fn initialise(extent: &Extent, capacity: usize) -> Option<()> {
        let head = extent.head::<layout::List>()?;
        head.lock.reset();
        head.version.store(0, Ordering::Relaxed);
        head.lengths.iter().for_each(|length| length.store(0, Ordering::Relaxed));
        head.differing.store(0, Ordering::Relaxed);
        head.capacity.store(capacity as u64, Ordering::Relaxed);
        Some(())
    }

    fn attach(extent: &Extent) -> Result<Self, &'static str> {
        const WRONG: &str = "its capacity is not that of its memory";
        let inner: Located<layout::List> = extent.head().ok_or("it is too small for a list")?;
        let capacity = u32::try_from(inner.capacity.load(Ordering::Relaxed)).ok();
        let capacity = capacity.filter(|capacity| *capacity > 0).ok_or(WRONG)? as usize;
        let size = copy_size::<T>(capacity).ok_or(WRONG)?;
        let copy = |offset| extent.elements(offset, capacity).ok_or(WRONG);
        let copies = [copy(ELEMENTS)?, copy(ELEMENTS.checked_add(size).ok_or(WRONG)?)?];
        Ok(Self { inner, copies })
    }

    fn fits(&self, &capacity: &usize) -> Result<(), Misfit> {
        let (found, wanted) = (self.capacity() as u64, capacity as u64);
        if found == wanted { Ok(()) } else { Err(("capacity", found, wanted)) }
    }
}
