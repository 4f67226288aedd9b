//! The results, in words and as JSON.

use serde::Serialize;

use crate::Result;

/// What the demo came to.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) segment: String,
    pub(crate) processes: u32,
    pub(crate) increments: u64,
    pub(crate) lock: &'static str,
    /// What everybody together should have added.
    pub(crate) expected: u64,
    /// The shared total.
    #[serde(rename = "final")]
    pub(crate) total: u64,
    /// How much the total lacks.
    pub(crate) lost: i64,
    /// The workers' own counts, added up.
    pub(crate) sum: u64,
    /// Processes that joined with `--attach`, and those of them that died.
    pub(crate) joined: usize,
    pub(crate) joined_died: usize,
    /// Workers that died of SIGKILL; another one went on where each had stopped.
    pub(crate) killed: u64,
    /// Of the random choices of `--kill`.
    pub(crate) seed: Option<u64>,
    /// Times that the mutex came from a dead holder.
    pub(crate) repairs: u64,
    /// From the start signal to the last addition.
    pub(crate) seconds: f64,
    pub(crate) ns_per_increment: f64,
    /// Whether total, sum and expectation agree.
    pub(crate) consistent: bool,
}

impl Report {
    pub(crate) fn print(&self, json: bool) -> Result<()> {
        if json {
            crate::say!("{}", serde_json::to_string(self)?);
            return Ok(());
        }
        let Self { expected, total, lost, .. } = self;
        crate::say!();
        if self.joined > 0 {
            let died = if self.joined_died > 0 {
                format!(", of which {} died", self.joined_died)
            } else {
                String::new()
            };
            crate::say!("Joined:     {}{died}", self.joined);
        }
        if let Some(seed) = self.seed {
            crate::say!(
                "Killed:     {} workers; each time a new one went on (--seed {seed})",
                self.killed
            );
        } else if self.killed > 0 {
            crate::say!("Killed:     {} workers, by somebody else; new ones went on", self.killed);
        }
        if self.killed > 0 && self.lock == "mutex" {
            crate::say!("Repairs:    {} times the lock came from a dead holder", self.repairs);
        }
        crate::say!("Expected:   {expected}");
        crate::say!("Final:      {total}");
        crate::say!("Own counts: {} (what the workers noted for themselves, added up)", self.sum);
        crate::say!(
            "Time:       {:.3} s, {:.1} ns per increment",
            self.seconds,
            self.ns_per_increment
        );
        crate::say!();
        crate::say!("{}", self.verdict(*lost));
        Ok(())
    }

    fn verdict(&self, lost: i64) -> String {
        if self.consistent && self.killed > 0 {
            return "Right: whoever was killed, and wherever it was at that moment, no addition was \
                    lost or made twice."
                .to_owned();
        }
        if self.consistent && self.lock == "none" {
            return "Right, but by luck: nothing kept the processes apart. Run it again, or with \
                    more --increments."
                .to_owned();
        }
        if self.consistent {
            return "Right: every addition is there.".to_owned();
        }
        if self.lock == "none" {
            return format!(
                "WRONG: {lost} additions were lost. That is the point of --lock none: two processes \
                 read\nthe same number, and both wrote back the same result. Run it with --lock \
                 value to see them all."
            );
        }
        if self.lock == "atomic" && self.seed.is_none() && self.killed + self.joined_died as u64 > 0
        {
            return "WRONG: a process was killed between its two additions. Without --kill, \
                    --lock atomic does not\nprotect against that; with --kill, or another lock, \
                    it does."
                .to_owned();
        }
        format!("WRONG: the total should be {}. This must not happen: a bug.", self.expected)
    }
}

/// What a process that joined came to.
#[derive(Debug, Serialize)]
pub(crate) struct Joined<'a> {
    pub(crate) attached: &'a str,
    pub(crate) lock: &'a str,
    pub(crate) increments: u64,
    pub(crate) count: u64,
    /// The shared total when this process was done.
    pub(crate) total: Option<u64>,
}

impl Joined<'_> {
    pub(crate) fn print(&self, json: bool) -> Result<()> {
        if json {
            crate::say!("{}", serde_json::to_string(self)?);
            return Ok(());
        }
        crate::say!("Done: this process added {}.", self.count);
        if let Some(total) = self.total {
            crate::say!(
                "The shared total was {total} after that; the first terminal shows the result."
            );
        }
        Ok(())
    }
}

/// A joiner whose demo has gone.
pub(crate) fn abandoned(count: u64) -> String {
    format!("the demo has ended; this process had added {count} by then")
}
