//! How the demos of processes behave towards who calls them.

use std::process::{Command, Output, Stdio};

use crate::{example, support};

/// Each with arguments that keep it short.
const DEMOS: [(&str, &[&str]); 11] = [
    ("factorial", &["--number", "20", "--rounds", "1", "--chart", "/dev/null"]),
    ("fetch_pages", &["--pages", "2", "--delay", "0"]),
    ("killed_worker", &[]),
    ("pi", &["--millions", "1"]),
    ("pipe", &[]),
    ("pool", &[]),
    ("process", &[]),
    ("producer_consumer", &["--items", "2"]),
    ("resize_images", &["--images", "2", "--width", "16"]),
    ("shared_map", &["--times", "1"]),
    ("task_queue", &["--tasks", "2"]),
];

fn run(name: &str, arguments: &[&str]) -> Output {
    support::watchdog();
    let mut command = Command::new(example(name));
    command.args(arguments).stdin(Stdio::null()).output().expect("run the example")
}

#[test]
fn they_say_what_they_are_for() {
    for (name, _) in DEMOS {
        let output = run(name, &["--help"]);
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains(&format!("Usage: {name}")), "{said}");
    }
}

#[test]
fn they_refuse_what_they_do_not_know() {
    for (name, _) in DEMOS {
        let output = run(name, &["--unheard-of"]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{name}: {said}");
        assert!(said.contains("--unheard-of") && output.stdout.is_empty(), "{name}: {said}");
    }
    let cases: [(&str, &[&str], &str); 7] = [
        ("factorial", &["--number", "0"], "0 is not in 1..="),
        ("fetch_pages", &["--workers", "33"], "33 is not in 1..=32"),
        ("pi", &["--millions", "many"], "invalid digit"),
        ("producer_consumer", &["--items", "0"], "0 is not in 1..="),
        ("resize_images", &["--width", "3"], "3 is not in 16..="),
        ("shared_map", &["--processes", "0"], "0 is not in 1..="),
        ("task_queue", &["--workers", "0"], "0 is not in 1..="),
    ];
    for (name, arguments, part) in cases {
        let output = run(name, arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{name} {arguments:?}: {said}");
        assert!(said.contains(part), "{name} {arguments:?}: {said}");
    }
}

#[test]
fn they_name_a_file_that_cannot_be_written() {
    for (name, arguments) in [
        ("factorial", &["--number", "3", "--rounds", "1", "--chart", "/proc/none/chart.svg"]),
        ("resize_images", &["--images", "1", "--width", "16", "--keep", "/proc/none/images"]),
    ] {
        let output = run(name, arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.starts_with(&format!("{name}: /proc/none/")), "{said}");
    }
}

/// As with `| head -n 0`.
#[test]
fn they_end_without_a_fuss_when_nobody_reads() {
    for (name, arguments) in DEMOS {
        support::watchdog();
        let (reader, writer) = std::io::pipe().expect("pipe");
        drop(reader);
        let mut command = Command::new(example(name));
        let output = command
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(writer)
            .stderr(Stdio::piped())
            .spawn()
            .and_then(std::process::Child::wait_with_output)
            .expect("run the example");
        assert!(output.status.success() && output.stderr.is_empty(), "{name}: {output:?}");
    }
}
