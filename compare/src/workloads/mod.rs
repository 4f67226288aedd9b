//! What the parties do, over whatever carries their messages.

pub(crate) mod mpmc;
pub(crate) mod round_trip;
pub(crate) mod startup;
pub(crate) mod stream;

/// The number of the message after which nothing comes.
const LAST: u64 = u64::MAX;
