//! Maps over slices of plain data: the public side of `plain`.

use super::Pool;
use crate::error::PoolError;
use crate::shared::Shared;

impl Pool {
    /// [`map`](Self::map) over plain data ([`Shared`]): they are copied into shared memory once, workers
    /// read them there and write the results beside them, and nothing is serialised. Each worker takes
    /// one task, a run over as many items as come to it.
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
    /// Those of [`map`](Self::map), and [`Segment`](PoolError::Segment) if there is no memory for items
    /// and results.
    ///
    /// # Crash behaviour
    ///
    /// As [`map`](Self::map): results count one by one, and only the item that a worker died in fails, or
    /// is begun again.
    pub fn map_slice<F, T, U>(&self, function: F, items: &[T]) -> Result<Vec<U>, PoolError>
    where
        F: Fn(T) -> U + Copy + Send + Sync + 'static,
        T: Shared,
        U: Shared,
    {
        if items.is_empty() {
            return Ok(Vec::new());
        }
        self.map_plain(function, items)
    }
}
