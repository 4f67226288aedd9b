//! Pools: the test binary is the program that its workers run.

#[path = "../support/mod.rs"]
#[macro_use]
mod support;

mod deaths;
mod ends;
mod maps;
mod plain;
mod results;

roles! {}
