//! Who waits is woken, in time and at no cost, whoever else is killed.

use std::time::Duration;

use outlive::{PushError, RecvError, Reset, Slow, Start, wait_any};

use super::driver::{Driver, channel, rest};
use crate::observe::not_before;

#[test]
fn a_message_wakes_every_subscriber() {
    for slow in [Slow::Block, Slow::Overwrite] {
        let (_segment, channel, name) = channel("message", 1, slow);
        let mut peers = [Driver::subscribed(&name), Driver::subscribed(&name)];
        let mut message = 0;
        for command in ["recv", "recv-timeout 0 600000", "wait 0 600000"] {
            for _ in 0..10 {
                message += 1;
                peers.iter_mut().for_each(|peer| peer.block(command));
                channel.publish(message).expect("publish");
                for peer in &mut peers {
                    if command.starts_with("wait") {
                        peer.peer.expect("ready");
                        peer.does("try-recv", &message.to_string());
                    } else {
                        peer.peer.expect(&message.to_string());
                    }
                }
            }
        }
    }
}

#[test]
fn the_slowest_subscriber_lets_all_publishers_go_on() {
    for capacity in [1, 3] {
        let (_segment, channel, name) = channel("slowest", capacity, Slow::Block);
        let mut slow = channel.subscribe(Start::Newest).expect("subscribe");
        let mut slower = channel.subscribe(Start::Newest).expect("subscribe");
        (0..capacity as u64).for_each(|message| channel.publish(message).expect("publish"));
        let mut publishers = [Driver::new(&name), Driver::new(&name)];
        for command in ["publish 50", "publish-timeout 50 600000"] {
            for _ in 0..10 {
                publishers.iter_mut().for_each(|peer| peer.block(command));
                // Either is waited for.
                let mut all = Vec::new();
                while all.len() < 2 {
                    slow.recv().expect("recv");
                    all.push(slower.recv().expect("recv"));
                }
                publishers.iter_mut().for_each(|peer| peer.peer.expect("published"));
                assert_eq!((slow.pending(), slower.pending()), (capacity as u64, capacity as u64));
            }
        }
        // And by leaving.
        publishers.iter_mut().for_each(|peer| peer.block("publish 60"));
        drop(slow);
        drop(slower);
        publishers.iter_mut().for_each(|peer| peer.peer.expect("published"));
    }
}

#[test]
fn a_timeout_never_ends_early() {
    let (_segment, channel, _name) = channel("timeout", 2, Slow::Block);
    let mut subscriber = channel.subscribe(Start::Newest).expect("subscribe");
    for millis in [0, 1, 50, 130] {
        let timeout = Duration::from_millis(millis);
        let received = not_before(timeout, || subscriber.recv_timeout(timeout));
        assert_eq!(received, Err(RecvError::TimedOut));
        let ready = not_before(timeout, || wait_any(&[&subscriber], Some(timeout)));
        assert_eq!(ready.expect("wait"), None);
    }
    channel.publish_timeout(1, Duration::ZERO).expect("there is room: no time is needed");
    channel.publish_timeout(2, Duration::MAX).expect("longer than any clock");
    for millis in [0, 1, 50, 130] {
        let timeout = Duration::from_millis(millis);
        let published = not_before(timeout, || channel.publish_timeout(9, timeout));
        assert_eq!(published, Err(PushError::TimedOut(9)));
    }
    assert_eq!(subscriber.recv_timeout(Duration::ZERO), Ok(1));
    assert_eq!(subscriber.recv_timeout(Duration::MAX), Ok(2));
}

#[test]
fn waiting_does_not_use_the_processor() {
    let (_segment, channel, name) = channel("cost", 1, Slow::Block);
    let mut sleeper = Driver::subscribed(&name);
    let mut peer = Driver::subscribed(&name);
    // The other one sleeps all the while: it is not woken for nothing, and wakes nobody.
    for command in ["idle-recv 0 300", "idle-wait 0 300"] {
        sleeper.block("recv");
        peer.does(command, "idle");
        channel.publish(5).expect("publish");
        sleeper.peer.expect("5");
        peer.does("recv", "5");
    }
    // A publisher died, with nothing; that is nothing to run for.
    let mut dying = Driver::new(&name);
    dying.does("publish 6", "published");
    dying.peer.kill();
    sleeper.does("recv", "6");
    sleeper.block("recv");
    peer.does("recv", "6");
    peer.does("idle-recv 0 300", "idle");
    // Two publishers wait for one.
    channel.publish(7).expect("publish");
    sleeper.peer.expect("7");
    let mut publishers = [Driver::new(&name), Driver::new(&name)];
    publishers[0].block("publish 8");
    publishers[1].does("idle-publish 9 300", "idle");
    peer.does("recv", "7");
    publishers[0].peer.expect("published");
    sleeper.does("recv", "8");
    peer.does("recv", "8");
}

#[test]
fn subscribers_are_waited_for_together_with_other_things() {
    let (segment, channel, _name) = channel("any", 2, Slow::Overwrite);
    let event = segment.event("e", Reset::Manual).expect("event");
    let mut first = channel.subscribe(Start::Newest).expect("subscribe");
    channel.publish(1).expect("publish");
    let mut second = channel.subscribe(Start::Newest).expect("subscribe");
    let now = Some(Duration::ZERO);
    assert_eq!(wait_any(&[&event, &second], now).expect("wait"), None);
    assert_eq!(wait_any(&[&event, &second, &first], now).expect("wait"), Some(2));
    assert_eq!(first.try_recv(), Ok(1), "a look took nothing");
    assert_eq!(wait_any(&[&event, &second, &first], now).expect("wait"), None);
    (2..10).for_each(|message| channel.publish(message).expect("publish"));
    // That messages were missed is something to be told, too.
    assert_eq!(wait_any(&[&event, &second], now).expect("wait"), Some(1));
    assert_eq!(rest(&mut second), [0, 0, 0, 0, 0, 0, 8, 9]);
    assert_eq!(wait_any(&[&event, &second], now).expect("wait"), None);
    event.set().expect("set");
    assert_eq!(wait_any(&[&second, &event], now).expect("wait"), Some(1));
    event.clear().expect("clear");
    rest(&mut first);
    channel.close().expect("close");
    assert_eq!(wait_any(&[&event, &first], now).expect("wait"), Some(1));
}

#[test]
fn who_sleeps_as_a_publisher_dies_gets_the_next_ones_message() {
    for command in ["recv", "recv-timeout 0 600000"] {
        let (_segment, channel, name) = channel("next", 1, Slow::Block);
        let mut sleepers = [Driver::subscribed(&name), Driver::subscribed(&name)];
        for message in 1..5 {
            let dying = Driver::new(&name);
            sleepers.iter_mut().for_each(|sleeper| sleeper.block(command));
            dying.peer.kill();
            channel.publish(message).expect("publish");
            sleepers.iter_mut().for_each(|sleeper| sleeper.peer.expect(&message.to_string()));
        }
    }
}
