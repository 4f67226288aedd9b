//! Waiting for all tasks to be settled.

use std::time::Duration;

use outlive::{LockError, PopError, PushError, Redeliver, TaskJoinError};

use super::driver::{Driver, queue, rest};
use crate::observe::not_before;

#[test]
fn a_queue_without_tasks_is_joined_at_once() {
    let (_segment, queue, _name) = queue("at-once", 3, Redeliver::Always);
    queue.join().expect("join");
    queue.join_timeout(Duration::ZERO).expect("join");
    queue.push(1).expect("push");
    assert_eq!(queue.join_timeout(Duration::ZERO), Err(TaskJoinError::TimedOut { unfinished: 1 }));
    assert_eq!(rest(&queue), [(1, 1)]);
    queue.join().expect("join");
}

#[test]
fn the_last_task_wakes_all_who_join() {
    for ends in ["done", "fail"] {
        let (_segment, queue, name) = queue("last", 3, Redeliver::Always);
        let mut joins = [Driver::new(&name), Driver::new(&name)];
        let mut workers = [Driver::new(&name), Driver::new(&name)];
        for _ in 0..5 {
            (1..=3).for_each(|task| queue.push(task).expect("push"));
            joins[0].block("join");
            joins[1].block("join-timeout 0 600000");
            workers[0].does("pop", "1 1");
            workers[1].does("pop", "2 1");
            workers[1].does(ends, "ended");
            workers[1].does("pop", "3 1");
            workers[0].does("done", "ended");
            assert!(matches!(
                queue.join_timeout(Duration::from_millis(1)),
                Err(TaskJoinError::TimedOut { unfinished: 1 })
            ));
            workers[1].does(ends, "ended");
            joins.iter_mut().for_each(|peer| peer.peer.expect("joined"));
        }
    }
}

/// There was a moment without tasks, though there are some again.
#[test]
fn a_moment_without_tasks_is_enough() {
    let (_segment, queue, name) = queue("moment", 3, Redeliver::Always);
    let mut joins = Driver::new(&name);
    for _ in 0..10 {
        queue.push(1).expect("push");
        joins.block("join");
        let task = queue.pop().expect("pop");
        task.done().expect("done");
        queue.push(2).expect("push");
        joins.peer.expect("joined");
        assert_eq!(rest(&queue), [(2, 1)]);
    }
}

#[test]
fn a_killed_holders_task_is_waited_for_until_another_one_has_done_it() {
    let (_segment, queue, name) = queue("killed", 3, Redeliver::Always);
    let mut joins = Driver::new(&name);
    for _ in 0..5 {
        let mut holder = Driver::new(&name);
        queue.push(1).expect("push");
        holder.does("pop", "1 1");
        joins.block("join");
        holder.peer.kill();
        assert_eq!(rest(&queue), [(1, 2)]);
        joins.peer.expect("joined");
    }
}

#[test]
fn a_killed_holders_task_that_fails_wakes_who_joins() {
    let (_segment, queue, name) = queue("fails", 3, Redeliver::Never);
    let mut joins = [Driver::new(&name), Driver::new(&name)];
    for round in 1..=5 {
        let mut holder = Driver::new(&name);
        queue.push(round).expect("push");
        holder.does("pop", &format!("{round} 1"));
        joins.iter_mut().for_each(|peer| peer.block("join"));
        holder.peer.kill();
        joins.iter_mut().for_each(|peer| peer.peer.expect("joined"));
        assert_eq!(queue.stats().failed, round);
        assert_eq!(queue.pop_failed(), Ok(Some(round)));
    }
}

#[test]
fn who_would_wait_for_itself_is_told() {
    let (_segment, queue, _name) = queue("itself", 4, Redeliver::Always);
    (1..=4).for_each(|task| queue.push(task).expect("push"));
    let mut mine = vec![queue.pop().expect("pop")];
    let refused = TaskJoinError::Lock(LockError::Deadlock);
    assert_eq!(queue.join(), Err(refused.clone()));
    assert_eq!(queue.join_timeout(Duration::MAX), Err(refused));
    mine.extend((0..3).map(|_| queue.pop().expect("pop")));
    assert_eq!(queue.push(5), Err(PushError::Lock(5, LockError::Deadlock)));
    assert_eq!(queue.try_push(5), Err(PushError::Full(5)));
    assert_eq!(queue.pop().unwrap_err(), PopError::Lock(LockError::Deadlock));
    assert_eq!(queue.try_pop().unwrap_err(), PopError::Empty);
    drop(mine);
    assert_eq!(rest(&queue).len(), 4);
    queue.join().expect("join");
}

#[test]
fn a_timeout_never_ends_early() {
    let (_segment, queue, name) = queue("timeout", 1, Redeliver::Always);
    for millis in [0, 1, 50, 130] {
        let timeout = Duration::from_millis(millis);
        let popped = not_before(timeout, || queue.pop_timeout(timeout).unwrap_err());
        assert_eq!(popped, PopError::TimedOut);
    }
    queue.push_timeout(1, Duration::ZERO).expect("there is room: no time is needed");
    let mut holder = Driver::new(&name);
    holder.does("pop-timeout 0 0", "1 1");
    for millis in [0, 1, 50, 130] {
        let timeout = Duration::from_millis(millis);
        let pushed = not_before(timeout, || queue.push_timeout(9, timeout));
        assert_eq!(pushed, Err(PushError::TimedOut(9)));
        let joined = not_before(timeout, || queue.join_timeout(timeout));
        assert_eq!(joined, Err(TaskJoinError::TimedOut { unfinished: 1 }));
    }
    holder.does("done", "ended");
    queue.join_timeout(Duration::MAX).expect("longer than any clock");
}
