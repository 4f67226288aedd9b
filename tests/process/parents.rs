//! What becomes of a process when its starter ends.

use outlive::process::{Process, ProcessHandle, current};
use outlive::{ChildProcess, Event, Queue, Reset, Segment, Value, wait_any};
use std::time::Duration;

use crate::support::{unique, watchdog};

/// Tells its id, and stays.
fn tell_and_stay(pids: Queue<u64>) {
    pids.push(std::process::id().into()).unwrap();
    loop {
        std::thread::park();
    }
}

fn pids() -> Queue<u64> {
    Segment::anonymous().unwrap().queue("pids", 8).unwrap()
}

/// The next process that has told its id.
fn next(pids: &Queue<u64>) -> ChildProcess {
    ChildProcess::from_pid(pids.pop().unwrap().try_into().unwrap()).unwrap()
}

fn has_ended(process: &ChildProcess) -> bool {
    wait_any(&[process], Some(Duration::ZERO)).unwrap().is_some()
}

#[test]
fn a_daemon_dies_with_a_parent_that_is_killed() {
    watchdog();
    let (pids, others) = (pids(), pids());
    let middle = Process::start(
        |(pids, others): (Queue<u64>, Queue<u64>)| -> () {
            let _daemon = Process::options().daemon(true).start(tell_and_stay, pids).unwrap();
            let _other = Process::start(tell_and_stay, others).unwrap();
            loop {
                std::thread::park();
            }
        },
        (pids.clone(), others.clone()),
    )
    .unwrap();
    let (daemon, other) = (next(&pids), next(&others));
    assert!(!has_ended(&daemon));
    middle.kill().unwrap();
    wait_any(&[&daemon], None).unwrap();
    assert!(!has_ended(&other), "it was not asked to");
    kill(&other);
}

fn kill(process: &ChildProcess) {
    use std::os::fd::{AsFd, AsRawFd};
    let fd = process.as_fd().as_raw_fd();
    let none = std::ptr::null::<u8>();
    // SAFETY: no details are passed.
    #[allow(unsafe_code)]
    let result = unsafe { nix::libc::syscall(nix::libc::SYS_pidfd_send_signal, fd, 9, none, 0) };
    assert_eq!(result, 0);
    wait_any(&[process], None).unwrap();
}

#[test]
fn a_daemon_dies_with_a_parent_that_returns() {
    watchdog();
    let pids = pids();
    let start = |pids: Queue<u64>| {
        let started = Process::options().daemon(true).start(tell_and_stay, pids.clone()).unwrap();
        let pid = pids.pop().unwrap();
        assert_eq!(pid, u64::from(started.pid()));
        pids.push(pid).unwrap();
    };
    let mut middle = Process::start(start, pids.clone()).unwrap();
    middle.join().unwrap();
    // It may have ended before this could look.
    if let Ok(daemon) = ChildProcess::from_pid(pids.pop().unwrap().try_into().unwrap()) {
        wait_any(&[&daemon], None).unwrap();
    }
}

#[test]
fn a_parent_that_is_killed_at_any_time_leaves_no_daemon() {
    watchdog();
    for round in 0..20 {
        let (pids, name) = (pids(), unique("daemons"));
        // As long as any of them lives, or is about to, somebody uses this.
        let used = Segment::create(&name).unwrap().value("used", 0_u8).unwrap();
        let middle = Process::start(
            |(pids, used): (Queue<u64>, Value<u8>)| -> () {
                let stay = |(pids, _used): (Queue<u64>, Value<u8>)| tell_and_stay(pids);
                for _ in 0..4 {
                    let options = Process::options().daemon(true);
                    options.start(stay, (pids.clone(), used.clone())).unwrap();
                }
                loop {
                    std::thread::park();
                }
            },
            (pids.clone(), used),
        )
        .unwrap();
        // While it starts them, or after that.
        for _ in 0..round % 5 {
            pids.pop().unwrap();
        }
        middle.kill().unwrap();
        middle.wait(None).unwrap();
        while Segment::open(&name).is_ok() {
            std::thread::yield_now();
        }
    }
}

#[test]
fn a_daemon_lives_on_when_the_thread_ends_that_started_it() {
    watchdog();
    let segment = Segment::anonymous().unwrap();
    let (go, done) = (
        segment.event("go", Reset::Manual).unwrap(),
        segment.event("done", Reset::Manual).unwrap(),
    );
    let run = |(go, done): (Event, Event)| {
        done.set().unwrap();
        go.wait().unwrap();
        current().daemon
    };
    let arguments = (go.clone(), done.clone());
    let thread =
        std::thread::spawn(move || Process::options().daemon(true).start(run, arguments).unwrap());
    let mut process = thread.join().unwrap();
    done.wait().unwrap();
    go.set().unwrap();
    assert_eq!(process.join(), Ok(true));
}

#[test]
fn one_whose_starter_is_gone_has_nobody_to_tell_and_ends_all_the_same() {
    watchdog();
    let segment = Segment::anonymous().unwrap();
    let go = segment.event("go", Reset::Manual).unwrap();
    let ids = pids();
    let middle = Process::start(
        |(ids, go): (Queue<u64>, Event)| {
            let run = |(ids, go): (Queue<u64>, Event)| {
                ids.push(std::process::id().into()).unwrap();
                go.wait().unwrap();
                vec![7_u8; 1 << 20]
            };
            Process::start(run, (ids, go)).unwrap().join().map(drop).unwrap();
        },
        (ids.clone(), go.clone()),
    )
    .unwrap();
    let orphan = next(&ids);
    middle.kill().unwrap();
    middle.wait(None).unwrap();
    go.set().unwrap();
    wait_any(&[&orphan], None).unwrap();
}

#[test]
fn one_thread_kills_what_another_one_joins() {
    watchdog();
    let ids = pids();
    let mut process = Process::start(tell_and_stay, ids.clone()).unwrap();
    ids.pop().unwrap();
    let handle: ProcessHandle = process.handle();
    let killer = std::thread::spawn(move || handle.kill().unwrap());
    assert!(process.join().is_err());
    killer.join().unwrap();
}
