//! Values that are read and written whole.

use outlive::{Latest, Segment, Shared, Value};

use crate::peers::Cell;
use crate::support::Result;

/// A `Value`.
#[derive(Debug)]
pub(crate) struct ValueCell<const W: usize>(Value<[u64; W]>)
where
    [u64; W]: Shared;

impl<const W: usize> ValueCell<W>
where
    [u64; W]: Shared,
{
    pub(crate) fn attach(segment: &str) -> Result<Self> {
        Ok(Self(Segment::open(segment)?.value("cell", [0; W])?))
    }
}

impl<const W: usize> Cell<W> for ValueCell<W>
where
    [u64; W]: Shared,
{
    #[inline]
    fn get(&mut self) -> Result<[u64; W]> {
        Ok(self.0.get()?)
    }

    #[inline]
    fn set(&mut self, value: [u64; W]) -> Result<()> {
        Ok(self.0.set(value)?)
    }
}

/// A `Latest`.
#[derive(Debug)]
pub(crate) struct LatestCell<const W: usize>(Latest<[u64; W]>)
where
    [u64; W]: Shared;

impl<const W: usize> LatestCell<W>
where
    [u64; W]: Shared,
{
    pub(crate) fn attach(segment: &str) -> Result<Self> {
        Ok(Self(Segment::open(segment)?.latest("cell", [0; W])?))
    }
}

impl<const W: usize> Cell<W> for LatestCell<W>
where
    [u64; W]: Shared,
{
    #[inline]
    fn get(&mut self) -> Result<[u64; W]> {
        Ok(self.0.get()?)
    }

    #[inline]
    fn set(&mut self, value: [u64; W]) -> Result<()> {
        Ok(self.0.set(value)?)
    }
}
