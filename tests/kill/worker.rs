//! One case in one situation: a death at each selected instruction.

use std::time::{Duration, Instant};

use crate::args::Args;
use crate::case::{Broken, Case};
use crate::path::Path;
use crate::report::{Failure, News, Report};
use crate::round::{self, Outcome, Place, Situation};
use crate::source;
use crate::tracee::start_ticking;

/// How many instructions of an operation the quick selection takes: of one that is cheap to step
/// through, and of others.
const QUICK: (usize, usize) = (12, 6);
/// What is cheap.
const SHORT: usize = 500;
/// How many repairs a full run interrupts after a death at one instruction, if they are short.
const SECOND_DEATHS: usize = 3;
/// How often news are told.
const NEWS: Duration = Duration::from_millis(200);
/// After that many failures the rest would tell nothing new.
const ENOUGH: usize = 20;

fn tell(news: &News) {
    println!("{}", serde_json::to_string(news).expect("JSON"));
}

/// A spread, always the same: the golden ratio's multiples.
fn spread(n: usize, limit: usize) -> usize {
    (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 16) % limit.max(1)
}

/// The step from one place to the next, and the places.
fn selection(args: &Args, path: &Path) -> (usize, Vec<usize>) {
    // As many places as instructions, and the one after the last.
    let places = path.len() + 1;
    let stride = match (args.at, args.full, args.stride) {
        (Some(at), ..) => return (0, vec![at]),
        (_, _, Some(stride)) => stride,
        (_, true, None) => 1,
        (_, false, None) if places < SHORT => places.div_ceil(QUICK.0),
        // It is the release build that is proven; what is not optimised takes many times as long.
        (_, false, None) if cfg!(debug_assertions) && places > 10 * SHORT => places,
        (_, false, None) => places.div_ceil(QUICK.1),
    };
    let mut chosen: Vec<usize> = (0..places).step_by(stride).collect();
    if chosen.last() != Some(&path.len()) {
        chosen.push(path.len());
    }
    (stride, chosen)
}

pub(crate) fn work(case: &Case, situation: Situation, args: &Args) {
    // With the supervisor's end, however it ends, this and all processes of the case end.
    nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL).expect("prctl");
    start_ticking();
    // Children inherit its keys, so that what they hash is the same each time.
    drop(std::collections::HashSet::from([1]));
    // So is what their exit does with the standard output.
    tell(&News::Progress(0, 1));
    let name = round::segment_name(std::process::id());
    let mut report = Report {
        case: case.name.to_owned(),
        situation: situation.name().to_owned(),
        ..Report::default()
    };
    match record(case, situation, args, &name) {
        Ok(path) => {
            report.instructions = path.len();
            run_all(case, situation, args, &name, &path, &mut report);
        }
        Err(broken) => count(&mut report, &broken, Place { n: 0, then: 0 }, String::new()),
    }
    tell(&News::Done(report));
}

/// While an operation is recorded: on a busy machine, single steps through a long one take minutes.
pub(crate) fn still_here() {
    tell(&News::Progress(0, 1));
}

fn record(case: &Case, situation: Situation, args: &Args, name: &str) -> Result<Path, Broken> {
    let mut shortest = round::record(case, situation, name)?;
    // Reading the clock starts over when it ticks, which is not what happens as a rule.
    for _ in 0..if args.full { 2 } else { 0 } {
        let again = round::record(case, situation, name)?;
        if again.len() < shortest.len() {
            shortest = again;
        }
    }
    Ok(shortest)
}

fn run_all(
    case: &Case,
    situation: Situation,
    args: &Args,
    name: &str,
    path: &Path,
    report: &mut Report,
) {
    let (every, chosen) = selection(args, path);
    report.every = every;
    let mut repair = None;
    if situation == Situation::SecondDeath {
        let place = Place { n: path.len() / 2, then: 0 };
        repair = round::run(case, situation, name, (path, None), place).repair;
    }
    // How far the second one comes: the peer through the operation, the repairer through its own.
    let reach = repair.as_ref().unwrap_or(path).len();
    let several = args.full && args.then.is_none() && round::is_short(repair.as_ref());
    let rounds = if several { SECOND_DEATHS } else { 1 };
    let mut told = Instant::now();
    let places = chosen.iter().flat_map(|n| (1..=rounds).map(move |round| (*n, round)));
    for (done, (n, round)) in places.enumerate() {
        let then = args.then.unwrap_or_else(|| spread(n * rounds + round, reach + 1));
        let place = Place { n, then };
        let Outcome { verdict, killed, .. } =
            round::run(case, situation, name, (path, repair.as_ref()), place);
        report.kills += usize::from(killed);
        match verdict {
            Ok(recovery) => {
                report.recovered += usize::from(killed);
                let recovery = recovery.as_micros() as u64;
                if recovery > report.slowest_us {
                    (report.slowest_us, report.slowest_at) = (recovery, (n, then));
                }
            }
            Err(broken) => {
                let address = path.address(n);
                count(report, &broken, place, address.map_or("the end".to_owned(), source::line));
                if report.failures.len() >= ENOUGH {
                    break;
                }
            }
        }
        if told.elapsed() > NEWS {
            tell(&News::Progress(done as u64 + 1, (chosen.len() * rounds) as u64));
            told = Instant::now();
        }
    }
}

fn count(report: &mut Report, broken: &Broken, at: Place, place: String) {
    report.count(broken.kind);
    let what = broken.what.clone();
    report.failures.push(Failure { at: at.n, then: at.then, place, what });
}
