//! How long a caller is willing to wait, and in which manner.

use std::time::{Duration, Instant};

use super::waiting::Waiting;
use crate::seam::futex::RECHECK;

/// A point in time, or none.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline {
    /// Until then, and not a moment less; None is as long as it takes. Single sleeps are bounded in
    /// either case.
    until: Option<Instant>,
    pub(crate) waiting: Waiting,
}

impl Deadline {
    /// As long as it takes.
    pub(crate) const NEVER: Self = Self { until: None, waiting: Waiting::Adaptive };

    /// `duration` from now; a span too long for the clock is no limit.
    pub(crate) fn after(duration: Duration) -> Self {
        // In a model no time passes, however long the machine takes for it.
        let duration = if cfg!(loom) { duration.saturating_mul(1000) } else { duration };
        Self { until: Instant::now().checked_add(duration), ..Self::NEVER }
    }

    pub(crate) fn with(self, waiting: Waiting) -> Self {
        Self { waiting, ..self }
    }

    pub(crate) fn is_endless(self) -> bool {
        self.until.is_none()
    }

    /// This one, or one so far from now if that is later.
    pub(crate) fn at_least(self, span: Duration) -> Self {
        let until = self.until.map(|until| until.max(Instant::now() + span));
        Self { until, ..self }
    }

    /// How long the next sleep may be; None when the time is up.
    pub(crate) fn remaining(self) -> Option<Duration> {
        match self.until {
            None => Some(RECHECK),
            Some(then) => {
                let left = then.saturating_duration_since(Instant::now());
                if left.is_zero() { None } else { Some(left) }
            }
        }
    }
}
