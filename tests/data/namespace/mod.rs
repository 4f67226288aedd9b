//! `Namespace`.

pub(crate) mod kills;
mod operations;
#[cfg(feature = "serde")]
mod typed;
