//! How processes end, and what their starters are told.

use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use outlive::process::{JoinError, Process};
use outlive::{Event, Queue, Reset, Segment, wait_any};

use crate::observe::not_before;
use crate::support::{hush, watchdog};

fn event() -> Event {
    Segment::anonymous().unwrap().event("e", Reset::Manual).unwrap()
}

/// Says that it is there, and stays.
fn stay(arrived: Event) {
    arrived.set().unwrap();
    loop {
        std::thread::park();
    }
}

#[test]
fn a_kill_is_told_with_name_pid_and_signal() {
    watchdog();
    let arrived = event();
    let mut process = Process::options().name("victim").start(stay, arrived.clone()).unwrap();
    arrived.wait().unwrap();
    assert!(process.is_alive());
    assert_eq!(process.exit_status(), None);
    let pid = process.pid();
    process.kill().unwrap();
    let error = process.join().unwrap_err();
    assert_eq!(error, JoinError::Killed { name: "victim".to_owned(), pid, signal: 9 });
    let expected = format!("process \"victim\" (pid {pid}) was killed (signal: 9 (SIGKILL))");
    assert_eq!(error.to_string(), expected);
    assert!(!process.is_alive());
    assert_eq!(process.exit_status().unwrap().signal(), Some(9));
    // Both without effect.
    process.kill().unwrap();
    process.terminate().unwrap();
    assert!(matches!(process.join(), Err(JoinError::AlreadyJoined { .. })));
}

#[test]
fn terminate_asks_with_sigterm() {
    watchdog();
    let arrived = event();
    let mut process = Process::start(stay, arrived.clone()).unwrap();
    arrived.wait().unwrap();
    process.terminate().unwrap();
    assert!(matches!(process.join(), Err(JoinError::Killed { signal: 15, .. })));
}

#[test]
fn an_exit_is_told_with_its_code() {
    watchdog();
    let mut process = Process::start(|code: i32| -> () { std::process::exit(code) }, 7).unwrap();
    assert!(matches!(process.join(), Err(JoinError::Exited { code: 7, .. })));
    assert_eq!(process.exit_status().unwrap().code(), Some(7));
    // Also one of success: there is no result.
    let mut process = Process::start(|()| -> u8 { std::process::exit(0) }, ()).unwrap();
    assert!(matches!(process.join(), Err(JoinError::Exited { code: 0, .. })));
    let mut process = Process::start(|()| -> u8 { std::process::abort() }, ()).unwrap();
    assert!(matches!(process.join(), Err(JoinError::Killed { signal: 6, .. })));
}

#[test]
fn a_panic_is_told_with_message_and_location() {
    watchdog();
    let line = line!() + 3;
    let small = |n: u32| {
        hush();
        assert!(n > 3, "{n} is too little");
    };
    let mut process = Process::start(small, 3).unwrap();
    let Err(JoinError::Panicked { message, location, .. }) = process.join() else { panic!() };
    assert_eq!(message, "3 is too little");
    let location = location.unwrap();
    assert_eq!((location.file.as_str(), location.line), (file!(), line));
    assert!(location.column > 1);
    assert_eq!(process.exit_status().unwrap().code(), Some(101));

    let plain = |()| -> u8 {
        hush();
        panic!("plain")
    };
    let text = Process::start(plain, ()).unwrap().join().unwrap_err();
    assert!(text.to_string().contains(" panicked at ") && text.to_string().ends_with(": plain"));
    let odd = |()| -> u8 {
        hush();
        std::panic::panic_any(7_u8)
    };
    let odd = Process::start(odd, ()).unwrap().join();
    assert!(matches!(odd, Err(JoinError::Panicked { location: Some(_), .. })), "{odd:?}");
    // Carried on from a thread: the message is that of the panic, the location not one of another.
    let carried = |()| -> u8 {
        hush();
        let _caught = std::panic::catch_unwind(|| panic!("another one"));
        let ended = std::thread::spawn(|| panic!("from the thread")).join();
        std::panic::resume_unwind(ended.unwrap_err())
    };
    let carried = Process::start(carried, ());
    let Err(JoinError::Panicked { message, location, .. }) = carried.unwrap().join() else {
        panic!()
    };
    assert_eq!((message.as_str(), location), ("from the thread", None));
}

#[test]
fn panics_that_the_function_deals_with_are_its_own_business() {
    watchdog();
    let mut process = Process::start(
        |()| {
            hush();
            let caught = std::panic::catch_unwind(|| panic!("caught")).is_err();
            let thread = std::thread::spawn(|| panic!("in a thread")).join().is_err();
            caught && thread
        },
        (),
    )
    .unwrap();
    assert_eq!(process.join(), Ok(true));
}

#[test]
fn join_timeout_gives_up_no_earlier_and_can_be_repeated() {
    watchdog();
    let go = event();
    let mut process = Process::start(
        |go: Event| {
            go.wait().unwrap();
            5
        },
        go.clone(),
    )
    .unwrap();
    for timeout in [0, 1, 50].map(Duration::from_millis) {
        let early = not_before(timeout, || process.join_timeout(timeout));
        assert!(matches!(early, Err(JoinError::TimedOut { .. })));
        assert!(process.is_alive());
        assert_eq!(process.wait(Some(timeout)), Ok(false));
    }
    go.set().unwrap();
    assert_eq!(process.join_timeout(Duration::from_secs(100)), Ok(5));
    assert_eq!(process.wait(None), Ok(true));
}

#[test]
fn a_result_that_was_sent_outlives_a_kill() {
    watchdog();
    // An exit handler that never ends: the function has returned before.
    static HANGS: std::sync::OnceLock<Event> = std::sync::OnceLock::new();
    extern "C" fn hang() {
        HANGS.get().unwrap().set().unwrap();
        loop {
            std::thread::park();
        }
    }
    let hangs = event();
    let run = |hangs: Event| {
        HANGS.set(hangs).unwrap();
        // SAFETY: a function that stays.
        #[allow(unsafe_code)]
        unsafe {
            nix::libc::atexit(hang)
        };
        42
    };
    let mut process = Process::start(run, hangs.clone()).unwrap();
    let handle = process.handle();
    hangs.wait().unwrap();
    assert!(matches!(process.join_timeout(Duration::ZERO), Err(JoinError::TimedOut { .. })));
    handle.kill().unwrap();
    assert_eq!(process.join(), Ok(42));
    assert_eq!(process.exit_status().unwrap().signal(), Some(9));
}

#[test]
fn the_sentinel_is_one_of_several_things_to_wait_for() {
    watchdog();
    let segment = Segment::anonymous().unwrap();
    let queue: Queue<u64> = segment.queue("q", 4).unwrap();
    let (go, arrived) = (event(), event());
    let mut quick = Process::start(|go: Event| go.wait().unwrap(), go.clone()).unwrap();
    let staying = Process::options().kill_on_drop(true).start(stay, arrived.clone()).unwrap();
    arrived.wait().unwrap();
    let readable = queue.readable();
    let things = || [&staying as &dyn outlive::Waitable, &readable, quick.sentinel()];
    assert_eq!(wait_any(&things(), Some(Duration::from_millis(10))), Ok(None));
    queue.push(1).unwrap();
    assert_eq!(wait_any(&things(), None), Ok(Some(1)));
    queue.pop().unwrap();
    go.set().unwrap();
    assert_eq!(wait_any(&things(), None), Ok(Some(2)));
    quick.join().unwrap();
    staying.kill().unwrap();
    assert_eq!(wait_any(&[&staying, &readable], None), Ok(Some(0)));
}

#[test]
fn a_lock_that_a_killed_process_holds_goes_to_the_next() {
    watchdog();
    let segment = Segment::anonymous().unwrap();
    let (value, arrived) = (segment.value("v", 1_u64).unwrap(), event());
    let holder = Process::start(
        |(value, arrived): (outlive::Value<u64>, Event)| {
            let mut guard = value.lock().unwrap();
            *guard = 2;
            stay(arrived);
        },
        (value.clone(), arrived.clone()),
    )
    .unwrap();
    arrived.wait().unwrap();
    assert!(value.try_lock().is_err());
    holder.kill().unwrap();
    assert_eq!(*value.lock().unwrap(), 1);
}

#[test]
fn dropping_ends_it_if_asked_to() {
    watchdog();
    for (kill, signal) in [(true, Some(9)), (false, None)] {
        let (arrived, go) = (event(), event());
        let run = |(arrived, go): (Event, Event)| {
            arrived.set().unwrap();
            go.wait().unwrap();
        };
        let options = Process::options().kill_on_drop(kill);
        let process = options.start(run, (arrived.clone(), go.clone())).unwrap();
        arrived.wait().unwrap();
        let handle = process.handle();
        drop(process);
        if !kill {
            assert!(handle.is_alive());
            go.set().unwrap();
        }
        assert_eq!(handle.wait(None), Ok(true));
        assert_eq!(handle.exit_status().unwrap().signal(), signal);
    }
}
