//! Many senders and receivers: each content once, whole, and all chunks back in the end.

use outlive::{Array, LoanHandle, LoanPool, PoolLayout, Queue, Segment};

use super::driver::pool;
use crate::observe::Random;
use crate::support::Peer;

const SENDERS: usize = 3;
const EACH: usize = 3000;

/// What a content of a number is: its number, and words that follow from it.
fn words(number: u64) -> impl Iterator<Item = u64> {
    let mut random = Random::new(number);
    let count = random.below(200) as usize;
    std::iter::once(number).chain((0..count).map(move |_| random.below(1 << 30)))
}

/// The role: sender number `arguments[1]`.
pub(crate) fn send(arguments: &[String]) {
    let segment = Segment::open(&arguments[0]).expect("open");
    let pool: LoanPool = segment.find("p").expect("find");
    let queue: Queue<LoanHandle> = segment.find("q").expect("find");
    let first = arguments[1].parse::<usize>().expect("a number") * EACH;
    for number in first..first + EACH {
        let content: Vec<u64> = words(number as u64).collect();
        if number.is_multiple_of(3) {
            pool.loan_copy(&content).expect("loan").send_to(&queue).expect("send");
        } else {
            let mut loan = pool.loan_slice::<u64>(201).expect("loan");
            loan[..content.len()].copy_from_slice(&content);
            loan.truncate(content.len());
            loan.send_to(&queue).expect("send");
        }
    }
}

/// The role: receives until the queue is closed.
pub(crate) fn receive(arguments: &[String]) {
    let segment = Segment::open(&arguments[0]).expect("open");
    let pool: LoanPool = segment.find("p").expect("find");
    let queue: Queue<LoanHandle> = segment.find("q").expect("find");
    let seen: Array<u8> = segment.find("seen").expect("find");
    while let Ok(content) = pool.receive_from::<[u64]>(&queue) {
        assert!(content.iter().copied().eq(words(content[0])), "torn: {}", content[0]);
        seen.fetch_add(content[0] as usize, 1).expect("count");
    }
}

#[test]
fn every_content_arrives_once_and_whole() {
    let layout = PoolLayout::new().chunks(3, 800).chunks(3, 201 * 8);
    let (segment, pool, queue, name) = pool("stress", &layout);
    let seen = segment.array("seen", SENDERS * EACH, 0_u8).expect("array");
    let receivers = [(); 2].map(|()| Peer::spawn("loans stress receive", &[&name]));
    let senders: Vec<_> = (0..SENDERS)
        .map(|number| Peer::spawn("loans stress send", &[&name, &number.to_string()]))
        .collect();
    senders.into_iter().for_each(Peer::join);
    queue.close().expect("close");
    receivers.into_iter().for_each(Peer::join);
    for number in 0..SENDERS * EACH {
        assert_eq!(seen.load(number), Ok(1), "content {number}");
    }
    let stats = pool.stats();
    assert_eq!((stats.free, stats.returned), (6, 0));
}
