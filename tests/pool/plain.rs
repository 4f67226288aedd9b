//! Maps over numbers and slices, whose items and results lie in memory that all workers see.

use std::sync::OnceLock;

use outlive::process::{Pool, PoolError, PoolOptions, Process, TaskError, WorkerEnd};
use outlive::{Array, Event, Reset, Segment, Shared};

use crate::deaths::{kill_self, with_kills};
use crate::support::{hush, unique, watchdog};

/// More than what is sent task by task.
const MANY: u64 = 1000;

#[test]
fn numbers_of_every_kind() {
    watchdog();
    let pool = Pool::new(2).unwrap();
    let numbers = || 0..MANY;
    let same = |n: u64| n;
    assert!(pool.map(same, numbers()).unwrap().into_iter().eq(numbers()));
    let shorter = pool.map(|n: u64| n as u8, numbers()).unwrap();
    assert!(shorter.into_iter().eq(numbers().map(|n| n as u8)));
    let signed = pool.map(|n: u64| -(n as i32), numbers()).unwrap();
    assert!(signed.iter().copied().eq(numbers().map(|n| -(n as i32))));
    let halves = pool.map(|n: i32| f64::from(n) / 2.0, signed).unwrap();
    assert!(halves.iter().copied().eq(numbers().map(|n| -(n as f64) / 2.0)));
    let positive = pool.map(|n: f64| n < -9.0, halves).unwrap();
    assert!(positive.iter().copied().eq(numbers().map(|n| n > 18)));
    let letters = pool.map(|is: bool| if is { 'ä' } else { 'b' }, positive).unwrap();
    assert!(letters.iter().copied().eq(numbers().map(|n| if n > 18 { 'ä' } else { 'b' })));
    assert_eq!(pool.map(|_: char| (), letters).unwrap().len(), MANY as usize);
    let texts = pool.map(|n: u64| n.to_string(), numbers()).unwrap();
    assert!(texts.into_iter().eq(numbers().map(|n| n.to_string())));
}

#[test]
fn any_number_of_items_in_chunks_of_any_length() {
    watchdog();
    let pool = Pool::new(3).unwrap();
    for items in [255, 256, 257, 1000, 4096, 30_000] {
        let right: Vec<u64> = (0..items).map(|n| n + 1).collect();
        assert!(pool.map(|n: u64| n + 1, 0..items).unwrap() == right, "{items}");
        for chunk in [0, 1, 7, 500, 100_000] {
            let found = pool.map_chunked(|n: u64| n + 1, 0..items, chunk).unwrap();
            assert!(found == right, "{items} in chunks of {chunk}");
        }
    }
}

/// Says that it has 1000 items.
struct Liar(std::ops::Range<u64>);

impl Iterator for Liar {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        self.0.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (1000, Some(1000))
    }
}

#[test]
fn an_iterator_is_not_believed() {
    watchdog();
    let pool = Pool::new(2).unwrap();
    for items in [0, 1, 300, 999, 1000, 1001, 5000] {
        let found = pool.map(|n: u64| n + 1, Liar(0..items)).unwrap();
        assert!(found.into_iter().eq(1..=items), "{items}");
    }
    // One that does not know how many it has.
    let even = (0..MANY).filter(|n| n % 2 == 0);
    assert_eq!(pool.map(|n: u64| n / 2, even).unwrap().last(), Some(&(MANY / 2 - 1)));
}

#[derive(Clone, Copy, Debug, PartialEq, Shared)]
#[repr(C)]
struct Point {
    x: f32,
    y: f32,
    name: [u8; 3],
    seen: bool,
}

#[test]
fn slices_of_types_of_any_size() {
    watchdog();
    let pool = Pool::new(2).unwrap();
    for length in [1, 2, 3, 50, 5000] {
        let points: Vec<Point> = (0..length)
            .map(|n| Point { x: n as f32, y: 1.0, name: *b"abc", seen: n % 2 == 0 })
            .collect();
        let turned = |point: Point| Point { x: point.y, y: point.x, seen: !point.seen, ..point };
        let right: Vec<Point> = points.iter().copied().map(turned).collect();
        assert_eq!(pool.map_slice(turned, &points).unwrap(), right);
        let names = pool.map_slice(|point: Point| point.name, &points).unwrap();
        assert_eq!(names, vec![*b"abc"; length]);
        let seen = pool.map_slice(|point: Point| point.seen, &points).unwrap();
        assert!(seen.into_iter().eq((0..length).map(|n| n % 2 == 0)));
    }
}

const COUNTS: &str = "OUTLIVE_TEST_COUNTS";

/// Counts how often each task was begun, where everybody sees it.
struct Counted {
    pool: Pool,
    counts: Array<u32>,
}

impl Counted {
    fn new(options: PoolOptions) -> Self {
        let name = unique("counts");
        let counts = Segment::create(&name).unwrap().array("counts", MANY as usize, 0).unwrap();
        Self { pool: options.env(COUNTS, name).start().unwrap(), counts }
    }

    /// Maps 0..MANY to their squares. Some of them kill their worker, so many times.
    fn map(&self, fatal: &[(u64, u64)], chunk: Option<usize>) -> Result<Vec<u64>, PoolError> {
        self.counts.update(.., |counts| counts.fill(0)).unwrap();
        let items = (0..MANY).map(|n| {
            let deaths =
                fatal.iter().find(|(victim, _)| *victim == n).map_or(0, |(_, times)| *times);
            deaths << 32 | n
        });
        match chunk {
            None => self.pool.map(counted, items),
            Some(chunk) => self.pool.map_chunked(counted, items, chunk),
        }
    }
}

fn counted(item: u64) -> u64 {
    static SHARED: OnceLock<Array<u32>> = OnceLock::new();
    let counts = SHARED.get_or_init(|| {
        let segment = Segment::open(&std::env::var(COUNTS).unwrap()).unwrap();
        segment.find("counts").unwrap()
    });
    let (n, deaths) = (item & 0xffff_ffff, item >> 32);
    if u64::from(counts.fetch_add(n as usize, 1).unwrap()) < deaths {
        kill_self();
    }
    n * n
}

#[test]
fn only_the_item_that_a_worker_died_in_fails_and_nothing_runs_twice() {
    watchdog();
    let counted = Counted::new(Pool::options().workers(2).name("counted"));
    for chunk in [None, Some(1), Some(7), Some(MANY as usize)] {
        for victim in [0, 1, 500, MANY - 1] {
            let found = counted.map(&[(victim, 1)], chunk);
            let Err(PoolError::Task { index, error }) = found else { panic!("{found:?}") };
            let TaskError::WorkerDied { worker, end, attempts: 1, .. } = &error else {
                panic!("{error}")
            };
            assert_eq!((index as u64, *end), (victim, WorkerEnd::Killed(9)));
            assert!(worker.starts_with("counted-"), "{error}");
            assert!(counted.counts.to_vec().unwrap().iter().all(|count| *count == 1));
        }
    }
    let found = counted.map(&[(700, 1), (20, 1), (21, 1), (999, 1)], None);
    assert!(matches!(found, Err(PoolError::Task { index: 20, .. })), "{found:?}");
    assert!(counted.counts.to_vec().unwrap().iter().all(|count| *count == 1));
    assert!(counted.map(&[], None).unwrap().into_iter().eq((0..MANY).map(|n| n * n)));
}

#[test]
fn items_are_retried_as_configured() {
    watchdog();
    let counted = Counted::new(Pool::options().workers(3).retries(2));
    let found = counted.map(&[(0, 2), (333, 1), (334, 2), (MANY - 1, 2)], None).unwrap();
    assert!(found.into_iter().eq((0..MANY).map(|n| n * n)));
    let right = |n: usize| match n {
        0 | 334 | 999 => 3,
        333 => 2,
        _ => 1,
    };
    assert!(counted.counts.to_vec().unwrap().into_iter().eq((0..MANY as usize).map(right)));
    let found = counted.map(&[(5, 9)], None);
    let Err(PoolError::Task { index: 5, error: TaskError::WorkerDied { attempts: 3, .. } }) = found
    else {
        panic!("{found:?}")
    };
    assert_eq!(counted.counts.get(5), Ok(3));
}

#[test]
fn a_panic_or_an_exit_is_told_with_its_item() {
    watchdog();
    let pool = Pool::new(2).unwrap();
    let line = line!() + 4;
    let picky = |n: u64| {
        if n % 400 == 399 {
            hush();
            panic!("not {n}");
        }
        n
    };
    let found = pool.map(picky, 0..MANY);
    let Err(PoolError::Task { index: 399, error }) = found else { panic!("{found:?}") };
    let TaskError::Panicked { worker, pid, message, location } = error else { panic!("{error}") };
    assert_eq!((message.as_str(), location.unwrap().line), ("not 399", line));
    assert!(pool.workers().iter().any(|own| own.pid() == pid && own.name() == worker));
    // As much of a long message as there is room for.
    let wordy = |n: u64| -> u64 {
        hush();
        panic!("{}", "ä".repeat(5000 + n as usize))
    };
    let found = pool.map(wordy, 0..MANY);
    let Err(PoolError::Task { index: 0, error: TaskError::Panicked { message, location, .. } }) =
        found
    else {
        panic!("{found:?}")
    };
    assert!(message.len() > 500 && message.chars().all(|c| c == 'ä') && location.is_some());

    let leave = |n: u64| if n == 300 { std::process::exit(7) } else { n };
    let found = pool.map(leave, 0..MANY);
    let Err(PoolError::Task { index: 300, error: TaskError::WorkerDied { end, .. } }) = found
    else {
        panic!("{found:?}")
    };
    assert_eq!(end, WorkerEnd::Exited(7));
}

#[test]
fn workers_are_killed_at_any_time() {
    watchdog();
    with_kills(|pool| {
        for round in 0..20 {
            let found = pool.map(|n: u64| n + 1, round..round + 20_000).unwrap();
            assert!(found.into_iter().eq(round + 1..round + 20_001));
        }
    });
}

#[test]
fn terminating_the_pool_ends_a_map_under_way() {
    watchdog();
    let name = unique("arrived");
    let arrived: Event = Segment::create(&name).unwrap().event("arrived", Reset::Manual).unwrap();
    let pool = Pool::options().workers(2).env(COUNTS, &name).start().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            arrived.wait().unwrap();
            pool.terminate();
        });
        let stay = |_: u64| -> u64 {
            let segment = Segment::open(&std::env::var(COUNTS).unwrap()).unwrap();
            segment.find::<Event>("arrived").unwrap().set().unwrap();
            loop {
                std::thread::park();
            }
        };
        assert_eq!(pool.map(stay, 0..MANY), Err(PoolError::Terminated));
    });
}

#[test]
fn maps_one_after_the_other_and_at_once_leave_nothing_behind() {
    watchdog();
    let run = |()| {
        let pool = Pool::new(2).unwrap();
        let open = || std::fs::read_dir("/proc/self/fd").unwrap().count();
        let map =
            |items: u64| assert_eq!(pool.map(|n: u64| n, 0..items).unwrap().len() as u64, items);
        map(1 << 12);
        let before = open();
        for items in (9..12).cycle().take(100) {
            map(1 << items);
        }
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..20).for_each(|_| map(3000)));
            }
        });
        // More than is kept.
        map(2 << 20);
        map(1 << 12);
        open() <= before
    };
    assert_eq!(Process::start(run, ()).unwrap().join(), Ok(true));
}
