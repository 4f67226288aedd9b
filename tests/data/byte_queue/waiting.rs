//! Who waits is woken, in time and at no cost, whoever else is killed.

use std::time::Duration;

use outlive::{BytePushError, PopError, Reset, wait_any};

use super::driver::{Driver, queue};
use crate::observe::not_before;

/// Room for one message of eight bytes, and no more than one empty one beside it.
const ONE: usize = 24;

#[test]
fn a_push_wakes_who_pops_and_a_pop_wakes_who_pushes() {
    for capacity in [ONE, 40, 4096] {
        let (_segment, queue, name) = queue("wakes", capacity);
        let mut peer = Driver::new(&name);
        for command in ["pop", "pop-timeout - 600000"] {
            for number in 0..20 {
                peer.block(command);
                queue.push(number.to_string().as_bytes()).expect("push");
                peer.peer.expect(&number.to_string());
            }
        }
        for command in ["push 12345678", "push-timeout 12345678 600000"] {
            while queue.try_push(b"12345678").is_ok() {}
            let length = queue.len();
            for _ in 0..20 {
                peer.block(command);
                // Where the ring's end lies between, one message less fits.
                while queue.len() + 1 > length.saturating_sub(1).max(1) {
                    queue.pop().expect("pop");
                }
                peer.peer.expect("pushed");
                while queue.try_push(b"12345678").is_ok() {}
            }
            while queue.try_pop().is_ok() {}
        }
        peer.peer.join();
    }
}

#[test]
fn one_long_message_makes_room_for_several_short_ones() {
    let (_segment, queue, name) = queue("several", 64);
    let mut waiters = [(); 3].map(|()| Driver::new(&name));
    for _ in 0..10 {
        queue.push(&[1; 24]).expect("push");
        queue.push(&[2; 24]).expect("push");
        assert_eq!(queue.len(), 2);
        waiters.iter_mut().for_each(|waiter| waiter.block("push short"));
        queue.pop().expect("pop");
        queue.pop().expect("pop");
        waiters.iter_mut().for_each(|waiter| waiter.peer.expect("pushed"));
        (0..3).for_each(|_| assert_eq!(queue.pop().as_deref(), Ok(&b"short"[..])));
        // The next round begins at the ring's start.
        queue.push(&[0; 8]).expect("push");
        queue.pop().expect("pop");
    }
    waiters.into_iter().for_each(|waiter| waiter.peer.join());
}

#[test]
fn a_timeout_never_ends_early() {
    let (_segment, queue, _name) = queue("timeout", 32);
    for millis in [0, 1, 50, 130] {
        let timeout = Duration::from_millis(millis);
        let popped = not_before(timeout, || queue.pop_timeout(timeout));
        assert_eq!(popped, Err(PopError::TimedOut));
        let read = not_before(timeout, || queue.read_timeout(timeout).map(drop));
        assert_eq!(read, Err(PopError::TimedOut));
    }
    queue.push_timeout(&[1; 8], Duration::ZERO).expect("there is room: no time is needed");
    queue.push_timeout(&[2; 8], Duration::MAX).expect("longer than any clock");
    for millis in [0, 1, 50, 130] {
        let timeout = Duration::from_millis(millis);
        let pushed = not_before(timeout, || queue.push_timeout(&[9; 8], timeout));
        assert_eq!(pushed, Err(BytePushError::TimedOut));
        let granted = not_before(timeout, || queue.grant_timeout(8, timeout).map(drop));
        assert_eq!(granted, Err(BytePushError::TimedOut));
    }
    assert_eq!(queue.pop_timeout(Duration::ZERO), Ok(vec![1; 8]));
    assert_eq!(queue.pop_timeout(Duration::MAX), Ok(vec![2; 8]));
}

#[test]
fn close_wakes_everybody() {
    for (full, commands) in [
        (false, ["pop", "pop", "pop-timeout - 600000", "wait-readable"]),
        (true, ["push 12345678", "push x", "push-timeout x 600000", "wait-writable - 1"]),
    ] {
        let (_segment, queue, name) = queue("close", ONE);
        if full {
            queue.push(&[1; 8]).expect("push");
            queue.push(&[]).expect("push");
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
        for (waiter, command) in waiters.iter_mut().zip(commands) {
            waiter.peer.expect(if command.starts_with("wait") { "ready" } else { "Closed" });
        }
        assert_eq!(queue.len(), if full { 2 } else { 0 });
        waiters.into_iter().for_each(|waiter| waiter.peer.join());
    }
}

#[test]
fn waiting_does_not_use_the_processor() {
    let (_segment, queue, name) = queue("cost", ONE);
    let mut waiters = [(); 3].map(|()| Driver::new(&name));
    for command in ["idle-pop -", "idle-push 12345678"] {
        if command.starts_with("idle-push") {
            queue.push(&[1; 8]).expect("push");
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
        let (_segment, queue, name) = queue("killed", ONE);
        let (wait, woken) = if full { ("push 12345678", "pushed") } else { ("pop", "5") };
        let mut survivor = Driver::new(&name);
        for _ in 0..10 {
            if full {
                queue.push(&[1; 8]).expect("push");
            }
            let mut victims = [Driver::new(&name), Driver::new(&name)];
            victims[0].block(wait);
            survivor.block(wait);
            victims[1].block(wait);
            victims.into_iter().for_each(|victim| victim.peer.kill());
            if full {
                assert_eq!(queue.pop(), Ok(vec![1; 8]));
            } else {
                queue.push(b"5").expect("push");
            }
            survivor.peer.expect(woken);
            if full {
                let popped = queue.pop();
                assert_eq!(popped.as_deref(), Ok(&b"12345678"[..]), "of the dead came nothing");
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
    let (_segment, queue, name) = queue("stopped", 64);
    let mut stopped = Driver::new(&name);
    let mut other = Driver::new(&name);
    stopped.block("pop");
    stopped.stop();
    other.block("pop");
    queue.push(b"1").expect("push");
    other.peer.expect("1");
    stopped.go_on();
    queue.push(b"2").expect("push");
    stopped.peer.expect("2");
    stopped.peer.join();
    other.peer.join();
}

#[test]
fn the_ends_are_waited_for_together_with_other_things() {
    let (segment, queue, name) = queue("any", 32);
    let event = segment.event("e", Reset::Manual).expect("event");
    let readable = queue.readable();
    let [short, long, never] = [0, queue.max_message(), 1000].map(|n| queue.writable(n));
    let now = Some(Duration::ZERO);
    for _ in 0..10 {
        assert_eq!(wait_any(&[&event, &readable], now).expect("wait"), None);
        assert_eq!(wait_any(&[&event, &long], now).expect("wait"), Some(1));
        assert_eq!(wait_any(&[&event, &never], now).expect("wait"), Some(1), "refused at once");
        queue.push(&[1; 8]).expect("push");
        assert_eq!(wait_any(&[&event, &readable], now).expect("wait"), Some(1));
        queue.push(&[]).expect("push");
        assert_eq!(wait_any(&[&event, &long], now).expect("wait"), None);
        assert_eq!(wait_any(&[&event, &short], now).expect("wait"), Some(1));
        queue.push(&[]).expect("push");
        assert_eq!(wait_any(&[&event, &short], now).expect("wait"), None);
        (0..3).for_each(|_| drop(queue.pop().expect("pop")));
    }
    let mut peer = Driver::new(&name);
    for _ in 0..10 {
        peer.block("wait-readable");
        queue.push(&[1; 8]).expect("push");
        peer.peer.expect("ready");
        queue.push(&[2; 8]).expect("push");
        peer.block("wait-writable - 8");
        queue.pop().expect("pop");
        peer.peer.expect("ready");
        queue.pop().expect("pop");
    }
    peer.peer.join();
}

#[test]
fn peers_answer_through_the_error_values_too() {
    let (_segment, queue, name) = queue("answers", ONE);
    let mut peer = Driver::new(&name);
    peer.does("try-pop", "Empty");
    peer.does("pop-timeout - 0", "TimedOut");
    peer.does("try-push 12345678", "pushed");
    peer.does("try-push 12345678", "Full");
    peer.does("push-timeout 12345678 1", "TimedOut");
    peer.does("push 123456789", "TooLong { length: 9, largest: 8 }");
    assert_eq!(queue.pop().as_deref(), Ok(&b"12345678"[..]));
    peer.peer.join();
}
