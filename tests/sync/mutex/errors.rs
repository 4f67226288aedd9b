//! What is refused, and in which words.

use outlive::{Event, LockError, Mutex, ObjectError, Segment, Value};

use super::driver::{Words, segment};
use crate::observe::{Marked, overwrite};
use crate::support::{unique, watchdog};

#[test]
fn locking_twice_is_a_deadlock_and_leaves_the_lock_held() {
    let (segment, mutex, _name) = segment("deadlock");
    let again: Mutex<Words> = segment.find("m").expect("another handle");
    let guard = mutex.lock().expect("lock");
    for mutex in [&mutex, &again] {
        assert!(matches!(mutex.lock(), Err(LockError::Deadlock)));
        assert!(matches!(mutex.try_lock(), Err(LockError::Deadlock)));
        let long = std::time::Duration::from_secs(600);
        assert!(matches!(mutex.lock_timeout(long), Err(LockError::Deadlock)));
    }
    std::thread::scope(|scope| {
        scope.spawn(|| assert!(matches!(mutex.try_lock(), Err(LockError::WouldBlock))));
    });
    drop(guard);
    drop(again.try_lock().expect("free"));
}

#[test]
fn a_deadlock_is_seen_through_another_mapping_too() {
    let (_segment, mutex, name) = segment("deadlock-mapping");
    let elsewhere: Mutex<Words> = Segment::open(&name).expect("open").find("m").expect("find");
    let _guard = mutex.lock().expect("lock");
    // With a limit, so that the test ends.
    let limit = std::time::Duration::from_millis(100);
    let error = elsewhere.lock_timeout(limit).map(drop).expect_err("held by this thread");
    assert!(matches!(error, LockError::Deadlock), "{error:?}");
}

#[test]
fn a_read_only_handle_cannot_lock() {
    let (_segment, mutex, name) = segment("read-only");
    let reader = Segment::options().read_only(true).open(&name).expect("open");
    let locked: Mutex<Words> = reader.find("m").expect("find");
    let refused = |error: LockError<_>| matches!(error, LockError::ReadOnly);
    assert!(locked.lock().is_err_and(refused));
    assert!(locked.try_lock().is_err_and(refused));
    assert!(locked.lock_timeout(std::time::Duration::ZERO).is_err_and(refused));
    drop(mutex.try_lock().expect("untouched"));
}

const MARK: [u8; 8] = *b"\x01mark\xfe\xed\x02";

#[test]
fn bytes_that_are_no_value_are_an_error_and_the_lock_stays_usable() {
    watchdog();
    let name = unique("corrupt");
    let segment = Segment::options().capacity(64 << 10).create(&name).expect("create");
    let init = Marked::new(MARK);
    let mutex = segment.mutex("m", init).expect("mutex");
    overwrite(&name, &MARK, 8, &[2]);
    let corrupt = |error: LockError<_>| matches!(error, LockError::Corrupt { .. });
    for _ in 0..2 {
        assert!(mutex.lock().is_err_and(corrupt));
        assert!(mutex.try_lock().is_err_and(corrupt));
        std::thread::scope(|scope| {
            scope.spawn(|| assert!(mutex.lock().is_err_and(corrupt)));
        });
    }
    overwrite(&name, &MARK, 8, &[0]);
    assert_eq!(*mutex.lock().expect("mended"), Marked { flag: false, ..init });
}

#[test]
fn another_type_is_refused_by_name() {
    let (segment, _mutex, _name) = segment("type");
    let text = segment.find::<Mutex<[u32; 8]>>("m").unwrap_err().to_string();
    assert!(text.contains("Mutex<[u64; 4]>") && text.contains("Mutex<[u32; 8]>"), "{text}");
    let text = segment.value::<Words>("m", [0; 4]).unwrap_err().to_string();
    assert!(text.contains("Mutex<[u64; 4]>") && text.contains("Value<[u64; 4]>"), "{text}");
    let error = segment.find::<Event>("m").unwrap_err();
    assert!(matches!(error, ObjectError::TypeMismatch { .. }));
    assert!(matches!(segment.find::<Value<u8>>("n"), Err(ObjectError::NotFound { .. })));
}

#[test]
fn errors_say_what_to_do() {
    let says = |error: LockError, part: &str| {
        let text = error.to_string();
        assert!(text.contains(part), "{text}");
    };
    says(LockError::NotRecoverable, "remove the object and create it anew");
    says(LockError::Deadlock, "this thread holds the lock already");
    says(LockError::ReadOnly, "read-only");
    says(LockError::TooManyLocks { limit: 7 }, "holds 7 locks");
    let (_segment, mutex, _name) = segment("debug");
    assert_eq!(format!("{:?}", *mutex.lock().expect("lock")), "[0, 0, 0, 0]");
    assert!(format!("{mutex:?}").starts_with("Mutex"));
}
