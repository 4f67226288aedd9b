//! What handles are: nobody has to fight lifetimes or threads to keep one.

use std::fmt::Debug;

use outlive::{
    Array, AtomicCounter, Condvar, Counter, Event, LockError, Mutex, MutexGuard, ObjectError, Once,
    OnceValue, Queue, ReentrantMutex, Reset, Segment, SegmentError, SetError, Value,
};

fn is_handle<T: Clone + Debug + Send + Sync + 'static>() {}
fn is_error<T: std::error::Error + Send + Sync + 'static>() {}

#[test]
fn handles_are_owned_cloned_sent_and_shared() {
    is_handle::<Segment>();
    is_handle::<Mutex<u64>>();
    is_handle::<Value<[f64; 3]>>();
    is_handle::<Counter>();
    is_handle::<AtomicCounter>();
    is_handle::<Array<u8>>();
    is_handle::<Queue<u64>>();
    is_handle::<Event>();
    is_handle::<Condvar>();
    is_handle::<ReentrantMutex<u64>>();
    is_handle::<Once>();
    is_handle::<OnceValue<u64>>();
    is_error::<SegmentError>();
    is_error::<ObjectError>();
    is_error::<LockError>();
    is_error::<SetError<u64>>();
}

/// What users write: handles in a struct, returned from a function, sent to a thread.
struct Stage {
    input: Queue<u32>,
    done: Counter,
    finished: Event,
}

fn stage() -> Result<Stage, ObjectError> {
    let segment = Segment::anonymous().expect("a segment");
    Ok(Stage {
        input: segment.queue("input", 8)?,
        done: segment.counter("done")?,
        finished: segment.event("finished", Reset::Manual)?,
    })
}

#[test]
fn handles_outlive_the_segment_that_they_came_from() {
    let Stage { input, done, finished } = stage().expect("objects");
    let worker = std::thread::spawn({
        let (input, done, finished) = (input.clone(), done.clone(), finished.clone());
        move || {
            for message in &input {
                done.add(i64::from(message.expect("a message"))).expect("add");
            }
            finished.set().expect("set");
        }
    });
    for message in 1..=100 {
        input.push(message).expect("push");
    }
    input.close().expect("close");
    finished.wait().expect("wait");
    assert_eq!(done.get(), 5050);
    worker.join().expect("join");
}

#[test]
fn a_guard_may_be_lent_to_other_threads_but_not_given_to_them() {
    fn is_sync<T: Sync>() {}
    is_sync::<MutexGuard<'_, u64>>();
    let mutex = Segment::anonymous().expect("a segment").mutex("m", 7_u64).expect("a mutex");
    let guard = mutex.lock().or_else(LockError::recover).expect("lock");
    std::thread::scope(|scope| {
        scope.spawn(|| assert_eq!(*guard, 7));
    });
}
