//! The end is seen after the last message, by everybody.

use outlive::{PushError, RecvError, Slow, Start};

use super::driver::{Driver, channel, rest};

#[test]
fn what_was_published_before_is_received_after() {
    for slow in [Slow::Block, Slow::Overwrite] {
        let (_segment, channel, _name) = channel("after", 3, slow);
        let mut early = channel.subscribe(Start::Newest).expect("subscribe");
        (1..=3).for_each(|message| channel.publish(message).expect("publish"));
        channel.close().expect("close");
        assert!(channel.is_closed());
        let mut late = channel.subscribe(Start::Oldest).expect("subscribe");
        let mut end = channel.subscribe(Start::Newest).expect("subscribe");
        assert_eq!(rest(&mut early), [1, 2, 3]);
        assert_eq!(rest(&mut late), [1, 2, 3]);
        for subscriber in [&mut early, &mut late, &mut end] {
            assert_eq!(subscriber.try_recv(), Err(RecvError::Closed));
            assert_eq!(subscriber.recv(), Err(RecvError::Closed));
        }
        channel.close().expect("a second time");
        assert_eq!(channel.publish(4), Err(PushError::Closed(4)));
        assert_eq!(channel.try_publish(4), Err(PushError::Closed(4)));
    }
}

#[test]
fn a_close_wakes_all_who_wait() {
    for (message, receive) in [(0, "recv"), (1, "recv-timeout 0 600000")] {
        let (_segment, channel, name) = channel("wakes", 1, Slow::Block);
        let mut subscribers = [Driver::subscribed(&name), Driver::subscribed(&name)];
        for peer in &mut subscribers {
            peer.block(receive);
        }
        // Who is slow enough to be waited for.
        let mut slow = channel.subscribe(Start::Newest).expect("subscribe");
        channel.try_publish(message).expect("publish");
        for peer in &mut subscribers {
            peer.peer.expect(&message.to_string());
            peer.block(receive);
        }
        let mut publishers = [Driver::new(&name), Driver::new(&name)];
        publishers[0].block("publish 7");
        publishers[1].block("publish-timeout 8 600000");
        channel.close().expect("close");
        subscribers.iter_mut().for_each(|peer| peer.peer.expect("Closed"));
        publishers[0].peer.expect("Closed(..) 7");
        publishers[1].peer.expect("Closed(..) 8");
        assert_eq!(rest(&mut slow), [message]);
        for peer in &mut subscribers {
            peer.does("wait 0 0", "ready");
        }
    }
}

#[test]
fn another_process_closes() {
    let (_segment, channel, name) = channel("another", 2, Slow::Overwrite);
    let mut subscriber = channel.subscribe(Start::Newest).expect("subscribe");
    let mut peer = Driver::new(&name);
    peer.does("publish 5", "published");
    peer.does("close", "closed");
    peer.does("publish 6", "Closed(..) 6");
    assert_eq!(subscriber.recv(), Ok(5));
    assert_eq!(subscriber.recv(), Err(RecvError::Closed));
}
