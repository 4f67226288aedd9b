//! A producer and a consumer, and a sentinel that says that this was all:
//! `cargo run --release --features process --example producer_consumer`. With `-- --kill`, the producer
//! is killed when it is half done, and never says it: its death is seen at once, and said in its place.

#[path = "support/mod.rs"]
mod support;

use std::process::ExitCode;

use clap::Parser;
use outlive::process::Process;
use outlive::{ByteQueue, Event, Reset, Segment};
use support::{Result, say};

#[derive(Parser)]
#[command(about = "One process makes items, another one takes them")]
struct Arguments {
    /// How many items the producer makes.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    items: u32,
    /// Kill the producer when it has made half of them.
    #[arg(long)]
    kill: bool,
}

/// What goes through the queue: an item, or the sentinel, as Python's tutorials have it.
type Message = Option<String>;

fn produce((queue, items, halfway): (ByteQueue, u32, Option<Event>)) {
    for n in 1..=items {
        if let Some(halfway) = &halfway
            && n > items / 2
        {
            halfway.set().expect("say where it is");
            std::thread::sleep(std::time::Duration::MAX); // this process is killed here
        }
        queue.send::<Message>(&Some(format!("item {n}"))).expect("send an item");
    }
    queue.send::<Message>(&None).expect("send the sentinel");
}

fn consume(queue: ByteQueue) -> Vec<String> {
    let mut items = Vec::new();
    while let Some(item) = queue.recv::<Message>().expect("receive") {
        items.push(item);
    }
    items
}

fn demo(arguments: &Arguments) -> Result<()> {
    let segment = Segment::anonymous()?;
    let queue = segment.byte_queue("items", 4096)?;
    let halfway = segment.event("halfway", Reset::Manual)?;
    let daemon = |name| Process::options().name(name).daemon(true);

    let mut consumer = daemon("consumer").start(consume, queue.clone())?;
    let told = arguments.kill.then(|| halfway.clone());
    let work = (queue.clone(), arguments.items, told);
    let mut producer = daemon("producer").start(produce, work)?;
    if arguments.kill {
        halfway.wait()?;
        producer.kill()?;
    }
    match producer.join() {
        Ok(()) => say!("the producer made {} items, and said that this was all", arguments.items),
        Err(death) => {
            say!("{death}");
            queue.send::<Message>(&None)?;
        }
    }
    let items = consumer.join()?;
    let count = items.len();
    say!("the consumer took {count}, in order: {}", items == in_order(count));
    if let (Some(first), Some(last)) = (items.first(), items.last()) {
        say!("from {first:?} to {last:?}");
    }
    Ok(())
}

fn in_order(count: usize) -> Vec<String> {
    (1..=count).map(|n| format!("item {n}")).collect()
}

fn main() -> ExitCode {
    support::exit(demo(&Arguments::parse()))
}
