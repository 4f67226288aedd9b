//! `--kill`: who is killed when.

/// Kills when the counting has come so far, not by the clock: so the kills are spread over the run
/// on any machine, and a slow one still gets on.
#[derive(Debug)]
pub(crate) struct Saboteur {
    random: u64,
    /// Additions from one kill to the next, about.
    stride: u64,
    /// How many kills were due so far.
    due: u64,
    /// How far the counting has to be for the next.
    next: u64,
}

/// A few milliseconds' worth of additions.
const LONGEST_STRIDE: u64 = 50_000;

impl Saboteur {
    /// For at least two kills per process, if the run is long enough for the parent to keep up.
    pub(crate) fn new(seed: u64, processes: u32, additions: u64) -> Self {
        // Twice as many are due, because the last victims may have finished when their time comes.
        let stride = additions / 2 / (2 * u64::from(processes));
        let stride = stride.clamp(1, LONGEST_STRIDE);
        let mut new = Self { random: seed, stride, due: 0, next: 0 };
        new.aim();
        new
    }

    /// Somewhere in the second half of the next stride.
    fn aim(&mut self) {
        let half = self.stride / 2;
        self.next = self.due * self.stride + half + self.below(half + 1);
    }

    /// Whether it is time, if so many additions were made.
    pub(crate) fn is_due(&self, additions: u64) -> bool {
        additions >= self.next
    }

    /// The victim.
    pub(crate) fn choose(&mut self, candidates: &[usize]) -> Option<usize> {
        if candidates.is_empty() {
            return None;
        }
        let chosen = self.below(candidates.len() as u64) as usize;
        self.due += 1;
        self.aim();
        candidates.get(chosen).copied()
    }

    /// A random number: splitmix64, <https://prng.di.unimi.it/splitmix64.c>.
    fn below(&mut self, limit: u64) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}
