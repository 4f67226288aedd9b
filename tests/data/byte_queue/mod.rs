//! `ByteQueue`.

pub(crate) mod deaths;
pub(crate) mod driver;
mod errors;
pub(crate) mod forks;
mod framing;
mod guards;
mod operations;
pub(crate) mod stress;
mod waiting;
