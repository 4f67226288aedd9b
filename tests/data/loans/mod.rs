//! `LoanPool`.

mod damage;
pub(crate) mod deaths;
pub(crate) mod driver;
mod errors;
pub(crate) mod forks;
mod lost;
mod operations;
pub(crate) mod stress;
mod waiting;
