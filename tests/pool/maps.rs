//! What a pool computes, in which order, and of what size.

use std::collections::BTreeSet;

use outlive::process::{Pool, PoolError, TaskError};
use outlive::{Counter, Segment, Value};
use serde::{Deserialize, Serialize};

use crate::support::{hush, watchdog};

fn square(n: u64) -> u64 {
    n * n
}

/// Panics if it is given a 0.
fn divide(n: u32) -> u32 {
    if n == 0 {
        hush();
    }
    12 / n
}

#[test]
fn maps_keep_the_order() {
    watchdog();
    let pool = Pool::new(4).unwrap();
    assert_eq!(pool.map(square, 1..=10).unwrap(), [1, 4, 9, 16, 25, 36, 49, 64, 81, 100]);
    assert_eq!(pool.map(square, []).unwrap(), [0_u64; 0]);
    assert_eq!(pool.size(), 4);
    let two = Pool::new(2).unwrap();
    assert_eq!(two.map(square, 1..=5).unwrap(), [1, 4, 9, 16, 25]);
    for chunk in [0, 1, 3, 100, 5000] {
        let expected: Vec<u64> = (0..1000).map(square).collect();
        assert_eq!(two.map_chunked(square, 0..1000, chunk).unwrap(), expected, "chunk {chunk}");
    }
}

#[test]
fn one_call_and_several_arguments() {
    watchdog();
    let pool = Pool::new(2).unwrap();
    assert_eq!(pool.apply(|n: i64| n * n * n, -3).unwrap(), -27);
    assert_eq!(pool.starmap(u64::pow, [(2, 3), (3, 2), (10, 0)]).unwrap(), [8, 9, 1]);
    let three = |(a, b, c): (String, u8, char)| format!("{a}{b}{c}");
    assert_eq!(pool.apply(three, ("x".to_owned(), 7, 'é')).unwrap(), "x7é");
    let handles: Vec<_> = (0..20).map(|n| pool.apply_async(square, n).unwrap()).collect();
    for (n, handle) in handles.into_iter().enumerate() {
        assert_eq!(handle.get().unwrap(), (n * n) as u64);
    }
}

#[test]
fn imap_yields_in_order_and_draws_as_it_goes() {
    watchdog();
    let pool = Pool::new(2).unwrap();
    let mut drawn = 0_u64;
    let endless = std::iter::from_fn(|| {
        drawn += 1;
        Some(drawn)
    });
    let squares: Vec<u64> =
        pool.imap(square, endless).unwrap().take(300).collect::<Result<_, _>>().unwrap();
    assert_eq!(squares, (1..=300).map(square).collect::<Vec<_>>());
    assert!(drawn < 1000, "{drawn} were drawn for 300");
    assert_eq!(pool.imap(square, 0..0).unwrap().count(), 0);
}

#[test]
fn imap_unordered_yields_each_once() {
    watchdog();
    let pool = Pool::new(3).unwrap();
    let results: Vec<u64> =
        pool.imap_unordered(square, 0..2000).unwrap().collect::<Result<_, _>>().unwrap();
    assert_eq!(results.len(), 2000);
    assert_eq!(BTreeSet::from_iter(results), (0..2000).map(square).collect());
}

#[test]
fn imap_unordered_does_not_wait_for_the_slow_one() {
    watchdog();
    let go = Segment::anonymous().unwrap().event("go", outlive::Reset::Manual).unwrap();
    let pool = Pool::new(2).unwrap();
    let tasks: Vec<_> = (0..3).map(|n: u64| (n, go.clone())).collect();
    let wait = |(n, go): (u64, outlive::Event)| {
        if n == 0 {
            go.wait().unwrap();
        }
        n
    };
    // The first one waits in one worker; the third may wait behind it.
    let mut results = pool.imap_unordered(wait, tasks).unwrap();
    let first = results.next().unwrap().unwrap();
    assert_ne!(first, 0);
    go.set().unwrap();
    assert_eq!(results.map(Result::unwrap).sum::<u64>() + first, 3);
}

#[test]
fn a_failing_task_of_an_imap_is_one_item() {
    watchdog();
    let pool = Pool::new(2).unwrap();
    let all: Vec<_> = pool.imap(divide, [3, 0, 4]).unwrap().collect();
    assert_eq!((all[0].clone(), all[2].clone()), (Ok(4), Ok(3)));
    let Err(PoolError::Task { index: 1, error: TaskError::Panicked { .. } }) = &all[1] else {
        panic!("{all:?}")
    };
}

#[test]
fn a_hundred_thousand_tasks_are_queued() {
    watchdog();
    let pool = Pool::new(2).unwrap();
    // Pairs are sent one by one, numbers are not: see `plain`.
    let pair = |n: u64| (n, n * n);
    let expected: Vec<(u64, u64)> = (0..100_000).map(pair).collect();
    assert!(pool.map(pair, 0..100_000).unwrap() == expected);
    assert!(pool.map_chunked(pair, 0..100_000, 1).unwrap() == expected);
}

#[test]
fn tasks_with_handles_are_queued_beyond_the_limit_of_descriptors() {
    watchdog();
    let (_, most) = nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE)
        .map(|(soft, hard)| (hard, soft))
        .unwrap();
    let tasks = usize::try_from(most.min(2000)).unwrap() + 100;
    let hits = Segment::anonymous().unwrap().counter("hits").unwrap();
    let pool = Pool::new(2).unwrap();
    let handles: Vec<_> = (0..tasks)
        .map(|_| pool.apply_async(|hits: Counter| hits.add(1).unwrap(), hits.clone()).unwrap())
        .collect();
    for handle in handles {
        handle.get().unwrap();
    }
    assert_eq!(hits.get(), tasks as i64);
}

#[test]
fn handles_are_arguments_and_results() {
    watchdog();
    let pool = Pool::new(3).unwrap();
    let total = Segment::anonymous().unwrap().value("total", 0_u64).unwrap();
    let add = |(total, n): (Value<u64>, u64)| total.update(|sum| *sum += n).unwrap();
    pool.map(add, (1..=100).map(|n| (total.clone(), n)).collect::<Vec<_>>()).unwrap();
    assert_eq!(total.get(), Ok(5050));
    let make = |n: u64| Segment::anonymous().unwrap().value("made", n).unwrap();
    let made = pool.map(make, 0..10).unwrap();
    for (n, value) in made.into_iter().enumerate() {
        assert_eq!(value.get(), Ok(n as u64));
    }
}

#[test]
fn long_arguments_and_results() {
    watchdog();
    let pool = Pool::new(2).unwrap();
    let reverse = |bytes: Vec<u8>| bytes.into_iter().rev().collect::<Vec<u8>>();
    for length in [0, 1000, 24_000, 24_570, 24_576, 24_580, 70_000, 10 << 20] {
        let bytes: Vec<u8> = (0..length).map(|n| (n % 251) as u8).collect();
        let mut back = pool.map(reverse, vec![bytes.clone(), bytes.clone()]).unwrap();
        back.iter_mut().for_each(|back| back.reverse());
        assert!(back == [bytes.clone(), bytes], "{length} bytes");
    }
    // More than the ring holds, in one chunk.
    let longs = pool.map_chunked(|n: u8| vec![n; 20_000], 0..100, 100).unwrap();
    assert!(longs.iter().enumerate().all(|(n, long)| *long == vec![n as u8; 20_000]));
}

#[test]
fn slices_of_plain_data() {
    watchdog();
    let pool = Pool::new(3).unwrap();
    let items: Vec<u32> = (0..10_001).collect();
    let halves = pool.map_slice(|n: u32| f64::from(n) / 2.0, &items).unwrap();
    assert_eq!(halves, items.iter().map(|n| f64::from(*n) / 2.0).collect::<Vec<_>>());
    assert_eq!(pool.map_slice(|n: u32| n, &[]).unwrap(), [0_u32; 0]);
    assert_eq!(pool.map_slice(|n: u8| n + 1, &[1, 2]).unwrap(), [2, 3]);
    let error = pool.map_slice(divide, &[1, 0]).unwrap_err();
    assert!(matches!(error, PoolError::Task { index: 1, error: TaskError::Panicked { .. } }));
}

/// Is serialised as it is, and refuses to be read.
#[derive(Debug, Serialize)]
struct Unreadable(u8);

impl<'de> Deserialize<'de> for Unreadable {
    fn deserialize<D: serde::Deserializer<'de>>(_from: D) -> Result<Self, D::Error> {
        Err(serde::de::Error::custom("never"))
    }
}

/// Cannot be serialised.
#[derive(Debug, Deserialize)]
struct Unwritable(u8);

impl Serialize for Unwritable {
    fn serialize<S: serde::Serializer>(&self, _to: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("never"))
    }
}

#[test]
fn what_cannot_be_passed_on_fails_alone() {
    watchdog();
    let pool = Pool::new(2).unwrap();
    let task = |error| match error {
        PoolError::Task { index: 0, error } => error,
        other => panic!("{other}"),
    };
    let error = task(pool.apply(|argument: Unwritable| argument.0, Unwritable(1)).unwrap_err());
    assert!(matches!(&error, TaskError::Arguments { what } if what.contains("Unwritable")));
    let error = task(pool.apply(|argument: Unreadable| argument.0, Unreadable(1)).unwrap_err());
    assert!(matches!(&error, TaskError::Arguments { what } if what.contains("Unreadable")));
    let error = task(pool.apply(Unreadable, 1).unwrap_err());
    assert!(matches!(&error, TaskError::Result { what } if what.contains("Unreadable")));
    let error = task(pool.apply(Unwritable, 1).unwrap_err());
    assert!(matches!(&error, TaskError::Result { what } if what.contains("Unwritable")));
    assert_eq!(pool.apply(square, 3).unwrap(), 9, "the pool goes on");
}

/// They go as letters, of which a socket has room for a few, and are soon done.
#[test]
fn more_long_arguments_than_a_socket_has_room_for() {
    watchdog();
    let pool = Pool::new(2).unwrap();
    let length = |text: String| text.len();
    // Around what goes through the pipe, and through a packet.
    for bytes in [900, 20_000, 24_000, 25_000, 30_000, 40_000] {
        let texts = vec!["x".repeat(bytes); 300];
        for chunk in [1, 4, 100] {
            let lengths = pool.map_chunked(length, texts.clone(), chunk).unwrap();
            assert_eq!(lengths, vec![bytes; 300], "chunks of {chunk}");
        }
        assert_eq!(pool.map(length, texts).unwrap(), vec![bytes; 300]);
    }
}
