//! `TaskQueue`: each task once, whole, in order; again after a death with it; the end, and who waits
//! for it; deaths at every step.

use super::process::bury;
use super::robust_list;
use super::run::{
    Kernel, begin, check, in_time, model, mortal, pass_time, process, with_death,
    with_death_bounded,
};
use crate::{PopError, Redeliver, Segment, TaskQueue, TaskQueueOptions};

/// A task of two words, so that half of one would be seen.
type Twin = [u64; 2];

fn queue(capacity: usize, redeliver: Redeliver, tasks: u64) -> TaskQueue<Twin> {
    let segment = Segment::anonymous().expect("a segment");
    let options = TaskQueueOptions::new(capacity).redeliver(redeliver).holders(2);
    let queue = segment.task_queue_with("queue", options).expect("a queue");
    (1..=tasks).for_each(|task| queue.push([task; 2]).expect("push"));
    begin(&segment);
    queue
}

fn whole([first, second]: Twin) -> u64 {
    assert_eq!(first, second, "torn");
    first
}

/// Pops a task and finishes it.
fn work(queue: &TaskQueue<Twin>) -> u64 {
    let task = queue.pop().expect("pop");
    let number = whole(*task);
    task.done().expect("done");
    number
}

/// What is left, and how often it was handed out.
fn rest(queue: &TaskQueue<Twin>) -> Vec<(u64, u32)> {
    std::iter::from_fn(|| {
        let task = queue.try_pop().ok()?;
        let seen = (whole(*task), task.attempt());
        task.done().expect("done");
        Some(seen)
    })
    .collect()
}

#[test]
fn through_a_full_and_an_empty_queue() {
    check(1, || {
        let queue = queue(1, Redeliver::Always, 0);
        let producer = queue.clone();
        let other = process(1, move || {
            producer.push([1; 2]).expect("push");
            producer.push([2; 2]).expect("push");
        });
        assert_eq!((work(&queue), work(&queue)), (1, 2));
        other.join().expect("a process");
        assert_eq!(queue.unfinished(), 0);
    });
}

#[test]
fn two_consumers() {
    check(1, || {
        let queue = queue(2, Redeliver::Always, 1);
        let others: Vec<_> = (1..3)
            .map(|number| {
                let queue = queue.clone();
                process(number, move || work(&queue))
            })
            .collect();
        queue.push([2; 2]).expect("push");
        let mut all: Vec<_> =
            others.into_iter().map(|other| other.join().expect("a process")).collect();
        all.sort_unstable();
        assert_eq!(all, [1, 2]);
    });
}

#[test]
fn who_joins_is_woken_by_the_last() {
    model(|| {
        let queue = queue(2, Redeliver::Always, 1);
        let consumer = queue.clone();
        let other = process(1, move || work(&consumer));
        queue.join().expect("join");
        assert_eq!(queue.unfinished(), 0);
        assert_eq!(other.join().expect("a process"), 1);
    });
}

#[test]
fn a_task_that_is_dropped_wakes_who_waits_for_one() {
    model(|| {
        let queue = queue(1, Redeliver::UpTo(1), 1);
        let consumer = queue.clone();
        let task = queue.pop().expect("pop");
        let other = process(1, move || work(&consumer));
        drop(task);
        assert_eq!(other.join().expect("a process"), 1);
    });
}

/// The end comes when nothing can come back.
#[test]
fn the_end_is_seen_after_the_last_task_is_settled() {
    model(|| {
        let queue = queue(1, Redeliver::Always, 1);
        let consumer = queue.clone();
        let task = queue.pop().expect("pop");
        let other = process(1, move || consumer.pop().map(|task| whole(*task)));
        queue.close().expect("close");
        task.done().expect("done");
        assert_eq!(other.join().expect("a process"), Err(PopError::Closed));
    });
}

#[test]
fn a_death_of_a_producer() {
    with_death(|mortality| {
        let queue = queue(2, Redeliver::Always, 0);
        let dying = queue.clone();
        let dying =
            mortal(1, &mortality, Kernel::Reports, move || dying.push([1; 2]).expect("push"));
        queue.push([2; 2]).expect("push");
        let lived = dying.join().expect("a process").is_some();
        let mut all = rest(&queue);
        all.sort_unstable();
        assert!(all == [(1, 1), (2, 1)] || (!lived && all == [(2, 1)]), "{all:?}");
        assert_eq!(queue.unfinished(), 0);
    });
}

#[test]
fn a_death_of_a_producer_for_whom_a_consumer_waits() {
    with_death_bounded(0, |mortality| {
        let queue = queue(2, Redeliver::Always, 0);
        let (dying, consumer) = (queue.clone(), queue.clone());
        let dying =
            mortal(1, &mortality, Kernel::Reports, move || dying.push([1; 2]).expect("push"));
        let other = in_time(2, move || work(&consumer));
        let lived = dying.join().expect("a process").is_some();
        queue.push([2; 2]).expect("push");
        let first = pass_time(other);
        assert!(first == 1 || (!lived && first == 2), "{first}");
        let left = rest(&queue);
        assert_eq!(left, if first == 1 { vec![(2, 1)] } else { vec![] });
    });
}

/// Its task comes back; who waits for one gets it without time passing.
#[test]
fn a_death_of_a_consumer_for_whom_another_one_waits() {
    with_death_bounded(0, |mortality| {
        let queue = queue(1, Redeliver::Always, 1);
        let (dying, consumer) = (queue.clone(), queue.clone());
        let dying = mortal(1, &mortality, Kernel::Reports, move || {
            // The other one may have come first.
            if let Ok(task) = dying.pop() {
                assert_eq!(whole(*task), 1);
                task.done().expect("done");
            }
        });
        let other = process(2, move || match consumer.pop() {
            Ok(task) => {
                let seen = whole(*task);
                task.done().expect("done");
                Some(seen)
            }
            Err(PopError::Closed) => None,
            Err(error) => panic!("{error}"),
        });
        queue.close().expect("close");
        dying.join().expect("a process");
        let seen = other.join().expect("a process");
        assert!(seen.is_none_or(|task| task == 1));
        queue.join().expect("join");
        assert_eq!(rest(&queue), []);
        assert_eq!(queue.stats().failed, 0);
    });
}

/// It fails, and who waits for the end, or for room, hears of it.
#[test]
fn a_death_of_a_consumer_for_whom_one_joins() {
    with_death_bounded(0, |mortality| {
        let queue = queue(1, Redeliver::Never, 1);
        let (dying, joins) = (queue.clone(), queue.clone());
        let dying = mortal(1, &mortality, Kernel::Reports, move || drop(dying.pop().expect("pop")));
        let other = process(2, move || joins.join().expect("join"));
        dying.join().expect("a process");
        // One that died before it took the task.
        let left = rest(&queue);
        other.join().expect("a process");
        assert!(left.len() <= 1 && left.iter().all(|task| *task == (1, 1)), "{left:?}");
        assert_eq!(queue.pop_failed(), Ok(left.is_empty().then_some([1; 2])));
        assert_eq!(queue.unfinished(), 0);
    });
}

#[test]
fn a_death_of_a_consumer_for_whom_a_producer_waits() {
    with_death_bounded(0, |mortality| {
        let queue = queue(1, Redeliver::Never, 1);
        let (dying, producer) = (queue.clone(), queue.clone());
        let dying = mortal(1, &mortality, Kernel::Reports, move || work(&dying));
        let other = process(2, move || producer.push([2; 2]).expect("push"));
        let worked = dying.join().expect("a process").is_some();
        let mut left = rest(&queue);
        other.join().expect("a process");
        left.extend(rest(&queue));
        let right: &[&[(u64, u32)]] =
            if worked { &[&[(2, 1)]] } else { &[&[(2, 1)], &[(1, 1), (2, 1)]] };
        assert!(right.contains(&left.as_slice()), "{left:?}");
    });
}

/// One that takes back what the dead had, and dies with it.
#[test]
fn a_death_of_one_who_repairs() {
    with_death(|mortality| {
        let queue = queue(2, Redeliver::Always, 2);
        let first = queue.clone();
        let first = process(1, move || {
            std::mem::forget(first.pop().expect("pop"));
            bury();
            robust_list::known().expect("a record").kernel_reports_death();
        });
        first.join().expect("a process");
        let dying = queue.clone();
        let dying = mortal(2, &mortality, Kernel::Reports, move || rest(&dying));
        let mut all = dying.join().expect("a process").unwrap_or_default();
        all.extend(rest(&queue));
        all.sort_unstable();
        let numbers: Vec<u64> = all.iter().map(|(task, _)| *task).collect();
        assert!(numbers.is_sorted() && all.iter().all(|(_, attempt)| *attempt <= 3), "{all:?}");
        assert_eq!(queue.unfinished(), 0);
    });
}
