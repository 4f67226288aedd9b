//! `TaskQueue<T>`.

mod close;
mod damage;
pub(crate) mod deaths;
pub(crate) mod driver;
mod errors;
pub(crate) mod forks;
mod join;
mod operations;
mod waiting;
