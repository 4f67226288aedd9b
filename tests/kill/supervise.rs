//! Runs the cases in worker processes, as many at once as there are cores.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader};
use std::process::Command;
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::args::Args;
use crate::case::Case;
use crate::group::{self, Group};
use crate::report::{News, Report};
use crate::round::Situation;
use crate::table::Table;

/// A worker tells something at least that often, or it hangs itself.
const PATIENCE: Duration = Duration::from_secs(60);

type Job = (usize, &'static str, Situation);

/// Returns whether all passed.
pub(crate) fn supervise(cases: &[Case], args: &Args) -> bool {
    let mut table =
        args.write.as_ref().map(|path| Table::open(path.clone(), cases).expect("read the table"));
    group::prepare();
    let mut jobs = VecDeque::new();
    for case in cases.iter().filter(|case| args.wants(case.name)) {
        for situation in Situation::ALL {
            let quick = cfg!(debug_assertions) && !args.full && args.case.is_none();
            if quick && case.heavy && situation != Situation::Alone {
                continue;
            }
            if situation.fits(case) && args.situation.is_none_or(|wanted| wanted == situation) {
                jobs.push_back((jobs.len(), case.name, situation));
            }
        }
    }
    let count = jobs.len();
    let bar = ProgressBar::new(count as u64 * 1000); // hidden unless stderr is a terminal
    bar.set_style(
        ProgressStyle::with_template("{bar:40} {percent:>3}% {elapsed}, {eta} left  {msg}")
            .expect("template"),
    );
    if !args.json && count > 0 {
        println!("{}", Report::heading());
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let jobs = Mutex::new(jobs);
    let (tell, hear) = mpsc::channel();
    let mut reports: Vec<Report> = Vec::new();
    std::thread::scope(|scope| {
        for _ in 0..args.jobs.unwrap_or(cores) {
            let (jobs, tell, bar) = (&jobs, tell.clone(), &bar);
            scope.spawn(move || {
                loop {
                    let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                    let Some(job) = job else { break };
                    let _gone = tell.send((job.0, run(job, args, bar)));
                }
            });
        }
        drop(tell);
        // In the order of the cases, whichever is ready first.
        let mut early = std::collections::BTreeMap::new();
        for (index, report) in hear {
            if let Some(table) = table.as_mut().filter(|_| !report.unfinished) {
                table.put(report.clone()).expect("write the table");
            }
            early.insert(index, report);
            while let Some(report) = early.remove(&reports.len()) {
                bar.suspend(|| show(&report, args));
                reports.push(report);
            }
        }
    });
    bar.finish_and_clear();
    if !args.json {
        println!("{}", Report::total(&reports).row());
    }
    count > 0 && reports.iter().all(Report::passed)
}

fn show(report: &Report, args: &Args) {
    if args.json {
        println!("{}", serde_json::to_string(report).expect("JSON"));
        return;
    }
    println!("{}", report.row());
    for failure in &report.failures {
        println!(
            "    {} --case {} --situation {} --at {} --then {} [{}]",
            failure.what, report.case, report.situation, failure.at, failure.then, failure.place
        );
    }
}

/// Runs a worker to its end.
fn run((_, case, situation): Job, args: &Args, bar: &ProgressBar) -> Report {
    let mut command = Command::new(std::env::current_exe().expect("current_exe"));
    command.args(["--worker", "--case", case, "--situation", situation.name()]);
    if args.full {
        command.arg("--full");
    }
    for (flag, value) in [("--at", args.at), ("--then", args.then), ("--stride", args.stride)] {
        if let Some(value) = value {
            command.args([flag, &value.to_string()]);
        }
    }
    let (group, output) = Group::start(&mut command);
    let output = BufReader::new(output);
    let (tell, hear) = mpsc::channel();
    std::thread::spawn(move || {
        for line in output.lines().map_while(Result::ok) {
            let Ok(news) = serde_json::from_str(&line) else { continue };
            if tell.send(news).is_err() {
                break;
            }
        }
    });
    bar.set_message(format!("{case} {}", situation.name()));
    let mut told = 0;
    let mut advance = |to: u64| {
        bar.inc(to.saturating_sub(told));
        told = to;
    };
    let report = loop {
        match hear.recv_timeout(PATIENCE) {
            Ok(News::Progress(done, of)) => advance(1000 * done / of.max(1)),
            Ok(News::Done(report)) => break report,
            // Neither the harness nor the survivors are to end like this.
            Err(_) => {
                let (case, situation) = (case.to_owned(), situation.name().to_owned());
                break Report { case, situation, hung: 1, unfinished: true, ..Report::default() };
            }
        }
    };
    advance(1000);
    drop(group); // nobody of it is left
    report
}
