//! Who waits is woken, in time and at no cost, whoever else is killed.

use std::time::Duration;

use outlive::{PopError, PushError};

use super::driver::{Driver, queue};
use crate::observe::not_before;

#[test]
fn a_push_wakes_who_pops_and_a_pop_wakes_who_pushes() {
    for capacity in [1, 2, 3] {
        let (_segment, queue, name) = queue("wakes", capacity);
        let mut peer = Driver::new(&name);
        for command in ["pop", "pop-timeout 600000"] {
            for message in 0..20 {
                peer.block(command);
                queue.push(message).expect("push");
                peer.peer.expect(&message.to_string());
            }
        }
        for command in ["push 5", "push-timeout 5 600000"] {
            (0..capacity).for_each(|_| queue.push(1).expect("push"));
            for _ in 0..20 {
                peer.block(command);
                queue.pop().expect("pop");
                peer.peer.expect("pushed");
                assert_eq!(queue.len(), capacity);
            }
            assert_eq!(queue.drain().count(), capacity);
        }
        peer.peer.join();
    }
}

#[test]
fn a_timeout_never_ends_early() {
    let (_segment, queue, _name) = queue("timeout", 2);
    for millis in [0, 1, 50, 130] {
        let timeout = Duration::from_millis(millis);
        let popped = not_before(timeout, || queue.pop_timeout(timeout));
        assert_eq!(popped, Err(PopError::TimedOut));
    }
    queue.push_timeout(1, Duration::ZERO).expect("there is room: no time is needed");
    queue.push_timeout(2, Duration::MAX).expect("longer than any clock");
    for millis in [0, 1, 50, 130] {
        let timeout = Duration::from_millis(millis);
        let pushed = not_before(timeout, || queue.push_timeout(9, timeout));
        assert_eq!(pushed, Err(PushError::TimedOut(9)));
    }
    assert_eq!(queue.pop_timeout(Duration::ZERO), Ok(1));
    assert_eq!(queue.pop_timeout(Duration::MAX), Ok(2));
}

#[test]
fn close_wakes_everybody() {
    for (full, commands) in [
        (false, ["pop", "pop", "pop-timeout 600000", "pop"]),
        (true, ["push 7", "push 7", "push-timeout 7 600000", "push 7"]),
    ] {
        let (_segment, queue, name) = queue("close", 1);
        if full {
            queue.push(1).expect("push");
        }
        let mut waiters: Vec<Driver> = commands
            .iter()
            .map(|command| {
                let mut waiter = Driver::new(&name);
                waiter.block(command);
                waiter
            })
            .collect();
        queue.close().expect("close");
        for waiter in &mut waiters {
            waiter.peer.expect(if full { "Closed(..) 7" } else { "Closed" });
        }
        assert_eq!(queue.drain().count(), usize::from(full));
        waiters.into_iter().for_each(|waiter| waiter.peer.join());
    }
}

#[test]
fn waiting_does_not_use_the_processor() {
    let (_segment, queue, name) = queue("cost", 1);
    let mut waiters = [(); 3].map(|()| Driver::new(&name));
    for command in ["idle-pop", "idle-push"] {
        if command == "idle-push" {
            queue.push(1).expect("push");
        }
        // The first one to give up is not to disturb the others, nor they each other.
        for (waiter, millis) in waiters.iter_mut().zip([100, 300, 300]) {
            waiter.start(&format!("{command} {millis}"));
        }
        waiters.iter_mut().for_each(|waiter| waiter.peer.expect("idle"));
    }
    waiters.into_iter().for_each(|waiter| waiter.peer.join());
}

#[test]
fn killed_waiters_do_not_disturb_the_others() {
    for full in [false, true] {
        let (_segment, queue, name) = queue("killed", 1);
        let (wait, woken) = if full { ("push 9", "pushed") } else { ("pop", "5") };
        let mut survivor = Driver::new(&name);
        for _ in 0..10 {
            if full {
                queue.push(1).expect("push");
            }
            let mut victims = [Driver::new(&name), Driver::new(&name)];
            victims[0].block(wait);
            survivor.block(wait);
            victims[1].block(wait);
            victims.into_iter().for_each(|victim| victim.peer.kill());
            if full {
                assert_eq!(queue.pop(), Ok(1));
            } else {
                queue.push(5).expect("push");
            }
            survivor.peer.expect(woken);
            if full {
                assert_eq!(queue.pop(), Ok(9), "nothing came of the dead ones' messages");
            }
            assert!(queue.is_empty());
        }
        let stats = queue.stats();
        assert_eq!((stats.dropped, stats.redelivered), (0, 0), "nobody died at work");
        survivor.peer.join();
    }
}

#[test]
fn a_message_that_a_stopped_consumer_was_woken_for_goes_to_another() {
    let (_segment, queue, name) = queue("stopped", 1);
    let mut stopped = Driver::new(&name);
    let mut other = Driver::new(&name);
    stopped.block("pop");
    stopped.stop();
    other.block("pop");
    queue.push(1).expect("push");
    other.peer.expect("1");
    stopped.go_on();
    queue.push(2).expect("push");
    stopped.peer.expect("2");
    stopped.peer.join();
    other.peer.join();
}

#[test]
fn peers_answer_through_the_error_values_too() {
    let (_segment, queue, name) = queue("answers", 1);
    let mut peer = Driver::new(&name);
    peer.does("try-pop", "Empty");
    peer.does("pop-timeout 0", "TimedOut");
    peer.does("try-push 3", "pushed");
    peer.does("try-push 4", "Full(..) 4");
    peer.does("push-timeout 4 1", "TimedOut(..) 4");
    assert_eq!(queue.pop(), Ok(3));
    peer.peer.join();
}
