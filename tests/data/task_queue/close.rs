//! The end comes when every task is settled, and nothing can come back.

use outlive::{PopError, PushError, Redeliver};

use super::driver::{Driver, queue, rest};

#[test]
fn what_was_pushed_before_is_handed_out_after() {
    let (_segment, queue, _name) = queue("after", 3, Redeliver::Always);
    (1..=3).for_each(|task| queue.push(task).expect("push"));
    queue.close().expect("close");
    queue.close().expect("a second time");
    assert!(queue.is_closed());
    assert_eq!(queue.push(4), Err(PushError::Closed(4)));
    assert_eq!(queue.try_push(4), Err(PushError::Closed(4)));
    assert_eq!(rest(&queue), [(1, 1), (2, 1), (3, 1)]);
    assert_eq!(queue.try_pop().unwrap_err(), PopError::Closed);
    assert_eq!(queue.pop().unwrap_err(), PopError::Closed);
}

#[test]
fn the_end_waits_for_tasks_in_others_hands() {
    for (ends, heard) in [("done", "Closed"), ("fail", "Closed"), ("drop", "1 2")] {
        let (_segment, queue, name) = queue("hands", 3, Redeliver::Always);
        queue.push(1).expect("push");
        let (mut holder, mut waiter) = (Driver::new(&name), Driver::new(&name));
        holder.does("pop", "1 1");
        queue.close().expect("close");
        assert_eq!(queue.try_pop().unwrap_err(), PopError::Empty, "it may come back");
        waiter.block("pop");
        holder.does(ends, "ended");
        waiter.peer.expect(heard);
    }
}

#[test]
fn a_death_brings_the_last_task_back_after_the_close() {
    for (redeliver, heard) in [(Redeliver::Always, "1 2"), (Redeliver::Never, "Closed")] {
        let (_segment, queue, name) = queue("death", 3, redeliver);
        let mut waiters = [Driver::new(&name), Driver::new(&name)];
        let mut holder = Driver::new(&name);
        queue.push(1).expect("push");
        holder.does("pop", "1 1");
        queue.close().expect("close");
        waiters[0].block("pop");
        holder.peer.kill();
        waiters[0].peer.expect(heard);
        if heard != "Closed" {
            waiters[1].block("pop");
            waiters[0].does("done", "ended");
            waiters[1].peer.expect("Closed");
        }
    }
}

#[test]
fn who_has_tasks_itself_does_not_wait_for_them() {
    let (_segment, queue, name) = queue("own", 3, Redeliver::Always);
    (1..=3).for_each(|task| queue.push(task).expect("push"));
    queue.close().expect("close");
    let mine = [queue.pop().expect("pop"), queue.pop().expect("pop")];
    let mut other = Driver::new(&name);
    other.does("pop", "3 1");
    assert_eq!(queue.try_pop().unwrap_err(), PopError::Empty);
    other.does("done", "ended");
    assert_eq!(queue.pop().unwrap_err(), PopError::Closed);
    other.block("pop");
    mine.into_iter().for_each(|task| task.done().expect("done"));
    other.peer.expect("Closed");
}

#[test]
fn a_close_wakes_all_who_wait() {
    let (_segment, queue, name) = queue("wakes", 1, Redeliver::Always);
    let mut consumers = [Driver::new(&name), Driver::new(&name)];
    consumers[0].block("pop");
    consumers[1].block("pop-timeout 0 600000");
    queue.close().expect("close");
    consumers.iter_mut().for_each(|peer| peer.peer.expect("Closed"));
    consumers[0].does("wait 0 0", "ready");
}

#[test]
fn a_close_wakes_all_who_wait_for_room() {
    let (_segment, queue, name) = queue("room", 1, Redeliver::Always);
    queue.push(1).expect("push");
    let mut producers = [Driver::new(&name), Driver::new(&name)];
    producers[0].block("push 7");
    producers[1].block("push-timeout 8 600000");
    queue.close().expect("close");
    producers[0].peer.expect("Closed(..) 7");
    producers[1].peer.expect("Closed(..) 8");
    assert_eq!(rest(&queue), [(1, 1)]);
}
