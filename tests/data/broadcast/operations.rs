//! What a channel keeps, and for whom.

use outlive::{Broadcast, PushError, RecvError, Slow, Start, Waiting};

use super::driver::{channel, rest};

#[test]
fn a_new_subscriber_starts_where_it_asks_to() {
    for slow in [Slow::Block, Slow::Overwrite] {
        for capacity in [1, 2, 3, 8] {
            let (_segment, channel, _name) = channel("start", capacity, slow);
            for count in 0..2 * capacity as u64 + 2 {
                let mut newest = channel.subscribe(Start::Newest).expect("subscribe");
                let mut oldest = channel.subscribe(Start::Oldest).expect("subscribe");
                let kept: Vec<u64> =
                    (1..=count).skip((count as usize).saturating_sub(capacity)).collect();
                assert_eq!(newest.pending(), 0);
                assert_eq!(oldest.pending(), kept.len() as u64);
                assert_eq!(newest.try_recv(), Err(RecvError::Empty));
                assert_eq!(rest(&mut oldest), kept, "{slow:?}, capacity {capacity}");
                channel.try_publish(count + 1).expect("nobody is behind");
                assert_eq!(rest(&mut newest), [count + 1]);
                assert_eq!(rest(&mut oldest), [count + 1]);
            }
        }
    }
}

#[test]
fn a_slow_subscriber_is_waited_for() {
    for capacity in [1, 2, 3, 8] {
        let (_segment, channel, _name) = channel("block", capacity, Slow::Block);
        let last = capacity as u64 * 3;
        // Nobody subscribes: nobody is waited for.
        (1..=last).for_each(|message| channel.try_publish(message).expect("publish"));
        let mut slow = channel.subscribe(Start::Oldest).expect("subscribe");
        let mut quick = channel.subscribe(Start::Newest).expect("subscribe");
        for message in last + 1..last + 20 {
            assert_eq!(channel.try_publish(message), Err(PushError::Full(message)));
            assert_eq!(slow.try_recv(), Ok(message - capacity as u64));
            channel.try_publish(message).expect("there is room for one");
            assert_eq!(quick.try_recv(), Ok(message));
            assert_eq!(slow.pending(), capacity as u64);
        }
        assert_eq!(channel.try_publish(0), Err(PushError::Full(0)));
        drop(slow);
        channel.try_publish(0).expect("who was waited for is gone");
        assert_eq!(rest(&mut quick), [0]);
    }
}

#[test]
fn a_slow_subscriber_is_told_how_many_it_missed() {
    for capacity in [1, 2, 3, 8] {
        let (_segment, channel, _name) = channel("missed", capacity, Slow::Overwrite);
        for excess in [0, 1, 2, 5, 100] {
            let mut slow = channel.subscribe(Start::Newest).expect("subscribe");
            let count = capacity as u64 + excess;
            (1..=count).for_each(|message| channel.try_publish(message).expect("publish"));
            assert_eq!(slow.pending(), count);
            if excess > 0 {
                assert_eq!(slow.try_recv(), Err(RecvError::Lagged { missed: excess }));
            }
            assert_eq!(rest(&mut slow), (excess + 1..=count).collect::<Vec<_>>());
        }
    }
}

#[test]
fn the_channel_says_what_it_is() {
    let (segment, channel, _name) = channel("shape", 5, Slow::Overwrite);
    assert_eq!((channel.capacity(), channel.places(), channel.slow()), (5, 3, Slow::Overwrite));
    assert_eq!((channel.published(), channel.subscribers(), channel.is_closed()), (0, 0, false));
    let subscriber = channel.subscribe(Start::Newest).expect("subscribe");
    channel.publish(1).expect("publish");
    let found: Broadcast<u64> = segment.find("b").expect("find");
    assert_eq!((found.published(), found.subscribers()), (1, 1));
    assert_eq!(subscriber.channel().published(), 1);
    assert_eq!((found.stats().dropped, found.stats().redelivered), (0, 0));
    let text = format!("{channel:?} {subscriber:?}");
    assert!(text.contains("capacity: 5") && text.contains("position: 0"), "{text}");
    // Places, if nothing is said.
    let usual = segment.broadcast::<u8>("usual", 1, Slow::Block).expect("channel");
    assert_eq!(usual.places(), 32);
}

/// Words that are read and written in one go, and such as are not; small cells, and large ones.
#[test]
fn messages_of_any_size_are_whole() {
    fn check<const N: usize>(segment: &outlive::Segment) {
        let name = format!("bytes {N}");
        let channel = segment.broadcast::<[u8; N]>(&name, 3, Slow::Block).expect("channel");
        let mut subscriber = channel.subscribe(Start::Newest).expect("subscribe");
        for byte in 1..=10 {
            channel.publish([byte; N]).expect("publish");
            channel.publish([byte + 1; N]).expect("publish");
            assert_eq!(subscriber.recv(), Ok([byte; N]));
            assert_eq!(subscriber.recv(), Ok([byte + 1; N]));
        }
    }
    let (segment, _name) = crate::segment("sizes");
    check::<1>(&segment);
    check::<3>(&segment);
    check::<8>(&segment);
    check::<56>(&segment);
    check::<57>(&segment);
    check::<200>(&segment);
}

#[test]
fn each_manner_of_waiting_sees_messages() {
    for waiting in [Waiting::Adaptive, Waiting::Park, Waiting::Yield, Waiting::Spin] {
        let (_segment, channel, _name) = channel("manners", 2, Slow::Block);
        let channel = channel.with_waiting(waiting);
        let mut subscriber = channel.subscribe(Start::Newest).expect("subscribe");
        std::thread::scope(|scope| {
            scope.spawn(|| {
                (0..200).for_each(|message| channel.publish(message).expect("publish"));
                channel.close().expect("close");
            });
            (0..200).for_each(|message| assert_eq!(subscriber.recv(), Ok(message)));
            assert_eq!(subscriber.recv(), Err(RecvError::Closed));
        });
    }
}
