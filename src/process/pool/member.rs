//! A worker, as its pool sees it: what it was given, and what of it has come back.
//!
//! # What a death leaves behind
//!
//! The pool keeps the list of what each worker was given, in order. The ring says exactly how far the
//! worker came: an outcome counts once all of its record is published, and the same store begins the
//! chunk's next task. So after a death the outcomes that are in the ring count, the task that was begun
//! and has none is the one that the worker died in, and all others wait again. What is left in the pipe,
//! the ring and the channel goes with them.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::job::{Job, Outcome};
use super::options::Initializer;
use super::wire::{self, Front, Kind};
use super::worker::{Setup, work};
use crate::data::{Consumer, PipeEnd};
use crate::error::{PipeRecvError, PipeSendError, PoolError, TaskError, WorkerEnd};
use crate::process::letter;
use crate::process::{Process, ProcessHandle, ProcessOptions};
use crate::segment::Segment;

/// Work that a worker is given ahead, at most, in nanoseconds.
const AHEAD_NANOS: f64 = 1_000_000.0;
/// Chunks that a worker is given ahead if they are short.
const AHEAD: usize = 64;
/// How long a worker that was killed has to end.
const MOMENT: Duration = Duration::from_secs(5);

/// A chunk that a worker was given.
struct Given {
    job: Arc<dyn Job>,
    first: u64,
    count: u32,
    /// How many have an outcome.
    done: u32,
    begun: bool,
}

/// What a worker is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// It runs its initializer, if not there yet.
    Starting,
    Ready,
    /// It is gone, or to be.
    Over,
}

pub(super) struct Member {
    process: Process<()>,
    pub(super) end: PipeEnd,
    ring: Consumer<u64>,
    pub(super) phase: Phase,
    /// Whether it ever was.
    was_ready: bool,
    given: VecDeque<Given>,
    /// Words of records that are not complete.
    inbox: Vec<u64>,
    /// A front that found no room in the pipe.
    unsent: Option<Vec<u8>>,
    /// A letter found no room in the channel: none before it has done what it has.
    crowded: bool,
    /// How many tasks it may have yet.
    quota: u64,
    /// What it says of its initializer.
    unfit: Option<String>,
}

/// What was found out about a worker.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum News {
    None,
    /// It has just become ready.
    Ready,
    /// It is gone, or has to go.
    Gone,
}

impl Member {
    /// Starts a worker.
    pub(super) fn start(
        options: ProcessOptions,
        initializer: Option<&Initializer>,
        quota: u64,
    ) -> Result<Self, PoolError> {
        /// For the directory.
        const PAGES: u64 = 8 * 4096;
        let room = PAGES + 2 * wire::PIPE as u64 + 8 * wire::RING as u64;
        let segment = Segment::options().capacity(room).anonymous()?;
        let tasks = segment.pipe("tasks", wire::PIPE)?;
        let results = segment.spsc::<u64>("results", wire::RING)?;
        let (end, ring) = (tasks.first()?, results.consumer()?);
        let entry = initializer.map(|initializer| initializer.entry);
        let parcel = initializer.map(|initializer| (initializer.pack)()).transpose();
        let parcel = parcel.map_err(|what| crate::error::StartError::Arguments { what })?;
        let setup = Setup { tasks, results, initializer: entry };
        let process = options.start(work, setup)?;
        if let (Some((channel, token)), Some(parcel)) = (process.channel(), parcel) {
            letter::send(channel, token, &(), &[], &parcel).inspect_err(|_| {
                let _ended = process.kill();
            })?;
        }
        Ok(Self {
            process,
            end,
            ring,
            phase: Phase::Starting,
            was_ready: false,
            given: VecDeque::new(),
            inbox: Vec::new(),
            unsent: None,
            crowded: false,
            quota,
            unfit: None,
        })
    }

    pub(super) fn handle(&self) -> ProcessHandle {
        self.process.handle()
    }

    /// What tells that it ended before it had its end of the pipe.
    pub(super) fn sentinel(&self) -> Option<&ProcessHandle> {
        (self.phase == Phase::Starting).then_some(&*self.process)
    }

    /// How many chunks it has.
    pub(super) fn load(&self) -> usize {
        self.given.len()
    }

    /// Whether it has done its share, and is to be replaced.
    pub(super) fn is_spent(&self) -> bool {
        self.quota == 0 && self.given.is_empty()
    }

    /// Whether it is to have another chunk of that job when others have at least as many.
    pub(super) fn takes(&self, job: &dyn Job) -> bool {
        let ready = self.phase == Phase::Ready && self.quota > 0;
        if !ready || self.crowded || self.unsent.is_some() {
            return false;
        }
        // Ahead only of what is known to be short: a task that waits behind a long one, or behind one
        // that waits for it, is better off with whoever is free next.
        let estimate = job.estimate();
        let ahead: f64 = self.given.iter().map(|given| f64::from(given.count)).sum();
        self.given.is_empty()
            || (self.given.len() < AHEAD && estimate > 0.0 && ahead * estimate < AHEAD_NANOS)
    }

    /// Gives it tasks of the job, if there are any. False: they could not be sent, and wait again.
    pub(super) fn give(&mut self, job: &Arc<dyn Job>, workers: usize) -> bool {
        let most = u32::try_from(self.quota).unwrap_or(u32::MAX);
        let Some(draw) = job.draw(most, workers) else { return true };
        self.quota -= u64::from(draw.count);
        let letter = !draw.parcel.segments.is_empty() || draw.parcel.bytes.len() > wire::LONG;
        let front = Front { entry: job.entry(), tasks: draw.count, letter };
        let mut message = front.to_bytes().to_vec();
        if letter {
            let sent = match self.process.channel() {
                Some((channel, token)) => letter::send(channel, token, &(), &[], &draw.parcel),
                None => Ok(()),
            };
            if let Err(error) = sent {
                // A worker that is gone is found to be; its tasks wait until then.
                if error.errno() == crate::os::channel::EPIPE {
                    job.give_back(draw.first, draw.count);
                    self.phase = Phase::Over;
                    return false;
                }
                // Letters are taken as their chunks are begun: those of a worker without chunks are gone.
                if crate::os::channel::is_full(&error) && !self.given.is_empty() {
                    job.give_back(draw.first, draw.count);
                    self.quota += u64::from(draw.count);
                    self.crowded = true;
                    return false;
                }
                let what = error.to_string();
                let failed = || Outcome::Failed(TaskError::Arguments { what: what.clone() });
                job.settle(draw.first, (0..draw.count).map(|_| failed()).collect());
                return true;
            }
        } else {
            message.extend(&draw.parcel.bytes);
        }
        self.given.push_back(Given {
            job: Arc::clone(job),
            first: draw.first,
            count: draw.count,
            done: 0,
            begun: false,
        });
        self.unsent = Some(message);
        self.send();
        true
    }

    /// Sends what found no room before.
    fn send(&mut self) {
        if let Some(message) = self.unsent.take()
            && let Err(PipeSendError::Full) = self.end.try_send_bytes(&message)
        {
            // It rings when it has taken what is there. Other errors: it is gone, and found to be.
            self.unsent = Some(message);
        }
    }

    /// Takes what it has to say.
    pub(super) fn hear(&mut self) -> News {
        if self.phase == Phase::Over {
            return News::Gone;
        }
        let before = self.phase;
        let mut gone = loop {
            match self.end.try_recv_bytes() {
                Ok(_) => {}
                Err(PipeRecvError::Empty) => break false,
                // Eof, or bytes that cannot be.
                Err(_) => break true,
            }
        };
        // After the bell, and after the end was seen: all that was said before is there.
        gone |= !self.drain();
        gone |= self.unfit.is_some();
        // Its end of the pipe is still awaited if it ended before it took it.
        gone |= self.phase == Phase::Starting && !self.process.is_alive();
        if gone {
            self.phase = Phase::Over;
            return News::Gone;
        }
        self.send();
        if before == self.phase { News::None } else { News::Ready }
    }

    /// Takes what is in the ring. False: it says what cannot be.
    fn drain(&mut self) -> bool {
        const ROOM: usize = 4096;
        loop {
            let length = self.inbox.len();
            self.inbox.resize(length + ROOM, 0);
            let got = self.ring.try_pop_slice(&mut self.inbox[length..]);
            let count = *got.as_ref().unwrap_or(&0);
            self.inbox.truncate(length + count);
            match got {
                Ok(_) => {}
                Err(crate::error::PopError::Empty) => return true,
                Err(_) => return false,
            }
            if !self.read() {
                return false;
            }
        }
    }

    /// Reads the records that are complete. False: one cannot be.
    fn read(&mut self) -> bool {
        let inbox = std::mem::take(&mut self.inbox);
        let mut rest = &*inbox;
        let mut outcomes = Vec::new();
        let mut fine = true;
        while let [word, more @ ..] = rest {
            let Some((kind, length)) = Kind::parse(*word) else {
                fine = false;
                break;
            };
            let Some((payload, after)) = more.split_at_checked(length.div_ceil(8)) else { break };
            rest = after;
            let bytes = bytemuck::cast_slice::<u64, u8>(payload);
            let bytes = bytes.get(..length).unwrap_or_default();
            if let Some(outcome) = self.outcome(kind, bytes) {
                let open = self.given.front().is_some_and(|given| {
                    given.begun && given.done as usize + outcomes.len() < given.count as usize
                });
                if !open {
                    fine = false;
                    break;
                }
                outcomes.push(outcome);
                continue;
            }
            self.settle(&mut outcomes);
            if !self.note(kind, bytes) {
                fine = false;
                break;
            }
        }
        self.settle(&mut outcomes);
        drop(outcomes);
        self.inbox = rest.to_vec();
        fine
    }

    /// What a record says of a task; None: it is about something else.
    fn outcome<'a>(&self, kind: Kind, bytes: &'a [u8]) -> Option<Outcome<'a>> {
        let text = || String::from_utf8_lossy(bytes).into_owned();
        Some(match kind {
            Kind::Returned => Outcome::Bytes(bytes),
            Kind::Letter => {
                let letter = self.process.channel().map(|(channel, token)| {
                    letter::receive::<()>(channel, token, 0).map_err(|error| error.to_string())
                });
                match letter {
                    Some(Ok(Some(letter))) => Outcome::Parcel(letter.parcel),
                    Some(Err(what)) => Outcome::Failed(TaskError::Result { what }),
                    Some(Ok(None)) | None => {
                        let what = "it did not arrive".to_owned();
                        Outcome::Failed(TaskError::Result { what })
                    }
                }
            }
            Kind::Panicked => {
                let (message, location) = postcard::from_bytes(bytes).unwrap_or_default();
                let (worker, pid) = (self.process.name().to_owned(), self.process.pid());
                Outcome::Failed(TaskError::Panicked { worker, pid, message, location })
            }
            Kind::Arguments => Outcome::Failed(TaskError::Arguments { what: text() }),
            Kind::Result => Outcome::Failed(TaskError::Result { what: text() }),
            Kind::Ready | Kind::Unfit | Kind::Begin | Kind::End => return None,
        })
    }

    /// Hands on outcomes of the chunk that it is at.
    fn settle(&mut self, outcomes: &mut Vec<Outcome<'_>>) {
        if let Some(given) = self.given.front_mut()
            && !outcomes.is_empty()
        {
            let first = given.first + u64::from(given.done);
            given.done += outcomes.len() as u32;
            given.job.settle(first, std::mem::take(outcomes));
        }
    }

    /// A record that is about no task. False: it cannot be.
    fn note(&mut self, kind: Kind, bytes: &[u8]) -> bool {
        match kind {
            Kind::Ready => {
                self.phase = Phase::Ready;
                self.was_ready = true;
                true
            }
            Kind::Unfit => {
                self.unfit = Some(String::from_utf8_lossy(bytes).into_owned());
                true
            }
            Kind::Begin => {
                let first = self.given.front_mut();
                first.is_some_and(|given| !std::mem::replace(&mut given.begun, true))
            }
            Kind::End => {
                let complete = |given: &Given| given.begun && given.done == given.count;
                if !self.given.front().is_some_and(complete) {
                    return false;
                }
                let Some(given) = self.given.pop_front() else { return false };
                self.crowded = false;
                let nanos = bytes.first_chunk().copied().map(u64::from_le_bytes);
                given.job.timed(given.count, nanos.unwrap_or_default());
                true
            }
            _ => false,
        }
    }

    /// After it was found to be gone: the jobs that have tasks that wait again, and why it did not
    /// begin, if it did not.
    pub(super) fn bury(mut self) -> (Vec<Arc<dyn Job>>, Option<String>) {
        // Without effect on one that is about to end by itself.
        let _ended = self.process.kill();
        let _waited = self.process.wait(Some(MOMENT));
        // What it said last.
        let _fine = self.drain();
        let end = WorkerEnd::from(self.process.exit_status());
        let unfit = self.unfit.take();
        let what = (!self.was_ready).then(|| unfit.unwrap_or_else(|| format!("it {end}")));
        let (worker, pid) = (self.process.name().to_owned(), self.process.pid());
        let mut jobs = Vec::new();
        for given in self.given.drain(..) {
            let (mut first, mut left) =
                (given.first + u64::from(given.done), given.count - given.done);
            if given.begun && left > 0 {
                let worker = worker.clone();
                let error = TaskError::WorkerDied { worker, pid, end, attempts: 1 };
                given.job.lost(first, error);
                first += 1;
                left -= 1;
            }
            given.job.give_back(first, left);
            jobs.push(given.job);
        }
        (jobs, what)
    }

    /// Ends it at once; its tasks get that outcome.
    pub(super) fn end(self, error: &TaskError) {
        let _ended = self.process.kill();
        for given in &self.given {
            given.job.fail_all(error);
        }
        let _waited = self.process.wait(Some(MOMENT));
        let _status = self.process.exit_status();
    }

    /// Lets it end, as it has nothing more to do.
    pub(super) fn retire(self) -> ProcessHandle {
        self.process.handle()
    }
}

/// Waits for one that was retired; false at the deadline.
pub(super) fn has_ended(process: &ProcessHandle, deadline: Option<Instant>) -> bool {
    let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
    let ended = process.wait(left).unwrap_or(true);
    if ended {
        // No zombie stays of it.
        let _status = process.exit_status();
    }
    ended
}
