//! Counts primes in as many processes as there are processors, shoots one of them dead, and gets all of
//! the primes all the same: `cargo run --release --features process --example process`.

#[path = "support/mod.rs"]
mod support;

use std::error::Error;
use std::process::ExitCode;

use clap::Parser;
use outlive::process::{Process, cpu_count, current};
use outlive::{Array, Event, Queue, Reset, Segment};
use support::{Result, say};

/// Counts primes in several processes, of which one is killed
#[derive(Parser)]
struct Arguments {}

/// Numbers up to here are looked at.
const LIMIT: u64 = 2_000_000;
/// That many of them at a time.
const PART: u64 = 50_000;

/// What a worker needs: handles of shared objects are arguments like any other.
type Work = (Queue<u64>, Array<u64>, Event);

fn is_prime(n: u64) -> bool {
    n > 1 && (2..).take_while(|d| d * d <= n).all(|d| !n.is_multiple_of(d))
}

/// Takes parts until there are none; returns how many it has done.
fn count((parts, counts, begun): Work) -> Result<u64, String> {
    let text = |error: &dyn Error| format!("{}: {error}", current().name);
    let mut done = 0;
    for part in &parts {
        let part = part.map_err(|error| text(&error))?;
        let primes = (part * PART..(part + 1) * PART).filter(|n| is_prime(*n)).count();
        // Takes effect as a whole: a part is counted, or is not.
        counts.set(part as usize, primes as u64 + 1).map_err(|error| text(&error))?;
        done += 1;
        begun.set().map_err(|error| text(&error))?;
    }
    Ok(done)
}

fn main() -> ExitCode {
    let Arguments {} = Arguments::parse();
    support::exit(demo())
}

fn demo() -> Result<()> {
    let parts = LIMIT / PART;
    let segment = Segment::anonymous()?;
    let queue = segment.queue("parts", parts as usize)?;
    // Of each part: one more than its primes, or 0 if nobody has done it.
    let counts = segment.array("counts", parts as usize, 0)?;
    let work = |name: &str| -> Result<Work> {
        let begun = segment.event(name, Reset::Manual)?;
        Ok((queue.clone(), counts.clone(), begun))
    };
    for part in 0..parts {
        queue.push(part)?;
    }

    let victim = work("victim")?;
    let begun = victim.2.clone();
    let mut victim = Process::options().name("victim").daemon(true).start(count, victim)?;
    begun.wait()?;
    victim.kill()?;
    say!("{}", victim.join().unwrap_err());

    // What it had taken and not done is missing now.
    let missing: Vec<u64> = {
        let taken = parts - queue.len() as u64;
        (0..taken).filter(|part| counts.get(*part as usize) == Ok(0)).collect()
    };
    say!("it took {} parts and lost {missing:?}: once more", parts - queue.len() as u64);
    for part in missing {
        queue.push(part)?;
    }
    queue.close()?;

    let workers = (1..=cpu_count()).map(|n| {
        let name = format!("worker {n}");
        Ok(Process::options().name(&name).daemon(true).start(count, work(&name)?)?)
    });
    for mut worker in workers.collect::<Result<Vec<_>>>()? {
        let done = worker.join()??;
        say!("{} (pid {}) did {done} parts", worker.name(), worker.pid());
    }
    let total: u64 =
        counts.iter().map(|count| count.map(|count| count - 1)).sum::<Result<_, _>>()?;
    say!("there are {total} primes below {LIMIT}");
    assert_eq!(total, 148_933);
    Ok(())
}
