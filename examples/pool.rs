//! Squares in a pool of processes: `cargo run --release --features process --example pool`. What happens
//! when one of them is killed shows the example `killed_worker`.

#[path = "support/mod.rs"]
mod support;

use std::process::ExitCode;

use clap::Parser;
use outlive::process::Pool;
use support::{Result, say};

/// Squares and a cube, computed by pools of 4 and of 2 processes
#[derive(Parser)]
struct Arguments {}

fn square(n: u64) -> u64 {
    n * n
}

fn cube(n: i64) -> i64 {
    n * n * n
}

fn demo() -> Result<()> {
    let mut four = Pool::new(4)?;
    say!("squares of 1 to 10, by 4 workers: {:?}", four.map(square, 1..=10)?);
    let two = Pool::new(2)?;
    say!("squares of 1 to 5, by 2 workers: {:?}", two.map(square, 1..=5)?);
    say!("the cube of 3: {}", four.apply(cube, 3)?);
    say!("2 to the power of 10: {}", four.starmap(u64::pow, [(2, 10)])?[0]);
    four.close();
    four.join()?; // the other one ends when it is dropped
    Ok(())
}

fn main() -> ExitCode {
    let Arguments {} = Arguments::parse();
    support::exit(demo())
}
