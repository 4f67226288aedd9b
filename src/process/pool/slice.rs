//! Maps over plain data, which workers read and write where they lie.

use super::Pool;
use crate::data::Array;
use crate::error::{PoolError, TaskError};
use crate::segment::Segment;
use crate::shared::Shared;

/// Ranges for each worker.
const RANGES: usize = 8;

/// All items, and which of them: from where, and how many.
type Part<T> = (Array<T>, usize, usize);

/// An array for so many elements, alone in its memory.
fn array<T: Shared>(elements: &[T]) -> Result<Option<Array<T>>, PoolError> {
    /// For the directory, and the array's own words.
    const PAGES: u64 = 8 * 4096;
    let Some(first) = elements.first() else { return Ok(None) };
    // An array takes twice its elements' room.
    let room = PAGES + 2 * size_of_val(elements) as u64;
    let segment = Segment::options().capacity(room).anonymous()?;
    let array = segment.array("elements", elements.len(), *first)?;
    array.write(0, elements)?;
    Ok(Some(array))
}

/// A worker's part: the results, in memory of their own, so that they come back as a whole or not at all.
fn results<T: Shared, U: Shared>(
    function: impl Fn(T) -> U,
    (items, start, count): Part<T>,
) -> Result<Option<Array<U>>, String> {
    let run = || {
        let mut part = vec![items.get(start)?; count];
        items.read(start, &mut part)?;
        let results: Vec<U> = part.into_iter().map(function).collect();
        array(&results)
    };
    run().map_err(|error: PoolError| error.to_string())
}

impl Pool {
    /// [`map`](Self::map) over plain data ([`Shared`]): they are copied into shared memory once, each
    /// worker reads its part there and writes its results beside it, and nothing is serialised. A task is
    /// a part of the slice.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = outlive::process::Pool::new(2)?;
    /// let samples = vec![0.25_f64; 10_000];
    /// let roots = pool.map_slice(f64::sqrt, &samples)?;
    /// assert_eq!(roots, vec![0.5; 10_000]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`map`](Self::map), where the index is the number of the part; and
    /// [`Segment`](PoolError::Segment) and [`Object`](PoolError::Object) if there is no memory for a
    /// copy, [`Result`](TaskError::Result) if there is none for results.
    ///
    /// # Crash behaviour
    ///
    /// A part whose worker died fails, or is done once more from its first element on, as
    /// [`retries`](super::PoolOptions::retries) says. Its results count as a whole.
    pub fn map_slice<F, T, U>(&self, function: F, items: &[T]) -> Result<Vec<U>, PoolError>
    where
        F: Fn(T) -> U + Copy + Send + Sync + 'static,
        T: Shared,
        U: Shared,
    {
        let Some(shared) = array(items)? else { return Ok(Vec::new()) };
        let length = items.len().div_ceil(RANGES * self.size());
        let starts = (0..items.len()).step_by(length);
        let parts = starts.map(|start| (shared.clone(), start, length.min(items.len() - start)));
        let parts: Vec<Part<T>> = parts.collect();
        // It captures what has no bytes, and so has none itself.
        let results = self.map_chunked(move |part: Part<T>| results(function, part), parts, 1)?;
        let mut all = Vec::with_capacity(items.len());
        for (index, part) in results.into_iter().enumerate() {
            let failed = |what| PoolError::Task { index, error: TaskError::Result { what } };
            if let Some(part) = part.map_err(failed)? {
                all.extend(part.to_vec()?);
            }
        }
        Ok(all)
    }
}
