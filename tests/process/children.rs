//! The list of children, the processors they can have.

use outlive::process::{Process, active_children, cpu_count};
use outlive::{Event, Reset, Segment};

use crate::support::{self, watchdog};

fn named(name: &str) -> usize {
    active_children().iter().filter(|child| child.name() == name).count()
}

/// The letter that proc(5) gives a process's state; None if there is none.
fn state(pid: u32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.trim_start().chars().next()
}

#[test]
fn active_children_are_those_that_run() {
    watchdog();
    let name = "one of three";
    let go = Segment::anonymous().unwrap().event("go", Reset::Manual).unwrap();
    let start =
        || Process::options().name(name).start(|go: Event| go.wait().unwrap(), go.clone()).unwrap();
    let mut three = [start(), start(), start()];
    assert_eq!(named(name), 3);
    let [first, ..] = &mut three;
    first.kill().unwrap();
    first.join().unwrap_err();
    assert_eq!(named(name), 2);
    // Handles on the list are as good as any.
    for child in active_children().iter().filter(|child| child.name() == name) {
        child.terminate().unwrap();
        child.wait(None).unwrap();
    }
    assert_eq!(named(name), 0);
}

#[test]
fn no_zombies_pile_up() {
    watchdog();
    let dropped: Vec<_> = (0..5)
        .map(|n: u8| {
            let process = Process::start(|n| n, n).unwrap();
            process.wait(None).unwrap();
            // Ended, and nobody has asked for its status.
            process.pid()
        })
        .collect();
    // The next one that is started fetches them.
    let mut next = Process::start(|()| (), ()).unwrap();
    for pid in dropped {
        assert_ne!(state(pid), Some('Z'), "process {pid}");
    }
    next.join().unwrap();
    assert_ne!(state(next.pid()), Some('Z'));
    let ended = Process::start(|()| (), ()).unwrap();
    ended.wait(None).unwrap();
    assert!(!ended.is_alive());
    assert_ne!(state(ended.pid()), Some('Z'));
}

/// `process affinity`: may use one processor only.
pub(crate) fn on_one_processor(_arguments: &[String]) {
    use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
    use nix::unistd::Pid;
    let all = sched_getaffinity(Pid::from_raw(0)).unwrap();
    let first = (0..CpuSet::count()).find(|cpu| all.is_set(*cpu).unwrap()).unwrap();
    let mut one = CpuSet::new();
    one.set(first).unwrap();
    sched_setaffinity(Pid::from_raw(0), &one).unwrap();
    assert_eq!(cpu_count(), 1);
    // A process inherits it.
    assert_eq!(Process::start(|()| cpu_count(), ()).unwrap().join(), Ok(1));
}

#[test]
fn processors_that_may_not_be_used_do_not_count() {
    assert!(cpu_count() >= 1);
    support::Peer::spawn("process affinity", &[]).join();
}
