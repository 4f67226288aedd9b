//! Many tasks.

use std::sync::Arc;

use outlive::{Reset, Segment};

use crate::cancel::{poll, waiting};
use crate::driver::{Driver, things};
use crate::runtime::many;
use crate::support::watchdog;

const MANY: u64 = 1000;

#[test]
fn a_thousand_tasks_wait_for_one_queue() {
    let queue = Segment::anonymous().expect("segment").queue("q", 10).expect("queue");
    let runtime = many();
    let tasks: Vec<_> = (0..MANY)
        .map(|_| {
            let queue = queue.clone();
            runtime.spawn(async move { queue.pop_async().await })
        })
        .collect();
    runtime.block_on(async {
        for number in 0..MANY {
            queue.push_async(number).await.expect("push");
        }
    });
    let mut popped: Vec<u64> =
        tasks.into_iter().map(|task| runtime.block_on(task).expect("join").expect("pop")).collect();
    popped.sort_unstable();
    assert!(popped.into_iter().eq(0..MANY));
}

#[test]
fn a_thousand_tasks_wait_for_a_thousand_events() {
    // More words than the kernel takes at once.
    let segment = Segment::options().capacity(4 << 20).anonymous().expect("segment");
    let events: Vec<_> = (0..MANY)
        .map(|number| segment.event(&format!("e{number}"), Reset::Auto).expect("event"))
        .collect();
    let runtime = many();
    for _ in 0..3 {
        let tasks: Vec<_> = events
            .iter()
            .cloned()
            .map(|event| runtime.spawn(async move { event.wait_async().await }))
            .collect();
        events.iter().rev().for_each(|event| event.set().expect("set"));
        for task in tasks {
            runtime.block_on(task).expect("join").expect("wait");
        }
        assert!(events.iter().all(|event| !event.is_set()));
    }
}

#[test]
fn a_manual_event_wakes_all() {
    let event = Segment::anonymous().expect("segment").event("e", Reset::Manual).expect("event");
    let runtime = many();
    let tasks: Vec<_> = (0..MANY)
        .map(|_| {
            let event = event.clone();
            runtime.spawn(async move { event.wait_async().await })
        })
        .collect();
    event.set().expect("set");
    for task in tasks {
        runtime.block_on(task).expect("join").expect("wait");
    }
}

#[test]
fn a_message_does_not_wake_everybody() {
    const TASKS: usize = 100;
    const MESSAGES: usize = 100;
    watchdog();
    let queue = Segment::anonymous().expect("segment").queue("q", 10).expect("queue");
    let mut tasks: Vec<_> = (0..TASKS).map(|_| waiting(&queue)).collect();
    let mut calls = 0;
    for number in 0..MESSAGES {
        queue.push(number as u64).expect("room");
        let (next, woken) = loop {
            let woken = tasks.iter().position(|(_, woken)| woken.is() > 0);
            match woken {
                Some(index) => break tasks.remove(index),
                None => std::thread::yield_now(),
            }
        };
        let mut next = next;
        if poll(&mut next, &woken).is_ready() {
            calls += woken.is();
        } else {
            panic!("it was woken for nothing");
        }
        drop(next);
        tasks.push(waiting(&queue));
    }
    calls += tasks.iter().map(|(_, woken)| woken.is()).sum::<usize>();
    // On a machine that stops for 100 ms, a turn is given to the next.
    assert!(calls < 10 * MESSAGES, "{calls} wake-ups for {MESSAGES} messages");
}

#[test]
fn tasks_of_several_processes_share_a_lock() {
    const ROUNDS: u64 = 500;
    let things = things("shared");
    let mut peers: Vec<_> = (0..2).map(|_| Driver::new(&things)).collect();
    let runtime = many();
    let mutex = Arc::new(things.mutex.clone());
    let tasks: Vec<_> = (0..4)
        .map(|_| {
            let mutex = Arc::clone(&mutex);
            runtime.spawn(async move {
                for _ in 0..ROUNDS {
                    *mutex.lock_async().await.expect("lock") += 1;
                }
            })
        })
        .collect();
    for _ in 0..20 {
        for peer in &mut peers {
            peer.does("hold", "held");
            peer.does("unhold", "free");
        }
    }
    for task in tasks {
        runtime.block_on(task).expect("join");
    }
    assert_eq!(*mutex.lock().expect("free"), 4 * ROUNDS);
    peers.into_iter().for_each(|peer| peer.0.join());
}
