//! `Listener`.

mod damage;
mod deaths;
pub(crate) mod driver;
mod operations;
mod waiting;
