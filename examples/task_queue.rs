//! A queue of tasks, a queue of results, and workers between them:
//! `cargo run --release --features process --example task_queue`. With `-- --kill`, a worker is killed
//! with a task in its hands, which goes to another one: no result is missing.

#[path = "support/mod.rs"]
mod support;

use std::process::ExitCode;

use clap::Parser;
use outlive::process::Process;
use outlive::{Barrier, Event, PopError, Queue, Reset, Segment, Shared, TaskQueue};
use support::{Result, say};

#[derive(Parser)]
#[command(about = "Workers take numbers from one queue, and put results into another one")]
struct Arguments {
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=32))]
    workers: u64,
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    tasks: u64,
    /// Kill the first worker while it has a task.
    #[arg(long)]
    kill: bool,
}

/// A result: how many steps the Collatz sequence takes from `number` to 1.
#[derive(Clone, Copy, Shared)]
#[repr(C)]
struct Found {
    number: u64,
    steps: u64,
    worker: u64,
}

fn collatz(number: u64) -> u64 {
    let next = |n: &u64| (*n > 1).then(|| if n.is_multiple_of(2) { n / 2 } else { 3 * n + 1 });
    std::iter::successors(Some(number), next).count() as u64 - 1
}

/// What a worker does when it begins.
#[derive(Clone, serde::Serialize, serde::Deserialize)]
enum Begin {
    /// It waits until the others have started, so that each gets some of the tasks.
    Together(Barrier),
    /// It takes a task, says so, and is killed.
    ToBeKilled(Event),
}

/// A worker's number, the two queues, and how it begins.
type Work = (u64, TaskQueue<u64>, Queue<Found>, Begin);

fn work((worker, tasks, results, begin): Work) {
    if let Begin::Together(barrier) = &begin {
        barrier.wait().expect("wait for the others");
    }
    loop {
        let task = match tasks.pop() {
            Ok(task) => task,
            Err(PopError::Closed) => return, // and everything is done
            Err(error) => panic!("{error}"),
        };
        if let Begin::ToBeKilled(holding) = &begin {
            holding.set().expect("say that it has a task");
            std::thread::sleep(std::time::Duration::MAX); // this process is killed here
        }
        let found = Found { number: *task, steps: collatz(*task), worker };
        results.push(found).expect("push a result");
        task.done().expect("finish the task"); // before this, a death hands it to another worker
    }
}

fn demo(arguments: &Arguments) -> Result<()> {
    let segment = Segment::anonymous()?;
    let capacity = usize::try_from(arguments.tasks)?;
    let tasks = segment.task_queue("tasks", capacity)?;
    let results = segment.queue("results", capacity)?;
    let holding = segment.event("holding", Reset::Manual)?;
    for number in 1..=arguments.tasks {
        tasks.push(number)?;
    }
    tasks.close()?;

    let start = |worker, begin| {
        let options = Process::options().name(format!("worker {worker}")).daemon(true);
        options.start(work, (worker, tasks.clone(), results.clone(), begin))
    };
    if arguments.kill {
        let mut victim = start(0, Begin::ToBeKilled(holding.clone()))?;
        holding.wait()?;
        victim.kill()?;
        if let Err(death) = victim.join() {
            say!("{death}");
        }
    }
    let together = Begin::Together(segment.barrier("start", arguments.workers as usize)?);
    let workers = (1..=arguments.workers).map(|worker| start(worker, together.clone()));
    for mut worker in workers.collect::<Result<Vec<_>, _>>()? {
        worker.join()?;
    }

    let found: Vec<Found> = results.drain().collect::<Result<_, _>>()?;
    for worker in 1..=arguments.workers {
        let own = found.iter().filter(|found| found.worker == worker).count();
        say!("worker {worker} did {own} tasks");
    }
    say!("{} of {} results are there", found.len(), arguments.tasks);
    say!("handed out once more, after a death: {}", tasks.stats().redelivered);
    if let Some(longest) = found.iter().max_by_key(|found| (found.steps, u64::MAX - found.number)) {
        say!("the longest way to 1 is from {}: {} steps", longest.number, longest.steps);
    }
    Ok(())
}

fn main() -> ExitCode {
    support::exit(demo(&Arguments::parse()))
}
