//! What is refused, and in which words.

use outlive::{
    Broadcast, LockError, ObjectError, PushError, Queue, RecvError, Segment, Slow, Start,
    SubscribeError,
};

use super::driver::channel;

#[test]
fn another_type_is_refused_by_name() {
    let (segment, _channel, _name) = channel("type", 3, Slow::Block);
    let text = segment.find::<Broadcast<i64>>("b").unwrap_err().to_string();
    assert!(text.contains("Broadcast<u64>") && text.contains("Broadcast<i64>"), "{text}");
    let text = segment.find::<Queue<u64>>("b").unwrap_err().to_string();
    assert!(text.contains("Broadcast<u64>") && text.contains("Queue<u64>"), "{text}");
}

#[test]
fn another_shape_is_refused_with_both_numbers() {
    let (segment, _channel, _name) = channel("shape", 3, Slow::Block);
    let refused = |capacity, slow, places| {
        let error = segment.broadcast_with::<u64>("b", capacity, slow, places).unwrap_err();
        let ObjectError::ShapeMismatch { what, found, expected, .. } = error else {
            panic!("{error:?}");
        };
        (what, found, expected)
    };
    assert_eq!(refused(4, Slow::Block, 3), ("capacity", 3, 4));
    assert_eq!(refused(3, Slow::Block, 4), ("number of subscribers", 3, 4));
    assert_eq!(refused(3, Slow::Overwrite, 3), ("policy for slow subscribers", 0, 1));
    let usual = segment.broadcast::<u64>("b", 3, Slow::Block).unwrap_err();
    assert!(
        matches!(usual, ObjectError::ShapeMismatch { found: 3, expected: 32, .. }),
        "{usual:?}"
    );
    segment.broadcast_with::<u64>("b", 3, Slow::Block, 3).expect("the same shape");
}

#[test]
fn impossible_shapes_are_refused() {
    let (segment, _name) = crate::segment("impossible");
    for (capacity, places) in [(0, 3), (usize::MAX, 3), (usize::MAX / 64, 3), (3, 0), (3, 1001)] {
        let error =
            segment.broadcast_with::<u64>("other", capacity, Slow::Block, places).unwrap_err();
        let refused = match error {
            ObjectError::InvalidShape { .. } => capacity < 4 || capacity == usize::MAX,
            // It can be addressed, in a larger segment.
            ObjectError::SegmentFull { .. } => capacity == usize::MAX / 64,
            _ => false,
        };
        assert!(refused, "{capacity}, {places}");
        assert!(segment.find::<Broadcast<u64>>("other").is_err());
    }
}

#[test]
fn read_only_handles_can_only_look() {
    let (_segment, channel, name) = channel("read-only", 2, Slow::Overwrite);
    channel.publish(1).expect("publish");
    let _subscriber = channel.subscribe(Start::Newest).expect("subscribe");
    let reader = Segment::options().read_only(true).open(&name).expect("open");
    let seen: Broadcast<u64> = reader.find("b").expect("find");
    let refused = LockError::ReadOnly;
    assert_eq!(seen.publish(2), Err(PushError::Lock(2, refused.clone())));
    assert_eq!(seen.try_publish(2), Err(PushError::Lock(2, refused.clone())));
    let subscribed = seen.subscribe(Start::Oldest).err();
    assert_eq!(subscribed, Some(SubscribeError::Lock(refused.clone())));
    assert_eq!(seen.close(), Err(refused));
    assert_eq!((seen.published(), seen.subscribers(), seen.is_closed()), (1, 1, false));
}

#[test]
fn errors_say_what_happened() {
    let text = RecvError::Lagged { missed: 17 }.to_string();
    assert!(text.contains("17"), "{text}");
    let text = SubscribeError::NoPlace { limit: 23 }.to_string();
    assert!(text.contains("23"), "{text}");
    let lock = LockError::ReadOnly;
    assert_eq!(RecvError::Lock(lock.clone()).to_string(), lock.to_string());
    assert_eq!(SubscribeError::Lock(lock.clone()).to_string(), lock.to_string());
}
