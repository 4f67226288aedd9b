//! What is refused, and in which words.

use std::time::Duration;

use outlive::{LockError, Mutex, ObjectError, RwLock, Segment};

use super::driver::{Words, segment};
use crate::observe::{Marked, overwrite};
use crate::support::{unique, watchdog};

fn is_handle<T: Clone + std::fmt::Debug + Send + Sync + 'static>() {}
fn is_sync<T: Sync>() {}

#[test]
fn handles_are_owned_and_guards_may_be_lent() {
    is_handle::<RwLock<u64>>();
    is_sync::<outlive::RwLockReadGuard<'_, u64>>();
    is_sync::<outlive::RwLockUpgradableGuard<'_, u64>>();
    is_sync::<outlive::RwLockWriteGuard<'_, u64>>();
    let lock = Segment::anonymous().expect("a segment").rwlock("l", 7_u64).expect("lock");
    let guard = lock.read().expect("read");
    std::thread::scope(|scope| {
        scope.spawn(|| assert_eq!(*guard, 7));
    });
    assert_eq!(format!("{guard:?}"), "7");
    assert!(format!("{lock:?}").starts_with("RwLock"));
}

#[test]
fn waiting_for_oneself_is_a_deadlock() {
    let (_segment, lock, _name) = segment("deadlock", 64);
    let long = Duration::from_secs(600);
    let deadlock = |error: LockError| error == LockError::Deadlock;
    let write = || {
        for outcome in [lock.write(), lock.try_write(), lock.write_timeout(long)] {
            assert!(
                outcome.map(drop).is_err_and(|e| deadlock(e.into_guard().map(drop).unwrap_err()))
            );
        }
    };
    let upgradable = || {
        let outcomes = [
            lock.upgradable_read(),
            lock.try_upgradable_read(),
            lock.upgradable_read_timeout(long),
        ];
        for outcome in outcomes {
            assert!(
                outcome.map(drop).is_err_and(|e| deadlock(e.into_guard().map(drop).unwrap_err()))
            );
        }
    };
    let guard = lock.read().expect("read");
    write();
    upgradable();
    drop(guard);
    let guard = lock.upgradable_read().expect("upgradable");
    write();
    upgradable();
    drop(lock.read().expect("beside itself"));
    drop(guard);
    let guard = lock.write().expect("write");
    write();
    upgradable();
    for outcome in [lock.read(), lock.try_read(), lock.read_timeout(long)] {
        assert!(outcome.map(drop).is_err_and(|e| deadlock(e.into_guard().map(drop).unwrap_err())));
    }
    drop(guard);
    drop(lock.try_write().expect("nothing stayed behind"));
}

#[test]
fn a_read_only_handle_cannot_lock() {
    let (_segment, lock, name) = segment("read-only", 64);
    let reader = Segment::options().read_only(true).open(&name).expect("open");
    let locked: RwLock<Words> = reader.find("l").expect("find");
    assert!(matches!(locked.read(), Err(LockError::ReadOnly)));
    assert!(matches!(locked.try_read(), Err(LockError::ReadOnly)));
    assert!(matches!(locked.write(), Err(LockError::ReadOnly)));
    assert!(matches!(locked.upgradable_read(), Err(LockError::ReadOnly)));
    let _guard = lock.read().expect("read");
    assert_eq!(locked.readers(), 1);
}

#[test]
fn bytes_that_are_no_value_are_an_error_and_the_lock_stays_usable() {
    const MARK: [u8; 8] = *b"\x01mark\xfe\xed\x03";
    watchdog();
    let name = unique("corrupt-rw");
    let segment = Segment::options().capacity(64 << 10).create(&name).expect("create");
    let init = Marked::new(MARK);
    let lock = segment.rwlock("l", init).expect("lock");
    overwrite(&name, &MARK, 8, &[2]);
    for _ in 0..2 {
        assert!(matches!(lock.read(), Err(LockError::Corrupt { .. })));
        assert!(matches!(lock.try_write(), Err(LockError::Corrupt { .. })));
        assert!(matches!(lock.upgradable_read(), Err(LockError::Corrupt { .. })));
        assert_eq!(lock.readers(), 0);
    }
    overwrite(&name, &MARK, 8, &[0]);
    assert_eq!(*lock.read().expect("mended"), Marked { flag: false, ..init });
    drop(lock.try_write().expect("nobody died"));
}

#[test]
fn another_type_kind_or_number_of_readers_is_refused() {
    let (segment, _lock, _name) = segment("shape", 5);
    let text = segment.find::<RwLock<[u32; 8]>>("l").unwrap_err().to_string();
    assert!(text.contains("RwLock<[u64; 4]>") && text.contains("RwLock<[u32; 8]>"), "{text}");
    let error = segment.find::<Mutex<Words>>("l").unwrap_err();
    assert!(matches!(error, ObjectError::TypeMismatch { .. }));
    let error = segment.rwlock::<Words>("l", [0; 4]).unwrap_err();
    let ObjectError::ShapeMismatch { found: 5, expected: 64, .. } = error else {
        panic!("{error:?}")
    };
    drop(segment.rwlock_with::<Words>("l", [0; 4], 5).expect("the same").read().expect("read"));
    for readers in [0, 65, usize::MAX] {
        let error = segment.rwlock_with("other", 0_u8, readers).unwrap_err();
        assert!(matches!(error, ObjectError::InvalidShape { .. }), "{error:?}");
    }
}
