//! `--attach NAME`: a process that joins a running demo from elsewhere.

use std::process::ExitCode;
use std::time::Duration;

use crate::Result;
use crate::board::Board;
use crate::cli::Arguments;
use crate::report::{self, Joined};

pub(crate) fn run(name: &str, arguments: &Arguments) -> Result<ExitCode> {
    let board = Board::open(name)?;
    let target = arguments.increments;
    let say = |text: String| -> Result<()> {
        if !arguments.json {
            crate::say!("{text}");
        }
        Ok(())
    };
    let count = board.roster.join(board.lock, target, |slot| {
        say(format!("Joined {name} as worker {}, to add 1 {target} times.", slot + 1))?;
        board.report_ready(slot)?;
        let parent = board.roster.parent()?;
        while !board.start.wait_timeout(Duration::from_millis(100))? {
            if parent.is_over() {
                return Err("the demo ended before it had started to count".into());
            }
        }
        say("Counting.".to_owned())?;
        let complete = board.tally.count_up_to(slot, target, &mut || Ok(!parent.is_over()))?;
        let count = board.tally.count(slot)?;
        board.news.set()?;
        if complete { Ok(count) } else { Err(report::abandoned(count).into()) }
    })?;
    let total = board.tally.snapshot()?.map(|snapshot| snapshot.total);
    Joined { attached: name, lock: board.lock.name(), increments: target, count, total }
        .print(arguments.json)?;
    Ok(ExitCode::SUCCESS)
}
