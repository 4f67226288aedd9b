//! `len` while others work.

use std::sync::atomic::{AtomicBool, Ordering};

use outlive::{PopError, Queue, Segment};

use super::driver::queue;
use crate::support::Peer;

/// The role: sends back what it gets.
pub(crate) fn echo(arguments: &[String]) {
    let segment = Segment::open(&arguments[0]).expect("open");
    let (there, back): (Queue<u64>, Queue<u64>) =
        (segment.find("q").expect("find"), segment.find("back").expect("find"));
    loop {
        match there.pop() {
            Ok(message) => back.push(message).expect("push"),
            Err(PopError::Closed) => return,
            Err(other) => panic!("{other:?}"),
        }
    }
}

#[test]
fn the_length_is_never_more_than_what_is_under_way() {
    let (segment, there, name) = queue("length", 1000);
    let back = segment.queue::<u64>("back", 1000).expect("queue");
    let peer = Peer::spawn("queue echo", &[&name]);
    let finished = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let mut most = 0;
            while !finished.load(Ordering::Relaxed) {
                most = most.max(there.len()).max(back.len());
            }
            most
        });
        for message in 0..30_000 {
            there.push(message).expect("push");
            assert_eq!(back.pop(), Ok(message));
        }
        finished.store(true, Ordering::Relaxed);
        let most = watcher.join().expect("join");
        assert!(most <= 1, "one message was under way, and the length was {most}");
    });
    there.close().expect("close");
    peer.join();
}
