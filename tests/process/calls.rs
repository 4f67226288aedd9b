//! Arguments and results.

use outlive::process::{JoinError, Process, StartError, current};
use serde::{Deserialize, Serialize};

use crate::support::watchdog;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Shape {
    Point,
    Circle { centre: (f64, f64), radius: f64 },
    Named(String, Vec<Option<u8>>),
}

fn add((left, right): (i64, i64)) -> i64 {
    left + right
}

fn largest<T: Ord>(list: Vec<T>) -> Option<T> {
    list.into_iter().max()
}

#[test]
fn functions_and_closures_are_called_in_another_process() {
    watchdog();
    assert_eq!(Process::start(add, (40, 2)).unwrap().join(), Ok(42));
    assert_eq!(Process::start(|n: u64| n + 1, 41).unwrap().join(), Ok(42));
    assert_eq!(Process::start(largest::<char>, vec!['a', 'c', 'b']).unwrap().join(), Ok(Some('c')));
    assert_eq!(Process::start(largest::<u8>, vec![]).unwrap().join(), Ok(None));
    let mut process = Process::start(|()| std::process::id(), ()).unwrap();
    let pid = process.pid();
    assert_eq!(process.join(), Ok(pid));
    assert_ne!(pid, std::process::id());
}

#[test]
fn values_of_all_kinds_come_and_go_as_they_are() {
    watchdog();
    let shapes = vec![
        Shape::Point,
        Shape::Circle { centre: (0.5, -1.0), radius: f64::MAX },
        Shape::Named("äöü\0".to_owned(), vec![None, Some(7)]),
    ];
    let mut process = Process::start(|shapes: Vec<Shape>| (shapes.len(), shapes), shapes.clone());
    assert_eq!(process.as_mut().unwrap().join(), Ok((3, shapes)));
    let mut failing =
        Process::start(|n: u8| if n > 1 { Err(n) } else { Ok("small".to_owned()) }, 7);
    assert_eq!(failing.as_mut().unwrap().join(), Ok(Err(7)));
}

#[test]
fn long_values_need_nobody_who_reads_at_the_same_time() {
    watchdog();
    // Around what fits into a packet, and far more than fits into any pipe.
    for length in [0, 1000, 32_000, 32_700, 32_768, 33_000, 4 << 20] {
        let bytes: Vec<u8> = (0..length).map(|n| (n % 251) as u8).collect();
        let mut process = Process::start(
            |bytes: Vec<u8>| bytes.into_iter().rev().collect::<Vec<u8>>(),
            bytes.clone(),
        )
        .unwrap();
        let mut back = process.join().unwrap();
        back.reverse();
        assert!(back == bytes, "{length} bytes");
    }
}

#[test]
fn handles_of_processes_go_to_other_threads() {
    fn both<T: Send + Sync>() {}
    both::<Process<std::rc::Rc<u8>>>();
    both::<outlive::process::ProcessHandle>();
}

#[test]
fn a_process_starts_processes() {
    watchdog();
    fn factorial(n: u64) -> u64 {
        match n {
            0 => 1,
            _ => n * Process::start(factorial, n - 1).unwrap().join().unwrap(),
        }
    }
    assert_eq!(Process::start(factorial, 5).unwrap().join(), Ok(120));
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
fn what_cannot_be_passed_on_is_told_from_what_went_wrong() {
    watchdog();
    let error = Process::start(|argument: Unwritable| argument.0, Unwritable(1)).unwrap_err();
    assert!(matches!(&error, StartError::Arguments { what } if what.contains("Unwritable")));

    let error = Process::start(|argument: Unreadable| argument.0, Unreadable(1)).unwrap().join();
    assert!(
        matches!(&error, Err(JoinError::Arguments { what, .. }) if what.contains("Unreadable"))
    );

    let error = Process::start(Unreadable, 1).unwrap().join().unwrap_err();
    assert!(matches!(&error, JoinError::Result { what, .. } if what.contains("Unreadable")));

    let error = Process::start(Unwritable, 1).unwrap().join().unwrap_err();
    assert!(matches!(&error, JoinError::Result { what, .. } if what.contains("Unwritable")));
}

#[test]
fn a_process_knows_who_it_is() {
    watchdog();
    let options = Process::options().name("the name").daemon(true);
    let mut process =
        options.start(|()| (current().name, current().parent, current().daemon), ()).unwrap();
    assert_eq!(process.name(), "the name");
    assert!(process.is_daemon());
    let expected = ("the name".to_owned(), Some(std::process::id()), true);
    assert_eq!(process.join(), Ok(expected));
    assert_eq!((current().name.as_str(), current().parent), ("MainProcess", None));
    let first = Process::start(|()| current().name, ()).unwrap().join().unwrap();
    assert!(first.starts_with("Process-"), "{first}");
    let comm = Process::options()
        .name("a long name for a process")
        .start(|()| std::fs::read_to_string("/proc/self/comm").unwrap(), ());
    assert_eq!(comm.unwrap().join(), Ok("a long name for\n".to_owned()));
}
