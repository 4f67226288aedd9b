//! What the demos have in common: how they print, and how they end.
#![allow(dead_code, unused_macros, unused_imports)] // each demo uses its own part of this

use std::io::{ErrorKind, Write};
use std::process::ExitCode;

/// Whatever ends a demo early, in words.
pub(crate) type Failure = Box<dyn std::error::Error>;
pub(crate) type Result<T, E = Failure> = std::result::Result<T, E>;

/// `println!` to which a reader that has gone (`| head`) is an error rather than a panic.
macro_rules! say {
    ($($text:tt)*) => {{
        use std::io::Write;
        writeln!(std::io::stdout(), $($text)*)?;
    }};
}
pub(crate) use say;

/// What `main` returns. A reader that has seen enough is no failure.
pub(crate) fn exit(outcome: Result<()>) -> ExitCode {
    let Err(failure) = outcome else { return ExitCode::SUCCESS };
    let io = failure.downcast_ref::<std::io::Error>();
    if io.is_some_and(|error| error.kind() == ErrorKind::BrokenPipe) {
        return ExitCode::SUCCESS;
    }
    let name = std::env::args().next().unwrap_or_default();
    let name = name.rsplit('/').next().unwrap_or_default();
    // With nobody there to read that either, there is nothing to be done.
    let _said = writeln!(std::io::stderr(), "{name}: {failure}");
    ExitCode::FAILURE
}

/// The median, of at least one number.
pub(crate) fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}
