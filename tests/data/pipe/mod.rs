//! `Pipe`.

mod damage;
pub(crate) mod deaths;
pub(crate) mod driver;
pub(crate) mod forks;
pub(crate) mod inherited;
mod operations;
mod roles;
mod stream;
#[cfg(feature = "serde")]
mod typed;
mod waiting;
