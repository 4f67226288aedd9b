//! Waiting in vain costs nothing, and a thread that nobody needs ends.

use std::fs;
use std::time::{Duration, Instant};

use outlive::{Slow, Start, wait_async};

use crate::driver::{Driver, open_again, things};
use crate::runtime::one;
use crate::support::{Peer, listen, say};

/// The library's threads in this process: what each used, in clock ticks, and how often it slept.
fn threads() -> Vec<(u64, u64)> {
    let tasks = fs::read_dir("/proc/self/task").expect("proc");
    tasks
        .filter_map(|task| {
            let task = task.ok()?.path();
            let name = fs::read_to_string(task.join("comm")).ok()?;
            if name.trim_end() != "outlive-async" {
                return None;
            }
            let stat = fs::read_to_string(task.join("stat")).ok()?;
            let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
            let mut ticks = || fields.next()?.parse::<u64>().ok();
            let used = ticks()? + ticks()?;
            let status = fs::read_to_string(task.join("status")).ok()?;
            let slept =
                status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
            Some((used, slept?.trim().parse().ok()?))
        })
        .collect()
}

/// The role: waits for all kinds of things that do not come, then for nothing.
pub(crate) fn in_vain(arguments: &[String]) {
    let things = open_again(&arguments[0]);
    let channel = things.segment.broadcast::<u64>("bc", 2, Slow::Block).expect("broadcast");
    let mut subscriber = channel.subscribe(Start::Newest).expect("a place");
    let ring = things.segment.spsc::<u64>("ring", 2).expect("ring");
    let mut consumer = ring.consumer().expect("free");
    say("ready");
    while listen().is_some() {
        let used = one().block_on(async {
            let waits = async {
                let _came = tokio::join!(
                    things.queue.pop_async(),
                    things.bytes.pop_async(),
                    things.event.wait_async(),
                    async { drop(things.mutex.lock_async().await) },
                    async { drop(things.semaphore.acquire_async().await) },
                    things.latest.wait_changed_async(things.latest.version()),
                    subscriber.recv_async(),
                    consumer.pop_async(),
                    wait_async(std::io::stdin()),
                );
            };
            let measured = async {
                tokio::time::sleep(Duration::from_millis(50)).await;
                let (before, start) = (threads(), Instant::now());
                tokio::time::sleep(Duration::from_millis(600)).await;
                (before, threads(), start.elapsed())
            };
            tokio::select! {
                () = waits => panic!("something came"),
                measured = measured => measured,
            }
        });
        let (before, after, taken) = used;
        // One for words, one for descriptors.
        assert_eq!((before.len(), after.len()), (2, 2));
        let used: u64 =
            after.iter().map(|a| a.0).sum::<u64>() - before.iter().map(|b| b.0).sum::<u64>();
        let slept: u64 =
            after.iter().map(|a| a.1).sum::<u64>() - before.iter().map(|b| b.1).sum::<u64>();
        // A tick is 10 ms.
        let idle = Duration::from_millis(used * 10) < taken / 2 && slept < 100;
        say(&if idle { "idle".to_owned() } else { format!("{used} ticks, slept {slept} times") });
        while !threads().is_empty() {
            std::thread::yield_now();
        }
        say("ended");
    }
}

#[test]
fn waiting_in_vain_costs_nothing_and_ends() {
    let things = things("idle");
    // Holds what is waited for.
    let mut holder = Driver::new(&things);
    holder.does("hold", "held");
    holder.does("acquire 2", "acquired");
    let mut peer = Peer::spawn("async idle", &[&things.name]);
    peer.expect("ready");
    // Twice: the threads are started anew.
    for _ in 0..2 {
        peer.tell("go");
        peer.expect("idle");
        peer.expect("ended");
    }
    peer.join();
    holder.0.join();
}
