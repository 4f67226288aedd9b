//! How long a caller is willing to wait.

use std::time::{Duration, Instant};

use crate::seam::futex::RECHECK;

/// A point in time, or none.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Deadline {
    /// As long as it takes. Single sleeps are still bounded.
    Never,
    /// Until then, and not a moment less.
    At(Instant),
}

impl Deadline {
    /// `duration` from now; a span too long for the clock is no limit.
    pub(crate) fn after(duration: Duration) -> Self {
        Instant::now().checked_add(duration).map_or(Self::Never, Self::At)
    }

    /// How long the next sleep may be; None when the time is up.
    pub(crate) fn remaining(self) -> Option<Duration> {
        match self {
            Self::Never => Some(RECHECK),
            Self::At(then) => {
                let left = then.saturating_duration_since(Instant::now());
                if left.is_zero() { None } else { Some(left) }
            }
        }
    }
}
