//! Panics while a mutex is held.

use std::panic::{AssertUnwindSafe, catch_unwind};

use outlive::{LockError, Mutex};

use super::driver::{Driver, Words, segment};

/// Unwinds through `run` without the message on standard error.
fn unwind(run: impl FnOnce()) {
    catch_unwind(AssertUnwindSafe(|| {
        run();
        std::panic::resume_unwind(Box::new("on purpose"));
    }))
    .expect_err("it unwinds");
}

#[test]
fn a_panic_while_held_is_seen_as_a_death() {
    let (_segment, mutex, name) = segment("panic");
    let mut peer = Driver::new(&name);
    catch_unwind(AssertUnwindSafe(|| {
        let mut guard = mutex.lock().expect("lock");
        peer.block("lock");
        guard[0] = 1;
        std::panic::resume_unwind(Box::new("on purpose"));
    }))
    .expect_err("it unwinds");
    peer.expect("OwnerDied");
    peer.does("mark", "done");
    peer.does("unlock", "done");
    drop(mutex.lock().expect("consistent"));
}

#[test]
fn a_panic_of_the_recoverer_leaves_the_death_to_be_seen_again() {
    let (_segment, mutex, _name) = segment("panic-again");
    for _ in 0..3 {
        catch_unwind(AssertUnwindSafe(|| {
            let _guard = match mutex.lock() {
                Ok(guard) | Err(LockError::OwnerDied(guard)) => guard,
                Err(other) => panic!("{other:?}"),
            };
            std::panic::resume_unwind(Box::new("on purpose"));
        }))
        .expect_err("it unwinds");
    }
    drop(mutex.lock().or_else(LockError::recover).expect("recover"));
    drop(mutex.lock().expect("consistent"));
}

#[test]
fn a_panic_elsewhere_does_not_touch_the_lock() {
    let (_segment, mutex, _name) = segment("panic-elsewhere");
    let guard = mutex.lock().expect("lock");
    unwind(|| ());
    drop(guard);
    drop(mutex.lock().expect("consistent"));
}

/// Uses the mutex in a destructor.
struct AtUnwind<'a>(&'a Mutex<Words>);

impl Drop for AtUnwind<'_> {
    fn drop(&mut self) {
        assert!(std::thread::panicking());
        self.0.lock().expect("lock")[0] += 1;
    }
}

#[test]
fn a_guard_taken_and_dropped_while_the_thread_unwinds_is_released_clean() {
    let (_segment, mutex, _name) = segment("unwinding");
    catch_unwind(AssertUnwindSafe(|| {
        let _uses = AtUnwind(&mutex);
        std::panic::resume_unwind(Box::new("on purpose"));
    }))
    .expect_err("it unwinds");
    assert_eq!(mutex.lock().expect("consistent")[0], 1);
}
