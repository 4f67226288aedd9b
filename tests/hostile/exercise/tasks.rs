//! Task queues.

use std::fmt::Debug;
use std::hint::black_box;
use std::time::Duration;

use outlive::{Shared, TaskQueue};

use super::{Others, SHORT, outcome, show, tried};

pub(crate) fn read<T: Shared>(queue: &TaskQueue<T>) {
    let capacity = queue.capacity();
    assert!(queue.len() <= capacity, "{} tasks", queue.len());
    assert!(queue.unfinished() <= capacity, "{} unfinished tasks", queue.unfinished());
    black_box((queue.is_empty(), queue.is_closed(), queue.holders()));
    show((queue.stats(), queue.clone()));
}

pub(crate) fn any<T: Shared + Debug>(queue: &TaskQueue<T>, new: T, others: Others) {
    read(queue);
    tried(queue.pop_failed());
    work(queue);
    for _ in 0..3 {
        tried(queue.try_push(new));
    }
    tried(queue.push_timeout(new, Duration::ZERO));
    work(queue);
    if others == Others::Quiet {
        let most = queue.capacity();
        let done = |_: &usize| outcome(queue.try_pop()).is_some_and(|task| task.done().is_ok());
        let count = (0..=most).take_while(done).count();
        // Nobody pushes.
        assert!(count <= most, "{count} tasks");
        if queue.unfinished() == 0 {
            tried(queue.join());
        }
    }
    tried(queue.try_push(new));
    tried(queue.close());
    tried(queue.try_push(new));
    tried(queue.push_timeout(new, Duration::ZERO));
    work(queue);
    // Else these would wait for others.
    if others == Others::Quiet && queue.is_closed() {
        tried(queue.push(new));
        for _ in 0..=queue.capacity() {
            if let Some(task) = outcome(queue.pop()) {
                tried(task.done());
            }
        }
    }
    tried(queue.pop_failed());
    read(queue);
}

fn work<T: Shared + Debug>(queue: &TaskQueue<T>) {
    let held = outcome(queue.try_pop());
    if let Some(task) = outcome(queue.pop_timeout(SHORT)) {
        show((&*task, task.attempt(), task.is_redelivered()));
        tried(queue.join_timeout(Duration::ZERO));
        tried(task.put_back());
    }
    if let Some(task) = outcome(queue.try_pop()) {
        tried(task.fail());
    }
    drop(held);
    if let Some(task) = outcome(queue.try_pop()) {
        tried(task.done());
    }
    tried(queue.join_timeout(SHORT));
}
