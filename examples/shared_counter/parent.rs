//! The process that creates the segment, starts the workers and watches over them.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use outlive::Segment;

use crate::board::Board;
use crate::cli::Arguments;
use crate::crew::Crew;
use crate::progress::Progress;
use crate::report::Report;
use crate::roster::Members;
use crate::saboteur::Saboteur;
use crate::tally::Snapshot;
use crate::{Result, interrupt};

/// How often the parent looks when nobody has news.
const GLANCE: Duration = Duration::from_millis(10);
/// The same when it has to strike in time.
const WATCHFUL: Duration = Duration::from_micros(50);

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    interrupt::watch()?;
    let removed = Segment::gc()?;
    let (segment, board) = Board::create(arguments.lock(), &arguments.targets())?;
    let _removal = Removal(&segment);
    let name = segment.name().unwrap_or_default();
    let parent = board.roster.parent()?;
    let _alive = parent.begin()?;
    board.publish(&segment)?;
    introduce(arguments, name, &removed)?;
    let seed = arguments.kill.then(|| arguments.seed());
    let crew = Crew::start(name, arguments.processes as usize, arguments.kill)?;
    let mut demo = Demo { arguments, board: &board, crew };
    let Some(end) = demo.count(seed)? else {
        eprintln!("Interrupted: the workers are stopped, and the segment is removed.");
        return Ok(ExitCode::from(interrupt::STATUS));
    };
    if !demo.crew.finish(arguments.timeout())? {
        return Err("a worker has counted but does not end".into());
    }
    let report = demo.report(name, seed, &end);
    report.print(arguments.json)?;
    Ok(if report.consistent { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Removes the segment's name at the end. The last process to leave would do so, but that may be a
/// joiner in another terminal.
struct Removal<'a>(&'a Segment);

impl Drop for Removal<'_> {
    fn drop(&mut self) {
        if let Some(name) = self.0.name() {
            let _removed = Segment::unlink(name);
        }
    }
}

fn introduce(arguments: &Arguments, name: &str, removed: &[String]) -> Result<()> {
    let join = format!("cargo run --release --example shared_counter -- --attach {name}");
    if arguments.json {
        if arguments.joiners > 0 {
            eprintln!("Waiting for {} more to join: {join}", arguments.joiners);
        }
        return Ok(());
    }
    let Arguments { processes, increments, .. } = arguments;
    match removed {
        [] => {}
        [name] => crate::say!("Removed {name}, left by a program that was killed.\n"),
        [name, rest @ ..] => crate::say!(
            "Removed {name} and {} more segments, left by programs that were killed.\n",
            rest.len()
        ),
    }
    let who =
        if *processes == 1 { "1 process has" } else { &format!("{processes} processes share") };
    crate::say!("{who} one counter; each counts it up {increments} times.\n");
    crate::say!("Segment:    {name}");
    crate::say!("Join in:    {join}");
    if arguments.joiners > 0 {
        crate::say!(
            "            (the counting starts when {} of those have joined)",
            arguments.joiners
        );
    } else {
        crate::say!(
            "            (in a second terminal; --joiners 1 here makes the demo wait for it)"
        );
    }
    crate::say!("Lock:       {}", arguments.lock().explanation().replace('\n', "\n            "));
    if arguments.kill {
        crate::say!(
            "Kill:       workers get SIGKILL in the middle of their work and are restarted"
        );
    }
    Ok(())
}

struct Demo<'a> {
    arguments: &'a Arguments,
    board: &'a Board,
    crew: Crew,
}

/// How it stood when everybody was done.
struct End {
    snapshot: Snapshot,
    members: Members,
    duration: Duration,
}

impl Demo<'_> {
    /// None after Ctrl-C.
    fn count(&mut self, seed: Option<u64>) -> Result<Option<End>> {
        if !self.await_everybody()? {
            return Ok(None);
        }
        if !self.arguments.json {
            crate::say!("\nCounting.");
        }
        let mut progress = Progress::new(self.arguments.json);
        let began = Instant::now();
        self.board.start.set()?;
        let end = self.supervise(seed, began, &mut progress);
        progress.finish();
        end
    }

    /// Waits until all workers, and as many joiners as wanted, are at the start. False after Ctrl-C.
    fn await_everybody(&mut self) -> Result<bool> {
        let Arguments { processes, joiners, .. } = *self.arguments;
        let wanted = processes + joiners;
        let mut patience = Patience::new(self.arguments.timeout());
        loop {
            if interrupt::happened() {
                return Ok(false);
            }
            let ready = self.board.ready()?;
            if ready >= wanted {
                return Ok(true);
            }
            if let Some(snapshot) = self.board.tally.snapshot()? {
                self.crew.look_after(&snapshot, self.board.roster.members()?.targets())?;
            }
            if !patience.lasts(u64::from(ready)) {
                return Err(format!(
                    "only {ready} of {wanted} processes are at the start, and nothing has moved for \
                     {} s (--timeout)",
                    self.arguments.timeout().as_secs()
                )
                .into());
            }
            self.board.news.wait_timeout(GLANCE)?;
        }
    }

    /// None after Ctrl-C.
    fn supervise(
        &mut self,
        seed: Option<u64>,
        began: Instant,
        progress: &mut Progress,
    ) -> Result<Option<End>> {
        let Arguments { processes, increments, .. } = *self.arguments;
        let additions = u64::from(processes) * increments;
        let mut saboteur = seed.map(|seed| Saboteur::new(seed, processes, additions));
        let glance = if saboteur.is_some() { WATCHFUL } else { GLANCE };
        let mut patience = Patience::new(self.arguments.timeout());
        let mut last = None;
        loop {
            if interrupt::happened() {
                return Ok(None);
            }
            // The members first: whoever joins after that is not done, and close() notices.
            let members = self.board.roster.members()?;
            if let Some(snapshot) = self.board.tally.snapshot()? {
                let duration = began.elapsed();
                self.crew.look_after(&snapshot, members.targets())?;
                progress.show(&snapshot, members.targets());
                if self.is_complete(&snapshot, &members)? {
                    // A joiner that died may have counted after the snapshot was made.
                    if self.board.roster.close(&members)?
                        && let Some(snapshot) = self.board.tally.snapshot()?
                    {
                        return Ok(Some(End { snapshot, members, duration }));
                    }
                    continue;
                }
                if let Some(saboteur) = &mut saboteur
                    && saboteur.is_due(snapshot.sum())
                {
                    let candidates = self.crew.at_work(&snapshot, members.targets());
                    if let Some(victim) = saboteur.choose(&candidates) {
                        self.crew.kill(victim)?;
                        continue;
                    }
                }
                last = Some(snapshot);
            }
            if !patience.lasts(last.map_or(0, |snapshot| snapshot.sum())) {
                return Err(self.stalled(last, &members).into());
            }
            self.board.news.wait_timeout(glance)?;
        }
    }

    /// Whether all workers have reached their targets, and all joiners that live theirs.
    fn is_complete(&self, snapshot: &Snapshot, members: &Members) -> Result<bool> {
        for (slot, target) in members.targets().iter().enumerate() {
            if snapshot.counts[slot] < *target
                && (slot < self.arguments.processes as usize
                    || !self.board.roster.joiner(slot)?.is_over())
            {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn stalled(&self, last: Option<Snapshot>, members: &Members) -> String {
        let seconds = self.arguments.timeout().as_secs();
        let Some(last) = last else {
            return format!("the lock was never free for {seconds} s (--timeout): someone hangs");
        };
        let behind = members.targets().iter().zip(last.counts).enumerate();
        let behind = behind
            .filter(|(_, (target, count))| count < target)
            .map(|(slot, (target, count))| format!("worker {} ({count} of {target})", slot + 1));
        let names: Vec<_> = behind.collect();
        format!("nothing has moved for {seconds} s (--timeout); not done: {}", names.join(", "))
    }

    fn report(&self, name: &str, seed: Option<u64>, end: &End) -> Report {
        let processes = self.arguments.processes;
        let End { snapshot, members, duration } = end;
        let mut joined_died = 0;
        let mut expected = 0;
        for (slot, (target, count)) in members.targets().iter().zip(snapshot.counts).enumerate() {
            let died = slot >= processes as usize && count < *target;
            joined_died += usize::from(died);
            // Of a joiner that died, what it did counts.
            expected += if died { count } else { *target };
        }
        let (total, sum) = (snapshot.total, snapshot.sum());
        Report {
            segment: name.to_owned(),
            processes,
            increments: self.arguments.increments,
            lock: self.board.lock.name(),
            expected,
            total,
            lost: expected.cast_signed().wrapping_sub(total.cast_signed()),
            sum,
            joined: members.targets().len() - processes as usize,
            joined_died,
            killed: self.crew.killed,
            seed,
            repairs: snapshot.repairs,
            seconds: duration.as_micros() as f64 / 1e6,
            ns_per_increment: (duration.as_nanos() as f64 * 100.0 / sum.max(1) as f64).round()
                / 100.0,
            consistent: total == expected && sum == expected,
        }
    }
}

/// Runs out when a number does not change for a time.
struct Patience {
    limit: Duration,
    seen: u64,
    since: Instant,
}

impl Patience {
    fn new(limit: Duration) -> Self {
        Self { limit, seen: 0, since: Instant::now() }
    }

    fn lasts(&mut self, number: u64) -> bool {
        if number != self.seen {
            (self.seen, self.since) = (number, Instant::now());
        }
        self.since.elapsed() < self.limit
    }
}
