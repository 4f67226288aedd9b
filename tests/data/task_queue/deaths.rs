//! Killed producers and consumers: every task is done, and nobody waits for the dead.

use outlive::{Array, PopError, Redeliver, Segment, TaskQueue, TaskQueueOptions};

use super::driver::{Driver, queue, rest};
use crate::observe::Random;
use crate::support::{Peer, await_death, say, wait_for_go};

#[test]
fn a_killed_holders_task_goes_to_the_next_one_first() {
    let (_segment, queue, name) = queue("first", 3, Redeliver::Always);
    for _ in 0..5 {
        let mut holder = Driver::new(&name);
        queue.push(1).expect("push");
        holder.does("pop", "1 1");
        queue.push(2).expect("push");
        holder.peer.kill();
        let seen = rest(&queue);
        // The first who pops looks at one hand in turn, and takes what waits.
        assert!(seen == [(1, 2), (2, 1)] || seen == [(2, 1), (1, 2)], "{seen:?}");
        assert_eq!(queue.unfinished(), 0);
    }
}

/// Though the queue never runs empty.
#[test]
fn a_busy_queue_leaves_no_dead_ones_task() {
    let (_segment, queue, name) = queue("busy", 10, Redeliver::Always);
    let mut holders = [Driver::new(&name), Driver::new(&name), Driver::new(&name)];
    (1..=8).for_each(|task| queue.push(task).expect("push"));
    for (task, holder) in (1..).zip(&mut holders) {
        holder.does("pop", &format!("{task} 1"));
    }
    holders.into_iter().for_each(|holder| holder.peer.kill());
    let mut seen = Vec::new();
    for _ in 0..6 {
        queue.push(100).expect("push");
        let task = queue.pop().expect("pop");
        seen.push((*task, task.attempt()));
        task.done().expect("done");
    }
    let again = seen.iter().filter(|(_, attempt)| *attempt == 2).count();
    assert_eq!(again, 3, "{seen:?}");
}

#[test]
fn a_task_that_kills_whoever_takes_it_fails_in_the_end() {
    let (_segment, queue, name) = queue("poison", 3, Redeliver::UpTo(2));
    queue.push(666).expect("push");
    queue.push(1).expect("push");
    for attempt in 1..=3 {
        let mut holder = Driver::new(&name);
        holder.does("pop", &format!("666 {attempt}"));
        holder.peer.kill();
        assert!(queue.join_timeout(std::time::Duration::ZERO).is_err());
    }
    assert_eq!(rest(&queue), [(1, 1)]);
    queue.join().expect("join");
    assert_eq!((queue.stats().redelivered, queue.stats().failed), (2, 1));
    assert_eq!(queue.pop_failed(), Ok(Some(666)));
}

#[test]
fn who_is_killed_as_it_waits_takes_nothing_along() {
    let (_segment, queue, name) = queue("waits", 1, Redeliver::Always);
    for _ in 0..3 {
        let mut dying = Driver::new(&name);
        dying.block("pop");
        dying.peer.kill();
        queue.push(1).expect("push");
        let mut dying = Driver::new(&name);
        dying.block("push 9");
        dying.peer.kill();
        let mut dying = Driver::new(&name);
        dying.block("join");
        dying.peer.kill();
        assert_eq!(rest(&queue), [(1, 1)]);
    }
}

#[test]
fn every_task_of_one_who_had_several_comes_back() {
    let (_segment, queue, name) = queue("several", 4, Redeliver::Always);
    (1..=4).for_each(|task| queue.push(task).expect("push"));
    let mut holder = Driver::new(&name);
    (1..=3).for_each(|task| holder.does("pop", &format!("{task} 1")));
    holder.does("done", "ended");
    let mut waiter = Driver::new(&name);
    waiter.does("pop", "4 1");
    waiter.block("pop");
    holder.peer.kill();
    // It may look before the kernel is through with the dead one's locks.
    let heard = waiter.peer.hear();
    let left = if heard == "2 2" { (3, 2) } else { (2, 2) };
    assert!(heard == "2 2" || heard == "3 2", "{heard}");
    assert_eq!(rest(&queue), [left]);
}

/// Large enough that many kills hit the copy of one.
type Words = [u64; 32];

const TASKS: u64 = 3000;

/// A queue, and for each task how often it was done and pushed. An element has one writer at a time.
struct Board {
    queue: TaskQueue<Words>,
    done: Array<u64>,
    pushed: Array<u64>,
}

impl Board {
    fn of(segment: &Segment) -> Self {
        let options = TaskQueueOptions::new(7).redeliver(Redeliver::Always).holders(3);
        Self {
            queue: segment.task_queue_with("t", options).expect("queue"),
            done: segment.array("done", TASKS as usize, 0).expect("array"),
            pushed: segment.array("pushed", 1, 0).expect("array"),
        }
    }

    fn open(arguments: &[String]) -> Self {
        Self::of(&Segment::open(&arguments[0]).expect("open"))
    }
}

/// The role: finishes tasks until there are no more.
pub(crate) fn work_for_ever(arguments: &[String]) {
    let board = Board::open(arguments);
    say("ready");
    wait_for_go();
    loop {
        match board.queue.pop() {
            Ok(task) => {
                assert_eq!(*task, [task[0]; 32], "torn");
                let index = task[0] as usize;
                let times = board.done.load(index).expect("load");
                board.done.store(index, times + 1).expect("store");
                task.done().expect("done");
            }
            Err(PopError::Closed) => break,
            Err(error) => panic!("{error:?}"),
        }
    }
    await_death();
}

/// The role: pushes task after task until it is killed. The one that a predecessor was at is pushed
/// again.
pub(crate) fn produce_for_ever(arguments: &[String]) {
    let board = Board::open(arguments);
    say("ready");
    wait_for_go();
    for task in board.pushed.load(0).expect("load")..TASKS {
        board.queue.push([task; 32]).expect("push");
        board.pushed.store(0, task + 1).expect("store");
    }
    board.queue.close().expect("close");
    await_death();
}

fn start(role: &str, name: &str) -> Peer {
    let mut peer = Peer::spawn(role, &[name]);
    peer.expect("ready");
    peer.tell("go");
    peer
}

/// Both sides are killed at random moments: every task is done, and but for the dead's, once.
#[test]
fn every_task_is_done_whoever_is_killed() {
    let (segment, name) = crate::segment("everybody");
    let board = Board::of(&segment);
    let mut random = Random::new(11);
    let mut workers: Vec<_> = (0..2).map(|_| start("task queue work", &name)).collect();
    let mut producer = Some(start("task queue produce", &name));
    let (mut of_workers, mut of_producers) = (0, 0);
    while board.pushed.load(0).expect("load") < TASKS - 200 {
        let target = board.pushed.load(0).expect("load") + 1 + random.below(100);
        while board.pushed.load(0).expect("load") < target {
            std::thread::yield_now();
        }
        if random.below(3) == 0 {
            producer.take().expect("a producer").kill();
            producer = Some(start("task queue produce", &name));
            of_producers += 1;
        } else {
            workers.remove(random.below(2) as usize).kill();
            workers.push(start("task queue work", &name));
            of_workers += 1;
        }
    }
    // The last producer closes; its tasks are waited for.
    while !board.queue.is_closed() {
        std::thread::yield_now();
    }
    board.queue.join().expect("join");
    assert_eq!(board.queue.pop().unwrap_err(), PopError::Closed);
    let done = board.done.to_vec().expect("read");
    let never = done.iter().position(|times| *times == 0);
    assert_eq!(never, None, "a task was never done");
    let more = done.iter().sum::<u64>() - TASKS;
    assert!(more <= of_workers + of_producers, "{more} more, {of_workers}+{of_producers} kills");
    assert!(board.queue.stats().redelivered <= of_workers, "{:?}", board.queue.stats());
    assert_eq!((board.queue.unfinished(), board.queue.stats().failed), (0, 0));
}
