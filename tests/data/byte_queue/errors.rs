//! What is refused, and in which words; bytes that cannot be.

use std::time::Duration;

use outlive::{
    Array, BytePushError, ByteQueue, LockError, ObjectError, PopError, Queue, Segment, wait_any,
};

use super::driver::queue;
use crate::observe::{file, overwrite};

#[test]
fn read_only_handles_can_only_look() {
    let (_segment, queue, name) = queue("read-only", 64);
    let reader = Segment::options().read_only(true).open(&name).expect("open");
    let seen: ByteQueue = reader.find("q").expect("find");
    queue.push(b"x").expect("push");
    assert_eq!((seen.len(), seen.capacity(), seen.is_closed()), (1, 64, false));
    let refused = || BytePushError::Lock(LockError::ReadOnly);
    assert_eq!(seen.push(b"y"), Err(refused()));
    assert_eq!(seen.try_push(b"y"), Err(refused()));
    assert_eq!(seen.grant(1).map(drop), Err(refused()));
    let refused = || PopError::Lock(LockError::ReadOnly);
    assert_eq!(seen.pop(), Err(refused()));
    assert_eq!(seen.try_pop(), Err(refused()));
    assert_eq!(seen.read().map(drop), Err(refused()));
    assert_eq!(seen.close(), Err(LockError::ReadOnly));
    assert!(wait_any(&[&seen.readable()], Some(Duration::ZERO)).is_err());
    assert!(wait_any(&[&seen.writable(1)], Some(Duration::ZERO)).is_err());
    assert_eq!(queue.pop().as_deref(), Ok(&b"x"[..]));
}

#[test]
fn another_type_or_capacity_is_refused_by_name() {
    let (segment, _queue, _name) = queue("type", 100);
    for text in [
        segment.find::<Queue<u8>>("q").unwrap_err().to_string(),
        segment.find::<Array<u8>>("q").unwrap_err().to_string(),
    ] {
        assert!(text.contains("ByteQueue") && text.contains("<u8>"), "{text}");
    }
    // Rounded up to whole words.
    for same in [97, 100, 104] {
        assert_eq!(segment.byte_queue("q", same).expect("the same").capacity(), 104);
    }
    for other in [96, 105, 0, usize::MAX] {
        let error = segment.byte_queue("q", other).unwrap_err();
        let expected = other as u64;
        let misfit = matches!(
            &error,
            ObjectError::ShapeMismatch { what: "capacity", found: 104, expected: e, .. }
                if *e == expected
        );
        assert!(misfit || matches!(error, ObjectError::InvalidShape { .. }), "{error:?}");
    }
    for impossible in [0, 23, (1 << 33) + 1, usize::MAX] {
        let error = segment.byte_queue("r", impossible).unwrap_err();
        assert!(matches!(error, ObjectError::InvalidShape { .. }), "{error:?}");
    }
}

#[test]
fn errors_say_what_happened() {
    let (_segment, queue, _name) = queue("words", 64);
    let text = queue.push(&[0; 100]).unwrap_err().to_string();
    let most = queue.max_message().to_string();
    assert!(text.contains("100 bytes") && text.contains(&most), "{text}");
    assert!(BytePushError::Full.to_string().contains("full"));
    assert!(BytePushError::Closed.to_string().contains("closed"));
    assert!(BytePushError::TimedOut.to_string().contains("whole time"));
    let lock: LockError = LockError::ReadOnly;
    assert_eq!(BytePushError::Lock(lock.clone()).to_string(), lock.to_string());
}

const MARK: [u8; 16] = *b"\x01byte-queue\xed\x02\x03\x04\x05";

/// Damages the header of a message in the middle, and expects that the queue says so once, drops what
/// is in it, and works.
fn damaged(change: impl Fn(u64) -> u64) {
    let (_segment, queue, name) = queue("damaged", 256);
    for round in 0..10 {
        queue.push(b"before").expect("push");
        queue.push(&MARK).expect("push");
        queue.push(b"after").expect("push");
        change_header(&name, &change);
        assert_eq!(queue.pop().as_deref(), Ok(&b"before"[..]));
        let Err(PopError::Lock(error)) = queue.try_read().map(drop) else {
            panic!("taken for a header in round {round}");
        };
        assert!(matches!(error, LockError::Corrupt { .. }), "{error:?}");
        assert!(error.to_string().contains("dropped"), "{error}");
        assert_eq!((queue.len(), queue.try_pop()), (0, Err(PopError::Empty)), "reported once");
        // The whole ring is there, and the mark is not any more.
        for _ in 0..3 {
            let most = vec![3; queue.max_message()];
            queue.try_push(&most).expect("all of its room is there");
            assert_eq!(queue.pop(), Ok(most));
            queue.push(&[0; 8]).expect("push");
            queue.pop().expect("pop");
        }
    }
    let stats = queue.stats();
    assert_eq!((stats.dropped, stats.redelivered), (0, 0), "nobody died");
}

/// Changes the word before the mark.
fn change_header(segment: &str, change: impl Fn(u64) -> u64) {
    use std::os::unix::fs::FileExt;
    let path = file(segment);
    let content = std::fs::read(&path).expect("read the segment");
    let places: Vec<usize> =
        (8..content.len() - 16).filter(|place| content[*place..].starts_with(&MARK)).collect();
    let [place] = places[..] else { panic!("the mark is there {} times", places.len()) };
    let header = content[place - 8..place].try_into().expect("a word");
    let changed = change(u64::from_ne_bytes(header)).to_ne_bytes();
    let target = std::fs::OpenOptions::new().write(true).open(path).expect("open");
    target.write_all_at(&changed, (place - 8) as u64).expect("write");
}

#[test]
fn a_header_that_cannot_be_is_reported_once_and_the_queue_goes_on() {
    const LENGTH: u64 = 0xffff_ffff;
    // No kind, another position, and lengths that lead beyond what is in the queue, or the ring.
    damaged(|_| 0);
    damaged(|_| u64::MAX);
    damaged(|header| header ^ (1 << 32));
    for length in [100_u32, 200, 300, 0x8000_0000, u32::MAX - 7, u32::MAX] {
        damaged(|header| header & !LENGTH | u64::from(length));
    }
    // A padding in the middle: what is at the ring's start then is no message that comes next.
    damaged(|header| (header ^ (3 << 62)) & !LENGTH);
    damaged(|header| header ^ (3 << 62));
}

/// Where the two positions are, from the start of the object on, which begins with its capacity.
const TAIL: usize = 128 + 40;
const HEAD: usize = 256 + 40;
/// A capacity that is nowhere else in the segment.
const CAPACITY: usize = 0x1238;

#[test]
fn positions_that_cannot_be_end_in_an_error_and_an_empty_queue() {
    let mark = (CAPACITY as u64).to_ne_bytes();
    for position in [TAIL, HEAD] {
        for value in [0, 8, 0x1230, 0x1240, 1 << 40, u64::MAX, u64::MAX - 7, 1 << 63, 5, 0x2468] {
            let (_segment, queue, name) = queue("positions", CAPACITY);
            for number in 0..30_u8 {
                queue.push(&[number; 100]).expect("push");
            }
            (0..20).for_each(|_| drop(queue.pop().expect("pop")));
            overwrite(&name, &mark, position, &u64::to_ne_bytes(value));
            // Whatever comes, it comes at once, and to an end.
            assert!(queue.len() <= CAPACITY);
            let pushed = queue.push_timeout(&[1; 100], Duration::ZERO);
            let known = matches!(
                pushed,
                Ok(())
                    | Err(BytePushError::TimedOut)
                    | Err(BytePushError::Lock(LockError::Corrupt { .. }))
            );
            assert!(known, "{pushed:?}");
            let mut errors = 0;
            loop {
                match queue.try_pop() {
                    Ok(_) => {}
                    Err(PopError::Empty) => break,
                    Err(PopError::Lock(LockError::Corrupt { .. })) => errors += 1,
                    Err(error) => panic!("{error:?}"),
                }
            }
            assert!(errors <= 1, "reported {errors} times");
            assert!(queue.is_empty());
            for _ in 0..100 {
                queue.try_push(&[2; 1000]).expect("it works on");
                assert!(!queue.is_empty());
                assert_eq!(queue.try_pop(), Ok(vec![2; 1000]));
            }
        }
    }
}
