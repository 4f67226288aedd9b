//! `Mutex<T>`.

pub(crate) mod death;
pub(crate) mod driver;
mod errors;
pub(crate) mod exclusion;
pub(crate) mod fork;
pub(crate) mod limits;
mod panic;
mod waiting;
