//! `Queue<T>`.

pub(crate) mod driver;
mod errors;
pub(crate) mod length;
mod operations;
pub(crate) mod stream;
pub(crate) mod stress;
mod waiting;
