//! The demos, run as people run them.
#![allow(unsafe_code)] // prctl between fork and exec

#[path = "../support/mod.rs"]
mod support;

#[cfg(feature = "process")]
mod manners;
#[cfg(feature = "process")]
mod processes;
mod shared_counter;
#[cfg(feature = "process")]
mod tutorials;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The program that an example is.
fn example(name: &str) -> PathBuf {
    // This file is target/<profile>/deps/examples-<hash>.
    let this = std::env::current_exe().expect("current_exe");
    let profile = this.parent().and_then(Path::parent).expect("a profile directory");
    let program = profile.join("examples").join(name);
    assert!(
        program.exists(),
        "{} is missing: run `cargo build --examples` (with the profile and the features of this test)",
        program.display()
    );
    program
}

/// Runs an example, which has to succeed without a complaint: the lines that it prints.
fn lines(name: &str, arguments: &[&str]) -> Vec<String> {
    support::watchdog();
    let mut command = Command::new(example(name));
    let output = command.args(arguments).stdin(Stdio::null()).output().expect("run the example");
    let (said, errors) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let status = output.status;
    assert!(status.success() && errors.is_empty(), "{name} {arguments:?}: {status} {said}{errors}");
    said.lines().map(str::to_owned).collect()
}

/// Its child is killed in the middle of its work.
#[test]
fn the_pipe_example_sees_the_end_of_its_child() {
    for _ in 0..5 {
        let said = lines("pipe", &[]);
        assert_eq!(said.len(), 5, "{said:?}");
        assert_eq!(said[2], "the square of 3 is 9");
        assert!(said[3].contains("end of file") && said[4].contains("broken pipe"), "{said:?}");
    }
}

#[test]
fn the_loans_example_hands_frames_on_and_survives_a_kill() {
    let text = lines("loans", &[]).join("\n");
    assert!(text.contains("Read 10 frames, and was killed"), "{text}");
    assert!(text.contains("Another one has read 54 frames."), "{text}");
    assert!(text.contains("4 of 4 chunks are free, 1 came back from the dead."), "{text}");
}

#[test]
fn the_service_example_answers_everybody_and_survives_a_kill() {
    for _ in 0..5 {
        let said = lines("service", &[]);
        let expected = [
            "the first server has 42, and is killed",
            "clients that were told that their server had died: 1",
            "300 requests, each with its own reply",
        ];
        assert_eq!(said, expected);
    }
}

#[cfg(feature = "async")]
#[test]
fn the_async_example_goes_on_while_it_waits() {
    let said = lines("async_tasks", &[]);
    assert_eq!(said, ["tick 1", "tick 2", "tick 3", "the sum of 1 to 1000: 500500"]);
}
