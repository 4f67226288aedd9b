//! Handles, callbacks and progress.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use outlive::process::{Pool, PoolError, Progress};
use outlive::{Event, Reset, Segment};

use crate::support::{hush, watchdog};

fn event() -> Event {
    Segment::anonymous().unwrap().event("e", Reset::Manual).unwrap()
}

fn await_event(event: Event) -> u8 {
    event.wait().unwrap();
    7
}

#[test]
fn handles_wait_as_long_as_they_are_told() {
    watchdog();
    let (pool, go) = (Pool::new(1).unwrap(), event());
    let one = pool.apply_async(await_event, go.clone()).unwrap();
    let many = pool.map_async(await_event, vec![go.clone(), go.clone()]).unwrap();
    for timeout in [0, 1, 30].map(Duration::from_millis) {
        let began = Instant::now();
        assert_eq!(one.wait_timeout(timeout), Err(PoolError::TimedOut));
        assert_eq!(many.wait_timeout(timeout), Err(PoolError::TimedOut));
        assert!(began.elapsed() >= timeout);
    }
    assert!(!one.is_ready() && !many.is_ready());
    assert_eq!((many.progress().done, many.progress().total), (0, 2));
    go.set().unwrap();
    one.wait().unwrap();
    assert!(one.is_ready());
    assert_eq!(one.get(), Ok(7));
    assert_eq!(many.get(), Ok(vec![7, 7]));
}

#[test]
fn callbacks_hear_of_each_task_once() {
    watchdog();
    let (pool, go) = (Pool::new(2).unwrap(), event());
    let handle = pool
        .map_async(
            |(n, go): (u32, Event)| {
                go.wait().unwrap();
                if n == 0 {
                    hush();
                }
                12 / n
            },
            (0..20).map(|n| (n, go.clone())).collect::<Vec<_>>(),
        )
        .unwrap();
    let (said, heard) = mpsc::channel();
    handle.on_result(move |index, outcome| {
        said.send((index, outcome.ok().copied())).unwrap();
    });
    let (over, done) = mpsc::channel();
    handle.on_done(move || over.send(()).unwrap());
    go.set().unwrap();
    done.recv().unwrap();
    let mut all: Vec<_> = heard.try_iter().collect();
    all.sort_unstable();
    let expected = (0..20).map(|n: u32| (n as usize, 12_u32.checked_div(n)));
    assert!(all.into_iter().eq(expected));
    // Added late: told at once.
    let (said, heard) = mpsc::channel();
    handle.on_result(move |index, _| said.send(index).unwrap());
    assert!(heard.try_iter().eq(0..20));
    let (over, done) = mpsc::channel();
    handle.on_done(move || over.send(()).unwrap());
    done.try_recv().unwrap();

    let one = pool.apply_async(|n: u8| n + 1, 1).unwrap();
    let (said, heard) = mpsc::channel();
    one.on_result(move |outcome| said.send(outcome.copied().unwrap()).unwrap());
    assert_eq!(heard.recv(), Ok(2));
}

#[test]
fn a_callback_that_panics_or_waits_does_no_harm() {
    watchdog();
    let pool = std::sync::Arc::new(Pool::new(1).unwrap());
    let go = event();
    let handle = pool.apply_async(await_event, go.clone()).unwrap();
    let (said, heard) = mpsc::channel();
    let inside = std::sync::Arc::clone(&pool);
    handle.on_result(move |_| {
        said.send(inside.apply(|n: u8| n, 1)).unwrap();
        panic!("a callback");
    });
    go.set().unwrap();
    assert_eq!(heard.recv().unwrap(), Err(PoolError::InCallback));
    assert_eq!(handle.get(), Ok(7));
    assert_eq!(pool.apply(|n: u8| n, 1), Ok(1));
}

#[test]
fn progress_rises_to_the_total() {
    watchdog();
    let pool = Pool::new(2).unwrap();
    let handle = pool.map_async(|n: u64| n, 0..3000).unwrap();
    let (said, heard) = mpsc::channel();
    handle.on_progress(move |progress| said.send(progress).unwrap());
    handle.wait().unwrap();
    assert_eq!((handle.progress().done, handle.progress().total), (3000, 3000));
    drop(handle);
    // The last call may be under way yet; the channel ends with it.
    let all: Vec<Progress> = heard.iter().collect();
    assert!(all.windows(2).all(|pair| pair[0].done <= pair[1].done));
    assert_eq!(all.last().unwrap().done, 3000);
    // As a progress bar shows it.
    let bar = indicatif::ProgressBar::hidden();
    let shown = bar.clone();
    let handle = pool.map_async(|n: u64| n, 0..100).unwrap();
    handle.on_progress(move |progress| {
        shown.set_length(progress.total as u64);
        shown.set_position(progress.done as u64);
    });
    let (over, done) = mpsc::channel();
    handle.on_done(move || over.send(()).unwrap());
    done.recv().unwrap();
    assert_eq!((bar.position(), bar.length()), (100, Some(100)));
}
