//! `Map<K, V>`.

mod damage;
pub(crate) mod kills;
mod operations;
