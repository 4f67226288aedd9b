//! Latencies, and what a handful of repetitions says.

use hdrhistogram::Histogram;

use super::clock::Clock;

/// Latencies in picoseconds, so that a few nanoseconds still have digits to compare.
#[derive(Clone, Debug)]
pub(crate) struct Latencies {
    histogram: Histogram<u64>,
    step_ps: u64,
}

impl Latencies {
    const LONGEST_PS: u64 = 100_000_000_000_000;

    /// For latencies that were told apart in steps of `step_ps`.
    pub(crate) fn new(step_ps: u64) -> Self {
        let histogram = Histogram::new_with_bounds(1, Self::LONGEST_PS, 3);
        Self { histogram: histogram.expect("constant valid bounds"), step_ps: step_ps.max(1) }
    }

    /// Of these, in picoseconds.
    pub(crate) fn of(latencies_ps: impl Iterator<Item = u64>, step_ps: u64) -> Self {
        let mut this = Self::new(step_ps);
        latencies_ps.for_each(|ps| this.record_ps(ps));
        this
    }

    #[inline]
    pub(crate) fn record_ps(&mut self, ps: u64) {
        self.histogram.saturating_record(ps);
    }

    /// Records the time between two clock readings around one operation, less the clock's own.
    #[inline]
    pub(crate) fn record_interval(&mut self, start_ns: u64, end_ns: u64, clock: Clock) {
        self.record_ps(interval_ps(start_ns, end_ns, clock));
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.histogram.add(&other.histogram).expect("equal bounds");
        self.step_ps = self.step_ps.max(other.step_ps);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.histogram.is_empty()
    }

    /// The latency below which this share lies.
    ///
    /// A clock that advances in steps gives few different values, and a quantile would jump from
    /// one to the next. So each value counts as spread evenly over the step around it, as grouped
    /// data are: with many samples at random phases that finds the quantile between the steps.
    pub(crate) fn quantile_ns(&self, quantile: f64) -> f64 {
        let near = self.histogram.value_at_quantile(quantile) as f64;
        let step = self.step_ps as f64;
        let wanted = quantile * self.histogram.len() as f64;
        let (mut low, mut high) = (near - step, near + step);
        let nearby: Vec<(f64, f64)> = self
            .histogram
            .iter_recorded()
            .map(|point| (point.value_iterated_to() as f64, point.count_at_value() as f64))
            .filter(|(value, _)| *value <= high + step)
            .collect();
        let below = |limit: f64| -> f64 {
            let share = |value: f64| ((limit - value) / step + 0.5).clamp(0.0, 1.0);
            nearby.iter().map(|&(value, count)| count * share(value)).sum()
        };
        while high - low > 10.0 {
            let middle = f64::midpoint(low, high);
            if below(middle) < wanted { low = middle } else { high = middle }
        }
        (low / 1000.0).clamp(0.0, self.max_ns())
    }

    pub(crate) fn max_ns(&self) -> f64 {
        self.histogram.max() as f64 / 1000.0
    }
}

/// The time between two clock readings, less what the clock itself takes.
#[inline]
pub(crate) fn interval_ps(start_ns: u64, end_ns: u64, clock: Clock) -> u64 {
    (end_ns.saturating_sub(start_ns) * 1000).saturating_sub(clock.cost_ps)
}

/// What one short repetition measured.
#[derive(Clone, Debug, Default)]
pub(crate) struct Slice {
    pub(crate) latencies: Option<Latencies>,
    pub(crate) rate_per_s: Option<f64>,
}

impl Slice {
    pub(crate) fn of_latencies(latencies: Latencies) -> Self {
        Self { latencies: Some(latencies), rate_per_s: None }
    }

    pub(crate) fn of_rate(count: u64, elapsed_ns: u64) -> Self {
        Self { latencies: None, rate_per_s: Some(count as f64 * 1e9 / elapsed_ns.max(1) as f64) }
    }
}

/// The middle of some repetitions and how far they lie apart.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl Spread {
    /// `None` without values.
    pub(crate) fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        let half = values.len() / 2;
        let median = if values.len().is_multiple_of(2) {
            (values[half - 1] + values[half]) / 2.0
        } else {
            values[half]
        };
        Some(Self { median, min, max })
    }
}
