//! Who waits is woken, in time and at no cost, whoever else is killed.

use std::time::Duration;

use outlive::{Redeliver, Reset, Waiting, wait_any};

use super::driver::{Driver, queue, rest};

#[test]
fn a_task_wakes_one_and_room_another() {
    let (_segment, queue, name) = queue("one", 1, Redeliver::Always);
    let mut consumers = [Driver::new(&name), Driver::new(&name)];
    for task in 1..20 {
        consumers[0].block("pop");
        queue.push(task).expect("push");
        consumers[0].peer.expect(&format!("{task} 1"));
        consumers[1].block("push 100");
        consumers[0].does("done", "ended");
        consumers[1].peer.expect("pushed");
        assert_eq!(rest(&queue), [(100, 1)]);
    }
}

#[test]
fn a_task_that_comes_back_wakes_who_waits() {
    for ends in ["drop", "put-back", "kill"] {
        let (_segment, queue, name) = queue("comes", 2, Redeliver::Always);
        let mut waiters = [Driver::new(&name), Driver::new(&name)];
        for round in 1..5 {
            let mut holder = Driver::new(&name);
            queue.push(round).expect("push");
            holder.does("pop", &format!("{round} 1"));
            waiters[0].block("pop");
            waiters[1].block("wait 0 600000");
            if ends == "kill" {
                holder.peer.kill();
            } else {
                holder.does(ends, "ended");
            }
            waiters[0].peer.expect(&format!("{round} {}", if ends == "put-back" { 1 } else { 2 }));
            waiters[0].does("drop", "ended");
            waiters[1].peer.expect("ready");
            let [(task, _)] = rest(&queue)[..] else { panic!("one task is left") };
            assert_eq!(task, round);
        }
    }
}

/// A producer waits for the place of a task that fails by its holder's death.
#[test]
fn a_task_that_fails_makes_room() {
    for command in ["push 9", "push-timeout 9 600000"] {
        let (_segment, queue, name) = queue("room", 1, Redeliver::Never);
        let mut producer = Driver::new(&name);
        for _ in 0..5 {
            let mut holder = Driver::new(&name);
            queue.push(1).expect("push");
            holder.does("pop", "1 1");
            producer.block(command);
            holder.peer.kill();
            producer.peer.expect("pushed");
            assert_eq!(rest(&queue), [(9, 1)]);
        }
    }
}

#[test]
fn waiting_does_not_use_the_processor() {
    let (_segment, queue, name) = queue("cost", 1, Redeliver::Always);
    let [mut sleeper, mut peer, mut holder] = [(); 3].map(|()| Driver::new(&name));
    for command in ["idle-pop 0 300", "idle-wait 0 300"] {
        sleeper.block("pop");
        peer.does(command, "idle");
        queue.push(5).expect("push");
        sleeper.peer.expect("5 1");
        sleeper.does("done", "ended");
    }
    // One has the task, and others wait for it to be done, for another one, and for room.
    queue.push(6).expect("push");
    holder.does("pop", "6 1");
    sleeper.block("join");
    peer.does("idle-join 0 300", "idle");
    peer.does("idle-push 7 300", "idle");
    peer.does("idle-pop 0 300", "idle");
    holder.does("done", "ended");
    sleeper.peer.expect("joined");
    // A process died, with nothing; that is nothing to run for.
    let mut dying = Driver::new(&name);
    dying.does("push 6", "pushed");
    dying.peer.kill();
    assert_eq!(rest(&queue), [(6, 1)]);
    sleeper.block("pop");
    peer.does("idle-pop 0 300", "idle");
    // One died as it waited.
    sleeper.peer.kill();
    peer.does("idle-pop 0 300", "idle");
}

#[test]
fn in_every_manner_of_waiting_deaths_are_noticed() {
    for waiting in [Waiting::Adaptive, Waiting::Park, Waiting::Yield, Waiting::Spin] {
        let (_segment, queue, name) = queue("manner", 1, Redeliver::UpTo(1));
        let queue = queue.with_waiting(waiting);
        for expected in [(1, 1), (1, 2)] {
            let mut holder = Driver::new(&name);
            if expected.1 == 1 {
                queue.push(1).expect("push");
            }
            holder.does("pop", &format!("{} {}", expected.0, expected.1));
            std::thread::scope(|scope| {
                let joins = scope.spawn(|| queue.join_timeout(Duration::from_millis(1)).is_err());
                assert!(joins.join().expect("join"));
                holder.peer.kill();
            });
            if expected.1 == 1 {
                assert!(queue.join_timeout(Duration::ZERO).is_err(), "it came back");
            }
        }
        queue.join().expect("it has failed");
        assert_eq!(queue.stats().failed, 1);
    }
}

#[test]
fn tasks_are_waited_for_together_with_other_things() {
    let (segment, queue, name) = queue("any", 2, Redeliver::Always);
    let event = segment.event("e", Reset::Manual).expect("event");
    let readable = queue.readable();
    let now = Some(Duration::ZERO);
    assert_eq!(wait_any(&[&event, &readable], now).expect("wait"), None);
    queue.push(1).expect("push");
    assert_eq!(wait_any(&[&event, &readable], now).expect("wait"), Some(1));
    let mut holder = Driver::new(&name);
    holder.does("pop", "1 1");
    assert_eq!(wait_any(&[&event, &readable], now).expect("wait"), None);
    holder.peer.kill();
    assert_eq!(wait_any(&[&event, &readable], None).expect("wait"), Some(1));
    assert_eq!(rest(&queue), [(1, 2)]);
    assert_eq!(wait_any(&[&event, &readable], now).expect("wait"), None);
    queue.close().expect("close");
    assert_eq!(wait_any(&[&event, &readable], now).expect("wait"), Some(1));
}

#[test]
fn who_sleeps_as_another_dies_waiting_gets_the_next_task() {
    let (_segment, queue, name) = queue("next", 2, Redeliver::Always);
    let mut sleepers = [Driver::new(&name), Driver::new(&name)];
    for task in 1..5 {
        let mut dying = Driver::new(&name);
        sleepers.iter_mut().for_each(|sleeper| sleeper.block("pop"));
        dying.block("pop");
        dying.peer.kill();
        (0..2).for_each(|_| queue.push(task).expect("push"));
        for sleeper in &mut sleepers {
            sleeper.peer.expect(&format!("{task} 1"));
            sleeper.does("done", "ended");
        }
    }
}
