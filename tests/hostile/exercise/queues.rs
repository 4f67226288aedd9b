//! Queues.

use std::fmt::Debug;
use std::hint::black_box;

use outlive::{Queue, Shared};

use super::{Others, SHORT, tried};

pub(crate) fn read<T: Shared>(queue: &Queue<T>) {
    black_box((queue.len(), queue.is_empty(), queue.is_closed(), queue.capacity()));
    black_box(format!("{:?} {queue:?}", queue.stats()));
}

pub(crate) fn any<T: Shared + Debug>(queue: &Queue<T>, new: T, others: Others) {
    read(queue);
    tried(queue.peek_all());
    tried(queue.try_pop());
    tried(queue.pop_timeout(SHORT));
    for _ in 0..3 {
        tried(queue.try_push(new));
    }
    tried(queue.push_timeout(new, SHORT));
    if others == Others::Quiet {
        // Each cell holds one message at most, and nobody pushes.
        assert!(queue.drain().count() <= queue.capacity(), "more messages than cells");
    } else {
        queue.drain().take(100).for_each(tried);
    }
    tried(queue.try_push(new));
    tried(queue.close());
    tried(queue.try_push(new));
    tried(queue.push_timeout(new, SHORT));
    tried(queue.try_pop());
    tried(queue.pop_timeout(SHORT));
    // Else these would wait for others to push and pop.
    if others == Others::Quiet && queue.is_closed() {
        tried(queue.push(new));
        tried(queue.pop());
        queue.iter().for_each(tried);
    }
    read(queue);
    black_box(queue.clone());
}
