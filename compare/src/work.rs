//! What is to be done, the same for every peer.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::support::cpu::Patience;

/// A kind of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// A message to the other process and back
    RoundTrip,
    /// Messages one way, as fast as they go
    Stream,
    /// The same with messages of varying lengths
    Bytes,
    /// Several senders and several receivers on one channel
    Mpmc,
    /// Make a channel, attach both ends, send one message, and remove it all
    Startup,
}

impl Kind {
    pub(crate) const ALL: [Self; 5] =
        [Self::RoundTrip, Self::Stream, Self::Bytes, Self::Mpmc, Self::Startup];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::RoundTrip => "round_trip",
            Self::Stream => "stream",
            Self::Bytes => "bytes",
            Self::Mpmc => "mpmc",
            Self::Startup => "startup",
        }
    }

    /// For a heading.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::RoundTrip => "Round trip: a message to the other process and back",
            Self::Stream => "Stream: messages one way, as fast as they go",
            Self::Bytes => "Bytes: a stream of messages of varying lengths",
            Self::Mpmc => "MPMC: several senders and several receivers on one channel",
            Self::Startup => {
                "Startup: make a channel, attach both ends, send one message, remove it; in one process"
            }
        }
    }

    /// Whether latencies are measured, not a rate.
    pub(crate) fn times(self) -> bool {
        matches!(self, Self::RoundTrip | Self::Startup)
    }
}

/// A piece of work: one comparison of all the peers that can do it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Work {
    pub(crate) kind: Kind,
    /// Of a message; of the longest one, where lengths vary.
    pub(crate) bytes: usize,
    /// Senders, and as many receivers.
    pub(crate) pairs: usize,
}

/// Sizes of messages.
const SIZES: &[usize] = &[8, 64, 1024, 64 << 10];
/// Those of a quick run: the ends.
const FEW_SIZES: &[usize] = &[8, 64 << 10];

/// Bounds of the lengths of [`Kind::Bytes`].
const SHORTEST: u64 = 8;
const LONGEST: u64 = 1024;

/// All work, in order; less of it for a quick run.
pub(crate) fn all(quick: bool) -> impl Iterator<Item = Work> {
    let one = |kind, bytes| Work { kind, bytes, pairs: 1 };
    let sizes = if quick { FEW_SIZES } else { SIZES };
    let sized = move |kind| sizes.iter().map(move |&bytes| one(kind, bytes));
    sized(Kind::RoundTrip)
        .chain(sized(Kind::Stream))
        .chain([one(Kind::Bytes, LONGEST as usize)])
        .chain([2, 4].map(|pairs| Work { kind: Kind::Mpmc, bytes: 8, pairs }))
        .chain([one(Kind::Startup, 8)])
}

impl Work {
    /// Messages that a channel keeps, for every peer that lets one choose: a mebibyte of them, but
    /// no more than 1024.
    pub(crate) fn capacity(&self) -> usize {
        ((1 << 20) / self.bytes).min(1024)
    }

    /// The same in bytes, with room for a header before each message.
    pub(crate) fn ring_bytes(&self) -> usize {
        self.capacity() * (self.bytes + 16)
    }

    /// How long a message is.
    #[inline]
    pub(crate) fn length(&self, number: u64) -> usize {
        if self.kind == Kind::Bytes { varying_length(number) } else { self.bytes }
    }

    /// The same on average.
    pub(crate) fn mean_bytes(&self) -> f64 {
        if self.kind == Kind::Bytes { (SHORTEST + LONGEST) as f64 / 2.0 } else { self.bytes as f64 }
    }

    /// What distinguishes it within its kind.
    pub(crate) fn label(&self) -> String {
        match self.kind {
            Kind::Mpmc => format!("{0}x{0}", self.pairs),
            Kind::Bytes => format!("{SHORTEST} to {LONGEST} bytes"),
            _ if self.bytes < 1024 => format!("{} bytes", self.bytes),
            _ => format!("{} KiB", self.bytes / 1024),
        }
    }
}

/// Scattered evenly over the range, the same in every process.
#[inline]
fn varying_length(number: u64) -> usize {
    let scattered = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
    (SHORTEST + scattered % (LONGEST - SHORTEST + 1)) as usize
}

/// What a channel is made for.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Setup {
    pub(crate) work: Work,
    /// For peers that only offer to be asked again.
    pub(crate) patience: Patience,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_vary_over_the_whole_range() {
        let lengths = || (0..100_000).map(varying_length);
        assert_eq!(lengths().min(), Some(SHORTEST as usize));
        assert_eq!(lengths().max(), Some(LONGEST as usize));
    }
}
