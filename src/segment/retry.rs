//! Waiting for others to finish coming or going, which takes them microseconds.

use std::time::{Duration, Instant};

use crate::error::SegmentError;

/// How long to try before the caller is told.
const PATIENCE: Duration = Duration::from_secs(5);

/// A bounded loop that backs off.
pub(crate) struct Retry<'a> {
    name: &'a str,
    start: Instant,
    pause: Duration,
}

impl<'a> Retry<'a> {
    pub(crate) fn new(name: &'a str) -> Self {
        Self { name, start: Instant::now(), pause: Duration::from_micros(5) }
    }

    /// Sleeps a little longer than last time; an error when it has gone on for too long.
    pub(crate) fn pause(&mut self) -> Result<(), SegmentError> {
        if self.start.elapsed() > PATIENCE {
            return Err(SegmentError::Busy { name: self.name.to_owned() });
        }
        std::thread::sleep(self.pause);
        self.pause = (self.pause * 2).min(Duration::from_millis(2));
        Ok(())
    }
}
