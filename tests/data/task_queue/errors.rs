//! What is refused, and in which words.

use outlive::{
    LockError, ObjectError, PopError, PushError, Queue, Redeliver, Segment, TaskJoinError,
    TaskQueue, TaskQueueOptions,
};

use super::driver::queue;

#[test]
fn another_type_is_refused_by_name() {
    let (segment, _queue, _name) = queue("type", 3, Redeliver::Always);
    let text = segment.find::<TaskQueue<i64>>("t").unwrap_err().to_string();
    assert!(text.contains("TaskQueue<u64>") && text.contains("TaskQueue<i64>"), "{text}");
    let text = segment.find::<Queue<u64>>("t").unwrap_err().to_string();
    assert!(text.contains("TaskQueue<u64>") && text.contains("Queue<u64>"), "{text}");
}

#[test]
fn another_shape_is_refused_with_both_numbers() {
    let (segment, _queue, _name) = queue("shape", 3, Redeliver::UpTo(2));
    let refused = |capacity, redeliver, holders| {
        let options = TaskQueueOptions::new(capacity).redeliver(redeliver).holders(holders);
        let error = segment.task_queue_with::<u64>("t", options).unwrap_err();
        let ObjectError::ShapeMismatch { what, found, expected, .. } = error else {
            panic!("{error:?}");
        };
        (what, found, expected)
    };
    assert_eq!(refused(4, Redeliver::UpTo(2), 4), ("capacity", 3, 4));
    assert_eq!(refused(3, Redeliver::UpTo(2), 5), ("number of holders", 4, 5));
    let limit = "limit of deliveries (0 is none)";
    assert_eq!(refused(3, Redeliver::Always, 4), (limit, 3, 0));
    assert_eq!(refused(3, Redeliver::Never, 4), (limit, 3, 1));
    let same = TaskQueueOptions::new(3).redeliver(Redeliver::UpTo(2)).holders(4);
    segment.task_queue_with::<u64>("t", same).expect("the same shape");
}

#[test]
fn impossible_shapes_are_refused() {
    let (segment, _name) = crate::segment("impossible");
    for (capacity, holders) in
        [(0, 3), (usize::MAX, 3), (usize::MAX / 64, 3), (1 << 30, 3), (3, 0), (3, 257)]
    {
        let options = TaskQueueOptions::new(capacity).holders(holders);
        let error = segment.task_queue_with::<u64>("other", options).unwrap_err();
        let refused = match error {
            ObjectError::InvalidShape { .. } => capacity != 1 << 30,
            // It can be addressed, in a larger segment.
            ObjectError::SegmentFull { .. } => capacity == 1 << 30,
            _ => false,
        };
        assert!(refused, "{capacity}, {holders}: {error:?}");
        assert!(segment.find::<TaskQueue<u64>>("other").is_err());
    }
}

#[test]
fn read_only_handles_can_only_look() {
    let (_segment, queue, name) = queue("read-only", 2, Redeliver::Always);
    (1..=2).for_each(|task| queue.push(task).expect("push"));
    let _task = queue.pop().expect("pop");
    let reader = Segment::options().read_only(true).open(&name).expect("open");
    let seen: TaskQueue<u64> = reader.find("t").expect("find");
    let refused = LockError::ReadOnly;
    assert_eq!(seen.push(2), Err(PushError::Lock(2, refused.clone())));
    assert_eq!(seen.try_push(2), Err(PushError::Lock(2, refused.clone())));
    assert_eq!(seen.pop().unwrap_err(), PopError::Lock(refused.clone()));
    assert_eq!(seen.try_pop().unwrap_err(), PopError::Lock(refused.clone()));
    assert_eq!(seen.join(), Err(TaskJoinError::Lock(refused.clone())));
    assert_eq!(seen.pop_failed(), Err(refused.clone()));
    assert!(outlive::wait_any(&[&seen.readable()], None).is_err());
    assert_eq!(seen.close(), Err(refused));
    assert_eq!((seen.len(), seen.unfinished(), seen.is_closed()), (1, 2, false));
    assert!(format!("{seen:?}").contains("in_hands: 1"), "{seen:?}");
}

/// As if it had died.
#[test]
fn a_thread_without_room_for_a_lock_gives_its_task_up() {
    let (segment, _name) = crate::large_segment("locks", 4 << 20);
    let queue = segment.task_queue::<u64>("t", 2).expect("queue");
    (1..=2).for_each(|task| queue.push(task).expect("push"));
    let mutexes: Vec<_> =
        (0..1100).map_while(|i| segment.mutex(&format!("m{i}"), 0_u8).ok()).collect();
    let mut guards = Vec::new();
    let task = queue.pop().expect("pop");
    while let Ok(guard) = mutexes[guards.len()].lock() {
        guards.push(guard);
    }
    let is_refused = |error| matches!(error, LockError::TooManyLocks { .. });
    assert!(task.done().is_err_and(is_refused));
    guards.truncate(guards.len() - 1);
    // One for the queue, which the dead one's place then needs, and the task's own.
    let refused = queue.try_pop().map(|task| *task);
    assert!(matches!(refused, Ok(1) | Err(PopError::Lock(_))), "{refused:?}");
    drop(guards);
    assert_eq!(super::driver::rest(&queue).len(), 2);
    assert_eq!(queue.unfinished(), 0);
}

#[test]
fn errors_say_what_happened() {
    let text = TaskJoinError::TimedOut { unfinished: 17 }.to_string();
    assert!(text.contains("17"), "{text}");
    let lock = LockError::ReadOnly;
    assert_eq!(TaskJoinError::Lock(lock.clone()).to_string(), lock.to_string());
}
