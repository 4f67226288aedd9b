//! Pi by throwing darts, in as many processes as there are processors:
//! `cargo run --release --features process --example pi`

#[path = "support/mod.rs"]
mod support;

use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use outlive::process::{Pool, cpu_count};
use support::{Result, say};

#[derive(Parser)]
#[command(about = "Estimates pi from random points, in several processes")]
struct Arguments {
    /// How many millions of points.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    millions: u64,
    /// As many as there are processors, if this is not given.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=256))]
    workers: Option<u64>,
    /// Of the random numbers: the same seed gives the same estimate, however many workers there are.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// The next random number (SplitMix64).
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut bits = *state;
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// How many of a million random points of a square lie in the quarter of a circle in it.
fn hits((seed, part): (u64, u64)) -> u64 {
    let mut state = seed ^ (part << 40);
    let mut coordinate = || (next(&mut state) >> 11) as f64 / (1_u64 << 53) as f64;
    let points = (0..1_000_000).filter(|_| coordinate().powi(2) + coordinate().powi(2) < 1.0);
    points.count() as u64
}

fn demo(arguments: &Arguments) -> Result<()> {
    let workers = arguments.workers.map_or(cpu_count(), |workers| workers as usize);
    let pool = Pool::new(workers)?;
    let parts = (0..arguments.millions).map(|part| (arguments.seed, part));
    let began = Instant::now();
    let inside: u64 = pool.map(hits, parts)?.iter().sum();
    let took = began.elapsed().as_secs_f64();
    let all = arguments.millions as f64 * 1e6;
    let pi = 4.0 * inside as f64 / all;
    say!("{inside} of {} million points are inside, so pi is about {pi:.6}", arguments.millions);
    // The standard error of such an estimate.
    let expected = (pi * (4.0 - pi) / all).sqrt();
    let off = (pi - std::f64::consts::PI).abs();
    say!("it is off by {off:.6}; {expected:.6} is to be expected");
    say!("{workers} workers took {took:.3} s: {:.1} million points/s", all / 1e6 / took);
    Ok(())
}

fn main() -> ExitCode {
    support::exit(demo(&Arguments::parse()))
}
