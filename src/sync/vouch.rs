//! `LockError::recover`, for every guard of data that a death can leave half-changed.

use crate::error::LockError;

/// A guard whose holder has to vouch for the data after a death. Public only because
/// [`LockError::recover`] rests on it; the module is not.
#[allow(unreachable_pub)] // sealed: out of reach
pub trait Vouch {
    /// `mark_consistent`.
    fn vouch(&mut self);
}

impl<G: Vouch> LockError<G> {
    /// For data that are whole whatever happened: vouches for them and goes on.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use outlive::{LockError, Segment};
    /// # let mutex = Segment::anonymous()?.mutex("m", 0_u32)?;
    /// *mutex.lock().or_else(LockError::recover)? += 1;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Every error but `OwnerDied`, without the guard that the others do not have.
    pub fn recover(self) -> Result<G, LockError> {
        let mut guard = self.into_guard()?;
        guard.vouch();
        Ok(guard)
    }
}
