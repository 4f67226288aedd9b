//! The threads of a pool that its workers work with. Each looks after some of the workers: it sleeps on
//! what they say, on their deaths, and on the caller's bell, all at once.

use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::job::Job;
use super::member::{Member, News, has_ended};
use super::options::PoolOptions;
use super::plain::Memory;
use crate::error::{PoolError, TaskError};
use crate::os::descriptor;
use crate::process::ProcessHandle;
use crate::sync::{Event, Waitable, wait_some};

/// Workers for each thread: it sleeps on two words each, and one more, of 127 (futex_waitv).
pub(super) const CREW: usize = 32;

/// Before a worker is started after one that could not begin; longer after more of them.
const PAUSE: Duration = Duration::from_millis(5);

/// What becomes of a pool.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Course {
    Open,
    /// What there is is done, and then it ends.
    Closed,
    /// It ends now.
    Over(TaskError),
}

pub(super) struct State {
    pub(super) course: Course,
    /// With tasks that wait; some that have none any more.
    jobs: VecDeque<Arc<dyn Job>>,
    /// Iterators that will add tasks.
    pub(super) feeds: usize,
    /// Threads that run.
    pub(super) crews: usize,
    /// Workers in a row that could not begin.
    failures: usize,
    pub(super) members: Vec<ProcessHandle>,
}

pub(super) struct Shared {
    pub(super) options: Arc<PoolOptions>,
    pub(super) workers: usize,
    /// The process that it belongs to.
    pub(super) owner: u32,
    state: Mutex<State>,
    /// With `state`: a thread has ended, or there are other workers.
    pub(super) changed: Condvar,
    /// One for each thread.
    pub(super) bells: Vec<Event>,
    numbers: AtomicU64,
    /// What the last map over plain data used, for the next one.
    memory: Mutex<Option<Memory>>,
}

thread_local! {
    static IN_CREW: Cell<bool> = const { Cell::new(false) };
}

/// Whether this is a pool's thread, as in callbacks.
pub(super) fn is_crew() -> bool {
    IN_CREW.get()
}

impl Shared {
    pub(super) fn new(options: Arc<PoolOptions>, workers: usize, bells: Vec<Event>) -> Self {
        let state = State {
            course: Course::Open,
            jobs: VecDeque::new(),
            feeds: 0,
            crews: 0,
            failures: 0,
            members: Vec::new(),
        };
        Self {
            options,
            workers,
            owner: std::process::id(),
            state: Mutex::new(state),
            changed: Condvar::new(),
            bells,
            numbers: AtomicU64::new(1),
            memory: Mutex::new(None),
        }
    }

    pub(super) fn take_memory(&self) -> Option<Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(super) fn keep_memory(&self, memory: Memory) {
        *self.memory.lock().unwrap_or_else(PoisonError::into_inner) = Some(memory);
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn ring(&self) {
        for bell in &self.bells {
            // The segment is writable.
            let _rung = bell.set();
        }
    }

    /// Takes a job on, if the pool still takes any. `feed`: it is one that the pool has already.
    pub(super) fn submit(&self, job: Arc<dyn Job>, feed: bool) -> Result<(), PoolError> {
        if self.owner != std::process::id() {
            return Err(PoolError::Forked);
        }
        let mut state = self.state();
        match &state.course {
            Course::Open => {}
            Course::Closed if feed => {}
            Course::Closed => return Err(PoolError::Closed),
            Course::Over(TaskError::Stopped(why)) => return Err((**why).clone()),
            Course::Over(_) => return Err(PoolError::Terminated),
        }
        if !feed || !state.jobs.iter().any(|other| Arc::ptr_eq(other, &job)) {
            state.jobs.push_back(job);
        }
        drop(state);
        self.ring();
        Ok(())
    }

    /// The tasks of these wait again, before all others.
    fn again(&self, jobs: Vec<Arc<dyn Job>>) {
        let mut state = self.state();
        if let Course::Over(why) = &state.course {
            let why = why.clone();
            drop(state);
            return jobs.iter().for_each(|job| job.fail_all(&why));
        }
        for job in jobs.into_iter().rev() {
            if job.is_waiting() && !state.jobs.iter().any(|other| Arc::ptr_eq(other, &job)) {
                state.jobs.push_front(job);
            }
        }
        drop(state);
        self.ring();
    }

    /// The first job that has tasks that wait.
    fn next(&self) -> Option<Arc<dyn Job>> {
        let mut state = self.state();
        loop {
            let job = state.jobs.front()?;
            if job.is_waiting() {
                return Some(Arc::clone(job));
            }
            state.jobs.pop_front();
        }
    }

    /// Ends it now, unless that was done before.
    pub(super) fn stop(&self, why: TaskError) {
        let mut state = self.state();
        if !matches!(state.course, Course::Over(_)) {
            state.course = Course::Over(why.clone());
        }
        let jobs = std::mem::take(&mut state.jobs);
        drop(state);
        self.ring();
        for job in jobs {
            job.fail_all(&why);
        }
    }

    /// Until all threads have ended, and so all workers.
    pub(super) fn wait(&self) {
        let mut state = self.state();
        while state.crews > 0 {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Tells of the thread's end, however that comes.
struct Leave<'a>(&'a Shared);

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.stop(TaskError::Stopped(Box::new(PoolError::Broken)));
        }
        self.0.state().crews -= 1;
        self.0.changed.notify_all();
    }
}

/// One thread's part of the pool.
struct Crew<'a> {
    shared: &'a Shared,
    bell: &'a Event,
    members: Vec<Member>,
    /// How many there are to be.
    size: usize,
    /// Workers that have done their share, on their way out.
    leaving: Vec<ProcessHandle>,
    not_before: Option<Instant>,
}

/// The thread: ends when the pool does.
pub(super) fn run(shared: &Shared, number: usize, size: usize) {
    // Should it fail, a handler runs in this thread instead of another one.
    let _unblocked = descriptor::block_signals();
    IN_CREW.set(true);
    let leave = Leave(shared);
    if let Some(bell) = shared.bells.get(number) {
        let members = Vec::new();
        let crew = Crew { shared, bell, members, size, leaving: Vec::new(), not_before: None };
        crew.work();
    }
    drop(leave);
}

impl Crew<'_> {
    fn work(mut self) {
        loop {
            // Before a look at what it may ring for.
            let _rang = self.bell.wait_timeout(Duration::ZERO);
            let course = self.shared.state().course.clone();
            if let Course::Over(why) = course {
                return self.end(&why);
            }
            self.hear();
            self.hand_out();
            if course == Course::Closed && self.is_done() {
                return self.leave();
            }
            self.replace();
            if let Err(error) = self.sleep() {
                self.shared.stop(TaskError::Stopped(Box::new(error)));
            }
        }
    }

    /// Takes what the workers say, and buries those that are gone.
    fn hear(&mut self) {
        let mut index = 0;
        while let Some(member) = self.members.get_mut(index) {
            match member.hear() {
                News::Gone => {
                    let member = self.members.swap_remove(index);
                    self.forget(member.handle().pid());
                    let name = member.handle().name().to_owned();
                    let (jobs, unfit) = member.bury();
                    self.shared.again(jobs);
                    if let Some(what) = unfit {
                        self.failed(|times| PoolError::Initializer { worker: name, times, what });
                    }
                    continue;
                }
                News::Ready => {
                    self.shared.state().failures = 0;
                    self.not_before = None;
                }
                News::None => {}
            }
            if member.is_spent() {
                let member = self.members.swap_remove(index);
                self.forget(member.handle().pid());
                self.leaving.push(member.retire());
                continue;
            }
            index += 1;
        }
        self.leaving.retain(|process| !has_ended(process, Some(Instant::now())));
    }

    fn forget(&self, pid: u32) {
        self.shared.state().members.retain(|member| member.pid() != pid);
    }

    /// Another worker could not begin.
    fn failed(&mut self, error: impl FnOnce(usize) -> PoolError) {
        const LEAST: usize = 3;
        let mut state = self.shared.state();
        state.failures += 1;
        let times = state.failures;
        drop(state);
        if times >= LEAST.max(self.shared.workers) {
            self.shared.stop(TaskError::Stopped(Box::new(error(times))));
        } else {
            self.not_before = Some(Instant::now() + PAUSE * 2_u32.pow(times.min(8) as u32));
        }
    }

    /// Gives each worker a chunk, those first that have least.
    fn hand_out(&mut self) {
        while let Some(job) = self.shared.next() {
            let free = self.members.iter_mut().filter(|member| member.takes(&*job));
            let Some(member) = free.min_by_key(|member| member.load()) else { return };
            if !member.give(&job, self.shared.workers) {
                // Another thread may have taken it for one that has nothing to do.
                self.shared.again(vec![job]);
            }
        }
    }

    /// With the pool closed: whether nothing is left to do here.
    fn is_done(&self) -> bool {
        let idle = self.members.iter().all(|member| member.load() == 0);
        idle && self.shared.state().feeds == 0 && self.shared.next().is_none()
    }

    /// Starts workers in the places of those that are gone.
    fn replace(&mut self) {
        while self.members.len() < self.size {
            if self.not_before.is_some_and(|time| Instant::now() < time) {
                return;
            }
            if matches!(self.shared.state().course, Course::Over(_)) {
                return;
            }
            let number = self.shared.numbers.fetch_add(1, Ordering::Relaxed);
            let options = &self.shared.options;
            let process = options.process(number);
            let quota = options.tasks_per_worker;
            match Member::start(process, options.initializer.as_ref(), quota) {
                Ok(member) => {
                    self.shared.state().members.push(member.handle());
                    self.shared.changed.notify_all();
                    self.members.push(member);
                }
                Err(error) => self.failed(|_| error),
            }
        }
    }

    /// Until there is something to do.
    fn sleep(&self) -> Result<(), PoolError> {
        if matches!(self.shared.state().course, Course::Over(_)) {
            return Ok(());
        }
        let mut things: Vec<&dyn Waitable> = vec![self.bell];
        things.extend(self.members.iter().map(|member| &member.end as &dyn Waitable));
        let starting = self.members.iter().filter_map(Member::sentinel);
        things.extend(starting.map(|process| process.sentinel() as &dyn Waitable));
        things.extend(self.leaving.iter().map(|process| process.sentinel() as &dyn Waitable));
        let pause = (self.members.len() < self.size).then_some(self.not_before).flatten();
        let pause = pause.map(|time| time.saturating_duration_since(Instant::now()));
        wait_some(&things, pause)?;
        Ok(())
    }

    /// Lets all workers go, and waits for them, or for the pool to be terminated.
    fn leave(mut self) {
        self.size = 0;
        for member in std::mem::take(&mut self.members) {
            self.forget(member.handle().pid());
            self.leaving.push(member.retire());
        }
        loop {
            let _rang = self.bell.wait_timeout(Duration::ZERO);
            let course = self.shared.state().course.clone();
            if let Course::Over(why) = course {
                return self.end(&why);
            }
            self.leaving.retain(|process| !has_ended(process, Some(Instant::now())));
            if self.leaving.is_empty() {
                return;
            }
            if let Err(error) = self.sleep() {
                self.shared.stop(TaskError::Stopped(Box::new(error)));
            }
        }
    }

    /// Ends all workers.
    fn end(self, why: &TaskError) {
        for member in &self.members {
            // All at once, before any is waited for.
            let _ended = member.handle().kill();
        }
        for process in &self.leaving {
            let _ended = process.kill();
        }
        self.shared.state().members.clear();
        for member in self.members {
            member.end(why);
        }
        for process in &self.leaving {
            has_ended(process, Some(Instant::now() + Duration::from_secs(5)));
        }
    }
}
