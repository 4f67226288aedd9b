//! Changes of one element, or of several in one commit.

use super::List;
use super::copies::{Writer, move_one};
use crate::error::{ListError, ListInsertError, LockError};
use crate::raw::bytes;
use crate::shared::Shared;

/// Each operation takes effect as a whole, when it is done, and waits for the lock first. All of them
/// return [`ReadOnly`](LockError::ReadOnly), [`Deadlock`](LockError::Deadlock) if this thread holds a
/// guard, [`TooManyLocks`](LockError::TooManyLocks), and [`Corrupt`](LockError::Corrupt) if bytes in the
/// segment cannot be. Nothing was changed then.
impl<T: Shared> List<T> {
    /// Appends an element.
    ///
    /// # Errors
    ///
    /// [`Full`](ListInsertError::Full), and those of all changes.
    pub fn push(&self, value: T) -> Result<(), ListInsertError<T>> {
        self.insert_at(|length| length, &value).map_err(|error| error.with(value))
    }

    /// Inserts an element before the one that is at `index` now, or appends it if `index` is the length.
    /// Moves all elements from there on.
    ///
    /// # Errors
    ///
    /// [`OutOfBounds`](ListInsertError::OutOfBounds), [`Full`](ListInsertError::Full), and those of all
    /// changes.
    pub fn insert(&self, index: usize, value: T) -> Result<(), ListInsertError<T>> {
        self.insert_at(|_| index, &value).map_err(|error| error.with(value))
    }

    fn insert_at(
        &self,
        place: impl FnOnce(usize) -> usize,
        value: &T,
    ) -> Result<(), ListInsertError<()>> {
        let writer = self.writer(self.inner.forever())?;
        let length = writer.length()?;
        let index = place(length);
        if index > length {
            return Err(ListInsertError::OutOfBounds { value: (), index, length });
        }
        if length == self.capacity() {
            return Err(ListInsertError::Full(()));
        }
        writer.commit(length + 1, index..length + 1, |from, to| {
            (index..length).for_each(|moved| move_one(from, moved, to, moved + 1));
            if let Some(slot) = to.get(index) {
                slot.write(value);
            }
        });
        Ok(())
    }

    /// Appends all that an iterator yields, as a whole: all or none. The iterator comes to its end before
    /// the lock is taken.
    ///
    /// # Errors
    ///
    /// [`Full`](ListInsertError::Full) if there is not room for all of them, and those of all changes.
    pub fn extend(
        &self,
        values: impl IntoIterator<Item = T>,
    ) -> Result<(), ListInsertError<Vec<T>>> {
        // More than there can be room for is not collected without end.
        let most = self.capacity().saturating_add(1);
        let values: Vec<T> = values.into_iter().take(most).collect();
        self.append(&values).map_err(|error| error.with(values))
    }

    fn append(&self, values: &[T]) -> Result<(), ListInsertError<()>> {
        let writer = self.writer(self.inner.forever())?;
        let start = writer.length()?;
        let end = start.saturating_add(values.len());
        if end > self.capacity() {
            return Err(ListInsertError::Full(()));
        }
        if start < end {
            writer.replace(end, start, values);
        }
        Ok(())
    }

    /// Takes the last element; None if there is none.
    ///
    /// # Errors
    ///
    /// Those of all changes.
    pub fn pop(&self) -> Result<Option<T>, LockError> {
        let writer = self.writer(self.inner.forever())?;
        let Some(last) = writer.length()?.checked_sub(1) else { return Ok(None) };
        let value = writer.element(last)?;
        writer.shorten(last);
        Ok(Some(value))
    }

    /// Takes an element. Moves all elements behind it.
    ///
    /// # Errors
    ///
    /// [`OutOfBounds`](ListError::OutOfBounds), and those of all changes.
    pub fn remove(&self, index: usize) -> Result<T, ListError> {
        let writer = self.writer(self.inner.forever())?;
        let (value, length) = writer.checked(index)?;
        writer.commit(length - 1, index..length - 1, |from, to| {
            (index + 1..length).for_each(|moved| move_one(from, moved, to, moved - 1));
        });
        Ok(value)
    }

    /// Replaces an element, and returns the one before.
    ///
    /// # Errors
    ///
    /// [`OutOfBounds`](ListError::OutOfBounds), and those of all changes.
    pub fn set(&self, index: usize, value: T) -> Result<T, ListError> {
        self.update(index, |element| std::mem::replace(element, value))
    }

    /// Changes an element as a whole, and returns what `change` does. A panic in it leaves the old one.
    ///
    /// # Errors
    ///
    /// [`OutOfBounds`](ListError::OutOfBounds), and those of all changes; `change` was not called then.
    pub fn update<R>(
        &self,
        index: usize,
        change: impl FnOnce(&mut T) -> R,
    ) -> Result<R, ListError> {
        let writer = self.writer(self.inner.forever())?;
        let (mut value, length) = writer.checked(index)?;
        let result = change(&mut value);
        if writer.is_mine() {
            writer.replace(length, index, &[value]);
        }
        Ok(result)
    }

    /// Stores what `change` makes of an element: Ok with the one before. If it returned None, Err with the
    /// element, which stays.
    ///
    /// # Errors
    ///
    /// As [`update`](Self::update).
    pub fn fetch_update(
        &self,
        index: usize,
        change: impl FnOnce(T) -> Option<T>,
    ) -> Result<Result<T, T>, ListError> {
        let writer = self.writer(self.inner.forever())?;
        let (current, length) = writer.checked(index)?;
        let Some(new) = change(current) else { return Ok(Err(current)) };
        if writer.is_mine() {
            writer.replace(length, index, &[new]);
        }
        Ok(Ok(current))
    }

    /// Stores `new` if an element is `current`: Ok with the one before. Else Err with what it is. They are
    /// equal if their bytes are.
    ///
    /// # Errors
    ///
    /// [`OutOfBounds`](ListError::OutOfBounds), and those of all changes.
    pub fn compare_exchange(
        &self,
        index: usize,
        current: T,
        new: T,
    ) -> Result<Result<T, T>, ListError> {
        let same = |value: T| bytes::bytes_of(&value) == bytes::bytes_of(&current);
        self.fetch_update(index, |value| same(value).then_some(new))
    }

    /// Removes all elements from `length` on, also those whose bytes cannot be. Does nothing if there are
    /// no more.
    ///
    /// # Errors
    ///
    /// Those of all changes.
    pub fn truncate(&self, length: usize) -> Result<(), LockError> {
        let writer = self.writer(self.inner.forever())?;
        if length < writer.length()? {
            writer.shorten(length);
        }
        Ok(())
    }

    /// Removes all elements, also those whose bytes cannot be.
    ///
    /// # Errors
    ///
    /// Those of all changes.
    pub fn clear(&self) -> Result<(), LockError> {
        self.writer(self.inner.forever())?.shorten(0);
        Ok(())
    }

    /// Removes the elements for which `keep` is false, all at once. A panic in `keep` leaves the list as
    /// it was.
    ///
    /// # Errors
    ///
    /// Those of all changes.
    pub fn retain(&self, keep: impl FnMut(&T) -> bool) -> Result<(), LockError> {
        let mut guard = self.lock()?;
        guard.retain(keep);
        Ok(())
    }
}

impl<T: Shared> Writer<'_, T> {
    /// An element that there is, and how many there are.
    fn checked(&self, index: usize) -> Result<(T, usize), ListError> {
        let length = self.length()?;
        if index >= length {
            return Err(ListError::OutOfBounds { index, length });
        }
        Ok((self.element(index)?, length))
    }

    /// Commits a list of so many elements, of which those from `start` on become `values`.
    pub(super) fn replace(&self, length: usize, start: usize, values: &[T]) {
        self.commit(length, start..start + values.len(), |_, to| {
            for (index, value) in (start..).zip(values) {
                if let Some(slot) = to.get(index) {
                    slot.write(value);
                }
            }
        });
    }

    /// Commits a list of the first elements, not more than there are.
    fn shorten(&self, length: usize) {
        self.commit(length, 0..0, |_, _| ());
    }
}
