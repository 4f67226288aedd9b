//! `shared_counter`: real processes, real kills.

use std::io::{BufRead, BufReader, Lines};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::{example, support};

/// A number of additions that nobody lives to see.
const ENDLESS: &str = "1000000000000";

fn command(arguments: &[&str]) -> Command {
    support::watchdog();
    let mut command = Command::new(example("shared_counter"));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped());
    // SAFETY: prctl is async-signal-safe.
    unsafe {
        command.pre_exec(|| {
            nix::libc::prctl(nix::libc::PR_SET_PDEATHSIG, nix::libc::SIGKILL);
            Ok(())
        });
    }
    command
}

fn run(arguments: &[&str]) -> Output {
    command(arguments).stderr(Stdio::piped()).output().expect("run the demo")
}

/// Where the segment of that name is, or was.
fn segment_file(name: &str) -> PathBuf {
    Path::new("/dev/shm").join(name)
}

/// The one line of JSON of a demo that has ended, whose segment has to be gone.
fn result(output: &Output) -> Value {
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(text.lines().count(), 1, "one line of JSON: {output:?}");
    let json: Value = serde_json::from_str(&text).expect("JSON");
    let name = json["segment"].as_str().expect("the segment's name");
    assert!(!segment_file(name).exists(), "{name} was left behind");
    json
}

fn number(json: &Value, key: &str) -> i64 {
    json[key].as_i64().unwrap_or_else(|| panic!("{key} in {json}"))
}

/// Runs the demo, which has to come to the right result.
fn run_well(arguments: &[&str]) -> Value {
    let output = run(&[arguments, &["--json"]].concat());
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    assert!(output.stderr.is_empty(), "{arguments:?}: {output:?}");
    let json = result(&output);
    assert_right(&json);
    json
}

fn assert_right(json: &Value) {
    let expected = number(json, "expected");
    assert_eq!(number(json, "final"), expected, "{json}");
    assert_eq!(number(json, "sum"), expected, "{json}");
    assert_eq!(number(json, "lost"), 0, "{json}");
    assert_eq!(json["consistent"], true, "{json}");
}

/// A demo that runs.
struct Demo {
    child: Child,
    output: Lines<BufReader<ChildStdout>>,
}

impl Demo {
    fn start(arguments: &[&str]) -> Self {
        let mut child = command(arguments).stderr(Stdio::piped()).spawn().expect("spawn");
        let output = BufReader::new(child.stdout.take().expect("stdout")).lines();
        Self { child, output }
    }

    fn segment(&self) -> String {
        format!("shared-counter-{}", self.child.id())
    }

    /// The rest of the first line that begins like that.
    fn hear(&mut self, start: &str) -> String {
        loop {
            let line = self.output.next().expect("the demo ended early").expect("read");
            if let Some(rest) = line.strip_prefix(start) {
                return rest.trim().to_owned();
            }
        }
    }

    /// Reads up to the line that says that everybody counts.
    fn hear_counting(&mut self) {
        self.hear("Counting.");
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).expect("kill");
    }

    /// The workers that it has started, as soon as there are some.
    fn workers(&self) -> Vec<Pid> {
        let pid = self.child.id();
        let file = format!("/proc/{pid}/task/{pid}/children");
        loop {
            let children = std::fs::read_to_string(&file).expect("the demo ended early");
            if !children.is_empty() {
                let pid = |text: &str| Pid::from_raw(text.parse().expect("a process id"));
                return children.split_whitespace().map(pid).collect();
            }
            thread::yield_now();
        }
    }

    /// Waits for its end: the exit status, and what it said on stderr.
    fn wait(mut self) -> (Option<i32>, String) {
        while let Some(Ok(_)) = self.output.next() {}
        let output = self.child.wait_with_output().expect("wait");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

#[test]
fn every_safe_lock_counts_right_with_1_2_4_and_8_processes() {
    for lock in ["value", "mutex", "atomic"] {
        for processes in ["1", "2", "4", "8"] {
            let json =
                run_well(&["--lock", lock, "--processes", processes, "--increments", "2000"]);
            assert_eq!(json["lock"], lock);
            assert_eq!(number(&json, "processes").to_string(), processes);
            assert_eq!(number(&json, "increments"), 2000);
            assert_eq!(number(&json, "final"), number(&json, "processes") * 2000);
            assert_eq!(number(&json, "killed"), 0);
            assert!(json["ns_per_increment"].as_f64().expect("a number") > 0.0, "{json}");
        }
    }
}

#[test]
fn the_result_is_right_ten_times_in_a_row() {
    for lock in ["value", "mutex", "atomic"] {
        for _ in 0..10 {
            let json = run_well(&["--lock", lock, "--increments", "5000"]);
            assert_eq!(number(&json, "final"), 20_000);
        }
    }
}

/// Kills come when the parent gets to it: counts until enough have hit.
fn survives_kills(lock: &str) {
    let mut killed = 0;
    while killed < 16 {
        let json = run_well(&["--lock", lock, "--kill", "--increments", "50000"]);
        assert_eq!(number(&json, "final"), 200_000);
        killed += number(&json, "killed");
    }
}

#[test]
fn killed_workers_lose_nothing_with_a_value() {
    survives_kills("value");
}

#[test]
fn killed_workers_lose_nothing_with_a_mutex() {
    survives_kills("mutex");
}

#[test]
fn killed_workers_lose_nothing_without_a_lock() {
    survives_kills("atomic");
}

#[test]
fn a_worker_killed_from_outside_is_replaced() {
    let mut demo = Demo::start(&["--joiners", "1", "--increments", "3000"]);
    demo.hear("Segment:");
    // Before the start, so that it cannot have finished.
    kill(demo.workers()[0], Signal::SIGKILL).expect("kill");
    let joined = run(&["--attach", &demo.segment(), "--increments", "1", "--json"]);
    assert!(joined.status.success(), "{joined:?}");
    assert!(demo.hear("Killed:").starts_with("1 "));
    assert_eq!(demo.hear("Expected:"), "12001");
    assert_eq!(demo.hear("Final:"), "12001");
    assert_eq!(demo.wait().0, Some(0));
}

#[test]
fn without_a_lock_the_exit_status_tells_whether_updates_were_lost() {
    for more in [&["--increments", "20000"][..], &["--increments", "20000", "--kill"]] {
        let output = run(&[&["--lock", "none", "--json"], more].concat());
        let json = result(&output);
        assert_eq!(number(&json, "sum"), number(&json, "expected"), "{json}");
        let lost = number(&json, "expected") - number(&json, "final");
        assert_eq!(number(&json, "lost"), lost, "{json}");
        assert_eq!(json["consistent"], lost == 0, "{json}");
        assert_eq!(output.status.code(), Some(i32::from(lost != 0)), "{json}");
    }
}

#[test]
fn two_demos_at_once_do_not_disturb_each_other() {
    let plain = Demo::start(&["--increments", "30000", "--processes", "2"]);
    let other = Demo::start(&["--increments", "20000", "--kill", "--lock", "mutex"]);
    for (mut demo, expected) in [(plain, "60000"), (other, "80000")] {
        let file = segment_file(&demo.segment());
        assert_eq!(demo.hear("Expected:"), expected);
        assert_eq!(demo.hear("Final:"), expected);
        assert_eq!(demo.wait().0, Some(0));
        assert!(!file.exists());
    }
}

#[test]
fn a_process_that_attaches_counts_too() {
    for (lock, more) in [("value", &[][..]), ("mutex", &["--kill"]), ("atomic", &["--kill"])] {
        let arguments =
            [&["--joiners", "2", "--increments", "5000", "--lock", lock], more].concat();
        let mut demo = Demo::start(&arguments);
        let name = demo.hear("Segment:");
        let first = Demo::start(&["--attach", &name, "--increments", "700"]);
        let second = run(&["--attach", &name, "--increments", "77", "--json"]);
        let json: Value = serde_json::from_slice(&second.stdout).expect("JSON");
        assert_eq!((number(&json, "count"), json["lock"].as_str()), (77, Some(lock)));
        assert_eq!(first.wait().0, Some(0));
        assert_eq!(demo.hear("Expected:"), "20777");
        assert_eq!(demo.hear("Final:"), "20777");
        assert_eq!(demo.wait().0, Some(0));
        assert!(!segment_file(&name).exists());
    }
}

#[test]
fn nobody_waits_for_a_joiner_that_was_killed() {
    let mut demo = Demo::start(&["--joiners", "1", "--increments", "1000"]);
    let name = demo.hear("Segment:");
    let mut joiner = Demo::start(&["--attach", &name, "--increments", ENDLESS]);
    joiner.hear_counting();
    joiner.signal(Signal::SIGKILL);
    assert_eq!(joiner.wait().0, None);
    assert_eq!(demo.hear("Joined:"), "1, of which 1 died");
    // What it had added is in the total and is expected there.
    let expected = demo.hear("Expected:");
    assert!(expected.parse::<u64>().expect("a number") >= 4000);
    assert_eq!(demo.hear("Final:"), expected);
    assert_eq!(demo.wait().0, Some(0));
    assert!(!segment_file(&name).exists());
}

#[test]
fn a_joiner_ends_when_its_demo_is_killed() {
    let mut demo = Demo::start(&["--joiners", "1", "--increments", ENDLESS]);
    let name = demo.hear("Segment:");
    let joiner = Demo::start(&["--attach", &name, "--increments", ENDLESS]);
    demo.hear_counting();
    demo.signal(Signal::SIGKILL);
    assert_eq!(demo.wait().0, None);
    let (status, said) = joiner.wait();
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("the demo"), "{said}");
    await_removal(&name);
}

#[test]
fn an_interrupted_demo_removes_what_it_created() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let mut counting = Demo::start(&["--increments", ENDLESS, "--kill"]);
        counting.hear_counting();
        let mut waiting = Demo::start(&["--joiners", "1"]);
        waiting.hear("Segment:");
        for demo in [counting, waiting] {
            let file = segment_file(&demo.segment());
            demo.signal(signal);
            let (status, said) = demo.wait();
            assert_eq!(status, Some(130), "{said}");
            assert!(said.contains("Interrupted"), "{said}");
            assert!(!file.exists());
        }
    }
}

#[test]
fn the_next_run_removes_what_a_killed_one_left() {
    let mut demo = Demo::start(&["--increments", ENDLESS]);
    demo.hear_counting();
    let name = demo.segment();
    assert!(segment_file(&name).exists());
    demo.signal(Signal::SIGKILL);
    assert_eq!(demo.wait().0, None);
    await_removal(&name);
}

/// Runs demos until what is left of another is gone: its workers die with their parent, but a moment
/// later, and until then the segment is in use.
fn await_removal(name: &str) {
    loop {
        run_well(&["--processes", "1", "--increments", "1"]);
        if !segment_file(name).exists() {
            return;
        }
    }
}

#[test]
fn workers_that_hang_are_reported() {
    let began = Instant::now();
    let mut demo = Demo::start(&["--increments", ENDLESS, "--processes", "2", "--timeout", "1"]);
    demo.hear_counting();
    for worker in demo.workers() {
        kill(worker, Signal::SIGSTOP).expect("kill");
    }
    let file = segment_file(&demo.segment());
    let (status, said) = demo.wait();
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("nothing has moved for 1 s"), "{said}");
    assert!(said.contains("worker 1 (") && said.contains("worker 2 ("), "{said}");
    assert!(began.elapsed() >= Duration::from_secs(1));
    assert!(!file.exists());
}

#[test]
fn wrong_arguments_are_explained() {
    let cases: [(&[&str], i32, &str); 10] = [
        (&["--processes", "0"], 2, "0 is not in 1..=32"),
        (&["--processes", "33"], 2, "33 is not in 1..=32"),
        (&["--processes", "four"], 2, "invalid digit"),
        (&["--increments", "0"], 2, "0 is not in 1..="),
        (&["--lock", "spin"], 2, "possible values: value, mutex, atomic, none"),
        (&["--processes", "30", "--joiners", "3"], 2, "only 2 are left"),
        (&["--lock", "atomic", "--kill", "--increments", "134217728"], 2, "at most 134217727"),
        (&["--attach", "x", "--kill"], 2, "cannot be used with"),
        (&["--seed", "1"], 2, "--kill"),
        (&["--attach", "shared-counter-none"], 1, "no demo runs with"),
    ];
    for (arguments, status, part) in cases {
        let output = run(arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(status), "{arguments:?}: {said}");
        assert!(said.contains(part), "{arguments:?}: {said}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
}

#[test]
fn a_segment_of_another_program_is_not_joined() {
    let name = support::unique("no-demo");
    let segment = outlive::Segment::create(&name).expect("create");
    let output = run(&["--attach", &name]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("is not one of a shared_counter"), "{said}");
    assert!(segment.objects().expect("objects").is_empty());
}
