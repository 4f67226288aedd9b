//! `Service`.

mod close;
mod damage;
pub(crate) mod deaths;
pub(crate) mod driver;
mod errors;
pub(crate) mod forks;
mod operations;
#[cfg(feature = "serde")]
mod typed;
mod waiting;
