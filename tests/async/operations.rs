//! Each operation, woken by another process, and its errors.

use std::task::Poll;

use outlive::{
    BytePushError, LockError, PopError, PushError, RecvError, Segment, SemaphoreError, Slow, Start,
    WaitError, wait_async,
};

use crate::driver::{Driver, things};
use crate::runtime::{block_on, many, one, poll_once};
use crate::support::{unique, watchdog};

#[test]
fn what_is_there_needs_no_wait() {
    watchdog();
    let things = things("at-once");
    things.queue.push(7).expect("push");
    things.bytes.push(b"seven").expect("push");
    things.event.set().expect("set");
    let since = things.latest.version();
    things.latest.set(7).expect("set");
    // One poll, and nobody to wake.
    macro_rules! at_once {
        ($future:expr) => {{
            let mut future = Box::pin($future);
            let Poll::Ready(outcome) = poll_once(&mut future) else { panic!("it waits") };
            outcome
        }};
    }
    assert_eq!(at_once!(things.queue.pop_async()), Ok(7));
    assert_eq!(at_once!(things.queue.push_async(8)), Ok(()));
    assert_eq!(at_once!(things.bytes.pop_async()), Ok(b"seven".to_vec()));
    assert_eq!(at_once!(things.bytes.push_async(b"eight")), Ok(()));
    assert_eq!(at_once!(things.event.wait_async()), Ok(()));
    assert!(!things.event.is_set());
    assert_eq!(at_once!(things.latest.wait_changed_async(since)).map(|(value, _)| value), Ok(7));
    assert_eq!(at_once!(things.semaphore.acquire_many_async(2)).map(|p| p.count()), Ok(2));
    assert_eq!(*at_once!(things.mutex.lock_async()).expect("free"), 0);
    assert_eq!(at_once!(wait_async(things.queue.readable())), Ok(()));
}

#[test]
fn another_process_wakes_a_task() {
    let things = things("woken");
    let mut peer = Driver::new(&things);
    let runtime = many();
    // The peer waits first, or this process: either way nothing is lost.
    for round in 0..50 {
        peer.start("pop");
        things.queue.push(round).expect("push");
        peer.0.expect(&round.to_string());

        peer.start("wait");
        things.event.set().expect("set");
        peer.0.expect("()");

        peer.start("changed");
        peer.0.expect("seen");
        things.latest.set(round).expect("set");
        peer.0.expect(&round.to_string());

        let popped = runtime.spawn({
            let queue = things.queue.clone();
            async move { queue.pop_async().await }
        });
        peer.does("push 9", "()");
        assert_eq!(runtime.block_on(popped).expect("join"), Ok(9));
    }
    peer.0.join();
}

#[test]
fn a_full_queue_is_waited_for() {
    let things = things("full");
    let mut peer = Driver::new(&things);
    for number in 0..2 {
        things.queue.push(number).expect("room");
    }
    for round in 0..50 {
        peer.start(&format!("push {}", round + 2));
        assert_eq!(things.queue.pop(), Ok(round));
        peer.0.expect("()");
    }
    things.queue.close().expect("close");
    peer.does("push 1", "Closed(..)");
    peer.0.join();
}

#[test]
fn a_byte_queue_waits_for_room_for_its_length() {
    let things = things("bytes");
    let longest = things.bytes.max_message();
    one().block_on(async {
        for _ in 0..2 {
            things.bytes.push_async(&vec![1; longest]).await.expect("room");
        }
        let mut short = Box::pin(things.bytes.push_async(&[2; 64]));
        let message = vec![3; longest];
        let mut long = Box::pin(things.bytes.push_async(&message));
        assert!(poll_once(&mut long).is_pending());
        let mut both = (false, false);
        let mut lengths = Vec::new();
        while lengths.len() < 4 {
            tokio::select! {
                pushed = &mut short, if !both.0 => { pushed.expect("push"); both.0 = true; }
                pushed = &mut long, if !both.1 => { pushed.expect("push"); both.1 = true; }
                popped = things.bytes.pop_async() => lengths.push(popped.expect("pop").len()),
            }
        }
        lengths.sort_unstable();
        assert_eq!(lengths, [64, longest, longest, longest]);
        let error = things.bytes.push_async(&vec![0; longest + 1]).await;
        assert!(matches!(error, Err(BytePushError::TooLong { .. })));
        things.bytes.close().expect("close");
        assert_eq!(things.bytes.pop_async().await, Err(PopError::Closed));
        assert_eq!(things.bytes.push_async(b"x").await, Err(BytePushError::Closed));
    });
}

#[test]
fn a_guard_of_another_process_is_waited_for() {
    let things = things("guards");
    let mut peer = Driver::new(&things);
    things.bytes.push(b"first").expect("push");
    things.bytes.push(b"second").expect("push");
    peer.does("read", "read");
    let mut popped = Box::pin(things.bytes.pop_async());
    assert!(poll_once(&mut popped).is_pending());
    peer.does("release", "released");
    assert_eq!(block_on(popped), Ok(b"second".to_vec()));

    peer.does("grant", "granted");
    let mut pushed = Box::pin(things.bytes.push_async(b"third"));
    assert!(poll_once(&mut pushed).is_pending());
    peer.does("release", "released");
    assert_eq!(block_on(pushed), Ok(()));
    assert_eq!(block_on(things.bytes.pop_async()), Ok(b"third".to_vec()));

    peer.does("hold", "held");
    let mut locked = Box::pin(things.mutex.lock_async());
    assert!(poll_once(&mut locked).is_pending());
    peer.does("unhold", "free");
    drop(block_on(locked).expect("free"));

    peer.does("acquire 2", "acquired");
    let mut acquired = Box::pin(things.semaphore.acquire_many_async(2));
    assert!(poll_once(&mut acquired).is_pending());
    peer.does("give", "given");
    assert_eq!(block_on(acquired).map(|permit| permit.count()), Ok(2));
    peer.0.join();
}

#[test]
fn permits_are_waited_for_until_there_are_enough() {
    watchdog();
    let slots = Segment::anonymous().expect("segment").semaphore("s", 0).expect("semaphore");
    let runtime = many();
    let taken = runtime.spawn({
        let slots = slots.clone();
        async move { slots.acquire_many_async(3).await.map(outlive::Permit::forget) }
    });
    for _ in 0..3 {
        assert!(!taken.is_finished());
        slots.release(1).expect("release");
    }
    assert!(matches!(runtime.block_on(taken), Ok(Ok(Ok(())))));
    let bounded = Segment::anonymous().expect("segment").bounded_semaphore("s", 1).expect("one");
    let too_many = block_on(bounded.acquire_many_async(2)).map(drop);
    assert!(matches!(too_many, Err(SemaphoreError::TooMany { asked: 2, bound: 1 })));
}

#[test]
fn ends_of_a_ring_in_local_tasks() {
    watchdog();
    let ring = Segment::anonymous().expect("segment").spsc::<u64>("r", 3).expect("ring");
    let local = tokio::task::LocalSet::new();
    local.block_on(&one(), async {
        let (mut producer, mut consumer) =
            (ring.producer().expect("free"), ring.consumer().expect("free"));
        let pushing = tokio::task::spawn_local(async move {
            for number in 0..10_000 {
                producer.push_async(number).await.expect("push");
            }
            producer.close();
            producer.push_async(1).await
        });
        for number in 0..10_000 {
            assert_eq!(consumer.pop_async().await, Ok(number));
        }
        assert_eq!(consumer.pop_async().await, Err(PopError::Closed));
        assert_eq!(pushing.await.expect("join"), Err(PushError::Closed(1)));
    });
}

#[test]
fn two_threads_with_an_end_each() {
    let ring = Segment::anonymous().expect("segment").spsc::<u64>("r", 2).expect("ring");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut producer = ring.producer().expect("free");
            block_on(async {
                for number in 0..10_000 {
                    producer.push_async(number).await.expect("push");
                }
            });
        });
        let mut consumer = ring.consumer().expect("free");
        block_on(async {
            for number in 0..10_000 {
                assert_eq!(consumer.pop_async().await, Ok(number));
            }
        });
    });
}

#[test]
fn every_subscriber_gets_every_message() {
    let segment = Segment::anonymous().expect("segment");
    let channel = segment.broadcast::<u64>("b", 4, Slow::Block).expect("broadcast");
    let (subscribed, known) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            let (channel, subscribed) = (channel.clone(), subscribed.clone());
            scope.spawn(move || {
                let mut subscriber = channel.subscribe(Start::Newest).expect("a place");
                subscribed.send(()).expect("send");
                block_on(async {
                    for number in 0..1000 {
                        assert_eq!(subscriber.recv_async().await, Ok(number));
                    }
                    assert_eq!(subscriber.recv_async().await, Err(RecvError::Closed));
                });
            });
        }
        (0..3).for_each(|_| known.recv().expect("receive"));
        block_on(async {
            for number in 0..1000 {
                channel.publish_async(number).await.expect("publish");
            }
        });
        channel.close().expect("close");
        assert_eq!(block_on(channel.publish_async(1)), Err(PushError::Closed(1)));
    });
}

#[test]
fn a_task_of_the_same_thread_may_be_the_slow_subscriber() {
    let segment = Segment::anonymous().expect("segment");
    let channel = segment.broadcast::<u64>("b", 1, Slow::Block).expect("broadcast");
    let mut subscriber = channel.subscribe(Start::Newest).expect("a place");
    one().block_on(async {
        let publish = async {
            for number in 0..100 {
                channel.publish_async(number).await.expect("publish");
            }
        };
        let receive = async {
            for number in 0..100 {
                assert_eq!(subscriber.recv_async().await, Ok(number));
            }
        };
        tokio::join!(publish, receive);
    });
}

#[test]
fn closing_reaches_all_tasks() {
    let segment = Segment::anonymous().expect("segment");
    let queue = segment.queue::<u64>("q", 1).expect("queue");
    let runtime = many();
    let popping: Vec<_> = (0..20)
        .map(|_| {
            let queue = queue.clone();
            runtime.spawn(async move { queue.pop_async().await })
        })
        .collect();
    queue.close().expect("close");
    for task in popping {
        assert_eq!(runtime.block_on(task).expect("join"), Err(PopError::Closed));
    }
    assert_eq!(block_on(queue.push_async(5)), Err(PushError::Closed(5)));
}

#[test]
fn who_may_only_read_is_told_so() {
    watchdog();
    let name = unique("read-only");
    let segment = Segment::create(&name).expect("create");
    segment.queue::<u64>("q", 1).expect("queue");
    segment.event("e", outlive::Reset::Auto).expect("event");
    segment.latest("l", 0_u64).expect("latest");
    let reader = Segment::options().read_only(true).open(&name).expect("open");
    let queue = reader.find::<outlive::Queue<u64>>("q").expect("queue");
    let event = reader.find::<outlive::Event>("e").expect("event");
    let latest = reader.find::<outlive::Latest<u64>>("l").expect("latest");
    let read_only = LockError::ReadOnly;
    assert_eq!(block_on(queue.pop_async()), Err(PopError::Lock(read_only.clone())));
    assert_eq!(block_on(queue.push_async(3)), Err(PushError::Lock(3, read_only.clone())));
    assert_eq!(block_on(event.wait_async()), Err(read_only.clone()));
    let changed = block_on(latest.wait_changed_async(latest.version()));
    assert_eq!(changed.map(drop), Err(read_only.clone()));
    assert_eq!(block_on(wait_async(event)), Err(WaitError::Lock(read_only)));
}

#[test]
fn a_lock_across_an_await_is_an_error_to_the_threads_other_tasks() {
    watchdog();
    let mutex = Segment::anonymous().expect("segment").mutex("m", 0_u64).expect("mutex");
    one().block_on(async {
        let guard = mutex.lock_async().await.expect("free");
        assert!(matches!(mutex.lock_async().await, Err(LockError::Deadlock)));
        drop(guard);
        assert_eq!(*mutex.lock_async().await.expect("free"), 0);
    });
}
