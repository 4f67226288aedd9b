//! `List<T>`.

mod damage;
pub(crate) mod kills;
mod operations;
