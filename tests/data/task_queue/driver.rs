//! A process that uses one task queue as its parent tells it to.

use std::time::Duration;

use outlive::{
    PopError, PushError, Redeliver, Segment, Task, TaskJoinError, TaskQueue, TaskQueueOptions,
    wait_any,
};

use crate::driver::{self, Role, obey};
use crate::observe::idle;

/// A segment with a queue `t`, and its name.
pub(crate) fn queue(
    what: &str,
    capacity: usize,
    redeliver: Redeliver,
) -> (Segment, TaskQueue<u64>, String) {
    let (segment, name) = crate::large_segment(what, 1 << 17);
    let options = TaskQueueOptions::new(capacity).redeliver(redeliver).holders(4);
    let queue = segment.task_queue_with("t", options).expect("queue");
    (segment, queue, name)
}

/// Pops without waiting and finishes; each task with the number of its delivery.
pub(crate) fn rest(queue: &TaskQueue<u64>) -> Vec<(u64, u32)> {
    let mut all = Vec::new();
    loop {
        match queue.try_pop() {
            Ok(task) => {
                all.push((*task, task.attempt()));
                task.done().expect("done");
            }
            Err(PopError::Empty | PopError::Closed) => return all,
            Err(error) => panic!("{error:?}"),
        }
    }
}

fn pushed(outcome: Result<(), PushError<u64>>) -> String {
    match outcome {
        Ok(()) => "pushed".to_owned(),
        Err(error) => format!("{error:?} {}", error.clone().into_inner()),
    }
}

fn joined(outcome: Result<(), TaskJoinError>) -> String {
    outcome.map_or_else(|error| format!("{error:?}"), |()| "joined".to_owned())
}

/// A queue, and the tasks in hands.
struct Worker<'a> {
    queue: &'a TaskQueue<u64>,
    tasks: Vec<Task<'a, u64>>,
}

impl<'a> Worker<'a> {
    fn popped(&mut self, outcome: Result<Task<'a, u64>, PopError>) -> String {
        match outcome {
            Ok(task) => {
                let text = format!("{} {}", *task, task.attempt());
                self.tasks.push(task);
                text
            }
            Err(error) => format!("{error:?}"),
        }
    }

    /// Ends the oldest task.
    fn end(&mut self, end: impl FnOnce(Task<'a, u64>) -> Result<(), outlive::LockError>) -> String {
        let ended = end(self.tasks.remove(0));
        ended.map_or_else(|error| format!("{error:?}"), |()| "ended".to_owned())
    }

    fn run(&mut self, command: &str, task: u64, limit: Duration) -> String {
        let queue = self.queue;
        match command {
            "push" => pushed(queue.push(task)),
            "try-push" => pushed(queue.try_push(task)),
            "push-timeout" => pushed(queue.push_timeout(task, limit)),
            "pop" => self.popped(queue.pop()),
            "try-pop" => self.popped(queue.try_pop()),
            "pop-timeout" => self.popped(queue.pop_timeout(limit)),
            "done" => self.end(Task::done),
            "fail" => self.end(Task::fail),
            "put-back" => self.end(Task::put_back),
            "drop" => self.end(|task| {
                drop(task);
                Ok(())
            }),
            "join" => joined(queue.join()),
            "join-timeout" => joined(queue.join_timeout(limit)),
            "close" => {
                queue.close().map_or_else(|error| format!("{error:?}"), |()| "closed".into())
            }
            "wait" => match wait_any(&[&queue.readable()], Some(limit)) {
                Ok(Some(_)) => "ready".to_owned(),
                Ok(None) => "not ready".to_owned(),
                Err(error) => format!("{error:?}"),
            },
            "idle-pop" => idle(|| drop(queue.pop_timeout(limit))),
            "idle-push" => idle(|| drop(queue.push_timeout(task, limit))),
            "idle-join" => idle(|| drop(queue.join_timeout(limit))),
            "idle-wait" => idle(|| drop(wait_any(&[&queue.readable()], Some(limit)))),
            other => panic!("no command {other:?}"),
        }
    }
}

/// The role. A command is a word, a task and a limit in milliseconds.
pub(crate) fn run(arguments: &[String]) {
    let segment = Segment::open(&arguments[0]).expect("open");
    let queue: TaskQueue<u64> = segment.find("t").expect("find");
    let mut worker = Worker { queue: &queue, tasks: Vec::new() };
    obey(|command, words| {
        let (task, limit) = (words.number(), words.limit());
        worker.run(command, task, limit)
    });
}

/// The parent's end.
pub(crate) type Driver = driver::Driver<Named>;

pub(crate) enum Named {}

impl Role for Named {
    const NAME: &'static str = "task queue driver";
}
