//! Processes that are killed: those that tasks wait for, and those whose tasks wait.

use outlive::{LockError, Segment};

use crate::driver::{Driver, things};
use crate::observe::Random;
use crate::runtime::{block_on, many, poll_once};
use crate::support::{Peer, say, unique};

#[test]
fn a_holders_death_wakes_a_task() {
    let things = things("holder");
    for _ in 0..3 {
        let mut victim = Driver::new(&things);
        victim.does("hold", "held");
        victim.does("acquire 2", "acquired");
        let mut locked = Box::pin(things.mutex.lock_async());
        let mut acquired = Box::pin(things.semaphore.acquire_async());
        assert!(poll_once(&mut locked).is_pending());
        assert!(poll_once(&mut acquired).is_pending());
        victim.0.kill();
        match block_on(locked) {
            Err(LockError::OwnerDied(mut guard)) => guard.mark_consistent(),
            other => panic!("expected OwnerDied, got {:?}", other.map(|guard| *guard)),
        }
        drop(block_on(acquired).expect("it came back"));
    }
}

#[test]
fn a_message_in_dead_hands_goes_to_a_task() {
    let things = things("message");
    let mut victim = Driver::new(&things);
    things.bytes.push(b"kept").expect("push");
    victim.does("read", "read");
    let mut popped = Box::pin(things.bytes.pop_async());
    assert!(poll_once(&mut popped).is_pending());
    victim.0.kill();
    assert_eq!(block_on(popped), Ok(b"kept".to_vec()));
    assert_eq!(things.bytes.stats().redelivered, 1);
}

#[test]
fn who_dies_waiting_keeps_nobody_from_a_message() {
    let things = things("waiter");
    let mut survivor = Driver::new(&things);
    for round in 0..10 {
        let mut victim = Driver::new(&things);
        victim.start("pop");
        survivor.start("pop");
        victim.0.kill();
        things.queue.push(round).expect("room");
        survivor.0.expect(&round.to_string());
    }
    survivor.0.join();
}

const MESSAGES: u64 = 20_000;
const TASKS: u64 = 8;

/// The role: tasks that take messages and mark what they took, until they are killed.
pub(crate) fn victim(arguments: &[String]) {
    let segment = Segment::open(&arguments[0]).expect("open");
    let queue = segment.find::<outlive::Queue<u64>>("q").expect("queue");
    let marks = segment.atomic_counter("taken").expect("counter");
    let lock = segment.find::<outlive::Mutex<u64>>("m").expect("mutex");
    let runtime = many();
    let tasks: Vec<_> = (0..TASKS)
        .map(|_| {
            let (queue, marks, lock) = (queue.clone(), marks.clone(), lock.clone());
            runtime.spawn(async move {
                while queue.pop_async().await.is_ok() {
                    marks.fetch_add(1).expect("count");
                    match lock.lock_async().await {
                        Ok(mut guard) => *guard += 1,
                        Err(LockError::OwnerDied(mut guard)) => guard.mark_consistent(),
                        Err(error) => panic!("{error:?}"),
                    }
                }
            })
        })
        .collect();
    say("going");
    for task in tasks {
        runtime.block_on(task).expect("join");
    }
    say("done");
}

#[test]
fn processes_full_of_tasks_are_killed_at_any_moment() {
    let name = unique("killed-tasks");
    let segment = Segment::options().capacity(64 << 10).create(&name).expect("create");
    let queue = segment.queue::<u64>("q", 16).expect("queue");
    let marks = segment.atomic_counter("taken").expect("counter");
    segment.mutex("m", 0_u64).expect("mutex");
    let spawn = || {
        let mut peer = Peer::spawn("async victim", &[&name]);
        peer.expect("going");
        peer
    };
    let mut random = Random::new(7);
    let (mut survivor, mut victim) = (spawn(), spawn());
    let mut kills = 0;
    let mut next_kill = random.below(1000);
    block_on(async {
        for number in 0..MESSAGES {
            queue.push_async(number).await.expect("push");
            if number == next_kill {
                // Between any two instructions of theirs.
                (0..random.below(2000)).for_each(|_| std::hint::spin_loop());
                std::mem::replace(&mut victim, spawn()).kill();
                kills += 1;
                next_kill = number + 1 + random.below(1000);
            }
        }
    });
    queue.close().expect("close");
    for peer in [&mut survivor, &mut victim] {
        peer.expect("done");
    }
    let lost = MESSAGES - marks.get().cast_unsigned();
    assert!(lost <= kills * TASKS, "{lost} messages lost in {kills} deaths");
    assert!(kills > 10);
    survivor.join();
    victim.join();
}
