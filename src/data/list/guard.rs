//! All elements, to change as a whole.

use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::thread;

use super::copies::Writer;
use crate::error::{ListError, ListInsertError, LockError};
use crate::shared::Shared;

/// A private copy of a [`List`](crate::List)'s elements to change, while nobody else can; dropping it
/// commits the changes as a whole and releases the lock. A panic that unwinds through it rolls them back.
///
/// It is a slice, to sort, reverse, swap and so on, and has what changes the number of elements.
pub struct ListGuard<'a, T: Shared> {
    writer: Writer<'a, T>,
    draft: Vec<T>,
    /// The first element that may have changed, if one may.
    changed: Option<usize>,
    panicking: bool,
    /// The lock is the thread's: not Send.
    _thread: PhantomData<*mut ()>,
}

impl<'a, T: Shared> ListGuard<'a, T> {
    pub(super) fn new(writer: Writer<'a, T>) -> Result<Self, LockError> {
        let element = |index| writer.element(index);
        let draft = (0..writer.length()?).map(element).collect::<Result<_, _>>()?;
        let panicking = thread::panicking();
        Ok(Self { writer, draft, changed: None, panicking, _thread: PhantomData })
    }

    fn touch(&mut self, index: usize) {
        self.changed = Some(self.changed.map_or(index, |first| first.min(index)));
    }

    /// Throws the changes away and releases the lock.
    pub fn rollback(mut self) {
        self.changed = None;
    }

    /// Commits the changes and releases the lock, as dropping does.
    pub fn commit(self) {}

    /// Appends an element.
    ///
    /// # Errors
    ///
    /// [`Full`](ListInsertError::Full).
    pub fn push(&mut self, value: T) -> Result<(), ListInsertError<T>> {
        self.insert(self.draft.len(), value)
    }

    /// Takes the last element; None if there is none.
    pub fn pop(&mut self) -> Option<T> {
        let value = self.draft.pop()?;
        self.touch(self.draft.len());
        Some(value)
    }

    /// Inserts an element before the one that is at `index`, or appends it if `index` is the length.
    ///
    /// # Errors
    ///
    /// [`OutOfBounds`](ListInsertError::OutOfBounds), [`Full`](ListInsertError::Full).
    pub fn insert(&mut self, index: usize, value: T) -> Result<(), ListInsertError<T>> {
        let length = self.draft.len();
        if index > length {
            return Err(ListInsertError::OutOfBounds { value, index, length });
        }
        if length >= self.writer.capacity() {
            return Err(ListInsertError::Full(value));
        }
        self.draft.insert(index, value);
        self.touch(index);
        Ok(())
    }

    /// Takes an element.
    ///
    /// # Errors
    ///
    /// [`OutOfBounds`](ListError::OutOfBounds).
    pub fn remove(&mut self, index: usize) -> Result<T, ListError> {
        let length = self.draft.len();
        if index >= length {
            return Err(ListError::OutOfBounds { index, length });
        }
        self.touch(index);
        Ok(self.draft.remove(index))
    }

    /// Removes all elements from `length` on, if there are more.
    pub fn truncate(&mut self, length: usize) {
        if length < self.draft.len() {
            self.draft.truncate(length);
            self.touch(length);
        }
    }

    /// Removes all elements.
    pub fn clear(&mut self) {
        self.truncate(0);
    }

    /// Removes the elements for which `keep` is false.
    pub fn retain(&mut self, mut keep: impl FnMut(&T) -> bool) {
        let Some(first) = self.draft.iter().position(|element| !keep(element)) else { return };
        // Before the rest: `keep` may panic, and be caught.
        self.touch(first);
        let mut index = 0;
        self.draft.retain(|element| {
            let this = index;
            index += 1;
            this < first || (this > first && keep(element))
        });
    }
}

impl<T: Shared> Deref for ListGuard<'_, T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.draft
    }
}

impl<T: Shared> DerefMut for ListGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut [T] {
        self.touch(0);
        &mut self.draft
    }
}

impl<T: Shared> Drop for ListGuard<'_, T> {
    fn drop(&mut self) {
        let panicked = !self.panicking && thread::panicking();
        // A guard that a fork copied into the child commits nothing there: the lock is the parent's.
        if let Some(first) = self.changed
            && !panicked
            && self.writer.is_mine()
        {
            let changed = self.draft.get(first..).unwrap_or_default();
            self.writer.replace(self.draft.len(), first, changed);
        }
    }
}

impl<T: Shared + fmt::Debug> fmt::Debug for ListGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.draft.fmt(f)
    }
}
