//! What each call does, with one process.

use outlive::{PopError, PushError, Redeliver, Segment, TaskQueueOptions};

use super::driver::{Driver, queue, rest};
use crate::{Unwind, unwind};

#[test]
fn tasks_come_in_order_and_stay_until_they_are_done() {
    for capacity in [1, 2, 3, 64, 100] {
        let (_segment, queue, _name) = queue("order", capacity, Redeliver::Always);
        for round in 0..3 * capacity as u64 {
            queue.try_push(round).expect("push");
            let task = queue.try_pop().expect("pop");
            assert_eq!((*task, task.attempt(), task.is_redelivered()), (round, 1, false));
            assert_eq!((queue.len(), queue.unfinished()), (0, 1));
            task.done().expect("done");
            assert_eq!((queue.len(), queue.unfinished()), (0, 0));
        }
        (0..capacity as u64).for_each(|task| queue.try_push(task).expect("push"));
        assert_eq!(queue.try_push(9), Err(PushError::Full(9)));
        assert_eq!(
            (queue.len(), queue.unfinished(), queue.capacity()),
            (capacity, capacity, capacity)
        );
        assert_eq!(rest(&queue), (0..capacity as u64).map(|task| (task, 1)).collect::<Vec<_>>());
        assert!(queue.is_empty());
    }
}

/// One that takes long keeps one place, and not those after it.
#[test]
fn places_are_used_again_in_any_order() {
    let (_segment, queue, _name) = queue("places", 3, Redeliver::Always);
    queue.push(0).expect("push");
    let slow = queue.pop().expect("pop");
    for task in 1..20 {
        queue.try_push(2 * task).expect("push");
        queue.try_push(2 * task + 1).expect("push");
        assert_eq!(queue.try_push(9), Err(PushError::Full(9)));
        assert_eq!(rest(&queue), [(2 * task, 1), (2 * task + 1, 1)]);
    }
    assert_eq!(*slow, 0);
    slow.done().expect("done");
    assert_eq!(queue.unfinished(), 0);
}

#[test]
fn what_is_not_done_comes_back_first() {
    let (_segment, queue, _name) = queue("back", 5, Redeliver::Always);
    (1..=4).for_each(|task| queue.push(task).expect("push"));
    let [first, second, third] = [(); 3].map(|()| queue.pop().expect("pop"));
    drop(second);
    drop(third);
    drop(first);
    assert_eq!((queue.len(), queue.stats().redelivered), (4, 3));
    queue.push(5).expect("push");
    assert_eq!(rest(&queue), [(1, 2), (2, 2), (3, 2), (4, 1), (5, 1)]);
}

#[test]
fn a_panic_gives_the_task_up() {
    let (_segment, queue, _name) = queue("panic", 2, Redeliver::Always);
    queue.push(7).expect("push");
    unwind(|wanted: Unwind| {
        let _task = queue.pop().expect("pop");
        wanted.now();
    });
    assert_eq!(rest(&queue), [(7, 2)]);
}

#[test]
fn a_task_is_handed_out_so_often_and_then_has_failed() {
    for (redeliver, times) in
        [(Redeliver::Never, 1), (Redeliver::UpTo(0), 1), (Redeliver::UpTo(2), 3)]
    {
        let (_segment, queue, _name) = queue("often", 2, redeliver);
        queue.push(7).expect("push");
        queue.push(8).expect("push");
        for attempt in 1..=times {
            let task = queue.try_pop().expect("pop");
            assert_eq!((*task, task.attempt()), (7, attempt));
        }
        assert_eq!(queue.unfinished(), 1);
        let stats = queue.stats();
        assert_eq!((stats.redelivered, stats.failed), (u64::from(times) - 1, 1));
        assert_eq!(queue.pop_failed(), Ok(Some(7)));
        assert_eq!(queue.pop_failed(), Ok(None));
        assert_eq!(rest(&queue), [(8, 1)]);
    }
}

#[test]
fn a_task_that_is_put_back_was_not_handed_out() {
    let (_segment, queue, _name) = queue("put", 2, Redeliver::Never);
    (1..=2).for_each(|task| queue.push(task).expect("push"));
    for _ in 0..10 {
        queue.pop().expect("pop").put_back().expect("put back");
    }
    assert_eq!(rest(&queue), [(1, 1), (2, 1)]);
    assert_eq!((queue.stats().redelivered, queue.stats().failed), (0, 0));
}

#[test]
fn failed_tasks_are_kept_until_their_places_are_needed() {
    let (_segment, queue, _name) = queue("kept", 3, Redeliver::Always);
    for task in 1..=3 {
        queue.push(task).expect("push");
        queue.pop().expect("pop").fail().expect("fail");
    }
    assert_eq!((queue.stats().failed, queue.unfinished()), (3, 0));
    queue.try_push(4).expect("the oldest makes room");
    assert_eq!(queue.pop_failed(), Ok(Some(2)));
    queue.try_push(5).expect("push");
    queue.try_push(6).expect("the next one makes room");
    assert_eq!(queue.pop_failed(), Ok(None));
    assert_eq!(queue.try_push(7), Err(PushError::Full(7)));
    assert_eq!(rest(&queue), [(4, 1), (5, 1), (6, 1)]);
}

#[test]
fn as_many_tasks_are_in_hands_as_was_said() {
    let (_segment, queue, name) = queue("hands", 9, Redeliver::Always);
    assert_eq!(queue.holders(), 4);
    (1..=9).for_each(|task| queue.push(task).expect("push"));
    let mut tasks: Vec<_> = (0..4).map(|_| queue.pop().expect("pop")).collect();
    assert_eq!(queue.try_pop().unwrap_err(), PopError::Empty);
    let mut other = Driver::new(&name);
    other.block("pop");
    tasks.remove(1).done().expect("done");
    other.peer.expect("5 1");
    assert_eq!((queue.unfinished(), queue.len()), (8, 4));
}

#[test]
fn tasks_of_any_size_are_whole() {
    fn carry<T: outlive::Shared + PartialEq + std::fmt::Debug>(make: impl Fn(u8) -> T) {
        let (segment, _name) = crate::segment("sizes");
        let queue = segment.task_queue::<T>("t", 3).expect("queue");
        for number in 0..20 {
            queue.push(make(number)).expect("push");
            queue.push(make(number + 100)).expect("push");
            for number in [number, number + 100] {
                let task = queue.pop().expect("pop");
                assert_eq!(*task, make(number));
                task.done().expect("done");
            }
        }
    }
    carry(|number| number);
    carry(|number| [number; 3]);
    carry(|number| u128::from(number) << 90);
    carry(|number| [u64::from(number); 5]);
    carry(|number| [number; 1001]);
}

#[test]
fn another_process_finishes_what_this_one_pushed() {
    let (_segment, queue, name) = queue("process", 2, Redeliver::Always);
    let mut other = Driver::new(&name);
    queue.push(5).expect("push");
    other.does("pop", "5 1");
    assert_eq!((queue.len(), queue.unfinished()), (0, 1));
    other.does("done", "ended");
    assert_eq!(queue.unfinished(), 0);
    other.does("push 6", "pushed");
    assert_eq!(rest(&queue), [(6, 1)]);
}

#[test]
fn there_are_as_many_holders_as_tasks_but_no_more_than_64() {
    let segment = Segment::anonymous().expect("a segment");
    for (capacity, holders) in [(1, 1), (5, 5), (64, 64), (65, 64), (1000, 64)] {
        let name = capacity.to_string();
        assert_eq!(segment.task_queue::<u8>(&name, capacity).expect("queue").holders(), holders);
    }
    let options = TaskQueueOptions::new(2).holders(256);
    assert_eq!(segment.task_queue_with::<u8>("most", options).expect("queue").holders(), 256);
}
