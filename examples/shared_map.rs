//! Four processes count words into one map in shared memory:
//! `cargo run --release --features process --example shared_map`. Python has `Manager().dict()` for this,
//! a server process that is asked for each entry; here everybody reads and writes the same memory.

#[path = "support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::process::ExitCode;

use clap::Parser;
use outlive::process::scope;
use outlive::{Map, Segment, Text};
use support::{Result, say};

#[derive(Parser)]
#[command(about = "Several processes count words into one shared map")]
struct Arguments {
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=32))]
    processes: u64,
    /// How often each process counts the text.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    times: u64,
}

const TEXT: &str = "the cat and the dog and the bird saw the cat that saw the dog";

type Words = Map<Text<16>, u64>;

/// Returns how many words it has counted.
fn count((words, times): (Words, u64)) -> u64 {
    let mut counted = 0;
    for _ in 0..times {
        for word in TEXT.split(' ') {
            let word = Text::new(word).expect("a short word");
            let entry = words.entry(word).expect("the entry");
            entry.and_modify(|count| *count += 1).or_insert(1).expect("count it");
            counted += 1;
        }
    }
    counted
}

fn demo(arguments: &Arguments) -> Result<()> {
    let words: Words = Segment::anonymous()?.map("words", 100)?;
    let counted = scope(|scope| {
        for _ in 0..arguments.processes {
            scope.start(count, (words.clone(), arguments.times))?;
        }
        Ok(())
    })?;
    let found: BTreeMap<String, u64> = words
        .iter()
        .map(|entry| entry.map(|(word, count)| (word.to_string(), count)))
        .collect::<Result<_, _>>()?;
    for (word, count) in &found {
        say!("{count:8} {word}");
    }
    let (total, expected) = (found.values().sum::<u64>(), counted.iter().sum::<u64>());
    say!("{total} words, counted by {} processes; {expected} is right", arguments.processes);
    if total == expected { Ok(()) } else { Err("a word was lost: a bug".into()) }
}

fn main() -> ExitCode {
    support::exit(demo(&Arguments::parse()))
}
