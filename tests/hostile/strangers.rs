//! Locks that name a thread which lives and has nothing to do with them: as good as held. What
//! takes a timeout keeps it, what only tries does not wait, and what needs no lock goes on.

use std::fs::File;
use std::os::unix::process::parent_id;
use std::time::{Duration, Instant};

use outlive::{ArrayError, LockError, PopError, PushError, Segment};

use crate::image::{self, Place};
use crate::support::watchdog;

const SHORT: Duration = Duration::from_millis(20);

/// A segment whose locks are as if the parent of this process held them, but for the directory's.
pub(crate) fn occupied(place: &Place) -> Segment {
    watchdog();
    let bytes = image::bytes();
    std::fs::write(place.file("s"), &bytes).expect("write the image");
    let file = File::options().write(true).open(place.file("s")).expect("open");
    for offset in image::lock_words(&bytes).into_iter().skip(1) {
        image::write(&file, offset, &(parent_id() | 0x8000_0000).to_ne_bytes());
    }
    place.options().open("s").expect("open")
}

#[track_caller]
fn times_out<T>(wait: impl FnOnce() -> Result<T, LockError>) {
    let start = Instant::now();
    assert!(matches!(wait().err(), Some(LockError::TimedOut { .. })));
    assert!(start.elapsed() >= SHORT);
}

#[test]
fn timeouts_hold_against_strangers() {
    let place = Place::new("strangers");
    let segment = occupied(&place);

    let mutex = segment.mutex("mutex number", 0_u64).expect("mutex");
    assert!(matches!(mutex.try_lock(), Err(LockError::WouldBlock)));
    assert!(matches!(mutex.lock_timeout(SHORT), Err(LockError::TimedOut { .. })));

    let value = segment.value("value number", 0_u32).expect("value");
    assert_eq!(value.get(), Ok(5));
    assert_eq!(value.try_lock().map(|_| ()), Err(LockError::WouldBlock));
    times_out(|| value.lock_timeout(SHORT));

    let counter = segment.counter("counter").expect("counter");
    assert_eq!(counter.get(), 0);
    assert_eq!(counter.try_lock().map(|_| ()), Err(LockError::WouldBlock));
    times_out(|| counter.lock_timeout(SHORT));

    let array = segment.array("array number", 20, 0_i64).expect("array");
    assert_eq!(array.to_vec(), Ok(vec![-1; 20]));
    assert_eq!(array.store(0, 3), Ok::<_, ArrayError>(()));
    assert_eq!(array.try_lock().map(|_| ()), Err(LockError::WouldBlock));
    times_out(|| array.lock_timeout(SHORT));

    let queue = segment.queue::<u64>("queue number", 8).expect("queue");
    assert_eq!(queue.len(), 2);
    let start = Instant::now();
    assert_eq!(queue.pop_timeout(SHORT), Err(PopError::TimedOut));
    assert_eq!(queue.push_timeout(1, SHORT), Err(PushError::TimedOut(1)));
    assert!(start.elapsed() >= 2 * SHORT);
}
