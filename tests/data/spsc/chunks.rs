//! Chunks: written and read in place, given up, committed in part, around the ring's end.

use std::time::Duration;

use outlive::{Consumer, PopError, Producer, PushError};

use super::driver::ring;

fn rest(consumer: &mut Consumer<u64>) -> Vec<u64> {
    std::iter::from_fn(|| consumer.try_pop().ok()).collect()
}

/// Writes to all of a chunk, and commits some of it.
fn write(producer: &mut Producer<u64>, most: usize, first: u64, commit: Option<usize>) -> usize {
    let mut chunk = producer.write_chunk(most).expect("a chunk");
    let count = chunk.len();
    let (left, right) = chunk.as_mut_slices();
    assert_eq!(left.len() + right.len(), count);
    left.iter_mut().chain(right).zip(first..).for_each(|(slot, message)| {
        slot.write(message);
    });
    match commit {
        Some(commit) => chunk.commit(commit),
        None => drop(chunk),
    }
    count
}

#[test]
fn what_is_not_committed_was_not_pushed() {
    for capacity in [1, 2, 3, 5, 1000] {
        let (_segment, ring, _name) = ring("write", capacity);
        let (mut producer, mut consumer) =
            (ring.producer().expect("producer"), ring.consumer().expect("consumer"));
        // From each place of the ring, so that its end lies everywhere in a chunk.
        for turn in 0..40 {
            let room = capacity.min(3);
            for commit in [None, Some(0)] {
                let count = write(&mut producer, 3, 900, commit);
                assert!((1..=room).contains(&count), "{count} of {room}");
                assert_eq!((ring.len(), rest(&mut consumer)), (0, vec![]));
            }
            write(&mut producer, 3, turn, Some(1));
            assert_eq!(ring.len(), 1);
            assert_eq!(rest(&mut consumer), [turn]);
            let count = write(&mut producer, 3, turn, Some(2));
            assert_eq!(rest(&mut consumer), [turn, turn + 1][..count.min(2)]);
            // More than there are is all of them.
            let mut next = turn;
            while ring.len() < capacity {
                next += write(&mut producer, usize::MAX, next, Some(usize::MAX)) as u64;
                assert_eq!(ring.len() as u64, next - turn);
            }
            let full = producer.try_write_chunk(1).map(|chunk| chunk.len());
            assert_eq!(full, Err(PushError::Full(())));
            assert!(rest(&mut consumer).into_iter().eq(turn..next));
            producer.push(turn).expect("push");
            assert_eq!(consumer.pop(), Ok(turn));
        }
        let stats = ring.stats();
        assert_eq!((stats.dropped, stats.redelivered), (0, 0));
    }
}

#[test]
fn filling_takes_no_message_that_there_is_no_slot_for() {
    let (_segment, ring, _name) = ring("fill", 3);
    let (mut producer, mut consumer) =
        (ring.producer().expect("producer"), ring.consumer().expect("consumer"));
    let mut source = 0..10;
    assert_eq!(producer.write_chunk(9).expect("a chunk").fill(&mut source), 3);
    assert_eq!(source.start, 3, "the next one is there");
    assert_eq!(rest(&mut consumer), [0, 1, 2]);
    assert_eq!(producer.write_chunk(9).expect("a chunk").fill([7, 8]), 2);
    assert_eq!(rest(&mut consumer), [7, 8]);
    assert_eq!(producer.write_chunk(9).expect("a chunk").fill([]), 0);
    assert_eq!(producer.write_chunk(0).expect("a chunk").fill([5]), 0);
    assert_eq!(rest(&mut consumer), []);
    drop(producer);
    let mut producer = ring.producer().expect("producer");
    crate::unwind(|panic| {
        let mut panic = Some(panic);
        let broken = (0..).map(move |message| match message {
            2 => panic.take().expect("once").now(),
            message => message,
        });
        producer.write_chunk(3).expect("a chunk").fill(broken);
    });
    assert_eq!(rest(&mut consumer), [], "a panic pushes nothing");
    producer.push(1).expect("push");
    assert_eq!(rest(&mut consumer), [1]);
}

#[test]
fn what_is_not_committed_stays() {
    let (_segment, ring, _name) = ring("read", 5);
    let (mut producer, mut consumer) =
        (ring.producer().expect("producer"), ring.consumer().expect("consumer"));
    let mut around = 0;
    for first in 0..25_u64 {
        let messages: Vec<u64> = (first..first + 4).collect();
        producer.push_slice(&messages).expect("push");
        let shown = |consumer: &mut Consumer<u64>, most, commit: Option<usize>| {
            let chunk = consumer.read_chunk(most).expect("a chunk");
            let (left, right) = chunk.as_slices();
            let (all, parts) = ([left, right].concat(), usize::from(!right.is_empty()));
            assert_eq!(all.len(), chunk.len());
            match commit {
                Some(commit) => chunk.commit(commit),
                None => drop(chunk),
            }
            (all, parts)
        };
        let (all, parts) = shown(&mut consumer, 9, None);
        assert_eq!(all, messages);
        around += parts;
        assert_eq!(shown(&mut consumer, 9, Some(0)).0, messages);
        assert_eq!(shown(&mut consumer, 2, Some(1)).0, messages[..2]);
        assert_eq!(ring.len(), 3);
        assert_eq!(shown(&mut consumer, 0, None).0, []);
        assert_eq!(shown(&mut consumer, 9, Some(2)).0, messages[1..]);
        assert_eq!(consumer.pop(), Ok(first + 3));
        assert_eq!(consumer.try_read_chunk(1).map(|chunk| chunk.len()), Err(PopError::Empty));
    }
    assert!(around > 5, "the ring's end was in {around} chunks");
    assert_eq!(ring.stats().redelivered, 0);
}

#[test]
fn chunks_of_a_closed_ring() {
    let (_segment, ring, _name) = ring("closed", 3);
    let (mut producer, mut consumer) =
        (ring.producer().expect("producer"), ring.consumer().expect("consumer"));
    producer.push_slice(&[1, 2]).expect("push");
    producer.close();
    let refused = producer.write_chunk(1).map(|chunk| chunk.len());
    assert_eq!(refused, Err(PushError::Closed(())));
    let refused = producer.push_slice_timeout(&[3, 4], Duration::MAX);
    assert_eq!(refused, Err(PushError::Closed(0)));
    consumer.read_chunk(3).expect("a chunk").commit_all();
    assert_eq!(consumer.read_chunk(3).map(|chunk| chunk.len()), Err(PopError::Closed));
    assert_eq!(consumer.pop_slice(&mut [0; 3]), Err(PopError::Closed));
}
