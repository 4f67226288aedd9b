//! The factorial of 5000, four times: by one thread, by threads, by processes, and a chart of how much
//! faster they were: `cargo run --release --features process --example factorial`

#[path = "factorial/chart.rs"]
mod chart;
#[path = "support/mod.rs"]
mod support;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use num_bigint::BigUint;
use outlive::process::{Pool, cpu_count, scope};
use support::{Failure, Result, say};

#[derive(Parser)]
#[command(about = "Computes a factorial several times: one thread, threads, processes")]
struct Arguments {
    /// Of which number.
    #[arg(long, default_value_t = 5000, value_parser = clap::value_parser!(u32).range(1..=200_000))]
    number: u32,
    /// How many times, and by how many threads and processes.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=64))]
    times: u32,
    /// How often each way is measured, in turns. The median counts.
    #[arg(long, default_value_t = 11, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// Where the chart goes; beside this program, if it is not given.
    #[arg(long, value_name = "FILE")]
    chart: Option<PathBuf>,
}

fn factorial(number: u32) -> BigUint {
    (1..=number).product()
}

/// The same work, in four ways. All give as many factorials as there are numbers.
type Way<'a> = (&'static str, Box<dyn Fn(&[u32]) -> Result<Vec<BigUint>> + 'a>);

fn ways(pool: &Pool) -> Vec<Way<'_>> {
    let threads = |numbers: &[u32]| {
        std::thread::scope(|scope| {
            let started = numbers.iter().map(|number| scope.spawn(|| factorial(*number)));
            let started: Vec<_> = started.collect();
            let results = started.into_iter().map(|thread| thread.join());
            results.map(|result| result.map_err(|_| Failure::from("a thread panicked"))).collect()
        })
    };
    let processes = |numbers: &[u32]| {
        let results =
            scope(|scope| numbers.iter().try_for_each(|number| scope.start(factorial, *number)));
        Ok(results?)
    };
    vec![
        ("one thread", Box::new(|numbers| Ok(numbers.iter().copied().map(factorial).collect()))),
        ("threads", Box::new(threads)),
        ("processes", Box::new(processes)),
        ("pool", Box::new(|numbers| Ok(pool.map_chunked(factorial, numbers.to_vec(), 1)?))),
    ]
}

fn demo(arguments: &Arguments) -> Result<()> {
    let Arguments { number, times, rounds, .. } = *arguments;
    let numbers = vec![number; times as usize];
    let pool = Pool::new(times as usize)?;
    let ways = ways(&pool);
    let expected = (ways[0].1)(&numbers)?;
    say!(
        "{number}! has {} digits; {times} of them, by {times} workers",
        expected[0].to_string().len()
    );

    let mut seconds = vec![Vec::new(); ways.len()];
    for _ in 0..rounds {
        for ((name, run), seconds) in ways.iter().zip(&mut seconds) {
            let began = Instant::now();
            let results = run(&numbers)?;
            seconds.push(began.elapsed().as_secs_f64());
            if results != expected {
                return Err(format!("{name}: wrong results").into());
            }
        }
    }
    let seconds: Vec<f64> = seconds.into_iter().map(support::median).collect();
    let mut bars = Vec::new();
    for ((name, _), took) in ways.iter().zip(&seconds) {
        let faster = seconds[0] / took;
        say!("{name:10} {:9.3} ms  {faster:5.2} times as fast", took * 1e3);
        bars.push((*name, faster));
    }
    say!("(processes are started for the work, those of the pool are there already)");

    let file = match &arguments.chart {
        Some(file) => file.clone(),
        None => std::env::current_exe()?.with_file_name("factorial.svg"),
    };
    let title = format!("{number}!, {times} times, on {} processors", cpu_count());
    std::fs::write(&file, chart::svg(&title, &bars)?)
        .map_err(|error| format!("{}: {error}", file.display()))?;
    say!("the chart is in {}", file.display());
    Ok(())
}

fn main() -> ExitCode {
    support::exit(demo(&Arguments::parse()))
}
