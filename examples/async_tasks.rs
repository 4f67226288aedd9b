//! Tasks of an async runtime beside processes that know nothing of it.
//!
//! ```text
//! cargo run --release --features async --example async_tasks
//! ```
//!
//! The child, a program of its own without a runtime, counts into a queue. In the parent one task of
//! tokio receives the numbers and adds them up, another one ticks meanwhile: waiting for the child
//! blocks no thread of the runtime. Any other runtime would do.

use std::process::{Command, ExitCode};
use std::time::Duration;

use outlive::{PopError, Queue, Segment};

type Result<T, E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

const NUMBERS: u64 = 1000;

fn main() -> ExitCode {
    let outcome = match std::env::args().nth(1) {
        Some(segment) => count(&segment),
        None => add_up(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("async_tasks: {error}");
            ExitCode::FAILURE
        }
    }
}

fn numbers(segment: &Segment) -> Result<Queue<u64>> {
    Ok(segment.queue("numbers", 16)?)
}

/// The child.
fn count(segment: &str) -> Result<()> {
    let numbers = numbers(&Segment::open(segment)?)?;
    for number in 1..=NUMBERS {
        numbers.push(number)?;
    }
    Ok(numbers.close()?)
}

async fn receive(numbers: &Queue<u64>) -> Result<u64, PopError> {
    let mut sum = 0;
    loop {
        match numbers.pop_async().await {
            Ok(number) => sum += number,
            Err(PopError::Closed) => return Ok(sum),
            Err(error) => return Err(error),
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn add_up() -> Result<()> {
    let name = format!("async-{}", std::process::id());
    let segment = Segment::create(&name)?;
    let numbers = numbers(&segment)?;
    // The ticks come while nothing is there to be received.
    let mut waiting = Box::pin(receive(&numbers));
    for tick in 1..=3 {
        tokio::select! {
            _ = &mut waiting => return Err("nobody has counted yet".into()),
            () = tokio::time::sleep(Duration::from_millis(10)) => println!("tick {tick}"),
        }
    }
    let mut child = Command::new(std::env::current_exe()?).arg(&name).spawn()?;
    println!("the sum of 1 to {NUMBERS}: {}", waiting.await?);
    child.wait()?;
    Ok(())
}
