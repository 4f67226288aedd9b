//! `RwLock<T>`.

mod death;
pub(crate) mod driver;
mod errors;
pub(crate) mod fork;
mod readers;
mod upgrade;
pub(crate) mod writers;
