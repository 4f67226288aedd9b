//! Messages of many sizes from one process to another.

use outlive::{PopError, Queue, Segment, Shared};

use crate::support::{Peer, say};

/// A message of which every byte tells its number.
fn message<const N: usize>(number: u64) -> [u8; N] {
    let start = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    std::array::from_fn(|index| (start.wrapping_add(index as u64 * 7) >> 3) as u8)
}

fn receive<const N: usize>(segment: &Segment)
where
    [u8; N]: Shared,
{
    let queue: Queue<[u8; N]> = segment.find("q").expect("find");
    let mut number = 0;
    loop {
        match queue.pop() {
            Ok(found) => assert!(found == message::<N>(number), "message {number}"),
            Err(PopError::Closed) => break,
            Err(other) => panic!("{other:?}"),
        }
        number += 1;
    }
    say(&number.to_string());
}

/// The role: pops until the queue is closed.
pub(crate) fn run(arguments: &[String]) {
    let segment = Segment::open(&arguments[0]).expect("open");
    match arguments[1].as_str() {
        "1" => receive::<1>(&segment),
        "3" => receive::<3>(&segment),
        "8" => receive::<8>(&segment),
        "24" => receive::<24>(&segment),
        "64" => receive::<64>(&segment),
        "4096" => receive::<4096>(&segment),
        other => panic!("no size {other:?}"),
    }
}

fn send<const N: usize>(capacity: usize)
where
    [u8; N]: Shared,
{
    const MESSAGES: u64 = 1_000;
    let (segment, name) = crate::segment("stream");
    let capacity = capacity.min((2 << 20) / N.max(64));
    let queue = segment.queue::<[u8; N]>("q", capacity).expect("queue");
    let mut receiver = Peer::spawn("queue stream", &[&name, &N.to_string()]);
    for number in 0..MESSAGES {
        queue.push(message(number)).expect("push");
    }
    queue.close().expect("close");
    receiver.expect(&MESSAGES.to_string());
    receiver.join();
}

#[test]
fn messages_of_any_size_arrive_as_they_were_sent() {
    for capacity in [1, 2, 3, 1000] {
        send::<1>(capacity);
        send::<3>(capacity);
        send::<8>(capacity);
        send::<24>(capacity);
        send::<64>(capacity);
        send::<4096>(capacity);
    }
}
