//! What runs the futures: tokio, or less than that.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use outlive::{ChildProcess, Reset, Segment, wait_async};
use tokio::runtime::{Builder, Runtime};

use crate::support::{no_spawning, watchdog};

/// A runtime of several threads.
pub(crate) fn many() -> Runtime {
    watchdog();
    Builder::new_multi_thread().worker_threads(4).enable_time().build().expect("a runtime")
}

/// A runtime of this thread.
pub(crate) fn one() -> Runtime {
    watchdog();
    Builder::new_current_thread().enable_time().build().expect("a runtime")
}

/// The least that runs a future: parks this thread until it is woken.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    watchdog();
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

/// A future that is polled by hand, without anything that it wakes.
pub(crate) fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    std::pin::Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn no_runtime_is_needed() {
    let segment = Segment::anonymous().expect("a segment");
    let queue = segment.queue::<u64>("q", 1).expect("a queue");
    thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..1000 {
                block_on(queue.push_async(number)).expect("push");
            }
        });
        for number in 0..1000 {
            assert_eq!(block_on(queue.pop_async()), Ok(number));
        }
    });
}

#[test]
fn one_task_waits_for_several_things() {
    let segment = Segment::anonymous().expect("a segment");
    let queue = segment.queue::<u64>("q", 1).expect("a queue");
    let stop = segment.event("stop", Reset::Manual).expect("an event");
    one().block_on(async {
        let received = async {
            let mut sum = 0;
            loop {
                tokio::select! {
                    message = queue.pop_async() => sum += message.expect("pop"),
                    stopped = stop.wait_async() => {
                        stopped.expect("wait");
                        return sum;
                    }
                }
            }
        };
        let sent = async {
            for number in 1..=10 {
                queue.push_async(number).await.expect("push");
            }
            // Until it is empty: room for one more.
            wait_async(queue.writable()).await.expect("wait");
            stop.set().expect("set");
        };
        let (sum, ()) = tokio::join!(received, sent);
        assert_eq!(sum + queue.try_pop().unwrap_or(0), 55);
    });
}

#[test]
fn a_child_is_waited_for_beside_other_things() {
    let segment = Segment::anonymous().expect("a segment");
    let event = segment.event("e", Reset::Auto).expect("an event");
    many().block_on(async {
        let quiet = no_spawning();
        let mut child = std::process::Command::new("cat")
            .stdin(std::process::Stdio::piped())
            .spawn()
            .expect("spawn");
        drop(quiet);
        let ended = tokio::spawn(wait_async(ChildProcess::new(&child).expect("a pidfd")));
        let signalled = tokio::spawn({
            let event = event.clone();
            async move { event.wait_async().await }
        });
        event.set().expect("set");
        signalled.await.expect("join").expect("wait");
        assert!(!ended.is_finished());
        drop(child.stdin.take());
        ended.await.expect("join").expect("wait");
        assert!(child.wait().expect("wait").success());
    });
}
