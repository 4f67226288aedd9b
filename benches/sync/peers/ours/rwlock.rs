//! Two words under an `RwLock`.

use outlive::{RwLock, Segment};

use super::failure;
use crate::peers::SharedPair;
use crate::support::Result;

/// The pair.
#[derive(Debug)]
pub(crate) struct RwLockPair(RwLock<[u64; 2]>);

impl RwLockPair {
    pub(crate) fn attach(segment: &str) -> Result<Self> {
        Ok(Self(Segment::open(segment)?.rwlock("pair", [0; 2])?))
    }
}

impl SharedPair for RwLockPair {
    #[inline]
    fn read(&self) -> Result<[u64; 2]> {
        Ok(*self.0.read().map_err(failure)?)
    }

    #[inline]
    fn write(&self) -> Result<()> {
        self.0.write().map_err(failure)?.iter_mut().for_each(|word| *word += 1);
        Ok(())
    }
}
