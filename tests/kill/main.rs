//! The kill matrix: a process is killed at every machine instruction of an operation, and the
//! others have to carry on.
//!
//! For each case (an operation on a primitive) and situation, a process is single-stepped through
//! the operation under ptrace(2), killed at its Nth instruction, and the survivors' contract is
//! checked: within a deadline, nothing committed lost or doubled, nothing torn, nothing leaked, a
//! thousand more operations, a new process can attach. Nothing in the library is instrumented.
//!
//! ```text
//! cargo test --release --test kill                  # a spread of each operation
//! cargo test --release --test kill -- --full        # every instruction
//! cargo test --release --test kill -- --full --write docs/kill-matrix.md
//! cargo test --release --test kill -- --case mutex-unlock --situation alone --at 17
//! cargo test --release --test kill -- --help
//! ```
//!
//! A new primitive adds a file to `cases/`.

#[cfg(target_arch = "x86_64")]
mod actor;
#[cfg(target_arch = "x86_64")]
mod args;
#[cfg(target_arch = "x86_64")]
mod case;
#[cfg(target_arch = "x86_64")]
mod cases;
#[cfg(target_arch = "x86_64")]
mod group;
#[cfg(target_arch = "x86_64")]
mod path;
#[cfg(target_arch = "x86_64")]
mod report;
#[cfg(target_arch = "x86_64")]
mod round;
#[cfg(target_arch = "x86_64")]
mod source;
#[cfg(target_arch = "x86_64")]
mod supervise;
#[cfg(target_arch = "x86_64")]
mod table;
#[cfg(target_arch = "x86_64")]
mod tracee;
#[cfg(target_arch = "x86_64")]
mod worker;

/// The argument of a process that does nothing: what a victim executes.
#[cfg(target_arch = "x86_64")]
const IDLE: &str = "--idle";

#[cfg(target_arch = "x86_64")]
fn main() -> std::process::ExitCode {
    use std::process::ExitCode;

    if std::env::args().nth(1).as_deref() == Some(IDLE) {
        loop {
            std::thread::park();
        }
    }
    let args = match args::Args::parse() {
        Ok(args) => args,
        Err(wrong) => {
            eprintln!("{wrong}\n\n{}", args::USAGE);
            return ExitCode::from(2);
        }
    };
    let cases = cases::all();
    if args.list {
        // As `cargo test -- --list` expects it.
        cases.iter().for_each(|case| println!("{}: test", case.name));
        return ExitCode::SUCCESS;
    }
    if args.worker {
        let case = cases.iter().find(|case| args.wants(case.name)).expect("a case");
        worker::work(case, args.situation.expect("a situation"), &args);
        return ExitCode::SUCCESS;
    }
    if let Some(unknown) = args.case.as_ref().filter(|name| cases.iter().all(|c| c.name != **name))
    {
        eprintln!("there is no case {unknown}: --list shows them");
        return ExitCode::from(2);
    }
    if !cases.iter().any(|case| args.wants(case.name)) {
        return ExitCode::SUCCESS; // the filter was for another test binary
    }
    if supervise::supervise(&cases, &args) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Single-stepping ends every pair of load-linked and store-conditional instructions of others.
#[cfg(not(target_arch = "x86_64"))]
fn main() {
    println!("the kill matrix steps through x86-64 instructions only");
}
