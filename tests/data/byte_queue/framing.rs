//! Random operations, against a queue that is a list.

use std::collections::VecDeque;

use outlive::{BytePushError, ByteQueue, PopError};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;

use super::driver::{message, queue};

/// One operation. Lengths are in thousandths of the longest message.
#[derive(Debug, Clone, Copy)]
enum Step {
    Push(usize),
    /// Asks for the first, and commits the second.
    Part(usize, usize),
    Abort(usize),
    Pop,
    Read,
    Keep,
}

fn step() -> impl Strategy<Value = Step> {
    // Short ones more often than long ones, and sometimes the longest.
    let length = || prop_oneof![4 => 0..=100_usize, 2 => 0..=1000_usize, 1 => Just(1000_usize)];
    prop_oneof![
        5 => length().prop_map(Step::Push),
        2 => (length(), length()).prop_map(|(asked, part)| Step::Part(asked, part)),
        1 => length().prop_map(Step::Abort),
        4 => Just(Step::Pop),
        2 => Just(Step::Read),
        1 => Just(Step::Keep),
    ]
}

/// What a message takes.
fn size(message: &[u8]) -> usize {
    8 + message.len().next_multiple_of(8)
}

/// That a message was refused is right only if one could not be sure that it fits.
fn full(queue: &ByteQueue, reference: &VecDeque<Vec<u8>>, sent: &[u8]) {
    let used: usize = reference.iter().map(|message| size(message)).sum();
    assert!(!reference.is_empty(), "an empty queue refused {} bytes", sent.len());
    // Two paddings at most, each shorter than the message behind it.
    let most = 2 * (size(sent) + used);
    assert!(most > queue.capacity(), "{} bytes refused with {used} used", sent.len());
}

fn run(words: usize, steps: &[Step]) {
    let (_segment, queue, _name) = queue("framing", words * 8);
    let mut reference: VecDeque<Vec<u8>> = VecDeque::new();
    for (number, step) in steps.iter().enumerate() {
        let length = |thousandths: usize| queue.max_message() * thousandths / 1000;
        let oldest = reference.front().cloned();
        match *step {
            Step::Push(part) => {
                let sent = message(number as u64, length(part));
                match queue.try_push(&sent) {
                    Ok(()) => reference.push_back(sent),
                    Err(BytePushError::Full) => full(&queue, &reference, &sent),
                    Err(error) => panic!("{error:?}"),
                }
            }
            Step::Part(asked, part) => {
                let mut sent = message(number as u64, length(asked));
                match queue.try_grant(sent.len()) {
                    Ok(mut grant) => {
                        grant.copy_from_slice(&sent);
                        grant.commit_part(length(part));
                        sent.truncate(length(part));
                        reference.push_back(sent);
                    }
                    Err(BytePushError::Full) => full(&queue, &reference, &sent),
                    Err(error) => panic!("{error:?}"),
                }
            }
            Step::Abort(asked) => {
                if let Ok(mut grant) = queue.try_grant(length(asked)) {
                    grant.fill(0xee);
                }
            }
            Step::Pop => {
                assert_eq!(queue.try_pop(), oldest.ok_or(PopError::Empty));
                reference.pop_front();
            }
            Step::Read => {
                let read = queue.try_read().map(|message| message.to_vec());
                assert_eq!(read, oldest.ok_or(PopError::Empty));
                reference.pop_front();
            }
            Step::Keep => {
                let read = queue.try_read().map(|message| {
                    let bytes = message.to_vec();
                    message.keep();
                    bytes
                });
                assert_eq!(read, oldest.ok_or(PopError::Empty));
            }
        }
        assert_eq!(queue.len(), reference.len());
    }
    let left: VecDeque<_> = std::iter::from_fn(|| queue.try_pop().ok()).collect();
    assert_eq!(left, reference);
    let stats = queue.stats();
    assert_eq!((stats.dropped, stats.redelivered), (0, 0));
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 300,
        failure_persistence: Some(Box::new(FileFailurePersistence::Off)),
        ..ProptestConfig::default()
    })]

    #[test]
    fn messages_are_what_they_were_in_any_order_of_operations(
        words in 3..60_usize,
        steps in vec(step(), 1..200),
    ) {
        run(words, &steps);
    }
}
