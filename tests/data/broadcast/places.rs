//! Places for subscribers: how many there are, and that each way to leave one makes room.

use outlive::{Broadcast, Slow, Start, SubscribeError};

use super::driver::{Driver, PLACES, channel, rest};

/// So many places are free, and not one more.
#[track_caller]
fn has_room_for(channel: &Broadcast<u64>, count: usize) {
    let taken: Vec<_> =
        (0..count).map(|_| channel.subscribe(Start::Newest).expect("a place")).collect();
    let refused = channel.subscribe(Start::Newest).err();
    assert_eq!(refused, Some(SubscribeError::NoPlace { limit: channel.places() }));
    assert_eq!(channel.subscribers(), channel.places());
    drop(taken);
    assert_eq!(channel.subscribers(), channel.places() - count);
}

#[test]
fn there_are_as_many_subscribers_as_places() {
    let (segment, _name) = crate::segment("limit");
    for places in [1, 2, 100, 1000] {
        let name = format!("of {places}");
        let channel = segment.broadcast_with(&name, 2, Slow::Block, places).expect("channel");
        has_room_for(&channel, places);
        has_room_for(&channel, places);
    }
}

#[test]
fn a_drop_makes_room() {
    let (_segment, channel, name) = channel("drop", 2, Slow::Block);
    let mut peers: Vec<Driver> = (0..PLACES).map(|_| Driver::subscribed(&name)).collect();
    let mut late = Driver::new(&name);
    for peer in &mut peers {
        late.does("newest", "no place of 3");
        has_room_for(&channel, 0);
        peer.does("drop", "dropped");
        has_room_for(&channel, 1);
        late.does("oldest", "subscribed");
        late.does("drop", "dropped");
        peer.does("newest", "subscribed");
    }
}

#[test]
fn a_kill_makes_room_and_the_next_one_starts_afresh() {
    for slow in [Slow::Block, Slow::Overwrite] {
        let (_segment, channel, name) = channel("kill", 2, slow);
        let _other = channel.subscribe(Start::Newest).expect("subscribe");
        for message in 1..5 {
            let peers: Vec<Driver> = (1..PLACES).map(|_| Driver::subscribed(&name)).collect();
            has_room_for(&channel, 0);
            peers.into_iter().for_each(|peer| peer.peer.kill());
            assert_eq!(channel.subscribers(), 1);
            has_room_for(&channel, PLACES - 1);
            if slow == Slow::Overwrite {
                channel.publish(message).expect("publish");
                let mut next = channel.subscribe(Start::Oldest).expect("subscribe");
                assert!(rest(&mut next).ends_with(&[message]));
            }
        }
    }
}

#[test]
fn the_end_of_a_thread_makes_room() {
    let (_segment, channel, name) = channel("thread", 1, Slow::Block);
    for message in 0..5 {
        std::thread::scope(|scope| {
            let ends = scope.spawn(|| {
                std::mem::forget(channel.subscribe(Start::Newest).expect("subscribe"));
                channel.try_publish(message).expect("publish");
                channel.try_publish(9).expect_err("it is waited for");
            });
            ends.join().expect("join");
        });
        assert_eq!(channel.subscribers(), 0);
        channel.try_publish(message).expect("it is not waited for any more");
        has_room_for(&channel, PLACES);
    }
    // What was forgotten keeps it in use.
    outlive::Segment::unlink(&name).expect("unlink");
}

/// One thread may have several, and each has its own place in the messages.
#[test]
fn subscribers_of_one_thread_are_told_apart() {
    let (_segment, channel, _name) = channel("several", 4, Slow::Block);
    let mut first = channel.subscribe(Start::Newest).expect("subscribe");
    channel.publish(1).expect("publish");
    let mut second = channel.subscribe(Start::Newest).expect("subscribe");
    channel.publish(2).expect("publish");
    let mut third = channel.subscribe(Start::Oldest).expect("subscribe");
    assert_eq!(second.recv(), Ok(2));
    drop(second);
    assert_eq!(rest(&mut first), [1, 2]);
    assert_eq!(rest(&mut third), [1, 2]);
    assert_eq!(channel.subscribers(), 2);
}
