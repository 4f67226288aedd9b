//! Futures that are dropped, or not run.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use outlive::{PopError, Queue, Segment};
use tokio::time::timeout;

use crate::driver::{Driver, things};
use crate::runtime::{block_on, many, one};
use crate::support::watchdog;

fn queue(capacity: usize) -> Queue<u64> {
    watchdog();
    Segment::anonymous().expect("segment").queue("q", capacity).expect("queue")
}

/// Counts how often it was called.
#[derive(Default)]
pub(crate) struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Release);
    }
}

impl Count {
    pub(crate) fn is(&self) -> usize {
        self.0.load(Ordering::Acquire)
    }

    /// Waits for the next call.
    pub(crate) fn await_more_than(&self, calls: usize) {
        while self.is() <= calls {
            std::thread::yield_now();
        }
    }
}

type Popping<'a> = Pin<Box<dyn Future<Output = Result<u64, PopError>> + Send + 'a>>;

/// A pop that waits, and what it wakes.
pub(crate) fn waiting(queue: &Queue<u64>) -> (Popping<'_>, Arc<Count>) {
    let (mut popping, count) = (Box::pin(queue.pop_async()) as Popping<'_>, Arc::default());
    assert!(poll(&mut popping, &count).is_pending());
    (popping, count)
}

pub(crate) fn poll(popping: &mut Popping<'_>, count: &Arc<Count>) -> Poll<Result<u64, PopError>> {
    let waker = Waker::from(Arc::clone(count));
    popping.as_mut().poll(&mut Context::from_waker(&waker))
}

#[test]
fn a_timeout_takes_nothing() {
    let queue = queue(100);
    let runtime = many();
    for round in 0..20 {
        // Some of them are on their way when the time is up.
        let tasks: Vec<_> = (0..50)
            .map(|number| {
                let queue = queue.clone();
                let limit = Duration::from_micros(number * 40);
                runtime.spawn(async move { timeout(limit, queue.pop_async()).await.ok() })
            })
            .collect();
        for number in 0..50 {
            queue.push(number + round).expect("room");
        }
        let taken = tasks
            .into_iter()
            .filter_map(|task| runtime.block_on(task).expect("join"))
            .map(|popped| popped.expect("pop"));
        let mut all: Vec<_> = taken.chain(queue.drain().map(|left| left.expect("pop"))).collect();
        all.sort_unstable();
        assert!(all.into_iter().eq(round..round + 50));
    }
}

#[test]
fn a_message_that_was_not_pushed_is_not_there() {
    let queue = queue(1);
    queue.push(1).expect("room");
    one().block_on(async {
        assert!(timeout(Duration::from_millis(1), queue.push_async(2)).await.is_err());
    });
    assert_eq!(queue.try_pop(), Ok(1));
    assert_eq!(queue.try_pop(), Err(PopError::Empty));
}

#[test]
fn who_is_dropped_in_its_turn_passes_it_on() {
    let queue = queue(1);
    let (first, woken_first) = waiting(&queue);
    let (mut second, woken_second) = waiting(&queue);
    queue.push(7).expect("room");
    woken_first.await_more_than(0);
    drop(first);
    woken_second.await_more_than(0);
    assert_eq!(poll(&mut second, &woken_second), Poll::Ready(Ok(7)));
}

#[test]
fn who_is_not_run_in_its_turn_keeps_nobody_waiting() {
    let queue = queue(1);
    let (mut first, woken_first) = waiting(&queue);
    let (mut second, woken_second) = waiting(&queue);
    queue.push(7).expect("room");
    woken_first.await_more_than(0);
    woken_second.await_more_than(0);
    assert_eq!(poll(&mut second, &woken_second), Poll::Ready(Ok(7)));
    // And waits again, since it came too late.
    assert!(poll(&mut first, &woken_first).is_pending());
    queue.push(8).expect("room");
    assert_eq!(block_on(first), Ok(8));
}

#[test]
fn each_message_wakes_one_after_the_other() {
    let queue = queue(3);
    let mut tasks: Vec<_> = (0..3).map(|_| waiting(&queue)).collect();
    (0..3).for_each(|number| queue.push(number).expect("room"));
    for (expected, (popping, woken)) in tasks.iter_mut().enumerate() {
        woken.await_more_than(0);
        assert_eq!(poll(popping, woken), Poll::Ready(Ok(expected as u64)));
    }
}

#[test]
fn a_future_may_change_hands() {
    let queue = queue(1);
    let (mut popping, first) = waiting(&queue);
    let second = Arc::new(Count::default());
    assert!(poll(&mut popping, &second).is_pending());
    queue.push(7).expect("room");
    second.await_more_than(0);
    assert_eq!(first.is(), 0);
    assert_eq!(poll(&mut popping, &second), Poll::Ready(Ok(7)));
}

#[test]
fn who_is_dropped_leaves_the_message_to_another_process() {
    let things = things("passed-on");
    let mut peer = Driver::new(&things);
    for round in 0..50 {
        let (popping, _woken) = waiting(&things.queue);
        peer.start("pop-thread");
        things.queue.push(round).expect("room");
        drop(popping);
        peer.0.expect(&round.to_string());
    }
    peer.0.join();
}
