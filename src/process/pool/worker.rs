//! A worker: what runs in its process.

use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::wire::{self, Front, Kind};
use crate::data::{Pipe, PipeEnd, Producer, Spsc};
use crate::error::{PipeRecvError, PushError};
use crate::os::descriptor;
use crate::process::entry::{Entry, Refusal};
use crate::process::intercept;
use crate::process::letter::{self, SEGMENTS};
use crate::process::panics::{self, Panic};
use crate::process::parcel::{Parcel, explain};
use crate::segment::passing;

/// What a worker is started with.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Setup {
    pub(super) tasks: Pipe,
    pub(super) results: Spsc<u64>,
    /// The entry of the initializer, whose argument is the first letter.
    pub(super) initializer: Option<u64>,
}

/// How long records may lie in the ring before the bell rings, if there is more to do.
const PATIENCE: Duration = Duration::from_micros(200);

/// The worker's function: ends when the pool has let go of its end of the pipe.
pub(super) fn work(setup: Setup) {
    let Setup { tasks, results, initializer } = setup;
    // Nobody else has these. Who has no end has lost its pool.
    let (Ok(bell), Ok(ring)) = (tasks.second(), results.producer()) else { return };
    let mut up = Up { bell, ring, words: Vec::new(), rung: Instant::now() };
    match initializer.map_or(Ok(()), initialize) {
        Ok(()) => up.record(Kind::Ready, &[]),
        Err(what) => {
            up.tell(Kind::Unfit, &what);
            up.ring_bell();
            return;
        }
    }
    up.ring_bell();
    let (mut message, mut scratch) = (Vec::new(), Vec::new());
    loop {
        match up.bell.try_recv_bytes_into(&mut message) {
            Ok(()) => {}
            Err(PipeRecvError::Empty) => {
                up.ring_bell();
                if up.bell.recv_bytes_into(&mut message).is_err() {
                    return;
                }
            }
            Err(_) => return,
        }
        let Some((front, rest)) = Front::take(&message) else { return };
        let letter;
        let (tasks, segments) = if front.letter {
            let Some(parcel) = receive() else { return };
            letter = parcel;
            (&*letter.bytes, letter.segments)
        } else {
            (rest, Vec::new())
        };
        up.record(Kind::Begin, &[]);
        let began = Instant::now();
        let every = (front.tasks / 8).max(1);
        let batch = &mut Batch { tasks, up: &mut up, scratch: &mut scratch, every, left: every };
        passing::unpack(segments, || match Entry::find(front.entry) {
            Some(entry) => entry.run_all(batch),
            None => batch.refuse_all(),
        });
        let nanos = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        up.record(Kind::End, &nanos.to_le_bytes());
    }
}

/// Err says why it failed.
fn initialize(entry: u64) -> Result<(), String> {
    let parcel = receive().ok_or("its argument did not arrive")?;
    let entry = Entry::find(entry).ok_or("the initializer is not in this executable")?;
    match panics::catch(|| entry.run(parcel)) {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(Refusal::Arguments(what) | Refusal::Result(what))) => Err(what),
        Err(Panic { message, location }) => {
            let place = location.map_or_else(String::new, |place| format!(" at {place}"));
            Err(format!("it panicked{place}: {message}"))
        }
    }
}

/// The next letter; None if the pool is gone.
fn receive() -> Option<Parcel> {
    let (channel, token) = intercept::channel()?;
    loop {
        match letter::receive::<()>(channel, token, 0) {
            Ok(Some(letter)) => return Some(letter.parcel),
            // Nothing yet, unless it is the end of file.
            Ok(None) => match descriptor::readable(&[channel], None) {
                Ok(_) if crate::os::channel::is_over(channel) => return None,
                Ok(_) => {}
                Err(_) => return None,
            },
            Err(_) => return None,
        }
    }
}

/// As much of a text as so many bytes are.
fn clip(text: &str, most: usize) -> &str {
    let end = (0..=most.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    &text[..end.unwrap_or_default()]
}

/// The way to the pool.
struct Up {
    bell: PipeEnd,
    ring: Producer<u64>,
    words: Vec<u64>,
    /// When the bell was rung.
    rung: Instant,
}

impl Up {
    fn ring_bell(&mut self) {
        // Full: it is ringing. Broken: nobody is there.
        let _rings = self.bell.try_send_bytes(&[]);
        self.rung = Instant::now();
    }

    fn record(&mut self, kind: Kind, bytes: &[u8]) {
        self.words.clear();
        self.words.push(kind.word(bytes.len()));
        let (whole, rest) = bytes.as_chunks::<8>();
        self.words.extend(whole.iter().map(|word| u64::from_le_bytes(*word)));
        if !rest.is_empty() {
            let mut last = [0; 8];
            last[..rest.len()].copy_from_slice(rest);
            self.words.push(u64::from_le_bytes(last));
        }
        let pushed = match self.ring.try_push_slice(&self.words) {
            Ok(pushed) => pushed,
            Err(PushError::Full(())) => 0,
            Err(_) => return,
        };
        if pushed < self.words.len() {
            self.ring_bell();
            // It fails if the pool is gone, and the next look at the pipe says so, too.
            let _gone = self.ring.push_slice(&self.words[pushed..]);
        }
    }

    /// An outcome that goes as a letter.
    fn send(&mut self, parcel: &Parcel) {
        let Some((channel, token)) = intercept::channel() else { return };
        loop {
            match letter::send(channel, token, &(), &[], parcel) {
                Ok(()) => return self.record(Kind::Letter, &[]),
                // Those before are still on their way.
                Err(error) if crate::os::channel::is_full(&error) => {
                    self.ring_bell();
                    if crate::os::channel::await_room(channel).is_err() {
                        return;
                    }
                }
                Err(error) => return self.record(Kind::Result, error.to_string().as_bytes()),
            }
        }
    }

    /// A text of any length.
    fn tell(&mut self, kind: Kind, what: &str) {
        self.record(kind, clip(what, wire::LONG).as_bytes());
    }
}

/// The tasks of one chunk, and where their outcomes go.
pub(crate) struct Batch<'a> {
    tasks: &'a [u8],
    up: &'a mut Up,
    /// Memory that is used again.
    scratch: &'a mut Vec<u8>,
    /// After so many tasks the clock is looked at.
    every: u32,
    left: u32,
}

impl std::fmt::Debug for Batch<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Batch").finish_non_exhaustive()
    }
}

impl Batch<'_> {
    /// Calls the function for each task.
    pub(crate) fn run_all<A: DeserializeOwned, R: Serialize>(&mut self, function: impl Fn(A) -> R) {
        while let Some(task) = wire::take_task(&mut self.tasks) {
            let scratch = &mut *self.scratch;
            scratch.clear();
            let outcome = panics::catch(|| {
                let (argument, rest) = postcard::take_from_bytes(task)
                    .map_err(|error| (Kind::Arguments, explain::<A>(&error)))?;
                if !rest.is_empty() {
                    let what = format!("{} bytes are left over", rest.len());
                    return Err((Kind::Arguments, what));
                }
                let result = function(argument);
                let (bytes, segments) =
                    passing::pack(|| postcard::to_extend(&result, std::mem::take(scratch)));
                *scratch = bytes.map_err(|error| (Kind::Result, explain::<R>(&error)))?;
                Ok(segments)
            });
            match outcome {
                Ok(Ok(segments)) if segments.is_empty() && self.scratch.len() <= wire::LONG => {
                    self.up.record(Kind::Returned, self.scratch);
                }
                Ok(Ok(segments)) if segments.len() <= SEGMENTS => {
                    self.up.send(&Parcel { bytes: std::mem::take(self.scratch), segments });
                }
                Ok(Ok(segments)) => {
                    let what = format!(
                        "it has handles of {} segments, the most is {SEGMENTS}",
                        segments.len()
                    );
                    self.up.tell(Kind::Result, &what);
                }
                Ok(Err((kind, what))) => self.up.tell(kind, &what),
                Err(Panic { mut message, location }) => {
                    message.truncate(clip(&message, wire::LONG / 2).len());
                    // Two texts and two numbers can always be serialised.
                    let panic = postcard::to_stdvec(&(message, location)).unwrap_or_default();
                    self.up.record(Kind::Panicked, &panic);
                }
            }
            self.look_at_the_clock();
        }
    }

    fn look_at_the_clock(&mut self) {
        self.left -= 1;
        if self.left == 0 {
            self.left = self.every;
            if self.up.rung.elapsed() > PATIENCE {
                self.up.ring_bell();
            }
        }
    }

    fn refuse_all(&mut self) {
        while wire::take_task(&mut self.tasks).is_some() {
            self.up.tell(Kind::Arguments, "the function is not in this executable");
        }
    }
}
