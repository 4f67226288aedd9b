//! `TaskQueue`: push, pop and done, from an empty, a full and a dead holder's one; giving up; join;
//! close.

use std::cell::RefCell;
use std::time::Duration;

use outlive::{PopError, PushError, Redeliver, Task, TaskQueue, TaskQueueOptions};

use super::deadline;
use crate::case::{Broken, By, Case, Operation, Seen, Verdict, WaitFrom, Waiter, World, hold};

const CAPACITY: usize = 4;
const HOLDERS: usize = 4;
/// What operations push; what others do, to let somebody go or to repair.
const NEW: u64 = 70;
const FREED: u64 = 80;
const REPAIR: u64 = 90;
const PROBE: u64 = 99;
/// What a waiter returns that found the end.
const NOTHING: u64 = 0;

/// So large that one can be torn.
type Words = [u64; 3];

fn words(task: u64) -> Words {
    [task; 3]
}

thread_local! {
    /// What the survivor has finished before the contract.
    static FINISHED: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

fn queue(world: &World) -> &'static TaskQueue<Words> {
    let options = TaskQueueOptions::new(CAPACITY).redeliver(Redeliver::Always).holders(HOLDERS);
    let queue = world.warm().task_queue_with("tasks", options);
    Box::leak(Box::new(queue.expect("queue")))
}

fn setup<const TASKS: u64>(world: &World) {
    world.create();
    let queue = queue(world);
    (1..=TASKS).for_each(|task| queue.try_push(words(task)).expect("push"));
}

/// Two tasks are in the hands of the dead.
fn setup_dead(world: &World) {
    setup::<2>(world);
    let queue = queue(world);
    std::thread::scope(|scope| {
        let ends = scope.spawn(|| {
            (0..2).for_each(|_| std::mem::forget(queue.pop().expect("pop")));
        });
        ends.join().expect("join");
    });
}

// Operations. Those that end a task have it before the first instruction.

fn push(world: &World) -> Operation {
    let queue = queue(world);
    Box::new(move || queue.push(words(NEW)).expect("push"))
}

fn pop_done(world: &World) -> Operation {
    let queue = queue(world);
    Box::new(move || queue.pop().expect("pop").done().expect("done"))
}

fn ends(world: &World, end: fn(Task<'static, Words>)) -> Operation {
    let mut task = Some(queue(world).pop().expect("pop"));
    Box::new(move || end(task.take().expect("a task")))
}

fn done(world: &World) -> Operation {
    ends(world, |task| task.done().expect("done"))
}

fn give_up(world: &World) -> Operation {
    ends(world, drop)
}

fn fail(world: &World) -> Operation {
    ends(world, |task| task.fail().expect("fail"))
}

fn join(world: &World) -> Operation {
    let queue = queue(world);
    Box::new(move || queue.join().expect("join"))
}

fn close(world: &World) -> Operation {
    let queue = queue(world);
    Box::new(move || queue.close().expect("close"))
}

fn push_repair(world: &World) -> Operation {
    let queue = queue(world);
    Box::new(move || queue.push(words(REPAIR)).expect("push"))
}

// What the survivor does so that others can go on.

fn finish_one(world: &World) {
    if let Ok(task) = queue(world).try_pop() {
        let number = task[0];
        task.done().expect("done");
        FINISHED.with_borrow_mut(|all| all.push(number));
    }
}

fn finish_all(world: &World) {
    while !matches!(queue(world).join_timeout(Duration::ZERO), Ok(())) {
        finish_one(world);
    }
}

fn provide(world: &World) {
    queue(world).try_push(words(FREED)).expect("push");
}

fn end(world: &World) {
    queue(world).close().expect("close");
}

// Waiters.

/// Finishes a task; which.
fn wait_for_task(world: &World) -> u64 {
    match queue(world).pop() {
        Ok(task) => {
            let number = task[0];
            task.done().expect("done");
            number
        }
        Err(PopError::Closed) => NOTHING,
        Err(error) => panic!("the waiter's pop: {error}"),
    }
}

fn wait_for_room(world: &World) -> u64 {
    match queue(world).push(words(FREED)) {
        Ok(()) => FREED,
        Err(PushError::Closed(_)) => NOTHING,
        Err(error) => panic!("the waiter's push: {error:?}"),
    }
}

fn wait_for_the_end(world: &World) -> u64 {
    queue(world).join().expect("join");
    NOTHING
}

const fn waits(from: WaitFrom, wait: fn(&World) -> u64, release: fn(&World)) -> Option<Waiter> {
    Some(Waiter { from, wait, release })
}

/// The victim's death or its operation is enough.
fn nothing(_world: &World) {}

// Contracts.

/// Finishes what is left, at once: the kernel has reported the death by the time that it is known.
fn rest(queue: &TaskQueue<Words>) -> Result<Vec<u64>, Broken> {
    let mut all = FINISHED.take();
    loop {
        match queue.try_pop() {
            Ok(task) => {
                hold!(Torn, *task == words(task[0]), "{:?}", *task);
                all.push(task[0]);
                task.done()?;
            }
            Err(PopError::Empty | PopError::Closed) => return Ok(all),
            Err(error) => return Err(error.into()),
        }
    }
}

/// All places and hands are there, and in order.
fn is_whole(queue: &TaskQueue<Words>) -> Verdict {
    queue.join_timeout(Duration::ZERO)?;
    hold!(Leaked, queue.unfinished() == 0, "{} unfinished", queue.unfinished());
    if queue.is_closed() {
        let refused = queue.try_push(words(PROBE));
        hold!(Lost, refused == Err(PushError::Closed(words(PROBE))), "{refused:?} to a closed one");
        let end = queue.pop_timeout(Duration::ZERO).err();
        hold!(Lost, end == Some(PopError::Closed), "{end:?}: no end");
        return Ok(());
    }
    for task in 0..CAPACITY as u64 {
        queue.push_timeout(words(task), Duration::ZERO)?;
    }
    let more = queue.try_push(words(9));
    hold!(Leaked, more == Err(PushError::Full(words(9))), "{more:?}: more than its capacity");
    let mut tasks = Vec::new();
    for task in 0..CAPACITY as u64 {
        let popped = queue.pop_timeout(Duration::ZERO)?;
        hold!(Lost, *popped == words(task) && popped.attempt() == 1, "{popped:?}, not {task}");
        tasks.push(popped);
    }
    for task in tasks {
        task.done()?;
    }
    queue.join_timeout(Duration::ZERO)?;
    Ok(())
}

fn count(all: &[u64], task: u64) -> u64 {
    all.iter().filter(|other| **other == task).count() as u64
}

/// Every task that was pushed and not finished is there, once, those of before in order.
fn contents(world: &World, seen: &Seen) -> Result<Vec<u64>, Broken> {
    let queue = queue(world);
    let mut all = rest(queue)?;
    is_whole(queue)?;
    all.extend(seen.waited.filter(|task| *task != NOTHING && *task != FREED));
    Ok(all)
}

fn old_in_order(all: &[u64], most: u64) -> Verdict {
    let old: Vec<u64> = all.iter().copied().filter(|task| *task <= most).collect();
    let mut once = old.clone();
    once.sort_unstable();
    once.dedup();
    hold!(Lost, once.len() == old.len(), "twice: {all:?}");
    Ok(())
}

fn pushed<const OLD: u64>(world: &World, seen: &Seen) -> Verdict {
    let all = contents(world, seen)?;
    old_in_order(&all, OLD)?;
    for task in 1..=OLD {
        hold!(Lost, count(&all, task) == 1, "{task} in {all:?}");
    }
    let new = count(&all, NEW);
    hold!(Lost, seen.effects().contains(&new), "{all:?}: {new} of {:?}", seen.effects());
    let repairs = count(&all, REPAIR);
    hold!(Lost, repairs <= u64::from(seen.repaired), "{all:?}: repaired {repairs} times");
    Ok(())
}

/// A task is finished by who completed its operation; else it is there, or was finished before death.
fn finished<const OLD: u64>(world: &World, seen: &Seen) -> Verdict {
    let all = contents(world, seen)?;
    old_in_order(&all, OLD)?;
    let left = (1..=OLD).filter(|task| count(&all, *task) == 1).count() as u64;
    let (least, most) = (seen.begun + u64::from(seen.repaired), seen.completed);
    let right = OLD.saturating_sub(least)..=OLD - most.min(OLD);
    hold!(Lost, right.contains(&left), "{left} of {OLD} are left, not {right:?}: {all:?}");
    Ok(())
}

/// Nothing that was given up is lost.
fn given_up<const OLD: u64>(world: &World, seen: &Seen) -> Verdict {
    let all = contents(world, seen)?;
    old_in_order(&all, OLD)?;
    let left = (1..=OLD).filter(|task| count(&all, *task) == 1).count() as u64;
    let repaired = u64::from(seen.repaired);
    hold!(Lost, left + repaired >= OLD, "{left} of {OLD} are left: {all:?}");
    hold!(Leaked, queue(world).stats().failed == 0, "failed");
    Ok(())
}

fn has_failed<const OLD: u64>(world: &World, seen: &Seen) -> Verdict {
    let queue = queue(world);
    let mut failed = 0;
    while let Some(task) = queue.pop_failed()? {
        hold!(Torn, task == words(task[0]), "{task:?}");
        failed += 1;
    }
    let all = contents(world, seen)?;
    old_in_order(&all, OLD)?;
    hold!(Lost, seen.effects().contains(&failed), "{failed} failed, of {:?}", seen.effects());
    let left = (1..=OLD).filter(|task| count(&all, *task) == 1).count() as u64;
    let repaired = u64::from(seen.repaired);
    hold!(Lost, left + failed + repaired >= OLD, "{left} left, {failed} failed: {all:?}");
    hold!(Lost, left + failed <= OLD, "{left} left, {failed} failed: {all:?}");
    Ok(())
}

fn joined(world: &World, seen: &Seen) -> Verdict {
    let all = contents(world, seen)?;
    hold!(Lost, count(&all, 1) == 1, "{all:?}: joined by itself");
    Ok(())
}

fn closed<const OLD: u64>(world: &World, seen: &Seen) -> Verdict {
    let queue = queue(world);
    hold!(Lost, queue.is_closed() || seen.completed == 0, "open after a complete close");
    let all = contents(world, seen)?;
    hold!(Lost, (1..=OLD).all(|task| count(&all, task) == 1), "{all:?}");
    queue.close()?;
    Ok(())
}

fn usage(world: &World, rounds: usize) -> Verdict {
    let queue = queue(world);
    for round in 0..rounds as u64 {
        queue.push_timeout(words(round), deadline())?;
        let task = queue.pop_timeout(deadline())?;
        hold!(Lost, *task == words(round), "{task:?} in round {round}");
        task.done()?;
        queue.join_timeout(deadline())?;
    }
    is_whole(queue)
}

fn usage_closed(world: &World, rounds: usize) -> Verdict {
    for _ in 0..rounds {
        is_whole(queue(world))?;
    }
    Ok(())
}

fn pushes() -> Vec<Case> {
    let push = || Case {
        name: "task-queue-push",
        heavy: false,
        setup: setup::<0>,
        by: By::FirstThread,
        operation: push,
        unblock: None,
        waiter: waits(WaitFrom::Start, wait_for_task, provide),
        peer: true,
        repair: Some(push_repair),
        contract: |world, seen| {
            let waited = seen.waited;
            hold!(Lost, waited != Some(NOTHING), "the waiter found the end");
            pushed::<0>(world, seen)
        },
        usage,
    };
    vec![
        push(),
        Case { name: "task-queue-push-other-thread", by: By::OtherThread, ..push() },
        Case {
            name: "task-queue-push-full",
            heavy: true,
            setup: setup::<4>,
            unblock: Some(finish_one),
            waiter: None,
            peer: false,
            repair: None,
            contract: pushed::<4>,
            ..push()
        },
    ]
}

fn pops() -> Vec<Case> {
    let pop = || Case {
        name: "task-queue-pop-done",
        heavy: false,
        setup: setup::<4>,
        by: By::FirstThread,
        operation: pop_done,
        unblock: None,
        waiter: waits(WaitFrom::Start, wait_for_room, finish_one),
        peer: true,
        repair: Some(pop_done),
        contract: finished::<4>,
        usage,
    };
    let joined = waits(WaitFrom::Start, wait_for_the_end, finish_all);
    vec![
        pop(),
        Case {
            name: "task-queue-pop-dead",
            setup: setup_dead,
            waiter: joined,
            contract: finished::<2>,
            repair: Some(push_repair),
            peer: false,
            ..pop()
        },
        Case {
            name: "task-queue-done",
            setup: setup::<2>,
            operation: done,
            waiter: joined,
            contract: finished::<2>,
            repair: Some(push_repair),
            peer: false,
            ..pop()
        },
        Case { name: "task-queue-done-full", operation: done, repair: None, peer: false, ..pop() },
        Case {
            name: "task-queue-drop",
            setup: setup::<1>,
            operation: give_up,
            waiter: waits(WaitFrom::Kill, wait_for_task, nothing),
            contract: given_up::<1>,
            repair: Some(push_repair),
            peer: false,
            ..pop()
        },
        Case {
            name: "task-queue-fail",
            setup: setup::<2>,
            operation: fail,
            waiter: joined,
            contract: has_failed::<2>,
            repair: Some(push_repair),
            peer: false,
            ..pop()
        },
    ]
}

fn the_end() -> Vec<Case> {
    let close = || Case {
        name: "task-queue-close",
        heavy: false,
        setup: setup::<0>,
        by: By::FirstThread,
        operation: close,
        unblock: None,
        waiter: waits(WaitFrom::Start, wait_for_task, end),
        peer: true,
        repair: Some(close),
        contract: closed::<0>,
        usage: usage_closed,
    };
    vec![
        close(),
        Case {
            name: "task-queue-close-full",
            setup: setup::<4>,
            waiter: waits(WaitFrom::Start, wait_for_room, end),
            contract: closed::<4>,
            ..close()
        },
        Case {
            name: "task-queue-join",
            heavy: true,
            setup: setup::<1>,
            operation: join,
            unblock: Some(finish_one),
            waiter: None,
            peer: false,
            repair: None,
            contract: joined,
            usage,
            ..close()
        },
    ]
}

pub(super) fn cases() -> Vec<Case> {
    [pushes(), pops(), the_end()].into_iter().flatten().collect()
}
