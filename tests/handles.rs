//! What handles are: nobody has to fight lifetimes or threads to keep one.

#[path = "support/mod.rs"]
mod support;

use std::fmt::Debug;

use outlive::{
    Array, ArrayError, AtomicCounter, Available, Barrier, BarrierError, Bridge, Changed,
    ChildProcess, Condvar, Counter, Event, Latest, LockError, Mutex, MutexGuard, ObjectError, Once,
    OnceValue, OsError, PopError, PushError, Queue, Readable, ReentrantMutex, Reset, RwLock,
    RwLockReadGuard, RwLockUpgradableGuard, RwLockWriteGuard, Segment, SegmentError, Semaphore,
    SemaphoreError, SetError, Value, WaitError, Writable,
};

use support::watchdog;

fn is_handle<T: Clone + Debug + Send + Sync + 'static>() {}
fn is_sent_and_shared<T: Debug + Send + Sync + 'static>() {}
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
    is_handle::<outlive::TaskQueue<u64>>();
    is_handle::<outlive::Service>();
    is_handle::<Event>();
    is_handle::<Condvar>();
    is_handle::<ReentrantMutex<u64>>();
    is_handle::<Once>();
    is_handle::<OnceValue<u64>>();
    is_handle::<RwLock<u64>>();
    is_handle::<Semaphore>();
    is_handle::<Barrier>();
    is_handle::<Latest<[f64; 3]>>();
    is_handle::<outlive::Pipe>();
    is_handle::<outlive::Listener>();
    is_error::<outlive::PipeError>();
    is_error::<outlive::PipeSendError>();
    is_error::<outlive::PipeRecvError>();
    is_error::<outlive::ListenError>();
    is_error::<outlive::AcceptError>();
    is_error::<outlive::ConnectError>();
    is_error::<SegmentError>();
    is_error::<ObjectError>();
    is_error::<LockError>();
    is_error::<SetError<u64>>();
    is_error::<ArrayError>();
    is_error::<PushError<u64>>();
    is_error::<PopError>();
    is_error::<SemaphoreError>();
    is_error::<BarrierError>();
    is_error::<WaitError>();
    is_error::<OsError>();
}

#[test]
fn what_is_waited_for_is_owned_as_well() {
    is_handle::<Available<Mutex<u64>>>();
    is_handle::<Readable<u64>>();
    is_handle::<outlive::ReadableTasks<u64>>();
    is_handle::<Writable<u64>>();
    is_handle::<Changed<u64>>();
    // These own a descriptor, which is not to be doubled unseen.
    is_sent_and_shared::<ChildProcess>();
    is_sent_and_shared::<Bridge>();
}

/// The type of the data, or of the message, says nothing about the handle: it holds none.
#[test]
fn handles_are_as_small_for_any_type() {
    fn is_as_small<A, B>() {
        assert_eq!(size_of::<A>(), size_of::<B>());
    }
    type Large = [u64; 512];
    is_as_small::<Mutex<u8>, Mutex<Large>>();
    is_as_small::<Value<u8>, Value<Large>>();
    is_as_small::<Array<u8>, Array<Large>>();
    is_as_small::<Queue<u8>, Queue<Large>>();
    is_as_small::<RwLock<u8>, RwLock<Large>>();
    is_as_small::<ReentrantMutex<u8>, ReentrantMutex<Large>>();
    is_as_small::<OnceValue<u8>, OnceValue<Large>>();
    is_as_small::<Latest<u8>, Latest<Large>>();
}

#[test]
fn handles_of_the_newer_kinds_outlive_the_segment_too() {
    watchdog();
    let (table, slots, start, ready, last) = {
        let segment = Segment::anonymous().expect("a segment");
        (
            segment.rwlock("table", [0_u32; 4]).expect("an rwlock"),
            segment.semaphore("slots", 1).expect("a semaphore"),
            segment.barrier("start", 2).expect("a barrier"),
            segment.once_value::<u64>("ready").expect("a once value"),
            segment.latest("last", 0_u64).expect("a latest value"),
        )
    };
    let before = last.version();
    let worker = std::thread::spawn({
        let (table, slots, start) = (table.clone(), slots.clone(), start.clone());
        let (ready, last) = (ready.clone(), last.clone());
        move || {
            start.wait().expect("wait");
            let permit = slots.acquire().expect("acquire");
            table.write().or_else(LockError::recover).expect("write")[3] = 7;
            drop(permit);
            ready.set(8).expect("set");
            last.set(9).expect("set");
        }
    });
    start.wait().expect("wait");
    assert_eq!(last.wait_changed(before).expect("wait").0, 9);
    assert_eq!(ready.wait(), Ok(8));
    assert_eq!(table.read().expect("read")[3], 7);
    assert_eq!(slots.available(), 1);
    worker.join().expect("join");
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
    watchdog();
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
    is_sync::<RwLockReadGuard<'_, u64>>();
    is_sync::<RwLockUpgradableGuard<'_, u64>>();
    is_sync::<RwLockWriteGuard<'_, u64>>();
    let mutex = Segment::anonymous().expect("a segment").mutex("m", 7_u64).expect("a mutex");
    let guard = mutex.lock().or_else(LockError::recover).expect("lock");
    std::thread::scope(|scope| {
        scope.spawn(|| assert_eq!(*guard, 7));
    });
}
