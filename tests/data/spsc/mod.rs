//! `Spsc<T>`.

mod chunks;
mod close;
pub(crate) mod deaths;
pub(crate) mod driver;
mod errors;
pub(crate) mod forks;
mod operations;
pub(crate) mod roles;
pub(crate) mod stream;
mod waiting;
